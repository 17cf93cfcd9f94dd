"""Metrics on examples small enough to check by hand."""

import hypothesis
import numpy as np
import pytest
from hypothesis import strategies as st

from lrcn.errors import UserError
from lrcn.scoring import metrics

CLIPS = np.array([[0.9, 0.1], [0.2, 0.8], [0.4, 0.6], [0.3, 0.7]])
ITEMS = np.array([0, 0, 0, 1])


@pytest.mark.parametrize(
    ("how", "renormalise", "expected"),
    [
        ("avg", True, [0.5, 0.5]),
        ("last", True, [0.4, 0.6]),
        ("max", True, [9 / 17, 8 / 17]),
        ("max", False, [0.9, 0.8]),
    ],
)
def test_pool(how, renormalise, expected):
    np.testing.assert_allclose(metrics.pool(CLIPS[:3], how, renormalise=renormalise), expected)
    np.testing.assert_allclose(
        metrics.pool(CLIPS[None, :3], how, axis=1, renormalise=renormalise), [expected]
    )


def test_pool_refuses_an_unknown_name():
    with pytest.raises(UserError, match="Received: mean. Expected: avg, last, max"):
        metrics.pool(CLIPS, "mean")


def test_videos_from_clips():
    videos = metrics.videos_from_clips(CLIPS, ITEMS, num_items=2)

    np.testing.assert_allclose(videos, [[0.5, 0.5], [0.3, 0.7]])


def test_videos_from_interleaved_clips_keep_time_order():
    videos = metrics.videos_from_clips(CLIPS, [1, 0, 1, 0], num_items=2, how="last")

    np.testing.assert_allclose(videos, [[0.3, 0.7], [0.4, 0.6]])


@pytest.mark.parametrize("num_items", [1, 3])
def test_video_without_clips_is_an_error(num_items):
    with pytest.raises(UserError, match=f"clips of 2 videos.*each of {num_items} videos"):
        metrics.videos_from_clips(CLIPS, ITEMS, num_items=num_items)


@hypothesis.settings(deadline=None, max_examples=30)
@hypothesis.given(st.permutations(range(4)))
def test_mean_over_clips_does_not_mind_their_order(order):
    shuffled = metrics.videos_from_clips(CLIPS[list(order)], ITEMS[list(order)], num_items=2)

    np.testing.assert_allclose(shuffled, metrics.videos_from_clips(CLIPS, ITEMS, num_items=2))


def test_accuracy_and_top_k():
    probabilities = [[0.5, 0.3, 0.2], [0.5, 0.3, 0.2], [0.1, 0.2, 0.7], [0.1, 0.2, 0.7]]
    labels = [0, 1, 2, 0]

    assert metrics.accuracy(probabilities, labels) == 0.5
    assert metrics.top_k(probabilities, labels, 2) == 0.75
    assert metrics.top_k(probabilities, labels, 5) == 1


def test_ties_go_to_the_lower_class():
    assert metrics.accuracy([[0.5, 0.5]], [0]) == 1
    assert metrics.accuracy([[0.5, 0.5]], [1]) == 0


def test_multi_label_hit_is_any_of_the_labels():
    assert metrics.accuracy([[0.1, 0.9, 0.8], [0.9, 0.1, 0.2]], [[0, 1, 1], [0, 1, 1]]) == 0.5


def test_clip_accuracy_judges_each_clip_by_its_video():
    assert metrics.clip_accuracy(CLIPS, ITEMS, [1, 1]) == 0.75


def test_cross_entropy():
    assert metrics.cross_entropy([[0.25, 0.75], [0.5, 0.5]], [1, 0]) == pytest.approx(
        -np.log([0.75, 0.5]).mean()
    )
    assert metrics.cross_entropy([[0.25, 0.75]], [[0, 1]]) == pytest.approx(-np.log(0.75))
    assert np.isfinite(metrics.cross_entropy([[0.0, 1.0]], [0]))


def test_per_class_and_confusion():
    guesses = np.eye(3)[[0, 0, 1, 1, 1]]
    labels = [0, 1, 1, 1, 0]

    rows = metrics.per_class(guesses, labels)

    assert rows[0] == {"precision": 0.5, "recall": 0.5, "f1": 0.5, "support": 2}
    assert rows[1] == pytest.approx(
        {"precision": 2 / 3, "recall": 2 / 3, "f1": 2 / 3, "support": 3}
    )
    assert rows[2] == {"precision": 0, "recall": 0, "f1": 0, "support": 0}
    assert metrics.confusion(guesses, labels).tolist() == [[1, 1, 0], [1, 2, 0], [0, 0, 0]]


def test_per_class_of_multi_label_data_counts_from_one_half():
    rows = metrics.per_class([[0.5, 0.4], [0.9, 0.6]], [[1, 1], [0, 1]])

    assert rows[0] == pytest.approx({"precision": 0.5, "recall": 1, "f1": 2 / 3, "support": 1})
    assert rows[1] == pytest.approx({"precision": 1, "recall": 0.5, "f1": 2 / 3, "support": 2})


def test_average_precision():
    # Right at ranks 1 and 3 of 4: (1/1 + 2/3) / 2.
    assert metrics.average_precision([0.9, 0.8, 0.7, 0.1], [1, 0, 1, 0]) == pytest.approx(5 / 6)


def test_average_precision_of_ties_is_one_threshold():
    assert metrics.average_precision([0.5] * 4, [1, 0, 1, 0]) == pytest.approx(0.5)
    assert metrics.average_precision([0.5] * 4, [0, 1, 0, 1]) == pytest.approx(0.5)


def test_mean_average_precision_leaves_classes_without_items():
    probabilities = [[0.9, 0.2, 0.5], [0.1, 0.8, 0.5], [0.5, 0.9, 0.5]]
    labels = [[1, 0, 0], [0, 1, 0], [1, 0, 0]]

    assert metrics.mean_average_precision(probabilities, labels) == pytest.approx((1 + 0.5) / 2)


def test_summary_has_the_agreed_keys():
    values = metrics.summary(CLIPS, ITEMS, [0, 1])

    assert values == {
        "video_accuracy": 1.0,
        "video_top5": 1.0,
        "clip_accuracy": 0.5,
        "loss": pytest.approx(-np.log([0.5, 0.7]).mean()),
        "videos": 2,
    }


def test_summary_of_multi_label_data_adds_the_mean_average_precision():
    values = metrics.summary(CLIPS, ITEMS, [[1, 0], [1, 1]], how="max")

    assert values["video_map"] == pytest.approx((1 + 0.5) / 2)
    assert values["videos"] == 2


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_probabilities_that_are_none_are_refused_with_their_items(value):
    clips = CLIPS.copy()
    clips[3, 0] = value
    with pytest.raises(UserError, match=r"items 1 of the records.*for 1 items"):
        metrics.summary(clips, ITEMS, [0, 1])
