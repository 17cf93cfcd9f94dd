"""What the files of a run tell about it, and the like runs beside it that differ in their seed."""

from __future__ import annotations

import dataclasses
import pathlib
from typing import Any

import numpy as np

from lrcn import config, errors, files, provenance, runs
from lrcn.inference import probabilities, sweeps

_MOST_BESIDE = 500  # folders beside a run that are looked at
# What does not make a run another experiment.
_OF_NO_EXPERIMENT = {"seed", "name", "resume", "evaluate", "num_threads", "traceback", "profile"}


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
class Facts:
    """What is known of a run.

    Attributes:
        name: Of its folder.
        state: "done", "failed" or "not finished", with the reason of a failure.
        settings: `config.json` as plain values.
        data: What it was trained on by split, see `provenance`.
        state_file: The epoch that was reached, and the best one.
        validation: Metrics of the best epoch on the validation split.
        evaluated: Metrics by evaluated split.
        protocols: How each split was measured.
        seeds: The seeds of like runs, the run's own among them.
        spread: By split, "" for the validation of the training, and metric.
        predicted: The probabilities of each evaluated split of a run that tells classes.
        stale: Splits that were measured with another checkpoint than the one that is there now.
    """

    name: str
    state: str
    settings: dict[str, Any]
    data: dict[str, Any]
    state_file: dict[str, Any]
    validation: dict[str, float]
    evaluated: dict[str, dict[str, float]]
    protocols: dict[str, dict[str, Any]]
    seeds: tuple[int, ...]
    spread: dict[str, dict[str, Spread]]
    predicted: dict[str, probabilities.Predicted]
    stale: frozenset[str] = frozenset()

    @property
    def describes(self) -> bool:
        """Whether the run writes captions."""
        return "desc" in self.settings["workflow"]["name"]


def of_run(run: runs.RunDirectory) -> Facts:
    """Reads what the files of a run tell.

    Args:
        run: The run directory.

    Raises:
        errors.UserError: There is no run, or a file of it is damaged.
    """
    settings = run.read_config()
    data = provenance.read(run)
    others = _like(run, settings, data)
    own = sweeps.read_job(run.path, [])
    like = [own, *(sweeps.read_job(other.path, []) for other in others.values())]
    folders = _evaluations(run)
    protocols = {
        name: runs.read_json(folder / "protocol.json")
        for name, folder in folders.items()
        if (folder / "protocol.json").exists()
    }
    return Facts(
        name=run.path.name,
        state=_state(run),
        settings=settings,
        data=data,
        state_file=runs.read_json(run.state_file) if run.state_file.exists() else {},
        validation=_numbers(run.metrics_file),
        evaluated={name: _numbers(folder / "metrics.json") for name, folder in folders.items()},
        protocols=protocols,
        stale=_stale(run, protocols),
        seeds=tuple(sorted([settings["seed"], *others])),
        spread=_spread(own, like, folders),
        predicted={
            name: probabilities.read(folder / probabilities.FILE)
            for name, folder in folders.items()
            if (folder / probabilities.FILE).exists()
        },
    )


def _state(run: runs.RunDirectory) -> str:
    if run.failure is not None:
        return f"failed: {run.failure}"
    return "done" if run.is_done else "not finished"


def _evaluations(run: runs.RunDirectory) -> dict[str, pathlib.Path]:
    found = sorted(run.evaluation("").parent.glob("evaluation/*/metrics.json"))
    return {file.parent.name: file.parent for file in found}


def _stale(run: runs.RunDirectory, protocols: dict[str, dict]) -> frozenset[str]:
    """Returns the splits whose checkpoint is there and is another one now, as far as is known."""
    found = set()
    for split, told in protocols.items():
        file = {"best": run.best, "last": run.last}.get(told.get("checkpoint"))
        measured = told.get("checkpoint_sha256")
        if measured and file is not None and file.exists() and files.checksum(file) != measured:
            found.add(split)
    return frozenset(found)


def _numbers(file: pathlib.Path) -> dict[str, float]:
    values = runs.read_json(file) if file.exists() else {}
    return {
        key: value
        for key, value in values.items()
        if isinstance(value, int | float) and not isinstance(value, bool)
    }


def _like(run: runs.RunDirectory, settings: dict, data: dict) -> dict[int, runs.RunDirectory]:
    """Returns by seed the finished runs beside a run that had its data and all its settings."""
    found = {}
    for folder in sorted(run.path.absolute().parent.iterdir())[:_MOST_BESIDE]:
        other = runs.RunDirectory(folder)
        if not other.is_done or not other.config_file.exists():
            continue
        try:
            theirs = other.read_config()
            same_data = _digests(provenance.read(other)) == _digests(data)
        except errors.UserError:
            continue  # of another version, or damaged: it tells nothing about this one
        if same_data and theirs.get("seed") != settings["seed"] and _is_like(theirs, settings):
            found[theirs["seed"]] = other
    return found


def _digests(data: dict) -> dict[str, str]:
    return {split: own["digest"] for split, own in data.items()}


def _is_like(theirs: dict, settings: dict) -> bool:
    one, other = (
        {key: value for key, value in values.items() if key not in runs.NOT_SETTINGS}
        for values in (theirs, settings)
    )
    changed = {key.partition(".")[0] for key in config.changed_keys(one, other)}
    return changed <= _OF_NO_EXPERIMENT | {"limits", "strategy"}


def _spread(
    own: sweeps.Job, like: list[sweeps.Job], folders: dict[str, pathlib.Path]
) -> dict[str, dict[str, Spread]]:
    found: dict[str, dict[str, Spread]] = {}
    for name, value in own.metrics.items():
        split = next((split for split in folders if name.startswith(f"{split}_")), "")
        metric = name.removeprefix(f"{split}_") if split else name
        values = tuple(job.metrics[name] for job in like if name in job.metrics)
        found.setdefault(split, {})[metric] = Spread(value, values)
    return found
