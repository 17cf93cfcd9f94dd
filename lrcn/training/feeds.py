"""What a training is fed: clips of frames, or of features where the CNN is frozen."""

from __future__ import annotations

import dataclasses
import pathlib

import keras
import numpy as np
import tensorflow as tf

from lrcn import errors, runs
from lrcn import settings as settings_lib
from lrcn.data import augment, dataset, epochs, records
from lrcn.data import clips as clips_lib
from lrcn.models import backbones, networks
from lrcn.training import assembly, features


@dataclasses.dataclass(frozen=True)
class Data:
    """The records of a training and what their labels are.

    Attributes:
        train: Records to train on.
        val: Records to validate on after each epoch, or None.
        num_classes: Number of classes over all splits.
        multi_label: Whether some item has several labels.
        label_names: A name a class.
    """

    train: records.RecordSet
    val: records.RecordSet | None
    num_classes: int
    multi_label: bool
    label_names: tuple[str, ...]

    @property
    def digests(self) -> dict[str, str]:
        """A digest of the records by split: other records give others."""
        given = {"train": self.train, "val": self.val}
        return {split: found.digest for split, found in given.items() if found is not None}


@dataclasses.dataclass(frozen=True)
class Feed:
    """What a model is trained and validated on.

    Attributes:
        model: The complete network, or its head if features stand for frames.
        key: The model's input: "frames" or "features".
        training: Batches of all epochs to come, one epoch after another.
        steps: Batches in an epoch.
        clips: Clips in an epoch.
        num_frames: Frames of a clip.
        validation: Every clip of the validation items, or None.
        labels: Labels of the validation items, or None.
    """

    model: keras.Model
    key: str
    training: tf.data.Dataset
    steps: int
    clips: int
    num_frames: int
    validation: tf.data.Dataset | None
    labels: np.ndarray | None


def open_data(paths: dict[str, pathlib.Path]) -> Data:
    """Opens the records of a training.

    Args:
        paths: Records by split; "train" is needed.

    Raises:
        UserError: There is no split to train on, or the splits have other classes.
    """
    if "train" not in paths:
        raise errors.UserError(
            "there is nothing to train on",
            where="dataset.train",
            received=", ".join(paths) or "no split",
            expected="records of a split train",
            remedy="Set dataset.train=FILE, or give a list whose name ends in train",
        )
    opened = {split: records.open_records(path) for split, path in paths.items()}
    known = [record_set.metadata for record_set in opened.values()]
    for split, record_set in opened.items():
        if record_set.metadata.label_names != opened["train"].metadata.label_names:
            raise errors.UserError(
                f"the splits train and {split} have other label names",
                where=record_set.path,
                received=", ".join(record_set.metadata.label_names) or "none",
                expected=", ".join(opened["train"].metadata.label_names) or "none",
                remedy="Serialize both with the same dataset.labels",
            )
    count = max(metadata.num_classes for metadata in known)
    names = known[0].label_names or tuple(str(label) for label in range(count))
    multi_label = any(metadata.multi_label for metadata in known)
    return Data(opened["train"], opened.get("val"), count, multi_label, names)


def make_feed(
    network: keras.Model, settings: settings_lib.TrainSettings, data: Data, *, first_epoch: int
) -> Feed:
    """Returns what is trained on what: the head on features if they can stand for frames."""
    contract = backbones.contract_of(network)
    size = (contract["height"], contract["width"])
    views = assembly.views(settings.augment, size)
    mode = training_mode(settings.clipframe_mode, data.train)
    chosen = epochs.Clips(data.train, mode, short_videos=settings.short_videos)
    val, labels = None, None
    if data.val is not None:
        trained = chosen.mode or data.train.metadata.clipframe_mode
        val_mode = epochs.evaluation_mode(data.val, trained)
        val = epochs.Clips(data.val, val_mode, short_videos=settings.short_videos)
        labels = dataset.Targets(data.val, data.num_classes, data.multi_label).labels
    make = (
        _feature_sets
        if features.serves(networks.backbone(network), views[0])
        and features.serves(networks.backbone(network), views[1])
        else _frame_sets
    )
    targets = dataset.Targets(
        data.train, data.num_classes, data.multi_label, class_weights(settings, data)
    )
    model, training, steps, validation = make(
        network,
        settings,
        data,
        chosen=chosen,
        val=val,
        targets=targets,
        views=views,
        first_epoch=first_epoch,
    )
    return Feed(
        model=model,
        key="frames" if model is network else "features",
        training=assembly.with_targets(training, chosen.num_frames),
        steps=steps,
        clips=len(chosen.epoch(settings.seed, first_epoch)),
        num_frames=chosen.num_frames,
        validation=validation,
        labels=labels,
    )


def training_mode(
    given: settings_lib.ClipframeMode, train: records.RecordSet
) -> clips_lib.ClipMode | None:
    """Returns the mode to train with, or None for the records' own clips."""
    return epochs.training_mode(
        train,
        None if given.name == "auto" else given.name,
        num_frames=given.num_frames_per_clip,
        offset_or_num=given.clip_offset_or_num,
        tail=given.tail,
    )


def shown(settings: settings_lib.TrainSettings, data: Data) -> runs.Shown:
    """Returns what a new item must go through to look as those of the training do."""
    stored = data.train.metadata
    mode = training_mode(settings.clipframe_mode, data.train) or stored.clipframe_mode
    return runs.Shown(
        mode=dataclasses.asdict(mode) if mode and stored.type != "image" else None,
        frame_shape=stored.frame_shape,
        frame_step=stored.frame_step,
        fps=stored.fps,
        quality=stored.quality,
    )


def _feature_sets(
    network: keras.Model,
    settings: settings_lib.TrainSettings,
    data: Data,
    *,
    chosen: epochs.Clips,
    val: epochs.Clips | None,
    targets: dataset.Targets,
    views: tuple[augment.View, augment.View],
    first_epoch: int,
) -> tuple[keras.Model, tf.data.Dataset, int, tf.data.Dataset | None]:
    """Returns the head and its sets of clips of features."""
    backbone = networks.backbone(network)
    training, steps = features.training_clips(
        features.extract(data.train, backbone, view=views[0]),
        chosen,
        targets=targets,
        batch_size=settings.batch_size,
        seed=settings.seed,
        first_epoch=first_epoch,
        epochs=settings.epochs,
    )
    validation = None
    if val is not None:
        stored = features.extract(data.val, backbone, view=views[1])
        validation = features.evaluation_clips(stored, val, seed=settings.seed)
    return networks.head(network), training, steps, validation


def _frame_sets(
    network: keras.Model,
    settings: settings_lib.TrainSettings,
    data: Data,
    *,
    chosen: epochs.Clips,
    val: epochs.Clips | None,
    targets: dataset.Targets,
    views: tuple[augment.View, augment.View],
    first_epoch: int,
) -> tuple[keras.Model, tf.data.Dataset, int, tf.data.Dataset | None]:
    """Returns the network and its sets of clips of frames."""
    training, steps = dataset.training_clips(
        chosen,
        targets=targets,
        view=views[0],
        batch_size=settings.batch_size,
        seed=settings.seed,
        first_epoch=first_epoch,
        epochs=settings.epochs,
    )
    validation = None
    if val is not None:
        validation = dataset.evaluation_clips(
            val, view=views[1], batch_size=settings.batch_size, seed=settings.seed
        )
    threads = settings.num_threads
    if validation is not None:
        validation = dataset.threaded(validation, threads)
    return network, dataset.threaded(training, threads), steps, validation


def class_weights(settings: settings_lib.TrainSettings, data: Data) -> list[float] | None:
    """Returns the weight of each class, or None if all weigh the same."""
    if settings.class_weights is None:
        return None
    return dataset.balanced_weights(data.train, data.num_classes)
