"""A trained describer on a split: metrics, a line for every item, and a sheet of pictures."""

from __future__ import annotations

import json
import logging
import os
import pathlib
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np

from lrcn import files
from lrcn.data import damage, images, records, references, text
from lrcn.inference import answers, outputs, sheets
from lrcn.scoring import captions
from lrcn.scoring import describer as describer_lib

log = logging.getLogger(__name__)


def evaluate(
    describer: describer_lib.Describer,
    batches: Iterable[Mapping[str, Any]],
    record_set: records.RecordSet,
    vocabulary: text.Vocabulary,
    *,
    training: Iterable[str] | None = None,
    folder: str | os.PathLike | None = None,
) -> dict[str, float | int]:
    """Describes every item, scores the captions and writes the results.

    Args:
        describer: The network with its search.
        batches: Dicts of `item` [batch], `clip` [batch] and the describer's input; of several
            clips of an item the likeliest caption counts.
        record_set: The records of the split.
        vocabulary: The describer's words.
        training: The captions of the training split, to tell how many are copied from it.
        folder: Where `metrics.json`, `predictions.jsonl`, `coco_results.json` and `captions.png`
            go; nothing is written if None.

    Returns:
        The metrics under the names of `metrics.json`.

    Raises:
        errors.UserError: An item has no caption to compare with, or the records are damaged.
    """
    wanted = references.of_records(record_set)
    with damage.translating_errors(record_set.path, limits=record_set.limits):
        tracked = outputs.tracked(batches, "evaluate")
        written = describer_lib.write(describer, tracked, vocabulary).of_items()
    values = captions.summary(
        written.captions,
        wanted,
        training=training,
        vocabulary=vocabulary.tokens[len(text.SPECIAL) :],
    )
    values.update(_meteor(written.captions, wanted))
    for remark in captions.remarks(values):
        log.warning("evaluate: %s", remark)
    if folder is not None:
        _write(pathlib.Path(folder), values, written, wanted, record_set)
    return values


def _meteor(made: Sequence[str], wanted: Sequence[Sequence[str]]) -> dict[str, float]:
    reason = captions.meteor_available()
    if reason is not None:
        log.info("evaluate: %s", reason)
        return {}
    return {"meteor": captions.meteor(*captions.tokenised(made, wanted))}


def _write(
    folder: pathlib.Path,
    values: dict[str, float | int],
    written: describer_lib.Written,
    wanted: references.References,
    record_set: records.RecordSet,
) -> None:
    """Writes every file of an evaluation; `metrics.json` last, so that it tells of a whole one."""
    metrics_file = folder / "metrics.json"
    metrics_file.unlink(missing_ok=True)
    ids, paths = record_set.metadata.ids, outputs.paths(record_set)
    lines, coco = [], []
    for name, path, caption, score, own in zip(
        ids, paths, written.captions, written.log_probability, wanted, strict=True
    ):
        line = {"id": name, "path": path, **answers.caption_of(caption, score)}
        lines.append(json.dumps({**line, "references": own}, ensure_ascii=False) + "\n")
        coco.append({"image_id": int(name) if name.isdecimal() else name, "caption": caption})
    files.write_text(folder / "predictions.jsonl", "".join(lines))
    files.write_json(folder / "coco_results.json", coco)
    _draw(folder / "captions.png", written, wanted, record_set)
    files.write_json(metrics_file, values)


def _draw(
    path: pathlib.Path,
    written: describer_lib.Written,
    wanted: references.References,
    record_set: records.RecordSet,
) -> None:
    """Draws items from the best to the worst with their captions and references."""
    tokens = captions.tokenised(written.captions, wanted)
    scores = captions.cider_items(*tokens)
    chosen = sheets.choose(scores)
    found = pictures(record_set, chosen)
    shown = [
        sheets.Shown(
            frames=found[item],
            caption=written.captions[item],
            log_probability=float(written.log_probability[item]),
            references=wanted[item],
            is_right=captions.is_exact(tokens[0][item], tokens[1][item]),
            ranked=f"CIDEr {scores[item]:.2f}",
        )
        for item in chosen
    ]
    title = sheets.heading(len(shown), len(scores), score="CIDEr")
    sheets.captions(path, shown, title=title)


def pictures(record_set: records.RecordSet, items: Sequence[int]) -> dict[int, list[np.ndarray]]:
    """Returns as many frames of items as a sheet shows, [height, width, 3] uint8 each."""
    wanted, found = set(items), {}
    for item, example in enumerate(record_set.serialized()):
        if item in wanted:
            jpegs = records.parse_example(example)["frames"].numpy()
            places = np.unique(
                np.linspace(0, len(jpegs) - 1, sheets.STRIP_FRAMES).round().astype(int)
            )
            found[item] = [
                images.decode(jpegs[place], limits=record_set.limits) for place in places
            ]
            if len(found) == len(wanted):
                break
    return found
