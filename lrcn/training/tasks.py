"""What a training learns: the classes of videos, or the captions of images and videos.

A task knows the records, the network for them, what it is fed, its loss and how it is validated.
All else of a training (optimizer, epochs, checkpoints, resuming) is the same for every task.
"""

from __future__ import annotations

import pathlib
from typing import Protocol

import keras

from lrcn import runs
from lrcn import settings as settings_lib
from lrcn.data import sharing
from lrcn.training import captioning, feeds, interruption, recognition, shared


class Task(Protocol):
    """What a training learns."""

    data: feeds.Data

    def build(self) -> keras.Model:
        """Returns a new network."""

    def check(self, network: keras.Model, run: runs.RunDirectory) -> None:
        """Refuses a network that a run was left with if it learnt something else."""

    def feed(
        self,
        network: keras.Model,
        *,
        first_epoch: int,
        first_step: int = 0,
        share: sharing.Share | None = None,
    ) -> feeds.Feed:
        """Returns what a network is trained and validated on, from a step of an epoch on."""

    def objective(self) -> shared.Objective:
        """Returns what a network is trained for."""

    def compile(self, model: keras.Model, optimizer: keras.optimizers.Optimizer) -> None:
        """Compiles a network or its head with an optimizer, which keeps its state."""

    def validation(
        self, network: keras.Model, feed: feeds.Feed, *, watch: interruption.Watch
    ) -> keras.callbacks.Callback:
        """Returns what measures the validation split after each epoch."""

    def write(self, run: runs.RunDirectory) -> None:
        """Writes what the outputs of the network stand for."""

    def measured(self, metrics: dict) -> dict:
        """Returns the metrics of the best epoch as `metrics.json` has them."""


def of(settings: settings_lib.TrainSettings, paths: dict[str, pathlib.Path]) -> Task:
    """Returns the task of a training.

    Args:
        settings: The settings of the training.
        paths: Records by split.

    Raises:
        UserError: Records and settings do not fit together.
    """
    kind = captioning.Captioning if settings.describes else recognition.Recognition
    return kind(settings, paths)
