import json

import numpy as np
import pytest

from lrcn import cli, config, evaluation, runs
from lrcn.errors import UserError

TINY = [
    *("dataset.train=8", "dataset.val=4", "dataset.size=24", "dataset.num_frames=6"),
    *("clipframe_mode.num_frames_per_clip=4", "backbone.image_size=[16,16]", "workflow.units=4"),
    *("callbacks=minimal", "epochs=1", "batch_size=4", "backbone.trainable=false"),
]


@pytest.fixture(autouse=True, scope="module")
def cache(tmp_path_factory):
    folder = tmp_path_factory.mktemp("cache")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("LRCN_CACHE", str(folder))
        yield folder


def train(folder, *overrides):
    assert cli.main(["train", *TINY, *overrides, f"hydra.run.dir={folder}"]) == 0
    return runs.RunDirectory(folder)


@pytest.fixture(scope="module")
def frozen(tmp_path_factory):
    """A run on the features of a frozen CNN, with a test split."""
    return train(tmp_path_factory.mktemp("frozen"), "dataset.test=5")


def evaluate(run, **changes):
    values = {"run": str(run.path), "seed": 0, **changes}
    return evaluation.of_run(config.from_plain("evaluate", values))


def test_the_test_split_is_evaluated_if_there_is_one(frozen):
    split, metrics, folder = evaluate(frozen)
    assert (split, metrics["videos"]) == ("test", 5)
    assert folder == frozen.evaluation("test")
    assert json.loads((folder / "metrics.json").read_text()) == metrics


def test_without_a_test_split_the_validation_is_as_the_training_measured_it(tmp_path):
    run = train(tmp_path / "run", "dataset.test=0")
    split, metrics, _ = evaluate(run)
    assert split == "val"
    stored = run.read_metrics()
    for key in ("video_accuracy", "clip_accuracy", "loss", "videos"):
        assert metrics[key] == pytest.approx(stored[key], abs=1e-5), key


def test_features_give_what_frames_give(frozen, monkeypatch):
    _, quick, _ = evaluate(frozen, split="val")
    monkeypatch.setattr(evaluation.features, "serves", lambda *_: False)
    _, slow, _ = evaluate(frozen, split="val")
    assert quick == pytest.approx(slow, abs=1e-4)


def test_the_features_of_the_training_are_read_again(frozen, monkeypatch):
    monkeypatch.setattr(evaluation.features, "_compute", None)
    assert evaluate(frozen, split="val")[1]["videos"] == 4


@pytest.mark.parametrize("crop", ["ten", "centre"])
def test_another_view_does_not_read_the_features_of_the_training(frozen, monkeypatch, crop):
    class Asked(Exception):
        pass

    def refuse(*_):
        raise Asked

    monkeypatch.setattr(evaluation.features, "_compute", refuse)
    augment = {"name": "none", "train": "squash", "evaluate": crop, "mirror": False}
    if crop == "ten":  # crops of one frame have no features of one frame
        assert evaluate(frozen, split="val", augment=augment)[1]["videos"] == 4
    else:
        with pytest.raises(Asked):
            evaluate(frozen, split="val", augment=augment)


def test_records_of_ones_own_need_only_the_split_that_is_used(frozen, cache):
    (val,) = {path.with_suffix("") for path in cache.rglob("val.tfrecord.size")} & {
        path for path in cache.rglob("val.tfrecord") if (path.parent / "test.tfrecord").exists()
    }
    own = {"source": "records", "train": None, "val": str(val), "test": None}
    split, metrics, _ = evaluate(frozen, dataset=own)
    assert split == "val"
    assert metrics == evaluate(frozen, split="val")[1]
    with pytest.raises(UserError, match=r"split: .*Received: test\. Expected: val\."):
        evaluate(frozen, dataset=own, split="test")


def test_what_is_asked_for_replaces_what_the_run_has(frozen, monkeypatch):
    score, scored = evaluation.evaluate_lib.outputs.score, []

    def watched(*arguments, **keywords):
        scored.append(score(*arguments, **keywords))
        return scored[-1]

    monkeypatch.setattr(evaluation.evaluate_lib.outputs, "score", watched)

    def clips(**changes):
        evaluate(frozen, split="val", **changes)
        return set(np.bincount(scored[-1].item).tolist())

    # 6 frames in clips of 4: at 0 and 2 and the last one aligned; or one clip after another.
    assert clips() == {3}
    iterative = {"name": "iterative", "clip_offset_or_num": 0, "tail": "drop"}
    assert clips(clipframe_mode={**iterative, "num_frames_per_clip": 2}) == {3}
    assert clips(clipframe_mode={**iterative, "num_frames_per_clip": 4}) == {1}
    long = {**iterative, "num_frames_per_clip": 7}
    with pytest.raises(UserError, match="short_videos=loop"):
        evaluate(frozen, split="val", clipframe_mode=long)
    assert clips(clipframe_mode=long, short_videos="loop") == {1}


def test_the_checkpoint_asked_for_is_the_one_that_is_opened(frozen):
    best = frozen.best.read_bytes()
    frozen.best.unlink()
    try:
        assert evaluate(frozen, split="val", checkpoint="last")[1]["videos"] == 4
        with pytest.raises(UserError, match=r"best\.keras"):
            evaluate(frozen, split="val")
    finally:
        frozen.best.write_bytes(best)
