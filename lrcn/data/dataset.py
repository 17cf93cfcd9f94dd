"""Pipelines from records to batches: read, parse, choose a clip, decode it, crop it, batch it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Protocol

import numpy as np
import tensorflow as tf

from lrcn import cores, errors
from lrcn.data import augment, damage, examples, records, sharing
from lrcn.data import epochs as epochs_lib

# No function of a data set branches on tensors, and AutoGraph would cost seconds before the first
# batch.
unconverted = tf.autograph.experimental.do_not_convert
_AHEAD = 2  # batches decoded ahead of the consumer


class Learnt(Protocol):
    """What clips are to be learnt as, by the places that `epochs.Rows.target` holds."""

    def of(self, target: tf.Tensor) -> tuple[tf.Tensor, ...]:
        """Returns what a batch [batch] of places, or a single one, is to be learnt as."""


def training_clips(
    chosen: epochs_lib.Clips,
    *,
    targets: Learnt,
    view: augment.View,
    batch_size: int,
    seed: int,
    first_epoch: int,
    epochs: int,
    first_step: int = 0,
    share: sharing.Share | None = None,
) -> tuple[tf.data.Dataset, int]:
    """Returns the clips of the epochs `first_epoch` to `epochs - 1`, one after another.

    Each epoch has an order of its own that depends on seed and epoch alone and mixes all clips
    whatever the size of the records, since records are read by their place in the file. Frames
    stay uint8, and only those of the chosen clips are decoded. The last batch of an epoch may be
    smaller. All checksums of the records are verified first.

    Args:
        chosen: The clips of the records.
        targets: What the clips of these records should be learnt as.
        view: Crop and mirror, drawn once per clip.
        batch_size: Clips in a batch.
        seed: Of order, clips, crops and mirrors.
        first_epoch: The first epoch to show, counted from 0.
        epochs: The epoch to stop before.
        first_step: Batches of the first epoch that are past.
        share: What is taken of every batch if it is not the whole.

    Returns:
        The dataset and the number of batches in an epoch. Elements are (frames [batch, time,
        height, width, 3] uint8, and what `targets.of` gives for each: labels int32 [batch] or
        float32 [batch, classes] and, if there are any, weights float32 [batch]; or words). Of a
        share, the last one is bool [batch]: whether a row counts.

    Raises:
        UserError: The records are damaged, or the view is of ten crops.
    """
    _refuse_ten(view)
    decode = _decoder(_Reader(chosen.records), view)

    def element(item, frames, draw, target, *counts):
        return (decode(item, frames, draw), *targets.of(target), *counts)

    def batches(rows: tf.data.Dataset) -> tf.data.Dataset:
        shown = rows.map(unconverted(element), num_parallel_calls=_at_once(), deterministic=True)
        return shown.batch(share.size(batch_size) if share else batch_size)

    steps = -(-len(chosen.epoch(seed, first_epoch)) // batch_size)
    own = {"batch_size": batch_size, "first_step": first_step, "share": share}
    dataset = by_epoch(chosen, seed, first_epoch, epochs, **own).flat_map(
        unconverted(lambda *rows: batches(tf.data.Dataset.from_tensor_slices(rows)))
    )
    return threaded(dataset.prefetch(_AHEAD)), steps


def clips_of(
    chosen: epochs_lib.Clips, rows: epochs_lib.Rows, *, view: augment.View
) -> list[np.ndarray]:
    """Returns single clips of an epoch, as `training_clips` shows them.

    Args:
        chosen: The clips of the records, whose checksums are verified first.
        rows: Those to decode, some of `chosen.epoch` or `chosen.every`.
        view: Crop and mirror.

    Returns:
        For each row [time, height, width, 3] uint8, or [10, time, height, width, 3] for ten crops.

    Raises:
        UserError: The records are damaged.
    """
    with damage.translating_errors(chosen.records.path, limits=chosen.records.limits):
        decode = _decoder(_Reader(chosen.records), view)
        dataset = tf.data.Dataset.from_tensor_slices((rows.item, rows.frames, rows.draw))
        return list(records.untuned(dataset.map(unconverted(decode))).as_numpy_iterator())


def stored_frames(
    record_set: records.RecordSet,
    items: Sequence[int],
    wanted: Sequence[np.ndarray] | None = None,
    *,
    view: augment.View,
    batch_size: int,
) -> tf.data.Dataset:
    """Returns stored frames of some items in order, each decoded once.

    Args:
        record_set: The records, whose checksums are verified first.
        items: Places in the records.
        wanted: Indices of the frames of each of them; None for all.
        view: What part of a frame is seen; not a random one.
        batch_size: Frames in a batch, about.

    Returns:
        A dataset of [batch, height, width, 3] uint8; ten crops of a frame follow each other.

    Raises:
        UserError: The records are damaged.
    """
    reader = _Reader(record_set)
    crops = augment.TEN if view.crop == "ten" else 1

    def frames_of(item, place):
        frames = records.parse_example(reader.read(item))["frames"]
        if wanted is not None:
            own = tf.numpy_function(lambda at: wanted[at], [place], tf.int64, stateful=False)
            frames = tf.gather(frames, tf.ensure_shape(own, [None]))
        return tf.data.Dataset.from_tensor_slices(frames)

    def decoded(jpeg):
        return _crops(jpeg[tf.newaxis], view)

    given = np.asarray(items, np.int64)
    dataset = tf.data.Dataset.from_tensor_slices((given, np.arange(len(given))))
    dataset = dataset.flat_map(unconverted(frames_of))
    dataset = dataset.map(unconverted(decoded), num_parallel_calls=_at_once(), deterministic=True)
    dataset = dataset.batch(max(batch_size // crops, 1))
    dataset = dataset.map(unconverted(lambda frames: tf.reshape(frames, [-1, *view.size, 3])))
    return threaded(dataset.prefetch(_AHEAD))


def decoder(view: augment.View) -> Callable[[Sequence[bytes]], np.ndarray]:
    """Returns a function from JPEGs to what `stored_frames` shows of them.

    Args:
        view: What part of a frame is seen; not a random one.
    """

    @tf.function(input_signature=[tf.TensorSpec([None], tf.string)], autograph=False)
    def decoded(jpegs):
        return tf.reshape(_crops(jpegs, view), [-1, *view.size, 3])

    return lambda jpegs: decoded(tf.constant(list(jpegs), tf.string)).numpy()


def _at_once() -> int:
    """Returns how many clips or frames are decoded at once.

    TensorFlow's own choice begins with one, and a short data set is over before it finds a better.
    """
    return 2 * cores.taken()


def _crops(jpegs: tf.Tensor, view: augment.View) -> tf.Tensor:
    """Returns the crops of each frame, [frames, crops, height, width, 3]."""
    shown = augment.decode(jpegs, view, tf.zeros([3], tf.float64))
    return tf.transpose(shown, [1, 0, 2, 3, 4]) if view.crop == "ten" else shown[:, tf.newaxis]


def threaded(dataset: tf.data.Dataset, threads: int | None = None) -> tf.data.Dataset:
    """Returns the dataset with threads of its own, by default one a core.

    Decoding then goes on beside a network that runs one operation at a time.
    """
    options = tf.data.Options()
    options.threading.private_threadpool_size = threads or cores.taken()
    return records.untuned(dataset.with_options(options))


def by_epoch(
    chosen: epochs_lib.Clips,
    seed: int,
    first_epoch: int,
    last_epoch: int,
    *,
    batch_size: int,
    first_step: int = 0,
    share: sharing.Share | None = None,
) -> tf.data.Dataset:
    """Returns an element an epoch, (item [rows], frames [rows, time], draw [rows, 3], target).

    Of a share a fifth follows: whether each row counts, bool [rows].

    Args:
        chosen: The clips of the records.
        seed: Of order and clips.
        first_epoch: The first epoch to show, counted from 0.
        last_epoch: The epoch to stop before.
        batch_size: Rows of a whole batch.
        first_step: Batches of the first epoch that are left out.
        share: What is taken of every batch if it is not the whole.
    """
    kinds = (tf.int64, tf.int64, tf.float64, tf.int64, *([tf.bool] if share else []))
    past = first_step * (share.size(batch_size) if share else batch_size)

    def rows_of(epoch):
        rows = chosen.epoch(seed, int(epoch))
        if share:
            places, counts = share.places(len(rows), batch_size)
        else:
            places, counts = np.arange(len(rows)), None
        left = slice(past if epoch == first_epoch else 0, None)
        rows = rows.take(places[left])
        columns = (rows.item, rows.frames, rows.draw, rows.target)
        return (*columns, counts[left]) if share else columns

    def element(epoch):
        columns = tf.numpy_function(rows_of, [epoch], kinds, stateful=False)
        shapes = ([None], [None, chosen.num_frames], [None, 3], [None], [None])
        return tuple(map(tf.ensure_shape, columns, shapes[: len(kinds)]))

    # The clips of an epoch are chosen while the one before is shown: the rows of two are held.
    rows = tf.data.Dataset.range(first_epoch, last_epoch).map(unconverted(element)).prefetch(1)
    return records.untuned(rows)


class Targets:
    """What each item should be recognised as, and how much it weighs.

    Args:
        record_set: The records.
        num_classes: Number of classes of the model.
        multi_label: Whether items may have several labels.
        class_weights: Weight of each class; an item of several labels has their mean.

    Raises:
        UserError: An item has no label, too many, or one out of range.
    """

    def __init__(
        self,
        record_set: records.RecordSet,
        num_classes: int,
        multi_label: bool,
        class_weights: Sequence[float] | None = None,
    ):
        labels = record_set.metadata.labels
        for item, own in enumerate(labels):
            _check_labels(record_set, item, own, num_classes, multi_label)
        if multi_label:
            self.labels = np.zeros((len(labels), num_classes), np.float32)
            for item, own in enumerate(labels):
                self.labels[item, list(own)] = 1.0
        else:
            self.labels = np.array([own[0] for own in labels], np.int32)
        self.weights = None
        if class_weights is not None:
            weights = np.asarray(class_weights, np.float32)
            means = [weights[list(own)].mean() for own in labels]
            self.weights = np.array(means, np.float32)

    def of(self, item: tf.Tensor) -> tuple[tf.Tensor, ...]:
        """Returns the labels of items, and their weights if there are any."""
        labels = tf.gather(tf.constant(self.labels), item)
        if self.weights is None:
            return (labels,)
        return labels, tf.gather(tf.constant(self.weights), item)


def balanced_weights(record_set: records.RecordSet, num_classes: int) -> list[float]:
    """Returns class weights under which every class that occurs weighs the same, on average 1."""
    labels = [label for own in record_set.metadata.labels for label in own]
    counts = np.bincount(labels, minlength=num_classes)
    share = len(labels) / max(1, np.count_nonzero(counts))
    return [float(share / count) if count else 0.0 for count in counts]


def waiting(dataset: tf.data.Dataset, counter: tf.Variable) -> tf.data.Dataset:
    """Returns the dataset, adding to `counter` the seconds its consumer waits for elements.

    Args:
        dataset: Any dataset.
        counter: Scalar float64.
    """

    def add(began, element):
        counter.assign_add(tf.timestamp() - began)
        return element

    began = tf.data.Dataset.counter().map(unconverted(lambda _: tf.timestamp()))
    return tf.data.Dataset.zip((began, dataset)).map(unconverted(add))


class _Reader:
    """Reads single records by their place in the files, once all of them are seen to be right."""

    def __init__(self, record_set: records.RecordSet):
        with damage.translating_errors(record_set.path, limits=record_set.limits):
            self._places = examples.places(record_set)

    def read(self, item: tf.Tensor) -> tf.Tensor:
        """Returns the serialized example at a place in the records."""
        text = tf.numpy_function(self._bytes, [item], tf.string, stateful=False)
        return tf.ensure_shape(text, [])

    def _bytes(self, item: np.int64) -> bytes:
        return self._places[item].read()


def _decoder(reader: _Reader, view: augment.View):
    def decode(item, frames, draw):
        example = records.parse_example(reader.read(item))
        shown = augment.decode(tf.gather(example["frames"], frames), view, draw)
        return _fixed(shown, frames.shape[0])

    return decode


def _fixed(frames: tf.Tensor, time: int) -> tf.Tensor:
    """States the number of frames, which the decoder cannot know."""
    return tf.ensure_shape(frames, [*frames.shape[:-4], time, *frames.shape[-3:]])


def _refuse_ten(view: augment.View) -> None:
    if view.crop == "ten":
        raise errors.UserError(
            "ten crops are for evaluation",
            where="augment.train",
            received=view.crop,
            expected="fit | centre | squash | random",
            remedy="Keep ten crops for augment.evaluate",
        )


def _check_labels(
    record_set: records.RecordSet,
    item: int,
    labels: tuple[int, ...],
    num_classes: int,
    multi_label: bool,
) -> None:
    where = f"{record_set.path}: item {record_set.metadata.ids[item]}"
    if not labels or (len(labels) > 1 and not multi_label):
        expected = "one label or more" if multi_label else "one label"
        raise errors.UserError(
            "cannot be trained on",
            where=where,
            received=f"labels {list(labels)}",
            expected=expected,
            remedy="Correct its line in the list and serialize again with overwrite=true",
        )
    if not 0 <= min(labels) <= max(labels) < num_classes:
        raise errors.UserError(
            "label out of range",
            where=where,
            received=f"labels {list(labels)}",
            expected=f"0 to {num_classes - 1}, the model has {num_classes} classes",
            remedy="Use records of the same classes as in training, serialized with the same "
            "dataset.labels",
        )
