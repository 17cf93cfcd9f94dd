"""The format of ONNX, which onnxruntime and many others read."""

from __future__ import annotations

import logging
import pathlib

import tensorflow as tf

from lrcn import files

FILE = "model.onnx"
OPSET = 17
HAS_VARIABLES = False


def write(function: tf.types.experimental.PolymorphicFunction, folder: pathlib.Path) -> None:
    """Writes a function as `model.onnx`.

    Args:
        function: It has no variables.
        folder: Where the file goes.
    """
    import tf2onnx

    logging.getLogger("tf2onnx").setLevel(logging.CRITICAL)
    model, _ = tf2onnx.convert.from_function(
        function, input_signature=function.input_signature, opset=OPSET
    )
    with files.atomic_path(folder / FILE) as temporary:
        temporary.write_bytes(model.SerializeToString())
