"""The items that a network was most surely right and wrong about, each with its pictures."""

from __future__ import annotations

import dataclasses
import logging

import numpy as np

from lrcn.data import progress
from lrcn.data.limits import Limits
from lrcn.errors import UserError
from lrcn.inference import trained
from lrcn.report import charts, classes, drawing, media, stored, watching

log = logging.getLogger(__name__)

_OF_TEN = (
    "Pictures and probabilities over time are of the middle crop alone; the answer is the mean of "
    "ten crops."
)
_SPREAD = (
    "Probabilities over time, and where the network looks, are of {most} windows that are evenly "
    "spread over each item; the answer is of all of its windows."
)
_FLOW = (
    "Frames are optical flow in colours: red moves to the right, green up, cyan to the left, "
    "violet down; the paler, the slower."
)


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
    pictures: drawing.Pictures | None


@dataclasses.dataclass(frozen=True)
class Shown:
    """The items of a page.

    Attributes:
        best: Those that the network was most surely right about.
        worst: Those that it was most surely wrong about.
        no_pictures: Why there are none, or "".
        remarks: What the reader has to know of the pictures.
        box: Of the charts, below which strips stand.
    """

    best: tuple[Card, ...]
    worst: tuple[Card, ...]
    no_pictures: str
    remarks: tuple[str, ...] = ()
    box: charts.Box = drawing.BOX


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
    first = {clusters[item]: item for item in reversed(items)}
    is_first = {item: first[clusters[item]] == item for item in items}
    chosen = sorted(items, key=lambda item: not is_first[item])[:count]
    return sorted(chosen, key=items.index)


def shown(
    found: classes.Evaluated,
    count: int,
    run: trained.Trained | None,
    *,
    reason: str,
    limits: Limits = Limits(),
) -> Shown:
    """Returns the best and the worst items with their pictures.

    Args:
        found: The evaluation.
        count: The most of each.
        run: The run with the checkpoint that was evaluated; None if it cannot be opened.
        reason: Why it cannot.
        limits: The most that the records may ask for.
    """
    best, worst = choose(found, count)
    chosen = [*best, *worst]
    pictures: dict[int, drawing.Pictures] = {}
    if run is not None:
        try:
            pictures = _pictures(found, chosen, run, limits)
        except UserError as error:
            log.warning("report: no pictures: %s", error)
            reason = str(error)
    cards = {item: _card(found, item, pictures.get(item)) for item in chosen}
    is_of_ten = found.protocol is not None and found.protocol.crop == "ten"
    is_flow = run is not None and run.shown.modality == "flow"
    is_spread = any(own.is_spread for own in pictures.values())
    spread = _SPREAD.format(most=watching.MOST_WINDOWS)
    remarks = [*[_OF_TEN] * is_of_ten, *[spread] * is_spread, *[_FLOW] * is_flow]
    return Shown(
        tuple(cards[item] for item in best),
        tuple(cards[item] for item in worst),
        reason,
        tuple(remarks),
    )


def _card(found: classes.Evaluated, item: int, pictures: drawing.Pictures | None) -> Card:
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
    found: classes.Evaluated, chosen: list[int], run: trained.Trained, limits: Limits
) -> dict[int, drawing.Pictures]:
    record_set = stored.open_records(found.protocol, limits=limits)
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
    made, names = {}, found.predicted.names
    with progress.shown("report", len(chosen), unit="items") as advance:
        for item, label, watched in zip(chosen, labels, watcher.watch(items, labels), strict=True):
            lines = drawing.series(watched, names, label, found.predicted.truth[item])
            made[item] = drawing.pictures(watched, lines, share=share, modality=run.shown.modality)
            advance()
    return made
