"""What all networks have in common: a CNN over each frame, and a head over its features.

The CNN is the layer `backbone` and everything after it the nested model `head`, so that a frozen
CNN's features can train the head alone.
"""

from __future__ import annotations

import keras

from lrcn.models import initial, recurrent
from lrcn.models import layers as custom_layers


def assemble(backbone: keras.Model, head: keras.Model, name: str) -> keras.Model:
    """Returns the network from frames to what a head makes of their features.

    Args:
        backbone: Maps [batch, height, width, 3] uint8 to [batch, features].
        head: Takes `features` [batch, time, features], alone or in a dict with other inputs, which
            become inputs of the network.
        name: Name of the network.
    """
    frames = keras.Input((None, *backbone.input_shape[1:]), dtype="uint8", name="frames")
    features = custom_layers.PerFrame(backbone, name="backbone")(frames)
    others = [given for given in head.inputs if given.name != "features"]
    if not others:
        return keras.Model(frames, head(features), name=name)
    more = {
        given.name: keras.Input(given.shape[1:], dtype=given.dtype, name=given.name)
        for given in others
    }
    return keras.Model({"frames": frames, **more}, head({"features": features, **more}), name=name)


def head(model: keras.Model) -> keras.Model:
    """Returns the part from features [batch, time, features] float32 to the dict of outputs.

    It is a new model over the same layers each time: one that is compiled may share the optimizer
    of `model` (`head(model).compile(model.optimizer, ...)`) without entering the saved file, where
    a compiled nested model would take the optimizer's state with it.
    """
    nested = model if model.name == "head" else model.get_layer("head")
    return keras.Model(nested.input, nested.output, name="head")


def backbone(model: keras.Model) -> keras.Model:
    """Returns the part from frames [batch, height, width, 3] uint8 to [batch, features]."""
    return model.get_layer("backbone").layer


def lstm_layer(
    units: int, name: str, initializer: str | None, *, return_state: bool = False
) -> recurrent.LSTM:
    """Returns an LSTM that says something at every step.

    Args:
        units: State size.
        name: Name of the layer.
        initializer: Name of the initialiser of both kernels, with zero biases; None is Keras's,
            with forget bias 1.
        return_state: Whether the last states are returned, too.
    """
    own = {}
    if initializer is not None:
        own = {
            "kernel_initializer": initial.kernel(initializer),
            "recurrent_initializer": initial.kernel(initializer),
            "unit_forget_bias": False,
        }
    return recurrent.LSTM(
        units, return_sequences=True, return_state=return_state, dtype="float32", name=name, **own
    )
