import dataclasses
import os
import pathlib
import signal
import subprocess
import sys
import threading

import pytest

from lrcn import outcomes as outcomes_lib


@pytest.fixture
def outcomes(tmp_path):
    return outcomes_lib.Outcomes.begun(tmp_path / "sweep")


@pytest.fixture
def gone():
    """The number of a process that has ended."""
    with subprocess.Popen([sys.executable, "-c", ""]) as process:
        process.wait()
    return process.pid


def test_jobs_are_read_in_their_order_with_what_became_of_them(outcomes):
    for number in (10, 2, 1):
        begun = outcomes.begin(number, pathlib.Path(f"run{number}"), [f"seed={number}"])
        if number == 1:
            outcomes.end(begun, code=0)
        if number == 2:
            outcomes.end(begun, code=2, error=ValueError("no such thing"))
    done, failed, lost = outcomes.read()
    assert [job.folder for job in (done, failed, lost)] == ["run1", "run2", "run10"]
    assert [job.overrides for job in (done, failed, lost)] == [["seed=1"], ["seed=2"], ["seed=10"]]
    assert (done.failure, failed.failure) == (None, "no such thing")
    assert (done.code, failed.code) == (0, 2)
    assert "its process ended before the job did" in lost.failure
    outcomes.remove()
    assert list(outcomes.sweep.iterdir()) == []


def test_an_end_that_another_job_came_to_is_known(outcomes):
    error = ValueError("no such thing")
    assert not outcomes.has_met(error)
    outcomes.end(outcomes.begin(0, pathlib.Path("run0"), []), code=1, error=error)
    assert outcomes.has_met(ValueError("no such thing")) and not outcomes.has_met(ValueError("no"))
    outcomes.end(outcomes.begin(1, pathlib.Path("run1"), []), code=0)
    assert not outcomes.has_met(ValueError("None"))


def test_what_a_killed_sweep_has_left_is_removed_and_nothing_else(tmp_path, outcomes, gone):
    number = outcomes.folder.name.rpartition("-")[2]
    name = outcomes.folder.name.replace(f"{os.getpid()}-{number}", f"{gone}-{number}")
    old = outcomes.folder.with_name(name)
    # Of a host whose name goes on where this one's ends, with what could be the process.
    longer = f"{outcomes.host}-{gone}"
    others = [
        outcomes.folder.with_name(name.replace(outcomes.host, host))
        for host in ("elsewhere", longer)
    ]
    for folder in (old, *others):
        folder.mkdir()
    outcomes_lib.Outcomes.begun(tmp_path / "sweep")
    assert not old.exists()
    assert all(other.is_dir() for other in others) and outcomes.folder.is_dir()


def test_jobs_are_over_when_the_sweep_is(outcomes, gone):
    assert not outcomes.is_over
    orphaned = dataclasses.replace(outcomes, process=gone)
    assert orphaned.is_over
    assert not dataclasses.replace(orphaned, outlives=True).is_over
    assert not dataclasses.replace(orphaned, host="elsewhere").is_over
    outcomes.stop()
    assert outcomes.is_over
    outcomes.remove()
    assert dataclasses.replace(outcomes, outlives=True).is_over


def test_stopping_waits_for_jobs_of_other_processes(outcomes):
    with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) as process:
        begun = outcomes.begin(0, pathlib.Path("run"), [])
        elsewhere = dataclasses.replace(begun, process=process.pid)
        assert not begun.is_running and elsewhere.is_running
        outcomes._write(elsewhere)
        waiting = threading.Thread(target=outcomes.stop)
        waiting.start()
        waiting.join(1)
        assert waiting.is_alive()
        outcomes.leave(elsewhere)
        waiting.join()
        process.communicate(b"\n")


def test_a_job_is_sent_a_signal_when_the_sweep_is_over(outcomes):
    received = []
    before = signal.signal(signal.SIGTERM, lambda number, _: received.append(number))
    try:
        with outcomes.watched():
            (outcomes.folder / "stop").touch()
            signal.sigtimedwait([], 5)  # until a handler has run
        with outcomes.watched():
            pass
    finally:
        signal.signal(signal.SIGTERM, before)
    assert received[:1] == [signal.SIGTERM]


def test_nobody_is_left_behind_when_the_sweep_is_killed(outcomes, gone):
    program = (
        "import sys, pathlib, signal, time\n"
        "from lrcn import outcomes\n"
        "signal.signal(signal.SIGTERM, lambda *_: sys.exit(7))\n"
        "of = outcomes.Outcomes(pathlib.Path(sys.argv[1]), sys.argv[2], int(sys.argv[3]), False)\n"
        "try:\n"
        "    with of.watched():\n"
        "        time.sleep(60)\n"
        "finally:\n"
        "    print('goes on')\n"
    )
    command = [sys.executable, "-c", program, str(outcomes.folder), outcomes.host, str(gone)]
    done = subprocess.run(command, capture_output=True, text=True)
    assert (done.returncode, done.stdout) == (143, ""), done.stderr
    assert os.path.isdir(outcomes.folder)
