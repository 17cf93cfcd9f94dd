"""Metrics of classified clips and videos, in NumPy.

Labels are class numbers [items] for data with one label an item, or multi-hot [items, classes] for
multi-label data. Probabilities are [items, classes]. Ties go to the lower class number.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from lrcn.errors import UserError, few
from lrcn.models.layers import POOLINGS

THRESHOLD = 0.5  # probability from which a multi-label class counts as predicted
SMALLEST = 1e-7  # floor of a probability in the loss, as in Keras


def pool(
    probabilities: ArrayLike, how: str, *, axis: int = 0, renormalise: bool = True
) -> np.ndarray:
    """Returns probabilities pooled over one axis.

    Args:
        probabilities: Any shape, classes last.
        how: "avg", "last" or "max".
        axis: The axis of frames or clips.
        renormalise: Whether maxima are divided by their sum; False for multi-label data.
    """
    values = np.asarray(probabilities, np.float64)
    if how == "avg":
        return values.mean(axis=axis)
    if how == "last":
        return values.take(-1, axis=axis)
    if how != "max":
        raise UserError(
            "Unknown pooling",
            where="pooling.clips",
            received=how,
            expected=", ".join(POOLINGS),
            remedy="Set pooling.clips=avg, or another of them",
        )
    highest = values.max(axis=axis)
    return highest / highest.sum(axis=-1, keepdims=True) if renormalise else highest


def videos_from_clips(
    probabilities: ArrayLike,
    item_index: ArrayLike,
    *,
    num_items: int,
    how: str = "avg",
    multi_label: bool = False,
) -> np.ndarray:
    """Returns the probabilities of videos [num_items, classes], pooled over the clips of each.

    Args:
        probabilities: [clips, classes], the clips of a video in time order.
        item_index: [clips], the video (0..num_items - 1) of each clip.
        num_items: Number of videos.
        how: "avg", "last" or "max".
        multi_label: Whether maxima keep their values instead of being made to sum to one.

    Raises:
        UserError: A video has no clip.
    """
    values, items = np.asarray(probabilities, np.float64), np.asarray(item_index)
    order = np.argsort(items, kind="stable")
    counts = np.bincount(items, minlength=num_items)
    if len(counts) > num_items or not counts.all():
        raise UserError(
            "Videos and clips do not belong together",
            where="item_index",
            received=f"clips of {int((counts > 0).sum())} videos",
            expected=f"at least one clip of each of {num_items} videos",
            remedy="Leave videos without clips out, and number the others from 0",
        )
    groups = np.split(values[order], np.cumsum(counts)[:-1])
    return np.stack([pool(group, how, renormalise=not multi_label) for group in groups])


def hits(probabilities: ArrayLike, labels: ArrayLike, k: int = 1) -> np.ndarray:
    """Returns for each item whether a label is among the k most probable classes, bool [items]."""
    values = np.asarray(probabilities)
    targets = multi_hot(labels, values.shape[-1])
    best = np.argsort(-values, axis=-1, kind="stable")[:, :k]
    return np.take_along_axis(targets, best, axis=-1).any(axis=-1)


def accuracy(probabilities: ArrayLike, labels: ArrayLike) -> float:
    """Returns the share of items whose most probable class is a label of theirs."""
    return float(hits(probabilities, labels).mean())


def top_k(probabilities: ArrayLike, labels: ArrayLike, k: int = 5) -> float:
    """Returns the share of items that have a label among the k most probable classes."""
    return float(hits(probabilities, labels, k).mean())


def clip_accuracy(probabilities: ArrayLike, item_index: ArrayLike, labels: ArrayLike) -> float:
    """Returns the accuracy over clips [clips, classes], each judged by its item's labels."""
    return accuracy(probabilities, np.asarray(labels)[np.asarray(item_index)])


def cross_entropy(probabilities: ArrayLike, labels: ArrayLike) -> float:
    """Returns the mean cross-entropy in nats; for multi-label data the mean over classes too."""
    values = np.clip(np.asarray(probabilities, np.float64), SMALLEST, 1 - SMALLEST)
    targets = multi_hot(labels, values.shape[-1])
    if np.ndim(labels) == 1:
        return float(-np.log(values[targets]).mean())
    return float(-np.where(targets, np.log(values), np.log1p(-values)).mean())


def multi_hot(labels: ArrayLike, num_classes: int) -> np.ndarray:
    """Returns labels as bool [items, num_classes]."""
    labels = np.asarray(labels)
    if labels.ndim == 2:
        return labels.astype(bool)
    return labels[:, None] == np.arange(num_classes)


def predicted(probabilities: ArrayLike, *, multi_label: bool) -> np.ndarray:
    """Returns the predicted classes as bool [items, classes]: the best one, or all from 0.5."""
    values = np.asarray(probabilities)
    if multi_label:
        return values >= THRESHOLD
    return multi_hot(values.argmax(axis=-1), values.shape[-1])


def per_class(probabilities: ArrayLike, labels: ArrayLike) -> list[dict[str, float]]:
    """Returns precision, recall, f1 and support of each class; undefined ratios are 0."""
    multi_label = np.ndim(labels) == 2
    guesses = predicted(probabilities, multi_label=multi_label)
    targets = multi_hot(labels, guesses.shape[-1])
    right = (guesses & targets).sum(axis=0)
    made, support = guesses.sum(axis=0), targets.sum(axis=0)
    rows = {
        "precision": _ratio(right, made),
        "recall": _ratio(right, support),
        "f1": _ratio(2 * right, made + support),
    }
    return [
        {**{key: float(values[c]) for key, values in rows.items()}, "support": int(support[c])}
        for c in range(guesses.shape[-1])
    ]


def confusion(probabilities: ArrayLike, labels: ArrayLike) -> np.ndarray:
    """Returns counts [true class, predicted class] int64 of single-label items."""
    values = np.asarray(probabilities)
    counts = np.zeros((values.shape[-1],) * 2, np.int64)
    np.add.at(counts, (np.asarray(labels), values.argmax(axis=-1)), 1)
    return counts


def average_precision(scores: ArrayLike, targets: ArrayLike) -> float:
    """Returns the area under the precision-recall steps of one class; ties share a threshold.

    Args:
        scores: [items].
        targets: [items], true where the item has the class; at least one.
    """
    scores, targets = np.asarray(scores), np.asarray(targets, bool)
    order = np.argsort(-scores, kind="stable")
    found = np.cumsum(targets[order])
    last = np.append(np.diff(scores[order]) != 0, True)  # ends of runs of equal scores
    precision = (found / np.arange(1, len(found) + 1))[last]
    recall = found[last] / found[-1]
    return float(np.sum(np.diff(recall, prepend=0.0) * precision))


def mean_average_precision(probabilities: ArrayLike, labels: ArrayLike) -> float:
    """Returns the mean average precision over the classes that some item has."""
    values = np.asarray(probabilities)
    targets = multi_hot(labels, values.shape[-1])
    present = np.flatnonzero(targets.any(axis=0))
    return float(np.mean([average_precision(values[:, c], targets[:, c]) for c in present]))


def names(*, multi_label: bool) -> tuple[str, ...]:
    """Returns what `summary` measures of a task, without the count of videos."""
    common = ("video_accuracy", "video_top5", "clip_accuracy", "loss")
    return (*common, "video_map") if multi_label else common


def summary(
    clip_probabilities: ArrayLike,
    item_index: ArrayLike,
    labels: ArrayLike,
    *,
    how: str = "avg",
) -> dict[str, float | int]:
    """Returns the metrics of a split under the names of `metrics.json`.

    Args:
        clip_probabilities: [clips, classes].
        item_index: [clips], the video of each clip.
        labels: [videos] class numbers, or [videos, classes] multi-hot, which adds `video_map`.
        how: Pooling of clips into videos.

    Raises:
        UserError: A probability is no finite number.
    """
    _require_finite(np.asarray(clip_probabilities), np.asarray(item_index))
    labels = np.asarray(labels)
    multi_label = labels.ndim == 2
    videos = videos_from_clips(
        clip_probabilities, item_index, num_items=len(labels), how=how, multi_label=multi_label
    )
    values = {
        "video_accuracy": accuracy(videos, labels),
        "video_top5": top_k(videos, labels, 5),
        "clip_accuracy": clip_accuracy(clip_probabilities, item_index, labels),
        "loss": cross_entropy(videos, labels),
        "videos": len(labels),
    }
    if multi_label:
        values["video_map"] = mean_average_precision(videos, labels)
    return values


def _require_finite(probabilities: np.ndarray, item_index: np.ndarray) -> None:
    """Refuses what would count as class 0 without a word."""
    wrong = np.unique(item_index[~np.isfinite(probabilities).all(axis=-1)])
    if len(wrong):
        raise UserError(
            "probabilities are no finite numbers",
            where=f"items {few(wrong.tolist())} of the records, counted from 0",
            received=f"NaN or infinity for {len(wrong)} items",
            expected="finite probabilities",
            remedy="Half precision may overflow: set precision=float32; or look at the items "
            "with `lrcn browse`",
        )


def _ratio(above: np.ndarray, below: np.ndarray) -> np.ndarray:
    return np.divide(above, below, out=np.zeros(len(above)), where=below > 0)
