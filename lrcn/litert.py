"""CNNs whose weights stay, in LiteRT, which has faster kernels for the CPU for some of them."""

from __future__ import annotations

from collections.abc import Callable

import keras
import numpy as np
import tensorflow as tf

from lrcn import cores

# Measured on two cores: 2.4 times the frames per second of `keras.Model.predict` for MobileNet,
# whose depthwise convolutions it is made for; the other backbones gain nothing or lose.
_FASTER = ("mobilenet",)


def serves(backbone: keras.Model) -> bool:
    """Tells whether a CNN is faster in LiteRT: a known one in float32, on a machine without GPU."""
    return (
        backbone.name in _FASTER
        and keras.backend.backend() == "tensorflow"
        and backbone.layers[-1].compute_dtype == "float32"
        and not tf.config.list_physical_devices("GPU")
    )


def forward(backbone: keras.Model) -> Callable[[np.ndarray], np.ndarray]:
    """Returns the function from frames [batch, height, width, 3] uint8 to [batch, features].

    Where LiteRT serves, it has the weights that the CNN has now, and its features equal those of
    Keras to 1e-4.

    Args:
        backbone: The CNN; it runs in inference mode.
    """
    return _in_litert(backbone) if serves(backbone) else backbone.predict_on_batch


def _in_litert(backbone: keras.Model) -> Callable[[np.ndarray], np.ndarray]:
    from ai_edge_litert import interpreter

    network = interpreter.Interpreter(model_content=_converted(backbone), num_threads=cores.taken())
    network.allocate_tensors()
    (given,), (found,) = network.get_input_details(), network.get_output_details()

    def of_frame(frame: np.ndarray) -> np.ndarray:
        network.set_tensor(given["index"], frame[np.newaxis])
        network.invoke()
        return network.get_tensor(found["index"])[0]

    # One at a time: what passes between the layers of a small CNN then stays in the cache.
    return lambda frames: np.stack([of_frame(frame) for frame in frames])


def _converted(backbone: keras.Model) -> bytes:
    # Weights that are part of the graph need no file of a saved model, which takes five times as
    # long to write and to convert.
    groups = (backbone.trainable_variables, backbone.non_trainable_variables)
    weights = [[keras.ops.convert_to_numpy(variable) for variable in group] for group in groups]

    @tf.function(input_signature=[tf.TensorSpec([1, *backbone.input_shape[1:]], tf.uint8)])
    def of_frame(frame):
        features, _ = backbone.stateless_call(*weights, frame, training=False)
        return features

    graph = of_frame.get_concrete_function()
    return tf.lite.TFLiteConverter.from_concrete_functions([graph]).convert()
