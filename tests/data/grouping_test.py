import collections

import hypothesis
import numpy as np
from hypothesis import strategies

from lrcn.data import grouping


@hypothesis.given(
    strategies.lists(
        strategies.tuples(strategies.integers(0, 3), strategies.integers(0, 12)), min_size=3
    ),
    strategies.lists(strategies.floats(0.1, 1), min_size=1, max_size=3),
    strategies.integers(0, 5),
)
@hypothesis.settings(deadline=None, max_examples=60)
def test_groups_stay_whole_and_no_part_is_empty(pairs, shares, seed):
    labels, groups = [label for label, _ in pairs], [str(group) for _, group in pairs]
    parts = grouping.parted(labels, groups, shares, seed=seed)
    assert parts == grouping.parted(labels, groups, shares, seed=seed)
    by_group = collections.defaultdict(set)
    for group, part in zip(groups, parts, strict=True):
        by_group[group].add(part)
    assert all(len(some) == 1 for some in by_group.values())
    assert len(set(parts)) == min(len(shares), len(by_group))


def test_single_items_are_parted_by_class_to_the_item():
    labels = [0] * 100 + [1] * 40
    parts = np.array(grouping.parted(labels, [str(i) for i in range(140)], (0.8, 0.1, 0.1), seed=0))
    counts = [np.bincount(parts[:100]).tolist(), np.bincount(parts[100:]).tolist()]
    assert counts == [[80, 10, 10], [32, 4, 4]]


def test_parts_of_share_nought_stay_empty():
    assert set(grouping.parted([0] * 9, list("abcdefghi"), (1, 0, 2), seed=0)) == {0, 2}


def test_groups_of_unequal_size_come_near_the_shares():
    rng = np.random.default_rng(0)
    groups = np.repeat(np.arange(30), rng.integers(1, 30, 30)).astype(str).tolist()
    labels = rng.integers(0, 3, len(groups)).tolist()
    parts = np.array(grouping.parted(labels, groups, (0.6, 0.2, 0.2), seed=1))
    for label in range(3):
        shares = np.bincount(parts[np.array(labels) == label]) / labels.count(label)
        np.testing.assert_allclose(shares, (0.6, 0.2, 0.2), atol=0.08)
