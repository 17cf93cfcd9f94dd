"""A trained model on a split: metrics, tables, pictures and a line for every item.

By default the protocol of Donahue et al. 2015: clips of 16 frames with stride 8, the last one
aligned with the end, and the mean of the frames' probabilities over all clips.
"""

from __future__ import annotations

import csv
import io
import json
import os
import pathlib
from collections.abc import Sequence
from typing import Any

import keras
import numpy as np

from lrcn import errors, files
from lrcn.data import augment, dataset, epochs, records
from lrcn.data import clips as clips_lib
from lrcn.inference import outputs, plots
from lrcn.scoring import metrics

_TOP = 5


def evaluate(
    model: keras.Model,
    records_path: str | os.PathLike,
    *,
    mode: clips_lib.ClipMode | None,
    view: augment.View,
    pooling_frames: str = "avg",
    pooling_clips: str = "avg",
    batch_size: int = 8,
    short_videos: str = "error",
    label_names: Sequence[str] = (),
    folder: str | os.PathLike | None = None,
    seed: int = 0,
    scores: outputs.Scores | None = None,
) -> dict[str, float | int]:
    """Measures a model on every clip of every item and writes the results.

    Args:
        model: Maps clips [batch, time, height, width, 3] uint8 to `logits` and `probabilities`.
        records_path: The records of the split.
        mode: How clips are chosen; None for the records' own.
        view: What part of a frame is seen; ten crops are averaged.
        pooling_frames: "avg", "last" or "max" over the frames of a clip.
        pooling_clips: The same over the clips of a video.
        batch_size: Clips in a batch; changes speed and memory, not the results.
        short_videos: "error" or "loop".
        label_names: Names of the model's classes, if it has any.
        folder: Where `metrics.json`, `per_class.csv`, `confusion.csv`, `confusion.png` and
            `predictions.jsonl` go; nothing is written if None.
        seed: Of random modes.
        scores: The clips' scores if they are known already, such as from stored features.

    Returns:
        The metrics under the names of `metrics.json`; multi-label models add `video_map`.

    Raises:
        errors.UserError: Records, clips or classes are not as they should be.
    """
    record_set = records.open_records(records_path)
    multi_label = outputs.is_multi_label(model)
    count = outputs.num_classes(model)
    _check_classes(record_set, count, label_names)
    labels = dataset.Targets(record_set, count, multi_label).labels
    chosen = epochs.Clips(record_set, mode, short_videos=short_videos)
    if scores is None:
        batches = dataset.evaluation_clips(chosen, view=view, batch_size=batch_size, seed=seed)
        with records.translating_errors(record_set.path):
            scores = outputs.score(
                model,
                batches,
                pooling_frames=pooling_frames,
                multi_label=multi_label,
                describe="evaluate",
            )
    values = metrics.summary(scores.probabilities, scores.item, labels, how=pooling_clips)
    if folder is not None:
        videos = metrics.videos_from_clips(
            scores.probabilities,
            scores.item,
            num_items=len(labels),
            how=pooling_clips,
            multi_label=multi_label,
        )
        names = outputs.class_names(label_names or record_set.metadata.label_names, count)
        lines = _lines(record_set, videos, _windows(chosen.every(seed), scores, names), names)
        _write(pathlib.Path(folder), values, videos, labels, names, lines)
    return values


def _check_classes(record_set: records.RecordSet, count: int, names: Sequence[str]) -> None:
    """Refuses records of other classes than the model's; fewer without names may be a subset."""
    own = record_set.metadata.label_names
    if names and own and tuple(names) != own:
        model, data = _first_difference(names, own)
        raise errors.UserError(
            "the model has other classes than the records",
            where=record_set.path,
            received=f"{len(own)} classes with {data}",
            expected=f"{len(names)} classes with {model}",
            remedy="Serialize the data set with the label names of the run.",
        )
    if record_set.metadata.num_classes > count or (own and len(own) != count):
        raise errors.UserError(
            "the model has other classes than the records",
            where=record_set.path,
            received=f"{record_set.metadata.num_classes} classes",
            expected=f"{count} classes",
            remedy="Evaluate on the data set the run was trained for.",
        )


def _first_difference(names: Sequence[str], others: Sequence[str]) -> tuple[str, str]:
    length = min(len(names), len(others))
    place = next((i for i in range(length) if names[i] != others[i]), length)
    return tuple(
        f"'{listed[place]}' as number {place}" if place < len(listed) else f"no number {place}"
        for listed in (names, others)
    )


def _write(
    folder: pathlib.Path,
    values: dict[str, float | int],
    videos: np.ndarray,
    labels: np.ndarray,
    names: Sequence[str],
    lines: str,
) -> None:
    """Writes every file of an evaluation; `metrics.json` last, so that it tells of a whole one."""
    metrics_file = folder / "metrics.json"
    metrics_file.unlink(missing_ok=True)
    files.write_text(folder / "predictions.jsonl", lines)
    files.write_text(folder / "per_class.csv", _csv(_per_class(videos, labels, names)))
    if labels.ndim == 1:
        counts = metrics.confusion(videos, labels)
        rows = [[name, *row] for name, row in zip(names, counts.tolist(), strict=True)]
        files.write_text(folder / "confusion.csv", _csv([["true \\ predicted", *names], *rows]))
        plots.confusion(folder / "confusion.png", counts, names)
    files.write_json(metrics_file, values)


def _windows(
    rows: epochs.Rows, scores: outputs.Scores, names: Sequence[str]
) -> dict[int, list[dict[str, Any]]]:
    """Returns by item what each of its clips was taken for, with the clip's stored frames."""
    places = {(i, c): row for row, (i, c) in enumerate(zip(rows.item, rows.clip, strict=True))}
    windows: dict[int, list[dict[str, Any]]] = {}
    for item, clip, values in zip(scores.item, scores.clip, scores.probabilities, strict=True):
        frames = rows.frames[places[item, clip]]
        span = {"first": int(frames.min()), "last": int(frames.max())}
        windows.setdefault(int(item), []).append({**span, **outputs.named(values, names)})
    return windows


def _lines(
    record_set: records.RecordSet,
    videos: np.ndarray,
    windows: dict[int, list[dict[str, Any]]],
    names: Sequence[str],
) -> str:
    metadata = record_set.metadata
    lines = []
    for item, (id, path, own, values) in enumerate(
        zip(metadata.ids, outputs.paths(record_set), metadata.labels, videos, strict=True)
    ):
        line = outputs.line(id=id, path=path, probabilities=values, names=names, top_k=_TOP)
        line["windows"] = [] if metadata.type == "image" else windows[item]
        line["truth"] = [names[label] for label in own]
        lines.append(json.dumps(line, ensure_ascii=False) + "\n")
    return "".join(lines)


def _per_class(videos: np.ndarray, labels: np.ndarray, names: Sequence[str]) -> list[list[Any]]:
    rows = metrics.per_class(videos, labels)
    if labels.ndim == 2:
        for index, row in enumerate(rows):
            targets = labels[:, index].astype(bool)
            row["average_precision"] = (
                metrics.average_precision(videos[:, index], targets) if targets.any() else ""
            )
    header = ["label", "name", *rows[0]]
    return [header, *([index, names[index], *row.values()] for index, row in enumerate(rows))]


def _csv(rows: Sequence[Sequence[Any]]) -> str:
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerows(rows)
    return text.getvalue()
