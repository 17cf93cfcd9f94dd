"""One shard a process: what each makes, and who stands in whose way."""

import dataclasses
import os

import pytest

from lrcn import errors, files
from lrcn.data import claim, packing, part, records, serialize, shard_file

from .conftest import ASKED, make


def told(call):
    with pytest.raises(errors.UserError) as caught:
        call()
    assert "\n" not in str(caught.value)
    return str(caught.value)


def names(folder):
    return sorted(path.name for path in folder.iterdir())


def test_a_process_writes_its_shard_of_each_split_and_what_tells_of_it(data, tmp_path):
    train, val = make(data, tmp_path / "out", 1)
    assert [report.path.name for report in (train, val)] == [
        "data.train.tfrecord-00001-of-00002",
        "data.val.tfrecord-00001-of-00002",
    ]
    assert (train.items + len(train.skipped), val.items) == (4, 1)
    assert names(tmp_path / "out") == [
        name + end for name in (train.path.name, val.path.name) for end in ("", ".shard")
    ]
    own = shard_file.read(shard_file.path_of(train.path))
    assert (own.index, own.count, own.splits) == (1, 2, ("data.train", "data.val"))
    assert own.metadata.shards[0].bytes == train.bytes and len(own.listed) == 4


def test_a_finished_shard_is_left_as_it_is(data, tmp_path):
    (first, _) = make(data, tmp_path / "out", 0)
    stamp = first.path.stat().st_mtime_ns
    again = make(data, tmp_path / "out", 0, num_threads=2)
    assert all(report.reused for report in again) and again[0].path.stat().st_mtime_ns == stamp


@pytest.mark.parametrize("index", [0, 1])
def test_a_shard_of_other_settings_is_refused_beside_the_first(data, tmp_path, index):
    make(data, tmp_path / "out", 0)
    message = told(lambda: make(data, tmp_path / "out", index, seed=6, quality=90))
    assert f"data.train.tfrecord-0000{index}-of-00002: output folder already holds" in message
    assert "differ in seed, quality" in message
    assert "differ in shards" in told(lambda: make(data, tmp_path / "out", 0, shards=1))
    (report, _) = make(data, tmp_path / "out", index, seed=6, overwrite=True)
    assert shard_file.read(shard_file.path_of(report.path)).plan["seed"] == 6


def test_shards_over_merged_records_of_others_need_leave(data, tmp_path):
    serialize.serialize(data, tmp_path / "out", options=dataclasses.replace(ASKED, shards=1))
    assert "differ in shards" in told(lambda: make(data, tmp_path / "out", 0))
    make(data, tmp_path / "out", 0, overwrite=True)
    left = [name for name in names(tmp_path / "out") if name.startswith("data.")]
    both = ["data.train", "data.val"]
    shards = [f"{name}.tfrecord-00000-of-00002{end}" for name in both for end in ("", ".shard")]
    assert left == sorted([*shards, *(f"{name}.shuffled" for name in both)])


def test_a_file_of_others_is_not_taken_for_the_shard(data, tmp_path):
    theirs = tmp_path / "out" / "data.train.tfrecord-00000-of-00002"
    theirs.parent.mkdir()
    theirs.write_bytes(b"of someone else")
    assert ".shard is missing" in told(lambda: make(data, tmp_path / "out", 0))
    assert theirs.read_bytes() == b"of someone else"


def test_a_shard_that_was_cut_is_refused(data, tmp_path):
    (report, _) = make(data, tmp_path / "out", 0)
    os.truncate(report.path, 9)
    message = told(lambda: make(data, tmp_path / "out", 0))
    assert "they are broken (records are cut short or changed)" in message


def test_more_shards_than_items_name_the_key(data, tmp_path):
    message = told(lambda: make(data, tmp_path / "out", 0, shards=3))
    assert message.startswith("shard_count: more shards than items. Received: 3")
    assert "at most 2" in message and not (tmp_path / "out").exists()


def test_a_fault_leaves_no_new_folder(data, tmp_path):
    options = {"on_error": "stop", "shuffle": False}
    message = told(lambda: make(data, tmp_path / "out", 0, **options))
    assert "image cannot be read" in message and not (tmp_path / "out").exists()
    (train, _) = make(data, tmp_path / "out", 1, **options)  # which holds no faulty item
    assert train.items == 4


def test_what_is_interrupted_goes_on_with_the_items_that_are_left(data, tmp_path, monkeypatch):
    monkeypatch.setattr(part, "_SECONDS_BETWEEN_COMMITS", 0.0)
    pack, places = packing.Packer.__call__, []

    def interrupt(packer, place):
        places.append(place)
        if len(places) == 3:
            raise KeyboardInterrupt
        return pack(packer, place)

    monkeypatch.setattr(packing.Packer, "__call__", interrupt)
    with pytest.raises(KeyboardInterrupt):
        make(data, tmp_path / "out", 1)
    assert names(tmp_path / "out") == [".data.train.tfrecord-00001-of-00002.unfinished"]
    make(data, tmp_path / "out", 1)
    assert len(places) < 3 + 5  # of four and one
    make(data, tmp_path / "whole" / "out", 1)
    for file in (tmp_path / "out").iterdir():
        assert file.read_bytes() == (tmp_path / "whole" / "out" / file.name).read_bytes()


def test_shards_stand_in_nobodys_way_but_their_own(data, tmp_path):
    folder = tmp_path / "out"
    with claim.of_shard(folder, 0, 2):
        make(data, folder, 1)
        message = told(lambda: make(data, folder, 0))
        assert "another process is serializing shard 0 into this folder" in message
        assert f"process {os.getpid()} on " in message
        whole = dataclasses.replace(ASKED, overwrite=True)
        message = told(lambda: serialize.serialize(data, folder, options=whole))
        assert "another process is serializing into this folder" in message
        assert f"process {os.getpid()} on " in message
    make(data, folder, 0)
    assert not [name for name in names(folder) if name.startswith(".")]


def test_a_shard_is_refused_where_a_process_needs_the_folder(data, tmp_path):
    with claim.alone(tmp_path / "out"):
        message = told(lambda: make(data, tmp_path / "out", 0))
        assert "another process needs this folder for itself" in message
        assert f"process {os.getpid()} on " in message
    assert names(tmp_path / "out") == []


def test_the_lock_of_a_killed_shard_is_removed_by_who_has_the_folder(tmp_path):
    left = tmp_path / f"{files.LOCK}-00003-of-00004"
    left.write_text("{}")
    with claim.alone(tmp_path):
        assert not left.exists()


def test_one_process_of_many_makes_what_all_make_together(data, tmp_path):
    make(data, tmp_path / "out", 0, shards=1)
    assert names(tmp_path / "out") == [
        f"data.{split}.tfrecord{end}" for split in ("train", "val") for end in ("", ".shard")
    ]
    whole = dataclasses.replace(ASKED, shards=1)
    serialize.serialize(data, tmp_path / "whole", options=whole)
    stored = records.open_records(tmp_path / "whole" / "data.train")
    for file in stored.shards:
        assert (tmp_path / "out" / file.name).read_bytes() == file.read_bytes()
