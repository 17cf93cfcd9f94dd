"""What an evaluation found of a run that tells classes, and how sure it is."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import Any

import numpy as np

from lrcn import runs
from lrcn.inference import probabilities, protocols
from lrcn.report import pages
from lrcn.scoring import bootstrap, metrics

_TABLE_UP_TO = 30  # classes whose confusion matrix is a table of numbers
_MIX_UPS = 12
_UNLIKELY = 0.05


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
    evaluated = Evaluated(split, found, protocols.read(run, split), predicted, multi_label)
    if not multi_label:
        right = float(evaluated.is_right.mean())
        protocols.require_agreement(found, "video_accuracy", right, run, split)
    return evaluated


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
        no_interval: Why there is none, and what is sure instead, if anything is; else empty.
        baseline: What always saying one class would reach, or None.
        baseline_class: That class.
    """

    name: str
    value: float
    items: int
    low: float | None = None
    high: float | None = None
    drawn: str = ""
    no_interval: str = ""
    baseline: float | None = None
    baseline_class: str = ""


def headline(found: Evaluated) -> Headline:
    """Returns the figure that tells a run of classes best: accuracy, or mean average precision.

    Args:
        found: The evaluation.
    """
    items = len(found.predicted.ids)
    if found.multi_label:
        value, why = float(found.metrics["video_map"]), "it is no mean over items"
        return Headline("video_map", value, items, no_interval=why)
    right = found.is_right.astype(float)
    counts = np.bincount(found.labels, minlength=len(found.predicted.names))
    most = int(counts.argmax())
    figure = mean("video_accuracy", right, found.predicted.clusters, _drawn(found.predicted))
    sure = _sure_of_all(right, len(set(found.predicted.clusters)), _drawn(found.predicted))
    return dataclasses.replace(
        figure,
        no_interval=figure.no_interval and sure or figure.no_interval,
        baseline=float(counts[most] / items),
        baseline_class=found.predicted.names[most],
    )


def mean(name: str, values: np.ndarray, clusters: Sequence[str], drawn: str) -> Headline:
    """Returns the mean of a figure over items, with an interval where a bootstrap can tell one.

    Args:
        name: Of the metric.
        values: [items].
        clusters: [items], what is drawn as one.
        drawn: What that is: "groups" or "items".
    """
    found = bootstrap.difference(values, np.zeros(len(values)), clusters)
    told = _counted(found.clusters, drawn)
    if found.low < found.high:
        return Headline(name, found.difference, len(values), found.low, found.high, told)
    why = f"a bootstrap tells nothing, as each draw from {told} gives the same"
    return Headline(name, found.difference, len(values), no_interval=why)


def _sure_of_all(right: np.ndarray, clusters: int, drawn: str) -> str:
    """Returns what is sure to 95 % if all items are right, or none; else nothing."""
    if 0 < right.mean() < 1:
        return ""
    # What happened n times of n has a probability p with p ** n above 5 %: about 1 - 3 / n.
    least = pages.share(_UNLIKELY ** (1 / clusters))
    which = "right" if right.all() else "wrong"
    told = f"of {_counted(clusters, drawn)} all is {which}, so a bootstrap draws nothing else"
    return f"{told}; with 95 % confidence at least {least} of such {drawn} are wholly {which}"


def _counted(number: int, drawn: str) -> str:
    return f"{number} {drawn if number > 1 else drawn[:-1]}"


def _drawn(predicted: probabilities.Predicted) -> str:
    return "groups" if any(predicted.groups) else "items"


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
