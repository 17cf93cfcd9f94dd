"""Serializations that end at any step, and the same asked for again."""

import dataclasses
import fcntl
import json
import os
import shutil

import pytest
import tensorflow as tf

from lrcn import errors
from lrcn.data import clips, limits, packing, part, records, serialize, unfinished

FOLDER = ".data.train.tfrecord.unfinished"
RANDOM = clips.ClipMode("rand_clips", 4, 2)
ASKED = serialize.StoreOptions(
    mode=RANDOM, num_threads=1, shuffle=True, shards=3, on_error="skip", seed=5
)
OLDER = serialize.StoreOptions(mode=None, num_threads=1, shards=2)


def content(folder):
    return {
        str(file.relative_to(folder)): file.read_bytes() if file.is_file() else None
        for file in sorted(folder.rglob("*"))
    }


@pytest.fixture
def often(monkeypatch):
    """Commits after each item."""
    monkeypatch.setattr(part, "_SECONDS_BETWEEN_COMMITS", 0.0)


@pytest.fixture
def train(data):
    return dataclasses.replace(data, splits={"data.train": data.splits["data.train"]})


CASES = {
    "new": (("data.train",), ASKED, None),
    "over older records": (
        ("data.train",),
        dataclasses.replace(ASKED, overwrite=True),
        dataclasses.replace(OLDER, on_error="skip"),
    ),
    "two splits over older records": (
        ("data.train", "data.val"),
        serialize.StoreOptions(mode=None, num_threads=1, overwrite=True, on_error="skip"),
        dataclasses.replace(OLDER, on_error="skip", shuffle=True),
    ),
}


@pytest.mark.parametrize(
    ("case", "seconds"),
    [
        *(("new", 0.0), ("new", 10.0)),
        *(("over older records", 0.0), ("two splits over older records", 10.0)),
    ],
)
def test_a_kill_at_any_step_changes_not_a_byte(data, tmp_path, case, seconds, monkeypatch, lives):
    names, options, older = CASES[case]
    monkeypatch.setattr(os, "fsync", lambda descriptor: None)  # it takes most of the time
    monkeypatch.setattr(part, "_SECONDS_BETWEEN_COMMITS", seconds)
    asked = dataclasses.replace(data, splits={name: data.splits[name] for name in names})

    def fresh(number):
        folder = tmp_path / str(number) / "out"
        if older is None:
            return folder
        if not (tmp_path / "older").exists():
            serialize.serialize(asked, tmp_path / "older" / "out", options=older)
        return shutil.copytree(tmp_path / "older" / "out", folder)

    def run(folder):
        return serialize.serialize(asked, folder, options=options)

    run(fresh("undisturbed"))
    expected = content(tmp_path / "undisturbed" / "out")
    counted = fresh("counted")
    total = lives(lambda: run(counted), 10**9)[1]
    assert content(tmp_path / "counted" / "out") == expected
    for last in range(1, total + 1):
        folder = fresh(last)
        assert not lives(lambda folder=folder: run(folder), last)[0]
        if last % 2:  # a second kill, somewhere in what is left
            lives(lambda folder=folder: run(folder), 1 + last * 7 % total)
        run(folder)
        assert content(folder) == expected, f"step {last} of {total}"
        shutil.rmtree(folder.parent)


class Reads:
    """Notes which items are read, and raises `failure` instead of reading the last of `first`."""

    def __init__(self, monkeypatch):
        self.places, self.failure, self.first = [], None, None
        pack = packing.Packer.__call__

        def noted(packer, place):
            self.places.append(place)
            if self.failure and len(self.places) == self.first:
                raise self.failure
            return pack(packer, place)

        monkeypatch.setattr(packing.Packer, "__call__", noted)

    def fail(self, failure, first):
        self.places, self.failure, self.first = [], failure, first


@pytest.fixture
def reads(monkeypatch):
    return Reads(monkeypatch)


def run(data, folder, **changes):
    return serialize.serialize(data, folder, options=dataclasses.replace(ASKED, **changes))


def interrupted(data, folder, reads, *, failure=None, first=6, **changes):
    """Begins a serialization that ends with a failure at one of its items."""
    reads.fail(failure or KeyboardInterrupt(), first)
    with pytest.raises((KeyboardInterrupt, SystemExit, OSError, errors.UserError)) as caught:
        run(data, folder, **changes)
    reads.fail(None, None)
    return caught.value


FAILURES = {
    "an interrupt": KeyboardInterrupt(),
    "a signal": SystemExit(143),
    "a full disk": OSError(28, "No space left on device"),
    "a full disk in TensorFlow": tf.errors.ResourceExhaustedError(None, None, "no space"),
}


@pytest.mark.parametrize("failure", FAILURES)
def test_what_is_interrupted_goes_on_with_the_items_that_are_left(
    train, tmp_path, reads, often, failure, caplog
):
    caplog.set_level("INFO")
    run(train, tmp_path / "whole" / "out")
    raised = interrupted(train, tmp_path / "a" / "out", reads, failure=FAILURES[failure])
    if isinstance(FAILURES[failure], Exception):
        assert isinstance(raised, errors.UserError) and "make room" in str(raised)
    assert set(content(tmp_path / "a" / "out")) >= {FOLDER, f"{FOLDER}/plan.json"}
    assert not [name for name in content(tmp_path / "a" / "out") if not name.startswith(FOLDER)]
    run(train, tmp_path / "a" / "out")
    assert "going on with unfinished records" in caplog.text
    assert 2 <= len(reads.places) < 7  # of the first six, five at most were safe
    assert content(tmp_path / "a" / "out") == content(tmp_path / "whole" / "out")


def test_an_interrupt_before_anything_is_safe_leaves_nothing(train, tmp_path, reads):
    interrupted(train, tmp_path / "new" / "out", reads, first=1)
    assert not (tmp_path / "new").exists()


CHANGES = {
    "mode": {"mode": clips.ClipMode("rand_clips", 3, 2)},
    "seed": {"seed": 6},
    "shards": {"shards": 2},
    "on_error": {"on_error": "stop", "short_videos": "skip"},
    "image_shape": {"image_shape": (8, 8, 3)},
}


@pytest.mark.parametrize("key", CHANGES)
def test_another_plan_begins_anew(train, tmp_path, reads, often, key, caplog):
    caplog.set_level("INFO")
    interrupted(train, tmp_path / "out", reads)
    if key == "on_error":
        (tmp_path / "clip2" / "3.jpg").write_bytes((tmp_path / "clip2" / "2.jpg").read_bytes())
    run(train, tmp_path / "out", **CHANGES[key])
    assert "unfinished records are thrown away and begun anew" in caplog.text
    assert key in caplog.text.partition("differ in ")[2].partition("\n")[0]
    assert len(reads.places) == 7
    run(train, tmp_path / "whole" / "out", **CHANGES[key])
    assert content(tmp_path / "out") == content(tmp_path / "whole" / "out")


def test_a_file_that_changed_begins_anew(train, tmp_path, reads, often, caplog):
    caplog.set_level("INFO")
    interrupted(train, tmp_path / "out", reads)
    frame = tmp_path / "clip0" / "1.jpg"
    os.utime(frame, ns=(0, frame.stat().st_mtime_ns + 10**9))
    run(train, tmp_path / "out")
    assert "they differ in source" in caplog.text and len(reads.places) == 7


@pytest.mark.parametrize("plan", [b"", b"[]", None])
def test_a_plan_that_cannot_be_read_begins_anew(train, tmp_path, reads, often, plan, caplog):
    caplog.set_level("INFO")
    interrupted(train, tmp_path / "out", reads)
    file = tmp_path / "out" / FOLDER / "plan.json"
    file.unlink() if plan is None else file.write_bytes(plan)
    run(train, tmp_path / "out")
    assert "a plan that cannot be read" in caplog.text and len(reads.places) == 7


def test_threads_and_their_reach_are_no_part_of_the_plan(train, tmp_path, reads, often):
    interrupted(train, tmp_path / "out", reads)
    run(train, tmp_path / "out", num_threads=3, num_items_per_thread=2)
    assert len(reads.places) < 7


@pytest.mark.parametrize("fault", ["a bad item", "short videos"])
@pytest.mark.parametrize("seconds", [0.0, 10.0])
def test_a_fault_of_an_item_leaves_what_is_safe(data, tmp_path, monkeypatch, fault, seconds):
    monkeypatch.setattr(part, "_SECONDS_BETWEEN_COMMITS", seconds)
    mode = RANDOM
    if fault == "short videos":
        mode = clips.ClipMode("rand_clips", 6, 1)
        shutil.rmtree(tmp_path / "clip2")
        shutil.copytree(tmp_path / "clip1", tmp_path / "clip2")
    # The split without a fault comes first.
    both = dataclasses.replace(data, splits=dict(reversed(data.splits.items())))
    with pytest.raises(errors.UserError):
        run(both, tmp_path / "out", mode=mode, on_error="stop", shards=1)
    left = {name for name in content(tmp_path / "out") if not name.startswith(FOLDER)}
    assert left == {
        *("data.val.tfrecord", "data.val.tfrecord.size", "data.val.shuffled"),
        *("dataset_info.json", "features.json", "label.labels.txt"),
    }
    assert (tmp_path / "out" / FOLDER).exists() == (seconds == 0)


def fail_once(place):
    """Lets the reading of an item fail as of a disk, once."""
    pack, failed = packing.Packer.__call__, []

    def failing(packer, index):
        if index == place and not failed:
            failed.append(index)
            what = {"received": "Input/output error", "expected": "an image", "remedy": "Mend it"}
            fault = errors.UserError("image cannot be read", where="clip", **what)
            return packing.Packed(packer.items[index], fault=fault)
        return pack(packer, index)

    return failing


@pytest.mark.parametrize("overwrite", [False, True])
def test_a_fault_that_passes_costs_only_its_item(
    data, tmp_path, reads, often, monkeypatch, overwrite
):
    """The plan is the same afterwards, so what is done is not done again."""
    changes = {"on_error": "stop", "shuffle": False, "shards": 1, "overwrite": overwrite}
    one = dataclasses.replace(data, splits={"data.val": data.splits["data.val"]})
    run(one, tmp_path / "whole" / "out", **changes)
    monkeypatch.setattr(packing.Packer, "__call__", fail_once(1))
    with pytest.raises(errors.UserError, match="Input/output error"):
        run(one, tmp_path / "out", **changes)
    reads.places.clear()
    run(one, tmp_path / "out", **changes)
    assert reads.places == [1]
    assert content(tmp_path / "out") == content(tmp_path / "whole" / "out")


def test_without_locks_a_fault_leaves_nothing(data, tmp_path, reads, often, monkeypatch):
    def refuse(*_):
        raise OSError(38, "Function not implemented")

    monkeypatch.setattr(fcntl, "flock", refuse)
    with pytest.raises(errors.UserError, match="image cannot be read"):
        run(data, tmp_path / "out", on_error="stop", shuffle=False, shards=1)
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("on_error", ["stop", "skip"])
def test_a_raised_limit_goes_on_unless_something_may_be_skipped_for_it(
    data, tmp_path, reads, often, on_error
):
    one = dataclasses.replace(data, splits={"data.val": data.splits["data.val"]})
    changes = {"on_error": on_error, "shuffle": False, "shards": 1}
    interrupted(one, tmp_path / "out", reads, first=2, **changes)
    run(one, tmp_path / "out", **changes, limits=limits.Limits(frames=2_000_000))
    assert reads.places == ([1] if on_error == "stop" else [0, 1])


def test_a_split_that_is_done_is_not_written_again_over_older_records(data, tmp_path, reads, often):
    run(data, tmp_path / "out", shards=1, seed=1)
    interrupted(data, tmp_path / "out", reads, first=9, shards=1, overwrite=True)
    assert records.verify(tmp_path / "out" / "data.train") == []
    run(data, tmp_path / "out", shards=1, overwrite=True)
    assert len(reads.places) < 3  # of two in the second split
    run(data, tmp_path / "whole" / "out", shards=1)
    assert content(tmp_path / "out") == content(tmp_path / "whole" / "out")


def test_older_records_are_whole_until_the_end(train, tmp_path, reads, often):
    run(train, tmp_path / "out", seed=1)
    before = content(tmp_path / "out")
    interrupted(train, tmp_path / "out", reads, first=7, overwrite=True)
    assert {name: before[name] for name in before} == {
        name: data for name, data in content(tmp_path / "out").items() if FOLDER not in name
    }
    # The older ones asked for again are there, and then nothing is to be continued any more.
    (report,) = run(train, tmp_path / "out", seed=1)
    assert report.reused and content(tmp_path / "out") == before


def test_files_of_others_are_not_taken_for_ours(train, tmp_path, reads, often):
    interrupted(train, tmp_path / "out", reads)
    theirs = tmp_path / "out" / "data.train.tfrecord-00000-of-00003"
    theirs.write_bytes(b"of someone else")
    with pytest.raises(errors.UserError, match="output folder already holds other records"):
        run(train, tmp_path / "out")
    assert theirs.read_bytes() == b"of someone else" and (tmp_path / "out" / FOLDER).exists()


@pytest.mark.parametrize("kind", ["a folder", "a hard link", "a link", "a pipe"])
def test_only_plain_files_may_stand_where_records_are_made(tmp_path, kind):
    path = tmp_path / "x.tfrecord"
    folder = unfinished.folder_of(path)
    folder.mkdir()
    (folder / "plan.json").write_text("{}")
    unfinished.require_own(path)
    (tmp_path / "theirs").write_text("precious")
    made = folder / "00000.journal"
    {
        "a folder": made.mkdir,
        "a hard link": lambda: made.hardlink_to(tmp_path / "theirs"),
        "a link": lambda: made.symlink_to(tmp_path / "theirs"),
        "a pipe": lambda: os.mkfifo(made),
    }[kind]()
    with pytest.raises(errors.UserError, match="not those of a serialization"):
        unfinished.require_own(path)


def test_links_where_records_are_made_are_refused(train, tmp_path, reads, often):
    (tmp_path / "theirs").mkdir()
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / FOLDER).symlink_to(tmp_path / "theirs")
    for _ in range(2):
        with pytest.raises(errors.UserError, match="unfinished records are not those of a"):
            run(train, tmp_path / "out")
        assert list((tmp_path / "theirs").iterdir()) == []
    (tmp_path / "out" / FOLDER).unlink()
    interrupted(train, tmp_path / "out", reads)
    journal_file = tmp_path / "out" / FOLDER / "00000.journal"
    journal_file.rename(tmp_path / "theirs" / "journal")
    journal_file.symlink_to(tmp_path / "theirs" / "journal")
    with pytest.raises(errors.UserError, match="a folder with links in it"):
        run(train, tmp_path / "out")


def test_a_damaged_shard_is_made_anew_and_the_others_are_kept(
    train, tmp_path, reads, often, caplog
):
    caplog.set_level("INFO")
    interrupted(train, tmp_path / "out", reads, first=7)
    segment = tmp_path / "out" / FOLDER / "00000.0.tfrecord"
    segment.write_bytes(segment.read_bytes()[:-1] + b"x")
    run(train, tmp_path / "out")
    assert "data.train.tfrecord-00000-of-00003 is begun anew" in caplog.text
    assert 2 < len(reads.places) < 7
    run(train, tmp_path / "whole" / "out")
    assert content(tmp_path / "out") == content(tmp_path / "whole" / "out")


def test_without_locks_nothing_is_shared_and_nothing_continued(train, tmp_path, reads, monkeypatch):
    def refuse(*_):
        raise OSError(38, "Function not implemented")

    monkeypatch.setattr(fcntl, "flock", refuse)
    monkeypatch.setattr(part, "_SECONDS_BETWEEN_COMMITS", 0.0)
    interrupted(train, tmp_path / "out", reads)
    left = set(content(tmp_path / "out"))
    assert left and FOLDER not in left
    run(train, tmp_path / "out")
    assert len(reads.places) == 7
    assert left <= set(content(tmp_path / "out"))  # another process may be writing there


def test_the_plan_is_plain_json(train, tmp_path, reads, often):
    interrupted(train, tmp_path / "out", reads)
    plan = json.loads((tmp_path / "out" / FOLDER / "plan.json").read_text())
    assert plan["shards"] == 3 and plan["mode"]["num_frames_per_clip"] == 4
    assert not {"num_threads", "num_items_per_thread", "overwrite"} & set(plan)
    assert unfinished.is_any_in(tmp_path / "out") and not unfinished.is_any_in(tmp_path)
