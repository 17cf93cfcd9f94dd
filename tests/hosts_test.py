"""Two hosts on one machine, as a user starts them: they need the extra `hosts`."""

import csv
import importlib.util
import os
import pathlib
import signal
import socket
import subprocess
import sys
import time

import numpy as np
import psutil
import pytest

from lrcn import evaluation, runs
from lrcn import settings as settings_lib
from lrcn.training import checkpoints

pytestmark = [
    pytest.mark.extras,
    pytest.mark.skipif(importlib.util.find_spec("jax") is None, reason="needs the extra hosts"),
]
HERE = pathlib.Path(__file__).parent
MOST = 600  # seconds after which a test gives up on a process
# `lrcn` with so many SIGTERM to the process at the begin of its first validation.
ASKED_IN_VALIDATION = """
import os, signal, sys, time
from lrcn import cli
from lrcn.verbs import showing

start, sent = showing.start_tensorflow, []  # it is called more than once


def started():
    start()
    from lrcn.training import interruption

    watched = interruption.Interruption.watched

    def asked(self, elements):
        while len(sent) < SIGNALS:
            sent.append(os.kill(os.getpid(), signal.SIGTERM))
            time.sleep(0.6)  # else it is one, sent by way of a parent, too
        return watched(self, elements)

    interruption.Interruption.watched = asked


showing.start_tensorflow = started
sys.exit(cli.main())
"""


def free_port():
    with socket.socket() as taken:
        taken.bind(("localhost", 0))
        return taken.getsockname()[1]


@pytest.fixture
def start(write_records, tmp_path):
    """Starts trainings of two tiny splits on JAX, of seven clips in batches of three."""
    train = write_records((6, 7, 5, 8, 6, 9, 7), name="train")
    val = write_records((9, 6, 5), name="val")
    started = []

    def one(run, *more, program=("-m", "lrcn")):
        keys = (
            *("dataset=records", f"dataset.train={train.path}", f"dataset.val={val.path}"),
            *("workflow.units=6", "workflow.dropout_in=.3", "clipframe_mode.num_frames_per_clip=4"),
            *("backbone.image_size=[16,16]", "backbone.trainable=false", "batch_size=3"),
            *("callbacks.patience=null", "callbacks.tensorboard=false", f"hydra.run.dir={run}"),
        )
        log = (tmp_path / f"{len(started)}.log").open("w+")
        process = subprocess.Popen(
            [sys.executable, *program, "train", *keys, *more],
            env={**os.environ, "KERAS_BACKEND": "jax"},
            cwd=tmp_path,
            stdout=log,
            stderr=subprocess.STDOUT,
        )
        started.append((process, log))
        return process, log

    yield one
    for process, log in started:
        if process.poll() is None:
            process.kill()  # its child ends with it
            process.wait()
        log.close()


def two(start, run, *more, **options):
    port = free_port()
    keys = ("strategy=hosts", "strategy.count=2", f"strategy.coordinator=localhost:{port}")
    return [start(run, *keys, f"strategy.index={index}", *more, **options) for index in range(2)]


def ended(processes):
    """Returns exit codes and what was said."""
    codes = [process.wait(MOST) for process, _ in processes]
    said = []
    for _, log in processes:
        log.seek(0)
        said.append(log.read())
    return codes, said


def trained(processes):
    codes, said = ended(processes)
    assert codes == [0] * len(processes), said
    return said


def history(run):
    return list(csv.DictReader(run.history_file.read_text().splitlines()))


def wait_for_epoch(run, processes, epochs=1):
    began = time.monotonic()
    while not run.history_file.exists() or len(history(run)) < epochs:
        assert time.monotonic() - began < MOST
        if any(process.poll() is not None for process, _ in processes):
            pytest.fail(str(ended(processes)))
        time.sleep(0.05)


def assert_same(run, other):
    for row, other_row in zip(history(run), history(other), strict=True):
        for name in ("loss", "accuracy", "val_loss", "val_video_accuracy"):
            assert float(other_row[name]) == pytest.approx(float(row[name]), rel=1e-5), name
    (network, _), (other_network, _) = checkpoints.load(run.last), checkpoints.load(other.last)
    for variable, value in zip(network.weights, other_network.weights, strict=True):
        np.testing.assert_allclose(value.numpy(), variable.numpy(), atol=1e-5)


@pytest.mark.parametrize("augment", ["none", "crop_mirror"])  # of features, and of frames
def test_two_hosts_train_as_one_process(start, tmp_path, augment):
    single, shared = (runs.RunDirectory(tmp_path / name) for name in ("single", "shared"))
    trained([start(single.path, f"augment={augment}", "epochs=2")])
    first = trained(two(start, shared.path, f"augment={augment}", "epochs=1"))
    second = trained(two(start, shared.path, f"augment={augment}", "epochs=2"))
    assert_same(single, shared)
    for said in (first, second):
        weights = [[line for line in text.splitlines() if "weights" in line] for text in said]
        assert len(weights[0]) == 1 and weights[0] == weights[1]
    # This process is on TensorFlow: what was trained there is what is used here.
    settings = settings_lib.EvaluateSettings(run=str(shared.path), split="val")
    _, measured, _ = evaluation.of_run(settings)
    assert measured["loss"] == pytest.approx(shared.read_metrics()["loss"], rel=1e-5)


@pytest.mark.parametrize("victim", [0, 1])
def test_a_host_that_dies_ends_the_others(start, tmp_path, victim):
    run = runs.RunDirectory(tmp_path / "run")
    processes = two(start, run.path, "epochs=100000")
    wait_for_epoch(run, processes)
    (child,) = psutil.Process(processes[victim][0].pid).children()
    child.kill()
    codes, said = ended(processes)
    assert codes == [1, 1]
    assert f"host {victim} was ended" in said[victim] and "SIGKILL" in said[victim]
    assert "another host is gone" in said[1 - victim]
    assert "the same commands go on" in said[1 - victim]


def test_a_host_that_does_not_answer_ends_the_others(start, tmp_path):
    run = runs.RunDirectory(tmp_path / "run")
    processes = two(start, run.path, "epochs=100000", "strategy.patience=12")
    wait_for_epoch(run, processes)
    (child,) = psutil.Process(processes[1][0].pid).children()
    child.suspend()
    (code,), (said,) = ended(processes[:1])
    child.kill()
    assert code == 1
    assert "host 0 was ended" in said and "an answer within 12 s" in said


def test_a_signal_to_one_host_stops_all(start, tmp_path):
    single, stopped = (runs.RunDirectory(tmp_path / name) for name in ("single", "stopped"))
    processes = two(start, stopped.path, "epochs=100000")
    wait_for_epoch(stopped, processes, 2)
    processes[1][0].send_signal(signal.SIGTERM)
    codes, said = ended(processes)
    assert codes == [143, 143], said
    epochs = len(history(stopped)) + 2
    (stopped.path / "config.json").write_text(
        (stopped.path / "config.json").read_text().replace("100000", str(epochs))
    )
    trained(two(start, stopped.path, f"epochs={epochs}"))
    trained([start(single.path, f"epochs={epochs}")])
    assert_same(single, stopped)


@pytest.mark.parametrize("epochs", [1, 3])  # in the last epoch, and in one before
def test_a_signal_to_the_host_that_validates_stops_all(start, tmp_path, epochs):
    run = runs.RunDirectory(tmp_path / "run")
    program = ASKED_IN_VALIDATION.replace("SIGNALS", "1")
    processes = two(start, run.path, f"epochs={epochs}", program=("-c", program))
    codes, said = ended(processes)
    assert codes == [143, 143], said
    assert len(history(run)) == 1
    assert not any("another host is gone" in text or "aborted" in text.lower() for text in said)
    again = trained(two(start, run.path, f"epochs={epochs}"))
    assert "step" not in "".join(line for line in again[0].splitlines() if "going on" in line)
    assert len(history(run)) == epochs


def test_a_second_signal_ends_a_host_at_once_and_the_others_with_it(start, tmp_path):
    run = runs.RunDirectory(tmp_path / "run")
    program = ASKED_IN_VALIDATION.replace("SIGNALS", "2")
    codes, said = ended(two(start, run.path, program=("-c", program)))
    assert codes == [143, 1], said
    assert "another host is gone" in said[1]
    assert not run.history_file.exists()


def test_hosts_of_other_settings_are_refused(start, tmp_path):
    port = free_port()
    keys = ("strategy=hosts", "strategy.count=2", f"strategy.coordinator=localhost:{port}")
    processes = [
        start(tmp_path / "run", *keys, f"strategy.index={index}", f"seed={index}")
        for index in range(2)
    ]
    codes, said = ended(processes)
    assert codes == [1, 1]
    assert "seed: this host was started with another value than host 0" in said[1]


def test_a_single_process_trains_on_jax():
    chosen = "promises or never_having_stopped or features_train or float16"
    done = subprocess.run(
        [
            sys.executable,
            "-m",
            "pytest",
            "-q",
            str(HERE / "training/session_test.py"),
            "-k",
            chosen,
        ],
        env={**os.environ, "KERAS_BACKEND": "jax"},
        cwd=HERE.parent,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stdout[-3000:]
