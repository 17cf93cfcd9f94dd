"""The page of a sweep, from the `summary.csv` in its folder."""

from __future__ import annotations

import csv
import dataclasses
import io
import pathlib
import urllib.parse
from collections.abc import Sequence
from typing import Any

import numpy as np

from lrcn.data import bounded
from lrcn.data.limits import Limits
from lrcn.errors import UserError
from lrcn.inference import plots, sweeps
from lrcn.report import charts, pages

_AFTER = ("run", "reason")
_COUNTS = ("videos", "items", "captions")  # metrics that tell how many, not how well


@dataclasses.dataclass(frozen=True)
class Row:
    """A job of the table.

    Attributes:
        named: What tells it from the others, in a line.
        settings: What tells it from the others, as many as there are columns of them.
        metrics: Its figures, None where it has none.
        status: "DONE", "FAILED" or "unfinished".
        folder: Of the run, below that of the sweep.
        link: To its own report, relative to the page; "" if there is none.
        reason: Why it failed.
    """

    named: str
    settings: tuple[str, ...]
    metrics: tuple[float | None, ...]
    status: str
    folder: str
    link: str
    reason: str


def read(folder: pathlib.Path) -> list[sweeps.Job]:
    """Reads the jobs of a sweep from its `summary.csv`.

    Args:
        folder: Of the sweep.

    Raises:
        UserError: The file is not as a sweep writes it.
    """
    file = folder / sweeps.SUMMARY
    try:
        text = bounded.read(file, what="summary", limits=Limits()).decode()
        header, *rows = list(csv.reader(io.StringIO(text))) or [[]]
        place = header.index("status")
        if tuple(header[-2:]) != _AFTER or not rows:
            raise ValueError(f"the columns {', '.join(header[-2:])}, and {len(rows)} jobs")
        return [_job(folder, header, row, place) for row in rows]
    except UserError:
        raise
    except (OSError, ValueError, csv.Error) as error:
        raise UserError(
            "no summary as a sweep writes it",
            where=file,
            received=error,
            expected="a row a job: its overrides, status, metrics, run, reason",
            remedy="Repeat the command of the sweep: finished jobs are answered from their folders",
        ) from error


def _job(folder: pathlib.Path, header: list[str], row: list[str], place: int) -> sweeps.Job:
    if len(row) != len(header):
        raise ValueError(f"{len(row)} columns instead of {len(header)}")
    given = dict(zip(header[:place], row[:place], strict=True))
    found = {
        key: int(cell) if cell.isdecimal() else plots.as_number(cell)
        for key, cell in zip(header[place + 1 : -2], row[place + 1 : -2], strict=True)
    }
    return sweeps.Job(
        folder=folder / row[-2],
        overrides={key: value for key, value in given.items() if value},
        status=row[place],
        metrics={key: value for key, value in found.items() if value is not None},
        reason=row[-1],
    )


def page(folder: pathlib.Path, target: pathlib.Path) -> str:
    """Returns the page of a sweep.

    Args:
        folder: Of the sweep.
        target: Where the page will stand; links to the reports of its runs are relative to that.

    Raises:
        UserError: `summary.csv` is damaged.
    """
    jobs = read(folder)
    metric = sweeps.choose_metric(jobs)
    keys = sweeps.varied(jobs)
    present = dict.fromkeys(key for job in jobs for key in job.metrics)
    metrics = [metric, *(name for name in present if name not in (metric, "epoch"))]
    metrics = [name for name in metrics if name in present]
    measured = [name for name in metrics if not name.endswith(_COUNTS)]
    rows = [_row(folder, target, job, keys, metrics) for job in sweeps.ranked(jobs, metric)]
    same = {key: value for key, value in jobs[0].overrides.items() if _is_same(jobs, key, value)}
    failed = [row for row in rows if row.status != "DONE"]
    is_share = metric.endswith(("accuracy", "top5", "map", "exact"))
    values: dict[str, Any] = {
        "title": folder.resolve().name,
        "metric": metric,
        "keys": keys,
        "metrics": metrics,
        "rows": rows,
        "failed": failed,
        "done": len(rows) - len(failed),
        "bars": charts.bars(sweeps.grouped(jobs, metric), full=1.0 if is_share else None),
        "full": "1" if is_share else "the best job",
        "measured": measured,
        "seeds": _seeds(jobs, measured),
        "same": same,
        "linked": sum(bool(row.link) for row in rows),
        "example": rows[0].folder,
        "folder": str(folder),
    }
    return pages.render("sweep.html.jinja", values)


def _is_same(jobs: Sequence[sweeps.Job], key: str, value: str) -> bool:
    return all(job.overrides.get(key) == value for job in jobs)


def _row(
    folder: pathlib.Path,
    target: pathlib.Path,
    job: sweeps.Job,
    keys: Sequence[str],
    metrics: Sequence[str],
) -> Row:
    report, root = (job.folder / pages.NAME).resolve(), target.resolve().parent
    # A link leads to what stands below the page alone: it goes where the folder goes.
    inside = report.is_file() and root in report.parents
    link = "./" + urllib.parse.quote(str(report.relative_to(root))) if inside else ""
    return Row(
        ", ".join(f"{key}={job.overrides[key]}" for key in keys if key in job.overrides),
        tuple(job.overrides.get(key, "") for key in keys),
        tuple(job.metrics.get(name) for name in metrics),
        job.status,
        str(job.folder.relative_to(folder) if folder in job.folder.parents else job.folder),
        link,
        job.reason,
    )


def _seeds(
    jobs: Sequence[sweeps.Job], metrics: Sequence[str]
) -> list[tuple[str, int, list[tuple[float | None, float | None]]]]:
    """Returns of each setting how many jobs it has, and mean and spread of each metric.

    None of it if no setting has two jobs.
    """
    by_metric = [dict(sweeps.grouped(jobs, name)) for name in metrics]
    if not by_metric or not any(len(scores) > 1 for scores in by_metric[0].values()):
        return []
    return [
        (setting, len(scores), [_mean_and_spread(found[setting]) for found in by_metric])
        for setting, scores in by_metric[0].items()
    ]


def _mean_and_spread(scores: Sequence[float]) -> tuple[float | None, float | None]:
    if not scores:
        return None, None
    return float(np.mean(scores)), float(np.std(scores, ddof=1)) if len(scores) > 1 else None
