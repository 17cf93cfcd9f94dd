"""What of a shard is safe on the disk: lines that are written after the data that they tell of."""

from __future__ import annotations

import dataclasses
import json
import os
import pathlib
import zlib
from collections.abc import Iterator


class Damaged(Exception):
    """A journal, or the data that it tells of, is not what was written."""


@dataclasses.dataclass(frozen=True)
class Commit:
    """What became safe since the commit before.

    Attributes:
        segment: Number of the file that was written to.
        bytes: Its length.
        checksum: SHA-256 of the shard so far, of all its segments one after the other.
        stored: Place, frames, clips and `[height, width]` of each item that was stored.
        skipped: Place and reason of each item that was not.
        finished: Whether the shard is whole, and in segment 0 alone.
    """

    segment: int
    bytes: int
    checksum: str
    stored: list[tuple[int, int, int, list[int] | None]]
    skipped: list[tuple[int, str]]
    finished: bool = False


def append(path: pathlib.Path, commit: Commit) -> None:
    """Adds a line to a journal and waits until it is on the disk."""
    text = json.dumps(dataclasses.asdict(commit))
    with path.open("ab") as file:
        file.write(f"{zlib.crc32(text.encode()):08x} {text}\n".encode())
        file.flush()
        os.fsync(file.fileno())


def read(path: pathlib.Path) -> Iterator[tuple[Commit, int]]:
    """Yields the commits of a journal, each with where its line ends.

    A last line that is not whole was never waited for, and is left out.

    Raises:
        Damaged: A line that is not the last is not as it was written.
    """
    try:
        file = path.open("rb")
    except FileNotFoundError:
        return
    with file:
        end, torn = 0, False
        for line in file:
            if torn:
                raise Damaged("a line of its journal is damaged")
            commit = _commit(line)
            if commit is None:
                torn = True
                continue
            end += len(line)
            yield commit, end


def cut(path: pathlib.Path, end: int) -> None:
    """Removes what a journal holds after its last whole line."""
    if path.exists():
        os.truncate(path, end)


def _commit(line: bytes) -> Commit | None:
    """Returns what a line tells, or None if it is not whole or not as we write them."""
    checksum, _, text = line.rstrip(b"\n").partition(b" ")
    if not line.endswith(b"\n") or checksum != f"{zlib.crc32(text):08x}".encode():
        return None
    try:
        commit = Commit(**json.loads(text))
        return commit if _fits(commit) else None
    except (TypeError, ValueError, RecursionError):  # of another version, or a stranger's
        return None


def _fits(commit: Commit) -> bool:
    """Tells whether every value is of its kind; names of files are made of some."""
    lists = (commit.stored, commit.skipped)
    return (
        _are_counts(commit.segment, commit.bytes)
        and isinstance(commit.checksum, str)
        and isinstance(commit.finished, bool)
        and all(isinstance(told, list) for told in lists)
        and all(_is_stored(*item) for item in commit.stored)
        and all(_are_counts(place) and isinstance(why, str) for place, why in commit.skipped)
    )


def _is_stored(place: object, frames: object, count: object, size: object) -> bool:
    is_size = size is None or (isinstance(size, list) and len(size) == 2 and _are_counts(*size))
    return _are_counts(place, frames, count) and is_size


def _are_counts(*values: object) -> bool:
    return all(type(value) is int and 0 <= value < 2**63 for value in values)
