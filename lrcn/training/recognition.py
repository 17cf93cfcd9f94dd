"""Learning the classes of videos."""

from __future__ import annotations

import pathlib

import keras
import numpy as np
import tensorflow as tf

from lrcn import errors, runs
from lrcn import settings as settings_lib
from lrcn.data import dataset, records, sharing
from lrcn.models import activity, networks
from lrcn.scoring import losses, metrics
from lrcn.training import assembly, callbacks, feeds, interruption, shared


class Recognition:
    """Learns the classes of videos, frame by frame or by LSTM; see `tasks.Task`.

    Args:
        settings: The settings of the training.
        paths: Records by split.

    Raises:
        UserError: The splits have other classes, or what is to be monitored is not measured.
    """

    def __init__(self, settings: settings_lib.TrainSettings, paths: dict[str, pathlib.Path]):
        self._settings = settings
        self.data = feeds.open_data(paths, limits=settings.limits)
        opened = {
            split: records.open_records(path, limits=settings.limits)
            for split, path in paths.items()
        }
        _check_names(self.data.train, opened)
        known = [record_set.metadata for record_set in opened.values()]
        self.num_classes = max(metadata.num_classes for metadata in known)
        self.multi_label = any(metadata.multi_label for metadata in known)
        self.label_names = known[0].label_names or tuple(map(str, range(self.num_classes)))
        self._check_monitor()

    def build(self) -> keras.Model:
        """Returns a new network [batch, time, height, width, 3] uint8 -> logits, probabilities."""
        workflow = self._settings.workflow
        common = {
            "num_classes": self.num_classes,
            "multi_label": self.multi_label,
            "labels": self.label_names,
            "pooling": self._settings.pooling.frames,
            "initializer": workflow.initializer,
        }
        backbone = assembly.build_backbone(
            self._settings.backbone,
            workflow.name,
            modality=self.data.train.metadata.modality,
            limits=self._settings.limits,
        )
        if workflow.name == "singleframe":
            return activity.singleframe(backbone, dropout=workflow.dropout_out, **common)
        return activity.lstm(
            backbone,
            units=workflow.units,
            layers=workflow.layers,
            dropout_in=workflow.dropout_in,
            dropout_out=workflow.dropout_out,
            **common,
        )

    def check(self, network: keras.Model, run: runs.RunDirectory) -> None:
        """Refuses a network of other classes."""
        labels = activity.labels(network)
        if labels != self.label_names:
            raise errors.UserError(
                "the run was trained on other classes than the records have",
                where=run.last,
                received=f"records of {', '.join(self.label_names)} in {self.data.train.path}",
                expected=", ".join(labels),
                remedy="Start a new run, with init= to begin with these weights",
            )

    def feed(
        self,
        network: keras.Model,
        *,
        first_epoch: int,
        first_step: int = 0,
        share: sharing.Share | None = None,
    ) -> feeds.Feed:
        """Returns what a network is trained and validated on."""
        targets = dataset.Targets(
            self.data.train, self.num_classes, self.multi_label, self.class_weights()
        )

        def finish(clips, *learnt):
            return clips, *({"logits": _every_step(v, clips), "probabilities": v} for v in learnt)

        return feeds.make_feed(
            network,
            self._settings,
            self.data,
            lesson=feeds.Lesson(targets, finish),
            val_lesson=None,
            first_epoch=first_epoch,
            first_step=first_step,
            share=share,
        )

    def compile(self, model: keras.Model, optimizer: keras.optimizers.Optimizer) -> None:
        """Compiles a network or its head with an optimizer, which keeps its state."""
        own = self.objective()
        model.compile(
            optimizer=optimizer,
            loss={own.output: own.loss},
            metrics={"probabilities": [own.accuracy]} if own.accuracy else None,
            jit_compile=False,  # brings nothing on CPU and compiles anew for each shape
        )

    def objective(self) -> shared.Objective:
        """Returns the loss of the workflow, and the accuracy of clips if they have one label."""
        output, function = losses.build(self._settings.workflow.loss, multi_label=self.multi_label)
        accuracy = keras.metrics.SparseCategoricalAccuracy(name="accuracy")
        return shared.Objective(output, function, None if self.multi_label else accuracy)

    def validation(
        self, network: keras.Model, feed: feeds.Feed, *, watch: interruption.Watch
    ) -> keras.callbacks.Callback:
        """Returns what classifies the validation videos after each epoch."""
        return callbacks.VideoValidation(
            networks.head(network),
            feed.validation,
            labels=self.val_labels(),
            pooling=self._settings.pooling.clips,
            watch=watch,
        )

    def write(self, run: runs.RunDirectory) -> None:
        """Writes `labels.txt`."""
        run.write_labels(self.label_names)

    def measured(self, metrics: dict) -> dict:
        """Returns the metrics with the number of videos."""
        return {**metrics, **({"videos": self.data.val.metadata.items} if self.data.val else {})}

    def val_labels(self) -> np.ndarray:
        """Returns the labels of the validation videos, [videos] or multi-hot."""
        return dataset.Targets(self.data.val, self.num_classes, self.multi_label).labels

    def class_weights(self) -> list[float] | None:
        """Returns the weight of each class, or None if all weigh the same."""
        if self._settings.class_weights is None:
            return None
        return dataset.balanced_weights(self.data.train, self.num_classes)

    def _check_monitor(self) -> None:
        measured = metrics.names(multi_label=self.multi_label)
        monitor = self._settings.callbacks.monitor
        if self.data.val is not None and monitor not in measured:
            raise errors.UserError(
                "is not measured on these videos",
                where="callbacks.monitor",
                received=monitor,
                expected=" | ".join(measured),
                remedy="video_map is for videos with several labels; choose one of those listed",
            )


def _every_step(values: tf.Tensor, clips: tf.Tensor) -> tf.Tensor:
    return losses.every_step(values, clips.shape[1])


def _check_names(train: records.RecordSet, opened: dict[str, records.RecordSet]) -> None:
    for split, record_set in opened.items():
        if record_set.metadata.label_names != train.metadata.label_names:
            raise errors.UserError(
                f"the splits train and {split} have other label names",
                where=record_set.path,
                received=", ".join(record_set.metadata.label_names) or "none",
                expected=", ".join(train.metadata.label_names) or "none",
                remedy="Serialize both with the same dataset.labels",
            )
