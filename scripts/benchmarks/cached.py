"""An LSTM on kept features, and the same `fit` on arrays that are in memory already."""

from __future__ import annotations

import pathlib
import statistics
import time

import keras
import numpy as np

from benchmarks import scenes, trained, turns

_FRAMES, _LENGTH, _BATCH = 24, 16, 8
_SIDE, _CLASSES = 32, 8
_EPOCHS = 5  # of a turn, one after another


class Clock(keras.callbacks.Callback):
    """Notes the frames per second of each epoch.

    Args:
        frames: Frames of an epoch.
    """

    def __init__(self, frames: int):
        super().__init__()
        self._frames = frames
        self.rates: list[float] = []

    def on_epoch_begin(self, epoch, logs=None):
        """Starts the clock."""
        self._began = time.monotonic()

    def on_epoch_end(self, epoch, logs=None):
        """Stops it."""
        self.rates.append(self._frames / (time.monotonic() - self._began))


def kept(folder: str, items: int) -> turns.Turn:
    """Returns a turn that trains some epochs on kept features.

    Args:
        folder: Where records and features are kept.
        items: Videos.
    """
    training = on_features(folder, items)

    def turn() -> dict[str, float]:
        began = time.monotonic()
        found = training.epoch(_EPOCHS)
        whole = _EPOCHS * items * _LENGTH / (time.monotonic() - began)
        return {**found, "with checkpoints": whole}

    return turn


def on_features(folder: str, items: int) -> trained.Training:
    """Returns a training of an LSTM on the kept features of a frozen MobileNet."""
    frames = scenes.plain(_FRAMES, _SIDE)
    shape = (_SIDE, _SIDE)
    records = scenes.store(
        pathlib.Path(folder), "train", items, frames, shape=shape, classes=_CLASSES
    )
    arguments = [
        *("workflow=lstm", "backbone=mobilenet", f"backbone.image_size=[{_SIDE},{_SIDE}]"),
        *("backbone.trainable=false", "optimizer=sgd", "optimizer.learning_rate=0.001"),
        *("dataset=records", f"dataset.train={records}", "callbacks=minimal"),
        *("clipframe_mode=rand_clips", f"clipframe_mode.num_frames_per_clip={_LENGTH}"),
        f"batch_size={_BATCH}",
    ]
    return trained.Training(arguments, str(pathlib.Path(folder, "run")))


def arrays(items: int) -> turns.Turn:
    """Returns a turn of plain `fit` of the same head, on as many arrays in memory.

    Args:
        items: Videos.
    """
    from lrcn.models import activity, backbones, networks
    from lrcn.scoring import losses

    keras.utils.set_random_seed(0)
    backbone = backbones.build("mobilenet", trainable=False, image_size=(_SIDE, _SIDE))
    head = networks.head(activity.lstm(backbone, num_classes=_CLASSES))
    output, loss = losses.build("every_step")
    accuracy = keras.metrics.SparseCategoricalAccuracy()
    optimizer = keras.optimizers.SGD(0.001, momentum=0.9)
    head.compile(
        optimizer, {output: loss}, metrics={"probabilities": [accuracy]}, jit_compile=False
    )
    width = backbone.output_shape[-1]
    values = np.random.default_rng(0).normal(size=(items, _LENGTH, width)).astype(np.float32)
    labels = np.arange(items) % _CLASSES
    targets = {"logits": np.repeat(labels[:, None], _LENGTH, 1), "probabilities": labels}

    def turn() -> dict[str, float]:
        clock = Clock(items * _LENGTH)
        fitted = {"batch_size": _BATCH, "epochs": _EPOCHS, "verbose": 0, "callbacks": [clock]}
        head.fit(values, targets, **fitted)
        return {"rate": statistics.median(clock.rates)}

    return turn
