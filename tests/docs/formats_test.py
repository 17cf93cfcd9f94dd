"""`docs/pages/formats.md` names what the code writes, no more and no less."""

import dataclasses
import json
import pathlib
import re

import numpy as np
import pytest
import tensorflow as tf

from lrcn.data import clips, examples, lists, metadata, records
from lrcn.inference import probabilities

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent
PAGE = ROOT / "docs" / "pages" / "formats.md"
MODE = clips.ClipMode("rand_clips", 4, 1)


def table(heading):
    """Returns the rows of the first table below a heading."""
    text = PAGE.read_text(encoding="utf-8").partition(f"{heading}\n")[2]
    rows = re.search(r"^\|[^\n]*\n\|[-| ]*\|\n((?:\|[^\n]*\n)+)", text, re.MULTILINE)[1]
    return [[cell.strip() for cell in row.strip("|").split(" | ")] for row in rows.splitlines()]


def names(heading):
    return [row[0].strip("` |") for row in table(heading)]


def test_the_lists_are_read_as_they_are_told(blocks, tmp_path):
    for file in ("videos/walk 1.avi", "videos/jump.avi", "photos/dog.jpg", "photos/cat.png"):
        (tmp_path / file).parent.mkdir(exist_ok=True)
        (tmp_path / file).touch()
    (tmp_path / "frames" / "run").mkdir(parents=True)
    shown = {block.title: block.text for block in blocks.of_page(PAGE) if block.language == "text"}
    for name, text in shown.items():
        (tmp_path / name).write_text(text.replace("<TAB>", "\t"), encoding="utf-8")
    labels = lists.read_list(tmp_path / "data.train", label_names=("jump", "run", "walk", "sport"))
    assert [(item.id, item.kind, item.labels) for item in labels] == [
        ("videos/walk 1.avi", "video", (2,)),
        ("videos/jump.avi", "video", (0,)),
        ("frames/run", "frames", (1, 3)),
    ]
    captions = lists.read_list(tmp_path / "captions.train")
    assert {item.id: len(item.captions) for item in captions} == {
        "photos/dog.jpg": 2,
        "photos/cat.png": 1,
    }


def written(record_set):
    """Returns the first item of records."""
    raw = next(iter(tf.data.TFRecordDataset([str(record_set.shards[0])]).as_numpy_iterator()))
    return tf.train.Example.FromString(raw).features.feature


def test_features_of_an_item(write_records):
    feature = written(write_records(clips=[[[0, 1, 2, 3]]] * 3, mode=MODE))
    assert set(names("### An item")) == set(feature)
    kinds = {"bytes": "bytes_list", "int64": "int64_list"}
    known = {row[0].strip("` "): (kinds[row[1]], row[2]) for row in table("### An item")}
    for name, (kind, count) in examples._FEATURES.items():
        assert known[name] == (kind, "any" if count is None else str(count))
        assert feature[name].WhichOneof("kind") in (kind, None)


def test_keys_of_the_size_file(write_records):
    record_set = write_records(clips=[[[0, 1, 2, 3]]] * 3, mode=MODE)
    stored = json.loads(records.size_path(record_set.path).read_text(encoding="utf-8"))
    assert names("### The `.size` file") == list(stored)
    cells = {row[0].strip("` "): row[1] for row in table("### The `.size` file")}
    for key, kind in (("shards", metadata.Shard), ("source", metadata.Source)):
        own = {field.name for field in dataclasses.fields(kind)}
        assert own == set(re.findall(r"`(\w+)`", cells[key]))


def test_columns_of_probabilities():
    one = probabilities.Predicted(("a",), ("",), ((0,),), ("left",), np.ones([1, 1]))
    header = probabilities.to_csv(one).splitlines()[0].split(",")
    told = re.search(r"has the columns ([^\n]*)\(class", PAGE.read_text(encoding="utf-8"))[1]
    assert re.findall(r"`(\w+)`", told) == header[:3]
    assert header[3:] == ["left"]


@pytest.fixture(scope="module")
def made(blocks, tmp_path_factory):
    """The folder in which the commands of the page were run, and what they printed."""
    folder = tmp_path_factory.mktemp("formats")
    (folder / "tests").symlink_to(ROOT / "tests")
    return folder, blocks.run(PAGE, folder, ROOT)


def files(folder):
    return {str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file()}


@pytest.mark.extras
def test_files_of_records_and_how_they_are_read_without_lrcn(made):
    folder, printed = made
    stored = {name.replace("videos.val", "videos.train") for name in files(folder / "records")}
    assert stored == set(names("## Records"))
    size = json.loads((folder / "records" / "videos.train.tfrecord.size").read_text())
    for id, (label,), count in zip(size["ids"], size["labels"], size["frame_counts"], strict=True):
        shape = " ".join(map(str, size["frame_shape"][:2]))
        assert f"{id} {size['label_names'][label]} {count} {shape}\n" in printed


@pytest.mark.extras
def test_files_of_a_run_and_of_its_evaluation(made):
    folder, _ = made
    rows = table("## A run directory")
    run = folder / "outputs" / "first"
    told = {row[0].strip("` "): (row[2:] or [""])[0] for row in rows}
    found = {name for name in files(run) if not name.startswith("evaluation/")}
    parts = {name if name in told else f"{name.split('/')[0]}/" for name in found}
    assert parts <= set(told)
    assert {name for name, when in told.items() if not when} <= parts
    assert files(run / "evaluation" / "val") == set(names("### An evaluation"))
    cells = {row[0].strip("` "): row[1] for row in table("### An evaluation")}
    line = json.loads((run / "evaluation/val/predictions.jsonl").read_text().splitlines()[0])
    assert list(line) == re.findall(r"`(\w+)`", cells["predictions.jsonl"])
    metrics = json.loads((run / "evaluation/val/metrics.json").read_text())
    assert set(re.findall(r"`(\w+)`", cells["metrics.json"])) == set(metrics)
    config = json.loads((run / "config.json").read_text())
    assert {"overrides", "config_dir", "shown"} <= set(config)
