"""Who starts the jobs of a sweep, and how jobs that run at once share the cores of the machine."""

from __future__ import annotations

import dataclasses
import difflib
import os
from collections.abc import Collection, Mapping
from typing import Any

from lrcn.errors import UsageError, UserError

LAUNCHERS = {
    "basic": None,
    "joblib": "joblib",
    "submitit_local": "submitit",
    "submitit_slurm": "submitit",
    "ray": "ray",
}
"""Each launcher and the extra that it comes with; None: with Hydra itself."""
SWEEPERS = {"basic": None, "optuna": "optuna"}
"""Each sweeper and the extra that it comes with."""
SAMPLERS = dict.fromkeys(("tpe", "random", "grid", "nsgaii", "motpe"), "optuna")
"""What Optuna draws by; without `cmaes`, which unpickles what a study holds."""
MEMBERS = {
    "hydra/launcher": LAUNCHERS,
    "hydra/sweeper": SWEEPERS,
    "hydra/sweeper/sampler": SAMPLERS,
}
_ALIASES = {"hydra/launcher=submitit": "hydra/launcher=submitit_slurm"}
_FREE = ("hydra.launcher.ray.init.", "hydra.launcher.ray.remote.")
_OF_A_SWEEP = ("hydra.launcher.", "hydra.sweeper.")
_AT_ONCE = 2  # jobs at a time unless it is asked for more: a job takes memory, too
_OBJECT_STORE = 75 * 2**20  # bytes; jobs share their data by files, and Ray's least is this
_ELSEWHERE = "send the jobs to other machines: hydra/launcher=submitit_slurm"


@dataclasses.dataclass(frozen=True)
class Plan:
    """How the jobs of a sweep share the machine.

    Attributes:
        threads: Of each job for its arithmetic; None: all that its process may use.
        overrides: Values for Hydra's launcher and sweeper.
        is_elsewhere: Whether jobs run in other processes than the sweep's own.
        outlives: Whether jobs go on if the process of the sweep is killed.
        ray: How Ray is started, if it starts the jobs.
    """

    threads: int | None = None
    overrides: tuple[str, ...] = ()
    is_elsewhere: bool = False
    outlives: bool = False
    ray: Mapping[str, Any] | None = None


def named(overrides: list[str]) -> list[str]:
    """Returns overrides with the launcher `submitit`, and free keys of Ray's, as Hydra has them."""
    known = [_ALIASES.get(override, override) for override in overrides]
    return [f"++{text}" if text.startswith(_FREE) else text for text in known]


def require_sweep(given: Mapping[str, str]) -> None:
    """Refuses keys of a launcher or sweeper where there is one job, which would not heed them.

    Args:
        given: Keys of the command line of a single job, with their values.

    Raises:
        UsageError: There is one.
    """
    for key, value in given.items():
        if key in MEMBERS or key.startswith(_OF_A_SWEEP):
            raise UsageError(
                "this starts the jobs of a sweep, and the command is none",
                where=key,
                received=f"{key}={value}",
                expected="-m, and several values of some key",
                remedy="Add -m, or leave it out",
            )


def unknown(group: str, member: str) -> UserError:
    """Returns the error for a launcher, sweeper or sampler that Hydra does not find.

    Args:
        group: A key of `MEMBERS`.
        member: Its name.
    """
    known = MEMBERS[group]
    if extra := known.get(member):
        return UserError(
            f"{group}={member} is an extra that is not installed",
            where=group,
            received=member,
            expected=f"the packages of the extra '{extra}'",
            remedy=f"Install them: pip install 'lrcn[{extra}]'",
        )
    near = difflib.get_close_matches(member, known, n=1)
    meant = f"; did you mean '{near[0]}'?" if near else ""
    shown = [name if extra is None else f"{name} (lrcn[{extra}])" for name, extra in known.items()]
    return UsageError(
        f"no such member of {group} '{member}'{meant}",
        where=group,
        received=member,
        expected=" | ".join(shown),
        remedy="Choose one of them; what stands in brackets is installed by pip",
    )


def plan(hydra: Mapping, given: Collection[str], cores: int) -> Plan:
    """Returns how the jobs of a sweep share the cores of this machine.

    Args:
        hydra: Hydra's own settings as plain values: `launcher`, `sweeper`, `runtime.choices`.
        given: Keys of the command line.
        cores: That this process may use.

    Raises:
        UserError: More jobs at once than cores, or a number that is none.
    """
    choices = hydra["runtime"]["choices"]
    launcher, sweeper = choices["hydra/launcher"], choices["hydra/sweeper"]
    planned = {"joblib": _joblib, "submitit_local": _local, "ray": _ray}.get(launcher)
    if planned is not None:
        return planned(hydra, given, cores)
    if launcher == "submitit_slurm":
        return Plan(hydra["launcher"]["cpus_per_task"], is_elsewhere=True, outlives=True)
    if launcher != "basic":
        return Plan(is_elsewhere=True, outlives=True)
    one_by_one = sweeper == "optuna" and "hydra.sweeper.n_jobs" not in given
    return Plan(overrides=("hydra.sweeper.n_jobs=1",) if one_by_one else ())


def _joblib(hydra: Mapping, given: Collection[str], cores: int) -> Plan:
    key = "hydra.launcher.n_jobs"
    jobs = hydra["launcher"]["n_jobs"]
    if key not in given and jobs == -1:  # the default of the plugin, every core a job
        jobs = min(_AT_ONCE, cores)
    if jobs < 0:  # as joblib counts: -1 is every core, -2 all but one
        jobs = max(cores + 1 + jobs, 1)
    _require_room(key, jobs, 1, cores)
    own = (f"{key}={jobs}", *_batch(hydra, given, jobs))
    return Plan(cores // jobs, own, is_elsewhere=True)


def _local(hydra: Mapping, given: Collection[str], cores: int) -> Plan:
    """Cuts the sweep into batches, since this launcher starts all jobs of one at once."""
    is_search = hydra["runtime"]["choices"]["hydra/sweeper"] == "optuna"
    key = "hydra.sweeper.n_jobs" if is_search else "hydra.sweeper.max_batch_size"
    threads = hydra["launcher"]["cpus_per_task"]
    _require_threads("hydra.launcher.cpus_per_task", threads, cores)
    jobs = hydra["sweeper"].get(key.rpartition(".")[2])
    if key not in given and (is_search or jobs is None):
        jobs = min(_AT_ONCE, cores // (threads or 1))
    _require_room(key, jobs, threads or 1, cores)
    return Plan(threads or cores // jobs, (f"{key}={jobs}",), is_elsewhere=True)


def _ray(hydra: Mapping, given: Collection[str], cores: int) -> Plan:
    """Has Ray count cores: on this machine, or on those of a cluster that it is connected to."""
    given_start, each = hydra["launcher"]["ray"]["init"], hydra["launcher"]["ray"]["remote"]
    start = {"include_dashboard": False, "log_to_driver": False, **given_start}
    threads = each.get("num_cpus")
    if start.get("address") not in (None, "local"):
        return Plan(threads or 1, is_elsewhere=True, outlives=True, ray=start)
    _require_threads("hydra.launcher.ray.remote.num_cpus", threads, cores)
    total = start.get("num_cpus", cores)
    _require_room("hydra.launcher.ray.init.num_cpus", total, 1, cores)
    start = {"num_cpus": total, "object_store_memory": _OBJECT_STORE, **start}
    own = []
    if threads is None:
        threads = max(total // _AT_ONCE, 1)
        own.append(f"+hydra.launcher.ray.remote.num_cpus={threads}")
    own += _batch(hydra, given, max(total // threads, 1))
    return Plan(threads, tuple(own), is_elsewhere=True, ray=start)


def start_ray(settings: Mapping[str, Any]) -> None:
    """Starts or joins Ray before the launcher would: it takes over signals, which we then can.

    Args:
        settings: Arguments of `ray.init`.
    """
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
    import ray

    ray.init(**settings)


def _batch(hydra: Mapping, given: Collection[str], jobs: int) -> tuple[str, ...]:
    """Returns how many trials a search asks for at a time: as many as run at once."""
    is_search = hydra["runtime"]["choices"]["hydra/sweeper"] == "optuna"
    key = "hydra.sweeper.n_jobs"
    return (f"{key}={jobs}",) if is_search and key not in given else ()


def _require_threads(key: str, threads: object, cores: int) -> None:
    if threads is not None and not (type(threads) is int and 0 < threads <= cores):
        raise UserError(
            "a job cannot have so many cores",
            where=key,
            received=threads,
            expected=f"a whole number from 1 to {cores}, the cores that this process may use",
            remedy=f"Lower {key}, or {_ELSEWHERE}",
        )


def _require_room(key: str, jobs: object, threads: int, cores: int) -> None:
    """Refuses more jobs at once than there are cores for."""
    most = cores // threads
    if type(jobs) is not int or jobs < 1:
        what = "no number of jobs"
    elif jobs > most:
        what = "more jobs at once than cores"
    else:
        return
    each = "" if threads == 1 else f", {threads} a job"
    raise UserError(
        what,
        where=key,
        received=jobs,
        expected=f"1 to {most}, for the {cores} cores that this process may use{each}",
        remedy=f"Lower {key}, or {_ELSEWHERE}",
    )
