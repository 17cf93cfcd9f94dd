"""Charts as geometry: a template draws them as SVG, in the colours of the page it stands in."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Sequence

import numpy as np
from matplotlib import ticker

COLOURS = 6
"""How many series the style tells apart by colour."""
_LETTER = 7  # width of a letter, about
_LOG_SCALE_FROM = 20  # the largest value over the smallest


@dataclasses.dataclass(frozen=True)
class Series:
    """Points that are joined by a line.

    Attributes:
        name: For the legend.
        x: Ascending.
        y: As many.
        colour: Which of the colours of the style, from 0.
        dashed: Whether the line is broken, which tells it from others without colour, too.
    """

    name: str
    x: Sequence[float]
    y: Sequence[float]
    colour: int = 0
    dashed: bool = False


@dataclasses.dataclass(frozen=True)
class Box:
    """Where a chart stands in its drawing, in units of it.

    Attributes:
        width: Of the drawing.
        height: Of the drawing.
        left: Room for what stands left of the axes; top, right and bottom alike.
        top: See `left`.
        right: See `left`.
        bottom: See `left`.
    """

    width: float = 460
    height: float = 180
    left: float = 46
    top: float = 12
    right: float = 14
    bottom: float = 26

    @property
    def inner_right(self) -> float:
        """The right end of the axes."""
        return self.width - self.right

    @property
    def inner_bottom(self) -> float:
        """The lower end of the axes."""
        return self.height - self.bottom


@dataclasses.dataclass(frozen=True)
class Line:
    """A series in units of the drawing.

    Attributes:
        name: For the legend.
        points: As the attribute `points` of a polyline has them.
        dots: (x, y, what is told of the point) of each point, where they are few.
        colour: See `Series`.
        dashed: See `Series`.
    """

    name: str
    points: str
    dots: tuple[tuple[float, float, str], ...]
    colour: int
    dashed: bool


@dataclasses.dataclass(frozen=True)
class Chart:
    """A chart in units of its drawing.

    Attributes:
        title: What is drawn.
        x_label: Below the axis.
        box: Where it stands.
        x_ticks: (place, text).
        y_ticks: (place, text).
        lines: The series.
        mark: (place, text) of an upright line, or None.
        band: (left, width) of a part that is shaded, or None.
    """

    title: str
    x_label: str
    box: Box
    x_ticks: tuple[tuple[float, str], ...]
    y_ticks: tuple[tuple[float, str], ...]
    lines: tuple[Line, ...]
    mark: tuple[float, str] | None = None
    band: tuple[float, float] | None = None


def lines(
    title: str,
    series: Sequence[Series],
    *,
    x_label: str,
    box: Box = Box(),
    x_range: tuple[float, float] | None = None,
    y_range: tuple[float, float] | None = None,
    mark: tuple[float, str] | None = None,
    band: tuple[float, float] | None = None,
    most_dots: int = 60,
) -> Chart:
    """Returns a chart of lines.

    Args:
        title: What is drawn.
        series: One or more, none of them empty.
        x_label: Below the axis.
        box: Where it stands.
        x_range: Ends of the axis; None for those of the values.
        y_range: Ends of the axis; None for those of the values, by powers of ten if they are
            positive and far apart.
        mark: Where an upright line stands, and what it says.
        band: First and last whole number of the part that is shaded.
        most_dots: Of longer series no single points are drawn.
    """
    x_all = np.concatenate([np.asarray(own.x, float) for own in series])
    y_all = np.concatenate([np.asarray(own.y, float) for own in series])
    across = _Scale.linear(*(x_range or _ends(x_all)), box.left, box.inner_right)
    up = _vertical(y_all, y_range, box)
    drawn = []
    for own in series:
        places = [(across(x), up(y)) for x, y in zip(own.x, own.y, strict=True)]
        told = [f"{own.name}, {x_label} {x:g}: {y:.4g}" for x, y in zip(own.x, own.y, strict=True)]
        dots = [(*place, text) for place, text in zip(places, told, strict=True)]
        points = " ".join(f"{x:.1f},{y:.1f}" for x, y in places)
        few = tuple(dots) if len(dots) <= most_dots else ()
        drawn.append(Line(own.name, points, few, own.colour % COLOURS, own.dashed))
    return Chart(
        title,
        x_label,
        box,
        tuple((across(tick), f"{tick:g}") for tick in _whole_ticks(across, x_label)),
        tuple((up(tick), _tick_text(tick)) for tick in up.ticks(6 if y_range is None else 2)),
        tuple(drawn),
        None if mark is None else (across(mark[0]), mark[1]),
        None if band is None else _part(across, *band),
    )


def _part(across: _Scale, first: float, last: float) -> tuple[float, float]:
    start, end = across(first - 0.5), across(last + 0.5)
    return start, round(end - start, 2)


@dataclasses.dataclass(frozen=True)
class _Scale:
    low: float
    high: float
    start: float
    end: float
    by_powers: bool = False

    @classmethod
    def linear(cls, low: float, high: float, start: float, end: float) -> _Scale:
        return cls(low, high if high > low else low + 1, start, end)

    def __call__(self, value: float) -> float:
        low, high, at = self.low, self.high, value
        if self.by_powers:
            low, high, at = math.log(low), math.log(high), math.log(max(value, self.low))
        return round(self.start + (at - low) / (high - low) * (self.end - self.start), 2)

    def ticks(self, most: int) -> list[float]:
        if self.by_powers:
            found = ticker.LogLocator(subs=(1, 2, 5)).tick_values(self.low, self.high)
            return [float(tick) for tick in found if self.low <= tick <= self.high]
        found = ticker.MaxNLocator(most, steps=[1, 2, 5, 10]).tick_values(self.low, self.high)
        slack = (self.high - self.low) * 1e-6
        return [float(tick) for tick in found if self.low - slack <= tick <= self.high + slack]


def _vertical(values: np.ndarray, given: tuple[float, float] | None, box: Box) -> _Scale:
    if given is not None:
        return _Scale.linear(*given, box.inner_bottom, box.top)
    low, high = _ends(values)
    if low > 0 and high / low > _LOG_SCALE_FROM:
        return _Scale(low / 1.15, high * 1.15, box.inner_bottom, box.top, by_powers=True)
    room = (high - low or abs(high) or 1) * 0.08
    if low == high:
        low = min(low, 0.0)  # a value that never changes is told best by its height
    lowest = low - room if low < 0 else max(low - room, 0.0)
    return _Scale.linear(lowest, high + room, box.inner_bottom, box.top)


def _ends(values: np.ndarray) -> tuple[float, float]:
    return float(values.min()), float(values.max())


def _whole_ticks(scale: _Scale, label: str) -> list[int]:
    """Returns whole numbers along an axis; what the axis is stands at its end, in their line."""
    found = ticker.MaxNLocator(8, integer=True).tick_values(scale.low, scale.high)
    end = scale.end - _LETTER * len(label) - 2 * _LETTER
    return [int(tick) for tick in found if scale.low <= tick and scale(tick) <= end]


def _tick_text(value: float) -> str:
    return f"{value:.0e}" if 0 < abs(value) < 1e-4 else f"{value:.6g}"


@dataclasses.dataclass(frozen=True)
class Bar:
    """The mean of a setting, a dot for each of its jobs.

    Attributes:
        name: The setting.
        share: Length of the bar, 0 to 1 of the longest axis.
        dots: The same of each job.
        text: The figures.
    """

    name: str
    share: float
    dots: tuple[float, ...]
    text: str


def bars(groups: Sequence[tuple[str, Sequence[float]]], *, full: float | None = None) -> list[Bar]:
    """Returns a bar for each setting, as `inference.sweeps.grouped` has them.

    Args:
        groups: (setting, one score for each finished job), best first; no score for a failed one.
        full: The score of a whole bar; None: the highest there is.
    """
    highest = full or max([1e-12, *(score for _, scores in groups for score in scores)])
    made = []
    for name, scores in groups:
        if not scores:
            made.append(Bar(name, 0.0, (), "failed"))
            continue
        mean, text = float(np.mean(scores)), f"{np.mean(scores):.4f}"
        if len(scores) > 1:
            text += f" ± {np.std(scores, ddof=1):.4f}"
        dots = tuple(max(score, 0) / highest for score in scores) if len(scores) > 1 else ()
        made.append(Bar(name, max(mean, 0) / highest, dots, text))
    return made
