"""Parts items into train, val and test without parting groups, classes as even as possible."""

from __future__ import annotations

import collections
from collections.abc import Sequence

import numpy as np

SPLITS = ("train", "val", "test")


def parted(
    labels: Sequence[int], groups: Sequence[str], shares: Sequence[float], *, seed: int
) -> list[int]:
    """Assigns each item to a part; items of one group share theirs.

    Groups are taken from the largest to the smallest, in random order among equals, and each goes
    where it brings the counts of its classes nearest to the shares. Every part of a positive share
    receives at least one group, as long as there are enough.

    Args:
        labels: Class of each item.
        groups: Group of each item.
        shares: Wanted share of each part; they are scaled to a sum of 1.
        seed: Of the order among groups of equal size.

    Returns:
        The number of the part of each item.
    """
    members = collections.defaultdict(collections.Counter)
    for label, group in zip(labels, groups, strict=True):
        members[group][label] += 1
    scaled = np.asarray(shares, float) / np.sum(shares)
    totals = collections.Counter(labels)
    counts = [collections.Counter() for _ in shares]
    part_of: dict[str, int] = {}
    waiting = _largest_first(members, seed)
    for taken, group in enumerate(waiting):
        empty = [part for part, share in enumerate(scaled) if share > 0 and not counts[part]]
        must_fill = len(empty) >= len(waiting) - taken
        choices = empty if must_fill else [part for part, share in enumerate(scaled) if share > 0]
        costs = [_cost(counts[part], members[group], totals, scaled[part]) for part in choices]
        part_of[group] = choices[int(np.argmin(costs))]
        counts[part_of[group]] += members[group]
    return [part_of[group] for group in groups]


def _largest_first(members: dict[str, collections.Counter], seed: int) -> list[str]:
    """Orders groups by falling size; the names decide nothing but the seeded order of equals."""
    names = sorted(members)
    shuffled = np.random.default_rng(seed).permutation(len(names))
    return sorted((names[i] for i in shuffled), key=lambda name: -members[name].total())


def _cost(
    held: collections.Counter, group: collections.Counter, totals: collections.Counter, share: float
) -> float:
    """Returns how much farther from its share a part would be with `group` than without."""
    change = 0.0
    for label, added in group.items():
        before = held[label] / totals[label] - share
        after = (held[label] + added) / totals[label] - share
        change += (after**2 - before**2) / share
    return change
