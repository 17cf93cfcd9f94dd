"""Verbs about data sets: `serialize`, `check` and `browse`."""

from __future__ import annotations

import contextlib
import json
import logging
import pathlib
import shlex
from typing import Any

from lrcn import runs
from lrcn import settings as settings_lib
from lrcn.data.limits import Limits
from lrcn.errors import UsageError, UserError, few
from lrcn.verbs import showing

log = logging.getLogger(__name__)

# Of `browse` alone; every other key chooses data and how a training is shown it.
_OF_BROWSING = ("run", "split", "items", "epoch", "output_folder", "traceback")


# Of a merge: all else is told by the shards.
_OF_MERGING = ("output_folder", "merge", "limits", "traceback", "hydra")


def serialize(settings: settings_lib.SerializeSettings, *, origin: runs.Origin) -> int:
    """Writes the records of a data set and prints what was stored and skipped."""
    if settings.merge:
        return _merge(settings, origin)
    showing.start_tensorflow()
    from lrcn import datasets
    from lrcn.data import serialize as serialize_lib

    catalog = datasets.catalog_of(
        settings.dataset, seed=settings.seed, on_error=settings.on_error, limits=settings.limits
    )
    folder = datasets.output_folder(settings.dataset, settings.output_folder)
    showing.require_writable("output_folder", folder)
    options = datasets.store_options(settings)
    if not settings.do_serialize:
        return _shuffle_only(catalog, folder, options)
    index = settings.shard_index
    reports = serialize_lib.serialize(catalog, folder, options=options, shard_index=index)
    _show(reports)
    if index is None:
        showing.log_next(folder, _train_command(reports, settings.limits))
    else:
        _log_missing(folder, list(catalog.splits), options.shards)
    return 0


def _show(reports: list) -> None:
    from lrcn.data import report

    output = showing.console()
    showing.show(report.render(reports, width=output.width if output.is_terminal else None))


def _log_missing(folder: pathlib.Path, splits: list[str], count: int) -> None:
    """Tells which shards are still to be made, or how to merge them if none is."""
    from lrcn.data import metadata, records, shard_file

    if lacking := shard_file.missing(folder, splits, count):
        indices = sorted({index for some in lacking.values() for index in some})
        log.info("results: %s", folder)
        log.info(
            "%d of %d shards are not there yet: shard_index %s",
            len(indices),
            count,
            few(indices),
        )
    elif any(records.lone_files(records.records_path(folder / split)) for split in splits):
        showing.log_next(folder, metadata.merge_command(folder))
    else:
        log.info("all shards are merged already: %s", folder)


def _merge(settings: settings_lib.SerializeSettings, origin: runs.Origin) -> int:
    """Makes records of the shards in a folder."""
    keys = [override.partition("=")[0].lstrip("+~") for override in origin.overrides]
    if other := [key for key in keys if key.partition(".")[0] not in _OF_MERGING]:
        raise UsageError(
            "a merge takes everything from the shards",
            where=other[0],
            received=f"merge=true and {', '.join(other)}",
            expected="merge=true with output_folder",
            remedy="Leave the other keys out: `lrcn serialize output_folder=FOLDER merge=true`",
        )
    if settings.output_folder is None:
        raise UserError(
            "the folder of the shards is needed",
            where="output_folder",
            received="null",
            expected="output_folder=FOLDER",
            remedy="Name the folder that the shards were written to",
        )
    showing.start_tensorflow()
    from lrcn.data import merging

    folder = pathlib.Path(settings.output_folder).absolute()
    reports = merging.merge(folder, limits=settings.limits)
    _show(reports)
    if all(report.reused for report in reports):
        log.info("there is nothing to merge, the records are whole")
    showing.log_next(folder, _train_command(reports, settings.limits))
    return 0


def _shuffle_only(catalog: Any, folder: pathlib.Path, options: Any) -> int:
    """Counts the items of each split, and writes `NAME.shuffled` if asked; no records."""
    from lrcn.data import serialize as serialize_lib

    for split in catalog.splits.values():
        showing.show(f"{split.name}: {len(split.items)} items, {catalog.num_classes} classes")
        if options.shuffle:
            target = folder / f"{split.name}.shuffled"
            serialize_lib.write_shuffled(split, target, seed=options.seed)
            log.info("shuffled list: %s", target)
    log.info("no records were written (do_serialize=false)")
    return 0


def check(settings: settings_lib.CheckSettings) -> int:
    """Prints what is wrong with lists, media, records and the split; 1 if anything is."""
    if settings.report:
        showing.require_target("report", settings.report)
        _require_report(pathlib.Path(settings.report))
    showing.start_tensorflow()
    from lrcn import datasets
    from lrcn.data import check as check_lib

    findings = datasets.findings(settings)
    check_lib.show(findings, showing.console())
    if settings.report:
        check_lib.write_report(findings, settings.report)
        log.info("report: %s", settings.report)
    if findings:
        log.info("findings: %d; nothing was changed", len(findings))
        return 1
    log.info("nothing found; next: lrcn serialize or lrcn train with the same dataset keys")
    return 0


def _require_report(file: pathlib.Path) -> None:
    """Refuses to write over a file that is no report, such as one of the lists."""
    with contextlib.suppress(ValueError, OSError):
        if file.stat().st_size == 0 or "findings" in json.loads(file.read_text(encoding="utf-8")):
            return
    if file.exists():
        raise UserError(
            "a file that is no report would be lost",
            where="report",
            received=file,
            expected="a new file, or an earlier report",
            remedy="Give report=FINDINGS.json",
        )


def browse(settings: settings_lib.BrowseSettings, *, origin: runs.Origin) -> int:
    """Draws what a network sees of a data set, and prints what its splits hold."""
    _refuse_groups(settings, origin)
    showing.require_file("backbone.weights", settings.backbone.weights)
    showing.require_writable("output_folder", pathlib.Path(settings.output_folder))
    showing.start_tensorflow()
    from lrcn import browsing

    found = browsing.of_data(settings)
    where = settings.run or settings.dataset.source
    showing.show_table(found.columns, found.rows, title=f"{where}: what there is")
    columns = ["channel", "mean", "spread", "lowest", "highest"]
    rows = [
        [own.name, *(f"{value:.3f}" for value in (own.mean, own.spread, own.low, own.high))]
        for own in found.channels
    ]
    showing.show_table(columns, rows, title=f"what the CNN reads of {settings.split}")
    showing.log_next(pathlib.Path(settings.output_folder), _next_of(settings, origin, found.needs))
    return 0


def _refuse_groups(settings: settings_lib.BrowseSettings, origin: runs.Origin) -> None:
    """Refuses keys that a run already has."""
    if settings.run is None:
        return
    free = (*_OF_BROWSING, "seed", "num_threads", "limits")
    keys = [override.partition("=")[0].lstrip("+~") for override in origin.overrides]
    if other := [key for key in keys if key.partition(".")[0] not in (*free, "hydra")]:
        raise UsageError(
            "a run is shown its own data in its own way",
            where=other[0],
            received=f"run={settings.run} and {', '.join(other)}",
            expected="run with " + " | ".join(free[1:]),
            remedy="Leave the run out to look at other data, or the keys to look at the run's",
        )


def _next_of(
    settings: settings_lib.BrowseSettings, origin: runs.Origin, workflow: str | None
) -> str:
    """Returns the command that trains on what was drawn."""
    if settings.run is not None:
        return shlex.join(["lrcn", "evaluate", f"run={settings.run}"])
    kept = [key for key in origin.overrides if key.partition("=")[0] not in _OF_BROWSING]
    flags = [f"--config-dir={origin.config_dir}"] if origin.config_dir else []
    if workflow is not None:
        kept = [key for key in kept if not key.startswith("workflow=")]
        kept.append(f"workflow={workflow}")
    return shlex.join(["lrcn", "train", *flags, *kept])


def _train_command(reports: list, limits: Limits) -> str:
    """Returns the command that trains on what was just stored."""
    from lrcn.data import records

    paths = {report.name.rpartition(".")[2]: report.path for report in reports}
    if len(paths) < len(reports):  # several lists of one role: which to train on is not ours to say
        return ""
    keys = [f"dataset.{role}={paths[role]}" for role in ("train", "val", "test") if role in paths]
    if "train" not in paths:
        return ""
    stored = records.read_metadata(reports[0].path, limits=limits)
    if not stored.num_classes:  # captions, which the default workflow cannot learn
        is_image = stored.type == "image"
        keys.append(f"workflow={'imgdesc_step' if is_image else 'videodesc_pooling'}")
    return shlex.join(["lrcn", "train", "dataset=records", *keys])
