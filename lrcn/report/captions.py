"""What an evaluation found of a run that describes: captions beside references, and retrieval."""

from __future__ import annotations

import dataclasses
import json
import logging
import pathlib
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from lrcn import runs
from lrcn.data import bounded
from lrcn.data.limits import Limits
from lrcn.errors import UserError
from lrcn.inference import describe, protocols
from lrcn.report import classes, media, stored
from lrcn.scoring import captions as captions_lib

log = logging.getLogger(__name__)

_REFERENCES = 5
_WIDTH = 360


@dataclasses.dataclass(frozen=True)
class Described:
    """An item and what the network says of it.

    Attributes:
        id: Of the item.
        caption: What the network says.
        log_probability: Of the caption.
        references: What people say.
        score: CIDEr of the item.
        is_exact: Whether the caption is one of the references.
        pictures: Data URIs: one of an image, some of a video; none where the records are gone.
    """

    id: str
    caption: str
    log_probability: float
    references: tuple[str, ...]
    score: float = 0.0
    is_exact: bool = False
    pictures: tuple[str, ...] = ()


@dataclasses.dataclass(frozen=True)
class Found:
    """What was found by an item, from the best to the worst.

    Attributes:
        id: Of the item.
        rank: Of the first of its own captions.
        captions: (caption, whether it is its own).
        pictures: As of `Described`.
    """

    id: str
    rank: int
    captions: tuple[tuple[str, bool], ...]
    pictures: tuple[str, ...] = ()


@dataclasses.dataclass(frozen=True)
class Shown:
    """The captions of a page.

    Attributes:
        metrics: What `metrics.json` holds.
        headline: CIDEr and how sure it is.
        best: The items of the highest CIDEr.
        worst: The items of the lowest.
        retrieval: The metrics of a retrieval; empty if there was none.
        found: The items that were found best and worst.
        no_pictures: Why there are none, or "".
    """

    metrics: dict[str, Any]
    headline: classes.Headline
    best: tuple[Described, ...]
    worst: tuple[Described, ...]
    retrieval: dict[str, Any]
    found: tuple[Found, ...]
    no_pictures: str


def shown(run: runs.RunDirectory, split: str, count: int, *, limits: Limits = Limits()) -> Shown:
    """Returns what is told of a run that describes.

    Args:
        run: It was evaluated on the split.
        split: "train", "val" or "test".
        count: The most items of each kind.
        limits: The most that the records may ask for.

    Raises:
        UserError: A file of the evaluation is damaged.
    """
    folder = run.evaluation(split)
    metrics = protocols.read_metrics(run, folder, split)
    lines = _lines(folder / "predictions.jsonl", run, split, _described)
    tokens = captions_lib.tokenised([own.caption for own in lines], [o.references for o in lines])
    scores = captions_lib.cider_items(*tokens)
    protocols.require_agreement(metrics, "cider", float(scores.mean()), run, split)
    lines = [
        dataclasses.replace(line, score=float(score), is_exact=captions_lib.is_exact(*pair))
        for line, score, pair in zip(lines, scores, zip(*tokens, strict=True), strict=True)
    ]
    order = np.argsort(-scores, kind="stable")
    best = [lines[place] for place in order[:count]]
    worst = [lines[place] for place in order[::-1][: min(count, len(lines) - len(best))]]
    retrieval, found = _retrieval(folder / "retrieval", run, split, count)
    protocol = protocols.read(run, split)
    pictures, reason = _pictures(protocol, [own.id for own in (*best, *worst, *found)], limits)

    def pictured(own: Sequence) -> tuple:
        return tuple(dataclasses.replace(o, pictures=pictures.get(o.id, ())) for o in own)

    headline = classes.mean("cider", scores, [own.id for own in lines], "items")
    return Shown(
        metrics, headline, pictured(best), pictured(worst), retrieval, pictured(found), reason
    )


def _described(line: Mapping[str, Any]) -> Described:
    return Described(
        id=str(line["id"]),
        caption=str(line["caption"]),
        log_probability=float(line["log_probability"]),
        references=tuple(map(str, line["references"])),
    )


def _retrieval(
    folder: pathlib.Path, run: runs.RunDirectory, split: str, count: int
) -> tuple[dict[str, Any], list[Found]]:
    """Returns the metrics of a retrieval, and the items that were found best and worst."""
    if not (folder / "metrics.json").exists():
        return {}, []
    metrics = protocols.read_metrics(run, folder, split)
    lines = _lines(folder / "retrieval.jsonl", run, split, _found)
    ranked = sorted(lines, key=lambda line: line.rank)
    best = ranked[: (count + 1) // 2]
    return metrics, [*best, *ranked[len(best) :][::-1][: count // 2][::-1]]


def _found(line: Mapping[str, Any]) -> Found:
    told = tuple((str(own["caption"]), bool(own["right"])) for own in line["found"])
    return Found(str(line["id"]), int(line["rank"]), told[:3])


def _lines(file: pathlib.Path, run: runs.RunDirectory, split: str, read: Any) -> list:
    """Returns what each line of a file of JSON lines says."""
    found = []
    try:
        for line in bounded.lines(file, what="file", limits=Limits()):
            found.append(read(json.loads(line)))
        if not found:
            raise ValueError("no line")
    except (OSError, ValueError, KeyError, TypeError) as error:
        if isinstance(error, UserError):
            raise
        told = f"{type(error).__name__}: {error}"
        raise protocols.damaged(f"{file}:{len(found) + 1}", told, run, split) from error
    return found


def _pictures(
    protocol: protocols.Protocol | None, ids: Sequence[str], limits: Limits
) -> tuple[dict[str, tuple[str, ...]], str]:
    """Returns data URIs of items, or why there are none."""
    try:
        record_set = stored.open_records(protocol, limits=limits)
        place = {id: number for number, id in enumerate(record_set.metadata.ids)}
        wanted = [place[id] for id in dict.fromkeys(ids) if id in place]
        frames = describe.pictures(record_set, wanted)
    except UserError as error:
        log.warning("report: no pictures: %s", error)
        return {}, str(error)
    share = media.BYTES // max(sum(map(len, frames.values())), 1)
    width, quality = (_WIDTH, 75) if share > 40_000 else (240, 55)
    if any(len(own) > 1 for own in frames.values()):
        width = min(width, 200)
    made = {
        record_set.metadata.ids[item]: tuple(
            media.still(frame, width=width, quality=quality) for frame in own
        )
        for item, own in frames.items()
    }
    return made, ""
