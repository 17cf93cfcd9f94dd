"""Initialisers by name: the paper's values, or Keras's own."""

from __future__ import annotations

import keras

from lrcn.errors import UserError


def kernel(name: str | None) -> keras.initializers.Initializer:
    """Returns a kernel initialiser.

    Args:
        name: None (Glorot uniform), "uniform_X" (between -X and X), "gaussian_X" (standard
            deviation X), or any name that Keras knows.

    Raises:
        UserError: No initialiser has that name.
    """
    if name is None:
        return keras.initializers.GlorotUniform()
    kind, _, number = name.partition("_")
    try:
        if kind == "uniform":
            return keras.initializers.RandomUniform(-float(number), float(number))
        if kind == "gaussian":
            return keras.initializers.RandomNormal(stddev=float(number))
        return keras.initializers.get(name)
    except ValueError as error:
        raise UserError(
            "Unknown initialiser",
            where="initializer",
            received=name,
            expected="uniform_0.01, gaussian_0.01 or a Keras name such as he_normal",
            remedy="Give one of these, or None for Keras's own",
        ) from error
