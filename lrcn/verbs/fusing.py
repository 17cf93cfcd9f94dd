"""The verb `fuse`: several streams as one, beside each of them alone."""

from __future__ import annotations

import logging
import pathlib
from collections.abc import Sequence

import numpy as np
import rich.box
import rich.table

from lrcn import runs
from lrcn import settings as settings_lib
from lrcn.errors import CannotWrite, UserError
from lrcn.inference import streams as streams_lib
from lrcn.inference.fused import Fused, Measured
from lrcn.scoring import fusion
from lrcn.verbs import showing

log = logging.getLogger(__name__)


def fuse(settings: settings_lib.FuseSettings) -> int:
    """Fuses the streams and prints each alone, each fusion, and how sure the differences are."""
    if settings.weights is not None and len(settings.runs) > 1:
        fusion.check_weights(settings.weights, len(settings.runs))
    streams = streams_lib.find(settings.runs)
    for stream in streams:
        log.info("%s: %s", stream.name, ", ".join(str(run.path) for run in stream.runs))
        for run in stream.runs:
            run.require_own()
    streams_lib.refuse_other_classes(streams)
    showing.start_tensorflow()
    from lrcn.inference import fuse as fuse_lib

    members = [run for stream in streams for run in stream.runs]
    split = settings.split or _split(members)
    folder = fuse_lib.default_folder(streams, split, settings.weights)
    if settings.output_folder:
        folder = pathlib.Path(settings.output_folder).expanduser()
    showing.require_writable("output_folder", folder)
    fuse_lib.refuse_foreign(folder)
    _evaluate_missing(members, split)
    validated = settings.weights is None and _is_validated(streams, split)
    fused = fuse_lib.fuse(
        streams, split=split, weights=settings.weights, validated=validated, folder=folder
    )
    _show(fused)
    if len(streams) == 2:
        log.info("picture: %s", folder / "fusion.png")
    showing.log_next(folder, "")
    return 0


def _split(members: Sequence[runs.RunDirectory]) -> str:
    """Returns "test" if every run has one, else "val"."""
    from lrcn import evaluation

    for run in members:
        if not streams_lib.is_evaluated(run, "test") and "test" not in evaluation.splits(run.path):
            log.info("fuse: split=val: the data set of %s has no test split", run.path)
            return "val"
    return "test"


def _evaluate_missing(members: Sequence[runs.RunDirectory], split: str) -> None:
    """Evaluates the runs that have no probabilities of the split, and says so."""
    from lrcn import evaluation

    for run in members:
        if not streams_lib.is_evaluated(run, split):
            log.info("fuse: evaluating %s on %s first", run.path, split)
            evaluation.of_run(settings_lib.EvaluateSettings(run=str(run.path), split=split))


def _is_validated(streams: Sequence[streams_lib.Stream], split: str) -> bool:
    """Returns whether weights can be chosen on val; says why if they cannot."""
    if split == "val":
        log.warning("fuse: no free weights: val is reported, so nothing is chosen on it")
        return False
    try:
        _evaluate_missing([run for stream in streams for run in stream.runs], "val")
        streams_lib.read(streams, "val")
    except CannotWrite:
        raise
    except UserError as error:
        log.warning("fuse: no free weights, which are chosen on val: %s", error)
        return False
    return True


def _show(fused: Fused) -> None:
    """Writes the figures to stdout, then the differences."""
    output = showing.console()
    kind = "groups" if fused.grouped else "items without groups"
    output.print(f"fused on {fused.split}: {fused.items} items")
    output.print(_figures(fused))
    output.print(f"differences of video_accuracy, 95 % intervals over {fused.clusters} {kind}")
    output.print(_differences(fused))


def _table(*columns: str) -> rich.table.Table:
    table = rich.table.Table(box=rich.box.SIMPLE_HEAD, pad_edge=False)
    for place, name in enumerate(columns):
        table.add_column(name, justify="right" if place else "left")
    return table


def _figures(fused: Fused) -> rich.table.Table:
    metrics = list(fused.rows[0].figures)
    seeds = len(fused.rows[0].by_seed)
    more = [f"video_accuracy of {seeds} seeds"] if seeds else []
    weights = [f"weight of {row.name}" for row in fused.streams]
    table = _table("", *weights, *metrics, *more)
    for row in fused.rows:
        cells = [f"{weight:.4g}" for weight in row.weights]
        cells += [f"{row.figures[name]:.4f}" for name in metrics]
        table.add_row(_name(row), *cells, *([_mean_and_spread(row.by_seed)] if seeds else []))
    return table


def _name(row: Measured) -> str:
    return f"{row.name} ({row.how})" if row.how in ("paper", "chosen on val") else row.name


def _mean_and_spread(values: Sequence[float]) -> str:
    return f"{np.mean(values):.4f} ± {np.std(values, ddof=1):.4f}"


def _differences(fused: Fused) -> rich.table.Table:
    table = _table("", "minus", "difference", "95 % interval")
    for row in fused.rows:
        for found in row.differences:
            interval = f"[{found.low:+.4f}, {found.high:+.4f}]"
            table.add_row(row.name, found.minus, f"{found.difference:+.4f}", interval)
    return table
