import concurrent.futures
import errno
import fcntl
import json
import os
import pathlib
import shutil
import signal
import subprocess
import sys
import time

import hypothesis
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lrcn import errors, files

STEMS = st.text("abcXYZ019 ._-äß", min_size=1, max_size=20)
SUFFIXES = st.sampled_from([".keras", ".json", ".npy", ".mp4", ".00001-of-00002"])
few = hypothesis.settings(max_examples=25, deadline=None)  # every file is synced to the disk


def names(folder):
    return sorted(path.name for path in folder.iterdir())


def test_a_file_appears_when_the_block_ends(tmp_path):
    final = tmp_path / "new" / "folder" / "a.txt"
    with files.atomic_path(final) as temporary:
        temporary.write_text("whole")
        assert not final.exists()
        assert temporary.parent == final.parent
    assert final.read_text() == "whole"
    assert names(final.parent) == ["a.txt"]


@pytest.mark.parametrize("failure", [ValueError, KeyboardInterrupt, SystemExit])
def test_nothing_is_under_the_name_after_an_exception(tmp_path, failure):
    final = tmp_path / "a.txt"
    with pytest.raises(failure), files.atomic_path(final) as temporary:
        temporary.write_text("half")
        raise failure
    assert names(tmp_path) == []


def test_what_was_there_stays_after_an_exception(tmp_path):
    final = tmp_path / "a.txt"
    final.write_text("before")
    with pytest.raises(ValueError, match="stop"), files.atomic_path(final) as temporary:
        temporary.write_text("half")
        raise ValueError("stop")
    assert final.read_text() == "before"
    assert names(tmp_path) == ["a.txt"]


def test_a_block_that_writes_nothing_is_an_error_and_changes_nothing(tmp_path):
    final = tmp_path / "a.txt"
    final.write_text("before")
    with pytest.raises(errors.CannotWrite, match="No such file"), files.atomic_path(final):
        pass
    assert final.read_text() == "before"


def test_two_writers_of_one_file_do_not_meet(tmp_path):
    final = tmp_path / "a.txt"
    with files.atomic_path(final) as one, files.atomic_path(final) as other:
        one.write_text("one")
        other.write_text("other")
    assert final.read_text() == "one"  # it was opened first, so it is closed last
    assert names(tmp_path) == ["a.txt"]


@few
@given(STEMS, SUFFIXES)
def test_the_temporary_name_is_hidden_and_keeps_the_suffix(tmp_path_factory, stem, suffix):
    folder = tmp_path_factory.mktemp("names")
    final = folder / f"{stem}{suffix}"
    with files.atomic_path(final) as temporary:
        assert temporary.suffix == final.suffix
        assert temporary.name.startswith(".") and temporary.name != final.name
        temporary.write_bytes(b"x")
    assert names(folder) == [final.name]


@few
@given(st.recursive(st.none() | st.integers() | st.text(), st.lists, max_leaves=5))
def test_json_comes_back_and_stays_readable(tmp_path_factory, value):
    path = tmp_path_factory.mktemp("json") / "a.json"
    files.write_json(path, {"value": value, "name": "Übung"})
    text = path.read_text(encoding="utf-8")
    assert json.loads(text) == {"value": value, "name": "Übung"}
    assert "Übung" in text and text.endswith("}\n")


def test_json_that_cannot_be_written_leaves_the_old_one(tmp_path):
    path = tmp_path / "a.json"
    files.write_json(path, [1])
    with pytest.raises(TypeError):
        files.write_json(path, [pathlib.Path("a")])
    assert json.loads(path.read_text()) == [1]


HOLDER = """
import sys, time
from lrcn import files
with files.locked(sys.argv[1], waiting=lambda: None):
    print("held", flush=True)
    time.sleep(600)
"""


def test_a_lock_is_waited_for_and_a_killed_process_lets_go_of_it(tmp_path):
    lock, waited = tmp_path / "new" / "a.lock", []
    command = [sys.executable, "-c", HOLDER, str(lock)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as holder:
        assert holder.stdout.readline() == "held\n"

        def waiting():
            waited.append(holder.poll())
            holder.send_signal(signal.SIGKILL)

        with files.locked(lock, waiting=waiting):
            assert waited == [None]
    with files.locked(lock, waiting=lambda: waited.append("again")):
        assert waited == [None]


def test_the_lock_is_gone_at_the_end_whatever_happens(tmp_path):
    for failure in (ValueError, KeyboardInterrupt):
        with pytest.raises(failure), files.locked(tmp_path / "a.lock", waiting=pytest.fail):
            assert f"process {os.getpid()} on " in files.holder(tmp_path / "a.lock")
            raise failure
        assert names(tmp_path) == []
    (tmp_path / "a.lock").write_text("of a process that was killed")
    with files.locked(tmp_path / "a.lock", waiting=pytest.fail) as is_held:
        assert is_held
    assert names(tmp_path) == []


def test_who_will_not_wait_raises(tmp_path):
    def refuse():
        raise PermissionError("taken")

    with files.locked(tmp_path / "a.lock", waiting=pytest.fail):
        with (
            pytest.raises(PermissionError, match="taken"),
            files.locked(tmp_path / "a.lock", waiting=refuse),
        ):
            pytest.fail("it was held twice")
        assert names(tmp_path) == ["a.lock"]


def test_nobody_is_let_in_while_locks_come_and_go(tmp_path):
    """Each takes the lock anew again and again; a counter that two change at once would lose."""
    lock, counter = tmp_path / "a.lock", tmp_path / "counter"
    counter.write_text("0")

    def work():
        for _ in range(50):
            with files.locked(lock, waiting=lambda: None):
                count = int(counter.read_text())
                time.sleep(0.0005)
                counter.write_text(str(count + 1))

    with concurrent.futures.ThreadPoolExecutor(4) as threads:
        done = [threads.submit(work) for _ in range(4)]
    assert [one.result() for one in done] == [None] * 4
    assert counter.read_text() == "200" and names(tmp_path) == ["counter"]


def test_a_lock_that_is_a_link_is_not_followed(tmp_path):
    (tmp_path / "a.lock").symlink_to(tmp_path / "theirs")
    with (
        pytest.raises(FileExistsError, match="no lock but something else"),
        files.locked(tmp_path / "a.lock", waiting=pytest.fail),
    ):
        pytest.fail("it was followed")
    assert names(tmp_path) == ["a.lock"]


def refused(code, *names):
    return OSError(code, os.strerror(code), *names)


@pytest.mark.parametrize("stage", ["mkdir", "write", "fsync", "replace"])
def test_a_fault_of_the_system_names_the_final_file(tmp_path, monkeypatch, stage):
    final = tmp_path / "folder" / "a.txt"
    files.write_text(final, "before")

    def fail(*arguments, **options):
        raise refused(errno.ENOSPC)

    places = {"mkdir": pathlib.Path, "write": pathlib.Path, "fsync": os, "replace": os}
    name = {"write": "write_text"}.get(stage, stage)
    with monkeypatch.context() as patch:
        patch.setattr(places[stage], name, fail)
        with pytest.raises(errors.CannotWrite) as caught:
            files.write_text(final, "after")
    assert caught.value.where == str(final)
    assert caught.value.received == "No space left on device"
    assert final.read_text() == "before"
    assert names(final.parent) == ["a.txt"]


def test_the_first_fault_is_told_if_the_cleanup_fails_too(tmp_path, monkeypatch):
    def unlink(path, missing_ok=False):
        raise refused(errno.EROFS, str(path))

    with monkeypatch.context() as patch:
        patch.setattr(pathlib.Path, "unlink", unlink)
        with (
            pytest.raises(errors.CannotWrite, match="No space left"),
            files.atomic_path(tmp_path / "a.txt"),
        ):
            raise refused(errno.ENOSPC)


def test_a_fault_of_another_file_is_raised_as_it_is(tmp_path):
    with pytest.raises(FileNotFoundError), files.atomic_path(tmp_path / "a.txt") as temporary:
        shutil.copyfile(tmp_path / "gone", temporary)
    assert names(tmp_path) == []


def test_a_copy_that_finds_no_room_is_about_the_copy(tmp_path):
    told = pytest.raises(errors.CannotWrite, match=r"a\.txt: cannot")
    with told, files.atomic_path(tmp_path / "a.txt") as temporary:
        raise refused(errno.ENOSPC, "source", None, str(temporary))


def write_all(folder, text, *, fail=None):
    with files.together(folder, first="what.json", last="metrics.json") as beside:
        for name in ("what.json", "a.txt", "metrics.json"):
            if name == fail:
                raise refused(errno.ENOSPC)
            files.write_text(beside / name, text)


def test_files_that_belong_together_appear_together(tmp_path):
    folder = tmp_path / "results"
    write_all(folder, "one")
    assert names(folder) == ["a.txt", "metrics.json", "what.json"]
    (folder / "other").touch()
    with pytest.raises(OSError, match="No space"):
        write_all(folder, "two", fail="a.txt")
    assert names(folder) == ["a.txt", "metrics.json", "other", "what.json"]
    assert {(folder / name).read_text() for name in ("a.txt", "metrics.json")} == {"one"}
    write_all(folder, "two")
    assert {(folder / name).read_text() for name in ("a.txt", "metrics.json")} == {"two"}


def test_what_fails_in_a_group_is_told_by_its_final_name(tmp_path, monkeypatch):
    folder = tmp_path / "results"
    write_all(folder, "one")
    real, moved = os.replace, []

    def replace(source, target):
        moved.append(pathlib.Path(target).name)
        if len(moved) == 5:  # three into the group's own folder, then the second of the moves
            raise refused(errno.EIO)
        real(source, target)

    with monkeypatch.context() as patch:
        patch.setattr(os, "replace", replace)
        with pytest.raises(errors.CannotWrite) as caught:
            write_all(folder, "two")
    assert caught.value.where == str(folder)
    assert moved[3:] == ["what.json", "a.txt"]
    assert names(folder) == ["a.txt", "what.json"]  # that they are not whole is seen
    with monkeypatch.context() as patch:
        patch.setattr(os, "fsync", lambda descriptor: (_ for _ in ()).throw(refused(errno.EIO)))
        with pytest.raises(errors.CannotWrite) as caught:
            write_all(folder, "two")
    assert caught.value.where == str(folder / "what.json")


def test_a_group_that_fails_leaves_no_new_folder(tmp_path):
    with pytest.raises(OSError, match="No space"):
        write_all(tmp_path / "a" / "results", "one", fail="what.json")
    assert names(tmp_path) == []


def test_what_a_killed_process_left_of_a_group_is_removed(tmp_path):
    left = tmp_path / "results" / ".results.tmp"
    left.mkdir(parents=True)
    (left / "old.txt").touch()
    write_all(tmp_path / "results", "one")
    assert names(tmp_path / "results") == ["a.txt", "metrics.json", "what.json"]


def write_whole(folder, text):
    with files.whole_folder(folder) as staging:
        files.write_text(staging / "a.txt", text)


def failing(monkeypatch, place, name, failure, *, at, before=True):
    """Lets a function fail once at its call number `at`, before it does its work or after."""
    real, calls = getattr(place, name), []

    def fail(*arguments):
        calls.append(arguments)
        done = None if len(calls) == at and before else real(*arguments)
        if len(calls) == at:
            raise failure
        return done

    monkeypatch.setattr(place, name, fail)


@pytest.mark.parametrize("at", [2, 3])  # the first replace is that of the file in it
@pytest.mark.parametrize("before", [True, False])
@pytest.mark.parametrize("failure", [refused(errno.EIO, "x/folder"), KeyboardInterrupt()])
def test_a_folder_that_fails_to_take_its_place_leaves_a_whole_one(
    tmp_path, monkeypatch, at, before, failure
):
    folder = tmp_path / "folder"
    write_whole(folder, "one")
    failing(monkeypatch, os, "replace", failure, at=at, before=before)
    with pytest.raises(type(failure)):
        write_whole(folder, "two")
    assert names(tmp_path) == ["folder"]
    took_place = at == 3 and not before
    assert (folder / "a.txt").read_text() == ("two" if took_place else "one")


def test_an_earlier_folder_that_cannot_be_put_back_is_kept_and_named(tmp_path, monkeypatch, caplog):
    folder = tmp_path / "folder"
    write_whole(folder, "one")
    failing(monkeypatch, os, "replace", refused(errno.EIO, str(folder)), at=3)
    failing(monkeypatch, pathlib.Path, "rename", refused(errno.EROFS), at=1)
    with pytest.raises(errors.CannotWrite, match="Input/output error"):
        write_whole(folder, "two")
    (kept,) = tmp_path.iterdir()
    assert (kept / "a.txt").read_text() == "one"
    (line,) = (record.getMessage() for record in caplog.records)
    assert line == f"{folder}: what was there is now {kept} (Read-only file system)"


def test_a_folder_that_somebody_puts_there_meanwhile_loses_nobody_anything(tmp_path, monkeypatch):
    folder = tmp_path / "folder"
    write_whole(folder, "one")
    real = os.replace

    def replace(source, target):
        real(source, target)
        if pathlib.Path(source) == folder:
            folder.mkdir()
            (folder / "theirs").touch()

    monkeypatch.setattr(os, "replace", replace)
    with pytest.raises(errors.CannotWrite, match="not empty"):
        write_whole(folder, "two")
    kept, theirs = sorted(tmp_path.iterdir())
    assert (kept / "a.txt").read_text() == "one" and names(theirs) == ["theirs"]


def test_a_link_is_found_in_any_folder(tmp_path):
    assert files.first_link(tmp_path / "none") is None
    (tmp_path / "a" / "b").mkdir(parents=True)
    assert files.first_link(tmp_path) is None
    (tmp_path / "a" / "b" / "c").symlink_to(tmp_path)
    assert files.first_link(tmp_path) == tmp_path / "a" / "b" / "c"
    (tmp_path / "a" / "d").symlink_to("b")
    assert files.first_link(tmp_path) == tmp_path / "a" / "d"


@pytest.mark.parametrize("code", [errno.EINVAL, errno.ENOTSUP, errno.EIO])
def test_a_folder_is_synced_where_the_system_can(tmp_path, monkeypatch, code):
    def refuse(descriptor):
        raise OSError(code, os.strerror(code))

    monkeypatch.setattr(os, "fsync", refuse)
    if code == errno.EIO:
        with pytest.raises(OSError, match="Input/output error"):
            files.sync_folder(tmp_path)
    else:
        assert files.sync_folder(tmp_path) is None


def test_whether_a_lock_is_held_is_asked_without_taking_it(tmp_path, monkeypatch):
    lock = tmp_path / "a.lock"
    assert not files.is_locked(lock) and not lock.exists()
    with files.locked(lock, waiting=pytest.fail):
        assert files.is_locked(lock) and files.is_locked(lock)
    lock.write_text("{}")  # of a process that was killed
    assert not files.is_locked(lock)
    with lock.open() as asking:  # as another that asks at the same moment
        fcntl.flock(asking, fcntl.LOCK_SH)
        assert not files.is_locked(lock)
    lock.unlink()
    os.mkfifo(lock)
    assert not files.is_locked(lock)  # and not waited for

    def refuse(*_):
        raise OSError(38, "Function not implemented")

    monkeypatch.setattr(fcntl, "flock", refuse)
    assert not files.is_locked(lock)
