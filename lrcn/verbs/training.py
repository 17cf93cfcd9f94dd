"""The verb `train`: a run that is begun, continued or repeated, and the summary of a sweep."""

from __future__ import annotations

import collections
import contextlib
import dataclasses
import functools
import logging
import pathlib
import shlex
import textwrap
from collections.abc import Callable, Iterator, Sequence

from lrcn import config, errors, faults, runs, states
from lrcn import settings as settings_lib
from lrcn.data import claim
from lrcn.data.limits import Limits
from lrcn.errors import UserError
from lrcn.verbs import hosting, showing

log = logging.getLogger(__name__)

# What may differ, too, when a run is continued in its own folder; `epochs` may only grow.
_FREE = {"resume", "callbacks.patience"}
_LONGEST_REASON = 300  # characters of why a job failed; the whole is in its log and the summary


def train(
    settings: settings_lib.TrainSettings, *, folder: pathlib.Path, origin: runs.Origin
) -> int:
    """Trains, or continues, or repeats the stored result of the run in `folder`.

    A failure is marked in the folder only once the settings are known to be the run's own: a
    request that is refused changes nothing about the run that stands there.
    """
    settings = config.with_absolute_paths(settings)
    if isinstance(settings.strategy, settings_lib.Hosts):
        writes = functools.partial(_train_here, settings, folder, origin)
        return hosting.train(settings, folder=folder, writes=writes)
    return _train_here(settings, folder, origin)


def _train_here(
    settings: settings_lib.TrainSettings,
    folder: pathlib.Path,
    origin: runs.Origin,
    begins: Callable[[bool], object] = bool,
) -> int:
    """Does the work of `train`; `begins` is told whether there is anything to train."""
    run_directory = runs.RunDirectory(folder)
    plain = config.to_plain(settings)
    _refuse_foreign(run_directory)
    run_directory.require_own()
    if not run_directory.is_done:
        showing.require_writable("hydra.run.dir", run_directory.path)
    stored = run_directory.read_config() if run_directory.is_begun else None
    if stored:
        _refuse_changes(run_directory, plain, is_resumed=bool(settings.resume))
    elif settings.resume:
        source = runs.RunDirectory(pathlib.Path(settings.resume))
        _refuse_changes(source, plain, is_resumed=True)
        if source.path.resolve() != folder.resolve():
            source.require_checkpoint()
    more = ("epochs", "callbacks.patience")
    is_answered = run_directory.is_done and not any(_differs(key, stored, plain) for key in more)
    if is_answered and settings.profile:
        raise UserError(
            "the run is done and trains no further step that could be profiled",
            where="profile",
            received="true",
            expected=f"false, or more than the {settings.epochs} epochs of {run_directory.path}",
            remedy="Give larger epochs, or a new hydra.run.dir, whose first epoch is profiled",
        )
    with contextlib.ExitStack() as stack:
        if not is_answered:
            stack.enter_context(claim.alone(folder, work="training in", key="hydra.run.dir"))
        begins(not is_answered)
        return _train(settings, run_directory, plain, stored, origin, is_answered=is_answered)


def _train(
    settings: settings_lib.TrainSettings,
    run_directory: runs.RunDirectory,
    plain: dict,
    stored: dict | None,
    origin: runs.Origin,
    *,
    is_answered: bool,
) -> int:
    """Trains and evaluates, or repeats what the run has found, and shows it."""
    folder = run_directory.path
    finished = stored if run_directory.is_done else None
    if is_answered:
        log.info("done before: %s", folder)
        metrics = run_directory.read_metrics()
        # `metrics.json` is the last file of an evaluation: one that was cut off is done again.
        missing = [s for s in settings.evaluate if not _is_evaluated(run_directory, s)]
    else:
        if not (run_directory.is_begun or settings.resume):
            _require_files(settings)
        if stored or settings.resume:
            before = stored or runs.RunDirectory(pathlib.Path(settings.resume)).read_config()
            _tell_strategy(before, settings)
        run_directory.clear_marks()
        known = {key: stored[key] for key in runs.NOT_SETTINGS if stored and key in stored}
        run_directory.write_config({**dataclasses.asdict(origin), **known, **plain})
        _write_card(run_directory)
        metrics = None
        missing = settings.evaluate
    with _marking_failure(run_directory, finished=finished):
        metrics = _fit(settings, run_directory) if metrics is None else metrics
        evaluated = {split: _evaluate_run(folder, split, settings.limits) for split in missing}
        _require_still_there(run_directory)
        if missing or not is_answered:
            _write_card(run_directory, state=states.DONE)
        run_directory.mark_done()
    validated = "videos" in metrics or "items" in metrics
    showing.show_metrics(metrics, title=f"{folder}{': validation' if validated else ''}")
    for split, (found, results) in evaluated.items():
        showing.show_metrics(found, title=f"{folder}: {split}")
        log.info("results: %s", results)
    given = shlex.quote(f"run={folder}")
    is_next = f"lrcn predict {given} input={'IMAGE' if settings.describes_images else 'VIDEO'}"
    showing.log_next(folder, f"lrcn evaluate {given}" if validated and not evaluated else is_next)
    return 0


def _tell_strategy(before: dict, settings: settings_lib.TrainSettings) -> None:
    """Tells of another strategy than before, which may only have been left out."""
    name = config.value_of(before, "strategy.name") or "single"
    if name != settings.strategy.name:
        log.info(
            "train: going on with strategy=%s; it was strategy=%s, which is not repeated unless "
            "it is given",
            settings.strategy.name,
            name,
        )


def _differs(key: str, stored: dict, plain: dict) -> bool:
    return config.value_of(stored, key) != config.value_of(plain, key)


def _require_files(settings: settings_lib.TrainSettings) -> None:
    """Refuses a file that is not there before hours go into serializing the data."""
    vocabulary = settings.vocabulary
    given = [
        ("init", settings.init),
        ("backbone.weights", settings.backbone.weights),
        ("workflow.word_vectors", getattr(settings.workflow, "word_vectors", None)),
        ("vocabulary.file", vocabulary.file),
        *(("vocabulary.extra_text", file) for file in vocabulary.extra_text),
    ]
    for key, path in given:
        showing.require_file(key, path)


def _is_evaluated(run_directory: runs.RunDirectory, split: str) -> bool:
    return (run_directory.evaluation(split) / "metrics.json").exists()


def _fit(settings: settings_lib.TrainSettings, run_directory: runs.RunDirectory) -> dict:
    showing.start_tensorflow()
    from lrcn.inference import plots
    from lrcn.training import session

    metrics = session.train(settings, run_directory)
    plots.curves(
        run_directory.curves_file,
        plots.read_history(run_directory.history_file),
        monitor=f"val_{settings.callbacks.monitor}",
        best_epoch=metrics.get("epoch"),
    )
    return metrics


def _evaluate_run(folder: pathlib.Path, split: str, limits: Limits) -> tuple[dict, pathlib.Path]:
    """Evaluates a run as `lrcn evaluate run=... split=...` does; returns metrics and folder."""
    showing.start_tensorflow()
    from lrcn import evaluation

    settings = settings_lib.EvaluateSettings(run=str(folder), split=split, limits=limits)
    _, metrics, results = evaluation.of_run(settings)
    return metrics, results


def _write_card(run_directory: runs.RunDirectory, *, state: states.State | None = None) -> None:
    """Writes the card of a run.

    A full disk stops a training as ever; a file of an earlier evaluation that is damaged, which the
    card would tell of, does not.
    """
    from lrcn.inference.card import text

    try:
        text.write(run_directory, state=state)
    except errors.CannotWrite:
        raise
    except UserError as error:
        log.warning("the model card is not written: %s", error)


def finish_sweep(folder: pathlib.Path, jobs: Sequence[tuple]) -> int:
    """Writes and prints the summary of a sweep; 1 if a job failed.

    Args:
        folder: The sweep's folder, which may hold jobs of other sweeps.
        jobs: Run directory, overrides and error (or None) of each job of this one.
    """
    from lrcn.inference import sweeps

    read = [sweeps.read_job(run, overrides, error=error) for run, overrides, error in jobs]
    output = showing.console()
    for table in (sweeps.table(read), sweeps.seeds_table(read)):
        if table is not None:
            output.print(table)
    sweeps.write_summary(folder, read)  # after the tables, which a full disk need not keep back
    for job in read:
        if (run_directory := runs.RunDirectory(job.folder)).config_file.exists():
            _write_card(run_directory)  # again: all seeds are there now
    failed = [job for job in read if job.status == "FAILED"]
    reasons: dict[str, list[str]] = collections.defaultdict(list)
    for job in failed:
        reasons[textwrap.shorten(job.reason, _LONGEST_REASON)].append(job.folder.name)
    for reason, folders in reasons.items():
        log.error("FAILED %s: %s", errors.few(folders), reason)
    log.info("results: %s", folder / sweeps.SUMMARY)
    log.info("picture: %s", folder / "summary.png")
    if failed:
        log.error("%d of %d jobs failed; each has its own train.log", len(failed), len(read))
    return 1 if failed else 0


@contextlib.contextmanager
def _marking_failure(run_directory: runs.RunDirectory, *, finished: dict | None) -> Iterator[None]:
    """Marks a run whose training failed; one that was done stays so until a step is saved anew.

    Args:
        run_directory: The run.
        finished: What `config.json` held if the run was done before, else None.
    """
    before = _stamp(run_directory)
    try:
        yield
    except Exception as error:
        if finished is not None and _stamp(run_directory) == before:
            run_directory.write_config(finished)
            run_directory.mark_done()
        else:
            run_directory.mark_failed(faults.told(error))
            with contextlib.suppress(errors.CannotWrite):  # it is the failure that is told
                _write_card(run_directory)
        raise


def _stamp(run_directory: runs.RunDirectory) -> int | None:
    """Returns when the newest checkpoint was written."""
    last = run_directory.last
    return last.stat().st_mtime_ns if last.exists() else None


def _require_still_there(run_directory: runs.RunDirectory) -> None:
    """Refuses to call a run done whose folder was removed meanwhile and only in part made anew."""
    if not (run_directory.config_file.exists() and run_directory.last.exists()):
        raise UserError(
            "the folder of the run was removed while it was in use",
            where=run_directory.path,
            received="no config.json or no checkpoints/last.keras",
            expected="a folder that is left alone until the run ends",
            remedy="Train it anew, in another folder",
        )


def _refuse_foreign(run_directory: runs.RunDirectory) -> None:
    if run_directory.is_foreign:
        raise UserError(
            "the folder holds files but no run",
            where="hydra.run.dir",
            received=run_directory.path,
            expected="a new or empty folder, or that of a run",
            remedy="Give another folder: a run would write over files of these names",
        )


def _refuse_changes(run_directory: runs.RunDirectory, plain: dict, *, is_resumed: bool) -> None:
    """Raises a `UserError` at the first setting a run was not started with."""
    new = f"start a new run from its weights, init={run_directory.path} in the place of resume="
    other = new if is_resumed else "give another hydra.run.dir"
    stored = config.to_plain(run_directory.read_settings())
    for key in config.changed_keys(stored, plain):
        grows = key == "epochs" and plain["epochs"] > stored["epochs"]
        if not (grows or key in _FREE or settings_lib.is_of_conduct(key)):
            raise UserError(
                f"the run in {run_directory.path} was started with another value",
                where=key,
                received=config.value_of(plain, key),
                expected=config.value_of(stored, key),
                remedy=f"Leave it as it was, or {other}"
                + ("; epochs may only grow" if key == "epochs" else ""),
            )
