"""Records: the schema of one item, the `.size` metadata beside them, and reading them back."""

from __future__ import annotations

import contextlib
import dataclasses
import hashlib
import json
import pathlib
import re
from collections.abc import Iterator, Sequence

import numpy as np
import tensorflow as tf

from lrcn import errors, files
from lrcn.data import agreement
from lrcn.data import clips as clips_lib

FORMAT_VERSION = 1
SUFFIX = ".tfrecord"
SIZE_SUFFIX = ".tfrecord.size"
_SHARD = re.compile(r"\.tfrecord-\d{5}-of-\d{5}$")
_READ_BUFFER = 2**20
_REDO = "Serialize again with overwrite=true"


@dataclasses.dataclass(frozen=True)
class Shard:
    """One file of records: its name, records, size in bytes and SHA-256."""

    name: str
    records: int
    bytes: int
    checksum: str


@dataclasses.dataclass(frozen=True)
class Source:
    """Where the items came from, and the SHA-256 of what was asked to be stored."""

    name: str
    sha256: str


@dataclasses.dataclass(frozen=True)
class Metadata:
    """What the `.size` file tells about records; five of them hold an entry an item.

    Attributes:
        format_version: Version of the schema.
        items: Number of items.
        type: `image` or `video`.
        frames_per_clip: F, or None if no clips are stored.
        clips_per_item: Clips of every item if equal, else None (see `clip_counts`).
        frame_shape: Stored `(height, width, 3)`, or None if items differ.
        channel_order: Of decoded frames, always `rgb`.
        num_classes: Number of classes, 0 without labels.
        multi_label: Whether an item may have several labels.
        label_names: Names of the classes, possibly empty.
        clipframe_mode: The mode the stored clips were taken with, None for every frame.
        raw_image_shape: The shape that was asked for, None for the sources' own.
        frame_step: Every `frame_step`-th frame was kept.
        fps: Frames per second after resampling, None for the source's own.
        frame_format: Suffix of frames in folders.
        short_videos: What became of videos shorter than a clip.
        quality: JPEG quality of encoded frames.
        modality: What the frames show: `rgb`, `flow` or `difference`; see `data.modality`.
        flow_method: How optical flow was computed, None for other modalities.
        shuffled: Whether items were stored in random order.
        seed: Seed of the clips and of the order.
        shards: Files in order.
        skipped: Pairs of item id and reason.
        source: Origin and hash of the items.
        ids: Item ids in stored order.
        groups: Groups of the items, empty if they have none.
        labels: Labels of each item.
        frame_counts: Stored frames of each item.
        clip_counts: Stored clips of each item, empty if no clips are stored.
    """

    items: int
    type: str
    frames_per_clip: int | None
    clips_per_item: int | None
    frame_shape: tuple[int, int, int] | None
    num_classes: int
    multi_label: bool
    label_names: tuple[str, ...]
    clipframe_mode: clips_lib.ClipMode | None
    raw_image_shape: tuple[int, int, int] | None
    frame_step: int
    fps: float | None
    frame_format: str
    short_videos: str
    quality: int
    shuffled: bool
    seed: int
    shards: tuple[Shard, ...]
    skipped: tuple[tuple[str, str], ...]
    source: Source
    ids: tuple[str, ...]
    groups: tuple[str, ...]
    labels: tuple[tuple[int, ...], ...]
    frame_counts: tuple[int, ...]
    clip_counts: tuple[int, ...]
    format_version: int = FORMAT_VERSION
    channel_order: str = "rgb"
    modality: str = "rgb"
    flow_method: str | None = None


@dataclasses.dataclass(frozen=True)
class RecordSet:
    """Finished records: their name (`.../data.train.tfrecord`), metadata and files in order."""

    path: pathlib.Path
    metadata: Metadata
    shards: tuple[pathlib.Path, ...]

    @property
    def digest(self) -> str:
        """A digest of the checksums of the files."""
        sums = "".join(shard.checksum for shard in self.metadata.shards)
        return hashlib.sha256(sums.encode()).hexdigest()[:16]

    def serialized(self) -> tf.data.Dataset:
        """Returns the serialized examples in stored order, as scalar strings."""
        names = [str(shard) for shard in self.shards]
        return tf.data.TFRecordDataset(names, buffer_size=_READ_BUFFER)


def _text(values: Sequence[str]) -> tf.train.Feature:
    encoded = [value.encode() for value in values]
    return tf.train.Feature(bytes_list=tf.train.BytesList(value=encoded))


def _integers(values: Sequence[int] | np.ndarray) -> tf.train.Feature:
    return tf.train.Feature(int64_list=tf.train.Int64List(value=values))


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
    feature = {
        "id": _text([id]),
        "path": _text([path]),
        "group": _text([group]),
        "label": _integers(labels),
        "label_text": _text(label_text),
        "captions": _text(captions),
        "frame_count": _integers([len(frames)]),
        "clip_count": _integers([len(table)]),
        "clips": _integers(table.ravel()),
        "frames": tf.train.Feature(bytes_list=tf.train.BytesList(value=frames)),
    }
    return tf.train.Example(features={"feature": feature}).SerializeToString(deterministic=True)


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


def records_path(path: str | pathlib.Path) -> pathlib.Path:
    """Returns `.../name.tfrecord` for that path itself, its `.size`, one of its shards or name."""
    path = pathlib.Path(path)
    if path.name.endswith(SIZE_SUFFIX):
        return path.with_name(path.name.removesuffix(".size"))
    if _SHARD.search(path.name):
        return path.with_name(_SHARD.sub(SUFFIX, path.name))
    return path if path.name.endswith(SUFFIX) else path.with_name(path.name + SUFFIX)


def size_path(path: str | pathlib.Path) -> pathlib.Path:
    """Returns the metadata file of the records at `path`."""
    path = records_path(path)
    return path.with_name(path.name + ".size")


def shard_names(path: str | pathlib.Path, shards: int) -> list[str]:
    """Returns the file names of records at `path` in `shards` files."""
    name = records_path(path).name
    if shards == 1:
        return [name]
    return [f"{name}-{index:05d}-of-{shards:05d}" for index in range(shards)]


def write_metadata(path: str | pathlib.Path, metadata: Metadata) -> None:
    """Writes the `.size` file of the records at `path`, a key a line."""
    values = dataclasses.asdict(metadata)
    order = ["format_version"] + [key for key in values if key != "format_version"]
    lines = [f"  {json.dumps(key)}: {json.dumps(values[key], ensure_ascii=False)}" for key in order]
    files.write_text(size_path(path), "{\n" + ",\n".join(lines) + "\n}\n")


def read_metadata(path: str | pathlib.Path) -> Metadata:
    """Reads the metadata of records and checks that their files are there in full length.

    Args:
        path: `.../name.tfrecord`, or its `.size` or a shard.

    Raises:
        UserError: If the `.size` is missing, unreadable, of another version or disagrees with
            itself, or if a shard is missing or of another length.
    """
    size = size_path(path)
    metadata = _from_json(size, _read_json(size))
    for shard in metadata.shards:
        _check_length(size.with_name(shard.name), shard)
    return metadata


def _read_json(size: pathlib.Path) -> dict:
    name = size.name.removesuffix(".size")
    try:
        values = json.loads(size.read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        found = list(size.parent.glob(f"{name}*")) if size.parent.is_dir() else []
        what = "records are unfinished, their .size is missing" if found else "no such records"
        remedy = _REDO if found else "Serialize the data set first, or correct the path"
        raise errors.UserError(
            what,
            where=size,
            received=", ".join(sorted(path.name for path in found)) or "no file of this name",
            expected=f"{name} with {size.name}, as `lrcn serialize` writes them",
            remedy=remedy,
        ) from error
    except (OSError, ValueError) as error:
        raise errors.UserError(
            "metadata cannot be read",
            where=size,
            received=error,
            expected="the JSON that `lrcn serialize` wrote",
            remedy=_REDO,
        ) from error
    version = values.get("format_version") if isinstance(values, dict) else None
    if version != FORMAT_VERSION:
        raise errors.UserError(
            "records of another version",
            where=size,
            received=f"format_version {version}",
            expected=FORMAT_VERSION,
            remedy=_REDO,
        )
    return values


def _from_json(size: pathlib.Path, values: dict) -> Metadata:
    names = {field.name for field in dataclasses.fields(Metadata)}
    values = {"modality": "rgb", "flow_method": None, **values}  # keys that came later
    if missing := sorted(names - values.keys()):
        raise errors.UserError(
            "metadata lacks keys",
            where=size,
            received=f"no {', '.join(missing)}",
            expected=f"all {len(names)} keys of format version {FORMAT_VERSION}",
            remedy=_REDO,
        )
    values = {name: _frozen(values[name]) for name in names}
    agreement.check(size, values, remedy=_REDO)
    mode = values["clipframe_mode"]
    values["clipframe_mode"] = clips_lib.ClipMode(**mode) if mode else None
    values["shards"] = tuple(Shard(**shard) for shard in values["shards"])
    values["source"] = Source(**values["source"])
    return Metadata(**values)


def _frozen(value: object) -> object:
    return tuple(_frozen(part) for part in value) if isinstance(value, list) else value


def _check_length(path: pathlib.Path, shard: Shard) -> None:
    length = path.stat().st_size if path.is_file() else None
    if length != shard.bytes:
        missing = length is None
        raise errors.UserError(
            "file of the records is missing" if missing else "records are cut short or changed",
            where=path,
            received="no such file" if missing else f"{length} bytes",
            expected=f"{shard.bytes} bytes",
            remedy=_REDO,
        )


def open_records(path: str | pathlib.Path) -> RecordSet:
    """Opens finished records by name; raises as `read_metadata` does."""
    path = records_path(path)
    metadata = read_metadata(path)
    return RecordSet(path, metadata, tuple(path.with_name(s.name) for s in metadata.shards))


def verify(path: str | pathlib.Path) -> list[errors.UserError]:
    """Reads every file of the records and returns what is wrong, as errors that are not raised."""
    size = size_path(path)
    try:
        metadata = _from_json(size, _read_json(size))
    except errors.UserError as error:
        return [error]
    findings, first = [], 0
    for shard in metadata.shards:
        try:
            _check_content(size.with_name(shard.name), shard, metadata.ids[first:])
        except errors.UserError as error:
            findings.append(error)
        first += shard.records
    return findings


def _check_content(path: pathlib.Path, shard: Shard, ids: Sequence[str]) -> None:
    _check_length(path, shard)
    received = files.checksum(path)
    if received != shard.checksum:
        good = _count_readable(path)
        item = f", first in the record of item {ids[good]}" if good < shard.records else ""
        raise errors.UserError(
            f"records are damaged{item}",
            where=path,
            received=f"checksum {received}",
            expected=shard.checksum,
            remedy=_REDO,
        )


def _count_readable(path: pathlib.Path) -> int:
    count = 0
    with contextlib.suppress(tf.errors.DataLossError):
        for _ in tf.data.TFRecordDataset(str(path), buffer_size=_READ_BUFFER):
            count += 1
    return count


@contextlib.contextmanager
def translating_errors(*paths: str | pathlib.Path) -> Iterator[None]:
    """Turns damage met while records are read into a `UserError` that names file and item.

    Args:
        *paths: The records that are read inside the block.

    Raises:
        UserError: If reading failed and one of the records is damaged.
    """
    try:
        yield
    except (tf.errors.DataLossError, tf.errors.NotFoundError) as error:
        findings = [finding for path in paths for finding in verify(path)]
        if not findings:
            raise
        raise findings[0] from error
