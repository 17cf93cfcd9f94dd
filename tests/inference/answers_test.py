import json

import keras
import numpy as np
import pytest

from lrcn.data import lists, text
from lrcn.inference import answers, predict, windows
from lrcn.models import backbones, description, networks
from lrcn.scoring import describer

from . import conftest

TOKENS = (*text.SPECIAL, "a", "b", "c", "d", "e")


def make_describer():
    keras.utils.set_random_seed(4)
    backbone = backbones.build("small", image_size=(16, 16), trainable=True)
    network = description.build(
        backbone,
        description.Design("step", 1, 6, 5),
        vocabulary_size=len(TOKENS),
        tokens=TOKENS,
        max_length=4,
        initializer="uniform_1.5",
    )
    kernel = networks.head(network).get_layer("lstm1").cell.kernel
    kernel.assign(keras.random.normal(kernel.shape, stddev=6.0, seed=1))  # frames matter
    return network


@pytest.fixture(scope="module")
def network():
    return make_describer()


@pytest.fixture(scope="module")
def captions(network):
    find = describer.searcher("greedy", max_length=4)
    head = networks.head(network)
    return answers.Captions(describer.Describer(head, find), text.Vocabulary(TOKENS, 4))


@pytest.fixture(scope="module")
def predictor(network, captions, world):
    shown = {"mode": world.mode, "view": world.view, "reading": world.reading}
    return predict.Predictor(networks.backbone(network), captions, **shown)


def test_a_line_of_several_windows_tells_each_and_the_likeliest(predictor, world):
    (line,) = predictor.predict(str(world.folder / "media" / "v0.mp4"))
    assert list(line) == ["id", "path", "caption", "log_probability", "windows"]
    times = [(window["start"], window["end"]) for window in line["windows"]]
    assert times == [(0.0, 0.4), (0.2, 0.6), (0.4, 0.8), (0.6, 1.0), (0.7, 1.1)]
    best = max(line["windows"], key=lambda window: window["log_probability"])
    assert (line["caption"], line["log_probability"]) == (best["caption"], best["log_probability"])
    assert len({window["log_probability"] for window in line["windows"]}) > 1
    assert line == json.loads(json.dumps(line))


def test_a_line_of_one_window_is_told_once(predictor, world, tmp_path):
    (short,) = predictor.predict(str(world.folder / "media" / "v1.mp4"))
    folder = conftest.write_folder(tmp_path / "image", conftest.frames_of(1, 9))
    (image,) = predictor.predict(str(folder / "frame1.jpg"))
    for line in (short, image):
        assert list(line) == ["id", "path", "caption", "log_probability"]
        assert line["log_probability"] < 0
        assert set(line["caption"].split()) <= set(TOKENS[4:])


def test_windows_that_are_scored_apart_say_the_same(predictor, world, monkeypatch):
    path = str(world.folder / "media" / "v2.mp4")
    whole = next(predictor.predict(path))
    monkeypatch.setattr(predict.clips_of_features, "_FRAMES", 3)
    parts = next(predictor.predict(path))
    assert [w["caption"] for w in parts["windows"]] == [w["caption"] for w in whole["windows"]]
    assert len(whole["windows"]) == 8


def test_a_window_that_an_aligned_tail_repeats_is_told_once():
    said = np.empty(3, object)
    said[:] = [answers.caption_of(word, score) for word, score in (("a", -2), ("b", -1), ("b", -1))]
    scored = windows.Scored(
        values=said,
        start=np.array([0.0, 0.5, 0.5]),
        end=np.array([1.0, 1.5, 1.5]),
        times=np.array([[0.0, 0.5], [0.5, 1.0], [0.5, 1.0]]),
    )
    item = lists.Item("x", "/x.mp4", "video")
    line = answers.Captions(None, None).line(item, scored)
    assert line == {
        "id": "x",
        "path": "/x.mp4",
        "caption": "b",
        "log_probability": -1.0,
        "windows": [
            {"start": 0.0, "end": 1.0, "caption": "a", "log_probability": -2.0},
            {"start": 0.5, "end": 1.5, "caption": "b", "log_probability": -1.0},
        ],
    }


def test_numbers_of_a_line_have_six_digits():
    assert answers.caption_of("a dog", np.float64(-1.23456789)) == {
        "caption": "a dog",
        "log_probability": -1.234568,
    }


def test_the_crops_of_a_window_compete(network, captions):
    rng = np.random.default_rng(1)
    size = networks.backbone(network).output_shape[-1]
    features = rng.normal(size=(4, 2, size)).astype(np.float32)
    places = np.array([0, 0, 1, 1])
    batch = {"features": features, "item": np.zeros(4, np.int64), "clip": places}
    said = captions.score([batch])
    found = captions.describer.predict_on_batch(features)["log_probability"]
    expected = [round(float(pair.max()), 6) for pair in found.reshape(2, 2)]
    assert [one["log_probability"] for one in said] == pytest.approx(expected, abs=1e-5)
