"""Records: the schema of one item, and finished files of them, read with every checksum."""

from __future__ import annotations

import dataclasses
import hashlib
import os
import pathlib
from collections.abc import Iterator, Sequence

import numpy as np
import tensorflow as tf

from lrcn import errors, files
from lrcn.data import framing
from lrcn.data import metadata as metadata_lib
from lrcn.data.limits import Limits

FORMAT_VERSION = metadata_lib.FORMAT_VERSION
SUFFIX = metadata_lib.SUFFIX
SIZE_SUFFIX = metadata_lib.SIZE_SUFFIX
Metadata, Shard, Source = metadata_lib.Metadata, metadata_lib.Shard, metadata_lib.Source
records_path, size_path = metadata_lib.records_path, metadata_lib.size_path
shard_names, files_of = metadata_lib.shard_names, metadata_lib.files_of
lone_files = metadata_lib.lone_files
read_metadata, write_metadata = metadata_lib.read_metadata, metadata_lib.write_metadata

_READ_BUFFER = 2**20


@dataclasses.dataclass(frozen=True)
class RecordSet:
    """Finished records.

    Attributes:
        path: Their name (`.../data.train.tfrecord`).
        metadata: What their `.size` tells.
        shards: Their files in order.
        limits: The most that they may ask for.
    """

    path: pathlib.Path
    metadata: Metadata
    shards: tuple[pathlib.Path, ...]
    limits: Limits = dataclasses.field(default=Limits(), kw_only=True)

    @property
    def digest(self) -> str:
        """A digest of the checksums of the files."""
        sums = "".join(shard.checksum for shard in self.metadata.shards)
        return hashlib.sha256(sums.encode()).hexdigest()[:16]

    def serialized(self) -> tf.data.Dataset:
        """Returns the serialized examples in stored order, as scalar strings.

        Lengths of records are looked at before TensorFlow makes room for them, and each time that
        the dataset is gone through the files have to be those that were looked at.

        Raises:
            UserError: A record is cut short, or its length is damaged or above the limit.
        """
        names, stamps = [str(shard) for shard in self.shards], self.stamps()
        self._scanned()

        def same_files():
            if self.stamps() != stamps:
                raise OSError(f"{self.path} was changed while it was read")
            return np.array(names, np.bytes_)

        def names_of(_):
            return tf.ensure_shape(tf.numpy_function(same_files, [], tf.string), [len(names)])

        dataset = (
            tf.data.Dataset.range(1)
            .map(names_of)
            .flat_map(lambda own: tf.data.TFRecordDataset(own, buffer_size=_READ_BUFFER))
        )
        return untuned(dataset)

    def located(self) -> Iterator[tuple[framing.Place, bytes]]:
        """Yields where each record lies, and its data, checksums included.

        Raises:
            UserError: As `serialized` does.
        """
        places = self._scanned()
        data = self.serialized().as_numpy_iterator()
        for place, text in zip(places, data, strict=False):
            yield place.verified(text), text

    def stamps(self) -> list[tuple[int, ...] | None]:
        """Returns what tells of each file whether it is still the one that it was."""
        return [stamp(shard) for shard in self.shards]

    def _scanned(self) -> list[framing.Place]:
        """Returns the places of the records, whose lengths are seen to be right."""
        found: list[framing.Place] = []
        for path, shard in zip(self.shards, self.metadata.shards, strict=True):
            ids = self.metadata.ids[len(found) :][: shard.records]
            found += _scan(path, shard, ids, self.limits)
        return found


def stamp(path: pathlib.Path) -> tuple[int, ...] | None:
    """Returns what changes when a file is replaced or written to; None if it is not there."""
    try:
        told = os.stat(path)
    except OSError:
        return None
    return told.st_dev, told.st_ino, told.st_size, told.st_mtime_ns


def encode_example(
    *,
    id: str,
    path: str,
    frames: Sequence[bytes],
    clips: np.ndarray | None = None,
    labels: Sequence[int] = (),
    label_text: Sequence[str] = (),
    captions: Sequence[str] = (),
    group: str = "",
) -> bytes:
    """Serializes one item; equal items give equal bytes in every process.

    Args:
        id: Id of the item.
        path: Where it came from.
        frames: Stored frames in time order, one JPEG each.
        clips: Indices into `frames`, `[clips, frames_per_clip]`; None if no clips are stored.
        labels: Class numbers.
        label_text: Class names, or none.
        captions: Sentences.
        group: Group of the item, or an empty text.
    """
    table = np.zeros([0, 1], np.int64) if clips is None else np.asarray(clips, np.int64)
    example = tf.train.Example()
    feature = example.features.feature  # filled in place: a frame is copied once
    texts = {"id": [id], "path": [path], "group": [group]}
    for key, values in {**texts, "label_text": label_text, "captions": captions}.items():
        feature[key].bytes_list.value.extend(value.encode() for value in values)
    counts = {"frame_count": [len(frames)], "clip_count": [len(table)]}
    for key, numbers in {**counts, "label": labels, "clips": table.ravel()}.items():
        feature[key].int64_list.value.extend(numbers)
    feature["frames"].bytes_list.value.extend(frames)
    return example.SerializeToString(deterministic=True)


def parse_example(serialized: tf.Tensor) -> dict[str, tf.Tensor]:
    """Parses one serialized example; frames stay JPEG.

    Returns:
        `id`, `path`, `group` scalar strings; `labels [labels] int64`; `label_text`, `captions`
        strings; `frame_count` scalar int64 (stored frames); `clips [clips, frames_per_clip]
        int64` into the stored frames, without rows if no clips are stored; `frames
        [frame_count]` strings.
    """
    text, integer = tf.io.FixedLenFeature([], tf.string), tf.io.FixedLenFeature([], tf.int64)

    def sequence(dtype):
        return tf.io.FixedLenSequenceFeature([], dtype, allow_missing=True)

    spec = {
        "id": text,
        "path": text,
        "group": text,
        "label": sequence(tf.int64),
        "label_text": sequence(tf.string),
        "captions": sequence(tf.string),
        "frame_count": integer,
        "clip_count": integer,
        "clips": sequence(tf.int64),
        "frames": sequence(tf.string),
    }
    example = tf.io.parse_single_example(serialized, spec)
    count = example.pop("clip_count")
    length = tf.size(example["clips"], tf.int64) // tf.maximum(count, 1)
    example["clips"] = tf.reshape(example["clips"], tf.stack([count, length]))
    example["labels"] = example.pop("label")
    return example


def open_records(path: str | pathlib.Path, *, limits: Limits = Limits()) -> RecordSet:
    """Opens finished records by name; raises as `read_metadata` does.

    Args:
        path: `.../name.tfrecord`, or its `.size` or a shard.
        limits: The most that the records may ask for.
    """
    path = records_path(path)
    metadata = read_metadata(path, limits=limits)
    shards = tuple(path.with_name(shard.name) for shard in metadata.shards)
    return RecordSet(path, metadata, shards, limits=limits)


def verify(path: str | pathlib.Path, *, limits: Limits = Limits()) -> list[errors.UserError]:
    """Reads every file of the records and returns what is wrong, as errors that are not raised.

    Args:
        path: `.../name.tfrecord`, or its `.size` or a shard.
        limits: The most that the records may ask for.
    """
    size = size_path(path)
    try:
        metadata = metadata_lib.read_alone(path, limits=limits)
    except errors.UserError as error:
        return [error]
    findings, first = [], 0
    for shard in metadata.shards:
        try:
            verify_shard(size, shard, metadata.ids[first:], limits=limits)
        except errors.UserError as error:
            findings.append(error)
        first += shard.records
    return findings


def verify_shard(
    size: pathlib.Path, shard: Shard, ids: Sequence[str], *, limits: Limits = Limits()
) -> None:
    """Reads a file of records.

    Args:
        size: The file that tells of it, and stands beside it.
        shard: What is told.
        ids: The items that it holds, and possibly those of the files after it.
        limits: The most that the records may ask for.

    Raises:
        UserError: It is not as it is told.
    """
    metadata_lib.require_file(size, shard)
    _check_content(size.with_name(shard.name), shard, ids, limits)


def damaged(path: pathlib.Path, index: int, id: str, received: object, expected: object):
    """Returns the error for a record that is damaged.

    Args:
        path: Its file.
        index: Its place in the file, counted from 0.
        id: The item that it holds.
        received: What is there.
        expected: What should be.
    """
    return errors.UserError(
        f"records are damaged, first record {index} (item {id})",
        where=path,
        received=received,
        expected=expected,
        remedy=metadata_lib.REDO,
    )


def _scan(
    path: pathlib.Path, shard: Shard, ids: Sequence[str], limits: Limits
) -> list[framing.Place]:
    """Returns the places of the records of a file, or tells what is wrong with their lengths."""
    try:
        found = framing.scan(path, longest=limits.record_bytes)
    except framing.TooLong as error:
        raise errors.UserError(
            "a record is larger than the limit",
            where=f"{path}#{error.index}",
            received=error.received,
            expected=error.expected,
            remedy="Leave these records out, or raise limits.record_bytes if they can be trusted",
        ) from error
    except framing.Broken as error:
        id = ids[error.index] if error.index < len(ids) else "that the .size does not know"
        raise damaged(path, error.index, id, error.received, error.expected) from error
    except OSError as error:
        raise _unreadable(path, error) from error
    if len(found) != shard.records:
        raise errors.UserError(
            "records differ from the .size",
            where=path,
            received=f"{len(found)} records",
            expected=f"{shard.records} records",
            remedy=metadata_lib.REDO,
        )
    return found


def _unreadable(path: pathlib.Path, error: OSError) -> errors.UserError:
    return errors.UserError(
        "records cannot be read",
        where=path,
        received=error,
        expected="a file that this user may read",
        remedy="Correct its rights, or serialize again",
    )


def _check_content(path: pathlib.Path, shard: Shard, ids: Sequence[str], limits: Limits) -> None:
    ids = ids[: shard.records]
    try:
        received = files.checksum(path)
        if received == shard.checksum:
            _scan(path, shard, ids, limits)
            return
        good = _count_readable(path, limits)
    except OSError as error:
        raise _unreadable(path, error) from error
    received, expected = f"checksum {received}", shard.checksum
    if good < len(ids):
        raise damaged(path, good, ids[good], received, expected)
    raise errors.UserError(
        "records are damaged",
        where=path,
        received=received,
        expected=expected,
        remedy=metadata_lib.REDO,
    )


def _count_readable(path: pathlib.Path, limits: Limits) -> int:
    """Returns the number of records before the first one that is damaged."""
    try:
        whole = len(framing.scan(path, longest=limits.record_bytes))
    except framing.Broken as error:
        whole = error.index
    count = 0
    # What follows is never asked for: room would be made for whatever length it tells.
    stored = tf.data.TFRecordDataset(str(path), buffer_size=_READ_BUFFER).take(whole)
    for _ in readable(untuned(stored)):
        count += 1
    return count


def untuned(dataset: tf.data.Dataset) -> tf.data.Dataset:
    """Returns the dataset, and what is made of it, with buffers of the sizes that are given.

    TensorFlow would try out others in a thread of its own. The end of an iterator waits for that
    thread, which may sleep for as long again as the iterator was in use.
    """
    options = tf.data.Options()
    options.autotune.enabled = False
    return dataset.with_options(options)


def readable(dataset: tf.data.Dataset) -> Iterator[tf.Tensor]:
    """Yields the elements of a dataset up to the first one that is damaged."""
    elements = iter(dataset)
    while True:
        try:
            yield next(elements)
        except (StopIteration, tf.errors.DataLossError):
            return
