"""Trainings of this project as contestants: an epoch a turn, from settings as a user types them."""

from __future__ import annotations

import dataclasses
import pathlib
import statistics
from collections.abc import Sequence

from benchmarks import turns

_MOST_EPOCHS = 100_000


def settings_of(arguments: Sequence[str]):
    """Returns the typed settings of a `train` command line."""
    import hydra

    from lrcn import config, help

    config.register_resolvers(job_folder=str, hydra_folder=str)
    with hydra.initialize_config_dir(str(help.conf_folder()), version_base="1.3"):
        return config.typed("train", hydra.compose("train", list(arguments)))


class Training:
    """A training that goes on by an epoch at a time.

    Args:
        arguments: Overrides of `lrcn train`.
        folder: Where the run is kept.
    """

    def __init__(self, arguments: Sequence[str], folder: str):
        from lrcn import datasets, runs
        from lrcn.training import assembly, checkpoints, session, tasks

        # The feed ends with the last epoch of the settings, which no turn is to reach. A schedule
        # that is not constant would be stretched by it.
        self.settings = settings_of([*arguments, f"epochs={_MOST_EPOCHS}"])
        session.prepare(self.settings)
        paths = datasets.records_of(
            self.settings.dataset, image_shape=self.settings.raw_image_shape, num_threads=2, seed=0
        )
        self.task = tasks.of(self.settings, paths)
        self._run = runs.RunDirectory(pathlib.Path(folder))
        self._state = checkpoints.State(records=self.task.data.digests)
        self.network = self.task.build()
        self.feed = self.task.feed(self.network, first_epoch=0)
        optimizer = assembly.optimizer_of(
            self.network, self.settings, steps_per_epoch=self.feed.steps
        )
        self.task.compile(self.network, optimizer)
        optimizer.build(self.network.trainable_variables)

    def epoch(self, count: int = 1) -> dict[str, float]:
        """Trains epochs with all that a run does; returns frames per second and waiting.

        Args:
            count: Epochs, one after another; the median of their rates counts. Waiting is that of
                the last: the data of the first batch of all have nothing to be decoded beside.
        """
        from lrcn.training import session

        settings = dataclasses.replace(self.settings, epochs=self._state.epoch + count)
        session.fit(settings, self.task, self._run, self.network, self._state)
        rows = self._state.history[-count:]
        return {
            "rate": statistics.median(row["frames_per_second"] for row in rows),
            "wait": rows[-1]["data_wait"],
        }


def lrcn(arguments: Sequence[str], folder: str) -> turns.Turn:
    """Returns a turn that trains two epochs; see `Training`."""
    training = Training(arguments, folder)
    return lambda: training.epoch(2)
