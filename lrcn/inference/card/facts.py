"""What the files of a run tell about it, and the like runs beside it that differ in their seed."""

from __future__ import annotations

import dataclasses
import pathlib
from collections.abc import Mapping
from typing import Any

import numpy as np

from lrcn import config, errors, files, provenance, runs, states
from lrcn.inference import probabilities, protocols, sweeps

# What does not make a run another experiment.
_OF_NO_EXPERIMENT = {
    *("seed", "name", "resume", "evaluate", "num_threads", "traceback", "profile"),
    *("limits", "strategy"),
}
# What reading the files of somebody else's run may raise; it then tells nothing about ours.
_UNREADABLE = (errors.UserError, OSError, KeyError, TypeError, AttributeError, ValueError)


@dataclasses.dataclass(frozen=True)
class Spread:
    """A metric of a run, and of the like runs of other seeds.

    Attributes:
        own: The run's own value.
        values: Those of all seeds, the run's own among them.
    """

    own: float
    values: tuple[float, ...]

    @property
    def mean(self) -> float:
        """The mean over seeds."""
        return float(np.mean(self.values))

    @property
    def deviation(self) -> float | None:
        """The standard deviation over seeds, None of one."""
        return float(np.std(self.values, ddof=1)) if len(self.values) > 1 else None


@dataclasses.dataclass(frozen=True)
class Measured:
    """What was found on a split.

    Attributes:
        metrics: Each with its spread over the seeds that were measured in the same way.
        protocol: How it was measured, if that is known.
        is_stale: Whether the checkpoint that was measured is no longer the one that is there.
        predicted: The probabilities of every item of a run that tells classes.
        left_out: Runs of other seeds that were measured otherwise on this split.
    """

    metrics: Mapping[str, Spread]
    protocol: protocols.Protocol | None = None
    is_stale: bool = False
    predicted: probabilities.Predicted | None = None
    left_out: int = 0


@dataclasses.dataclass(frozen=True)
class Facts:
    """What is known of a run.

    Attributes:
        name: Of its folder.
        state: In what state it is.
        settings: `config.json` as plain values.
        labels: Names of its classes; none of a run that describes.
        data: What it was trained on by split, see `provenance`.
        epochs: How many are over.
        best_epoch: The one that is kept as the best; None before the first is over.
        seeds: The seeds of like runs, the run's own among them.
        validation: What the training found of its best epoch on the validation split.
        evaluated: What was found by evaluated split.
    """

    name: str
    state: states.State
    settings: dict[str, Any]
    labels: tuple[str, ...]
    data: dict[str, Any]
    epochs: int
    best_epoch: int | None
    seeds: tuple[int, ...]
    validation: Measured
    evaluated: Mapping[str, Measured]

    @property
    def describes(self) -> bool:
        """Whether the run writes captions."""
        return "desc" in self.settings["workflow"]["name"]

    @property
    def is_validated(self) -> bool:
        """Whether a validation split has chosen the epoch."""
        return bool({"videos", "items"} & self.validation.metrics.keys())


def of_run(run: runs.RunDirectory) -> Facts:
    """Reads what the files of a run tell.

    Args:
        run: The run directory.

    Raises:
        errors.UserError: There is no run, or a file of it is damaged.
    """
    settings, data = run.read_config(), provenance.read(run)
    others = _like(run, settings, data)
    reached = runs.read_json(run.state_file) if run.state_file.exists() else {}
    own = _metrics(run)
    return Facts(
        name=run.path.absolute().name,
        state=states.state(run),
        settings=settings,
        labels=run.read_labels() if run.labels_file.exists() else (),
        data=data,
        epochs=reached.get("epoch", 0),
        best_epoch=reached.get("best_epoch"),
        seeds=tuple(sorted([settings["seed"], *others])),
        validation=Measured(_spread(own, [_metrics(other) for other in others.values()], "")),
        evaluated={
            split: _measured(run, split, own, list(others.values()))
            for split in protocols.evaluated(run)
        },
    )


def _metrics(run: runs.RunDirectory) -> Mapping[str, float]:
    return sweeps.read_job(run.path, []).metrics


def _measured(
    run: runs.RunDirectory, split: str, own: Mapping[str, float], others: list[runs.RunDirectory]
) -> Measured:
    protocol = protocols.read(run, split)
    like = [other for other in others if _is_measured_like(protocol, other, split)]
    known = sum(split in protocols.evaluated(other) for other in others)
    file = run.evaluation(split) / probabilities.FILE
    return Measured(
        metrics=_spread(own, [_metrics(other) for other in like], f"{split}_"),
        protocol=protocol,
        is_stale=_is_stale(run, protocol),
        predicted=probabilities.read(file) if file.exists() else None,
        left_out=known - len(like),
    )


def _is_stale(run: runs.RunDirectory, protocol: protocols.Protocol | None) -> bool:
    """Tells whether a checkpoint is there and not the one that was measured, if that is known."""
    if protocol is None or not protocol.checkpoint_sha256:
        return False
    file = run.last if protocol.checkpoint == "last" else run.best
    return file.exists() and files.checksum(file) != protocol.checkpoint_sha256


def _is_measured_like(
    protocol: protocols.Protocol | None, other: runs.RunDirectory, split: str
) -> bool:
    """Tells whether a finished run was measured in the same way, with the weights that it has."""
    try:
        theirs = protocols.read(other, split)
        if protocol is None or theirs is None:
            return protocol is theirs and split in protocols.evaluated(other)
        # By times and not by digests: a sweep may have hundreds of checkpoints.
        file = other.last if theirs.checkpoint == "last" else other.best
        measured = (other.evaluation(split) / "protocol.json").stat().st_mtime_ns
        is_newer = file.exists() and file.stat().st_mtime_ns > measured
    except _UNREADABLE:
        return False
    return protocol.is_like(theirs) and not is_newer


def _like(run: runs.RunDirectory, settings: dict, data: dict) -> dict[int, runs.RunDirectory]:
    """Returns by seed the finished runs beside a run that had its data and all its settings."""
    found = {}
    for folder in _beside(run.path.absolute()):
        other = runs.RunDirectory(folder)
        try:
            if not other.is_done or not other.config_file.exists():
                continue
            theirs = other.read_config()
            same_data = _digests(provenance.read(other)) == _digests(data)
            is_like = theirs["seed"] != settings["seed"] and _is_like(theirs, settings)
        except _UNREADABLE:
            continue  # of another version, damaged, or closed to us
        if same_data and is_like:
            found[theirs["seed"]] = other
    return found


def _beside(folder: pathlib.Path) -> list[pathlib.Path]:
    try:
        return sorted(folder.parent.iterdir())
    except OSError:  # whoever may write into a folder need not be allowed to list the one above
        return []


def _digests(data: dict) -> dict[str, str]:
    return {split: own["digest"] for split, own in data.items()}


def _is_like(theirs: dict, settings: dict) -> bool:
    one, other = (
        {key: value for key, value in values.items() if key not in runs.NOT_SETTINGS}
        for values in (theirs, settings)
    )
    changed = {key.partition(".")[0] for key in config.changed_keys(one, other)}
    return changed <= _OF_NO_EXPERIMENT


def _spread(
    own: Mapping[str, float], others: list[Mapping[str, float]], prefix: str
) -> dict[str, Spread]:
    """Returns the metrics whose names begin with a prefix; without one, those of the training."""
    names = [name for name in own if name.startswith(prefix)] if prefix else _of_training(own)
    return {
        name.removeprefix(prefix): Spread(
            own[name], (own[name], *(other[name] for other in others if name in other))
        )
        for name in names
    }


def _of_training(metrics: Mapping[str, float]) -> list[str]:
    splits = ("train_", "val_", "test_")
    return [name for name in metrics if not name.startswith(splits)]
