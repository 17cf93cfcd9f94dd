"""The picture of two fused streams: accuracy against the weight of the first one."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence

from matplotlib import axes as axes_lib
from matplotlib import figure as figure_lib

from lrcn.inference import plots
from lrcn.inference.fused import Measured

_REPORTED, _VAL, _FUSED = "#2f6fb0", "#8a8f98", "#d9731a"
_MARKERS = {"alone": "sD", "paper": "o^", "fixed": "o^", "given": "o", "chosen on val": "*"}


def draw(
    path: str | os.PathLike,
    curves: Mapping[str, Sequence[tuple[float, float]]],
    rows: Sequence[Measured],
    *,
    reported: str,
) -> None:
    """Draws a curve a split, with the streams alone, the paper's weights and those chosen marked.

    Args:
        path: The PNG to write.
        curves: Pairs of weight and accuracy by split, the weight from 0 to 1.
        rows: The two streams alone and the fusions.
        reported: The split whose figures the rows hold.
    """
    figure = figure_lib.Figure(figsize=(7.2, 4.4), layout="constrained", facecolor="white")
    axes = figure.add_subplot()
    is_chosen = any(row.how == "chosen on val" for row in rows)
    for split, points in curves.items():
        own = split == reported
        role = " (reported)" if own else " (chooses the free weights)" if is_chosen else ""
        axes.plot(
            *zip(*points, strict=True),
            color=_REPORTED if own else _VAL,
            linewidth=1.8 if own else 1.2,
            linestyle="-" if own else "--",
            label=f"{split}{role}",
        )
    for how, markers in _MARKERS.items():
        for row, marker in zip([row for row in rows if row.how == how], markers, strict=False):
            _mark(axes, row, marker)
    first, second = (row.name for row in rows if row.how == "alone")
    axes.set_xlabel(f"weight of {first} (1 − weight: {second})", parse_math=False)
    axes.set_ylabel("video accuracy")
    axes.set_xlim(-0.04, 1.04)
    axes.margins(y=0.16)
    axes.grid(color="#e4e7eb", linewidth=0.6)
    axes.spines[["top", "right"]].set_visible(False)
    legend = axes.legend(loc="best", fontsize=8, framealpha=0.9)
    for text in legend.get_texts():  # folders may hold dollars
        text.set_parse_math(False)
    plots.save(figure, path)


def _mark(axes: axes_lib.Axes, row: Measured, marker: str) -> None:
    accuracy = row.figures["video_accuracy"]
    axes.plot(
        [row.weights[0]],
        [accuracy],
        marker=marker,
        markersize=14 if marker == "*" else 7,
        color=_REPORTED if row.how == "alone" else _FUSED,
        markeredgecolor="white",
        linestyle="none",
        zorder=5,
        label=f"{row.name}: {accuracy:.3f}",
    )
