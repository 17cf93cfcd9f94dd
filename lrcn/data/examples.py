"""What one record has to hold, and how it differs from what the metadata tells of it."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from typing import Any

import numpy as np
import tensorflow as tf
from google.protobuf import message

from lrcn import errors
from lrcn.data import framing, jpegs, records
from lrcn.data import metadata as metadata_lib

_TEXTS, _NUMBERS = "bytes_list", "int64_list"
# Kind and number of values of each feature; None for any number.
_FEATURES = {
    "id": (_TEXTS, 1),
    "path": (_TEXTS, 1),
    "group": (_TEXTS, 1),
    "label": (_NUMBERS, None),
    "label_text": (_TEXTS, None),
    "captions": (_TEXTS, None),
    "frame_count": (_NUMBERS, 1),
    "clip_count": (_NUMBERS, 1),
    "clips": (_NUMBERS, None),
    "frames": (_TEXTS, None),
}


@dataclasses.dataclass(frozen=True)
class Content:
    """What a record holds.

    Attributes:
        id: Of the item.
        path: Where it came from.
        group: Its group, or empty.
        labels: Class numbers.
        frames: A JPEG each.
        frame_count: How many frames it tells to have.
        clips: int64 [clips, frames_per_clip], indices into the frames.
    """

    id: str
    path: str
    group: str
    labels: list[int]
    frames: list[bytes]
    frame_count: int
    clips: np.ndarray


@dataclasses.dataclass(frozen=True)
class Place:
    """Where a record is, told only when it is asked for: file, index in it and item.

    Attributes:
        records: The records.
        number: The place in all of them, counted from 0.
    """

    records: records.RecordSet
    number: int

    def __str__(self) -> str:
        first = 0
        for path, shard in zip(self.records.shards, self.records.metadata.shards, strict=True):
            if self.number < first + shard.records:
                id = self.records.metadata.ids[self.number]
                return f"{path}#{self.number - first} (item {id})"
            first += shard.records
        return f"{self.records.path}#{self.number}"


def read(serialized: bytes, *, where: object) -> Content:
    """Reads a record.

    Args:
        serialized: Its data.
        where: Its place, for messages.

    Raises:
        UserError: It is no example of this format.
    """
    try:
        feature = tf.train.Example.FromString(serialized).features.feature
        values = {name: _values(feature, name, *kind) for name, kind in _FEATURES.items()}
        text = {name: values[name][0].decode() for name in ("id", "path", "group")}
        for name in ("label_text", "captions"):
            for value in values[name]:
                value.decode()
        count, clips = values["clip_count"][0], np.array(values["clips"], np.int64)
        if count < 0 or count > len(clips) or (len(clips) % count if count else len(clips)):
            raise ValueError(f"{len(clips)} places for {count} clips")
    except (message.DecodeError, ValueError) as error:
        raise errors.UserError(
            "no example of this format",
            where=where,
            received=error,
            expected=f"an example of format version {metadata_lib.FORMAT_VERSION}",
            remedy=metadata_lib.REDO,
        ) from error
    return Content(
        labels=list(values["label"]),
        frames=list(values["frames"]),
        frame_count=values["frame_count"][0],
        clips=clips.reshape(count, len(clips) // max(count, 1)),
        **text,
    )


def _values(feature: Any, name: str, kind: str, number: int | None) -> Any:
    """Returns the values of a feature, empty if there is none of the name."""
    own = feature[name] if name in feature else None  # noqa: SIM401 - a map that adds what it lacks
    received = own.WhichOneof("kind") if own is not None else None
    values = getattr(own, kind).value if own is not None else ()
    if received not in (kind, None):
        raise ValueError(f"{name} as {received}, not {kind}")
    if number is not None and len(values) != number:
        raise ValueError(f"{len(values)} values of {name}, not {number}")
    return values


def faults(
    content: Content, number: int, record_set: records.RecordSet
) -> Iterator[errors.UserError]:
    """Yields how a record differs from the metadata, and frames that cannot be stored ones.

    Frames are not decoded: of each the header is read.

    Args:
        content: What the record holds.
        number: Its place in all records.
        record_set: The records.
    """
    where, metadata = Place(record_set, number), record_set.metadata
    if number >= metadata.items:
        yield differs("items", where, number + 1, metadata.items)
        return
    told = {
        "id": (content.id, metadata.ids[number]),
        "group": (content.group, metadata.groups[number] if metadata.groups else ""),
        "labels": (content.labels, list(metadata.labels[number])),
        "frames": (len(content.frames), metadata.frame_counts[number]),
        "frame count": (content.frame_count, len(content.frames)),
    }
    if metadata.clip_counts:
        told["clips"] = (len(content.clips), metadata.clip_counts[number])
        if len(content.clips):
            told["clip length"] = (content.clips.shape[1], metadata.frames_per_clip)
    for what, (received, expected) in told.items():
        if received != expected:
            yield differs(what, where, received, expected)
    clips, count = content.clips, len(content.frames)
    if clips.size and not (clips.min() >= 0 and clips.max() < count):
        outside = clips.min() if clips.min() < 0 else clips.max()
        yield differs("last frame of clips", where, outside, f"0 to {count - 1}")
    outside = [label for label in content.labels if not 0 <= label < metadata.num_classes]
    if outside:
        yield differs("label", where, outside[0], f"0 to {metadata.num_classes - 1}")
    for index, frame in enumerate(content.frames):
        try:
            jpegs.require(frame, limits=record_set.limits, where=where, what=f"frame {index}")
        except errors.UserError as error:
            yield error


def require(serialized: bytes, number: int, record_set: records.RecordSet) -> Content:
    """Returns what a record holds, or raises its first fault; see `read` and `faults`."""
    content = read(serialized, where=Place(record_set, number))
    for fault in faults(content, number, record_set):
        raise fault
    return content


def places(record_set: records.RecordSet) -> list[framing.Place]:
    """Reads and requires all records, and returns where each of them lies.

    Raises:
        UserError: The first fault of a record; see `faults`.
    """
    found = []
    for number, (place, serialized) in enumerate(record_set.located()):
        require(serialized, number, record_set)
        found.append(place)
    return found


def differs(what: str, where: object, received: object, expected: object) -> errors.UserError:
    """Returns the error for what is not as the metadata tells."""
    return errors.UserError(
        f"{what} differ from the .size" if what.endswith("s") else f"{what} differs from the .size",
        where=where,
        received=received,
        expected=expected,
        remedy=metadata_lib.REDO,
    )
