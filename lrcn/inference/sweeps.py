"""The summary of a sweep: a row a job, sorted by the metric, with what failed and why."""

from __future__ import annotations

import csv
import dataclasses
import io
import os
import pathlib
from collections.abc import Iterable, Mapping, Sequence

import numpy as np
from rich import table as table_lib
from rich import text as text_lib

from lrcn import files, runs
from lrcn.inference import plots

SUMMARY = "summary.csv"
"""In the folder of a sweep: a row a job."""

METRICS = ("video_accuracy", "video_map", "cider")
_REPEATS = ("seed",)
_SHOWN = ("video_accuracy", "video_top5", "clip_accuracy", "video_map")
_SHOWN += ("cider", "bleu_4", "rouge_l", "exact", "loss")


@dataclasses.dataclass(frozen=True)
class Job:
    """One job of a sweep.

    Args:
        folder: The run directory.
        overrides: Key and value of each override of the job.
        status: "DONE", "FAILED" or "unfinished".
        metrics: The numbers of `metrics.json`, and of each evaluation as `<split>_<metric>`.
        reason: The first line of the failure, in one line.
    """

    folder: pathlib.Path
    overrides: Mapping[str, str]
    status: str
    metrics: Mapping[str, float]
    reason: str = ""


def read_job(
    folder: str | os.PathLike, overrides: Iterable[str], *, error: Exception | str | None = None
) -> Job:
    """Reads what a job left in its run directory.

    Args:
        folder: The run directory.
        overrides: "key=value" each.
        error: What ended the job just now, if anything did.
    """
    run = runs.RunDirectory(pathlib.Path(folder))
    reason = str(error) if error else run.failure or ""
    return Job(
        folder=run.path,
        overrides=dict(_split_override(text) for text in overrides),
        status="FAILED" if error else _status(run),
        metrics=_metrics(run),
        reason=" ".join(reason.split()),
    )


def _split_override(text: str) -> tuple[str, str]:
    key, _, value = text.partition("=")
    return key.lstrip("+~"), value


def _status(run: runs.RunDirectory) -> str:
    if run.failure is not None:
        return "FAILED"
    return "DONE" if run.is_done else "unfinished"


def _metrics(run: runs.RunDirectory) -> dict[str, float]:
    metrics = _numbers(run.metrics_file)
    for file in sorted((run.path / "evaluation").glob("*/metrics.json")):
        metrics.update(
            {f"{file.parent.name}_{key}": value for key, value in _numbers(file).items()}
        )
    return metrics


def _numbers(file: pathlib.Path) -> dict[str, float]:
    if not file.exists():
        return {}
    return {
        key: value
        for key, value in runs.read_json(file).items()
        if isinstance(value, int | float) and not isinstance(value, bool)
    }


def choose_metric(jobs: Sequence[Job]) -> str:
    """Returns the metric to sort jobs by: that of their task, on validation videos if it is known.

    Jobs without validation are told apart by what they were evaluated on.
    """
    present = dict.fromkeys(name for job in jobs for name in job.metrics)
    for metric in METRICS:
        found = [name for name in present if name == metric or name.endswith(f"_{metric}")]
        if found:
            return min(found, key=len)
    return METRICS[0]


def ranked(jobs: Iterable[Job], metric: str) -> list[Job]:
    """Returns the jobs from the best `metric` to the worst, those without one at the end."""

    def place(job: Job) -> tuple[float, str]:
        score = None if job.status == "FAILED" else job.metrics.get(metric)
        return np.inf if score is None else -score, str(job.folder)

    return sorted(jobs, key=place)


def varied(jobs: Sequence[Job]) -> list[str]:
    """Returns the override keys in which the jobs differ; every key if they differ in none."""
    keys = list(dict.fromkeys(key for job in jobs for key in job.overrides))
    differing = [key for key in keys if len({job.overrides.get(key) for job in jobs}) > 1]
    return differing or keys


def grouped(jobs: Sequence[Job], metric: str) -> list[tuple[str, list[float]]]:
    """Returns each setting with its scores over the seeds, from the best mean to the worst."""
    keys = [key for key in varied(jobs) if key not in _REPEATS]
    scores: dict[str, list[float]] = {}
    for job in jobs:
        name = _setting(job, keys)
        scores.setdefault(name, []).extend(
            [job.metrics[metric]] if metric in job.metrics and job.status != "FAILED" else []
        )
    return sorted(scores.items(), key=lambda pair: -np.mean(pair[1]) if pair[1] else np.inf)


def _setting(job: Job, keys: Sequence[str]) -> str:
    parts = [f"{key}={job.overrides[key]}" for key in keys if key in job.overrides]
    return " ".join(parts) or "all jobs"


def write_summary(folder: str | os.PathLike, jobs: Sequence[Job]) -> None:
    """Writes `summary.csv` and `summary.png` of a sweep.

    Args:
        folder: The sweep's folder.
        jobs: Every job, finished or not.
    """
    metric = choose_metric(jobs)
    root = pathlib.Path(folder)
    files.write_text(root / SUMMARY, _csv(root, ranked(jobs, metric)))
    plots.summary(root / "summary.png", grouped(jobs, metric), metric=metric)


def _csv(root: pathlib.Path, jobs: Sequence[Job]) -> str:
    overrides = list(dict.fromkeys(key for job in jobs for key in job.overrides))
    metrics = list(dict.fromkeys(key for job in jobs for key in job.metrics))
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow([*overrides, "status", *metrics, "run", "reason"])
    for job in jobs:
        writer.writerow(
            [
                *(job.overrides.get(key, "") for key in overrides),
                job.status,
                *(job.metrics.get(key, "") for key in metrics),
                _relative(job.folder, root),
                job.reason,
            ]
        )
    return text.getvalue()


def _relative(folder: pathlib.Path, root: pathlib.Path) -> str:
    inside = folder.resolve()
    return str(inside.relative_to(root.resolve()) if root.resolve() in inside.parents else folder)


def table(jobs: Sequence[Job]) -> table_lib.Table:
    """Returns the table of a sweep for a terminal, best job first."""
    metric = choose_metric(jobs)
    keys = varied(jobs)
    present = dict.fromkeys(key for job in jobs for key in job.metrics)
    shown = _evaluated(jobs, metric)
    shown += [name for name in _SHOWN if name != metric and name in present]
    report = table_lib.Table(title=f"{len(jobs)} jobs by {metric.replace('_', ' ')}")
    for key in keys:
        report.add_column(key, no_wrap=True)
    for name in (metric, *shown):
        report.add_column(name.replace("_", " "), justify="right", no_wrap=True)
    report.add_column("status", no_wrap=True)
    for place, job in enumerate(ranked(jobs, metric)):
        cells = [job.overrides.get(key, "") for key in keys]
        cells += [_number(job.metrics.get(name)) for name in (metric, *shown)]
        report.add_row(
            *(text_lib.Text(cell) for cell in cells),
            _status_cell(job),
            style="bold" if place == 0 and metric in job.metrics else None,
        )
    return report


def _evaluated(jobs: Sequence[Job], metric: str) -> list[str]:
    """Returns the metric's names on splits that jobs were evaluated on, such as `test_...`."""
    keys = dict.fromkeys(key for job in jobs for key in job.metrics)
    return [key for key in keys if key.endswith(f"_{metric}")]


def seeds_table(jobs: Sequence[Job]) -> table_lib.Table | None:
    """Returns mean and spread of each setting over its seeds, or None if no setting has two."""
    metric = choose_metric(jobs)
    groups = grouped(jobs, metric)
    if not any(len(scores) > 1 for _, scores in groups):
        return None
    metrics = [metric, *_evaluated(jobs, metric)]
    report = table_lib.Table(title="mean and spread over seeds")
    report.add_column("setting", overflow="fold")
    for name in ("jobs", *(name.replace("_", " ") for name in metrics)):
        report.add_column(name, justify="right", no_wrap=True)
    scores = {name: dict(grouped(jobs, name)) for name in metrics}
    for setting, own in groups:
        cells = [_mean_and_spread(scores[name][setting]) for name in metrics]
        report.add_row(text_lib.Text(setting), str(len(own)), *cells)
    return report


def _mean_and_spread(scores: Sequence[float]) -> str:
    if not scores:
        return ""
    mean = _number(float(np.mean(scores)))
    return mean if len(scores) < 2 else f"{mean} ± {np.std(scores, ddof=1):.4f}"


def _number(value: float | None) -> str:
    return "" if value is None else f"{value:.4f}"


def _status_cell(job: Job) -> text_lib.Text:
    return text_lib.Text(job.status, style="red" if job.status == "FAILED" else "")
