"""Sweeps in other processes, with the launchers and the sweeper of the extras."""

import contextlib
import csv
import importlib.metadata
import os
import pathlib
import signal
import sqlite3
import subprocess
import sys
import time

import pytest

from lrcn import cores

pytestmark = pytest.mark.extras

TINY = (
    *("backbone.image_size=[16,16]", "workflow.units=4", "batch_size=4", "callbacks=minimal"),
    *("dataset.train=16", "dataset.val=8", "dataset.test=0", "dataset.size=24"),
    "clipframe_mode.num_frames_per_clip=4",
)
METRICS = ("video_accuracy", "video_top5", "clip_accuracy", "loss")


def needs(extra, package):
    """Marks a test of an extra, before its fixtures do any work."""
    names = {found.name for found in importlib.metadata.distributions()}
    return pytest.mark.skipif(package not in names, reason=f"the extra {extra} is not installed")


JOBLIB = needs("joblib", "hydra-joblib-launcher")
SUBMITIT = needs("submitit", "hydra-submitit-launcher")
RAY = needs("ray", "hydra-ray-launcher")
OPTUNA = needs("optuna", "hydra-optuna-sweeper")


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    return tmp_path_factory.mktemp("sweeps")


def start(place, *arguments, **more):
    command = [sys.executable, "-m", "lrcn", "train", "-m", *TINY, *arguments]
    environment = {**os.environ, "LRCN_CACHE": str(place / "cache"), **more}
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
    return subprocess.Popen(command, cwd=place, env=environment, **pipes)


@contextlib.contextmanager
def started(place, *arguments):
    """Starts a sweep, which does not outlive the test."""
    with start(place, *arguments) as process:
        try:
            yield process
        finally:
            if process.poll() is None:
                process.terminate()


def run(place, *arguments, **more):
    with start(place, *arguments, **more) as process:
        out, err = process.communicate()
    return process.returncode, out, err


def summary(place, name):
    with (place / "multirun" / name / "summary.csv").open() as file:
        rows = list(csv.DictReader(file))
    return {(row["seed"], row["optimizer.learning_rate"]): row for row in rows}


def wait_for(condition, process):
    deadline = time.monotonic() + 300
    while not condition():
        assert process.poll() is None, process.communicate()
        assert time.monotonic() < deadline, "it hangs"
        time.sleep(0.1)


SWEEP = ("epochs=1", "seed=0,1,2", "optimizer.learning_rate=.01,.001")


@pytest.fixture(scope="module")
def basic(place):
    # With the threads of two jobs at once: another number makes sums in another order.
    threads = str(max(cores.usable() // 2, 1))
    code, _, err = run(place, "name=basic", *SWEEP, TF_NUM_INTRAOP_THREADS=threads)
    assert code == 0, err
    return summary(place, "basic")


@pytest.mark.parametrize(
    "launcher",
    [
        pytest.param("joblib", marks=JOBLIB),
        pytest.param("submitit_local", marks=SUBMITIT),
        pytest.param("ray", marks=RAY),
    ],
)
def test_a_sweep_ends_the_same_on_every_launcher(place, basic, launcher):
    code, out, err = run(place, f"name={launcher}", f"hydra/launcher={launcher}", *SWEEP)
    assert code == 0, err
    assert "Traceback" not in err
    assert "6 jobs by video accuracy" in out
    rows = summary(place, launcher)
    assert rows.keys() == basic.keys() and len(rows) == 6
    for key, row in rows.items():
        assert row["status"] == "DONE"
        assert [row[name] for name in METRICS] == [basic[key][name] for name in METRICS]
    assert not list((place / "multirun" / launcher).glob(".jobs-*"))


@JOBLIB
def test_a_job_that_fails_is_told_and_the_others_go_on(place):
    given = ("name=failing", "hydra/launcher=joblib", "epochs=1", "seed=0")
    code, out, err = run(place, *given, "optimizer.learning_rate=.01,-1")
    assert code == 1
    rows = summary(place, "failing")
    assert {key: row["status"] for key, row in rows.items()} == {
        ("0", "0.01"): "DONE",
        ("0", "-1"): "FAILED",
    }
    assert "optimizer.learning_rate: not a value of this key. Received: -1" in err
    assert "1 of 2 jobs failed" in err


@JOBLIB
def test_a_job_that_is_killed_is_told_and_repeated(place):
    psutil = pytest.importorskip("psutil")
    given = ("name=killed", "hydra/launcher=joblib", "optimizer.learning_rate=.01", "seed=0,1")
    with started(place, *given, "epochs=500") as process:
        folder = place / "multirun" / "killed"
        wait_for(lambda: list(folder.glob("*/checkpoints/last.keras")), process)
        children = psutil.Process(process.pid).children()
        workers = [own for own in children if any("Loky" in text for text in own.cmdline())]
        assert len(workers) == min(2, cores.usable())
        workers[0].kill()
        out, err = process.communicate()
    assert process.returncode == 1
    assert "error: hydra/launcher: the sweep was broken off. Received: TerminatedWorker" in err
    assert "its process ended before the job did" in err
    assert "FAILED" in out


@JOBLIB
@OPTUNA
def test_a_search_is_continued_and_keeps_to_its_space(place):
    given = ("name=search", "hydra/sweeper=optuna", "hydra/launcher=joblib")
    given += ("optimizer.learning_rate=tag(log,interval(1e-4,1e-1))", "epochs=8")
    folder = place / "multirun" / "search"

    def trials():
        with sqlite3.connect(folder / "study.db") as database:
            return dict(database.execute("select number, state from trials"))

    with started(place, *given, "seed=choice(0,1)", "hydra.sweeper.n_trials=4") as process:
        wait_for(lambda: list(folder.glob("*/checkpoints/last.keras")), process)
        process.send_signal(signal.SIGTERM)
        _, err = process.communicate()
    assert process.returncode == 143, err
    assert "interrupted; go on with: the same command" in err
    assert "RUNNING" in trials().values()
    begun = {path.parent for path in folder.glob("*/config.json")}

    code, out, err = run(place, *given, "seed=choice(0,1)", "hydra.sweeper.n_trials=4")
    assert code == 0, err
    assert trials() == dict.fromkeys(range(4), "COMPLETE")
    assert begun <= {path.parent for path in folder.glob("*/DONE")}
    assert "best of 4 trials: " in out
    assert len(summary(place, "search")) == 4

    code, out, err = run(place, *given, "seed=choice(0,1)", "hydra.sweeper.n_trials=4")
    assert (code, "4 of 4 trials" in err) == (0, True)
    assert "best of 4 trials: " in out and "4 jobs" in out

    code, out, err = run(place, *given, "seed=choice(0,2)", "hydra.sweeper.n_trials=6")
    assert (code, out, err.count("\n")) == (1, "", 1)
    assert "seed: the study in multirun/search searches something else." in err
    assert "Received: choice(0, 2). Expected: choice(0, 1)." in err
    assert pathlib.Path(folder / "study.db").exists() and len(trials()) == 4
