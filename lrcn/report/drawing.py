"""What is seen of an item: it moves, and its probabilities stand above its frames in time."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

import numpy as np

from lrcn.report import charts, media, watching

BOX = charts.Box(width=720, height=200, left=40, top=14, right=8, bottom=26)
"""Of a chart of probabilities; the strips below it keep its left and right."""

_STRIP = 8  # frames of a strip
_LINES = 4  # classes of a chart, beside the true one
_LARGE = 150_000  # bytes of an item from which its frames are large
_STILL = 256  # width of the lone picture


@dataclasses.dataclass(frozen=True)
class Picture:
    """A frame of a strip: its data URI and its place in the item."""

    uri: str
    number: int


@dataclasses.dataclass(frozen=True)
class Pictures:
    """What is seen of an item.

    Attributes:
        animation: A data URI; of an image, the image.
        still: Its middle frame, for who wants no motion and for paper.
        is_small: Whether it is to be enlarged with its pixels visible.
        chart: Probabilities over time; None for an image.
        strip: Frames that stand below the chart at their times.
        heat: Frames of the window in which the class is most probable, and where the network looks.
        window: The first and last frame of it.
        no_heat: Why there is no heat.
        is_spread: Whether probabilities are of an even spread of its windows alone.
    """

    animation: str
    still: str
    is_small: bool
    chart: charts.Chart | None
    strip: tuple[Picture, ...]
    heat: tuple[Picture, ...]
    window: tuple[int, int]
    no_heat: str
    is_spread: bool


def series(
    watched: watching.Watched, names: Sequence[str], taken_for: int, truth: Sequence[int]
) -> list[charts.Series]:
    """Returns the classes that matter over time: the answer, the likeliest ones, what is true.

    Args:
        watched: The item.
        names: Of the classes.
        taken_for: The answer.
        truth: The classes of the item.
    """
    likely = np.argsort(-watched.probabilities.mean(axis=0), kind="stable")[:_LINES].tolist()
    chosen = dict.fromkeys([*list(dict.fromkeys([taken_for, *likely]))[:_LINES], *truth])
    return [
        charts.Series(
            names[label] + (" (true)" if label in truth else ""),
            watched.numbers.tolist(),
            watched.probabilities[:, label].tolist(),
            colour=place,
            dashed=label in truth and label != taken_for,
        )
        for place, label in enumerate(chosen)
    ]


def pictures(
    watched: watching.Watched, lines: Sequence[charts.Series], *, share: int, modality: str
) -> Pictures:
    """Returns what is seen of an item.

    Args:
        watched: The item.
        lines: Probabilities over time.
        share: Bytes that its pictures may take, about.
        modality: What the frames show.
    """
    frames = media.seen(watched.frames, modality)
    first, last = int(watched.numbers[0]), int(watched.numbers[-1])
    window = watched.numbers[watched.window]
    ends = int(window.min()), int(window.max())
    still = media.still(frames[len(frames) // 2], width=_STILL)
    moves = last > first
    return Pictures(
        animation=media.animation(frames, at_most=share // 2) if moves else still,
        still=still,
        is_small=frames.shape[2] < 160,
        chart=_chart(lines, (first, last), ends) if moves else None,
        strip=_strip(frames, watched.numbers, share) if moves else (),
        heat=_heat(frames, watched, share),
        window=ends,
        no_heat=watched.no_heat,
        is_spread=watched.is_spread,
    )


def _chart(
    lines: Sequence[charts.Series], span: tuple[int, int], window: tuple[int, int]
) -> charts.Chart:
    return charts.lines(
        "probability",
        lines,
        x_label="frame",
        box=BOX,
        x_range=(span[0] - 0.5, span[1] + 0.5),
        y_range=(0, 1),
        band=None if window == span else window,
        most_dots=40,
    )


def _strip(frames: np.ndarray, numbers: np.ndarray, share: int) -> tuple[Picture, ...]:
    """Returns frames of the middles of equal parts of the time axis, below which they stand."""
    length = numbers[-1] - numbers[0] + 1
    parts = min(_STRIP, length)
    middles = numbers[0] - 0.5 + length * (np.arange(parts) + 0.5) / parts
    places = [int(np.abs(numbers - at).argmin()) for at in middles]
    return tuple(_picture(frames[at], numbers[at], share) for at in places)


def _heat(frames: np.ndarray, watched: watching.Watched, share: int) -> tuple[Picture, ...]:
    if watched.heat is None:
        return ()
    places = media.spread(len(watched.window), _STRIP)
    return tuple(
        _picture(
            media.heated(frames[watched.window[at]], watched.heat[at]),
            watched.numbers[watched.window[at]],
            share,
        )
        for at in places
    )


def _picture(frame: np.ndarray, number: int, share: int) -> Picture:
    width, quality = (128, 68) if share > _LARGE else (80, 45)
    return Picture(media.still(frame, width=width, quality=quality), int(number))
