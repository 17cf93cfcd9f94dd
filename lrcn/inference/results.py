"""The files of an evaluation of classes, whoever predicted them: a run, or several fused."""

from __future__ import annotations

import csv
import io
import json
import os
import pathlib
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from lrcn import files
from lrcn.inference import outputs, plots, probabilities
from lrcn.scoring import metrics

_TOP = 5


def write(
    folder: str | os.PathLike,
    values: Mapping[str, float | int],
    predicted: probabilities.Predicted,
    *,
    labels: np.ndarray,
    paths: Sequence[str],
    windows: Sequence[Sequence[Mapping[str, Any]]],
) -> None:
    """Writes every file of an evaluation; `metrics.json` last, so that it tells of a whole one.

    Args:
        folder: Where `predictions.jsonl`, `probabilities.csv`, `per_class.csv`, `confusion.csv`,
            `confusion.png` (these two for one label an item) and `metrics.json` go.
        values: The metrics.
        predicted: The probabilities of every item.
        labels: [items] class numbers, or [items, classes] multi-hot.
        paths: Where each item came from.
        windows: What each clip of an item was taken for.
    """
    folder, names = pathlib.Path(folder), predicted.names
    metrics_file = folder / "metrics.json"
    metrics_file.unlink(missing_ok=True)
    files.write_text(folder / "predictions.jsonl", _lines(predicted, paths, windows))
    files.write_text(folder / probabilities.FILE, probabilities.to_csv(predicted))
    files.write_text(folder / "per_class.csv", _csv(_per_class(predicted.values, labels, names)))
    if labels.ndim == 1:
        counts = metrics.confusion(predicted.values, labels)
        rows = [[name, *row] for name, row in zip(names, counts.tolist(), strict=True)]
        files.write_text(folder / "confusion.csv", _csv([["true \\ predicted", *names], *rows]))
        plots.confusion(folder / "confusion.png", counts, names)
    files.write_json(metrics_file, values)


def _lines(
    predicted: probabilities.Predicted,
    paths: Sequence[str],
    windows: Sequence[Sequence[Mapping[str, Any]]],
) -> str:
    names = predicted.names
    items = zip(predicted.ids, paths, predicted.values, windows, predicted.truth, strict=True)
    lines = []
    for id, path, values, own, truth in items:
        line = outputs.line(id=id, path=path, probabilities=values, names=names, top_k=_TOP)
        line |= {"windows": list(own), "truth": [names[label] for label in truth]}
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
