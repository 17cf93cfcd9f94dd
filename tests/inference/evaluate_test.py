import csv
import dataclasses
import io
import json

import numpy as np
import pytest

from lrcn import errors
from lrcn.data import augment, clips, dataset, epochs, records
from lrcn.inference import evaluate, outputs, probabilities
from lrcn.models import networks
from lrcn.scoring import clips as clips_of_features
from lrcn.scoring import metrics

from . import conftest

NAMES = ("red", "green", "blue")


def _evaluate(model, world, **changes):
    settings = {"mode": world.mode, "view": world.view, "batch_size": 4} | changes
    return evaluate.evaluate(model, world.records, **settings)


def _clips(model, world, mode, *, batch_size, view=None):
    chosen = epochs.Clips(records.open_records(world.records), mode)
    return clips_of_features.of_records(
        chosen,
        networks.backbone(model).predict_on_batch,
        view=view or world.view,
        batch_size=batch_size,
    )


def _score(model, batches):
    return outputs.score(networks.head(model), batches, pooling_frames="avg", multi_label=False)


def _by_hand(model, world, *, frames="avg", videos="avg"):
    """The probabilities of each video, clip after clip, without a batch in sight."""
    pools = {"avg": np.mean, "max": np.max, "last": lambda values, axis: values[-1]}
    result = []
    clip_table = {}
    chosen = epochs.Clips(records.open_records(world.records), world.mode)
    rows = chosen.every()
    for item, frames_of in zip(
        rows.item, dataset.clips_of(chosen, rows, view=world.view), strict=True
    ):
        clip_table.setdefault(int(item), []).append(frames_of[None])
    for item in sorted(clip_table):
        pooled = []
        for shown in clip_table[item]:
            logits = model(shown, training=False)["logits"].numpy()[0].astype(np.float64)
            values = np.exp(logits) / np.exp(logits).sum(axis=-1, keepdims=True)
            values = pools[frames](values, axis=0)
            pooled.append(values / values.sum())
        values = pools[videos](np.stack(pooled), axis=0)
        result.append(values / values.sum())
    return np.stack(result)


def _lines(folder):
    return [json.loads(line) for line in (folder / "predictions.jsonl").open_text().splitlines()]


def _table(file):
    return list(csv.reader(io.StringIO(file.read_text(encoding="utf-8"))))


@pytest.mark.parametrize(("frames", "videos"), [("avg", "avg"), ("max", "last"), ("last", "max")])
def test_metrics_are_those_of_pooling_by_hand(model, world, tmp_path, frames, videos):
    values = _evaluate(model, world, pooling_frames=frames, pooling_clips=videos, folder=tmp_path)
    expected = _by_hand(model, world, frames=frames, videos=videos)
    truth = np.arange(3)
    assert values["video_accuracy"] == pytest.approx((expected.argmax(-1) == truth).mean())
    likely = np.clip(expected[truth, truth], metrics.SMALLEST, 1)
    assert values["loss"] == pytest.approx(-np.log(likely).mean(), rel=1e-4)
    assert values["video_top5"] == 1.0
    assert values["videos"] == 3
    lines = [
        json.loads(line) for line in (tmp_path / "predictions.jsonl").read_text().split("\n")[:-1]
    ]
    assert [line["probability"] for line in lines] == pytest.approx(expected.max(-1), abs=2e-6)
    assert [line["label"] for line in lines] == [str(best) for best in expected.argmax(-1)]


def test_results_do_not_depend_on_the_batch_size(model, world, tmp_path):
    values = [_evaluate(model, world, batch_size=size) for size in (1, 3, 64)]
    assert values[0] == pytest.approx(values[1], rel=1e-5)
    assert values[0] == pytest.approx(values[2], rel=1e-5)


def test_the_order_of_clips_does_not_matter(model, world):
    batches = list(_clips(model, world, world.mode, batch_size=4))
    order = np.random.default_rng(0).permutation(sum(len(b["item"]) for b in batches))
    whole = {key: np.concatenate([batch[key] for batch in batches]) for key in batches[0]}
    mixed = [{key: values[order] for key, values in whole.items()}]
    scores = [_score(model, given) for given in (batches, mixed)]
    for field in dataclasses.fields(outputs.Scores):
        a, b = (getattr(score, field.name) for score in scores)
        np.testing.assert_allclose(a, b, rtol=1e-5)


def test_the_paper_counts_a_repeated_last_clip(model, world):
    scores = _score(model, _clips(model, world, clips.evaluation_mode(4), batch_size=4))
    assert np.bincount(scores.item).tolist() == [6, 2, 9]  # ceil(n / 2) for n = 11, 4, 17


def test_a_line_tells_what_each_clip_was_taken_for(model, world, tmp_path):
    _evaluate(model, world, mode=clips.evaluation_mode(4), folder=tmp_path)
    text = (tmp_path / "predictions.jsonl").read_text()
    lines = [json.loads(line) for line in text.splitlines()]
    assert [len(line["windows"]) for line in lines] == [6, 2, 9]
    spans = [(window["first"], window["last"]) for window in lines[0]["windows"]]
    assert spans == [(0, 3), (2, 5), (4, 7), (6, 9), (7, 10), (7, 10)]  # 11 frames
    for line in lines:
        means = np.mean([window["probability"] for window in line["windows"]])
        if len({window["label"] for window in line["windows"]}) == 1:
            assert line["probability"] == pytest.approx(means, abs=1e-5)


def test_every_file_of_an_evaluation_is_written(model, world, tmp_path):
    folder = tmp_path / "evaluation" / "test"
    values = _evaluate(model, world, folder=folder, label_names=NAMES)
    assert sorted(path.name for path in folder.iterdir()) == [
        "confusion.csv",
        "confusion.png",
        "metrics.json",
        "per_class.csv",
        "predictions.jsonl",
        "probabilities.csv",
    ]
    assert json.loads((folder / "metrics.json").read_text()) == values
    table = _table(folder / "confusion.csv")
    assert table[0][1:] == list(NAMES)
    counts = np.array([row[1:] for row in table[1:]], int)
    assert counts.sum(axis=1).tolist() == [1, 1, 1]
    assert np.trace(counts) / 3 == pytest.approx(values["video_accuracy"])
    header, *rows = _table(folder / "per_class.csv")
    assert header == ["label", "name", "precision", "recall", "f1", "support"]
    assert [row[1] for row in rows] == list(NAMES)
    saved = probabilities.read(folder / "probabilities.csv")
    assert (saved.ids, saved.names, saved.groups) == (("v0", "v1", "v2"), NAMES, ("",) * 3)
    assert saved.truth == ((0,), (1,), (2,))
    assert metrics.accuracy(saved.values, saved.labels) == values["video_accuracy"]
    assert metrics.cross_entropy(saved.values, saved.labels) == values["loss"]  # to the last digit
    first = json.loads((folder / "predictions.jsonl").read_text().splitlines()[0])
    assert first["id"] == "v0"
    assert first["path"].endswith("v0.mp4")
    assert first["truth"] == ["red"]
    assert [entry["label"] for entry in first["top"]][0] == first["label"]
    assert sum(entry["probability"] for entry in first["top"]) == pytest.approx(1, abs=1e-5)


def test_ten_crops_are_averaged(model, world):
    view = augment.View((16, 16), "ten")
    batches = list(_clips(model, world, world.mode, batch_size=7, view=view))
    scores = _score(model, batches)
    assert len(scores.item) == 6 + 2 + 9
    expected = np.zeros_like(scores.probabilities)
    place = {pair: i for i, pair in enumerate(zip(scores.item, scores.clip, strict=True))}
    whole = {key: np.concatenate([batch[key] for batch in batches]) for key in batches[0]}
    for row in range(len(whole["item"])):
        one = {key: values[row : row + 1] for key, values in whole.items()}
        single = _score(model, [one])
        expected[place[one["item"][0], one["clip"][0]]] += single.probabilities[0] / 10
    np.testing.assert_allclose(scores.probabilities, expected, rtol=1e-5)
    assert _evaluate(model, world, view=view)["videos"] == 3


def test_multi_label_models_are_judged_by_average_precision(multi_label_model, world, tmp_path):
    items = [
        dataclasses.replace(item, labels=labels)
        for item, labels in zip(world.items, [(0, 1), (2,), (0,)], strict=True)
    ]
    path = conftest.store(tmp_path / "records", items, multi_label=True)
    values = evaluate.evaluate(
        multi_label_model, path, mode=world.mode, view=world.view, folder=tmp_path / "out"
    )
    assert 0 < values["video_map"] <= 1
    assert not (tmp_path / "out" / "confusion.csv").exists()
    assert not (tmp_path / "out" / "confusion.png").exists()
    header, *rows = _table(tmp_path / "out" / "per_class.csv")
    assert header[-1] == "average_precision"
    saved = probabilities.read(tmp_path / "out" / "probabilities.csv")
    assert saved.truth == ((0, 1), (2,), (0,))
    mean = np.mean([float(row[-1]) for row in rows])
    assert mean == pytest.approx(values["video_map"])
    lines = (tmp_path / "out" / "predictions.jsonl").read_text().splitlines()
    assert json.loads(lines[0])["truth"] == ["0", "1"]


def test_known_features_need_no_frame(model, world):
    batches = list(_clips(model, world, world.mode, batch_size=5))
    values = _evaluate(model, world, batches=batches, view=None)
    assert values == pytest.approx(_evaluate(model, world))


def test_short_videos_are_named_or_looped(model, world):
    mode = clips.evaluation_mode(8)
    with pytest.raises(errors.UserError, match=r"v1 \(4 frames\)"):
        _evaluate(model, world, mode=mode)
    assert _evaluate(model, world, mode=mode, short_videos="loop")["videos"] == 3


def test_records_of_other_classes_are_refused(model, world, tmp_path):
    path = conftest.store(tmp_path / "a", world.items, labels=("red", "black", "blue"))
    with pytest.raises(errors.UserError, match="'black' as number 1.*'green' as number 1"):
        evaluate.evaluate(model, path, mode=world.mode, view=world.view, label_names=NAMES)
    path = conftest.store(tmp_path / "b", world.items, num_classes=5)
    with pytest.raises(errors.UserError, match="5 classes.*3 classes"):
        evaluate.evaluate(model, path, mode=world.mode, view=world.view)


def test_a_flipped_byte_ends_in_one_message(model, world, tmp_path):
    path = conftest.store(tmp_path, world.items)
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 255
    path.write_bytes(data)
    with pytest.raises(errors.UserError, match=r"data\.test\.tfrecord.*damaged"):
        evaluate.evaluate(model, path, mode=world.mode, view=world.view, folder=tmp_path / "out")
    assert not (tmp_path / "out").exists()
