import dataclasses

import numpy as np
import pytest

from lrcn.data import lists
from lrcn.inference import answers as answers_lib
from lrcn.inference import windows
from lrcn.page import courses, looking

from . import conftest

ITEM = lists.Item("val", str(conftest.VIDEO), "video")
PICTURE = lists.Item("red", str(conftest.IMAGE), "image")


def test_who_listens_changes_nothing_in_what_predict_prints(
    labels, classifier, captions, captioner
):
    assert classifier.tell(ITEM).line == labels.predict_item(ITEM)
    assert classifier.tell(PICTURE).line == labels.predict_item(PICTURE)
    assert captioner.tell(ITEM).line == captions[0].predict_item(ITEM)


def test_probabilities_over_time_are_those_that_the_windows_are_the_mean_of(classifier):
    told = classifier.tell(ITEM)
    course = told.course
    assert course.labels == tuple(entry["label"] for entry in told.line["top"])
    np.testing.assert_allclose(course.seconds, np.arange(20) / 10, atol=1e-6)
    np.testing.assert_allclose(course.values.sum(axis=0), 1, atol=1e-6)
    # Windows of 8 frames begin at 0, 4, 8 and 12, and the last one is counted again.
    starts = (0, 4, 8, 12, 12)
    shown = np.array([sum(start <= at < start + 8 for start in starts) for at in range(20)])
    means = (course.values * shown).sum(axis=1) / shown.sum()
    expected = [entry["probability"] for entry in told.line["top"]]
    np.testing.assert_allclose(means, expected, atol=1e-5)
    assert np.ptp(course.values) > 0.01


def test_crops_of_a_frame_are_averaged_and_independent_classes_stay_apart():
    predictor = conftest.predictor_of_labels(multi_label=True)
    network = conftest.network_of(predictor)
    told = network.tell(ITEM)
    np.testing.assert_allclose(
        told.course.values.max(axis=1) >= [e["probability"] - 1e-5 for e in told.line["top"]], True
    )
    assert abs(told.course.values.sum(axis=0) - 1).max() > 0.01

    answer = courses.Labels(network.answer.inner)
    width = network.answer.inner.model.input_shape[-1]
    features = np.random.default_rng(0).normal(size=(2, 3, width)).astype(np.float32)
    batch = {"features": features, "item": np.zeros(2, int), "clip": np.zeros(2, int)}
    values = answer.score([batch])
    times = np.array([[0.0, 0.5, 1.0]])
    line = answer.line(ITEM, windows.Scored(values, np.zeros(1), np.ones(1), times))
    course = answer.course(line)
    assert course.seconds.tolist() == [0.0, 0.5, 1.0]
    expected = [entry["probability"] for entry in line["top"]]
    np.testing.assert_allclose(course.values.mean(axis=1), expected, atol=1e-5)


@pytest.mark.parametrize("item", [ITEM, PICTURE], ids=["video", "image"])
def test_the_probabilities_of_words_and_end_make_that_of_the_caption(captioner, item):
    told = captioner.tell(item)
    assert "".join(word.text for word in told.words) == told.line["caption"]
    assert told.words[-1].text == ""
    assert all(0 < word.probability <= 1 for word in told.words)
    assert conftest.log_of(told.words) == pytest.approx(told.line["log_probability"], abs=1e-4)


def test_the_crop_whose_caption_won_is_the_one_that_is_read(captions):
    predictor, head = captions
    answer = courses.Captions(predictor.answer, head)
    width = head.input["features"].shape[-1]
    features = np.random.default_rng(1).normal(size=(4, 1, width)).astype(np.float32)
    batch = {"features": features, "item": np.zeros(4, int), "clip": np.zeros(4, int)}
    said = answer.score([batch])
    line = answer.line(PICTURE, windows.Scored(said, np.zeros(1), np.zeros(1), np.zeros([1, 1])))
    assert conftest.log_of(answer.words(line)) == pytest.approx(line["log_probability"], abs=1e-4)


def test_a_caption_is_parted_as_it_is_written():
    tokens = ["a", "t", "-", "shirt", ",", "a", "b"]
    pieces = courses.written("a t-shirt, a b", tokens)
    assert pieces == ["a", " t", "-", "shirt", ",", " a", " b"]
    assert courses.written("", []) == []


def test_an_answer_keeps_nothing_of_the_one_before(classifier):
    first = classifier.tell(ITEM).course
    again = classifier.tell(ITEM).course
    np.testing.assert_array_equal(first.values, again.values)
    assert isinstance(classifier.answer.inner, answers_lib.Labels)


@pytest.mark.parametrize("of_captions", [False, True])
def test_an_answer_ends_where_the_page_is_being_stopped(labels, captions, of_captions):
    bounds = looking.Bounds(120.0)
    if of_captions:
        predictor, head = captions
        answer = courses.Captions(predictor.answer, head, bounds.watch)
    else:
        predictor, answer = labels, courses.Labels(labels.answer, bounds.watch)
    predictor = dataclasses.replace(predictor, answer=answer)
    assert predictor.predict_item(ITEM)["windows"]
    bounds.over.set()
    with pytest.raises(looking.Ended):
        predictor.predict_item(ITEM)
