"""How many cores a process may use: all that the system lets it, or its share of a sweep's."""

from __future__ import annotations

import os

# What TensorFlow, and the libraries that NumPy and OpenCV calculate with, read as they start.
_SHARE = "TF_NUM_INTRAOP_THREADS"
_LIBRARIES = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")


def usable() -> int:
    """Returns the number of cores that the system lets this process use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def take(share: int) -> None:
    """Holds this process to a share of the cores; to be called before TensorFlow is imported.

    Args:
        share: Threads of an operation.
    """
    for name in (_SHARE, *_LIBRARIES):
        os.environ[name] = str(share)


def taken() -> int:
    """Returns the share that this process was held to, else every core that it may use."""
    given = os.environ.get(_SHARE, "")
    return int(given) if given.isdecimal() and int(given) > 0 else usable()
