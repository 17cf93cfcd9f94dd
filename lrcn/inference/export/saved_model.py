"""The format that TensorFlow reads, in Python, in C++ and as a server."""

from __future__ import annotations

import pathlib

import tensorflow as tf

FILE = "."  # a folder of files, which are beside the contract
HAS_VARIABLES = True  # as large constants TensorFlow takes long to begin with


def write(function: tf.types.experimental.PolymorphicFunction, folder: pathlib.Path) -> None:
    """Writes a function as a SavedModel with the signature `serving_default`.

    Args:
        function: The traced function.
        folder: Where `saved_model.pb` goes.
    """
    traced = function.get_concrete_function()
    whole = tf.Module()
    whole.weights = list(traced.variables)
    tf.saved_model.save(whole, str(folder), signatures=traced)
