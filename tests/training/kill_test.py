"""A training that is killed without warning, again and again."""

import os
import random
import shutil
import signal
import subprocess
import sys
import time

import numpy as np
import pytest

from lrcn import runs
from lrcn.training import checkpoints

# What is started in the background of a script has SIGINT ignored, and so would its children.
RUN = (
    "import signal, sys; signal.signal(signal.SIGINT, signal.default_int_handler); "
    "from lrcn import cli; sys.exit(cli.main())"
)
COMMAND = [sys.executable, "-c", RUN, "train"]
EPOCHS, KILLS, TRIES = 16, 3, 12
TINY = [
    *("clipframe_mode.num_frames_per_clip=4", "backbone.image_size=[16,16]", "workflow.units=6"),
    *("workflow.dropout_in=0.2", "workflow.dropout_out=0.5", "callbacks=minimal", "batch_size=2"),
    *("optimizer.learning_rate=0.01", f"epochs={EPOCHS}", "seed=3"),
]
# The whole network on random crops, and the head alone on the features of a frozen CNN.
CASES = {"frames": ["augment=crop_mirror"], "features": ["backbone.trainable=false"]}


def start(folder, *arguments):
    environment = {**os.environ, "TF_CPP_MIN_LOG_LEVEL": "3"}
    with (folder / "log").open("a") as log:
        return subprocess.Popen(
            [*COMMAND, *arguments], cwd=folder, stdout=log, stderr=log, env=environment
        )


def stamp(run):
    return run.last.stat().st_mtime_ns if run.last.exists() else None


def kill_soon(process, run, moment):
    """Kills a training a moment after its next checkpoint; tells whether it was still training."""
    before = stamp(run)
    while process.poll() is None and stamp(run) == before:
        time.sleep(0.005)
    time.sleep(moment)
    process.send_signal(signal.SIGKILL)
    code = process.wait()
    assert code in (0, -signal.SIGKILL), "it failed by itself"
    return code == -signal.SIGKILL and checkpoints._read(run.last)["epoch"] < EPOCHS


def kill_thrice(folder, run, first):
    """Trains until as many kills as asked for hit; a run that was over before one starts anew."""
    moments, hits, command = random.Random(1), 0, first
    for _ in range(TRIES):
        if kill_soon(start(folder, *command), run, moments.uniform(0, 0.3)):
            assert not run.is_done and run.failure is None
            hits, command = hits + 1, [f"resume={run.path.name}"]
            if hits == KILLS:
                return
        else:
            shutil.rmtree(run.path)
            hits, command = 0, first
    pytest.fail(f"{TRIES} trainings, and never {KILLS} of one run were hit")


def stop_soon(process, run, signum):
    """Sends a training a signal after its next checkpoint; returns its exit code."""
    before = stamp(run)
    while process.poll() is None and stamp(run) == before:
        time.sleep(0.005)
    time.sleep(0.05)
    process.send_signal(signum)
    return process.wait()


@pytest.mark.slow
def test_signals_end_with_their_codes_and_change_not_a_bit(write_records, tmp_path):
    train = write_records((6, 7, 5, 8, 6), name="train")
    val = write_records((9, 6, 5), name="val")
    data = ["dataset=records", f"dataset.train={train.path}", f"dataset.val={val.path}"]
    arguments = [*data, *TINY, "epochs=60"]
    straight, stopped = runs.RunDirectory(tmp_path / "a"), runs.RunDirectory(tmp_path / "b")
    undisturbed = start(tmp_path, *arguments, "hydra.run.dir=a")
    try:
        command = [*arguments, "hydra.run.dir=b"]
        for signum, code in ((signal.SIGTERM, 143), (signal.SIGINT, 130)):
            assert stop_soon(start(tmp_path, *command), stopped, signum) == code
            assert not stopped.is_done and stopped.failure is None
            command = ["resume=b"]
        said = (tmp_path / "log").read_text()
        assert said.count("interrupted; go on with: lrcn train resume=") == 2, said
        assert start(tmp_path, "resume=b").wait() == 0, (tmp_path / "log").read_text()
        assert undisturbed.wait() == 0, (tmp_path / "log").read_text()
    finally:
        undisturbed.kill()
        undisturbed.wait()
    for (path, value), (_, original) in zip(
        content(stopped.last)[0], content(straight.last)[0], strict=True
    ):
        np.testing.assert_array_equal(value, original, err_msg=path)


def content(file):
    model, state = checkpoints.load(file)
    variables = [*model.weights, *model.optimizer.variables, *checkpoints._seed_variables(model)]
    return [(variable.path, variable.numpy()) for variable in variables], state


def settings_of(run):
    """The settings of a run without where it stands and how it was continued."""
    config = run.read_config()
    config["overrides"] = [o for o in config["overrides"] if not o.startswith("hydra.run.dir=")]
    return {key: value for key, value in config.items() if key != "resume"}


@pytest.mark.slow
@pytest.mark.parametrize("case", CASES)
def test_three_kills_change_not_a_bit(write_records, tmp_path, case):
    train = write_records((6, 7, 5, 8, 6), name="train")
    val = write_records((9, 6, 5), name="val")
    data = ["dataset=records", f"dataset.train={train.path}", f"dataset.val={val.path}"]
    arguments = [*data, *TINY, *CASES[case]]
    straight, killed = runs.RunDirectory(tmp_path / "a"), runs.RunDirectory(tmp_path / "b")
    undisturbed = start(tmp_path, *arguments, "hydra.run.dir=a")
    try:
        kill_thrice(tmp_path, killed, [*arguments, "hydra.run.dir=b"])
        assert start(tmp_path, "resume=b").wait() == 0, (tmp_path / "log").read_text()
        assert undisturbed.wait() == 0, (tmp_path / "log").read_text()
    finally:
        undisturbed.kill()
        undisturbed.wait()
    for name in ("last", "best"):
        expected, state = content(getattr(straight, name))
        values, other = content(getattr(killed, name))
        for (path, value), (_, original) in zip(values, expected, strict=True):
            np.testing.assert_array_equal(value, original, err_msg=f"{name}: {path}")
        assert other.best_epoch == state.best_epoch
        for key in ("epoch", "loss", "val_loss"):
            assert [row[key] for row in other.history] == [row[key] for row in state.history]
    assert [row["epoch"] for row in content(killed.last)[1].history] == list(range(1, EPOCHS + 1))
    assert killed.is_done and killed.failure is None
    assert killed.read_metrics() == straight.read_metrics()
    assert settings_of(killed) == settings_of(straight)
    assert sorted(path.name for path in killed.last.parent.iterdir()) == [
        "best.keras",
        "last.keras",
        "previous.keras",
    ]
