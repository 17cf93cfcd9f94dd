"""A job: what Hydra calls with each composed configuration, in whatever process.

A verb's work never raises through Hydra: inside a sweep a failing job writes its own log and mark
and lets the others go on.
"""

from __future__ import annotations

import contextlib
import dataclasses
import logging
import os
import pathlib
import shlex
import signal
import sys
import threading
from collections.abc import Callable, Collection, Iterator

from lrcn import config, cores, faults, naming, overriding, resuming, runs, verbs
from lrcn import outcomes as outcomes_lib
from lrcn.data import claim
from lrcn.errors import UserError

log = logging.getLogger("lrcn")


class Job:
    """What Hydra calls with each composed configuration, here or in a process of a launcher.

    Args:
        verb: What it does.
        constant: Keys of the command line that all jobs share.
        context: Returns Hydra's own settings of the job that is under way.
        outcomes: Of the jobs of a sweep; None: there is one job.
        threads: What a job of a sweep may use of the cores; None: all.

    Attributes:
        code: The exit code of the job, unless it is one of a sweep.
    """

    def __init__(
        self,
        verb: str,
        constant: Collection[str],
        *,
        context: Callable,
        outcomes: outcomes_lib.Outcomes | None = None,
        threads: int | None = None,
    ):
        self.code = 0
        self._verb, self._constant, self._context = verb, constant, context
        self._outcomes, self._threads = outcomes, threads

    def __reduce__(self):
        given = (self._verb, self._constant, self._context, self._outcomes, self._threads)
        return _arrived, (*given, os.getcwd())

    def __call__(self, composed) -> float | None:
        """Carries out the verb; returns the metric of a search, which Optuna asks for."""
        context = self._context()
        if context.mode.name != "MULTIRUN" or self._outcomes is None:
            self.code, _ = self._carry_out(composed, context)
            return None
        folder, given = pathlib.Path(context.runtime.output_dir), list(context.overrides.task)
        if self._outcomes.is_over:
            sys.exit(143)
        begun = self._outcomes.begin(context.job.num, folder, given)
        with _as_guest(self._outcomes):
            try:
                code, error = self._carry_out(composed, context)
            except (KeyboardInterrupt, SystemExit):
                self._outcomes.leave(begun)
                if self._outcomes.is_here or self._outcomes.is_over:
                    raise
                return None  # a signal for this job alone: the others go on
        self._outcomes.end(begun, code=code, error=error)
        is_search = context.runtime.choices["hydra/sweeper"] == "optuna"
        return _monitored(folder) if is_search and not code else None

    def _carry_out(self, composed, context) -> tuple[int, Exception | None]:
        """Returns the exit code, and what ended the job if anything did."""
        folder = pathlib.Path(context.runtime.output_dir)
        try:
            settings = config.typed(self._verb, composed, dict(context.runtime.choices))
            settings = _sharing(settings, self._threads)
            origin = runs.Origin(list(context.overrides.task), _config_folder(context))
            return verbs.run(self._verb, settings, folder=folder, origin=origin), None
        except (KeyboardInterrupt, SystemExit):
            if self._outcomes is None or self._outcomes.is_here:
                given = None if self._outcomes is not None else list(context.overrides.task)
                _tell_how_to_go_on(self._verb, folder, given)
            raise
        except BrokenPipeError:
            let_go_of_stdout()
            return 0, None
        except Exception as raised:  # noqa: BLE001 - the other jobs of a sweep go on
            error = faults.told(raised)
            is_run = self._verb == "train"
            is_known = self._outcomes is not None and self._outcomes.has_met(error)
            shown = bool(composed.get("traceback"))
            _report(error, folder if is_run else None, with_traceback=shown, is_known=is_known)
            return getattr(error, "exit_code", 1), error


def _arrived(
    verb: str,
    constant: Collection[str],
    context: Callable,
    outcomes: outcomes_lib.Outcomes,
    threads: int | None,
    working_directory: str,
) -> Job:
    """Makes a job in a process of a launcher, where Hydra asks for names of folders before it."""
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    os.chdir(working_directory)
    naming.register(constant)
    if threads is not None:
        cores.take(threads)
    return Job(verb, constant, context=context, outcomes=outcomes, threads=threads)


@contextlib.contextmanager
def _as_guest(outcomes: outcomes_lib.Outcomes) -> Iterator[None]:
    """Ends a job in a process of a launcher by SIGTERM, whatever that does there by itself."""
    if outcomes.is_here:
        yield
        return
    is_main = threading.current_thread() is threading.main_thread()
    previous = signal.signal(signal.SIGTERM, lambda *_: sys.exit(143)) if is_main else None
    try:
        with outcomes.watched():
            yield
    finally:
        if is_main:
            signal.signal(signal.SIGTERM, previous)


def _sharing(settings, threads: int | None):
    """Returns the settings with no more threads for data than the job has cores."""
    if threads is None or not hasattr(settings, "num_threads"):
        return settings
    return dataclasses.replace(settings, num_threads=min(settings.num_threads or threads, threads))


def _monitored(folder: pathlib.Path) -> float | None:
    """Returns the metric that a run was to get best at, or None if it was not measured."""
    run = runs.RunDirectory(folder)
    value = run.read_metrics().get(run.read_settings().callbacks.monitor)
    return None if value is None else float(value)


def _tell_how_to_go_on(verb: str, folder: pathlib.Path, given: list[str] | None) -> None:
    """Logs the command that goes on with what a signal ended.

    Args:
        verb: What was carried out.
        folder: The folder of the job.
        given: Its overrides; None for a job of a sweep, which is not continued alone.
    """
    again = "the same command"
    if given is not None and verb == "train" and runs.RunDirectory(folder).config_file.exists():
        repeated = [o for o in given if resuming.is_free(overriding.key_of(o))]
        again = shlex.join(["lrcn", "train", f"resume={folder}", *repeated])
    if verb in ("train", "serialize"):
        log.warning("interrupted; go on with: %s", again)


def _config_folder(context) -> str | None:
    """Returns the folder of the user's own configuration files (`--config-dir`), if there is one.

    Args:
        context: Hydra's own settings of the job.
    """
    sources = {source.provider: source.path for source in context.runtime.config_sources}
    return sources.get("command-line")


def _report(
    error: Exception, folder: pathlib.Path | None, *, with_traceback: bool, is_known: bool
) -> None:
    """Logs an error of a job, and marks a run that never got anywhere as failed.

    The traceback of a user error is for the run's own log, unless it is asked for; so is the whole
    of what another job has met as well.
    """
    ours = isinstance(error, UserError)
    shown = with_traceback or not ours
    message = f"error: {error}" if ours else "error: this is a bug in lrcn"
    if ours and is_known and not with_traceback:
        log.error("error: %s: %s, as in a job before", error.where, error.what)
        log.debug(message)
    else:
        log.error(message, exc_info=error if shown else None)
    if folder is None:
        return
    if not shown:
        log.debug("where it was raised:", exc_info=error)
    run = runs.RunDirectory(folder)
    # Else the training itself marks it, and a refused request changes nothing.
    # Nor does one that another process, which trains there now, stood in the way of.
    is_taken = run.has_links or claim.is_marked(run.path)
    if not (run.is_begun or run.is_foreign or is_taken):
        run.mark_failed(error)


def let_go_of_stdout() -> None:
    """Writes nowhere from now on: whoever read the results, such as `head`, has enough of them."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
