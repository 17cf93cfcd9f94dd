"""A training that is killed without warning, again and again."""

import json
import os
import random
import signal
import subprocess
import sys
import time

import numpy as np
import pytest

from lrcn import config, runs
from lrcn.training import checkpoints

DRIVER = """
import json, sys
from lrcn import config, runs
from lrcn.training import session
settings = config.from_plain("train", json.load(open(sys.argv[1])))
session.train(settings, runs.RunDirectory(sys.argv[2]))
"""


def start(settings_file, run, log):
    command = [sys.executable, "-c", DRIVER, str(settings_file), str(run.path)]
    environment = {**os.environ, "TF_CPP_MIN_LOG_LEVEL": "3"}
    return subprocess.Popen(command, stdout=log, stderr=log, env=environment)


def stamp(run):
    return run.last.stat().st_mtime_ns if run.last.exists() else None


def kill_soon(process, run, moment):
    """Kills the training a moment after its next checkpoint; tells whether it still ran."""
    before = stamp(run)
    while process.poll() is None and stamp(run) == before:
        time.sleep(0.005)
    time.sleep(moment)
    process.send_signal(signal.SIGKILL)
    return process.wait() == -signal.SIGKILL


def content(run):
    model, state = checkpoints.load(run.last)
    variables = [*model.weights, *model.optimizer.variables, *checkpoints._seed_variables(model)]
    return [(variable.path, variable.numpy()) for variable in variables], state


@pytest.mark.slow
def test_three_kills_change_not_a_bit(make_settings, tmp_path):
    settings = make_settings(augment__mirror=True, epochs=25)
    settings_file = tmp_path / "settings.json"
    settings_file.write_text(json.dumps(config.to_plain(settings)))
    straight, killed = runs.RunDirectory(tmp_path / "a"), runs.RunDirectory(tmp_path / "b")
    moments = random.Random(1)
    with (tmp_path / "log").open("w") as log:
        undisturbed = start(settings_file, straight, log)
        kills = [
            kill_soon(start(settings_file, killed, log), killed, moments.uniform(0, 0.4))
            for _ in range(3)
        ]
        assert any(kills)
        assert start(settings_file, killed, log).wait() == 0, (tmp_path / "log").read_text()
        assert undisturbed.wait() == 0, (tmp_path / "log").read_text()
    expected, state = content(straight)
    values, other = content(killed)
    for (path, value), (_, original) in zip(values, expected, strict=True):
        np.testing.assert_array_equal(value, original, err_msg=path)
    assert [row["epoch"] for row in other.history] == list(range(1, 26))
    assert [row["val_loss"] for row in other.history] == [row["val_loss"] for row in state.history]
    assert sorted(path.name for path in killed.last.parent.iterdir()) == [
        "best.keras",
        "last.keras",
    ]
