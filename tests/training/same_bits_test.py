"""The same seed gives the same weights, bit for bit, in two processes of one machine."""

import os
import subprocess
import sys

import numpy as np
import pytest

from lrcn import runs
from lrcn.training import checkpoints

COMMAND = [sys.executable, "-c", "import sys; from lrcn import cli; sys.exit(cli.main())", "train"]
TINY = [
    *("clipframe_mode.num_frames_per_clip=4", "backbone.image_size=[16,16]", "workflow.units=6"),
    *("workflow.dropout_out=0.5", "callbacks=minimal", "batch_size=2", "epochs=2"),
    "augment=crop_mirror",
]


def weights(folder):
    network, _ = checkpoints.load(runs.RunDirectory(folder).last)
    return [variable.numpy() for variable in [*network.weights, *network.optimizer.variables]]


def same(first, second):
    return all(np.array_equal(a, b) for a, b in zip(first, second, strict=True))


@pytest.mark.slow
def test_two_processes_train_the_same_bits_and_another_seed_trains_others(write_records, tmp_path):
    train, val = write_records((6, 7, 5, 8, 6), name="train"), write_records((9, 6), name="val")
    data = ["dataset=records", f"dataset.train={train.path}", f"dataset.val={val.path}"]
    cases = {
        "first": ["seed=3"],
        "again": ["seed=3"],
        "threads": ["seed=3", "num_threads=1"],
        "other": ["seed=4"],
    }
    for name, arguments in cases.items():
        subprocess.run(
            [*COMMAND, *data, *TINY, *arguments, f"hydra.run.dir={tmp_path / name}"],
            check=True,
            capture_output=True,
            env={**os.environ, "TF_CPP_MIN_LOG_LEVEL": "3"},
        )
    trained = {name: weights(tmp_path / name) for name in cases}
    assert same(trained["first"], trained["again"])
    assert same(trained["first"], trained["threads"])
    assert not same(trained["first"], trained["other"])
