"""The items that a network was most surely right and wrong about, each with its pictures."""

from __future__ import annotations

import dataclasses
import logging

import numpy as np

from lrcn.errors import UserError
from lrcn.inference import trained
from lrcn.report import charts, classes, media, watching

log = logging.getLogger(__name__)

_STRIP = 8  # frames of a strip
_LINES = 4  # classes of a chart, beside the true one
_BOX = charts.Box(width=720, height=190, left=40, top=10, right=8, bottom=26)


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
        height: Over width, of a frame.
        is_small: Whether it is to be enlarged with its pixels visible.
        chart: Probabilities over time; None for an image.
        strip: Frames that stand below the chart at their times.
        heat: Frames of the window in which the class is most probable, and where the network looks.
        window: The first and last frame of it.
        no_heat: Why there is no heat.
    """

    animation: str
    still: str
    height: float
    is_small: bool
    chart: charts.Chart | None
    strip: tuple[Picture, ...]
    heat: tuple[Picture, ...]
    window: tuple[int, int]
    no_heat: str


@dataclasses.dataclass(frozen=True)
class Card:
    """An item that is shown.

    Attributes:
        id: Of the item.
        truth: Its classes.
        taken_for: The most probable class.
        probability: Of that class.
        is_right: Whether it is one of the true ones.
        top: (class, probability) of the most probable ones.
        pictures: What is seen of it; None where the records are gone.
    """

    id: str
    truth: tuple[str, ...]
    taken_for: str
    probability: float
    is_right: bool
    top: tuple[tuple[str, float], ...]
    pictures: Pictures | None


@dataclasses.dataclass(frozen=True)
class Shown:
    """The items of a page.

    Attributes:
        best: Those that the network was most surely right about.
        worst: Those that it was most surely wrong about.
        no_pictures: Why there are none, or "".
        remarks: What the reader has to know of the pictures.
    """

    best: tuple[Card, ...]
    worst: tuple[Card, ...]
    no_pictures: str
    remarks: tuple[str, ...] = ()


def choose(found: classes.Evaluated, count: int) -> tuple[list[int], list[int]]:
    """Returns the items that are most surely right, and those that are most surely wrong.

    Of a group, whose videos resemble each other, one is taken while there are others.

    Args:
        found: The evaluation.
        count: The most of each.

    Returns:
        Places in the evaluation, the surest first.
    """
    sure = found.predicted.values.max(axis=1)
    order = np.argsort(-sure, kind="stable")
    clusters = found.predicted.clusters
    right = [int(item) for item in order if found.is_right[item]]
    wrong = [int(item) for item in order if not found.is_right[item]]
    return _of_each_group(right, clusters, count), _of_each_group(wrong, clusters, count)


def _of_each_group(items: list[int], clusters: list[str], count: int) -> list[int]:
    first, seen = [], set()
    for item in items:
        if clusters[item] not in seen:
            first.append(item)
        seen.add(clusters[item])
    rest = [item for item in items if item not in set(first)]
    return sorted([*first, *rest][:count], key=items.index)


def shown(
    found: classes.Evaluated, count: int, run: trained.Trained | None, *, reason: str
) -> Shown:
    """Returns the best and the worst items with their pictures.

    Args:
        found: The evaluation.
        count: The most of each.
        run: The run with the checkpoint that was evaluated; None if it cannot be opened.
        reason: Why it cannot.
    """
    best, worst = choose(found, count)
    chosen = [*best, *worst]
    pictures: dict[int, Pictures] = {}
    if run is not None:
        try:
            pictures = _pictures(found, chosen, run)
        except UserError as error:
            log.warning("report: no pictures: %s", error)
            reason = str(error)
    cards = {item: _card(found, item, pictures.get(item)) for item in chosen}
    remarks = []
    if found.protocol.get("view", {}).get("crop") == "ten":
        remarks.append("Pictures and probabilities over time are of the middle crop alone; the "
                       "answer is the mean of ten crops.")  # fmt: skip
    return Shown(
        tuple(cards[item] for item in best),
        tuple(cards[item] for item in worst),
        reason,
        tuple(remarks),
    )


def _card(found: classes.Evaluated, item: int, pictures: Pictures | None) -> Card:
    names, values = found.predicted.names, found.predicted.values[item]
    taken = int(values.argmax())
    top = np.argsort(-values, kind="stable")[:5]
    return Card(
        found.predicted.ids[item],
        tuple(names[label] for label in found.predicted.truth[item]),
        names[taken],
        float(values[taken]),
        bool(found.is_right[item]),
        tuple((names[label], float(values[label])) for label in top),
        pictures,
    )


def _pictures(
    found: classes.Evaluated, chosen: list[int], run: trained.Trained
) -> dict[int, Pictures]:
    record_set = watching.open_records(found.protocol)
    place = {id: number for number, id in enumerate(record_set.metadata.ids)}
    if lacking := [found.predicted.ids[i] for i in chosen if found.predicted.ids[i] not in place]:
        raise UserError(
            "the records lack items of the evaluation",
            where=record_set.path,
            received=lacking[0],
            expected="the records that were evaluated",
            remedy="Evaluate the run again",
        )
    watcher = watching.Watcher(run, record_set, found.protocol)
    labels = [int(found.taken_for[item]) for item in chosen]
    items = [place[found.predicted.ids[item]] for item in chosen]
    share = media.BYTES // max(len(chosen), 1)
    modality = run.shown.modality
    made = {}
    for item, watched in zip(chosen, watcher.watch(items, labels), strict=True):
        series = _series(found, item, watched)
        made[item] = _drawn(watched, series, share=share, modality=modality)
    return made


def _series(found: classes.Evaluated, item: int, watched: watching.Watched) -> list[charts.Series]:
    """Returns the classes that matter over time: the likeliest ones, and what is true."""
    means, names = watched.probabilities.mean(axis=0), found.predicted.names
    order = dict.fromkeys([int(found.taken_for[item]), *np.argsort(-means)[:_LINES].tolist()])
    own = [*list(order)[:_LINES], *found.predicted.truth[item]]
    return [
        charts.Series(
            names[label] + (" (true)" if label in found.predicted.truth[item] else ""),
            watched.numbers.tolist(),
            watched.probabilities[:, label].tolist(),
            colour=place,
            dashed=label in found.predicted.truth[item] and label != int(found.taken_for[item]),
        )
        for place, label in enumerate(dict.fromkeys(own))
    ]


def _drawn(
    watched: watching.Watched, series: list[charts.Series], *, share: int, modality: str
) -> Pictures:
    frames = media.seen(watched.frames, modality)
    first, last = int(watched.numbers[0]), int(watched.numbers[-1])
    width, quality = (128, 68) if share > 150_000 else (80, 45)
    window = watched.numbers[watched.window]
    ends = int(window.min()), int(window.max())
    strip = [_nearest(watched.numbers, at) for at in _middles(first, last)] if last > first else []
    stills = [
        Picture(media.still(frames[at], width=width, quality=quality), int(watched.numbers[at]))
        for at in dict.fromkeys(strip)
    ]
    heat = []
    if watched.heat is not None:
        for at in media.spread(len(watched.window), _STRIP):
            frame = media.heated(frames[watched.window[at]], watched.heat[at])
            heat.append(Picture(media.still(frame, width=width, quality=quality), int(window[at])))
    still = media.still(frames[len(frames) // 2], width=256)
    chart = None
    if last > first:
        chart = charts.lines("probability", series, x_label="frame", box=_BOX,
                             x_range=(first - 0.5, last + 0.5), y_range=(0, 1), band=ends,
                             most_dots=40)  # fmt: skip
    return Pictures(
        media.animation(frames, at_most=share // 2) if last > first else still,
        still,
        frames.shape[1] / frames.shape[2],
        frames.shape[2] < 160,
        chart,
        tuple(stills),
        tuple(heat),
        ends,
        watched.no_heat,
    )


def _middles(first: int, last: int) -> list[float]:
    """Returns the middles of equal parts of the time axis, below which the strip stands."""
    length = last - first + 1
    parts = min(_STRIP, length)
    return [first - 0.5 + length * (part + 0.5) / parts for part in range(parts)]


def _nearest(numbers: np.ndarray, at: float) -> int:
    return int(np.abs(numbers - at).argmin())
