"""The verb `report`: a run, or the folder of a sweep, as one HTML file."""

from __future__ import annotations

import logging
import pathlib
import shlex

from lrcn import files, runs, states
from lrcn import settings as settings_lib
from lrcn.data import bounded
from lrcn.errors import CannotWrite, UserError
from lrcn.inference import sweeps
from lrcn.inference.card import text as card
from lrcn.report import pages
from lrcn.verbs import showing

log = logging.getLogger(__name__)

_HEAD = 2**12  # bytes of a page, in which it tells who made it


def report(settings: settings_lib.ReportSettings) -> int:
    """Writes the page of a run or of a sweep."""
    folder = pathlib.Path(settings.run).expanduser()
    target = pathlib.Path(settings.output).expanduser() if settings.output else folder / pages.NAME
    run = runs.RunDirectory(folder)
    is_sweep = (folder / sweeps.SUMMARY).is_file() and not run.config_file.exists()
    if not is_sweep:
        _require_run(run)
    showing.require_target("output", str(target))
    _refuse_other_file(target)
    files.write_text(target, _of_sweep(folder, target) if is_sweep else _of_run(settings, run))
    if run.config_file.exists():
        card.write(run)  # again: more may be known than when it was trained
    shown = next(iter(_runs_in(folder)), folder) if is_sweep else folder
    verb = "report" if is_sweep else "demo"
    showing.log_next(target, f"lrcn {verb} {shlex.quote(f'run={shown}')}")
    return 0


def _refuse_other_file(target: pathlib.Path) -> None:
    """Refuses to write over a file that is no report, or one that no browser would open."""
    if target.suffix.lower() not in (".html", ".htm"):
        raise UserError(
            "a report is a page for a browser",
            where="output",
            received=target,
            expected="a name that ends with .html",
            remedy=f"Set output={target.with_suffix('.html')}",
        )
    if target.is_file():
        with bounded.opened(target) as file:
            is_report = pages.MARK.encode() in file.read(_HEAD)
        if not is_report:
            raise UserError(
                "the file is no report, and is not written over",
                where="output",
                received=target,
                expected="a new file, or an earlier report",
                remedy="Set output to another name",
            )


def _runs_in(folder: pathlib.Path) -> list[pathlib.Path]:
    return sorted(file.parent for file in folder.glob("*/config.json"))


def _require_run(run: runs.RunDirectory) -> None:
    """Refuses what is neither a run nor a sweep, and runs of which nothing can be shown."""
    if not run.config_file.exists() and run.failure is None:
        raise _neither(run.path)
    run.require_own()
    found = states.state(run)
    states.require_something(run, found)
    if not found.is_done:
        log.warning("report: %s %s", found.told, found.remedy)


def _neither(folder: pathlib.Path) -> UserError:
    """Returns the error for a folder that is neither a run nor that of a sweep."""
    inside = _runs_in(folder)
    received = "a folder without config.json" if folder.is_dir() else "no such folder"
    remedy = "Give the folder that `lrcn train` printed"
    if inside:
        received = "a folder of runs without summary.csv"
        remedy = f"Give a run in it, such as {inside[0]}"
    return UserError(
        "neither a run nor the folder of a sweep",
        where="run",
        received=f"{folder}, {received}",
        expected="a folder with config.json, as `lrcn train` wrote it, or with summary.csv, as a "
        "sweep did",
        remedy=remedy,
    )


def _of_sweep(folder: pathlib.Path, target: pathlib.Path) -> str:
    from lrcn.report import sweep

    return sweep.page(folder, target)


def _of_run(settings: settings_lib.ReportSettings, run: runs.RunDirectory) -> str:
    showing.start_tensorflow()
    from lrcn.report import run as run_page

    split, notes = _evaluated(settings, run)
    asked = run_page.Asked(split, settings.items, tuple(notes), settings.limits)
    return run_page.page(run, asked)


def _evaluated(
    settings: settings_lib.ReportSettings, run: runs.RunDirectory
) -> tuple[str | None, list[str]]:
    """Returns the split that is shown, evaluated if it was not, and what the reader has to know."""
    from lrcn.inference import protocols

    known = protocols.evaluated(run)
    if settings.split in known or (settings.split is None and "test" in known):
        return settings.split or "test", []
    if not (found := states.state(run)).is_done:
        if settings.split is not None:
            raise UserError(
                "the run was not evaluated on this split, and is not done",
                where="split",
                received=settings.split,
                expected=" | ".join(known) or "split=null",
                remedy=f"Leave split out (split=null), or finish the run. {found.remedy}",
            )
        told = f"Nothing was evaluated for this page, as the state of the run is: {found.name}."
        return next(iter(known), None), [told]
    try:
        return _evaluate(settings, run)
    except CannotWrite:
        raise
    except UserError as error:
        if settings.split is not None:
            raise
        log.warning("report: no evaluation on test: %s", error)
        shown = next(iter(known), None)
        return shown, [f"The run could not be evaluated for this page: {error}"]


def _evaluate(
    settings: settings_lib.ReportSettings, run: runs.RunDirectory
) -> tuple[str, list[str]]:
    from lrcn import evaluation
    from lrcn.inference import protocols

    split = settings.split
    if split is None:
        split = "test" if "test" in evaluation.splits(run.path) else "val"
        if split in protocols.evaluated(run):
            return split, []
    log.info("report: evaluating %s on %s first", run.path, split)
    evaluation.of_run(
        settings_lib.EvaluateSettings(
            run=str(run.path), split=split, num_threads=settings.num_threads, limits=settings.limits
        )
    )
    return split, [f"The run was evaluated on {split} for this page."]
