import fcntl
import json
import os
import pathlib
import signal
import socket
import subprocess
import sys

import pytest

from lrcn import errors
from lrcn.data import claim

HOLDER = """
import pathlib, sys, time
from lrcn.data import claim
with claim.alone(pathlib.Path(sys.argv[1])):
    print("held", flush=True)
    time.sleep(600)
"""


def told(folder):
    with pytest.raises(errors.UserError) as caught, claim.alone(folder):
        pytest.fail("the folder was free")
    assert "\n" not in str(caught.value)
    return str(caught.value)


def test_the_second_is_told_who_is_there_until_it_is_killed(tmp_path):
    command = [sys.executable, "-c", HOLDER, str(tmp_path)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as holder:
        assert holder.stdout.readline() == "held\n"
        message = told(tmp_path)
        assert message.startswith(f"{tmp_path}: another process is serializing into this folder")
        since = json.loads((tmp_path / ".lrcn.lock").read_text())["since"]
        assert f"process {holder.pid} on {socket.gethostname()} since {since}" in message
        holder.send_signal(signal.SIGKILL)
        holder.wait()
    assert claim.is_marked(tmp_path)
    with claim.alone(tmp_path) as is_alone:
        assert is_alone
        assert f"process {os.getpid()} on " in told(tmp_path)  # of this process, too
    assert not claim.is_marked(tmp_path) and list(tmp_path.iterdir()) == []


def plant(kind, lock, theirs):
    if kind == "a link":
        lock.symlink_to(theirs)
    elif kind == "a link to nothing":
        lock.symlink_to(theirs.with_name("new"))
    elif kind == "a hard link":
        os.link(theirs, lock)
    elif kind == "a folder":
        lock.mkdir()
    else:
        os.mkfifo(lock)


@pytest.mark.parametrize(
    "kind", ["a link", "a link to nothing", "a hard link", "a folder", "a pipe"]
)
def test_what_is_no_lock_is_refused_and_left_alone(tmp_path, kind):
    (tmp_path / "theirs").write_text("theirs")
    lock = tmp_path / ".lrcn.lock"
    plant(kind, lock, tmp_path / "theirs")
    assert f"{lock}: the lock of the folder is something else" in told(tmp_path)
    assert (tmp_path / "theirs").read_text() == "theirs"
    assert sorted(path.name for path in tmp_path.iterdir()) == [".lrcn.lock", "theirs"]


def test_a_file_of_the_block_that_exists_is_no_matter_of_the_lock(tmp_path):
    with pytest.raises(FileExistsError, match="mine"), claim.alone(tmp_path):
        raise FileExistsError("mine")
    assert not claim.is_marked(tmp_path)


def test_a_file_system_without_locks_is_told(tmp_path, monkeypatch, caplog):
    caplog.set_level("INFO")

    def refuse(*_):
        raise OSError(38, "Function not implemented")

    monkeypatch.setattr(fcntl, "flock", refuse)
    with claim.alone(tmp_path) as is_alone:
        assert not is_alone
    assert "the file system has no locks (Function not implemented)" in caplog.text
    assert list(tmp_path.iterdir()) == []


def test_a_holder_that_has_not_said_who_it_is(tmp_path):
    lock = pathlib.Path(tmp_path / ".lrcn.lock")
    with lock.open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        assert "Received: another process." in told(tmp_path)
    assert lock.exists()
