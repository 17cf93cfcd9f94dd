"""A checkpoint: model, optimizer and everything else a run needs to go on, in one file.

Keras keeps weights, optimizer and configuration in a `.keras` archive, but neither the state of
its random generators nor that of callbacks. They go into the same archive as `state.json`, which
Keras ignores, so that one rename replaces all of it at once.
"""

from __future__ import annotations

import contextlib
import dataclasses
import json
import logging
import os
import pathlib
import shutil
import tempfile
import zipfile
from collections.abc import Iterator
from typing import Any

import keras
import numpy as np

import lrcn.models  # noqa: F401 - registers what a saved model names
from lrcn import errors, faults, files, runs
from lrcn.data import bounded
from lrcn.data.limits import Limits
from lrcn.models import archives

log = logging.getLogger(__name__)

_MEMBER = "state.json"


class Broken(errors.UserError):
    """A checkpoint whose content is damaged or gone, for which another may stand in."""


@dataclasses.dataclass
class State:
    """How far a run is.

    Attributes:
        epoch: Finished epochs.
        step: Finished steps of the epoch that follows.
        sums: The variables of its running metrics after these steps.
        logs: What all its steps came to, if only its validation is left.
        seconds: The time that they took.
        best: The monitored value of the best epoch.
        best_loss: Its validation loss, which decides between equal values.
        best_epoch: The best epoch, counted from 1.
        best_metrics: Its metrics on the validation split.
        wait: Epochs since the best one.
        history: A row an epoch, by column.
        records: What it was trained and validated on: a digest of the records by split.
    """

    epoch: int = 0
    step: int = 0
    sums: list[Any] = dataclasses.field(default_factory=list)
    logs: dict[str, float] = dataclasses.field(default_factory=dict)
    seconds: float = 0.0
    best: float | None = None
    best_loss: float | None = None
    best_epoch: int = 0
    best_metrics: dict[str, float] = dataclasses.field(default_factory=dict)
    wait: int = 0
    history: list[dict[str, Any]] = dataclasses.field(default_factory=list)
    records: dict[str, str] = dataclasses.field(default_factory=dict)


def save(model: keras.Model, path: str | os.PathLike, state: State) -> None:
    """Writes a checkpoint as a whole or not at all."""
    record = {**dataclasses.asdict(state), "seeds": [seed.tolist() for seed in _seeds(model)]}
    with files.atomic_path(path) as temporary, _alone():
        model.save(temporary)
        with zipfile.ZipFile(temporary, "a") as archive:
            archive.writestr(_MEMBER, json.dumps(record))


@contextlib.contextmanager
def _alone() -> Iterator[None]:
    """Has Keras forget that other hosts train, too: the one that saves does so by itself."""
    shared = keras.distribution.distribution()
    keras.distribution.set_distribution(None)
    try:
        yield
    finally:
        keras.distribution.set_distribution(shared)


def save_last(
    model: keras.Model, run: runs.RunDirectory, state: State, *, copy_of: pathlib.Path | None = None
) -> None:
    """Writes `last.keras`; the one that was there becomes `previous.keras`.

    Args:
        model: The network.
        run: The run directory.
        state: How far it is.
        copy_of: A checkpoint of the same model and state, which is copied instead.
    """
    if run.last.exists():
        _keep(run.last, run.previous)
    if copy_of is None:
        save(model, run.last, state)
    else:
        copy(copy_of, run.last)


def _keep(file: pathlib.Path, name: pathlib.Path) -> None:
    """Gives a file a second name, so that at every moment there is one under its first."""
    with files.atomic_path(name) as temporary:
        try:
            os.link(file, temporary)
        except OSError:  # a file system without links
            shutil.copyfile(file, temporary)


def copy(source: pathlib.Path, target: pathlib.Path) -> None:
    """Copies a checkpoint as a whole or not at all."""
    with files.atomic_path(target) as temporary:
        shutil.copyfile(source, temporary)


def load_newest(run: runs.RunDirectory, *, limits: Limits = Limits()) -> tuple[keras.Model, State]:
    """Reads `last.keras`, or the checkpoint before it if that one is broken, and says so.

    Files that are broken are replaced by sound ones where that can be: the last one by the one
    before, the best one by a copy of that epoch. A broken one is kept as `broken.keras`. What the
    system refuses for now, such as room to unpack, is no damage and raised as it is.

    Args:
        run: The run directory.
        limits: The most that a checkpoint may ask for.

    Raises:
        UserError: None of the two can be read, or the best one is lost.
    """
    try:
        model, state = load(run.last, limits=limits)
    except Broken as error:
        if not run.previous.exists():
            raise
        model, state = load(run.previous, limits=limits)
        log.warning("%s Going on from %s", error, run.previous)
        # Else the next checkpoint would push the sound one out.
        _put_aside(run.last)
        copy(run.previous, run.last)
    _require_best(run, state, limits)
    return model, state


def _put_aside(file: pathlib.Path) -> None:
    with contextlib.suppress(FileNotFoundError):
        os.replace(file, file.with_name("broken.keras"))


def _require_best(run: runs.RunDirectory, state: State, limits: Limits) -> None:
    """Mends a broken `best.keras` if another checkpoint is of that epoch."""
    if not state.best_epoch:
        return
    try:
        _read(run.best, limits)
    except Broken as error:
        for file in (run.last, run.previous):
            if _is_end_of(file, state.best_epoch, limits):
                log.warning("%s It is replaced by %s, which is of the same epoch", error, file)
                _put_aside(run.best)
                copy(file, run.best)
                return
        raise


def _is_end_of(file: pathlib.Path, epoch: int, limits: Limits) -> bool:
    if not file.exists():
        return False
    record = _read(file, limits)
    return record["epoch"] == epoch and not record.get("step")


def load(path: str | os.PathLike, *, limits: Limits = Limits()) -> tuple[keras.Model, State]:
    """Reads a checkpoint: the compiled model as it was, random generators included, and the state.

    Args:
        path: The file.
        limits: The most that it may ask for.

    Raises:
        Broken: The file is missing or damaged.
        UserError: It is no checkpoint of ours, or larger than it may be.
        OSError: The system refuses it for now.
    """
    record = _read(pathlib.Path(path), limits)
    try:
        model = keras.models.load_model(path, safe_mode=True)
        for variable, value in zip(_seed_variables(model), record.pop("seeds"), strict=True):
            variable.assign(np.array(value, variable.dtype).reshape(variable.shape))
        return model, State(**record)
    except OSError as error:
        if faults.is_no_room(error):  # Keras unpacks the archive
            raise faults.unwritable(tempfile.gettempdir(), error) from error
        if error.errno is not None:
            raise
        raise _broken(path, error) from error
    except (ValueError, TypeError, KeyError, OverflowError) as error:
        raise _broken(path, error) from error


def remove_unfinished(folder: pathlib.Path) -> None:
    """Removes what a killed process was writing; nothing else may be writing there."""
    for path in folder.glob(".*.tmp.keras"):
        path.unlink(missing_ok=True)


def _read(path: pathlib.Path, limits: Limits = Limits()) -> dict[str, Any]:
    """Returns the state in a checkpoint that is seen to be whole and of ours."""
    try:
        with bounded.opened(path):  # a right that is missing is no damage
            pass
    except FileNotFoundError as error:
        raise _broken(path, "no such file") from error
    try:
        archives.check(path, limits)
        with zipfile.ZipFile(path) as archive:
            size = archive.getinfo(_MEMBER).file_size
            limits.require("file_bytes", size, where=path, what=_MEMBER)
            return _checked(json.loads(archive.read(_MEMBER)))
    except errors.UserError as error:
        if error.what in archives.DAMAGED:
            raise _broken(path, error.received) from error
        raise
    except (KeyError, ValueError, TypeError, RecursionError) as error:
        raise _broken(path, error) from error


_NUMBER = (int, float)
_KINDS = {
    **dict.fromkeys(("epoch", "step", "best_epoch", "wait"), int),
    **dict.fromkeys(("seconds", "best", "best_loss"), _NUMBER),
    **dict.fromkeys(("sums", "history", "seeds"), list),
    **dict.fromkeys(("logs", "best_metrics", "records"), dict),
}
_MAY_BE_NONE = ("best", "best_loss")  # of a run without a finished epoch, or without validation


def _checked(record: object) -> dict[str, Any]:
    """Returns what `save` wrote; raises a `ValueError` for anything else."""
    if not isinstance(record, dict):
        raise ValueError(f"{_MEMBER} holds {type(record).__name__}")
    if unknown := record.keys() - _KINDS.keys():
        raise ValueError(f"{_MEMBER} holds {min(unknown)!r:.40}")
    for name, value in record.items():
        is_kind = isinstance(value, _KINDS[name]) and not isinstance(value, bool)
        if not (is_kind or (value is None and name in _MAY_BE_NONE)):
            raise ValueError(f"{name} in {_MEMBER} is {value!r:.40}")
    if not all(isinstance(row, dict) for row in record.get("history", [])):
        raise ValueError(f"history in {_MEMBER} holds what is no row")
    return record


def _broken(path: str | os.PathLike, reason: object) -> Broken:
    return Broken(
        "no checkpoint that can be read",
        where=path,
        received=reason,
        expected="a file that `lrcn train` wrote",
        remedy="Restore the file, or start the run anew without resume",
    )


def _seed_variables(model: keras.Model) -> list[keras.Variable]:
    """Returns the states of random generators, which are variables but no weights."""
    weights = {id(weight) for weight in model.weights}
    rest = [variable for variable in model.variables if id(variable) not in weights]
    return [variable for variable in rest if variable.path.endswith("seed_generator_state")]


def _seeds(model: keras.Model) -> list[np.ndarray]:
    return [keras.ops.convert_to_numpy(variable) for variable in _seed_variables(model)]
