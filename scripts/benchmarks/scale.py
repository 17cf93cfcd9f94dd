"""How time and memory grow with items, clip length, classes and words.

Each size is measured in a process of its own. A slope is that of a line through the logarithms of
sizes and times, or sizes and memory: 1 is in proportion, 2 the square. What a process needs to get
going hides the slope of small sizes, so the line goes through the larger half.
"""

from __future__ import annotations

import tempfile
from collections.abc import Sequence

from benchmarks import measuring, turns

_STRAIGHT = 1.15  # slope of what should grow in proportion or less


def measure(size: measuring.Size) -> list[measuring.Measure]:
    """Measures storing, opening, training and evaluating, then a step by what it is made of."""
    items = size.of((100, 1000, 10_000, 100_000), (4, 8, 16))
    lengths, classes = size.of((8, 16, 32, 64), (2, 4)), size.of((2, 101, 1000), (2, 4))
    words = size.of((1000, 10_000, 50_000), (20, 40))
    measures = []
    for verb in ("serializing", "opening", "training", "evaluating"):
        found = [in_folder(f"scaled:{verb}", items=count) for count in items]
        for what, target in (("seconds", _STRAIGHT), ("bytes", _STRAIGHT)):
            measures.append(grown(f"{verb}, {what} by items", items, found, what, target))
    found = [in_folder("scaled:training", items=16, frames=length) for length in lengths]
    measures.append(
        grown("step, seconds by frames of a clip", lengths, found, "seconds", _STRAIGHT)
    )
    found = [in_process("scaled:classes", count=count) for count in classes]
    measures.append(grown("step, seconds by classes", classes, found, "seconds", _STRAIGHT))
    found = [in_process("scaled:vocabulary", count=count) for count in words]
    for what, name in (("seconds", "step"), ("greedy", "greedy search")):
        measures.append(grown(f"{name}, seconds by words", words, found, what, _STRAIGHT))
    return measures


def in_process(make: str, **values) -> dict[str, float]:
    """Returns what one turn of a new process measures, after one that does not count."""
    with turns.Contestant(make, **values).started() as turn:
        turn()
        return turn()


def in_folder(make: str, **values) -> dict[str, float]:
    """Returns what the first turn of a new process measures, in a folder of its own."""
    with (
        tempfile.TemporaryDirectory() as folder,
        turns.Contestant(make, folder=folder, **values).started() as turn,
    ):
        return turn()


def grown(
    name: str,
    sizes: Sequence[int],
    found: Sequence[dict[str, float]],
    what: str,
    target: float,
) -> measuring.Measure:
    """Returns the slope of what was measured, with each value beside it."""
    values = [measured[what] for measured in found]
    half = max(2, (len(sizes) + 1) // 2)
    details = {
        str(count): float(f"{value:.4g}") for count, value in zip(sizes, values, strict=True)
    }
    return measuring.Measure(
        name, slope(sizes[-half:], values[-half:]), "slope", target, False, details
    )


def slope(sizes: Sequence[int], values: Sequence[float]) -> float:
    """Returns the slope of the line through the logarithms."""
    import numpy as np

    return float(np.polyfit(np.log(sizes), np.log(values), 1)[0])
