"""One shard on its way: its records, and a journal of those that are safe on the disk.

A process that is killed leaves records after the last that the journal tells of. They are cut off,
and what is left to store goes into a further file, since TensorFlow cannot append to one; in the
end the files are joined, as TFRecord files can be. Who is never killed writes one file.
"""

from __future__ import annotations

import contextlib
import hashlib
import logging
import os
import pathlib
import shutil
import time
from collections.abc import Sequence
from typing import IO

import numpy as np
import tensorflow as tf

from lrcn import files
from lrcn.data import journal, lists, packing, records

log = logging.getLogger(__name__)

_SECONDS_BETWEEN_COMMITS = 10.0
_CHUNK = 2**18  # bytes


class Part:
    """A shard in the folder where it is made; as a context it is open to be written.

    Args:
        folder: Where it is made.
        number: Its number, for the names of its files.
        final: The path it is to have.
        items: The items of the split.
        places: The places among them of those of the shard, in the order of its records.

    Attributes:
        final: As given.
        stored: What is stored, in order, without the records.
        skipped: Id and reason of each item that is not, by place.
        is_finished: Whether it is whole.
    """

    def __init__(
        self,
        folder: pathlib.Path,
        number: int,
        final: pathlib.Path,
        *,
        items: Sequence[lists.Item],
        places: np.ndarray,
    ):
        self.final = final
        self._folder, self._number = folder, number
        self._items, self._places = items, places
        self._journal = folder / f"{number:05d}.journal"
        self._writer: tf.io.TFRecordWriter | None = None
        self._forget()

    def _forget(self) -> None:
        self.stored: list[packing.Packed] = []
        self.skipped: dict[int, tuple[str, str]] = {}
        self.is_finished = False
        self._lengths: dict[int, int] = {}  # bytes of each file that are safe
        self._digest = hashlib.sha256()
        self._since: tuple[list, list] = ([], [])  # stored and skipped since the last commit

    @property
    def left(self) -> list[int]:
        """The places of the items that are neither stored nor skipped."""
        return self._places[len(self.stored) + len(self.skipped) :].tolist()

    @property
    def is_begun(self) -> bool:
        """Whether anything is safe on the disk."""
        return bool(self._lengths)

    def shard(self) -> records.Shard:
        """Returns what the metadata tell of the finished shard."""
        total = sum(self._lengths.values())
        return records.Shard(self.final.name, len(self.stored), total, self._digest.hexdigest())

    def _segment(self, number: int) -> pathlib.Path:
        return self._folder / f"{self._number:05d}.{number}{records.SUFFIX}"

    # Going on where a process was killed.

    def recover(self) -> None:
        """Takes over what the journal tells, if the data are as it tells; else nothing."""
        try:
            self._replay()
        except journal.Damaged as error:
            log.info("%s is begun anew: %s", self.final.name, error)
            self._forget()
            self._journal.unlink()

    def is_said_to_be_published(self) -> bool:
        """Tells whether the journal has the shard as finished and it is no longer here."""
        is_finished = False
        with contextlib.suppress(journal.Damaged):
            for commit, _ in journal.read(self._journal):
                is_finished = commit.finished
        return is_finished and not self._segment(0).exists()

    def _replay(self) -> None:
        whole, checksum = 0, self._digest.hexdigest()
        for commit, end in journal.read(self._journal):
            self._take_over(commit)
            whole, checksum = end, commit.checksum
        journal.cut(self._journal, whole)
        for number, length in sorted(self._lengths.items()):
            self._verify(self._segment(number), length)
        if self._digest.hexdigest() != checksum:
            raise journal.Damaged("its checksum is not that of the journal")

    def _take_over(self, commit: journal.Commit) -> None:
        done = len(self.stored) + len(self.skipped)
        told = [place for place, *_ in (*commit.stored, *commit.skipped)]
        if sorted(told) != sorted(self._places[done : done + len(told)].tolist()):
            raise journal.Damaged("its journal tells of other items")
        for place, frames, clips, size in commit.stored:
            item, size = self._items[place], tuple(size) if size else None
            self.stored.append(packing.Packed(item, b"", frames, clips, size))
        for place, reason in commit.skipped:
            self.skipped[place] = (self._items[place].id, reason)
        self.is_finished = commit.finished
        self._lengths = {} if commit.finished else self._lengths
        self._lengths[commit.segment] = commit.bytes

    def _verify(self, path: pathlib.Path, length: int) -> None:
        """Reads the bytes of a file that are to be safe, and cuts off what follows them."""
        is_here = os.path.lexists(path) or not self.is_finished
        path = path if is_here else self.final
        if path.is_symlink() or not path.is_file():
            raise journal.Damaged(f"{path} is missing")
        with path.open("rb", buffering=0) as file:
            left = length - self._read_on(file, length)
            longer = bool(file.read(1))
        if left or (longer and not is_here):
            raise journal.Damaged(f"{path} is not {length} bytes long")
        if longer:
            os.truncate(path, length)

    def _read_on(self, file: IO[bytes], most: int) -> int:
        """Adds what a file holds from here on to the checksum; returns how many bytes."""
        buffer, count = memoryview(bytearray(_CHUNK)), 0
        while read := file.readinto(buffer[: min(_CHUNK, most - count)]):
            self._digest.update(buffer[:read])
            count += read
        return count

    # Writing.

    def __enter__(self) -> Part:
        self._committed = time.monotonic()
        self._current = max(self._lengths, default=-1)
        if len(self._places) > len(self.stored) + len(self.skipped) or not self._lengths:
            self._current += 1
            path = self._segment(self._current)
            path.unlink(missing_ok=True)  # never through a link that someone has put there
            self._writer = tf.io.TFRecordWriter(str(path))
        return self

    def __exit__(self, *_: object) -> None:
        if self._writer is not None:
            self._writer.close()
            self._writer = None

    def store(self, place: int, packed: packing.Packed) -> None:
        """Writes the next item."""
        self._writer.write(packed.record)
        size = list(packed.size) if packed.size else None
        self._since[0].append((place, packed.frames, packed.clips, size))
        self.stored.append(packed.without_record())

    def skip(self, place: int, reason: str) -> None:
        """Notes that the next item is not stored."""
        self._since[1].append((place, reason))
        self.skipped[place] = (self._items[place].id, reason)

    def commit_if_due(self) -> None:
        """Makes safe what is written, every few seconds."""
        if time.monotonic() - self._committed >= _SECONDS_BETWEEN_COMMITS:
            self._secure()
            self._note()
            self._committed = time.monotonic()

    def finish(self) -> None:
        """Makes the shard safe as a whole, once all of its items were stored or skipped."""
        if self._writer is not None:
            self._secure()
        if rest := sorted(set(self._lengths) - {0}):
            self._note()
            self.__exit__()
            self._join(rest)
        self._note(finished=True)
        for number in rest:
            self._segment(number).unlink()
        self.is_finished = True

    def _secure(self) -> None:
        self._writer.flush()
        before = self._lengths.get(self._current)
        with self._segment(self._current).open("rb", buffering=0) as file:
            os.fsync(file.fileno())
            file.seek(before or 0)
            length = (before or 0) + self._read_on(file, 2**63)
        if before is None:
            files.sync_folder(self._folder)
        self._lengths[self._current] = length

    def _note(self, *, finished: bool = False) -> None:
        segment = max(self._lengths)
        length, checksum = self._lengths[segment], self._digest.hexdigest()
        journal.append(
            self._journal, journal.Commit(segment, length, checksum, *self._since, finished)
        )
        self._since = ([], [])

    def _join(self, rest: Sequence[int]) -> None:
        """Appends the further files to the first; a kill leaves it longer than is safe."""
        with self._segment(0).open("rb+") as whole:
            whole.seek(self._lengths[0])
            for number in rest:
                with self._segment(number).open("rb") as file:
                    shutil.copyfileobj(file, whole, _CHUNK)
            whole.flush()
            os.fsync(whole.fileno())
        self._lengths = {0: sum(self._lengths.values())}

    def publish(self) -> None:
        """Gives the finished shard its name, unless it has it already."""
        if self._segment(0).exists():
            os.replace(self._segment(0), self.final)
