"""The format of LiteRT (TensorFlow Lite), for phones and small machines."""

from __future__ import annotations

import pathlib

import tensorflow as tf

from lrcn import files

FILE = "model.tflite"
HAS_VARIABLES = False


def write(function: tf.types.experimental.PolymorphicFunction, folder: pathlib.Path) -> None:
    """Writes a function as `model.tflite` with the signature `serving_default`.

    Args:
        function: It has no variables.
        folder: Where the file goes.
    """
    graph = function.get_concrete_function()
    converter = tf.lite.TFLiteConverter.from_concrete_functions([graph], tf.Module())
    with files.atomic_path(folder / FILE) as temporary:
        temporary.write_bytes(converter.convert())
