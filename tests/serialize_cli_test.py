"""`lrcn serialize` as users start, stop, kill and start it again."""

import json
import os
import random
import signal
import subprocess
import sys
import time

import pytest

from lrcn import cli
from lrcn.data import packing, records

# What is started in the background of a script has SIGINT ignored, and so would its children.
RUN = (
    "import signal, sys; signal.signal(signal.SIGINT, signal.default_int_handler); "
    "from lrcn import cli; sys.exit(cli.main())"
)
COMMAND = [sys.executable, "-c", RUN]
UNFINISHED = ".train.tfrecord.unfinished"
SHAPES = [
    *("serialize", "dataset=moving_shapes", "dataset.val=40", "dataset.test=0", "dataset.size=48"),
    *("do_shuffle=true", "seed=4", "clipframe_mode.num_frames_per_clip=8", "num_threads=1"),
]


def start(folder, *arguments):
    environment = {**os.environ, "TF_CPP_MIN_LOG_LEVEL": "3"}
    log = (folder.parent / f"{folder.name}.log").open("a")
    arguments = [*COMMAND, *SHAPES, f"output_folder={folder}", *arguments]
    with log:
        return subprocess.Popen(
            arguments, cwd=folder.parent, stdout=log, stderr=log, env=environment
        )


def log_of(folder):
    return (folder.parent / f"{folder.name}.log").read_text()


def content(folder):
    return {file.name: file.read_bytes() for file in folder.iterdir()}


def finished_shards(folder):
    """How many shards of the first split the journals call finished."""
    journals = (folder / UNFINISHED).glob("*.journal")
    return sum(b'"finished": true' in file.read_bytes() for file in journals)


def wait_for(process, reached):
    deadline = time.monotonic() + 120
    while process.poll() is None and not reached() and time.monotonic() < deadline:
        time.sleep(0.002)
    return process.poll() is None


@pytest.mark.parametrize(("failure", "code"), [(KeyboardInterrupt(), 130), (SystemExit(143), 143)])
def test_an_interrupt_says_how_to_go_on(tmp_path, monkeypatch, capsys, failure, code):
    pack, places = packing.Packer.__call__, []

    def interrupt(packer, place):
        places.append(place)
        if len(places) == 7:
            raise failure
        return pack(packer, place)

    monkeypatch.setattr(packing.Packer, "__call__", interrupt)
    few = ["dataset.train=9", "dataset.val=2", "shards=2", f"output_folder={tmp_path}/r"]
    arguments = [*SHAPES, *few]
    try:
        received = cli.main(arguments)
    except SystemExit as exit:
        received = exit.code
    assert received == code
    assert capsys.readouterr().err.count("interrupted; go on with: the same command") == 1
    assert [path.name for path in (tmp_path / "r").iterdir()] == [UNFINISHED]
    monkeypatch.setattr(packing.Packer, "__call__", pack)
    assert cli.main(arguments) == 0
    assert "1 of 2 shards are done" in capsys.readouterr().err
    assert not records.verify(tmp_path / "r" / "train")


@pytest.mark.slow
def test_kills_at_any_moment_change_not_a_byte(tmp_path):
    keys = ["dataset.train=600", "shards=6"]
    undisturbed, killed = tmp_path / "a" / "r", tmp_path / "b" / "r"
    for folder in (undisturbed, killed):
        folder.parent.mkdir()
    assert start(undisturbed, *keys).wait() == 0, log_of(undisturbed)
    moments = random.Random(3)
    for _ in range(3):
        process, done = start(killed, *keys), finished_shards(killed)
        assert wait_for(process, lambda done=done: finished_shards(killed) > done), log_of(killed)
        time.sleep(moments.uniform(0, 0.05))
        process.kill()
        assert process.wait() == -signal.SIGKILL, log_of(killed)
    assert finished_shards(killed) >= 3 and not (killed / "train.tfrecord.size").exists()
    assert start(killed, *keys).wait() == 0, log_of(killed)
    assert content(killed) == content(undisturbed)
    assert "going on with unfinished records" in log_of(killed)


@pytest.mark.slow
def test_signals_end_it_quickly_and_a_second_process_is_refused(tmp_path):
    folder, keys = tmp_path / "r", ["dataset.train=4000", "shards=40"]
    for number, (sent, code) in enumerate(((signal.SIGTERM, 143), (signal.SIGINT, 130)), start=1):
        process = start(folder, *keys)
        done = finished_shards(folder)
        assert wait_for(process, lambda done=done: finished_shards(folder) > done), log_of(folder)
        if number == 1:
            before = json.loads((folder / ".lrcn.lock").read_text())
            assert start(folder, *keys).wait() == 1
            assert before["process"] == process.pid
            told = f"process {process.pid} on {before['host']} since {before['since']}"
            assert told in log_of(folder) and process.poll() is None
        began = time.monotonic()
        process.send_signal(sent)
        assert process.wait() == code
        assert time.monotonic() - began < 10
        assert log_of(folder).count("interrupted; go on with: the same command") == number
        assert [path.name for path in folder.iterdir()] == [UNFINISHED]
    assert "going on with unfinished records" in log_of(folder)
