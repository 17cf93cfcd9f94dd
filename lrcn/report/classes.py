"""What an evaluation found of a run that tells classes, and how sure it is."""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np

from lrcn import runs
from lrcn.inference import probabilities, protocols
from lrcn.scoring import bootstrap, metrics

_TABLE_UP_TO = 30  # classes whose confusion matrix is a table of numbers
_MIX_UPS = 12


@dataclasses.dataclass(frozen=True)
class Evaluated:
    """An evaluation as its files tell it.

    Attributes:
        split: "train", "val" or "test".
        metrics: What `metrics.json` holds.
        protocol: How it was made, if that is known.
        predicted: The probabilities of every item.
        multi_label: Whether an item may have several classes.
    """

    split: str
    metrics: dict[str, Any]
    protocol: protocols.Protocol | None
    predicted: probabilities.Predicted
    multi_label: bool

    @property
    def labels(self) -> np.ndarray:
        """[items] class numbers, or [items, classes] multi-hot."""
        if not self.multi_label:
            return self.predicted.labels
        targets = np.zeros(self.predicted.values.shape, bool)
        for row, own in zip(targets, self.predicted.truth, strict=True):
            row[list(own)] = True
        return targets

    @property
    def taken_for(self) -> np.ndarray:
        """The most probable class of each item, [items]."""
        return self.predicted.values.argmax(axis=1)

    @property
    def is_right(self) -> np.ndarray:
        """Whether the most probable class is one of the item's, bool [items]."""
        pairs = zip(self.taken_for, self.predicted.truth, strict=True)
        return np.array([taken in truth for taken, truth in pairs], bool)


def read(run: runs.RunDirectory, split: str) -> Evaluated:
    """Reads an evaluation.

    Args:
        run: It was evaluated on the split.
        split: "train", "val" or "test".

    Raises:
        UserError: A file of the evaluation is damaged.
    """
    folder = run.evaluation(split)
    found = protocols.read_metrics(run, folder, split)
    predicted = probabilities.read(folder / probabilities.FILE)
    multi_label = "video_map" in found
    lone = all(len(truth) == 1 for truth in predicted.truth)
    if not (multi_label or lone) or found.get("videos") not in (None, len(predicted.ids)):
        told = f"{len(predicted.ids)} items with probabilities, videos={found.get('videos')}"
        raise protocols.damaged(folder, told, run, split)
    protocol = protocols.read(run, split)
    return Evaluated(split, found, protocol, predicted, multi_label)


@dataclasses.dataclass(frozen=True)
class Headline:
    """The best figure of a run, with what tells how much it is worth.

    Attributes:
        name: Of the metric.
        value: The figure.
        items: How many it is of.
        low: End of the 95 % interval, or None.
        high: The other end.
        drawn: What the interval was drawn over, such as "41 groups".
        baseline: What always saying one class would reach, or None.
        baseline_class: That class.
    """

    name: str
    value: float
    items: int
    low: float | None = None
    high: float | None = None
    drawn: str = ""
    baseline: float | None = None
    baseline_class: str = ""


def headline(found: Evaluated) -> Headline:
    """Returns the figure that tells a run of classes best: accuracy, or mean average precision.

    Args:
        found: The evaluation.
    """
    items = len(found.predicted.ids)
    if found.multi_label:
        return Headline("video_map", float(found.metrics["video_map"]), items)
    right = found.is_right.astype(float)
    interval = bootstrap.difference(right, np.zeros(items), found.predicted.clusters)
    counts = np.bincount(found.labels, minlength=len(found.predicted.names))
    most = int(counts.argmax())
    return Headline(
        "video_accuracy",
        interval.difference,
        items,
        interval.low,
        interval.high,
        drawn(found.predicted, interval.clusters),
        float(counts[most] / items),
        found.predicted.names[most],
    )


def drawn(predicted: probabilities.Predicted, clusters: int) -> str:
    """Returns what a bootstrap draws, such as "41 groups".

    Args:
        predicted: The items.
        clusters: How many there are to draw from.
    """
    return f"{clusters} groups" if any(predicted.groups) else f"{clusters} items"


def per_class(found: Evaluated) -> tuple[list[str], list[list[Any]]]:
    """Returns the columns and rows of the table of classes.

    Args:
        found: The evaluation.
    """
    values, labels = found.predicted.values, found.labels
    rows = metrics.per_class(values, labels)
    if found.multi_label:
        for index, row in enumerate(rows):
            targets = labels[:, index].astype(bool)
            known = metrics.average_precision(values[:, index], targets) if targets.any() else None
            row["average precision"] = known
    columns = ["class", *rows[0]]
    return columns, [
        [name, *row.values()] for name, row in zip(found.predicted.names, rows, strict=True)
    ]


@dataclasses.dataclass(frozen=True)
class Confusion:
    """A confusion matrix as it is shown.

    Attributes:
        names: The classes.
        rows: (true class, (count, share of the true class) of each predicted one).
        as_table: Whether it is small enough for a table of numbers.
        mix_ups: (true class, predicted class, count, share), the most frequent ones.
    """

    names: tuple[str, ...]
    rows: tuple[tuple[str, tuple[tuple[int, float], ...]], ...]
    as_table: bool
    mix_ups: tuple[tuple[str, str, int, float], ...]


def confusion(found: Evaluated) -> Confusion | None:
    """Returns the confusion matrix; None where items have several classes.

    Args:
        found: The evaluation.
    """
    if found.multi_label:
        return None
    names = found.predicted.names
    counts = metrics.confusion(found.predicted.values, found.labels)
    shares = counts / np.maximum(counts.sum(axis=1, keepdims=True), 1)
    rows = tuple(
        (name, tuple(zip(own.tolist(), part.tolist(), strict=True)))
        for name, own, part in zip(names, counts, shares, strict=True)
    )
    wrong = [(a, b) for a, b in np.argwhere(counts > 0) if a != b]
    wrong.sort(key=lambda pair: (-counts[tuple(pair)], -shares[tuple(pair)]))
    mix_ups = tuple(
        (names[a], names[b], int(counts[a, b]), float(shares[a, b])) for a, b in wrong[:_MIX_UPS]
    )
    return Confusion(names, rows, len(names) <= _TABLE_UP_TO, mix_ups)
