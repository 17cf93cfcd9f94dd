"""The bootstrap against cases whose interval is known."""

import numpy as np
import pytest

from lrcn.errors import UserError
from lrcn.scoring import bootstrap


def test_equal_models_differ_by_nothing():
    interval = bootstrap.difference([1, 0, 1], [1, 0, 1], ["a", "b", "c"])

    assert (interval.difference, interval.low, interval.high) == (0, 0, 0)
    assert (interval.items, interval.clusters) == (3, 3)


def test_constant_gain_has_no_width():
    interval = bootstrap.difference([1, 1, 1, 1], [0.5] * 4, [0, 0, 1, 1])

    assert interval.difference == interval.low == interval.high == 0.5


def test_two_clusters_are_drawn_whole():
    interval = bootstrap.difference([1] * 10 + [0] * 10, [0] * 20, [0] * 10 + [1] * 10)

    assert interval.difference == 0.5
    assert (interval.low, interval.high) == (0, 1)


def test_width_agrees_with_the_binomial_where_clusters_are_single():
    gains = np.random.default_rng(0).integers(0, 2, 400)
    interval = bootstrap.difference(gains, np.zeros(400), np.arange(400))

    assert interval.high - interval.low == pytest.approx(2 * 1.96 * 0.5 / 20, rel=0.05)


def test_uneven_clusters_weigh_items_and_not_clusters():
    interval = bootstrap.difference([1, 0, 0, 0], [0] * 4, ["a", "b", "b", "b"])

    assert interval.difference == 0.25
    assert (interval.low, interval.high) == (0, 1)


def test_same_seed_same_interval():
    rng = np.random.default_rng(1)
    a, b, clusters = rng.random(30), rng.random(30), rng.integers(0, 5, 30)

    assert bootstrap.difference(a, b, clusters, seed=3) == bootstrap.difference(
        a, b, clusters, seed=3
    )


@pytest.mark.parametrize("clusters", [[0], [0, 1, 2], []])
def test_lengths_must_agree(clusters):
    with pytest.raises(UserError, match="the same items thrice"):
        bootstrap.difference([1, 0], [0, 0], clusters)
