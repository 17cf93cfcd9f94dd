"""Pictures of a run and of a sweep, drawn without a display and without global state."""

from __future__ import annotations

import contextlib
import csv
import math
import os
import pathlib
import re
import warnings
from collections.abc import Iterator, Mapping, Sequence

import numpy as np
from matplotlib import axes as axes_lib
from matplotlib import figure as figure_lib
from matplotlib import ticker

from lrcn import errors, files

DPI = 130
"""Pixels an inch of every picture."""

_BLUE = "#2f6fb0"
_ORANGE = "#d9731a"
_GREY = "#8a8f98"
_PALETTE = (_BLUE, _ORANGE, "#3d8f5f", "#9a4fa8", "#b03a3a", "#5c6670")
_LONGEST_NAME = 28
_LOG_SCALE_FROM = 20
_MONITORED = ("val_video_accuracy", "val_video_map", "val_cider", "val_accuracy")


def confusion(path: str | os.PathLike, matrix: np.ndarray, names: Sequence[str] = ()) -> None:
    """Draws a confusion matrix, coloured by the share of each true class, counts in the cells.

    Args:
        path: The PNG to write.
        matrix: [classes, classes] int, rows are true classes and columns predicted ones.
        names: The name of each class; numbers if empty.
    """
    matrix = np.asarray(matrix)
    count = len(matrix)
    labels = [_short(name) for name in names] or [str(index) for index in range(count)]
    cell = float(np.clip(9 / count, 0.17, 0.8))
    font = float(np.clip(cell * 72 * 0.45, 5, 11))
    margin = 0.55 * font / 72 * max(len(label) for label in labels) + 1.2
    figure = _figure(max(count * cell + margin, 4.2) + 0.9, max(count * cell + margin, 4.2))
    axes = figure.add_subplot()
    shares = matrix / np.maximum(matrix.sum(axis=1, keepdims=True), 1)
    image = axes.imshow(shares, cmap="Blues", vmin=0, vmax=1)
    _name_ticks(axes, labels, font)
    _write_counts(axes, matrix, shares, cell)
    axes.set_xlabel("predicted")
    axes.set_ylabel("true")
    axes.set_title(_accuracy_title(matrix))
    bar = figure.colorbar(image, ax=axes, fraction=0.04, pad=0.02, aspect=max(25, count))
    bar.set_label("share of the true class")
    save(figure, path)


def _accuracy_title(matrix: np.ndarray) -> str:
    total = int(matrix.sum())
    right = int(np.trace(matrix))
    return f"{right} of {total} right ({right / max(total, 1):.1%})"


def _name_ticks(axes: axes_lib.Axes, labels: Sequence[str], font: float) -> None:
    upright = len(labels) > 12 or max(len(label) for label in labels) > 3
    places = range(len(labels))
    axes.set_xticks(
        places, labels=labels, rotation=90 if upright else 0, fontsize=font, parse_math=False
    )
    axes.set_yticks(places, labels=labels, fontsize=font, parse_math=False)
    axes.tick_params(length=0)
    axes.set_xticks(np.arange(len(labels) + 1) - 0.5, minor=True)
    axes.set_yticks(np.arange(len(labels) + 1) - 0.5, minor=True)
    axes.grid(which="minor", color="#d5dae0", linewidth=0.4)
    axes.tick_params(which="minor", length=0)


def _write_counts(axes: axes_lib.Axes, matrix: np.ndarray, shares: np.ndarray, cell: float) -> None:
    digits = len(str(int(matrix.max(initial=0))))
    size = min(cell * 72 * 0.5, cell * 72 * 1.25 / digits, 12)
    for row, column in np.argwhere(matrix > 0):
        colour = "white" if shares[row, column] > 0.55 else "#10233a"
        axes.text(
            column,
            row,
            str(int(matrix[row, column])),
            ha="center",
            va="center",
            fontsize=size,
            color=colour,
        )


def read_history(path: str | os.PathLike) -> list[dict[str, float]]:
    """Reads `history.csv` of a run: a row an epoch, cells that are no number left out.

    Raises:
        errors.UserError: If there is no such file.
    """
    file = pathlib.Path(path)
    if not file.is_file():
        raise errors.UserError(
            "there is no history to draw",
            where=file,
            received="no such file",
            expected="a row an epoch, as `lrcn train` writes it",
            remedy="Train the run for an epoch first",
        )
    try:
        with file.open(newline="", encoding="utf-8") as rows:
            return [_numbers(row) for row in csv.DictReader(rows)]
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise errors.UserError(
            "the history cannot be read",
            where=file,
            received=error,
            expected="a row an epoch, as `lrcn train` writes it",
            remedy="The file was changed by hand or by another program: restore it",
        ) from error


def _numbers(row: Mapping[str, str | None]) -> dict[str, float]:
    numbers = {}
    for key, cell in row.items():
        value = as_number(cell)
        if key and value is not None:
            numbers[key] = value
    return numbers


def as_number(cell: object) -> float | None:
    """Returns a finite number that `cell` holds, or None."""
    try:
        value = float(cell)  # type: ignore[arg-type]
    except (TypeError, ValueError):
        return None
    return value if math.isfinite(value) else None


def curves(
    path: str | os.PathLike,
    history: Sequence[Mapping[str, float]],
    *,
    monitor: str | None = None,
    best_epoch: int | None = None,
) -> None:
    """Draws loss, validation scores and learning rate by epoch, the best epoch marked.

    Args:
        path: The PNG to write.
        history: A row an epoch, as `read_history` gives; the first one is epoch 1.
        monitor: The column that decides which epoch is best, a loss by its lowest value; by
            default the validation accuracy of the task.
        best_epoch: The epoch that was kept as the best, where it is known: of equal ones, another
            value has decided.
    """
    panels = [
        (title, columns)
        for title, columns in (
            ("loss", [key for key in _columns(history, ("loss",)) if key in ("loss", "val_loss")]),
            ("accuracy", _columns(history, ("accuracy", "top5", "map"))),
            ("CIDEr", _columns(history, ("cider",))),
            ("learning rate", _columns(history, ("learning_rate", "lr"))),
        )
        if columns
    ]
    figure = _figure(7.5, 1.0 + 2.1 * max(len(panels), 1))
    grid = figure.subplots(max(len(panels), 1), 1, sharex=True, squeeze=False)[:, 0]
    best = _best_epoch(history, [monitor] if monitor else _MONITORED, kept=best_epoch)
    for axes, (title, columns) in zip(grid, panels, strict=False):
        _draw_columns(axes, history, columns)
        axes.set_ylabel(title)
        if title == "loss":
            _keep_loss_readable(axes, history, columns)
        elif title == "learning rate":
            _scale_rate(axes, history, columns)
        if best is not None:
            _mark_best(axes, history, best, labelled=best[0] in columns)
        axes.legend(loc="best", fontsize=8, framealpha=0.9)
    grid[-1].set_xlabel("epoch")
    grid[-1].xaxis.set_major_locator(ticker.MaxNLocator(integer=True, min_n_ticks=1))
    save(figure, path)


def _columns(history: Sequence[Mapping[str, float]], endings: Sequence[str]) -> list[str]:
    keys = dict.fromkeys(key for row in history for key in row)
    return [key for key in keys if key.endswith(tuple(endings))]


def _epochs(history: Sequence[Mapping[str, float]]) -> list[int]:
    return [int(row.get("epoch", number)) for number, row in enumerate(history, start=1)]


def _best_epoch(
    history: Sequence[Mapping[str, float]], keys: Sequence[str], *, kept: int | None = None
) -> tuple[str, int] | None:
    for key in keys:
        if kept in _epochs(history) and key in history[_epochs(history).index(kept)]:
            return key, _epochs(history).index(kept)
        sign = -1 if key.endswith("loss") else 1
        scored = [(sign * row[key], -index) for index, row in enumerate(history) if key in row]
        if scored:
            return key, -max(scored)[1]
    return None


def _draw_columns(
    axes: axes_lib.Axes, history: Sequence[Mapping[str, float]], columns: Sequence[str]
) -> None:
    epochs = _epochs(history)
    for index, column in enumerate(columns):
        points = [
            (epoch, row[column])
            for epoch, row in zip(epochs, history, strict=True)
            if column in row
        ]
        label = column.removeprefix("val_").replace("_", " ")
        where = "validation" if column.startswith("val_") else "training"
        axes.plot(
            *zip(*points, strict=True),
            color=_PALETTE[index % len(_PALETTE)],
            marker="o" if len(points) < 40 else None,
            markersize=3,
            linewidth=1.4,
            label=label if "learning" in label else f"{label} ({where})",
        )
    axes.grid(color="#e4e7eb", linewidth=0.6)
    axes.spines[["top", "right"]].set_visible(False)


def _keep_loss_readable(
    axes: axes_lib.Axes, history: Sequence[Mapping[str, float]], columns: Sequence[str]
) -> None:
    values = np.array([row[column] for row in history for column in columns if column in row])
    if values.min() > 0 and values.max() / values.min() > _LOG_SCALE_FROM:
        axes.set_yscale("log")


def _scale_rate(
    axes: axes_lib.Axes, history: Sequence[Mapping[str, float]], columns: Sequence[str]
) -> None:
    values = np.array([row[column] for row in history for column in columns if column in row])
    if values.min() > 0 and values.max() / values.min() >= 10:
        axes.set_yscale("log")
    else:
        axes.set_ylim(bottom=0, top=max(values.max() * 1.15, 1e-12))
        axes.ticklabel_format(axis="y", style="sci", scilimits=(-2, 3))


def _mark_best(
    axes: axes_lib.Axes,
    history: Sequence[Mapping[str, float]],
    best: tuple[str, int],
    *,
    labelled: bool,
) -> None:
    key, index = best
    epoch = _epochs(history)[index]
    axes.axvline(epoch, color=_GREY, linewidth=1, linestyle="--", zorder=0)
    if labelled:
        value = history[index][key]
        axes.plot(
            [epoch],
            [value],
            marker="*",
            markersize=13,
            color=_ORANGE,
            markeredgecolor="white",
            linestyle="none",
            label=f"best: {value:.3g} in epoch {epoch}",
            zorder=5,
        )


def summary(
    path: str | os.PathLike, groups: Sequence[tuple[str, Sequence[float]]], *, metric: str
) -> None:
    """Draws a sweep: a bar for the mean of each setting, a dot for each of its jobs.

    Args:
        path: The PNG to write.
        groups: (setting, one score for each finished job), best first; no score for a failed one.
        metric: The name of the score.
    """
    # Without the groups of keys, which take the room of what differs.
    labels = [_short(re.sub(r"(?<!\S)[\w.]+\.(?=\w+=)", "", name), 90) for name, _ in groups]
    width = 5.5 + 0.085 * max((len(label) for label in labels), default=0)
    figure = _figure(width, 1.4 + 0.36 * max(len(groups), 1))
    axes = figure.add_subplot()
    values = [score for _, scores in groups for score in scores]
    for place, (_, scores) in enumerate(groups):
        _draw_setting(axes, place, scores, first=place == 0)
    axes.set_yticks(range(len(groups)), labels=labels, fontsize=9, parse_math=False)
    axes.set_ylim(max(len(groups), 1) - 0.4, -0.6)
    axes.set_xlim(min(0, *values, 0), max([*values, 0]) * 1.16 or 1)
    axes.set_xlabel(metric.replace("_", " "))
    axes.grid(axis="x", color="#e4e7eb", linewidth=0.6)
    axes.set_axisbelow(True)
    axes.spines[["top", "right", "left"]].set_visible(False)
    axes.tick_params(axis="y", length=0)
    save(figure, path)


def _draw_setting(axes: axes_lib.Axes, place: int, scores: Sequence[float], *, first: bool) -> None:
    if not scores:
        axes.text(0, place, " FAILED", va="center", fontsize=9, color="#b03a3a", weight="bold")
        return
    mean = float(np.mean(scores))
    axes.barh(place, mean, height=0.62, color=_BLUE if first else "#a9c4df")
    text = f"{mean:.3f}"
    if len(scores) > 1:
        text += f" ± {np.std(scores, ddof=1):.3f}"
        axes.plot(scores, [place] * len(scores), "o", color=_ORANGE, markersize=4, zorder=3)
    axes.annotate(
        text,
        (max(mean, *scores, mean), place),
        xytext=(6, 0),
        textcoords="offset points",
        va="center",
        fontsize=9,
    )


def _short(name: object, longest: int = _LONGEST_NAME) -> str:
    text = " ".join(str(name).split())
    return text if len(text) <= longest else text[: longest - 1] + "…"


def _figure(width: float, height: float) -> figure_lib.Figure:
    return figure_lib.Figure(figsize=(width, height), layout="constrained", facecolor="white")


def save(figure: figure_lib.Figure, path: str | os.PathLike) -> None:
    """Writes a figure as a PNG, `DPI` pixels an inch, as a whole or not at all."""
    with files.atomic_path(path) as temporary, any_script():
        figure.savefig(temporary, dpi=DPI, format="png")


@contextlib.contextmanager
def any_script() -> Iterator[None]:
    """Lets text be measured and drawn whatever its script.

    What the font lacks becomes boxes: the name of a class or a caption must not stop a run.
    """
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="Glyph .* missing from")
        yield
