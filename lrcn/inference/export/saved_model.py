"""The format that TensorFlow reads, in Python, in C++ and as a server."""

from __future__ import annotations

import pathlib

import tensorflow as tf

FILE = "."  # a folder of files, which are beside the contract


def write(function: tf.types.experimental.PolymorphicFunction, folder: pathlib.Path) -> None:
    """Writes a function as a SavedModel with the signature `serving_default`.

    Args:
        function: It has no variables.
        folder: Where `saved_model.pb` goes.
    """
    # As a signature alone: what is an attribute, too, would be written with its weights twice.
    tf.saved_model.save(tf.Module(), str(folder), signatures=function.get_concrete_function())
