"""Weighted means of streams: what holds of any, and the sums one would do by hand."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from lrcn.errors import UserError
from lrcn.scoring import fusion


@st.composite
def probabilities(draw, streams=2):
    items, classes = draw(st.integers(1, 6)), draw(st.integers(2, 5))
    raw = draw(hnp.arrays(np.float64, (streams, items, classes), elements=st.floats(0.01, 1)))
    return raw / raw.sum(axis=-1, keepdims=True)


weights = st.floats(0, 1).map(lambda p: (p, 1 - p))


@given(probabilities())
def test_all_the_weight_of_one_stream_is_that_stream(streams):
    np.testing.assert_array_equal(fusion.weighted(streams, (1, 0)), streams[0])
    np.testing.assert_array_equal(fusion.weighted(streams, (0, 1)), streams[1])


@given(probabilities(), weights, st.randoms(use_true_random=False))
def test_the_order_of_items_does_not_matter(streams, own, random):
    order = list(range(streams.shape[1]))
    random.shuffle(order)
    np.testing.assert_array_equal(
        fusion.weighted(streams[:, order], own), fusion.weighted(streams, own)[order]
    )


@given(probabilities(), weights)
def test_a_fusion_lies_between_its_streams_and_sums_to_one(streams, own):
    values = fusion.weighted(streams, own)
    np.testing.assert_allclose(values.sum(axis=-1), 1)
    assert (values >= streams.min(axis=0) - 1e-12).all()
    assert (values <= streams.max(axis=0) + 1e-12).all()


@given(probabilities(3))
def test_exchanging_streams_and_weights_changes_nothing(streams):
    own = (0.2, 0.3, 0.5)
    np.testing.assert_allclose(
        fusion.weighted(streams[[2, 0, 1]], (0.5, 0.2, 0.3)), fusion.weighted(streams, own)
    )


def test_the_papers_weights_by_hand():
    rgb, flow = [[0.6, 0.3, 0.1]], [[0.0, 0.9, 0.1]]
    half, third = fusion.PAPER.values()
    np.testing.assert_allclose(fusion.weighted([rgb, flow], half), [[0.3, 0.6, 0.1]])
    np.testing.assert_allclose(fusion.weighted([rgb, flow], third), [[0.2, 0.7, 0.1]])


@pytest.mark.parametrize(("streams", "points"), [(1, 1), (2, 21), (3, 66), (4, 286)])
def test_the_grid_holds_every_mixture_once(streams, points):
    grid = fusion.grid(streams)
    assert len(grid) == len(set(grid)) == points
    np.testing.assert_allclose(np.sum(grid, axis=1), 1)
    assert min(map(min, grid)) >= 0
    for corner in np.eye(streams):
        assert tuple(corner) in grid


def test_the_grid_of_two_goes_in_twentieths_from_the_second_stream_to_the_first():
    assert fusion.grid(2)[:3] == [(0, 1), (0.05, 0.95), (0.1, 0.9)]
    assert fusion.grid(2)[-1] == (1, 0)


def test_the_highest_score_chooses_and_the_first_of_equals():
    streams = [[[1.0, 0.0]], [[0.0, 1.0]]]
    assert fusion.choose(streams, fusion.grid(2), lambda v: -abs(v[0, 0] - 0.4)) == (0.4, 0.6)
    assert fusion.choose(streams, fusion.grid(2), lambda v: 0) == (0, 1)
    tied = fusion.choose(streams, fusion.grid(2), lambda v: (v[0, 0] >= 0.5, -v[0, 0]))
    assert tied == (0.5, 0.5)


@pytest.mark.parametrize(
    ("given", "streams", "message"),
    [
        (
            (0.5, 0.4),
            2,
            r"do not sum to 1.*\[0.5,0.4\], of sum 0.9.*weights=\[0.5555556,0.4444444\]",
        ),
        ((0.0, 0.0), 2, r"do not sum to 1.*weights=\[0.5,0.5\]"),
        ((0.5, 0.5 + 3e-6), 2, "do not sum to 1"),
        ((1.5, -0.5), 2, r"weights: a weight is negative. Received: \[1.5,-0.5\]"),
        ((float("nan"), 0.5), 2, "no finite number"),
        ((1.0,), 2, "not a weight for each stream. Received: 1 weights.*Expected: 2 weights"),
        ((0.5, 0.25, 0.25), 2, "3 weights, .* for 2 streams"),
    ],
)
def test_weights_that_make_no_mean_are_refused(given, streams, message):
    with pytest.raises(UserError, match=message):
        fusion.check_weights(given, streams)


@pytest.mark.parametrize("given", [(0.5, 0.5), (0.3333333, 0.6666667), (1, 0), (0.2,) * 5])
def test_weights_of_sum_one_are_taken(given):
    fusion.check_weights(given, len(given))
