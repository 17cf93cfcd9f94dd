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
from lrcn import settings as settings_lib
from lrcn.errors import UserError

log = logging.getLogger(__name__)

_FILE, _SPACE = "study.db", "lrcn"
_SEEDED = ("tpe", "random", "nsgaii", "motpe")
_UNPICKLING = "CmaEsSampler"


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
        asked: `minimize` or `maximize`, if it was asked for.
    """

    folder: pathlib.Path
    arguments: Sequence[str]
    monitor: str | None
    trials: int
    sampler: str
    seed: int | None = None
    storage: str | None = None
    name: str | None = None
    asked: str | None = None

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
        return self.asked or ("minimize" if self.monitor == "loss" else "maximize")

    def space(self) -> dict[str, Any]:
        """Returns each key with its distribution, or with the value that all trials share, as JSON.

        Raises:
            UserError: Nothing is searched.
        """
        # Not public, but the sweeper's own reading: another one could differ from what is searched.
        from hydra_plugins.hydra_optuna_sweeper import _impl
        from optuna import distributions

        arguments = [text for text in self.arguments if not _is_free(text)]
        try:
            searched, fixed = _impl.create_params_from_overrides(arguments)
        except Exception as error:  # noqa: BLE001 - Optuna and Hydra raise what they like
            raise self._refused("what is searched cannot be read", _line(error)) from error
        if not searched:
            raise self._refused("a search needs a key to search", " ".join(arguments) or "none")
        found = {
            key: json.loads(distributions.distribution_to_json(d)) for key, d in searched.items()
        }
        space = {key.lstrip("+"): value for key, value in {**fixed, **found}.items()}
        return {"monitor": self.monitor or "default", **space}

    def _refused(self, what: str, received: str) -> UserError:
        return UserError(
            what,
            where="hydra/sweeper=optuna",
            received=received,
            expected="intervals and choices, such as 'pooling=choice(avg,last)' or "
            "'optimizer.learning_rate=tag(log,interval(1e-4,1e-1))'",
            remedy="Add or correct one, or leave hydra/sweeper=optuna out",
        )


def of(hydra: Mapping, overrides: Sequence[str], callbacks: Mapping | None) -> Search:
    """Returns the search of a sweep.

    Args:
        hydra: Hydra's own settings as composed.
        overrides: The command line.
        callbacks: That group of `train`; other verbs have none.

    Raises:
        UserError: Nothing is searched, the verb does not train, or a pickle would be read.
    """
    if callbacks is None:
        raise UserError(
            "a search trains: it needs a metric of each trial",
            where="hydra/sweeper",
            received="optuna, with another verb",
            expected="lrcn train",
            remedy="Leave hydra/sweeper=optuna out",
        )
    sweeper = hydra["sweeper"]
    _refuse_pickles(sweeper)
    params = [f"{key}={value}" for key, value in (sweeper["params"] or {}).items()]
    arguments = [
        text
        for text in overrides
        if not text.startswith("-") and re.split("[./@]", overriding.key_of(text))[0] != "hydra"
    ]
    given = {overriding.key_of(text): text.partition("=")[2] for text in overrides}
    search = Search(
        folder=pathlib.Path(hydra["sweep"]["dir"]),
        arguments=[*params, *arguments],
        monitor=callbacks["monitor"],
        trials=sweeper["n_trials"],
        sampler=hydra["runtime"]["choices"].get("hydra/sweeper/sampler", "tpe"),
        seed=sweeper["sampler"].get("seed"),
        storage=sweeper["storage"],
        name=sweeper["study_name"],
        asked=given.get("hydra.sweeper.direction"),
    )
    search.space()
    if search.trials < 1:
        raise UserError(
            "a search needs trials",
            where="hydra.sweeper.n_trials",
            received=search.trials,
            expected="1 or more, in all",
            remedy="Raise it, or leave it out for the default",
        )
    return search


def _refuse_pickles(sweeper: Mapping) -> None:
    """Refuses what would have Optuna unpickle what a study holds: it may be somebody else's."""
    if str(sweeper["sampler"].get("_target_")).endswith(f".{_UNPICKLING}"):
        raise UserError(
            "this sampler unpickles what the study holds, by which a study can run code",
            where="hydra/sweeper/sampler",
            received="cmaes",
            expected="a sampler that reads plain values",
            remedy="Take hydra/sweeper/sampler=tpe or random",
        )
    kind = str(sweeper["storage"]).partition(":")[0]  # what follows may hold a password
    if kind.startswith("redis"):
        raise UserError(
            "Optuna unpickles what a Redis database holds, by which it can run code",
            where="hydra.sweeper.storage",
            received=f"{kind}:...",
            expected="a database of SQL, such as sqlite:///FILE",
            remedy="Leave it out: the study then lies in the folder of the sweep",
        )


def prepared(search: Search) -> tuple[list[str], int]:
    """Makes or opens the study; returns Hydra's overrides for it, and how many trials are left.

    Raises:
        UserError: Nothing is searched, the study is of something else, or it cannot be read.
    """
    os.environ.setdefault("SQLALCHEMY_SILENCE_UBER_WARNING", "1")  # of Optuna 2, at length
    import optuna

    optuna.logging.disable_default_handler()
    space = search.space()
    try:
        study = _opened(search, space)
        _require_same(search, study, space)
        study.set_user_attr(_SPACE, space)
        finished = _free(search, study)
    except UserError:
        raise
    except Exception as error:
        raise UserError(
            "the study cannot be read",
            where=search.url,
            received=f"{type(error).__name__}: {_line(error)}",
            expected="a database that Optuna wrote",
            remedy="Give the sweep another name=..., or move the file away",
        ) from error
    left = max(search.trials - finished, 0)
    if finished:
        # Hydra has not set up the log yet, which leaves warnings.
        log.warning("study: %d of %d trials are done", finished, search.trials)
    overrides = [
        quoting.whole(f"hydra.sweeper.storage={search.url}"),
        quoting.whole(f"hydra.sweeper.study_name={search.study}"),
        f"hydra.sweeper.direction={search.direction}",
        f"hydra.sweeper.n_trials={left}",
        "hydra.sweeper.max_failure_rate=1.0",  # a trial that fails is one more that is known
    ]
    if search.sampler in _SEEDED:
        # Not the same draws again when the study is continued.
        seed = (search.seed or 0) + len(study.trials)
        overrides.append(f"hydra.sweeper.sampler.seed={seed}")
    return overrides, left


def _opened(search: Search, space: Mapping[str, Any]) -> Any:
    """Returns the study; one of another search in which no trial succeeded gives way to it.

    A mistake in a key or a value, once corrected, is another search.
    """
    import optuna

    named = {"study_name": search.study, "storage": search.url}
    wanted = {**named, "direction": search.direction, "load_if_exists": True}
    study = optuna.create_study(**wanted)
    done = any(trial.value is not None for trial in study.get_trials(deepcopy=False))
    if search.storage is not None or done or not _differing(study, space):
        return study
    optuna.delete_study(**named)
    return optuna.create_study(**wanted)


def _is_free(override: str) -> bool:
    """Tells whether an override changes nothing of what is searched."""
    return settings_lib.is_of_conduct(overriding.key_of(override))


def _require_same(search: Search, study: Any, space: Mapping[str, Any]) -> None:
    """Refuses a study of another search space, or of other settings."""
    if not study.trials:
        return
    if differing := _differing(study, space):
        key, (stored, asked) = next(iter(differing.items()))
        others = [other for other in differing if other != key]
        raise UserError(
            f"the study in {search.folder} searches something else",
            where=key,
            received=_shown(asked),
            expected=_shown(stored),
            remedy="Give the new search another name=... (or hydra.sweep.dir=...),"
            " or repeat the study's own"
            + (f"; also different: {', '.join(others)}" if others else ""),
        )


def _differing(study: Any, space: Mapping[str, Any]) -> dict[str, tuple[Any, Any]]:
    """Returns by key what a study searches and what is asked for, where these are not the same."""
    stored = study.user_attrs.get(_SPACE)
    stored = stored if isinstance(stored, dict) else {}
    names = {"monitor": "callbacks.monitor"}  # which may stand there by its own name, too
    return {
        names.get(key, key): (stored.get(key), space.get(key))
        for key in {**stored, **space}
        if stored.get(key) != space.get(key)
    }


def _line(error: Exception) -> str:
    return next(iter(str(error).splitlines()), type(error).__name__)


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
    found = jobs(search)
    if not (done and found):
        return None
    trial, run = study.best_trial, runs.RunDirectory(found[0][0])
    values = " ".join(f"{key.lstrip('+')}={value}" for key, value in trial.params.items())
    metric = run.read_settings().callbacks.monitor
    return f"best of {len(done)} trials: {values} ({metric} {trial.value:.4f})"
