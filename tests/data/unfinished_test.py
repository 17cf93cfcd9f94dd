"""Serializations that end at any step, and the same asked for again."""

import dataclasses
import itertools
import json
import os
import shutil

import pytest
import tensorflow as tf

from lrcn import errors
from lrcn.data import clips, journal, lists, packing, part, records, serialize, unfinished

FILES = ("replace", "fsync", "unlink", "rmdir", "mkdir", "truncate")
FOLDER = ".data.train.tfrecord.unfinished"
RANDOM = clips.ClipMode("rand_clips", 4, 2)
ASKED = serialize.StoreOptions(
    mode=RANDOM, num_threads=1, shuffle=True, shards=3, on_error="skip", seed=5
)
OLDER = serialize.StoreOptions(mode=None, num_threads=1, shards=2)


class Killed(BaseException):
    """The end of a process; nothing that it would do afterwards has an effect."""


class Life:
    """Lets a process end at a given step of those that change files or make records."""

    def __init__(self, monkeypatch, last):
        self.steps, self.last = 0, last
        for name in FILES:
            monkeypatch.setattr(os, name, self.step(getattr(os, name)))
        monkeypatch.setattr(packing.Packer, "__call__", self.step(packing.Packer.__call__))
        append = journal.append

        def torn(path, commit):
            self.count(lambda: path.open("ab").close() or tear(path, append, commit))
            append(path, commit)

        monkeypatch.setattr(journal, "append", torn)

    def step(self, function):
        def counted(*arguments, **options):
            self.count()
            return function(*arguments, **options)

        return counted

    def count(self, ending=lambda: None):
        self.steps += 1
        if self.steps == self.last:
            ending()
        if self.steps >= self.last:
            raise Killed


def tear(path, append, commit):
    """Writes a line by half, as a process that is killed may."""
    before = path.stat().st_size
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(os, "fsync", lambda _: None)
        append(path, commit)
    with path.open("rb+") as file:
        file.truncate(before + (file.seek(0, os.SEEK_END) - before) // 2)


def lives(run, last):
    """Runs until a step; tells whether it came to its end before."""
    with pytest.MonkeyPatch.context() as patch:
        life = Life(patch, last)
        try:
            run()
        except Killed:
            return False, life.steps
    return True, life.steps


def content(folder):
    return {
        str(file.relative_to(folder)): file.read_bytes() if file.is_file() else None
        for file in sorted(folder.rglob("*"))
    }


@pytest.fixture
def data(tmp_path, make_frames):
    """Seven folders of frames, one broken, and a second split."""
    for index in range(7):
        make_frames(tmp_path / f"clip{index}", 5 + index, height=8, width=12)
    (tmp_path / "clip2" / "3.jpg").write_bytes(b"broken")
    items = tuple(
        lists.Item(f"clip{index}", str(tmp_path / f"clip{index}"), "frames", (index % 3,))
        for index in range(7)
    )
    splits = {
        "data.train": lists.Split("data.train", items, "test"),
        "data.val": lists.Split("data.val", items[5:], "test"),
    }
    return lists.Catalog(splits, ("a", "b", "c"), 3, False)


def only(data, name):
    return dataclasses.replace(data, splits={name: data.splits[name]})


@pytest.fixture
def everything_at_once(monkeypatch):
    monkeypatch.setattr(part, "_SECONDS_BETWEEN_COMMITS", 0.0)


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


@pytest.mark.parametrize("often", [True, False], ids=["commits of items", "commits of shards"])
@pytest.mark.parametrize("case", CASES)
def test_a_kill_at_any_step_changes_not_a_byte(data, tmp_path, case, often, monkeypatch):
    names, options, older = CASES[case]
    monkeypatch.setattr(os, "fsync", lambda descriptor: None)  # it takes most of the time
    if often:
        monkeypatch.setattr(part, "_SECONDS_BETWEEN_COMMITS", 0.0)
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
        # A second kill, somewhere in what is left.
        lives(lambda folder=folder: run(folder), 1 + last * 7 % total)
        run(folder)
        assert content(folder) == expected, f"step {last} of {total}"
        shutil.rmtree(folder.parent)
