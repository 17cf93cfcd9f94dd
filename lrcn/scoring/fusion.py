"""Late fusion of streams: the weighted mean of their probabilities, and the choice of weights.

Donahue et al. 2015, section 4.1: p * RGB + (1 - p) * flow with p = 1/2 and 1/3.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from lrcn.errors import UserError

PAPER = {"1/2, 1/2": (1 / 2, 1 / 2), "1/3, 2/3": (1 / 3, 2 / 3)}
"""The paper's weights of its two streams."""
STREAMS = ("rgb", "flow")
"""The modalities of the two, in the order of their weights."""

TOLERANCE = 1e-6  # how far from 1 a sum of weights may be
_PARTS_OF_TWO, _PARTS = 20, 10  # of the grid: steps of .05, and of .1 for more streams


def check_weights(weights: Sequence[float], streams: int) -> None:
    """Checks that there is a weight for each stream, none negative, of sum 1.

    Args:
        weights: The weights.
        streams: The number of streams.

    Raises:
        UserError: They are not so.
    """
    shown = _listed(weights)
    if len(weights) != streams:
        raise UserError(
            "not a weight for each stream",
            where="weights",
            received=f"{len(weights)} weights, {shown}, for {streams} streams",
            expected=f"{streams} weights, one for each entry of runs",
            remedy=f"Set weights={_listed([1 / streams] * streams)}, or leave it out to compare",
        )
    wrong = [weight for weight in weights if not (weight >= 0 and np.isfinite(weight))]
    if wrong:
        raise UserError(
            "a weight is negative" if wrong[0] < 0 else "a weight is no finite number",
            where="weights",
            received=shown,
            expected="weights from 0 to 1",
            remedy=f"Set weights={_listed([1 / streams] * streams)}, or leave a stream out",
        )
    total = sum(weights)
    if abs(total - 1) > TOLERANCE:
        meant = [weight / total for weight in weights] if total else [1 / streams] * streams
        raise UserError(
            "the weights do not sum to 1",
            where="weights",
            received=f"{shown}, of sum {total:.9g}",
            expected="weights of sum 1",
            remedy=f"Set weights={_listed(meant)}",
        )


def weighted(streams: ArrayLike, weights: ArrayLike) -> np.ndarray:
    """Returns the weighted mean of the streams' probabilities, [items, classes] float64.

    Args:
        streams: [streams, items, classes].
        weights: [streams], of sum 1.
    """
    parts = zip(weights, np.asarray(streams, np.float64), strict=True)
    # Not by a matrix product, whose sums depend on the machine and on an item's neighbours.
    return sum(weight * values for weight, values in parts)


def grid(streams: int) -> list[tuple[float, ...]]:
    """Returns all weights in steps of .05 for two streams, of .1 for more; each sums to 1.

    The weight of the first stream grows from 0 to 1.

    Args:
        streams: The number of streams, at least one.
    """
    parts = _PARTS_OF_TWO if streams == 2 else _PARTS
    # Bars between stars: the gaps between the chosen places are the parts of the streams.
    places = itertools.combinations(range(parts + streams - 1), streams - 1)
    cuts = [(-1, *bars, parts + streams - 1) for bars in places]
    return [tuple((b - a - 1) / parts for a, b in itertools.pairwise(own)) for own in cuts]


def choose(
    streams: ArrayLike,
    candidates: Sequence[tuple[float, ...]],
    score: Callable[[np.ndarray], Any],
) -> tuple[float, ...]:
    """Returns the weights whose fusion scores highest, the first of equals.

    Args:
        streams: [streams, items, classes], of a split that is not the one reported.
        candidates: The weights to choose from.
        score: What a fusion [items, classes] is worth; anything that can be compared.
    """
    values = np.asarray(streams, np.float64)
    return max(candidates, key=lambda weights: score(weighted(values, weights)))


def _listed(weights: Sequence[float]) -> str:
    return f"[{','.join(f'{weight:.7g}' for weight in weights)}]"
