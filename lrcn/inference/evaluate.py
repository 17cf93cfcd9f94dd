"""A trained model on a split: metrics, tables, pictures and a line for every item.

By default the protocol of Donahue et al. 2015: clips of 16 frames with stride 8, the last one
aligned with the end, and the mean of the frames' probabilities over all clips.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import keras
import numpy as np

from lrcn import errors, litert
from lrcn.data import augment, damage, dataset, epochs, records
from lrcn.data import clips as clips_lib
from lrcn.data.limits import Limits
from lrcn.inference import outputs, probabilities, results
from lrcn.models import networks
from lrcn.scoring import clips as clips_of_features
from lrcn.scoring import metrics


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
    limits: Limits = Limits(),
    batches: Iterable[Mapping[str, Any]] | None = None,
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
        folder: Where `metrics.json`, `per_class.csv`, `confusion.csv`, `confusion.png`,
            `predictions.jsonl` and `probabilities.csv` go; nothing is written if None.
        seed: Of random modes.
        limits: The most that the records may ask for.
        batches: Every clip as features, with `item` and `clip`, if they are known already.

    Returns:
        The metrics under the names of `metrics.json`; multi-label models add `video_map`.

    Raises:
        errors.UserError: Records, clips or classes are not as they should be.
    """
    record_set = records.open_records(records_path, limits=limits)
    multi_label = outputs.is_multi_label(model)
    count = outputs.num_classes(model)
    _check_classes(record_set, count, label_names)
    labels = dataset.Targets(record_set, count, multi_label).labels
    chosen = epochs.Clips(record_set, mode, short_videos=short_videos)
    with damage.translating_errors(record_set.path, limits=record_set.limits):
        if batches is None:
            forward = litert.forward(networks.backbone(model))
            batches = clips_of_features.of_records(
                chosen, forward, view=view, batch_size=batch_size, seed=seed
            )
        scores = outputs.score(
            networks.head(model),
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
        windows = _windows(chosen.every(seed), scores, names)
        of_images = record_set.metadata.type == "image"
        results.write(
            folder,
            values,
            _predicted(record_set.metadata, names, videos),
            labels=labels,
            paths=outputs.paths(record_set),
            windows=[[] if of_images else windows[item] for item in range(len(labels))],
        )
    return values


def _check_classes(record_set: records.RecordSet, count: int, names: Sequence[str]) -> None:
    """Refuses records of other classes than the model's; fewer without names may be a subset."""
    own = record_set.metadata.label_names
    if names and own and tuple(names) != own:
        model, data = probabilities.first_difference(names, own)
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


def _predicted(
    metadata: records.Metadata, names: Sequence[str], videos: np.ndarray
) -> probabilities.Predicted:
    groups = metadata.groups or ("",) * len(metadata.ids)
    return probabilities.Predicted(
        metadata.ids, tuple(groups), metadata.labels, tuple(names), videos
    )


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
