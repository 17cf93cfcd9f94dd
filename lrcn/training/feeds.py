"""What a training is fed: clips of frames, or of features where the CNN is frozen."""

from __future__ import annotations

import dataclasses
import pathlib
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

import keras
import tensorflow as tf

from lrcn import errors, runs
from lrcn import settings as settings_lib
from lrcn.data import augment, dataset, epochs, records, sharing
from lrcn.data import clips as clips_lib
from lrcn.data.limits import Limits
from lrcn.models import backbones, networks
from lrcn.scoring import clips as clips_of_features
from lrcn.training import features, forwards, shared


@dataclasses.dataclass(frozen=True)
class Data:
    """The records of a training.

    Attributes:
        train: Records to train on.
        val: Records to validate on after each epoch, or None.
    """

    train: records.RecordSet
    val: records.RecordSet | None

    @property
    def splits(self) -> dict[str, records.RecordSet]:
        """The records by split."""
        given = {"train": self.train, "val": self.val}
        return {split: found for split, found in given.items() if found is not None}

    @property
    def digests(self) -> dict[str, str]:
        """A digest of the records by split: other records give others."""
        return {split: found.digest for split, found in self.splits.items()}


@dataclasses.dataclass(frozen=True)
class Feed:
    """What a model is trained and validated on.

    Attributes:
        model: The complete network, or its head if features stand for frames.
        training: Batches of all whole epochs to come, one epoch after another.
        rest: Batches that are left of an epoch that was begun, or None.
        steps: Batches in an epoch.
        clips: Clips in an epoch, each as often as it has targets.
        num_frames: Frames of a clip.
        items_of: Returns the ids of the items of a batch, by epoch and batch, both from 0.
        validation: Every clip of the validation items as `scoring.clips.Batches` has them, or None.
        validation_pairs: Batches of an epoch of the validation items as training has them, or None.
    """

    model: keras.Model
    training: tf.data.Dataset
    steps: int
    clips: int
    num_frames: int
    items_of: Callable[[int, int], tuple[str, ...]]
    validation: Iterable[Mapping[str, Any]] | None
    validation_pairs: tf.data.Dataset | None = None
    rest: tf.data.Dataset | None = None


@dataclasses.dataclass(frozen=True)
class Lesson:
    """What the clips of a split are to be learnt as.

    Attributes:
        learnt: By target.
        finish: From batches of (clips, *learnt) to what `fit` takes.
        counts: Targets of each item, None if the item is its own only one.
    """

    learnt: dataset.Learnt
    finish: Callable[..., tuple]
    counts: Sequence[int] | None = None


def open_data(paths: dict[str, pathlib.Path], *, limits: Limits = Limits()) -> Data:
    """Opens the records of a training.

    Args:
        paths: Records by split; "train" is needed.
        limits: The most that the records may ask for.

    Raises:
        UserError: There is no split to train on.
    """
    if "train" not in paths:
        raise errors.UserError(
            "there is nothing to train on",
            where="dataset.train",
            received=", ".join(paths) or "no split",
            expected="records of a split train",
            remedy="Give a list whose name ends in .train, such as videos.train, or records by "
            "dataset=records dataset.train=FILE",
        )
    opened = {
        split: records.open_records(paths[split], limits=limits)
        for split in ("train", "val")
        if split in paths
    }
    return Data(opened["train"], opened.get("val"))


def make_feed(
    network: keras.Model,
    settings: settings_lib.TrainSettings,
    data: Data,
    *,
    lesson: Lesson,
    val_lesson: Lesson | None,
    first_epoch: int,
    first_step: int = 0,
    model: keras.Model | None = None,
    share: sharing.Share | None = None,
) -> Feed:
    """Returns what is trained on what: the head on features if they can stand for frames.

    Args:
        network: The complete network.
        settings: The settings of the training.
        data: The records.
        lesson: What the training clips are to be learnt as.
        val_lesson: The same of validation clips, where a loss on pairs is measured; or None.
        first_epoch: The first epoch to show, counted from 0.
        first_step: Batches of it that are past.
        model: What is trained in the place of network or head; it has their variables.
        share: What is taken of every batch if it is not the whole.
    """
    source = _source(network, settings)
    finish = lesson.finish if share is None else _counting(lesson.finish)
    finish = dataset.unconverted(finish)
    mode = training_mode(settings.clipframe_mode, data.train, describes=settings.describes)
    chosen = epochs.Clips(
        data.train, mode, short_videos=settings.short_videos, targets=lesson.counts
    )
    shown = (chosen, lesson.learnt, source.views[0])
    whole = first_epoch + bool(first_step)
    training, steps = source.training(*shown, whole, settings.epochs, share=share)
    rest = None
    if first_step:
        rest, _ = source.training(*shown, first_epoch, whole, first_step, share=share)
        rest = rest.map(finish)
    validation = pairs = None
    if data.val is not None:
        trained = chosen.mode or data.train.metadata.clipframe_mode
        val = epochs.Clips(
            data.val,
            epochs.evaluation_mode(data.val, trained),
            short_videos=settings.short_videos,
            targets=val_lesson.counts if val_lesson else None,
        )
        validation = source.evaluation(val)
        if val_lesson is not None:
            view = source.views[1]
            if view.crop == "ten":  # the loss is of one view, the middle one
                view = dataclasses.replace(view, crop="centre")
            pairs, _ = source.training(val, val_lesson.learnt, view, 0, 1)
            pairs = pairs.map(dataset.unconverted(val_lesson.finish))
    return Feed(
        model=model or source.model,
        training=training.map(finish),
        steps=steps,
        clips=len(chosen.epoch(settings.seed, first_epoch)),
        num_frames=chosen.num_frames,
        items_of=lambda epoch, batch: chosen.ids(settings.seed, epoch, batch, settings.batch_size),
        validation=validation,
        validation_pairs=pairs,
        rest=rest,
    )


def _counting(finish: Callable[..., tuple]) -> Callable[..., tuple]:
    """Returns what puts beside the targets of a batch which of its rows count."""

    def counting(clips, *learnt):
        *learnt, counts = learnt
        inputs, targets, *weights = finish(clips, *learnt)
        counts = tf.cast(counts, tf.float32)
        return inputs, {**targets, shared.COUNTS: counts}, *weights

    return counting


def training_mode(
    given: settings_lib.ClipframeMode, train: records.RecordSet, *, describes: bool
) -> clips_lib.ClipMode | None:
    """Returns the mode to train with, or None for the records' own clips.

    Captions are of whole videos, so unless a mode is asked for their frames come from all of it.

    Args:
        given: Keys of `clipframe_mode`.
        train: The records of the training.
        describes: Whether captions are learnt.
    """
    return epochs.training_mode(
        train,
        None if given.name == "auto" else given.name,
        num_frames=given.num_frames_per_clip,
        offset_or_num=given.clip_offset_or_num,
        tail=given.tail,
        default="rand_frames" if describes else "rand_clips",
    )


def views(
    settings: settings_lib.Augment, size: tuple[int, int], modality: str
) -> tuple[augment.View, augment.View]:
    """Returns the view of training and that of evaluation.

    Args:
        settings: Keys of `augment`.
        size: Height and width of the network's input, in pixels.
        modality: What the frames show.
    """
    return (
        augment.View(size, settings.train, settings.mirror, modality),
        augment.View(size, settings.evaluate, modality=modality),
    )


def shown(settings: settings_lib.TrainSettings, data: Data) -> runs.Shown:
    """Returns what a new item must go through to look as those of the training do."""
    stored = data.train.metadata
    mode = training_mode(settings.clipframe_mode, data.train, describes=settings.describes)
    mode = mode or stored.clipframe_mode
    return runs.Shown(
        mode=dataclasses.asdict(mode) if mode and stored.type != "image" else None,
        frame_shape=stored.frame_shape,
        frame_step=stored.frame_step,
        fps=stored.fps,
        quality=stored.quality,
        modality=stored.modality,
        flow_method=stored.flow_method,
    )


def told(data: Data) -> dict[str, dict[str, Any]]:
    """Returns what tells the records of each split from others, as `data.json` keeps it."""
    splits = {"train": data.train, "val": data.val}
    return {
        name: {
            "records": str(own.path),
            "digest": own.digest,
            "source": own.metadata.source.name,
            "source_sha256": own.metadata.source.sha256,
            "type": own.metadata.type,
            "items": own.metadata.items,
            "frames": sum(own.metadata.frame_counts),
            "classes": own.metadata.num_classes,
            "groups": sorted(set(filter(None, own.metadata.groups))),
            "skipped": len(own.metadata.skipped),
        }
        for name, own in splits.items()
        if own is not None
    }


@dataclasses.dataclass(frozen=True)
class _Frames:
    """Clips of frames, for the complete network."""

    network: keras.Model
    settings: settings_lib.TrainSettings
    views: tuple[augment.View, augment.View]

    @property
    def model(self) -> keras.Model:
        return self.network

    def training(
        self,
        chosen: epochs.Clips,
        learnt: dataset.Learnt,
        view: augment.View,
        first_epoch: int,
        last_epoch: int,
        first_step: int = 0,
        share: sharing.Share | None = None,
    ) -> tuple[tf.data.Dataset, int]:
        clips, steps = dataset.training_clips(
            chosen,
            targets=learnt,
            view=view,
            batch_size=self.settings.batch_size,
            seed=self.settings.seed,
            first_epoch=first_epoch,
            epochs=last_epoch,
            first_step=first_step,
            share=share,
        )
        return dataset.threaded(clips, self.settings.num_threads), steps

    def evaluation(self, chosen: epochs.Clips) -> Iterable[Mapping[str, Any]]:
        return clips_of_features.of_records(
            chosen,
            forwards.of(networks.backbone(self.network)),
            view=self.views[1],
            batch_size=self.settings.batch_size,
            seed=self.settings.seed,
            threads=self.settings.num_threads,
        )


@dataclasses.dataclass(frozen=True)
class _Features:
    """Clips of a frozen CNN's features, for the head."""

    network: keras.Model
    settings: settings_lib.TrainSettings
    views: tuple[augment.View, augment.View]

    @property
    def model(self) -> keras.Model:
        return networks.head(self.network)

    def training(
        self,
        chosen: epochs.Clips,
        learnt: dataset.Learnt,
        view: augment.View,
        first_epoch: int,
        last_epoch: int,
        first_step: int = 0,
        share: sharing.Share | None = None,
    ) -> tuple[tf.data.Dataset, int]:
        return features.training_clips(
            self._stored(chosen, view),
            chosen,
            targets=learnt,
            batch_size=self.settings.batch_size,
            seed=self.settings.seed,
            first_epoch=first_epoch,
            epochs=last_epoch,
            first_step=first_step,
            share=share,
        )

    def evaluation(self, chosen: epochs.Clips) -> Iterable[Mapping[str, Any]]:
        stored = self._stored(chosen, self.views[1])
        # Searches hold many beginnings of each caption.
        size = {"batch_size": self.settings.batch_size} if self.settings.describes else {}
        return features.evaluation_clips(stored, chosen, seed=self.settings.seed, **size)

    def _stored(self, chosen: epochs.Clips, view: augment.View) -> features.Features:
        return features.extract(chosen.records, networks.backbone(self.network), view=view)


def _source(network: keras.Model, settings: settings_lib.TrainSettings) -> _Frames | _Features:
    contract = backbones.contract_of(network)
    size = (contract["height"], contract["width"])
    seen = views(settings.augment, size, contract["modality"])
    return (_Frames if settings.decodes_frames else _Features)(network, settings, seen)
