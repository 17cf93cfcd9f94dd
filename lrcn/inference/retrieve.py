"""Finding captions by images and images by captions, with a trained describer."""

from __future__ import annotations

import json
import logging
import os
import pathlib
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import keras
import numpy as np

from lrcn import files
from lrcn.data import damage, progress, records, references, text
from lrcn.inference import describe, sheets
from lrcn.models import description
from lrcn.scoring import likelihood, retrieval

log = logging.getLogger(__name__)

_NUMBERS = 2**25  # logits that are held at a time: 128 MB
_CAPTIONS = 64  # in a block
_SHOWN = 5  # captions that a line tells


def retrieve(
    head: keras.Model,
    batches: Iterable[Mapping[str, Any]],
    record_set: records.RecordSet,
    vocabulary: text.Vocabulary,
    *,
    normalise: bool = True,
    folder: str | os.PathLike | None = None,
) -> dict[str, float | int]:
    """Ranks all captions of a split for each item, and all items for each caption.

    Args:
        head: A description network after its CNN.
        batches: Dicts of `item` [batch], `clip` [batch] and `features`.
        record_set: The records of the split.
        vocabulary: The model's words.
        normalise: Whether a caption that is likely for any item loses that advantage.
        folder: Where `metrics.json`, `retrieval.jsonl` and `retrieval.png` go; nothing is written
            if None.

    Returns:
        Recall at 1, 5 and 10 and the median rank of both directions.

    Raises:
        errors.UserError: An item has no caption, or the records are damaged.
    """
    wanted = references.of_records(record_set)
    captions = [caption for own in wanted for caption in own]
    owner = np.repeat(np.arange(len(wanted)), references.counts(wanted))
    with damage.translating_errors(record_set.path, limits=record_set.limits):
        matrix = log_probabilities(head, batches, captions, vocabulary)
    scores = retrieval.normalised(matrix) if normalise else matrix
    values = retrieval.summary(scores, owner, normalise=False)
    if len(wanted) == 1:
        log.warning("retrieve: one item: every caption is its own, so its ranks tell nothing")
    if folder is not None:
        _write(pathlib.Path(folder), values, scores, captions, owner, record_set)
    return values


def log_probabilities(
    head: keras.Model,
    batches: Iterable[Mapping[str, Any]],
    captions: Sequence[str],
    vocabulary: text.Vocabulary,
) -> np.ndarray:
    """Returns the log-probability of every caption for every item, float32 [items, captions].

    Pairs are worked through in blocks; beside the matrix only a block of them is held. Of several
    clips of an item the likeliest counts.

    Args:
        head: A description network after its CNN.
        batches: Dicts of `item` [batch], `clip` [batch] and `features`, in order of items.
        captions: As they were written.
        vocabulary: The model's words.
    """
    scorer = likelihood.Likelihood(head)
    encoded = [vocabulary.encode(caption) for caption in captions]
    given, item = _given(head, batches)
    matrix = np.full((item.max() + 1, len(captions)), -np.inf, np.float32)
    blocks = _blocks([len(words) for words in encoded])
    largest = vocabulary.steps * vocabulary.size * len(blocks[0])
    rows = max(_NUMBERS // largest, 1)
    total = len(blocks) * -(-len(item) // rows)
    with progress.shown("retrieve", total, unit="blocks") as advance:
        for places in blocks:
            own = [encoded[place] for place in places]
            pairs = text.batch(own, length=max(map(len, own)) + 1)
            pairs = dict(zip(("words", "targets", "mask"), pairs, strict=True))
            for start in range(0, len(item), rows):
                part = [values[start : start + rows] for values in given]
                found = scorer.predict_on_batch({"given": part, **pairs})
                for clip, scores in zip(item[start : start + rows], found, strict=True):
                    matrix[clip, places] = np.maximum(matrix[clip, places], scores)
                advance()
    return matrix


def _given(
    head: keras.Model, batches: Iterable[Mapping[str, Any]]
) -> tuple[list[np.ndarray], np.ndarray]:
    """Returns what words are conditioned on, [clips, ...] each, and the item of each clip."""
    encoder = description.encoder(head)
    parts, items = [], []
    for batch in batches:
        items.append(np.asarray(batch["item"]))
        parts.append(encoder.predict_on_batch(batch["features"]))
    return [np.concatenate(column) for column in zip(*parts, strict=True)], np.concatenate(items)


def _blocks(lengths: Sequence[int]) -> list[np.ndarray]:
    """Returns places of captions of like length, equally many in each block."""
    order = np.argsort(lengths, kind="stable")
    count = min(_CAPTIONS, len(order))
    # The last block takes some captions again rather than fewer: each new shape compiles anew.
    starts = [min(start, len(order) - count) for start in range(0, len(order), count)]
    return [order[start : start + count] for start in starts]


def _write(
    folder: pathlib.Path,
    values: dict[str, float | int],
    scores: np.ndarray,
    captions: Sequence[str],
    owner: np.ndarray,
    record_set: records.RecordSet,
) -> None:
    """Writes every file of a retrieval; `metrics.json` last, so that it tells of a whole one."""
    metrics_file = folder / "metrics.json"
    metrics_file.unlink(missing_ok=True)
    _, best = retrieval.ranks(scores, owner)
    lines = []
    for item, (name, row) in enumerate(zip(record_set.metadata.ids, scores, strict=True)):
        order = np.argsort(-row, kind="stable")[:_SHOWN]
        found = [
            {
                "caption": captions[place],
                "score": round(float(row[place]), 4),
                "right": bool(owner[place] == item),
            }
            for place in order
        ]
        line = {"id": name, "rank": int(best[item]), "found": found}
        lines.append(json.dumps(line, ensure_ascii=False) + "\n")
    files.write_text(folder / "retrieval.jsonl", "".join(lines))
    _draw(folder / "retrieval.png", scores, captions, owner, best, record_set)
    files.write_json(metrics_file, values)


def _draw(
    path: pathlib.Path,
    scores: np.ndarray,
    captions: Sequence[str],
    owner: np.ndarray,
    best: np.ndarray,
    record_set: records.RecordSet,
) -> None:
    """Draws items from the best found to the worst with the caption that was found first."""
    chosen = sheets.choose(-best.astype(float))
    pictures = describe.pictures(record_set, chosen)
    shown = []
    for item in chosen:
        first = int(scores[item].argmax())
        shown.append(
            sheets.Shown(
                frames=pictures[item],
                caption=captions[first],
                log_probability=float(scores[item, first]),
                references=tuple(captions[place] for place in np.flatnonzero(owner == item)),
                is_right=bool(owner[first] == item),
                score="score",
                right="its own",
                ranked=f"rank {best[item]}",
            )
        )
    sheets.captions(path, shown, title=sheets.heading(len(shown), len(scores), score="rank"))
