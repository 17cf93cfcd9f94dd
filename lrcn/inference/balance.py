"""The splits of a data set side by side: how long items are and how many each class has."""

from __future__ import annotations

import os
from collections.abc import Sequence

import numpy as np
from matplotlib import axes as axes_lib
from matplotlib import figure as figure_lib
from matplotlib import ticker

from lrcn.inference import browse, plots

_INK, _GREY, _ORANGE, _RED = "#10233a", "#5c6670", "#d9731a", "#b03a3a"
_OF_SPLITS = {"train": "#2f6fb0", "val": "#3d8f5f", "test": "#9a4fa8"}
_MOST_CLASSES = 120
_COLUMN = 4.3  # inches
_HISTOGRAM = 2.3
_LONGEST_NAME = 30


def draw(
    path: str | os.PathLike,
    splits: Sequence[browse.Split],
    names: Sequence[str],
    *,
    num_frames: int | None,
    title: str,
) -> None:
    """Draws a column a split: the lengths of its items, and its classes or captions.

    Args:
        path: The PNG to write.
        splits: What each split holds.
        names: The names of the classes; none where captions are learnt.
        num_frames: Frames of a clip, drawn as a line; None where lengths do not matter.
        title: Above all.
    """
    rows = []
    if any(max(split.frames, default=1) > 1 for split in splits):
        rows.append((_HISTOGRAM, lambda grid: _lengths(grid, splits, num_frames)))
    if names:
        places = _kept(splits, len(names))
        height = 0.75 + max(len(places), 3) * (0.27 if len(places) <= 40 else 0.165)
        rows.append((height, lambda grid: _classes(grid, splits, names, places)))
    else:
        rows.append((_HISTOGRAM, lambda grid: _captions(grid, splits)))
        rows.append((_HISTOGRAM, lambda grid: _words(grid, splits)))
    margin = 0.085 * min(max(map(len, names), default=0), _LONGEST_NAME)
    width = max(_COLUMN * len(splits) + margin, 6.5)
    figure = figure_lib.Figure(
        figsize=(width, 0.75 + sum(height for height, _ in rows)),
        layout="constrained",
        facecolor="white",
    )
    figure.get_layout_engine().set(w_pad=0.11)
    figure.suptitle(title, fontsize=11, color=_INK, weight="bold", x=0.01, ha="left")
    parts = figure.subfigures(len(rows), 1, height_ratios=[height for height, _ in rows])
    for part, (_, fill) in zip(np.atleast_1d(parts), rows, strict=True):
        fill(part)
    plots.save(figure, path)


def _lengths(
    part: figure_lib.SubFigure, splits: Sequence[browse.Split], num_frames: int | None
) -> None:
    longest = max(max(split.frames, default=1) for split in splits)
    edges = _edges(min(min(split.frames, default=1) for split in splits), longest)
    for axes, split in zip(_columns(part, splits), splits, strict=True):
        axes.hist(split.frames, bins=edges, color=_OF_SPLITS[split.name], alpha=0.8)
        told = f"{np.median(split.frames or [0]):g} frames in the median"
        if num_frames:
            axes.axvline(num_frames, color=_ORANGE, linewidth=1.6)
            short = split.shorter(num_frames)
            _note(axes, f"clip: {num_frames} frames", _ORANGE, 0)
            _note(axes, f"shorter: {short:,}", _RED if short else _GREY, 1)
        _heading(axes, f"{split.name}: {len(split.frames):,} items", told, split)
        axes.set_xlabel("frames", fontsize=8.5, color=_GREY)
        axes.set_ylim(top=axes.get_ylim()[1] * 1.35)
        ends = [*edges, num_frames or edges[0]]
        aside = max(0.03 * (max(ends) - min(ends)), 1)
        axes.set_xlim(min(ends) - aside, max(ends) + aside)


def _classes(
    part: figure_lib.SubFigure,
    splits: Sequence[browse.Split],
    names: Sequence[str],
    places: Sequence[int | None],
) -> None:
    font = 9 if len(places) <= 40 else 6.5
    labels = ["⋮" if place is None else _short(names[place]) for place in places]
    every = _columns(part, splits, sharey=True)
    for axes, split in zip(every, splits, strict=True):
        counts = split.per_class(len(names))
        shown = [0 if place is None else int(counts[place]) for place in places]
        axes.barh(range(len(places)), shown, color=_OF_SPLITS[split.name], alpha=0.8, height=0.72)
        for at, (place, count) in enumerate(zip(places, shown, strict=True)):
            if place is not None:
                axes.annotate(
                    f"{count:,}",
                    (count, at),
                    xytext=(3, 0),
                    textcoords="offset points",
                    va="center",
                    fontsize=font - 0.5,
                    color=_GREY if count else _RED,
                )
        ends = dict.fromkeys((int(counts.min()), int(counts.max())))
        told = " to ".join(f"{count:,}" for count in ends) + " a class"
        _heading(axes, f"{split.name}: {np.count_nonzero(counts)} classes", told, split)
        axes.set_xlim(0, max(shown + [1]) * 1.16)
        axes.tick_params(axis="y", length=0)
    every[0].set_yticks(range(len(places)), labels=labels, fontsize=font, parse_math=False)
    every[0].set_ylim(len(places) - 0.4, -0.6)


def _kept(splits: Sequence[browse.Split], num_classes: int) -> list[int | None]:
    """Returns the classes that are drawn, in their order; of very many the largest and smallest."""
    if num_classes <= _MOST_CLASSES:
        return list(range(num_classes))
    ranked = np.argsort(-splits[0].per_class(num_classes), kind="stable").tolist()
    half = _MOST_CLASSES // 2
    return [*ranked[:half], None, *ranked[-half:]]


def _captions(part: figure_lib.SubFigure, splits: Sequence[browse.Split]) -> None:
    most = max((len(own) for split in splits for own in split.captions), default=1)
    for axes, split in zip(_columns(part, splits), splits, strict=True):
        counts = [len(own) for own in split.captions]
        axes.hist(counts, bins=_edges(1, most), color=_OF_SPLITS[split.name], alpha=0.8)
        told = f"{len(split.words):,} captions"
        _heading(axes, f"{split.name}: {len(split.frames):,} items", told, split)
        axes.set_xlabel("captions of an item", fontsize=8.5, color=_GREY)


def _words(part: figure_lib.SubFigure, splits: Sequence[browse.Split]) -> None:
    words = [split.words for split in splits]
    every = [count for own in words for count in own] or [1]
    edges = _edges(min(every), max(every))
    for axes, split, own in zip(_columns(part, splits), splits, words, strict=True):
        axes.hist(own, bins=edges, color=_OF_SPLITS[split.name], alpha=0.8)
        _heading(axes, split.name, f"{np.median(own or [0]):g} words in the median", split)
        axes.set_xlabel("words of a caption", fontsize=8.5, color=_GREY)


def _columns(
    part: figure_lib.SubFigure, splits: Sequence[browse.Split], *, sharey: bool = False
) -> list[axes_lib.Axes]:
    grid = part.subplots(1, len(splits), sharey=sharey, squeeze=False)[0]
    for axes in grid:
        axes.spines[["top", "right"]].set_visible(False)
        axes.spines[["left", "bottom"]].set_color("#c5cad1")
        axes.tick_params(labelsize=8, colors=_GREY)
        for axis in (axes.xaxis, axes.yaxis):
            axis.set_major_locator(ticker.MaxNLocator(5, integer=True, min_n_ticks=1))
    return list(grid)


def _heading(axes: axes_lib.Axes, left: str, right: str, split: browse.Split) -> None:
    axes.set_title(left, fontsize=9.5, color=_OF_SPLITS[split.name], weight="bold", loc="left")
    axes.set_title(right, fontsize=8, color=_GREY, loc="right")


def _note(axes: axes_lib.Axes, text: str, colour: str, line: int) -> None:
    axes.text(
        0.99,
        0.98 - 0.11 * line,
        text,
        transform=axes.transAxes,
        ha="right",
        va="top",
        fontsize=8,
        color=colour,
    )


def _edges(low: int, high: int) -> np.ndarray:
    """Returns the edges of bins of whole numbers, 40 at the most and all equally wide."""
    wide = max(-(-(high - low + 1) // 40), 1)
    bins = -(-(high - low + 1) // wide)
    return low - 0.5 + wide * np.arange(bins + 1)


def _short(name: object) -> str:
    text = " ".join(str(name).split())
    return text if len(text) <= _LONGEST_NAME else f"{text[: _LONGEST_NAME - 1]}…"
