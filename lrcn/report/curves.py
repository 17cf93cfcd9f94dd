"""The curves of a training: loss, scores and rate by epoch."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from lrcn import runs
from lrcn.errors import UserError
from lrcn.inference import plots
from lrcn.report import charts

# Title and the endings of the columns of `history.csv` that belong below it.
_PANELS = (
    ("loss", ("loss",)),
    ("accuracy", ("accuracy", "top5", "map")),
    ("CIDEr", ("cider",)),
    ("learning rate", ("learning_rate",)),
)


def read(run: runs.RunDirectory) -> list[dict[str, float]]:
    """Returns a row an epoch; none if no epoch is over.

    Args:
        run: The run.
    """
    return plots.read_history(run.history_file) if run.history_file.exists() else []


def best_epoch(run: runs.RunDirectory) -> int | None:
    """Returns the epoch that was kept as the best, or None where that is not known.

    Args:
        run: The run.
    """
    try:
        kept = runs.read_json(run.state_file).get("best_epoch") if run.state_file.exists() else None
    except UserError:
        return None  # a copy for readers; the chart stands without the mark
    return kept if isinstance(kept, int) else None


def panels(history: Sequence[Mapping[str, float]], *, best: int | None) -> list[charts.Chart]:
    """Returns a chart for each kind of value.

    Args:
        history: A row an epoch.
        best: The epoch to mark.
    """
    keys = list(dict.fromkeys(key for row in history for key in row))
    epochs = [row.get("epoch", number) for number, row in enumerate(history, start=1)]
    made = []
    for title, endings in _PANELS:
        own = [key for key in keys if key.endswith(endings)]
        series = [_series(history, epochs, key, place) for place, key in enumerate(own)]
        if series:
            mark = (best, f"best: epoch {best}") if best in epochs else None
            made.append(charts.lines(title, series, x_label="epoch", mark=mark))
    return made


def _series(
    history: Sequence[Mapping[str, float]], epochs: Sequence[float], key: str, place: int
) -> charts.Series:
    points = [(epoch, row[key]) for epoch, row in zip(epochs, history, strict=True) if key in row]
    told = key.removeprefix("val_").replace("_", " ")
    if "rate" not in key:
        told += " (validation)" if key.startswith("val_") else " (training)"
    x, y = zip(*points, strict=True)
    return charts.Series(told, x, y, colour=place, dashed=key.startswith("val_"))
