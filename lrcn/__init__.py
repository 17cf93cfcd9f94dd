"""Long-term recurrent convolutional networks: classify videos, describe images and videos."""

from __future__ import annotations

__version__ = "0.1.0"


def __getattr__(name: str):
    """Offers `lrcn.load` without importing TensorFlow before it is used."""
    if name == "load":
        from lrcn.inference import trained

        return trained.load
    raise AttributeError(f"module 'lrcn' has no attribute {name!r}")
