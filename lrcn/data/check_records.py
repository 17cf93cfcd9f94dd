"""Looks for faults of records: files, checksums, every example and frame, and shared items."""

from __future__ import annotations

import contextlib
import glob
import hashlib
import os
import pathlib
from collections.abc import Iterator, Mapping

import tensorflow as tf

from lrcn import errors
from lrcn.data import augment, examples, findings, ordered, progress
from lrcn.data import metadata as metadata_lib
from lrcn.data import modality as modality_lib
from lrcn.data import records as record_files
from lrcn.data.limits import Limits

_WAITING_BYTES = 64 << 20


def records(
    paths: Mapping[str, str | os.PathLike],
    *,
    num_threads: int = 2,
    limits: Limits = Limits(),
) -> list[findings.Finding]:
    """Verifies records by their `.size`, decodes every stored frame, and compares the splits.

    Args:
        paths: Records of each split.
        num_threads: Threads that decode.
        limits: The most that the records may ask for.
    """
    found: list[findings.Finding] = []
    seen: dict[str, list[findings.Seen]] = {}
    opened: dict[str, record_files.RecordSet] = {}
    for split, path in paths.items():
        found += _left_over(pathlib.Path(path), limits)
        damage = record_files.verify(path, limits=limits)
        found += map(findings.Finding.of, damage)
        if damage:
            continue
        try:
            opened[split] = record_files.open_records(path, limits=limits)
            problems, seen[split] = _read_through(split, opened[split], num_threads)
        except errors.UserError as error:  # what changed since it was verified
            problems = [findings.Finding.of(error)]
        found += problems
    return found + _unlike(opened) + findings.leakage(seen) + findings.contradictions(seen)


def first_fault(path: str | os.PathLike, *, limits: Limits = Limits()) -> errors.UserError | None:
    """Returns the first record that cannot be used, of records whose files are undamaged.

    Args:
        path: The records.
        limits: The most that the records may ask for.
    """
    opened = record_files.open_records(path, limits=limits)
    for number, serialized in _numbered(opened):
        faults, _ = _looked_at(number, serialized, opened)
        if faults:
            return faults[0]
    return None


def _read_through(
    split: str, opened: record_files.RecordSet, num_threads: int
) -> tuple[list[findings.Finding], list[findings.Seen]]:
    """Looks at every example of undamaged records."""
    metadata, found, seen = opened.metadata, [], []
    looked_at = ordered.mapped(
        lambda numbered: _looked_at(*numbered, opened),
        _numbered(opened),
        num_threads=num_threads,
        num_ahead=4 * num_threads,
        bytes_ahead=_WAITING_BYTES,
        size=lambda result: 0,
    )
    with (
        contextlib.closing(looked_at),
        progress.shown(f"check {split}", metadata.items) as step,
    ):
        for faults, facts in looked_at:
            found += map(findings.Finding.of, faults)
            seen += [facts] if facts else []
            step()
    return found, seen


def _numbered(opened: record_files.RecordSet) -> Iterator[tuple[int, bytes | None]]:
    """Yields place and data of every record; None for the first one that is damaged, and ends."""
    elements, number = opened.serialized().as_numpy_iterator(), 0
    while True:
        try:
            serialized = next(elements, None)
        except (tf.errors.DataLossError, tf.errors.UnknownError):
            yield number, None
            return
        if serialized is None:
            return
        yield number, serialized
        number += 1


def _looked_at(
    number: int, serialized: bytes | None, opened: record_files.RecordSet
) -> tuple[list[errors.UserError], findings.Seen | None]:
    """Compares one example with the metadata and decodes its frames."""
    where = examples.Place(opened, number)
    if serialized is None:
        return [_damaged(where)], None
    try:
        content = examples.read(serialized, where=where)
    except errors.UserError as error:
        return [error], None
    faults = list(examples.faults(content, number, opened))
    if not faults:
        faults = [*_undecodable(content.frames, where, opened.metadata.frame_shape)]
    digest = hashlib.sha256()
    for frame in content.frames:
        digest.update(frame)
    return faults, findings.Seen(
        str(where), content.path, digest.hexdigest(), content.group, tuple(content.labels)
    )


def _damaged(where: object) -> errors.UserError:
    return errors.UserError(
        "the record is damaged, and those after it cannot be read",
        where=where,
        received="data with another checksum",
        expected="data with their own checksum",
        remedy=metadata_lib.REDO,
    )


def _undecodable(
    frames: list[bytes], where: object, shape: tuple[int, int, int] | None
) -> Iterator[errors.UserError]:
    """Yields the stored frames that do not decode or have another shape than the metadata."""
    for number, jpeg in enumerate(frames):
        try:
            received = tuple(augment.decode_jpeg(jpeg).shape)
        except tf.errors.InvalidArgumentError:
            yield errors.UserError(
                f"frame {number} does not decode",
                where=where,
                received=f"a JPEG of {len(jpeg):,} bytes that is damaged or cut short",
                expected="a whole JPEG",
                remedy=metadata_lib.REDO,
            )
            continue
        if shape is not None and tuple(shape) != received:
            yield errors.UserError(
                f"frame {number} has another shape",
                where=where,
                received=list(received),
                expected=list(shape),
                remedy=metadata_lib.REDO,
            )


def _left_over(path: pathlib.Path, limits: Limits) -> Iterator[findings.Finding]:
    """Yields files beside records that belong to none: of writers that were killed, or stale."""
    path = record_files.records_path(path)
    size = record_files.size_path(path)
    for staged in sorted(path.parent.glob(f".{glob.escape(path.name)}*unfinished*")):
        yield findings.Finding(
            where=str(staged),
            what="unfinished records",
            received="the folder of a `serialize` that was stopped, or is at work",
            expected="finished records, and no such folder",
            remedy="Go on with the same `lrcn serialize` command, or remove the folder",
        )
    try:
        known = {shard.name for shard in metadata_lib.read_alone(size, limits=limits).shards}
    except errors.UserError:
        return  # told by who verifies
    for file in record_files.files_of(path):
        if file.name not in known:
            yield _stale(file, f"a file that {size.name} does not name")


def _stale(path: pathlib.Path, received: str) -> findings.Finding:
    return findings.Finding(
        where=str(path),
        what="a file that belongs to no records",
        received=received,
        expected="the files that the .size names, and no more",
        remedy="Remove it: it is never read",
    )


def _unlike(opened: Mapping[str, record_files.RecordSet]) -> list[findings.Finding]:
    """Returns in what splits differ that one network is to be trained and measured on."""
    found: list[findings.Finding] = []
    (first, *others) = opened or [None]
    for split in others:
        for what, (expected, received) in _compared(opened[first], opened[split]).items():
            if expected != received:
                found.append(
                    findings.Finding(
                        where=str(record_files.size_path(opened[split].path)),
                        what=f"{what} of {split} differs from that of {first}",
                        received=received,
                        expected=f"{expected}, as in {opened[first].path}",
                        remedy="Serialize both splits with the same keys",
                    )
                )
    return found


def _compared(
    one: record_files.RecordSet, other: record_files.RecordSet
) -> dict[str, tuple[str, str]]:
    """Returns what both sets of records tell of what has to be the same."""
    pair = (one.metadata, other.metadata)
    told = {
        "modality": [modality_lib.Modality(own.modality, own.flow_method).told for own in pair],
        "type": [own.type for own in pair],
        "frame_step": [str(own.frame_step) for own in pair],
        "fps": [errors.shown(own.fps) for own in pair],
    }
    # Clips of two modes go together, such as random ones to train on; those of two lengths do not.
    if all(own.frames_per_clip for own in pair):
        told["frames_per_clip"] = [str(own.frames_per_clip) for own in pair]
    if all(own.label_names for own in pair):
        told["label_names"] = [errors.few(own.label_names) for own in pair]
    if pair[1].num_classes > pair[0].num_classes:  # fewer are met in a small split
        told["num_classes"] = [str(own.num_classes) for own in pair]
    return {what: tuple(values) for what, values in told.items()}
