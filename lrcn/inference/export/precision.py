"""A network in float32, whatever it was trained in."""

from __future__ import annotations

from typing import Any

import keras

_WHOLE = "float32"


def whole(model: keras.Model) -> keras.Model:
    """Returns a network whose layers work in float32 with the weights of `model`.

    It is `model` itself if that does already.
    """
    plain = keras.saving.serialize_keras_object(model)
    in_full = _in_full(plain)
    if in_full == plain:
        return model
    made = keras.saving.deserialize_keras_object(in_full)
    made.set_weights(model.get_weights())
    return made


def _in_full(value: Any) -> Any:
    """Returns a configuration in which every policy of mixed precision is that of float32."""
    if isinstance(value, dict):
        if value.get("class_name") == "DTypePolicy":
            return {**value, "config": {**value["config"], "name": _WHOLE}}
        return {key: _in_full(own) for key, own in value.items()}
    if isinstance(value, list | tuple):
        return type(value)(_in_full(own) for own in value)
    return value
