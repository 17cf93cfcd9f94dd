"""How sure a difference between two models is: a bootstrap that respects groups of videos."""

from __future__ import annotations

import dataclasses

import numpy as np
from numpy.typing import ArrayLike

from lrcn.errors import UserError


@dataclasses.dataclass(frozen=True)
class Interval:
    """A difference of accuracies, `low` and `high` around it, and what it rests on."""

    difference: float
    low: float
    high: float
    items: int
    clusters: int


def difference(
    correct_a: ArrayLike,
    correct_b: ArrayLike,
    clusters: ArrayLike,
    *,
    seed: int = 0,
    samples: int = 10_000,
    level: float = 0.95,
) -> Interval:
    """Returns accuracy of a minus accuracy of b with a percentile bootstrap interval.

    Whole clusters are drawn with replacement, because videos of one group resemble each other.

    Args:
        correct_a: [items], 1 where a is right; shares such as means over seeds are welcome.
        correct_b: [items], the same items by b.
        clusters: [items], the cluster of each item, such as "class/group"; anything sortable.
        seed: Seed of the draws.
        samples: Number of draws.
        level: Coverage of the interval.

    Raises:
        UserError: The three do not have one length, or are empty.
    """
    gains = np.asarray(correct_a, np.float64) - np.asarray(correct_b, np.float64)
    names, cluster = np.unique(np.asarray(clusters), return_inverse=True)
    if gains.ndim != 1 or len(gains) != len(cluster) or not len(gains):
        raise UserError(
            "A bootstrap needs the same items thrice",
            where="correct_a, correct_b, clusters",
            received=f"{gains.shape} differences, {len(cluster)} clusters",
            expected="lists of one length above 0",
            remedy="Give both models' results on the same items, in the same order",
        )
    sums = np.bincount(cluster, weights=gains)
    sizes = np.bincount(cluster)
    rng = np.random.default_rng(seed)
    draws = rng.multinomial(len(names), np.full(len(names), 1 / len(names)), size=samples)
    values = (draws @ sums) / (draws @ sizes)
    low, high = np.quantile(values, [(1 - level) / 2, (1 + level) / 2])
    return Interval(float(gains.mean()), float(low), float(high), len(gains), len(names))
