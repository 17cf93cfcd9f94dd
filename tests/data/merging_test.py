"""Shards of many processes, merged: the bytes of one process, or a message."""

import dataclasses
import json
import os
import shutil

import pytest

from lrcn import errors
from lrcn.data import claim, clips, lists, merging, part, records, serialize, shard_file

from .conftest import ASKED, make


def made(data, folder, **changes):
    for index in range(changes.get("shards", ASKED.shards)):
        make(data, folder, index, **changes)
    return folder


def content(folder):
    return {
        str(file.relative_to(folder)): file.read_bytes() if file.is_file() else None
        for file in sorted(folder.rglob("*"))
    }


def told(call):
    with pytest.raises(errors.UserError) as caught:
        call()
    assert "\n" not in str(caught.value)
    return str(caught.value)


@pytest.fixture
def train(data):
    return dataclasses.replace(data, splits={"data.train": data.splits["data.train"]})


CASES = {
    "random clips in random order": {},
    "in order": {"shuffle": False},
    "every frame": {"mode": None, "shuffle": False},
    "short videos left out": {
        "mode": clips.ClipMode("iterative", 7, -2, "align"),
        "short_videos": "skip",
    },
    "all of one size": {"image_shape": (16, 16, 3), "shards": 1},
}


@pytest.mark.parametrize("case", CASES)
def test_the_bytes_are_those_of_one_process(data, tmp_path, case):
    options = dataclasses.replace(ASKED, **CASES[case])
    reports = serialize.serialize(data, tmp_path / "one" / "out", options=options)
    made(data, tmp_path / "many" / "out", **CASES[case])
    assert merging.merge(tmp_path / "many" / "out") == [
        dataclasses.replace(report, path=tmp_path / "many" / "out" / report.path.name)
        for report in reports
    ]
    assert content(tmp_path / "many" / "out") == content(tmp_path / "one" / "out")


@pytest.mark.parametrize("shuffle", [False, True])
@pytest.mark.parametrize("shards", [2, 5, 7])
def test_so_they_are_of_items_of_all_kinds(tmp_path, make_frames, paint, shards, shuffle):
    """A group, captions and sizes that differ; shards without any item, and skipped ones."""
    for index in range(3):
        make_frames(tmp_path / f"clip{index}", 5, height=8 + 2 * index, width=12)
    (tmp_path / "clip1" / "2.jpg").write_bytes(b"broken")
    items = tuple(
        lists.Item(f"{index}", str(tmp_path / f"clip{index % 3}"), "frames", **own)
        for index, own in enumerate(
            [
                *({"captions": ("a b", "c")}, {"labels": (0,)}, {"labels": (1, 0)}, {}),
                *({"group": "g"}, {"captions": ("d",), "labels": (1,)}, {"group": "h"}),
            ]
        )
    )
    data = lists.Catalog({"x": lists.Split("x", items, "test")}, ("a", "b"), 2, True)
    changes = {"shards": shards, "mode": None, "shuffle": shuffle}
    options = dataclasses.replace(ASKED, **changes)
    serialize.serialize(data, tmp_path / "one" / "out", options=options)
    folder = tmp_path / "many" / "out"
    for index in reversed(range(shards)):
        make(data, folder, index, **changes)
    merging.merge(folder)
    assert content(folder) == content(tmp_path / "one" / "out")
    stored = records.open_records(folder / "x").metadata
    assert len(stored.skipped) == 2 and stored.frame_shape is None and "h" in stored.groups


def test_merged_twice_is_merged_once(data, tmp_path):
    folder = made(data, tmp_path / "out")
    assert not any(report.reused for report in merging.merge(folder))
    before = content(folder)
    assert [report.reused for report in merging.merge(folder)] == [True, True]
    assert content(folder) == before
    (again, _) = make(data, folder, 1)  # the array once more
    assert again.reused and again.path.name == "data.train.tfrecord" and again.items == 6
    assert content(folder) == before


@pytest.mark.parametrize("when", ["first", "between", "last"])
def test_a_list_that_is_too_short_is_serialized_by_itself(data, train, tmp_path, when):
    val = dataclasses.replace(data, splits={"data.val": data.splits["data.val"]})
    whole = dataclasses.replace(ASKED, shards=1)
    one, many = tmp_path / "one" / "out", tmp_path / "many" / "out"
    steps = [lambda: made(train, many, shards=3), lambda: merging.merge(many)]
    place = ("first", "between", "last").index(when)
    steps.insert(place, lambda: serialize.serialize(val, many, options=whole))
    for step in steps:
        step()
    for own, shards in ((train, 3), (val, 1)):
        serialize.serialize(own, one, options=dataclasses.replace(ASKED, shards=shards))
    assert content(many) == content(one)


def test_a_merge_between_the_look_and_the_lock_is_seen(data, tmp_path, monkeypatch):
    folder = made(data, tmp_path / "out")
    alone = claim.alone

    def second(place):
        monkeypatch.setattr(claim, "alone", alone)
        merging.merge(place)
        return alone(place)

    monkeypatch.setattr(claim, "alone", second)
    assert [report.reused for report in merging.merge(folder)] == [True, True]


def test_missing_shards_are_named_with_how_to_make_them(data, tmp_path):
    make(data, tmp_path / "out", 1, shards=2)
    before = content(tmp_path / "out")
    message = told(lambda: merging.merge(tmp_path / "out"))
    assert message.startswith(f"{tmp_path / 'out'}: shards are missing.")
    assert "no shard 0 of data.train; shard 0 of data.val." in message
    assert "with shard_index=0, shard_count=2, and merge again" in message
    assert content(tmp_path / "out") == before


def test_a_split_without_any_shard_is_missing(data, tmp_path):
    folder = made(data, tmp_path / "out")
    for file in folder.glob("data.val*"):
        file.unlink()
    message = told(lambda: merging.merge(folder))
    assert "no shard 0, 1 of data.val." in message and "=0, then with 1, shard_count" in message


def test_a_split_that_is_merged_already_is_not_missed(data, tmp_path):
    folder = made(data, tmp_path / "out")
    (tmp_path / "val").mkdir()
    for file in folder.glob("data.val*"):
        file.rename(tmp_path / "val" / file.name)
    shutil.copytree(folder, tmp_path / "train")
    for file in (tmp_path / "train").iterdir():
        shutil.copy(file, folder)
    for file in (tmp_path / "val").iterdir():
        file.rename(folder / file.name)
    merging.merge(folder)
    for file in (tmp_path / "train").iterdir():
        shutil.copy(file, folder)
    (folder / "data.train.tfrecord.size").unlink()
    train, val = merging.merge(folder)
    assert (train.reused, val.reused) == (False, True)


def test_what_was_stored_by_itself_is_told_beside_what_is_merged(train, tmp_path):
    folder = made(train, tmp_path / "out")
    merging.merge(made(train, tmp_path / "alone"))
    for file in (tmp_path / "alone").glob("data.train.tfrecord*"):
        shutil.copy(file, folder / file.name.replace("data.train", "few.val"))
    size = folder / "few.val.tfrecord.size"
    size.write_text(size.read_text().replace("data.train", "few.val"))
    told = {report.name: report.reused for report in merging.merge(folder)}
    assert told == {"data.train": False, "few.val": True}


def test_shards_of_other_settings_are_named_with_both_values(train, tmp_path):
    folder = made(train, tmp_path / "out", shards=3)
    make(train, folder, 0, shards=3, seed=6, quality=90, overwrite=True)
    message = told(lambda: merging.merge(folder))
    name = "data.train.tfrecord-0000{}-of-00003.shard"
    assert message.startswith(f"{folder / name.format(0)}: shards of different settings.")
    assert "Received: quality 90, seed 6. Expected: quality 95, seed 5, as in" in message
    assert f"as in {name.format(1)}" in message  # of the most
    assert "Make shard_index=0 again" in message
    make(train, folder, 0, shards=3, overwrite=True)
    assert merging.merge(folder)[0].items == 6


def test_shards_of_a_source_that_changed_are_refused(train, tmp_path):
    folder = made(train, tmp_path / "out", shards=3)
    frame = tmp_path / "clip0" / "1.jpg"
    os.utime(frame, ns=(0, frame.stat().st_mtime_ns + 10**9))
    make(train, folder, 2, shards=3, overwrite=True)
    message = told(lambda: merging.merge(folder))
    assert "shards of different settings. Received: source" in message
    assert "Make shard_index=2 again" in message


def test_shards_of_two_counts_are_refused(train, tmp_path):
    folder = made(train, tmp_path / "out", shards=3)
    for file in made(train, tmp_path / "other").iterdir():
        file.rename(folder / file.name)
    message = told(lambda: merging.merge(folder))
    assert "shards of different shard_count. Received: some of 2 and some of 3" in message


@pytest.mark.parametrize("how", ["cut", "changed", "gone", "a link"])
def test_records_that_are_not_as_they_are_told(train, tmp_path, how):
    folder = made(train, tmp_path / "out")
    file = folder / "data.train.tfrecord-00001-of-00002"
    whole = file.read_bytes()
    file.unlink()
    if how == "cut":
        file.write_bytes(whole[:-1])
    elif how == "changed":
        file.write_bytes(whole[:-1] + bytes([whole[-1] ^ 1]))
    elif how == "a link":
        (tmp_path / "theirs").write_bytes(whole)
        file.symlink_to(tmp_path / "theirs")
    before = content(folder)
    message = told(lambda: merging.merge(folder))
    assert message.startswith(f"{file}: ")
    expected = {"a link": "Copy it here"}.get(how, "shard_index=1 overwrite=true")
    assert expected in message and content(folder) == before
    make(train, folder, 1, overwrite=True)
    assert merging.merge(folder)[0].items == 6


def test_files_of_others_beside_the_shards_are_refused(train, tmp_path):
    folder = made(train, tmp_path / "out")
    (folder / "data.train.tfrecord").write_bytes(b"of someone else")
    message = told(lambda: merging.merge(folder))
    assert "other records of the name are in the folder. Received: data.train.tfrecord." in message


def test_merged_records_of_other_shards_are_refused(train, tmp_path):
    folder = made(train, tmp_path / "out")
    merging.merge(folder)
    for file in made(train, tmp_path / "other", seed=6).glob("*.shard"):
        file.rename(folder / file.name)
    message = told(lambda: merging.merge(folder))
    assert "there are merged records of the name, of other shards" in message


def test_a_folder_without_shards_is_refused(tmp_path):
    for folder in (tmp_path, tmp_path / "none"):
        message = told(lambda folder=folder: merging.merge(folder))
        assert message.startswith("output_folder: there are no shards to merge")
    assert not (tmp_path / "none").exists()


def test_shards_that_are_begun_but_not_finished_are_named(tmp_path):
    (tmp_path / ".a.train.tfrecord-00000-of-00002.unfinished").mkdir()
    message = told(lambda: merging.merge(tmp_path))
    assert message.startswith("output_folder: no shard is finished yet")
    assert ".a.train.tfrecord-00000-of-00002.unfinished" in message


def test_nothing_left_to_store_is_told_by_who_merges(train, tmp_path):
    long = {"mode": clips.ClipMode("rand_clips", 100, 1), "short_videos": "skip"}
    folder = made(train, tmp_path / "out", **long)
    assert "no item is left to store" in told(lambda: merging.merge(folder))


def test_who_merges_is_alone(train, tmp_path):
    folder = made(train, tmp_path / "out")
    with claim.of_shard(folder, 1, 2):
        message = told(lambda: merging.merge(folder))
        assert "another process is serializing into this folder" in message
    merging.merge(folder)


@pytest.mark.parametrize("step", range(1, 8))
def test_a_full_disk_leaves_the_shards_to_be_merged_later(train, tmp_path, monkeypatch, step):
    folder = made(train, tmp_path / "out")
    before, steps, replace = content(folder), [], os.replace

    def fail(*paths):
        steps.append(paths)
        if len(steps) == step:
            raise OSError(28, "No space left on device")
        replace(*paths)

    monkeypatch.setattr(os, "replace", fail)
    message = told(lambda: merging.merge(folder))
    assert "No space left on device" in message
    assert {name: before[name] for name in before} == {
        name: data for name, data in content(folder).items() if name in before
    }
    merging.merge(folder)
    serialize.serialize(train, tmp_path / "one" / "out", options=ASKED)
    assert content(folder) == content(tmp_path / "one" / "out")


def test_unmerged_shards_are_no_records_yet(train, tmp_path):
    folder = made(train, tmp_path / "out")
    for name in ("data.train.tfrecord", "data.train.tfrecord-00000-of-00002"):
        message = told(lambda name=name: records.open_records(folder / name))
        assert "data.train.tfrecord.size: the shards of these records are not merged" in message
        assert f"`lrcn serialize output_folder={folder} merge=true`" in message


def test_one_process_may_replace_unmerged_shards(train, tmp_path):
    folder = made(train, tmp_path / "out")
    whole = dataclasses.replace(ASKED, shards=1)
    message = told(lambda: serialize.serialize(train, folder, options=whole))
    assert "the shards of these records are not merged" in message
    overwrite = dataclasses.replace(whole, overwrite=True)
    serialize.serialize(train, folder, options=overwrite)
    serialize.serialize(train, tmp_path / "one" / "out", options=whole)
    assert content(folder) == content(tmp_path / "one" / "out")


def test_what_merging_is_told_cannot_name_other_places(train, tmp_path):
    folder = made(train, tmp_path / "out")
    own = shard_file.path_of(folder / "data.train.tfrecord-00000-of-00002")
    values = json.loads(own.read_text())
    own.write_text(json.dumps({**values, "splits": ["../x"]}))
    assert "no .shard file with a good value of splits" in told(lambda: merging.merge(folder))


@pytest.mark.parametrize(("seconds", "older", "every"), [(10.0, False, 1), (0.0, True, 3)])
def test_a_kill_at_any_step_changes_not_a_byte(
    train, tmp_path, seconds, older, every, monkeypatch, lives
):
    monkeypatch.setattr(os, "fsync", lambda descriptor: None)  # it takes most of the time
    monkeypatch.setattr(part, "_SECONDS_BETWEEN_COMMITS", seconds)
    options = dataclasses.replace(ASKED, overwrite=older)

    def fresh(name):
        folder = tmp_path / name / "out"
        if older:
            if not (tmp_path / "older").exists():
                earlier = dataclasses.replace(ASKED, shards=1, seed=1)
                serialize.serialize(train, tmp_path / "older" / "out", options=earlier)
            shutil.copytree(tmp_path / "older" / "out", folder)
        return folder

    def run(folder):
        for index in range(2):
            serialize.serialize(train, folder, options=options, shard_index=index)
        merging.merge(folder)

    serialize.serialize(train, fresh("one"), options=options)
    expected = content(tmp_path / "one" / "out")
    counted = fresh("counted")
    total = lives(lambda: run(counted), 10**9)[1]
    assert content(counted) == expected
    for last in range(1, total + 1, every):
        folder = fresh(str(last))
        assert not lives(lambda folder=folder: run(folder), last)[0]
        if last % 2:  # a second kill, somewhere in what is left
            lives(lambda folder=folder: run(folder), 1 + last * 7 % total)
        run(folder)
        assert content(folder) == expected, f"step {last} of {total}"
        shutil.rmtree(folder.parent)
