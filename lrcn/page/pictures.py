"""Probabilities over time as a drawing, and pictures as text that a page holds in itself."""

from __future__ import annotations

import base64
from collections.abc import Iterable, Sequence

import numpy as np

from lrcn.page import courses

HEIGHT, WIDTH = 100.0, 1000.0
"""The unit of a drawing: a page stretches it, so that lines keep their width at any size."""

COLOURS = 8
"""Classes that have a colour of their own; the others are grey."""

_MOST_POINTS = 600
_LEAST = WIDTH / 50  # length of a line of one frame


def colours(said: Iterable[Sequence[str]]) -> dict[str, int]:
    """Returns a number from 1 for the colour of each class, 0 where there are too many.

    Args:
        said: The classes that each run tells, the likeliest first; a class has one colour in all.
    """
    found: dict[str, int] = {}
    for labels in said:
        for label in labels:
            found.setdefault(label, len(found) + 1 if len(found) < COLOURS else 0)
    return found


def curves(course: courses.Course, seconds: float) -> list[tuple[str, str]]:
    """Returns each class with the points of its line as SVG has them, the likeliest last.

    Args:
        course: Of a video; time runs from 0 to `WIDTH`, probability from `HEIGHT` up to 0. A line
            spans the frames that windows show, wherever they are.
        seconds: Length of the video.
    """
    keep = np.unique(
        np.linspace(0, len(course.seconds) - 1, min(len(course.seconds), _MOST_POINTS)).astype(int)
    )
    across = np.minimum(WIDTH * course.seconds[keep] / max(seconds, 1e-9), WIDTH)
    found = []
    for label, values in zip(course.labels, course.values[:, keep], strict=True):
        if len(keep) == 1:  # one frame has a probability, too
            start = min(across[0], WIDTH - _LEAST)
            points = [(start, values[0]), (start + _LEAST, values[0])]
        else:
            points = list(zip(across, values, strict=True))
        found.append((label, " ".join(f"{x:.1f},{HEIGHT * (1 - y):.1f}" for x, y in points)))
    return found[::-1]


def ticks(seconds: float) -> list[str]:
    """Returns what stands below the begin, the middle and the end of a time axis."""
    digits = 1 if seconds < 20 else 0
    return [f"{moment:.{digits}f} s" for moment in (0.0, seconds / 2, seconds)]


def embedded(jpeg: bytes) -> str:
    """Returns a JPEG as an address that holds it."""
    return f"data:image/jpeg;base64,{base64.b64encode(jpeg).decode()}"
