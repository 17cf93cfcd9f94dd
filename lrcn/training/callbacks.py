"""What happens at the end of an epoch: validation, logs, checkpoints, stopping."""

from __future__ import annotations

import csv
import io
import logging
import math
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from lrcn import faults, files, runs
from lrcn.data import text
from lrcn.scoring import captions, describer, metrics
from lrcn.training import checkpoints, forwards, interruption

log = logging.getLogger(__name__)

# Monitored values that are better when they are smaller; all others when they are larger.
_SMALLER = ("loss", "val_loss")


class Throughput(keras.callbacks.Callback):
    """Logs clips and frames per second and the share of the time spent waiting for data.

    Args:
        clips: Clips of an epoch.
        num_frames: Frames of a clip.
        waited: Scalar float64 variable, the seconds waited so far; see `dataset.waiting`.
        state: How far the run is; a continued epoch has taken time before.
    """

    def __init__(
        self, *, clips: int, num_frames: int, waited: tf.Variable, state: checkpoints.State
    ):
        super().__init__()
        self._clips, self._num_frames, self._waited = clips, num_frames, waited
        self._state = state

    def on_epoch_begin(self, epoch, logs=None):
        """Starts the clock."""
        self._earlier = self._state.seconds
        self._began, self._before = time.monotonic(), float(self._waited.numpy())

    def on_epoch_end(self, epoch, logs):
        """Adds `seconds`, `clips_per_second`, `frames_per_second` and `data_wait` to the logs."""
        now = max(time.monotonic() - self._began, 1e-9)
        seconds = self._earlier + now
        logs["seconds"] = round(seconds, 3)
        logs["clips_per_second"] = round(self._clips / seconds, 2)
        logs["frames_per_second"] = round(self._clips * self._num_frames / seconds, 1)
        logs["data_wait"] = round((float(self._waited.numpy()) - self._before) / now, 4)


class LearningRateLog(keras.callbacks.Callback):
    """Logs the rate that the next step will have, and calls the training accuracy by its name."""

    def on_epoch_end(self, epoch, logs):
        """Adds `learning_rate` to the logs."""
        rate = self.model.optimizer.learning_rate
        logs["learning_rate"] = float(keras.ops.convert_to_numpy(rate))
        if "probabilities_accuracy" in logs:
            logs["accuracy"] = logs.pop("probabilities_accuracy")


class VideoValidation(keras.callbacks.Callback):
    """Classifies the validation videos, every clip of each, pooled to videos.

    Args:
        head: The network after its CNN.
        batches: Dicts of `item` [batch], `clip` [batch] and `features`; rows of one item and clip
            are crops of it, and averaged.
        labels: [videos], or multi-hot [videos, classes].
        pooling: "avg", "last" or "max" over the clips of a video.
        watch: What the batches go through, so that a signal is noticed between them.
    """

    def __init__(
        self,
        head: keras.Model,
        batches: Iterable[Mapping[str, Any]],
        *,
        labels: np.ndarray,
        pooling: str,
        watch: interruption.Watch = iter,
    ):
        super().__init__()
        self._forward, self._batches = forwards.of(head, "probabilities"), batches
        self._labels, self._pooling = labels, pooling
        self._watch = watch

    def on_epoch_end(self, epoch, logs):
        """Adds `val_video_accuracy`, `val_clip_accuracy`, `val_loss` and others to the logs."""
        logs.update({f"val_{name}": value for name, value in self.measure().items()})

    def measure(self) -> dict[str, float]:
        """Returns the metrics of the validation videos under the model as it is."""
        outputs, places = [], []
        for batch in self._watch(self._batches):
            outputs.append(self._forward(batch["features"]))
            places.append(np.stack([batch["item"], batch["clip"]]))
        probabilities = np.concatenate(outputs)
        items, clips = np.concatenate(places, axis=1)
        first = np.flatnonzero(np.diff(items, prepend=-1) | np.diff(clips, prepend=-1))
        crops = np.diff(np.append(first, len(items)))[:, None]
        return metrics.summary(
            np.add.reduceat(probabilities, first) / crops,
            items[first],
            self._labels,
            how=self._pooling,
        )


class CaptionValidation(keras.callbacks.Callback):
    """Describes the validation items and scores the captions against all that people wrote.

    Args:
        head: The description network after its CNN.
        batches: Dicts of `item` [batch], `clip` [batch] and `features`; of several clips of an item
            the likeliest caption counts.
        pairs: Dataset of (inputs, targets, mask) of every validation caption, for the loss.
        vocabulary: The words of the model.
        references: The captions of each validation item.
        training: The captions of the training split, as `scoring.captions.known` has them.
        find: The search, see `scoring.describer.searcher`.
        watch: What the batches go through, so that a signal is noticed between them.
    """

    def __init__(
        self,
        head: keras.Model,
        batches: Iterable[Mapping[str, Any]],
        *,
        pairs: tf.data.Dataset,
        vocabulary: text.Vocabulary,
        references: Sequence[Sequence[str]],
        training: frozenset,
        find: Callable,
        watch: interruption.Watch = iter,
    ):
        super().__init__()
        self._batches, self._pairs = batches, pairs
        self._vocabulary, self._references, self._training = vocabulary, references, training
        self._describer = describer.Describer(head, find)
        self._summed, self._watch = None, watch

    def on_epoch_end(self, epoch, logs):
        """Adds `val_cider`, `val_bleu_4`, `val_exact`, `val_loss` and others to the logs."""
        logs.update({f"val_{name}": value for name, value in self.measure().items()})

    def measure(self) -> dict[str, float]:
        """Returns the metrics of the validation items under the model as it is."""
        batches = self._watch(self._batches)
        written = describer.write(self._describer, batches, self._vocabulary).of_items()
        values = captions.summary(
            written.captions,
            self._references,
            training=self._training,
            vocabulary=self._vocabulary.tokens[len(text.SPECIAL) :],
        )
        return {**values, "loss": self._loss()}

    def _loss(self) -> float:
        if self._summed is None:
            self._summed = tf.function(self._sums, input_signature=self._pairs.element_spec)
        summed = [self._summed(*pair) for pair in self._watch(self._pairs)]
        sums = np.sum([[part.numpy() for part in parts] for parts in summed], axis=0)
        return float(sums[0] / sums[1])

    def _sums(self, inputs, targets, mask):
        logits = self.model(inputs, training=False)["logits"]
        losses = tf.nn.sparse_softmax_cross_entropy_with_logits(targets["logits"], logits)
        return tf.reduce_sum(losses * mask["logits"]), tf.reduce_sum(mask["logits"])


class Checkpoints(keras.callbacks.Callback):
    """Keeps the history, the best and the last checkpoint, and stops when nothing gets better.

    The best one is written first: a kill between the two repeats an epoch that writes the same
    best again. Between equal values of the monitored metric the smaller validation loss decides.
    Without validation every epoch is the best so far.

    Args:
        network: The complete model, which may be more than the part that is trained.
        run: The run directory.
        state: How far the run is; changed in place.
        monitor: Name of the monitored value in the logs.
        min_delta: Smallest change of it that counts.
        patience: Epochs without a better value before the training stops; None for never.
    """

    def __init__(
        self,
        network: keras.Model,
        run: runs.RunDirectory,
        state: checkpoints.State,
        *,
        monitor: str,
        min_delta: float = 0.0,
        patience: int | None = None,
    ):
        super().__init__()
        self._network, self._run, self._state = network, run, state
        self._monitor, self._min_delta, self._patience = monitor, min_delta, patience

    def on_epoch_end(self, epoch, logs):
        """Writes `best.keras` if the epoch is the best one, `last.keras` and the tables."""
        state = self._state
        state.epoch = epoch + 1
        row = {"epoch": epoch + 1, **{name: _plain(value) for name, value in logs.items()}}
        state.history.append(row)
        state.step, state.sums, state.logs, state.seconds = 0, [], {}, 0.0
        better = self._is_better(logs)
        state.wait = 0 if better else state.wait + 1
        if better:
            self._remember(row)
            checkpoints.save(self._network, self._run.best, state)
            checkpoints.save_last(self._network, self._run, state, copy_of=self._run.best)
        else:
            checkpoints.save_last(self._network, self._run, state)
        write_history(self._run, state)
        if is_stopped(state, self._patience):
            log.info("stopped: no better %s for %d epochs", self._monitor, state.wait)
            self.model.stop_training = True

    def _is_better(self, logs: dict) -> bool:
        if self._monitor not in logs:
            return True
        value, state = float(logs[self._monitor]), self._state
        if math.isnan(value):
            return False
        if state.best is None:
            return True
        gain = state.best - value if self._monitor in _SMALLER else value - state.best
        if gain == 0 and "val_loss" in logs and state.best_loss is not None:
            return float(logs["val_loss"]) < state.best_loss
        return gain > self._min_delta

    def _remember(self, row: dict) -> None:
        state = self._state
        state.best, state.best_loss = row.get(self._monitor), row.get("val_loss")
        state.best_epoch = row["epoch"]
        state.best_metrics = {
            name.removeprefix("val_"): value
            for name, value in row.items()
            if name.startswith("val_")
        }


def is_stopped(state: checkpoints.State, patience: int | None) -> bool:
    """Tells whether a run has waited long enough for a better epoch."""
    return patience is not None and state.wait >= patience


def write_history(run: runs.RunDirectory, state: checkpoints.State) -> None:
    """Writes `history.csv` and `state.json` anew, so that a kill never leaves a row twice."""
    table = io.StringIO()
    names = list(dict.fromkeys(name for row in state.history for name in row))
    writer = csv.DictWriter(table, names, restval="", lineterminator="\n")
    writer.writeheader()
    writer.writerows(state.history)
    files.write_text(run.history_file, table.getvalue())
    summary = {"epoch": state.epoch, "best_epoch": state.best_epoch, "best": state.best}
    files.write_json(run.state_file, {**summary, "wait": state.wait})


class TensorBoard(keras.callbacks.Callback):
    """Writes every logged value of an epoch for TensorBoard.

    Args:
        run: The run directory.

    Raises:
        CannotWrite: The events cannot be written, such as on a full disk.
    """

    def __init__(self, run: runs.RunDirectory):
        super().__init__()
        self._folder = run.tensorboard
        self._writer = None

    def on_epoch_end(self, epoch, logs):
        """Writes the logs at step `epoch + 1`."""
        try:
            self._write(epoch + 1, logs)
        except tf.errors.OpError as error:  # not damage of the records, which is told alike
            raise faults.unwritable(self._folder, error) from error

    def _write(self, step: int, logs: dict) -> None:
        if self._writer is None:
            self._writer = tf.summary.create_file_writer(str(self._folder))
        with self._writer.as_default(step=step):
            for name, value in logs.items():
                tf.summary.scalar(name, float(value))
        self._writer.flush()

    def on_train_end(self, logs=None):
        """Closes the file."""
        if self._writer is not None:
            self._writer.close()
            self._writer = None


class EpochLines(keras.callbacks.Callback):
    """Logs a line an epoch.

    Args:
        epochs: Epochs of the whole training.
    """

    def __init__(self, epochs: int):
        super().__init__()
        self._epochs = epochs

    def on_epoch_end(self, epoch, logs):
        """Logs loss, validation, speed and waiting."""
        names = ("loss", "accuracy", "val_loss", "val_video_accuracy", "val_video_map")
        names += ("val_cider", "val_exact")
        values = [f"{name} {logs[name]:.4g}" for name in names if name in logs]
        speed = f"{logs['clips_per_second']:.4g} clips/s, waiting for data {logs['data_wait']:.1%}"
        log.info("epoch %d/%d: %s, %s", epoch + 1, self._epochs, ", ".join(values), speed)


def _plain(value) -> float | int:
    return value if isinstance(value, int) else float(value)
