"""A checkpoint: model, optimizer and everything else a run needs to go on, in one file.

Keras keeps weights, optimizer and configuration in a `.keras` archive, but neither the state of
its random generators nor that of callbacks. They go into the same archive as `state.json`, which
Keras ignores, so that one rename replaces all of it at once.
"""

from __future__ import annotations

import dataclasses
import json
import os
import pathlib
import zipfile
from typing import Any

import keras
import numpy as np

import lrcn.models  # noqa: F401 - registers what a saved model names
from lrcn import errors, files

_MEMBER = "state.json"


@dataclasses.dataclass
class State:
    """How far a run is.

    Attributes:
        epoch: Finished epochs.
        best: The monitored value of the best epoch.
        best_loss: Its validation loss, which decides between equal values.
        best_epoch: The best epoch, counted from 1.
        best_metrics: Its metrics on the validation split.
        wait: Epochs since the best one.
        history: A row an epoch, by column.
        records: What it was trained and validated on: a digest of the records by split.
    """

    epoch: int = 0
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
    with files.atomic_path(path) as temporary:
        model.save(temporary)
        with zipfile.ZipFile(temporary, "a") as archive:
            archive.writestr(_MEMBER, json.dumps(record))


def load(path: str | os.PathLike) -> tuple[keras.Model, State]:
    """Reads a checkpoint: the compiled model as it was, random generators included, and the state.

    Raises:
        UserError: The file is missing or no checkpoint of ours.
    """
    record = _read(pathlib.Path(path))
    model = keras.models.load_model(path)
    for variable, value in zip(_seed_variables(model), record.pop("seeds"), strict=True):
        variable.assign(np.array(value, variable.dtype))
    return model, State(**record)


def remove_unfinished(folder: pathlib.Path) -> None:
    """Removes what a killed process was writing; nothing else may be writing there."""
    for path in folder.glob(".*.tmp.keras"):
        path.unlink(missing_ok=True)


def _read(path: pathlib.Path) -> dict:
    try:
        with zipfile.ZipFile(path) as archive:
            return json.loads(archive.read(_MEMBER))
    except (OSError, KeyError, ValueError, zipfile.BadZipFile) as error:
        raise _unreadable(path, error) from error


def _unreadable(path: str | os.PathLike, error: Exception) -> errors.UserError:
    return errors.UserError(
        "no checkpoint that can be read",
        where=path,
        received=error,
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
