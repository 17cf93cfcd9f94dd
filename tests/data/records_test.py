import json

import numpy as np
import pytest
import tensorflow as tf

from lrcn import errors
from lrcn.data import damage, records


def test_an_example_comes_back():
    serialized = records.encode_example(
        id="a b.mp4",
        path="/x/a b.mp4",
        frames=[b"one", b"two", b"three"],
        clips=np.array([[0, 1], [1, 2], [1, 2]]),
        labels=[4, 2],
        label_text=["vier", "zwei"],
        captions=["a dog", "élan"],
        group="g01",
    )
    example = {key: value.numpy() for key, value in records.parse_example(serialized).items()}
    assert example["id"] == b"a b.mp4" and example["path"] == b"/x/a b.mp4"
    assert example["group"] == b"g01"
    assert example["labels"].tolist() == [4, 2]
    assert example["label_text"].tolist() == [b"vier", b"zwei"]
    assert example["captions"].tolist() == [b"a dog", "élan".encode()]
    assert example["frame_count"] == 3 and example["frames"].tolist() == [b"one", b"two", b"three"]
    assert example["clips"].tolist() == [[0, 1], [1, 2], [1, 2]]
    assert example["clips"].dtype == np.int64


def test_equal_items_are_equal_bytes_in_every_process():
    """Else records that are made anew are not those that a run was trained on."""
    serialized = records.encode_example(id="a", path="b", frames=[b"x"], labels=[1])
    names = ["captions", "clip_count", "clips", "frame_count", "frames", "group", "id", "label"]
    places = [serialized.index(f"\n{chr(len(name))}{name}\x12".encode()) for name in names]
    assert places == sorted(places)


def test_an_example_without_clips_labels_and_captions():
    example = records.parse_example(records.encode_example(id="a", path="b", frames=[b"x"]))
    assert example["clips"].shape[0] == 0 and example["clips"].shape.rank == 2
    assert example["labels"].shape == example["captions"].shape == (0,)


def test_names_of_records(tmp_path):
    path = tmp_path / "data.train.tfrecord"
    names = ["data.train", path.name, f"{path.name}.size", f"{path.name}-00001-of-00002"]
    assert {records.records_path(tmp_path / name) for name in names} == {path}
    assert records.size_path(tmp_path / "data.train").name == "data.train.tfrecord.size"
    assert records.shard_names(path, 1) == [path.name]
    assert records.shard_names(path, 2)[1] == "data.train.tfrecord-00001-of-00002"


def test_metadata_comes_back(write_records):
    written = write_records(shards=2)
    for name in (written.path, records.size_path(written.path), written.shards[1]):
        assert records.read_metadata(name) == written.metadata
    keys = json.loads(records.size_path(written.path).read_text()).keys()
    contract = """format_version items type frames_per_clip clips_per_item frame_shape
        channel_order num_classes label_names clipframe_mode frame_step seed shards skipped
        source"""
    assert set(contract.split()) <= set(keys) and next(iter(keys)) == "format_version"


def told(path):
    with pytest.raises(errors.UserError) as caught:
        records.open_records(path)
    return str(caught.value)


def test_records_that_are_not_there(tmp_path):
    message = told(tmp_path / "data.train")
    assert "data.train.tfrecord.size: no such records" in message
    assert "no such records" in told(tmp_path / "none" / "data.train")


def test_records_without_size_are_unfinished(write_records):
    path = write_records().path
    records.size_path(path).unlink()
    assert "records are unfinished, their .size is missing" in told(path)
    assert "overwrite=true" in told(path)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("items\t3\n", "metadata cannot be read"),
        ("[]", "another version. Received: format_version None"),
        ('{"format_version": 99}', "another version. Received: format_version 99. Expected: 1"),
        ('{"format_version": 1}', "metadata lacks keys"),
    ],
)
def test_metadata_of_another_make(write_records, text, message):
    path = write_records().path
    records.size_path(path).write_text(text)
    assert message in told(path) and str(records.size_path(path)) in told(path)


@pytest.mark.parametrize(
    ("key", "value", "message"),
    [
        ("num_classes", 5, "Received: 3 label_names for num_classes 5. Expected: a name for each"),
        ("num_classes", 2, "3 label_names for num_classes 2"),
        ("label_names", ["a", "b"], "2 label_names for num_classes 3"),
        ("items", 4, "3 ids for items 4. Expected: an entry of ids for each item"),
        ("ids", ["video 0", "video 1"], "2 ids for items 3"),
        ("labels", [[0], [1]], "2 labels for items 3"),
        ("frame_counts", [6, 8, 7, 9], "4 frame_counts for items 3"),
        ("frame_counts", 6, "bad value of frame_counts. Received: 6. Expected: a list"),
        ("clip_counts", [1], "1 clip_counts for items 3"),
        ("groups", ["a"], "1 groups for items 3"),
    ],
)
def test_metadata_that_disagrees_with_itself(write_records, key, value, message):
    size = records.size_path(write_records().path)
    values = {**json.loads(size.read_text()), "label_names": ["a", "b", "c"]}
    size.write_text(json.dumps(values))
    records.read_metadata(size)
    size.write_text(json.dumps({**values, key: value}))
    told_of = told(size)
    assert told_of.startswith(f"{size}: metadata ") and message in told_of
    assert "overwrite=true" in told_of
    assert len(records.verify(size)) == 1


def test_cut_and_missing_shards(write_records):
    written = write_records(shards=2)
    shard = written.shards[1]
    content = shard.read_bytes()
    shard.write_bytes(content[:-7])
    assert f"{shard}: records are cut short or changed" in told(written.path)
    shard.unlink()
    assert f"{shard}: file of the records is missing" in told(written.path)


def flip(shard, place):
    content = bytearray(shard.read_bytes())
    content[place] ^= 0x10
    shard.write_bytes(content)


def test_intact_records_verify(write_records):
    assert records.verify(write_records(shards=3).path) == []


def test_a_flipped_byte_is_found_and_its_item_named(write_records):
    written = write_records((5, 6, 7, 8), shards=2)
    flip(written.shards[1], -100)
    assert records.read_metadata(written.path) == written.metadata
    (finding,) = records.verify(written.path)
    assert "records are damaged, first record 1 (item video 3)" in str(finding)
    assert str(written.shards[1]) in str(finding)


def test_damage_met_while_reading_names_file_and_remedy(write_records):
    written = write_records(shards=2)
    flip(written.shards[1], -100)
    with pytest.raises(errors.UserError) as caught, damage.translating_errors(written.path):
        for _ in written.serialized():
            pass
    message = str(caught.value)
    assert message.startswith(str(written.shards[1])) and "overwrite=true" in message
    assert isinstance(caught.value.__cause__, tf.errors.DataLossError)


def test_a_length_that_is_damaged(write_records):
    written = write_records()
    flip(written.shards[0], 3)
    with (
        pytest.raises(errors.UserError, match="damaged, first record 0 .item video 0."),
        damage.translating_errors(written.path),
    ):
        list(written.serialized())


def test_other_errors_pass_through(write_records):
    written = write_records()
    with pytest.raises(tf.errors.DataLossError), damage.translating_errors(written.path):
        raise tf.errors.DataLossError(None, None, "of something else")
    with pytest.raises(KeyError), damage.translating_errors(written.path):
        raise KeyError("x")


def test_stored_order_over_shards(write_records):
    written = write_records((2, 3, 4, 5, 6), shards=3)
    ids = [records.parse_example(text)["id"].numpy().decode() for text in written.serialized()]
    assert tuple(ids) == written.metadata.ids
