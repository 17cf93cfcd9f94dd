"""The five verbs: typed settings in, results on stdout, an exit code out."""

from __future__ import annotations

import json
import logging
import pathlib
import sys
from typing import Any

from lrcn import config, runs
from lrcn import settings as settings_lib
from lrcn.errors import UserError

log = logging.getLogger(__name__)

# What may differ when a run is continued in its own folder; `epochs` may only grow.
_FREE_KEYS = {"epochs", "resume", "num_threads", "traceback", "evaluate"}


def run(verb: str, settings: Any, *, folder: pathlib.Path, overrides: list[str]) -> int:
    """Carries out one verb.

    Args:
        verb: "serialize", "check", "train", "evaluate" or "predict".
        settings: The typed settings of that verb.
        folder: Hydra's output folder: the run directory of `train`.
        overrides: The command line, stored with a run so that it can be resumed by its folder.

    Returns:
        The exit code.
    """
    if verb == "train":
        return train(settings, folder=folder, overrides=overrides)
    return {"serialize": serialize, "check": check, "evaluate": evaluate, "predict": predict}[verb](
        settings
    )


def show(text: str) -> None:
    """Writes results to stdout."""
    sys.stdout.write(text.rstrip("\n") + "\n")
    sys.stdout.flush()


def train(
    settings: settings_lib.TrainSettings, *, folder: pathlib.Path, overrides: list[str]
) -> int:
    """Trains, or continues, or repeats the stored result of the run in `folder`."""
    run_directory = runs.RunDirectory(folder)
    stored = _stored_config(run_directory)
    plain = config.to_plain(settings)
    if stored:
        _refuse_changes(stored, plain, run_directory)
        if run_directory.is_done and settings.epochs <= stored["epochs"]:
            show(_metrics_line(run_directory.read_metrics()))
            log.info("done before: %s", folder)
            return 0
    run_directory.clear_marks()
    run_directory.write_config({**plain, "overrides": overrides})
    from lrcn.training import session

    session.train(settings, run_directory)
    return 0


def _stored_config(run_directory: runs.RunDirectory) -> dict | None:
    """Returns the settings of a run that was started here before, if it got anywhere."""
    begun = run_directory.last.exists() or run_directory.is_done
    return run_directory.read_config() if begun and run_directory.config_file.exists() else None


def _refuse_changes(stored: dict, plain: dict, run_directory: runs.RunDirectory) -> None:
    stored = {key: value for key, value in stored.items() if key != "overrides"}
    for key in config.changed_keys(stored, plain):
        if key.partition(".")[0] not in _FREE_KEYS:
            raise UserError(
                f"the run in {run_directory.path} was started with another value",
                where=key,
                received=_value(plain, key),
                expected=_value(stored, key),
                remedy="Give another hydra.run.dir, or repeat the run's own settings.",
            )


def _value(plain: dict, key: str) -> Any:
    for part in key.split("."):
        plain = plain.get(part, {}) if isinstance(plain, dict) else {}
    return plain


def _metrics_line(metrics: dict) -> str:
    return json.dumps(metrics)
