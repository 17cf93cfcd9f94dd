"""A search by Optuna that is continued: its study lies in the folder of the sweep.

The sweeper of Hydra opens the study; here it is made beforehand, held against what is asked for,
and freed of what a killed process has left. Trials that were under way wait to be taken up again,
under their number and with their values, so that the job goes on in its own folder.
"""

from __future__ import annotations

import dataclasses
import json
import logging
import os
import pathlib
import re
from collections.abc import Mapping, Sequence
from typing import Any

from lrcn import overriding, quoting, runs
from lrcn.errors import UserError

log = logging.getLogger(__name__)

_FILE, _SPACE = "study.db", "lrcn"
_FREE = ("num_threads", "traceback", "limits", "evaluate")  # change nothing of what is searched
_SEEDED = ("tpe", "random", "cmaes", "nsgaii", "motpe")


@dataclasses.dataclass(frozen=True)
class Search:
    """What is searched, as the command line and the configuration have it.

    Attributes:
        folder: That of the sweep.
        arguments: "key=value" of the search space, and of what all trials share.
        monitor: The metric of `metrics.json` that is searched for, or None for the task's own.
        trials: How many there shall be in all.
        sampler: Its name, such as `tpe`.
        seed: Of the sampler; None: 0.
        storage: The URL of a database of the user's own, or None.
        name: The name of the study in it, or None for that of the folder.
    """

    folder: pathlib.Path
    arguments: Sequence[str]
    monitor: str | None
    trials: int
    sampler: str
    seed: int | None = None
    storage: str | None = None
    name: str | None = None

    @property
    def url(self) -> str:
        """The database: a file in the folder of the sweep unless another is given."""
        return self.storage or f"sqlite:///{self.folder.absolute() / _FILE}"

    @property
    def study(self) -> str:
        """The name of the study."""
        return self.name or self.folder.name

    @property
    def direction(self) -> str:
        """A loss gets better as it falls, all else as it rises."""
        return "minimize" if self.monitor == "loss" else "maximize"


def of(hydra: Mapping, arguments: Sequence[str], monitor: str | None) -> Search:
    """Returns the search of a sweep.

    Args:
        hydra: Hydra's own settings as composed.
        arguments: The overrides of the command line that are not Hydra's.
        monitor: The key `callbacks.monitor`.
    """
    sweeper = hydra["sweeper"]
    params = [f"{key}={value}" for key, value in (sweeper["params"] or {}).items()]
    return Search(
        folder=pathlib.Path(hydra["sweep"]["dir"]),
        arguments=[*params, *arguments],
        monitor=monitor,
        trials=sweeper["n_trials"],
        sampler=hydra["runtime"]["choices"].get("hydra/sweeper/sampler", "tpe"),
        seed=sweeper["sampler"].get("seed"),
        storage=sweeper["storage"],
        name=sweeper["study_name"],
    )


def prepared(search: Search) -> tuple[list[str], int]:
    """Makes or opens the study; returns Hydra's overrides for it, and how many trials are left.

    Raises:
        UserError: Nothing is searched, the study is of something else, or it cannot be read.
    """
    os.environ.setdefault("SQLALCHEMY_SILENCE_UBER_WARNING", "1")  # of Optuna 2, at length
    import optuna

    optuna.logging.disable_default_handler()
    space = _space(search)
    try:
        study = optuna.create_study(
            study_name=search.study,
            storage=search.url,
            direction=search.direction,
            load_if_exists=True,
        )
        _require_same(search, study, space)
        study.set_user_attr(_SPACE, space)
        finished = _free(search, study)
    except UserError:
        raise
    except Exception as error:
        raise UserError(
            "the study cannot be read",
            where=search.url,
            received=f"{type(error).__name__}: {str(error).splitlines()[0] if str(error) else ''}",
            expected="a database that Optuna wrote",
            remedy="Give the sweep another name=..., or move the file away",
        ) from error
    left = max(search.trials - finished, 0)
    if finished:
        log.info("study: %d of %d trials are done", finished, search.trials)
    overrides = [
        quoting.whole(f"hydra.sweeper.storage={search.url}"),
        quoting.whole(f"hydra.sweeper.study_name={search.study}"),
        f"hydra.sweeper.direction={search.direction}",
        f"hydra.sweeper.n_trials={left}",
        "hydra.sweeper.max_failure_rate=1.0",  # a trial that fails is one more that is known
    ]
    if search.sampler in _SEEDED:
        # Not the same draws again when the study is continued.
        overrides.append(f"hydra.sweeper.sampler.seed={(search.seed or 0) + finished}")
    return overrides, left


def _space(search: Search) -> dict[str, Any]:
    """Returns each key with its distribution, or with the value that all trials share, as JSON."""
    from hydra_plugins.hydra_optuna_sweeper import _impl
    from optuna import distributions

    arguments = [text for text in search.arguments if not _is_free(text)]
    searched, fixed = _impl.create_params_from_overrides(arguments)
    if not searched:
        raise UserError(
            "a search needs a key to search",
            where="hydra/sweeper=optuna",
            received=" ".join(search.arguments) or "no override",
            expected="an interval or a choice, such as "
            "'optimizer.learning_rate=tag(log,interval(1e-4,1e-1))' or 'pooling=choice(avg,last)'",
            remedy="Add one, or leave hydra/sweeper=optuna out",
        )
    found = {key: json.loads(distributions.distribution_to_json(d)) for key, d in searched.items()}
    space = {key.lstrip("+"): value for key, value in {**fixed, **found}.items()}
    return {"monitor": search.monitor or "default", **space}


def _is_free(override: str) -> bool:
    return re.split("[.@]", overriding.key_of(override))[0] in _FREE


def _require_same(search: Search, study: Any, space: dict[str, Any]) -> None:
    """Refuses a study of another search space, or of other settings."""
    stored = study.user_attrs.get(_SPACE)
    if stored is None and not study.trials:
        return
    stored = stored if isinstance(stored, dict) else {}
    differing = [key for key in {**stored, **space} if stored.get(key) != space.get(key)]
    if differing:
        key = differing[0]
        raise UserError(
            f"the study in {search.folder} searches something else",
            where="callbacks.monitor" if key == "monitor" else key,
            received=_shown(space.get(key)),
            expected=_shown(stored.get(key)),
            remedy="Give the new search another name=..., or repeat the study's own"
            + (f"; {', '.join(differing[1:])} differ, too" if differing[1:] else ""),
        )


def _shown(value: Any) -> str:
    """Returns a distribution, or a value, in a few words."""
    if not isinstance(value, dict):
        return "nothing" if value is None else str(value)
    told = value.get("attributes", {})
    if "choices" in told:
        return f"choice({', '.join(map(str, told['choices']))})"
    name = value.get("name", "").removesuffix("Distribution")
    return f"{name}({told.get('low')}, {told.get('high')})"


def _free(search: Search, study: Any) -> int:
    """Has trials that were under way wait again; returns how many came to an end."""
    import optuna

    storage = optuna.storages.RDBStorage(search.url)
    state = optuna.trial.TrialState
    trials = study.get_trials(deepcopy=False)
    for trial in trials:
        if trial.state == state.RUNNING:
            storage.set_trial_state(trial._trial_id, state.WAITING)
    return sum(trial.state.is_finished() for trial in trials)


def jobs(search: Search) -> list[tuple[pathlib.Path, list[str]]]:
    """Returns folder and overrides of every run of a study, of earlier commands, too."""
    keys = {overriding.key_of(text) for text in search.arguments if not _is_free(text)}
    found = []
    for file in sorted(search.folder.absolute().glob("*/config.json")):
        overrides = runs.read_json(file).get("overrides", [])
        if {overriding.key_of(text) for text in overrides if not _is_free(text)} == keys:
            found.append((file.parent, overrides))
    return found


def best(search: Search) -> str | None:
    """Returns the best trial in a line, or None if no trial has a value."""
    import optuna

    study = optuna.load_study(study_name=search.study, storage=search.url)
    done = [trial for trial in study.get_trials(deepcopy=False) if trial.value is not None]
    if not done:
        return None
    trial = study.best_trial
    values = " ".join(f"{key.lstrip('+')}={value}" for key, value in trial.params.items())
    metric = search.monitor or "metric"
    return f"best of {len(done)} trials: {metric} {trial.value:.4f} with {values}"
