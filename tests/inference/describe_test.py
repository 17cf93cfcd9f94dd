import json
import logging

import numpy as np
import pytest
from PIL import Image

from lrcn.data import text
from lrcn.inference import describe
from lrcn.scoring import captions

CAPTIONS = (("a dog runs", "the dog"), ("a cat sleeps on a mat",), ("two birds", "birds fly"))
WORDS = (*text.SPECIAL, "a", "dog", "runs", "cat", "birds")


class Said:
    """A describer that says what it is told, a caption a clip, likelier for higher numbers."""

    def __init__(self, vocabulary, *told):
        self._rows = [self._row(vocabulary, *one) for one in told]

    @staticmethod
    def _row(vocabulary, caption, score):
        words = [*vocabulary.encode(caption), text.END]
        return np.array(words + [text.PADDING] * (8 - len(words))), score

    def restart(self):
        self._next = 0

    def predict_on_batch(self, shown):
        rows = self._rows[self._next : self._next + len(shown)]
        self._next += len(shown)
        words, scores = zip(*rows, strict=True)
        return {"words": np.stack(words), "log_probability": np.array(scores)}


VOCABULARY = text.Vocabulary(WORDS, 6)
TOLD = [("a cat", -4.0), ("a dog runs", -1.0), ("a cat runs", -2.0), ("birds", -3.0)]


def batches(items=(0, 0, 1, 2)):
    """Two clips of the first item, one of the others, in batches of three and what is left."""
    item = np.array(items)
    clip = np.array([0, 1, 0, 0])[-len(items) :]
    shown = np.zeros((len(items), 1, 2), np.float32)
    return [
        {"features": shown[at], "item": item[at], "clip": clip[at]}
        for at in (slice(0, 3), slice(3, None))
        if len(item[at])
    ]


@pytest.fixture(autouse=True)
def without_meteor(monkeypatch):
    monkeypatch.setattr(captions, "meteor_available", lambda: "METEOR is not here")


@pytest.fixture
def record_set(write_records):
    return write_records((1, 3, 9), captions=CAPTIONS)


def evaluated(record_set, folder=None, **options):
    return describe.evaluate(
        Said(VOCABULARY, *TOLD), batches(), record_set, VOCABULARY, folder=folder, **options
    )


def test_the_likeliest_caption_of_each_item_is_scored(record_set):
    values = evaluated(record_set, training=["A cat runs.", "birds fly"])
    made = ["a dog runs", "a cat runs", "birds"]
    expected = captions.summary(
        made, CAPTIONS, training=["a cat runs", "birds fly"], vocabulary=WORDS[4:]
    )
    assert values == expected
    assert values["exact"] == pytest.approx(1 / 3)
    assert values["copied"] == pytest.approx(1 / 3)
    assert values["vocabulary_used"] == 1
    assert "copied" not in evaluated(record_set)


def test_meteor_is_measured_on_tokens_where_it_can_be_had(record_set, monkeypatch, caplog):
    with caplog.at_level(logging.INFO):
        assert "meteor" not in evaluated(record_set)
    assert "evaluate: METEOR is not here" in caplog.messages
    seen = []
    monkeypatch.setattr(captions, "meteor_available", lambda: None)
    monkeypatch.setattr(captions, "meteor", lambda *tokens: seen.append(tokens) or 0.25)
    assert evaluated(record_set)["meteor"] == 0.25
    made = ["a dog runs", "a cat runs", "birds"]
    assert seen == [captions.tokenised(made, CAPTIONS)]


def test_every_file_of_an_evaluation_is_written(record_set, tmp_path):
    tmp_path = tmp_path / "out"
    values = evaluated(record_set, tmp_path)
    assert sorted(path.name for path in tmp_path.iterdir()) == [
        *("captions.png", "coco_results.json", "metrics.json", "predictions.jsonl")
    ]
    assert json.loads((tmp_path / "metrics.json").read_text()) == values
    lines = [json.loads(line) for line in (tmp_path / "predictions.jsonl").read_text().splitlines()]
    assert [list(line) for line in lines] == [
        ["id", "path", "caption", "log_probability", "references"]
    ] * 3
    assert lines[0] == {
        "id": "video 0",
        "path": "/videos/0.avi",
        "caption": "a dog runs",
        "log_probability": -1.0,
        "references": ["a dog runs", "the dog"],
    }
    assert json.loads((tmp_path / "coco_results.json").read_text()) == [
        {"image_id": "video 0", "caption": "a dog runs"},
        {"image_id": "video 1", "caption": "a cat runs"},
        {"image_id": "video 2", "caption": "birds"},
    ]
    with Image.open(tmp_path / "captions.png") as sheet:
        assert min(sheet.size) > 100


def test_ids_that_are_numbers_are_numbers_for_the_coco_server(tmp_path, write_records):
    record_set = write_records((1, 1), captions=CAPTIONS[:2])
    object.__setattr__(record_set.metadata, "ids", ("391895", "00x"))
    told = Said(VOCABULARY, ("a dog", -1.0), ("a cat", -1.0))
    describe.evaluate(told, batches((0, 1)), record_set, VOCABULARY, folder=tmp_path)
    found = json.loads((tmp_path / "coco_results.json").read_text())
    assert [one["image_id"] for one in found] == [391895, "00x"]


def test_no_metrics_stand_where_the_files_are_cut_off(record_set, tmp_path, monkeypatch):
    evaluated(record_set, tmp_path)

    def broken(*_, **__):
        raise OSError("disk full")

    monkeypatch.setattr(describe.sheets, "captions", broken)
    with pytest.raises(OSError, match="disk full"):
        evaluated(record_set, tmp_path)
    assert not (tmp_path / "metrics.json").exists()


def test_one_item_is_remarked_on(write_records, caplog):
    record_set = write_records((1,), captions=CAPTIONS[:1])
    told = Said(VOCABULARY, ("a dog runs", -1.0))
    with caplog.at_level(logging.WARNING):
        values = describe.evaluate(told, batches((0,)), record_set, VOCABULARY)
    assert (values["cider"], values["exact"], values["items"]) == (0, 1, 1)
    (record,) = caplog.records
    assert record.getMessage().startswith("evaluate: one item: CIDEr is 0 by definition")


def test_a_caption_that_serves_most_items_is_remarked_on(record_set, caplog):
    told = Said(VOCABULARY, *[("a dog", -1.0), ("a cat", -0.5), ("a cat", -1.0), ("birds", -1.0)])
    with caplog.at_level(logging.WARNING):
        describe.evaluate(told, batches(), record_set, VOCABULARY)
    (record,) = caplog.records
    assert record.getMessage().startswith("evaluate: one caption serves 2 of 3 items")
    caplog.clear()
    evaluated(record_set)
    assert not [one for one in caplog.records if one.levelno >= logging.WARNING]


@pytest.mark.parametrize(("items", "expected"), [([1], {1: 3}), ([2, 0], {0: 1, 2: 5})])
def test_a_few_frames_of_each_picture_are_spread_over_its_time(record_set, items, expected):
    found = describe.pictures(record_set, items)
    assert {item: len(frames) for item, frames in found.items()} == expected
    for item, frames in found.items():
        assert {frame.shape for frame in frames} == {(24, 32, 3)}
        reds = [frame[..., 0].mean() for frame in frames]
        np.testing.assert_allclose(reds, 10 * item, atol=3)
    if 2 in found:  # 9 frames, of which the green tells the place
        greens = [frame[..., 1].mean() / 5 for frame in found[2]]
        np.testing.assert_allclose(greens, [0, 2, 4, 6, 8], atol=0.6)
