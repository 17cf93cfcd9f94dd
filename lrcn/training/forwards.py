"""What a network says of a batch, compiled once, on whatever backend Keras runs."""

from __future__ import annotations

from collections.abc import Callable

import keras
import numpy as np
import tensorflow as tf


def of(model: keras.Model, output: str | None = None) -> Callable[[np.ndarray], np.ndarray]:
    """Returns a function from batches to what a model makes of them in inference.

    It follows the model's weights, and works on this process's device alone.

    Args:
        model: The model, of one input.
        output: The output to return if the model has several.
    """
    if keras.config.backend() == "jax":
        return _by_jax(model, output)

    @tf.function(input_signature=[tf.TensorSpec(model.input_shape, model.input.dtype)])
    def forward(inputs):
        outputs = model(inputs, training=False)
        return outputs if output is None else outputs[output]

    return lambda inputs: forward(inputs).numpy()


def _by_jax(model: keras.Model, output: str | None) -> Callable[[np.ndarray], np.ndarray]:
    import jax

    @jax.jit
    def stateless(trainable, others, inputs):
        outputs, _ = model.stateless_call(trainable, others, inputs, training=False)
        return outputs if output is None else outputs[output]

    def forward(inputs):
        groups = (model.trainable_variables, model.non_trainable_variables)
        # Of variables that are the same on all hosts it takes this host's: no other need join in.
        own = [[variable.value.addressable_data(0) for variable in group] for group in groups]
        return np.asarray(stateless(*own, np.asarray(inputs)))

    return forward


def keep_up(model: keras.Model) -> None:
    """Gives variables the values they have within an epoch, which JAX keeps apart until its end.

    Args:
        model: What is being trained.
    """
    if keras.config.backend() == "jax":
        model.jax_state_sync()
