"""Evaluating and retrieving with a run that describes."""

import json
import logging
import shutil

import numpy as np
import pytest
from PIL import Image

from lrcn import cli, config, evaluation, runs
from lrcn.data import text
from lrcn.errors import UserError
from lrcn.inference import trained

TINY = [
    *("dataset.train=12", "dataset.val=4", "dataset.size=24", "dataset.num_frames=6"),
    *("backbone.image_size=[16,16]", "backbone.trainable=false", "callbacks=minimal"),
    *("workflow.units=8", "workflow.embedding=6", "workflow.dropout_out=0"),
    *("vocabulary.min_count=1", "optimizer.learning_rate=0.05", "batch_size=8"),
]


@pytest.fixture(autouse=True, scope="module")
def cache(tmp_path_factory):
    folder = tmp_path_factory.mktemp("cache")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("LRCN_CACHE", str(folder))
        yield folder


STEP = ("workflow=imgdesc_step", "search=greedy")


def _frames(folder):
    folder.mkdir()
    for number in (1, 2):
        Image.new("RGB", (24, 24)).save(folder / f"{number}.jpg")
    return folder


def train(folder, *overrides):
    assert cli.main(["train", *TINY, *overrides, f"hydra.run.dir={folder}"]) == 0
    return runs.RunDirectory(folder)


@pytest.fixture(scope="module")
def images(tmp_path_factory):
    """A run that describes images, with a test split of one item."""
    folder = tmp_path_factory.mktemp("images")
    return train(folder, *STEP, "dataset.test=1", "epochs=6", "seed=5")


@pytest.fixture(scope="module")
def videos(tmp_path_factory):
    """A run that describes videos by scattered frames."""
    folder = tmp_path_factory.mktemp("videos")
    more = ["clipframe_mode.num_frames_per_clip=3", "dataset.test=0", "epochs=20"]
    return train(folder, "workflow=videodesc_pooling", "search=greedy", *more)


@pytest.fixture(scope="module")
def classes(tmp_path_factory):
    """A run that tells classes."""
    folder = tmp_path_factory.mktemp("classes")
    own = [o for o in TINY if not o.startswith(("vocabulary", "workflow.emb"))]
    more = ["clipframe_mode.num_frames_per_clip=4", "dataset.test=0", "epochs=1"]
    assert cli.main(["train", *own, *more, f"hydra.run.dir={folder}"]) == 0
    return runs.RunDirectory(folder)


OWN = {
    "dataset": {"source": "auto"},
    "clipframe_mode": {"name": "auto"},
    "augment": {"name": "auto"},
    "split": None,
    "batch_size": None,
    "short_videos": None,
    "seed": 0,
    "num_threads": 2,
    "checkpoint": "best",
    "traceback": False,
}


def evaluate(run, **changes):
    values = {"run": str(run.path), "seed": 0, **changes}
    return evaluation.of_run(config.from_plain("evaluate", values))


def retrieve(run, **changes):
    values = {**OWN, "normalise": True, "run": str(run.path), **changes}
    return evaluation.retrieval_of_run(config.from_plain("retrieve", values))


BEAM = {"name": "beam", "width": 3, "length_penalty": 0.0, "max_length": 4}


@pytest.mark.parametrize("kind", ["images", "videos"])
def test_an_evaluation_is_as_the_training_measured_its_best_epoch(request, kind):
    run = request.getfixturevalue(kind)
    split, metrics, folder = evaluate(run, split="val")
    stored = run.read_metrics()
    assert (split, folder) == ("val", run.evaluation("val"))
    scores = {"cider", "exact", "rouge_l", *(f"bleu_{n}" for n in range(1, 5))}
    told = {"distinct_captions", "most_frequent_share", "mean_length", "items", "copied"}
    assert set(metrics) - {"meteor"} == scores | told | {"vocabulary_used"}
    for key in set(metrics) - {"meteor"}:
        assert metrics[key] == pytest.approx(stored[key], abs=1e-9), key
    assert metrics["bleu_1"] > 0
    assert json.loads((folder / "metrics.json").read_text()) == metrics


def test_every_file_of_an_evaluation_has_what_it_is_known_to_have(images):
    _, metrics, folder = evaluate(images, split="val", search=BEAM)
    assert sorted(path.name for path in folder.iterdir() if path.is_file()) == [
        *("captions.png", "coco_results.json", "metrics.json", "predictions.jsonl"),
        "protocol.json",
    ]
    protocol = json.loads((folder / "protocol.json").read_text())
    assert list(protocol) == [
        *("records", "digest", "checkpoint", "checkpoint_sha256", "clips", "view"),
        *("short_videos", "seed", "search"),
    ]
    assert (protocol["clips"], protocol["search"]) == ("images", BEAM)
    assert protocol["records"].endswith("val.tfrecord")
    lines = [json.loads(line) for line in (folder / "predictions.jsonl").read_text().splitlines()]
    known = text.read_vocabulary(images.vocabulary_file).tokens[len(text.SPECIAL) :]
    for line in lines:
        assert list(line) == ["id", "path", "caption", "log_probability", "references"]
        assert set(line["caption"].split()) <= set(known)
        assert len(line["caption"].split()) <= 4
    results = json.loads((folder / "coco_results.json").read_text())
    assert results == [{"image_id": line["id"], "caption": line["caption"]} for line in lines]
    assert metrics["items"] == len(lines) == 4


def test_results_that_are_replaced_are_told(images, caplog):
    evaluate(images, split="val")
    caplog.set_level(logging.INFO)
    caplog.clear()
    evaluate(images, split="val")
    assert "replace" not in caplog.text
    evaluate(images, split="val", search=BEAM)
    assert "these results replace those of search {" in caplog.text
    assert '"name": "greedy"' in caplog.text


def test_the_search_of_the_run_is_taken_unless_another_is_asked_for(images):
    _, greedy, folder = evaluate(images, split="val")
    protocol = json.loads((folder / "protocol.json").read_text())
    assert protocol["search"] == {"name": "greedy", "max_length": 20}
    _, again, _ = evaluate(images, split="val", search={"name": "auto"})
    assert again == greedy
    one = {**BEAM, "width": 1, "max_length": None}
    _, of_one, _ = evaluate(images, split="val", search=one)
    assert of_one == pytest.approx(greedy)


@pytest.mark.parametrize("kind", ["images", "videos"])
def test_frames_are_described_and_ranked_as_their_features_are(request, monkeypatch, kind):
    run = request.getfixturevalue(kind)
    quick, ranked = evaluate(run, split="val")[1], retrieve(run, split="val")[1]
    monkeypatch.setattr(evaluation.features, "serves", lambda *_: False)
    assert evaluate(run, split="val")[1] == pytest.approx(quick, abs=1e-6)
    assert retrieve(run, split="val", batch_size=3)[1] == ranked


def test_one_item_has_no_cider_and_is_remarked_on(images, caplog):
    with caplog.at_level(logging.WARNING):
        split, metrics, _ = evaluate(images)
    assert (split, metrics["items"], metrics["cider"]) == ("test", 1, 0)
    assert [line for line in caplog.messages if "one item: CIDEr is 0 by definition" in line]


def test_what_is_copied_is_told_only_of_the_data_set_of_the_run(images):
    _, expected, folder = evaluate(images, split="val")
    path = json.loads((folder / "protocol.json").read_text())["records"]
    own = {"source": "records", "train": None, "val": path, "test": None}
    split, metrics, _ = evaluate(images, dataset=own)
    assert split == "val" and "copied" in expected
    assert metrics == {key: value for key, value in expected.items() if key != "copied"}


def test_a_split_is_evaluated_although_what_was_learnt_is_no_longer_there(images, tmp_path, caplog):
    _, expected, _ = evaluate(images, split="val")
    moved = tmp_path / "run"
    shutil.copytree(images.path, moved)
    values = json.loads((moved / "config.json").read_text())
    path = json.loads((images.evaluation("val") / "protocol.json").read_text())["records"]
    gone = str(tmp_path / "gone.tfrecord")
    values["dataset"] = {"source": "records", "train": gone, "val": path, "test": None}
    (moved / "config.json").write_text(json.dumps(values))
    with caplog.at_level(logging.INFO):
        _, metrics, _ = evaluate(runs.RunDirectory(moved), split="val")
    assert metrics == {key: value for key, value in expected.items() if key != "copied"}
    assert "copied captions needs the training records" in caplog.text


def test_a_folder_is_no_image_to_describe(images, tmp_path):
    with pytest.raises(UserError, match=r"a folder would be one video.*Give a glob: 'input=.*\*"):
        trained.load(images.path).predict(_frames(tmp_path / "photos"))


@pytest.mark.parametrize("kind", ["images", "videos"])
def test_a_retrieval_writes_what_was_found_how(request, kind):
    run = request.getfixturevalue(kind)
    split, metrics, folder = retrieve(run, split="train")
    assert folder == run.evaluation("train") / "retrieval"
    assert sorted(path.name for path in folder.iterdir()) == [
        *("metrics.json", "protocol.json", "retrieval.jsonl", "retrieval.png")
    ]
    assert json.loads((folder / "metrics.json").read_text()) == metrics
    for direction in ("image_to_caption", "caption_to_image"):
        recalls = [metrics[f"{direction}_r{place}"] for place in (1, 5, 10)]
        assert recalls == sorted(recalls) and 0 <= recalls[0] <= recalls[-1] <= 1
    assert metrics["images"] == 12 and metrics["captions"] > 24
    protocol = json.loads((folder / "protocol.json").read_text())
    assert (protocol["normalise"], protocol["checkpoint"]) == (True, "best")
    _, plain, _ = retrieve(run, split="train", normalise=False)
    assert json.loads((folder / "protocol.json").read_text())["normalise"] is False
    # Which images a caption finds does not depend on what all of them share.
    same = [key for key in metrics if key.startswith("caption_to_image")]
    assert {key: plain[key] for key in same} == {key: metrics[key] for key in same}


def test_a_run_that_tells_classes_knows_no_captions(classes):
    with pytest.raises(UserError, match="run: the run tells classes and knows no captions"):
        retrieve(classes)
    with pytest.raises(UserError, match="search: the run tells classes"):
        evaluate(classes, search=BEAM)
    opened = trained.load(classes.path)
    assert opened.vocabulary is None and len(opened.labels) == 8


def test_a_run_that_describes_is_opened_with_its_words(images, videos):
    for run, mode in ((images, None), (videos, "rand_frames")):
        opened = trained.load(run.path)
        assert opened.labels == ()
        assert opened.vocabulary == text.read_vocabulary(run.vocabulary_file)
        assert (opened.shown.mode and opened.shown.mode["name"]) == mode
        frames = np.zeros((1, 2, 16, 16, 3), np.uint8)
        words = np.full((1, 3), text.BEGIN, np.int32)
        logits = opened.model({"frames": frames, "words": words})["logits"]
        assert logits.shape == (1, 3, opened.vocabulary.size)
