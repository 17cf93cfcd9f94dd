"""From a model's outputs to scores of clips, and from scores to the lines that a user reads."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

import keras
import numpy as np

from lrcn.data import damage, progress, records
from lrcn.models import networks
from lrcn.scoring import metrics

DIGITS = 6


@dataclasses.dataclass(frozen=True)
class Scores:
    """Probabilities of clips, pooled over their frames and averaged over their crops.

    Attributes:
        probabilities: [clips, classes] float64.
        item: [clips] int64, place of the clip's item in the records.
        clip: [clips] int64, number of the clip within its item.
    """

    probabilities: np.ndarray
    item: np.ndarray
    clip: np.ndarray


def is_multi_label(model: keras.Model) -> bool:
    """Returns whether the model gives each class a probability of its own (sigmoid)."""
    return any(layer.name == "sigmoid" for layer in networks.head(model).layers)


def num_classes(model: keras.Model) -> int:
    """Returns the number of classes that the model tells apart."""
    return networks.head(model).get_layer("classes").units


def score(
    head: keras.Model,
    batches: Iterable[Mapping[str, Any]],
    *,
    pooling_frames: str,
    multi_label: bool,
    describe: str | None = None,
) -> Scores:
    """Runs the head over clips and pools the probabilities of each clip's frames.

    Args:
        head: The network after its CNN, to `logits` [batch, time, classes].
        batches: Dicts of `item` [batch], `clip` [batch] and `features`. Rows of one item and clip
            are crops of it, and averaged.
        pooling_frames: "avg", "last" or "max" over the frames of a clip.
        multi_label: Whether logits are of independent classes.
        describe: What a progress bar says, for batches that have a length; None for no bar.
    """
    parts, items, clips = [], [], []
    for batch in tracked(batches, describe):
        items.append(np.asarray(batch["item"]))
        clips.append(np.asarray(batch["clip"]))
        logits = head.predict_on_batch(batch["features"])["logits"]
        parts.append(
            metrics.pool(
                of_logits(logits, multi_label=multi_label),
                pooling_frames,
                axis=1,
                renormalise=not multi_label,
            )
        )
    return _averaged_over_crops(np.concatenate(parts), np.concatenate(items), np.concatenate(clips))


def paths(record_set: records.RecordSet) -> list[str]:
    """Returns where each item of records came from."""
    found = record_set.serialized().map(lambda text: records.parse_example(text)["path"])
    with damage.translating_errors(record_set.path, limits=record_set.limits):
        return [path.decode() for path in found.as_numpy_iterator()]


def tracked(batches: Iterable, describe: str | None) -> Iterator:
    """Yields batches beside a progress bar.

    Args:
        batches: They have a length, unless there is no bar.
        describe: What the bar says; None for no bar.
    """
    if describe is None:
        yield from batches
        return
    with progress.shown(describe, len(batches), unit="batches") as advance:
        for batch in batches:
            yield batch
            advance()


def of_logits(logits: np.ndarray, *, multi_label: bool) -> np.ndarray:
    """Returns the probabilities that logits stand for, float64 of the same shape.

    Args:
        logits: [..., classes].
        multi_label: Whether they are of independent classes.
    """
    values = np.asarray(logits, np.float64)
    if multi_label:
        return np.exp(-np.logaddexp(0, -values))
    powers = np.exp(values - values.max(axis=-1, keepdims=True))
    return powers / powers.sum(axis=-1, keepdims=True)


def _averaged_over_crops(values: np.ndarray, item: np.ndarray, clip: np.ndarray) -> Scores:
    pairs, group = np.unique(np.stack([item, clip], axis=1), axis=0, return_inverse=True)
    sums = np.zeros((len(pairs), values.shape[1]))
    np.add.at(sums, group.ravel(), values)
    counts = np.bincount(group.ravel())
    return Scores(sums / counts[:, None], pairs[:, 0], pairs[:, 1])


def class_names(labels: Sequence[str], count: int) -> tuple[str, ...]:
    """Returns the names of the classes, their numbers where there are none."""
    return tuple(labels) or tuple(str(index) for index in range(count))


def line(
    *, id: str, path: str, probabilities: np.ndarray, names: Sequence[str], top_k: int
) -> dict[str, Any]:
    """Returns the prediction of one item: `id, path, label, probability, top`.

    Args:
        id: The item.
        path: Where it came from.
        probabilities: [classes].
        names: The name of each class.
        top_k: How many classes `top` holds, at most.
    """
    order = np.argsort(-probabilities, kind="stable")[:top_k]
    top = [named(probabilities, names, index) for index in order]
    return {"id": id, "path": path, **named(probabilities, names), "top": top}


def named(
    probabilities: np.ndarray, names: Sequence[str], index: int | None = None
) -> dict[str, Any]:
    """Returns name and probability of a class, by default of the most probable one."""
    index = int(np.argmax(probabilities)) if index is None else int(index)
    return {"label": names[index], "probability": round(float(probabilities[index]), DIGITS)}
