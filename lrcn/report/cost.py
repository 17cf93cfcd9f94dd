"""What a run cost, as far as its files tell."""

from __future__ import annotations

import dataclasses
import datetime
import pathlib
import re
import statistics
from collections.abc import Mapping, Sequence

from lrcn import runs
from lrcn.data import bounded
from lrcn.data.limits import Limits

_STAMP = re.compile(rb"^(\d{4}-\d\d-\d\d \d\d:\d\d:\d\d),\d{3} ")
_EPOCH = b" lrcn.training.callbacks: epoch "


@dataclasses.dataclass(frozen=True)
class Fact:
    """A line of a table of facts: what, how much, and where it is known from."""

    name: str
    value: str
    source: str = ""


def of_run(
    run: runs.RunDirectory, history: Sequence[Mapping[str, float]], *, parameters: str | None
) -> list[Fact]:
    """Returns what a run cost, as far as its files tell.

    Args:
        run: The run.
        history: A row an epoch.
        parameters: Of the network, if it was opened.
    """
    facts = [Fact("parameters", parameters, "checkpoints/best.keras")] if parameters else []
    facts += [
        Fact(f"size of {file.name}", f"{file.stat().st_size / 1e6:.1f} MB")
        for file in (run.best, run.last)
        if file.exists()
    ]
    if history:
        epochs = int(history[-1].get("epoch", len(history)))
        facts.append(Fact("epochs", str(epochs), "history.csv"))
    facts += _times(run, history)
    facts.append(Fact("machine", "not recorded", "a run keeps no description of its machine"))
    return facts


def _times(run: runs.RunDirectory, history: Sequence[Mapping[str, float]]) -> list[Fact]:
    facts = []
    seconds = [row["seconds"] for row in history if "seconds" in row]
    if seconds:
        told = f"{_span(statistics.median(seconds))} (median)"
        facts.append(Fact("training steps of an epoch", told, "history.csv"))
        told = f"{_span(sum(seconds))} in {len(seconds)} epochs"
        facts.append(Fact("training steps in all", told, "history.csv; without validation"))
    if (wall := _logged_span(run.path / "train.log")) is not None:
        source = "train.log; with data and validation, and with breaks if it was resumed"
        facts.append(Fact("from its start to the end of its last epoch", _span(wall), source))
    rates = [row["frames_per_second"] for row in history if "frames_per_second" in row]
    if rates:
        told = f"{statistics.median(rates):,.0f} (median)"
        facts.append(Fact("frames a second in training", told, "history.csv"))
    return facts


def _span(seconds: float) -> str:
    if seconds < 90:
        return f"{seconds:.1f} s"
    if seconds < 5400:
        return f"{seconds / 60:.1f} min"
    return f"{seconds / 3600:.1f} h"


def _logged_span(file: pathlib.Path) -> float | None:
    """Returns the seconds from the first line of a log to its last epoch, if it tells of one.

    What comes after that, such as a run that is asked again when it is done, took no training.
    """
    if not file.is_file():
        return None
    first = last = None
    for line in bounded.lines(file, what="log", limits=Limits(), whole=False):
        if match := _STAMP.match(line):
            first = first or match[1]
            last = match[1] if _EPOCH in line else last
    if last is None:
        return None
    start, end = (datetime.datetime.fromisoformat(text.decode()) for text in (first, last))
    return max((end - start).total_seconds(), 0.0)
