import os
import stat
import time

import pytest

from lrcn import errors
from lrcn.page import uploads


@pytest.fixture
def folder():
    with uploads.opened(1000) as opened:
        yield opened


def drop(folder, name="abc/a.mp4", size=10, age=0.0):
    path = folder.path / name
    path.parent.mkdir(exist_ok=True)
    path.write_bytes(b"x" * size)
    if age:
        then = path.stat().st_mtime - age
        os.utime(path, (then, then))
    return path


def test_the_folder_is_private_and_gone_in_the_end():
    with uploads.opened(10) as folder:
        assert stat.S_IMODE(folder.path.stat().st_mode) == 0o700
        drop(folder)
    assert not folder.path.exists()


def test_a_file_is_gone_after_its_answer_even_if_that_fails(folder):
    path = drop(folder)
    with pytest.raises(ZeroDivisionError), folder.taken(str(path)) as taken:
        assert taken.read_bytes() == b"x" * 10
        raise ZeroDivisionError
    assert not list(folder.path.iterdir())


def test_only_files_of_the_folder_are_taken(folder, tmp_path):
    mine = tmp_path / "mine.mp4"
    mine.write_bytes(b"mine")
    link = folder.path / "link.mp4"
    link.symlink_to(mine)
    for given in (
        mine,
        link,
        folder.path / "x" / ".." / ".." / "etc",
        folder.path,
        "",
        "none",
        "\0",
    ):
        with pytest.raises(errors.UserError, match="not there any more"), folder.taken(given):
            pytest.fail("it was taken")
    assert mine.read_bytes() == b"mine"


def test_the_same_file_dropped_twice_is_two_files(folder):
    first = folder.own(str(drop(folder)))
    second = folder.own(str(drop(folder)))  # Gradio has one place for what is the same
    assert first != second
    with folder.taken(first) as path:
        assert path.name == "a.mp4"
    with folder.taken(second) as path:
        assert path.read_bytes() == b"x" * 10
    folder.tidy()
    assert not list(folder.path.iterdir())
    assert folder.own("/etc/passwd") == "/etc/passwd" and folder.own("") == ""


def test_what_waits_for_its_answer_is_kept_however_long_that_takes(folder, monkeypatch):
    waiting, other = drop(folder), drop(folder, "def/b.mp4")
    folder.ask(str(waiting))
    now = time.time()
    with folder.taken(other):
        monkeypatch.setattr(time, "time", lambda: now + 5000)
        assert folder.has_room() and waiting.exists()
    assert folder.has_room() and waiting.exists()  # it is its turn now
    with folder.taken(waiting):
        assert waiting.exists()


def test_what_nobody_waits_for_any_more_is_removed(folder, monkeypatch):
    gone = drop(folder)
    folder.ask(str(gone))
    now = time.time()
    monkeypatch.setattr(time, "time", lambda: now + 500)
    folder.tidy()
    assert gone.exists()
    for number in range(uploads.MOST_WAITING + 1):  # all that can wait before it had their turn
        with folder.taken(drop(folder, f"{number}/b.mp4")):
            monkeypatch.setattr(time, "time", lambda: now + 700)
            folder.tidy()
            assert gone.exists() == (number < uploads.MOST_WAITING)
    again = drop(folder)
    folder.ask(str(again))
    monkeypatch.setattr(time, "time", lambda: now + 1400)
    folder.tidy()
    assert not again.exists()  # nothing is being answered, so nothing waits


def test_parts_of_uploads_that_broke_off_are_removed(folder):
    part = drop(folder, "tmp123", size=1000)
    folder.tidy(coming=1)
    assert part.exists()
    assert folder.has_room() and not part.exists()


def test_what_nobody_asked_about_is_removed_after_a_while(folder):
    old, new = drop(folder, age=601), drop(folder, "def/b.mp4", age=500)
    folder.tidy()
    assert not old.parent.exists() and new.exists()


def test_there_is_room_for_four_files(folder):
    for number in range(3):
        drop(folder, f"{number}/a.mp4", size=1000)
        assert folder.has_room()
    assert not folder.has_room(1)
    drop(folder, "3/a.mp4", size=1)
    assert not folder.has_room()
    drop(folder, "0/a.mp4", size=1000, age=1000)
    assert folder.has_room()
