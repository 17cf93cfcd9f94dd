import dataclasses
import json
import os
import pathlib
import subprocess
import sys

import keras
import numpy as np
import pytest

from lrcn import config, errors, runs
from lrcn import settings as settings_lib
from lrcn.training import checkpoints, session, strategies

MIRRORED = settings_lib.Mirrored("mirrored", 2)
NO_DROPOUT = {"workflow__dropout_in": 0.0, "workflow__dropout_out": 0.0}


CNN = settings_lib.AlexNet(  # without batch normalisation, which sees the rows of one device
    name="caffenet",
    weights=None,
    layer="fc6",
    trainable=True,
    image_size=(39, 39),
    dropout=0.0,
    initializer=None,
)


def test_two_devices_train_as_one_does(make_settings, caption_settings, tmp_path):
    given = {
        # Five clips in batches of three: none divides by two. The gradient is clipped as a whole.
        "classes": make_settings(
            backbone=CNN,
            batch_size=3,
            epochs=3,
            class_weights="balanced",
            optimizer__clipnorm=0.1,
            optimizer__learning_rate=1e-3,
            **NO_DROPOUT,
        ),
        # As many captions on each device have not as many words.
        "captions": caption_settings(augment__mirror=True, **NO_DROPOUT),
    }
    arguments, single, shared = [], {}, {}
    for name, settings in given.items():
        single[name], shared[name] = (runs.RunDirectory(tmp_path / name / each) for each in "ab")
        file = tmp_path / f"{name}.json"
        plain = config.to_plain(dataclasses.replace(settings, strategy=MIRRORED))
        file.write_text(json.dumps(plain))
        arguments += [str(file), str(shared[name].path)]
        session.train(settings, single[name])
    script = pathlib.Path(__file__).with_name("two_devices.py")
    done = subprocess.run(
        [sys.executable, str(script), *arguments],
        env={**os.environ, "TF_CPP_MIN_LOG_LEVEL": "3"},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr[-3000:]
    for name in given:
        assert_same(single[name], shared[name])
    # The run is any other run.
    session.train(dataclasses.replace(given["classes"], epochs=4), shared["classes"])
    assert checkpoints.load(shared["classes"].last)[1].epoch == 4


def assert_same(run, other):
    (network, state), (other_network, other_state) = (
        checkpoints.load(r.last) for r in (run, other)
    )
    compared = ("loss", "accuracy", "val_loss", "val_video_accuracy", "val_cider")
    for row, other_row in zip(state.history, other_state.history, strict=True):
        for name in set(compared) & row.keys():
            assert other_row[name] == pytest.approx(row[name], rel=1e-5), (row["epoch"], name)
    for variable, value in zip(network.variables, other_network.variables, strict=True):
        # Adam's steps have the size of the rate, however small the gradient.
        np.testing.assert_allclose(value.numpy(), variable.numpy(), atol=1e-4)


def test_too_few_devices_are_told(make_settings, tmp_path):
    for devices, needed in ((None, "2 or more"), (4, "4")):
        settings = make_settings(strategy=dataclasses.replace(MIRRORED, devices=devices))
        with pytest.raises(errors.UserError, match=f"0 GPUs.*{needed} GPUs.*Leave strategy out"):
            session.train(settings, runs.RunDirectory(tmp_path / "run"))


def test_one_device_shares_nothing():
    assert strategies.of(settings_lib.Single()).share is None


def test_other_backends_do_not_mirror(make_settings, monkeypatch):
    monkeypatch.setattr(keras.config, "backend", lambda: "jax")
    with pytest.raises(errors.UserError, match="strategy: .*KERAS_BACKEND=jax.*strategy=hosts"):
        strategies.of(MIRRORED)


def test_other_backends_do_not_describe(caption_settings, monkeypatch):
    monkeypatch.setattr(keras.config, "backend", lambda: "jax")
    with pytest.raises(errors.UserError, match="imgdesc_step with KERAS_BACKEND=jax.*Leave KERAS"):
        session.prepare(caption_settings())
