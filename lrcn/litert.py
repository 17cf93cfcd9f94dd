"""CNNs whose weights stay, in LiteRT, which has faster kernels for the CPU for some of them."""

from __future__ import annotations

import concurrent.futures
import queue
from collections.abc import Callable

import keras
import numpy as np
import tensorflow as tf

from lrcn import cores

# It is made for depthwise convolutions (`scripts/benchmark.py predict` tells by how much it is
# faster than Keras); the other backbones gain nothing or lose.
_FASTER = ("mobilenet",)


def serves(backbone: keras.Model) -> bool:
    """Tells whether a CNN is faster in LiteRT: a known one in float32, on a machine without GPU."""
    return (
        backbone.name in _FASTER
        and keras.config.backend() == "tensorflow"
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
    model, count = _converted(backbone), cores.taken()
    # A frame a core and not a core for a part of each: nobody waits for a core that decodes.
    idle: queue.SimpleQueue[_Network] = queue.SimpleQueue()
    for _ in range(count):
        idle.put(_Network(model))
    threads = concurrent.futures.ThreadPoolExecutor(count, thread_name_prefix="lrcn-litert")

    def of_frame(frame: np.ndarray) -> np.ndarray:
        network = idle.get()
        try:
            return network.features(frame)
        finally:
            idle.put(network)

    return lambda frames: np.stack(list(threads.map(of_frame, frames)))


class _Network:
    """A CNN in one thread.

    Args:
        model: Of a batch of one frame, in the format of LiteRT.
    """

    def __init__(self, model: bytes):
        from ai_edge_litert import interpreter

        self._interpreter = interpreter.Interpreter(model_content=model, num_threads=1)
        self._interpreter.allocate_tensors()
        (given,), (found,) = (
            self._interpreter.get_input_details(),
            self._interpreter.get_output_details(),
        )
        self._given, self._found = given["index"], found["index"]

    def features(self, frame: np.ndarray) -> np.ndarray:
        """Returns the features of a frame, [features]."""
        self._interpreter.set_tensor(self._given, frame[np.newaxis])
        self._interpreter.invoke()
        return self._interpreter.get_tensor(self._found)[0]


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
    return tf.lite.TFLiteConverter.from_concrete_functions([graph], tf.Module()).convert()
