"""Keys of `train` that say how a training is carried out, not what it learns."""

from __future__ import annotations

_KEYS = (
    *("num_threads", "evaluate", "profile", "traceback", "limits", "strategy"),
    *("callbacks.save_seconds", "callbacks.tensorboard"),
)


def is_of_conduct(key: str) -> bool:
    """Tells whether a key, or the group that it is in, leaves what is learned as it is.

    Args:
        key: Dotted, as `limits.frames`; of an override `GROUP@PLACE`, too.
    """
    group = key.partition("@")[0]
    return any(group == own or group.startswith(f"{own}.") for own in _KEYS)
