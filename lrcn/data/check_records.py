"""Looks for faults of records: files, checksums, every example and frame, and shared items."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterator, Mapping

import numpy as np
import tensorflow as tf

from lrcn import errors
from lrcn.data import findings, images, ordered, progress
from lrcn.data import records as record_files

_REDO = "Serialize again with overwrite=true"
_WAITING_BYTES = 64 << 20


def records(
    paths: Mapping[str, str | os.PathLike], *, num_threads: int = 2
) -> list[findings.Finding]:
    """Verifies records by their `.size`, decodes every stored frame, and compares the splits.

    Args:
        paths: Records of each split.
        num_threads: Threads that decode.
    """
    found: list[findings.Finding] = []
    seen: dict[str, list[findings.Seen]] = {}
    for split, path in paths.items():
        damage = [findings.Finding.of(error) for error in record_files.verify(path)]
        found += damage
        if not damage:
            problems, seen[split] = _read_through(split, path, num_threads)
            found += problems
    return found + findings.leakage(seen)


def _read_through(
    split: str, path: str | os.PathLike, num_threads: int
) -> tuple[list[findings.Finding], list[findings.Seen]]:
    """Looks at every example of undamaged records."""
    opened = record_files.open_records(path)
    metadata, found, seen = opened.metadata, [], []
    looked_at = ordered.mapped(
        lambda numbered: _looked_at(*numbered, opened),
        _numbered(opened),
        num_threads=num_threads,
        num_ahead=4 * num_threads,
        bytes_ahead=_WAITING_BYTES,
        size=lambda result: 0,
    )
    with progress.shown(f"check {split}", metadata.items) as step:
        for problems, facts in looked_at:
            found += problems
            seen += [facts] if facts else []
            step()
    if len(seen) != metadata.items and not found:
        found.append(_differs(opened, "", "items", len(seen), metadata.items))
    return found, seen


def _numbered(opened: record_files.RecordSet) -> Iterator[tuple[int, bytes]]:
    return enumerate(opened.serialized().as_numpy_iterator())


def _looked_at(
    number: int, serialized: bytes, opened: record_files.RecordSet
) -> tuple[list[findings.Finding], findings.Seen | None]:
    """Compares one example with the metadata and decodes its frames."""
    where = f"{opened.path}#{number}"
    try:
        example = record_files.parse_example(tf.constant(serialized))
    except tf.errors.InvalidArgumentError as error:
        reason = str(error).splitlines()[0]
        expected = f"an example of format version {record_files.FORMAT_VERSION}"
        return [findings.Finding(where, "no example of this format", reason, expected, _REDO)], None
    values = {key: tensor.numpy() for key, tensor in example.items()}
    found = _compared(values, number, opened)
    if not found:
        found = [*_undecodable(values["frames"], where, opened.metadata.frame_shape)]
    digest = hashlib.sha256(b"".join(values["frames"])).hexdigest()
    facts = findings.Seen(where, values["path"].decode(), digest, values["group"].decode())
    return found, facts


def _compared(
    values: dict[str, np.ndarray], number: int, opened: record_files.RecordSet
) -> list[findings.Finding]:
    """Returns how an example differs from what the metadata tells of it."""
    metadata = opened.metadata
    if number >= metadata.items:
        return [_differs(opened, number, "items", number + 1, metadata.items)]
    told = {
        "id": (values["id"].decode(), metadata.ids[number]),
        "labels": (values["labels"].tolist(), list(metadata.labels[number])),
        "frames": (len(values["frames"]), metadata.frame_counts[number]),
        "frame count": (int(values["frame_count"]), len(values["frames"])),
    }
    if metadata.clip_counts:
        told["clips"] = (len(values["clips"]), metadata.clip_counts[number])
    found = [
        _differs(opened, number, key, *pair) for key, pair in told.items() if pair[0] != pair[1]
    ]
    clips, count = values["clips"], len(values["frames"])
    if clips.size and not (clips.min() >= 0 and clips.max() < count):
        found.append(_differs(opened, number, "last frame of clips", clips.max(), f"under {count}"))
    outside = [label for label in values["labels"] if not 0 <= label < metadata.num_classes]
    if outside:
        found.append(
            _differs(opened, number, "label", outside[0], f"0 to {metadata.num_classes - 1}")
        )
    return found


def _differs(
    opened: record_files.RecordSet, number: object, what: str, received: object, expected: object
) -> findings.Finding:
    error = errors.UserError(
        f"{what} differ from the .size" if what.endswith("s") else f"{what} differs from the .size",
        where=f"{opened.path}#{number}" if number != "" else opened.path,
        received=received,
        expected=expected,
        remedy=_REDO,
    )
    return findings.Finding.of(error)


def _undecodable(
    frames: np.ndarray, where: str, shape: tuple[int, int, int] | None
) -> Iterator[findings.Finding]:
    """Yields the stored frames that do not decode or have another shape than the metadata."""
    for number, jpeg in enumerate(frames):
        try:
            received = images.decode(jpeg).shape
        except images.UNDECODABLE as error:
            yield findings.Finding(
                where, f"frame {number} does not decode", str(error), "a JPEG", _REDO
            )
            continue
        if shape is not None and tuple(shape) != received:
            yield findings.Finding(
                where, f"frame {number} has another shape", str(received), str(shape), _REDO
            )
