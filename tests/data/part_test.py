import hashlib
import os

import numpy as np
import pytest
import tensorflow as tf

from lrcn.data import journal, lists, packing, part

ITEMS = tuple(lists.Item(f"item{index}", f"/{index}", "video", (index,)) for index in range(8))
PLACES = np.array([3, 5, 1, 7, 2])


@pytest.fixture
def make(tmp_path, monkeypatch):
    monkeypatch.setattr(part, "_SECONDS_BETWEEN_COMMITS", 0.0)
    (tmp_path / "made").mkdir()
    final = tmp_path / "x.tfrecord-00001-of-00002"
    return lambda: part.Part(tmp_path / "made", 1, final, items=ITEMS, places=PLACES)


def packed(place):
    record = bytes([place]) * (10 + place)
    return packing.Packed(ITEMS[place], record, frames=place, clips=2, size=(8, place))


def write(one, count, *, finish=False):
    """Goes on with the next items; the one at place 1 is left out."""
    with one:
        for place in one.left[:count]:
            if place == 1:
                one.skip(place, "it is bad")
            else:
                one.store(place, packed(place))
            one.commit_if_due()
        if finish:
            one.finish()


def facts(one):
    return one.stored, one.skipped, one.shard(), one.is_finished


def content(one):
    return [record.numpy() for record in tf.data.TFRecordDataset(str(one.final))]


@pytest.fixture
def undisturbed(make, tmp_path):
    """What comes of a part that nobody disturbs: its facts and its bytes."""
    one = make()
    write(one, 5, finish=True)
    assert [path.name for path in sorted((tmp_path / "made").iterdir())] == [
        "00001.0.tfrecord",
        "00001.journal",
    ]
    one.publish()
    found = facts(one), one.final.read_bytes()
    one.final.unlink()
    (tmp_path / "made" / "00001.journal").unlink()
    return found


def test_a_part_tells_what_it_holds(make, undisturbed):
    (stored, skipped, shard, is_finished), data = undisturbed
    assert [one.item.id for one in stored] == ["item3", "item5", "item7", "item2"]
    assert all(one.record == b"" and one.frames == one.size[1] for one in stored)
    assert skipped == {1: ("item1", "it is bad")} and is_finished
    assert (shard.name, shard.records, shard.bytes) == ("x.tfrecord-00001-of-00002", 4, len(data))
    assert shard.checksum == hashlib.sha256(data).hexdigest()


@pytest.mark.parametrize("first", range(6))
@pytest.mark.parametrize("second", range(4))
def test_a_part_that_is_continued_is_the_same(make, undisturbed, first, second):
    write(make(), first)
    again = make()
    again.recover()
    assert len(again.left) == 5 - first and again.is_begun == bool(first)
    write(again, second)
    last = make()
    last.recover()
    write(last, 5, finish=True)
    last.publish()
    assert (facts(last), last.final.read_bytes()) == undisturbed
    assert content(last) == [packed(place).record for place in (3, 5, 7, 2)]


def test_what_was_written_after_the_last_commit_is_cut_off(make, undisturbed, tmp_path):
    for number, left in enumerate([[5, 1, 7, 2], [1, 7, 2]]):
        again = make()
        again.recover()
        write(again, 1)
        with (tmp_path / "made" / f"00001.{number}.tfrecord").open("ab") as file:
            file.write(b"more than what is left to write" * 100)
        with (tmp_path / "made" / "00001.journal").open("ab") as file:
            file.write(b"0123abcd {half a line")
        next_one = tmp_path / "made" / f"00001.{number + 1}.tfrecord"
        next_one.write_bytes(b"begun and never told of")
        again = make()
        again.recover()
        assert again.left == left
    write(again, 5, finish=True)
    again.publish()
    assert (facts(again), again.final.read_bytes()) == undisturbed
    assert [path.name for path in (tmp_path / "made").iterdir()] == ["00001.journal"]


def flip(path):
    data = bytearray(path.read_bytes())
    data[15] ^= 1
    path.write_bytes(data)


FAULTS = {
    "changed": (flip, "checksum"),
    "cut": (lambda path: os.truncate(path, 20), "bytes long"),
    "missing": (lambda path: path.unlink(), "missing"),
}


@pytest.mark.parametrize("fault", FAULTS)
@pytest.mark.parametrize("finish", [False, True])
def test_damaged_data_are_begun_anew(make, undisturbed, tmp_path, caplog, fault, finish):
    caplog.set_level("INFO")
    damage, told = FAULTS[fault]
    write(make(), 5 if finish else 3, finish=finish)
    damage(tmp_path / "made" / "00001.0.tfrecord")
    again = make()
    again.recover()
    assert not again.is_begun and len(again.left) == 5
    assert "x.tfrecord-00001-of-00002 is begun anew: " in caplog.text and told in caplog.text
    write(again, 5, finish=True)
    again.publish()
    assert (facts(again), again.final.read_bytes()) == undisturbed


def test_a_journal_of_other_items_is_not_trusted(make, tmp_path, caplog):
    caplog.set_level("INFO")
    write(make(), 2)
    one = part.Part(tmp_path / "made", 1, make().final, items=ITEMS, places=PLACES[::-1])
    one.recover()
    assert not one.is_begun and "its journal tells of other items" in caplog.text


def test_a_part_that_has_its_name_is_found_there(make, tmp_path):
    one = make()
    write(one, 5, finish=True)
    assert not make().is_said_to_be_published()
    one.publish()
    again = make()
    assert again.is_said_to_be_published()
    again.recover()
    assert facts(again) == facts(one)
    again.publish()
    assert again.final.exists()


@pytest.mark.parametrize("fault", ["changed", "cut", "missing", "longer", "link"])
def test_another_file_of_its_name_is_none_of_it(make, tmp_path, fault):
    one = make()
    write(one, 5, finish=True)
    one.publish()
    before = one.final.read_bytes()
    if fault == "longer":
        one.final.write_bytes(before + b"x")
    elif fault == "link":
        one.final.rename(tmp_path / "elsewhere")
        one.final.symlink_to(tmp_path / "elsewhere")
    else:
        FAULTS[fault][0](one.final)
    again = make()
    again.recover()
    assert len(again.left) == 5
    write(again, 5, finish=True)
    again.publish()
    assert again.final.read_bytes() == before and not again.final.is_symlink()
    if fault == "link":
        assert (tmp_path / "elsewhere").read_bytes() == before


def test_a_file_of_others_is_never_written_through_a_link(make, tmp_path):
    (tmp_path / "theirs").write_bytes(b"theirs")
    (tmp_path / "made" / "00001.0.tfrecord").symlink_to(tmp_path / "theirs")
    write(make(), 5, finish=True)
    assert (tmp_path / "theirs").read_bytes() == b"theirs"


def test_commits_are_made_every_few_seconds(make, monkeypatch):
    monkeypatch.setattr(part, "_SECONDS_BETWEEN_COMMITS", 10.0)
    now = [100.0]
    monkeypatch.setattr(part.time, "monotonic", lambda: now[0])
    one = make()
    told = []
    monkeypatch.setattr(journal, "append", lambda path, commit: told.append(len(commit.stored)))
    with one:
        for place, time in ((3, 100.0), (5, 109.9), (1, 110.0), (7, 111.0), (2, 120.5)):
            now[0] = time
            one.store(place, packed(place))
            one.commit_if_due()
    assert told == [3, 2]


def test_a_journal_cannot_lead_to_files_elsewhere(make, tmp_path):
    theirs = tmp_path / "theirs.tfrecord"
    theirs.write_bytes(b"precious")
    (tmp_path / "made" / "00001.").mkdir()
    empty = hashlib.sha256().hexdigest()
    line = journal.Commit("/../../theirs", 0, empty, [], [])
    journal.append(tmp_path / "made" / "00001.journal", line)
    one = make()
    one.recover()
    assert theirs.read_bytes() == b"precious"
    assert not one.is_begun and one.left == PLACES.tolist()
