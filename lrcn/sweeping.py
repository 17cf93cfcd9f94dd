"""A sweep: planned before its first job begins, stopped by a signal, told when all are through."""

from __future__ import annotations

import contextlib
import dataclasses
import logging
import pathlib
import re
import signal
import sys
from collections.abc import Collection, Iterator, Sequence
from typing import Any

from lrcn import composing, config, cores, jobs, launching, overriding, quoting, studies, verbs
from lrcn import outcomes as outcomes_lib
from lrcn.data import claim
from lrcn.errors import UsageError

log = logging.getLogger("lrcn")

_PLANNED = ("launcher", "sweeper", "runtime.choices")


@contextlib.contextmanager
def planned(composed: Any, overrides: Sequence[str], given: Collection[str]) -> Iterator[Sweep]:
    """Yields a sweep that may begin; what it keeps of its jobs is removed in the end.

    Args:
        composed: The configuration as Hydra composes it, with its own.
        overrides: The command line.
        given: Its keys.

    Raises:
        UserError: The jobs do not fit the machine, the study or the folder.
        UsageError: They would train on several hosts.
    """
    _refuse_hosts(composed, overrides)
    hydra, folder = composed.hydra, pathlib.Path(composed.hydra.sweep.dir)
    plan = launching.plan(config.plain_parts(hydra, _PLANNED), given, cores.usable())
    is_search = hydra.runtime.choices["hydra/sweeper"] == "optuna"
    search = studies.of(hydra, overrides, composed.get("callbacks")) if is_search else None
    try:
        outcomes = outcomes_lib.Outcomes.begun(folder, outlives=plan.outlives)
    except OSError as error:
        raise composing.folder_error(error) from error
    with contextlib.ExitStack() as stack:
        stack.callback(outcomes.remove)
        added, left = [], 1
        if search:
            stack.enter_context(claim.alone(folder, work="searching in", key="name"))
            added, left = studies.prepared(search)
        # One folder for all, also where its name holds the time.
        place = quoting.whole(f"hydra.sweep.dir={folder}")
        yield Sweep(
            plan,
            outcomes,
            search,
            added=(place, *plan.overrides, *added),
            has_work=left > 0,
            trains=composed.get("callbacks") is not None,
        )


def _refuse_hosts(composed: Any, overrides: Sequence[str]) -> None:
    """Refuses jobs that join other hosts, which a process does once."""
    asked = [o.partition("=")[2] for o in overrides if overriding.key_of(o) == "strategy"]
    asked.append((composed.get("strategy") or {}).get("name", ""))
    asked.append((composed.hydra.sweeper.get("params") or {}).get("strategy", ""))
    if any("hosts" in re.findall(r"\w+", str(value)) for value in asked):
        raise UsageError(
            "hosts join once a process, and a sweep has several trainings",
            where="strategy",
            received="hosts with -m",
            expected="a command for each training: `lrcn train strategy=hosts ...`",
            remedy="Leave -m out, or sweep with strategy=single or strategy=mirrored",
        )


@dataclasses.dataclass(frozen=True)
class Sweep:
    """A sweep that is about to begin.

    Attributes:
        plan: How its jobs share the machine.
        outcomes: What becomes of them.
        search: What Optuna searches, if it does.
        added: Overrides for Hydra.
        has_work: Whether there is a job left to do.
        trains: Whether its jobs are trainings, which have metrics to compare.
    """

    plan: launching.Plan
    outcomes: outcomes_lib.Outcomes
    search: studies.Search | None = None
    added: tuple[str, ...] = ()
    has_work: bool = True
    trains: bool = True

    @contextlib.contextmanager
    def stopping(self) -> Iterator[None]:
        """Has a signal end jobs of other processes, too; a second one does not wait for them."""
        received: list[int] = []

        def leave(number: int, frame: object) -> None:
            signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
            signal.signal(signal.SIGINT, signal.default_int_handler)
            if self.plan.is_elsewhere:
                log.warning("interrupted; go on with: the same command")
                self.outcomes.stop()
            received.append(number)
            raise KeyboardInterrupt  # of both: Ray makes something else of a SystemExit

        if self.plan.ray is not None and self.has_work:
            launching.start_ray(self.plan.ray)
        heeded = [signal.SIGTERM]
        if self.plan.is_elsewhere and signal.getsignal(signal.SIGINT) != signal.SIG_IGN:
            heeded.append(signal.SIGINT)
        before = {number: signal.signal(number, leave) for number in heeded}
        try:
            yield
        except KeyboardInterrupt:
            if signal.SIGTERM in received:
                sys.exit(128 + signal.SIGTERM)
            raise
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)

    @property
    def folder(self) -> pathlib.Path:
        """The folder of the sweep."""
        return self.outcomes.sweep

    def found_nothing(self, error: Exception) -> bool:
        """Tells whether an error only says that every trial of a search failed."""
        ended = [outcome.has_ended for outcome in self.outcomes.read()]
        return (
            self.search is not None and isinstance(error, ValueError) and any(ended) and all(ended)
        )

    def finish(self) -> int:
        """Writes and shows what became of the jobs; 1 if one failed, by whosever fault."""
        outcomes = self.outcomes.read()
        code = max((min(outcome.code, 1) for outcome in outcomes), default=0)
        if not self.trains:
            return max(code, _tell(outcomes))
        try:
            code = max(code, verbs.finish_sweep(self.folder, self._jobs(outcomes)))
            if self.search and (best := studies.best(self.search)):
                verbs.show(best)
        except BrokenPipeError:
            jobs.let_go_of_stdout()
        return code

    def _jobs(
        self, outcomes: Sequence[outcomes_lib.Outcome]
    ) -> list[tuple[pathlib.Path, list[str], str | None]]:
        """Returns folder, overrides and failure of each job; of a search those of before, too."""
        own = [(pathlib.Path(o.folder), o.overrides, o.failure) for o in outcomes]
        known = {folder for folder, *_ in own}
        earlier = studies.jobs(self.search) if self.search else []
        return own + [(folder, given, None) for folder, given in earlier if folder not in known]


def _tell(outcomes: Sequence[outcomes_lib.Outcome]) -> int:
    """Tells which jobs failed, each of which has told why; 1 if one did."""
    failed = [" ".join(outcome.overrides) for outcome in outcomes if outcome.failure]
    if failed:
        log.error("%d of %d jobs failed: %s", len(failed), len(outcomes), "; ".join(failed))
    else:
        log.info("done: %d of %d jobs", len(outcomes), len(outcomes))
    return int(bool(failed))
