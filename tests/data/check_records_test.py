import dataclasses
import json
import pathlib

import numpy as np
import PIL.Image
import pytest
import tensorflow as tf

from lrcn import files
from lrcn.data import check_records, clips, folders, metadata, records, serialize, shapes


@pytest.fixture(scope="module")
def stored(tmp_path_factory):
    """Records of three splits of rendered videos, without fault."""
    folder = tmp_path_factory.mktemp("stored")
    catalog = shapes.moving_shapes(train=6, val=2, test=2, size=24, num_frames=4)
    options = serialize.StoreOptions(mode=None, image_shape=None, num_threads=1, shards=2)
    reports = serialize.serialize(catalog, folder, options=options)
    return {report.name: pathlib.Path(report.path) for report in reports}


@pytest.fixture
def copied(stored, tmp_path):
    import shutil

    folder = pathlib.Path(shutil.copytree(stored["train"].parent, tmp_path / "copy"))
    return {split: folder / path.name for split, path in stored.items()}


def shards(path):
    return [path.with_name(name) for name in records.shard_names(path, 2)]


def rewrite(path, change):
    """Replaces the examples of the first shard, and its checksum in the metadata."""
    shard = shards(path)[0]
    examples = [
        tf.train.Example.FromString(raw)
        for raw in tf.data.TFRecordDataset(str(shard)).as_numpy_iterator()
    ]
    with tf.io.TFRecordWriter(str(shard)) as writer:
        for number, example in enumerate(examples):
            if change(number, example.features.feature) is not False:
                writer.write(example.SerializeToString())
    text = records.size_path(path).read_text()
    old = metadata.read_alone(path)
    first = old.shards[0]
    text = text.replace(first.checksum, files.checksum(shard))
    text = text.replace(f'"bytes": {first.bytes}', f'"bytes": {shard.stat().st_size}', 1)
    records.size_path(path).write_text(text)


def test_faultless_records_have_no_findings(stored):
    assert check_records.records(stored) == []


def test_a_flipped_byte_is_found_with_its_item(copied):
    shard = shards(copied["train"])[1]
    data = bytearray(shard.read_bytes())
    data[len(data) // 2] ^= 1
    shard.write_bytes(data)
    (finding,) = check_records.records(copied)
    assert finding.where == str(shard)
    assert "train/00000" in finding.what


def test_cut_missing_and_unfinished_records_are_found(copied):
    shard = shards(copied["train"])[0]
    shard.write_bytes(shard.read_bytes()[:-30])
    shards(copied["val"])[1].unlink()
    records.size_path(copied["test"]).unlink()
    findings = check_records.records(copied)
    places = {pathlib.Path(finding.where).name for finding in findings}
    assert places == {
        shard.name,
        shards(copied["val"])[1].name,
        records.size_path(copied["test"]).name,
    }


def test_examples_that_differ_from_the_metadata_are_found(copied):
    def change(number, feature):
        if number == 0:
            feature["id"].bytes_list.value[0] = b"other"
        if number == 1:
            feature["label"].int64_list.value[0] = 9
        if number == 2:
            del feature["frames"].bytes_list.value[-1]

    rewrite(copied["train"], change)
    findings = check_records.records(copied)
    told = {
        (finding.where.rpartition("#")[2].split()[0], finding.what.split()[0])
        for finding in findings
    }
    assert {("0", "id"), ("1", "labels"), ("1", "label"), ("2", "frames")} <= told
    assert all(
        finding.where.startswith(str(copied["train"])) and "(item train/" in finding.where
        for finding in findings
    )


def test_frames_that_do_not_decode_or_have_another_shape_are_found(copied, tmp_path):
    PIL.Image.fromarray(np.zeros([8, 8, 3], np.uint8)).save(tmp_path / "small.jpg")

    def change(number, feature):
        frames = feature["frames"].bytes_list.value
        if number == 0:
            frames[1] = frames[1][: len(frames[1]) // 2]
        if number == 1:
            frames[2] = (tmp_path / "small.jpg").read_bytes()

    rewrite(copied["train"], change)
    findings = check_records.records(copied)
    assert "frame 1 does not decode" in {finding.what for finding in findings}
    shape = records.read_metadata(copied["train"]).frame_shape
    if shape is not None:
        assert "frame 2 has another shape" in {finding.what for finding in findings}


def test_an_item_of_two_splits_is_found(tmp_path):
    for name in ("bend", "wave"):
        for number in range(6):
            path = tmp_path / "media" / name / f"{number}.png"
            path.parent.mkdir(parents=True, exist_ok=True)
            grain = np.random.default_rng(number).integers(0, 256, [8, 8, 3], dtype=np.uint8)
            PIL.Image.fromarray(grain).save(path)
    catalog = folders.folder(tmp_path / "media", fractions=(0.5, 0.25, 0.25))
    train, test = catalog.splits["train"], catalog.splits["test"]
    leaking = dataclasses.replace(test, items=(*test.items, train.items[0]))
    catalog = dataclasses.replace(catalog, splits=catalog.splits | {"test": leaking})
    options = serialize.StoreOptions(mode=None, image_shape=(8, 8, 3), num_threads=1)
    reports = serialize.serialize(catalog, tmp_path / "stored", options=options)
    findings = check_records.records({report.name: report.path for report in reports})
    assert any(
        finding.what == "same file in two splits" and "train" in finding.received
        for finding in findings
    )


def test_files_that_belong_to_no_records_are_found(copied):
    folder = copied["train"].parent
    stale = folder / "train.tfrecord-00004-of-00009"
    staged = folder / ".val.tfrecord.unfinished"
    stale.write_bytes(b"x")
    staged.mkdir()
    found = check_records.records(copied)
    assert [(finding.where, finding.what) for finding in found] == [
        (str(stale), "a file that belongs to no records"),
        (str(staged), "unfinished records"),
    ]
    assert stale.exists() and staged.exists()


def edited(path, **changes):
    size = records.size_path(path)
    size.write_text(json.dumps({**json.loads(size.read_text()), **changes}))


def test_splits_that_one_network_cannot_be_measured_on_are_found(copied):
    edited(copied["val"], modality="difference")
    edited(copied["test"], frame_step=2, num_classes=99, label_names=[])
    found = check_records.records(copied)
    told = {(pathlib.Path(own.where).name, own.what) for own in found}
    assert told == {
        ("val.tfrecord.size", "modality of val differs from that of train"),
        ("test.tfrecord.size", "frame_step of test differs from that of train"),
        ("test.tfrecord.size", "num_classes of test differs from that of train"),
    }


def test_clips_of_two_lengths_are_found_and_of_two_modes_are_not(tmp_path):
    catalog = shapes.moving_shapes(train=2, val=2, test=2, size=24, num_frames=8)
    paths = {}
    modes = {
        "train": clips.ClipMode("rand_clips", 4, 2),
        "val": clips.ClipMode("iterative", 4, -2),
        "test": clips.ClipMode("iterative", 3, 0),
    }
    for split, mode in modes.items():
        alone = dataclasses.replace(catalog, splits={split: catalog.splits[split]})
        options = serialize.StoreOptions(mode=mode, image_shape=None, num_threads=1)
        (report,) = serialize.serialize(alone, tmp_path / split, options=options)
        paths[split] = report.path
    (finding,) = check_records.records(paths)
    assert finding.what == "frames_per_clip of test differs from that of train"


def test_every_field_of_the_size_is_held_against_the_records(copied):
    values = json.loads(records.size_path(copied["train"]).read_text())
    for key, change in {
        "ids": [f"other {n}" for n in range(values["items"])],
        "labels": [[1 - own[0]] if own[0] < 2 else [0] for own in values["labels"]],
        "frame_counts": [count + 1 for count in values["frame_counts"]],
        "groups": ["g"] * values["items"],
        "frame_shape": [25, 24, 3],
    }.items():
        edited(copied["train"], **{key: change})
        found = check_records.records({"train": copied["train"]})
        assert len(found) >= values["items"], key
        edited(copied["train"], **{key: values[key]})
    assert check_records.records({"train": copied["train"]}) == []


def test_a_check_of_records_changes_nothing(copied):
    folder = copied["train"].parent
    shard = shards(copied["val"])[0]
    shard.write_bytes(shard.read_bytes()[:-9])

    def tree():
        return {
            path: (path.read_bytes(), path.stat().st_mtime_ns)
            for path in sorted(folder.rglob("*"))
            if path.is_file()
        }

    before = tree()
    assert len(check_records.records(copied)) == 1
    assert tree() == before
