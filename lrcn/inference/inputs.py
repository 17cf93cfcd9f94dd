"""What really enters a CNN, channel by channel: values around zero and how they are spread."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence

import numpy as np
from matplotlib import axes as axes_lib
from matplotlib import colors, ticker
from matplotlib import figure as figure_lib

from lrcn.inference import browse, colours, plots, strips

MOST_ROWS = 4
_WIDTH = 15.0  # inches
_ROW = 2.25
_TOP = 2.6
_INK, _GREY = "#10233a", "#5c6670"
_OF_NAMES = {"red": "#c2362f", "green": "#3d8f5f", "blue": "#2f6fb0"}
_OTHERS = ("#2f6fb0", "#d9731a", "#3d8f5f")
_BINS = 80


def draw(
    path: str | os.PathLike,
    shown: Sequence[strips.Strip],
    values: Sequence[np.ndarray],
    *,
    contract: Mapping,
    title: str,
) -> list[browse.Channel]:
    """Draws the input of a CNN: middle frames of strips from all classes, values of all strips.

    Args:
        path: The PNG to write.
        shown: The strips.
        values: For each strip [frames, height, width, 3] float, its frames at `Strip.places` after
            the input contract.
        contract: The contract, as `InputContract.contract` gives it.
        title: Above all.

    Returns:
        The numbers of each channel, over all strips.
    """
    told = browse.channels(np.concatenate([own.reshape(-1, 3) for own in values]), contract)
    rows = min(len(shown), MOST_ROWS)
    height = _TOP + 1.3 + _ROW * rows
    figure = figure_lib.Figure(
        figsize=(_WIDTH, height), layout="constrained", facecolor="white", dpi=plots.DPI
    )
    figure.get_layout_engine().set(w_pad=0.1)
    head, body = figure.subfigures(2, 1, height_ratios=[_TOP + 0.6, _ROW * rows + 0.7])
    span = _span(values, contract)
    text = f"{title}\n{_told(contract, shown)}"
    if max(np.abs(own).max() for own in values) > 1.01 * span:  # one grey level may be more
        text += f"\nvalues beyond ±{_number(span, span).lstrip('−')} are drawn at the ends"
    head.suptitle(text, fontsize=10, color=_INK, x=0.01, ha="left")
    for axes, channel, own in zip(head.subplots(1, 3), told, _by_channel(values), strict=True):
        _histogram(axes, channel, own, span)
    # Strips come in the order of classes.
    places = np.linspace(0, len(shown) - 1, rows).round().astype(int)
    _rows(body, [shown[at] for at in places], [values[at] for at in places], contract, span)
    plots.save(figure, path)
    return told


def _told(contract: Mapping, shown: Sequence[strips.Strip]) -> str:
    def numbers(key: str) -> str:
        return ", ".join(f"{value:g}" for value in contract[key])

    text = (
        f"(scale · frame − mean) / std   with scale {contract['scale']:.5g}, mean {numbers('mean')}"
        f", std {numbers('std')}, channels {', '.join(browse.channel_names(contract))}"
    )
    if contract["modality"] == "flow":
        frames = np.concatenate([strip.frames[strip.places].reshape(-1, 3) for strip in shown])
        apart = colours.disagreement(frames)
        text += f"\nmagnitude and the length of (x, y) differ by {apart:.2f} pixels on average"
    return text


def _span(values: Sequence[np.ndarray], contract: Mapping) -> float:
    """Returns how far from zero is drawn: all that can be, but where little moves less of it."""
    limit = browse.limit(contract)
    if contract["modality"] == "rgb":
        return limit
    return float(max(np.percentile([np.percentile(abs(own), 99) for own in values], 90), limit / 8))


def _by_channel(values: Sequence[np.ndarray]) -> list[np.ndarray]:
    return [np.concatenate([own[..., place].ravel() for own in values]) for place in range(3)]


def _histogram(
    axes: axes_lib.Axes, channel: browse.Channel, values: np.ndarray, span: float
) -> None:
    colour = _colour(channel.name)
    # What is drawn no further stands at the ends.
    counts, edges = np.histogram(values.clip(-span, span), bins=_BINS, range=(-span, span))
    axes.stairs(counts / max(values.size, 1), edges, fill=True, color=colour, alpha=0.35)
    axes.axvline(0, color=_INK, linewidth=0.9)
    axes.axvline(channel.mean, color=colour, linewidth=1.8, linestyle="--")
    axes.set_title(channel.name, fontsize=10, color=colour, weight="bold", loc="left")
    axes.set_title(
        f"mean {_number(channel.mean, span)}   spread {_number(channel.spread, span)}   "
        f"{_number(channel.low, span)} to {_number(channel.high, span)}",
        fontsize=8.5,
        color=_GREY,
        loc="right",
    )
    axes.set_xlim(-span * 1.04, span * 1.04)
    _quiet(axes)


def _rows(
    body: figure_lib.SubFigure,
    shown: Sequence[strips.Strip],
    values: Sequence[np.ndarray],
    contract: Mapping,
    span: float,
) -> None:
    names = [f"{place + 1}: {name}" for place, name in enumerate(browse.channel_names(contract))]
    titles = ["as seen", *names, "put together again", "values of the clip"]
    places = body.add_gridspec(
        len(shown) + 1,
        6,
        width_ratios=[1, 1, 1, 1, 1, 1.35],
        height_ratios=[1] * len(shown) + [0.06],
    )
    grid = np.array(
        [
            [body.add_subplot(places[row, column]) for column in range(6)]
            for row in range(len(shown))
        ]
    )
    norm = colors.Normalize(-span, span)
    fastest = _fastest(shown, contract)
    for row, strip, own in zip(grid, shown, values, strict=True):
        middle = len(own) // 2
        frame, entered = strip.frames[strip.places[middle]], own[middle]
        row[0].imshow(_picture(frame, contract, fastest))
        row[0].set_ylabel(_short(strip.learnt), fontsize=8.5, color=_INK, parse_math=False)
        for place in range(3):
            image = row[1 + place].imshow(entered[..., place], cmap="RdBu_r", norm=norm)
        row[4].imshow(_picture(browse.put_together(entered, contract), contract, fastest))
        for axes in row[:5]:
            axes.set_xticks([])
            axes.set_yticks([])
            axes.spines[:].set_color("#d0d5db")
        _overlaid(row[5], own, names, span)
    for axes, title in zip(grid[0], titles, strict=True):
        axes.set_title(title, fontsize=9.5, color=_colour(title) if title in names else _INK)
    room = body.add_subplot(places[-1, 1:4])
    bar = body.colorbar(image, cax=room, orientation="horizontal", ticks=[-span, 0, span])
    bar.ax.set_xticklabels([_number(tick, span) for tick in (-span, 0.0, span)])
    bar.set_label("what the CNN reads: blue below zero, white zero, red above", fontsize=8.5)
    bar.ax.tick_params(labelsize=8)
    bar.outline.set_visible(False)


def _overlaid(axes: axes_lib.Axes, values: np.ndarray, names: Sequence[str], span: float) -> None:
    for place, name in enumerate(names):
        own = values[..., place]
        clipped = own.clip(-span, span)
        counts, edges = np.histogram(clipped, bins=_BINS // 2, range=(-span, span))
        mean = float(own.mean(dtype=np.float64))
        axes.stairs(counts / own.size, edges, color=_colour(name), linewidth=1.2)
        axes.axvline(mean, color=_colour(name), linewidth=1.2, linestyle="--")
        axes.text(
            1.0,
            0.97 - 0.13 * place,
            f"mean {_number(mean, span)}",
            transform=axes.transAxes,
            ha="right",
            va="top",
            fontsize=7.5,
            color=_colour(name),
        )
    axes.axvline(0, color=_INK, linewidth=0.9)
    axes.set_xlim(-span * 1.04, span * 1.04)
    axes.set_ylim(top=axes.get_ylim()[1] * 1.75)  # room for the means above every bar
    _quiet(axes)


def _quiet(axes: axes_lib.Axes) -> None:
    axes.set_yticks([])
    axes.spines[["top", "right", "left"]].set_visible(False)
    axes.tick_params(labelsize=8, colors=_GREY)
    axes.xaxis.set_major_locator(ticker.MaxNLocator(5, symmetric=True))


def _fastest(shown: Sequence[strips.Strip], contract: Mapping) -> float:
    if contract["modality"] != "flow":
        return 1.0
    seen = [colours.motion(strip.frames[strip.places]).reshape(-1, 2) for strip in shown]
    return colours.fastest(np.concatenate(seen))


def _picture(frame: np.ndarray, contract: Mapping, fastest: float) -> np.ndarray:
    if contract["modality"] != "flow":
        return frame
    return colours.paint(colours.motion(frame), fastest=fastest)


def _colour(name: str) -> str:
    place, _, channel = name.partition(": ")
    return _OF_NAMES.get(channel) or _OTHERS[int(place) - 1]


def _number(value: float, span: float) -> str:
    """Returns a number with as many digits as tell something in a range."""
    digits = 1 if span > 20 else 3
    return f"{round(value, digits) + 0.0:.{digits}f}".replace("-", "−")


def _short(text: str, longest: int = 24) -> str:
    text = " ".join(text.split())
    return text if len(text) <= longest else f"{text[: longest - 1]}…"
