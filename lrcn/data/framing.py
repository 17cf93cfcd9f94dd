"""How records lie in a TFRecord file: length, its checksum, data, its checksum."""

from __future__ import annotations

import dataclasses
import os
import pathlib
import struct
import zlib
from collections.abc import Iterator

import numpy as np

_LENGTH = struct.Struct("<Q")
_CHECKSUM_BYTES = 4
_HEAD_BYTES = _LENGTH.size + _CHECKSUM_BYTES
_AT_ONCE = 4096  # heads whose checksums are looked at together
_CASTAGNOLI = 0x82F63B78  # the polynomial of CRC-32C, bits reversed


class Broken(ValueError):
    """A record whose frame is not as it should be.

    Attributes:
        index: The record, counted from 0.
        received: What is there.
        expected: What would be right.
    """

    def __init__(self, index: int, received: str, expected: str):
        self.index, self.received, self.expected = index, received, expected
        super().__init__(f"record {index}: {received}, not {expected}")


class TooLong(Broken):
    """A record that is whole, but longer than it may be."""


@dataclasses.dataclass(frozen=True)
class Place:
    """Where the data of a record lies in its file.

    Attributes:
        file: The file.
        offset: Of the first byte of the data.
        length: Bytes of the data.
        checksum: CRC-32 of the data as it was when all of it was verified, None if it was not.
    """

    file: str
    offset: int
    length: int
    checksum: int | None = None

    def verified(self, data: bytes) -> Place:
        """Returns the place with the checksum of its data, which is known to be right."""
        return dataclasses.replace(self, checksum=zlib.crc32(data))

    def read(self) -> bytes:
        """Returns the data.

        Raises:
            OSError: The file is gone, or it holds something else now than when it was verified.
        """
        with pathlib.Path(self.file).open("rb") as stream:
            stream.seek(self.offset)
            data = stream.read(self.length)
        if self.checksum is not None and zlib.crc32(data) != self.checksum:
            raise OSError(f"{self.file} was changed while it was read")
        return data


def places(file: str | os.PathLike) -> Iterator[Place]:
    """Yields the places of the whole records of a file in order, without reading their data.

    Lengths are believed as far as the file reaches: to read a place thus never takes more room than
    the file has. It stops where it is asked to, so that a part of a split is found without the
    rest; who lets TensorFlow read the records needs `scan`.
    """
    with pathlib.Path(file).open("rb") as stream:
        end = stream.seek(0, os.SEEK_END)
        next_record = 0
        while True:
            stream.seek(next_record)
            header = stream.read(_LENGTH.size)
            if len(header) < _LENGTH.size:
                return
            place = Place(str(file), next_record + _HEAD_BYTES, _LENGTH.unpack(header)[0])
            next_record = place.offset + place.length + _CHECKSUM_BYTES
            if next_record > end:
                return
            yield place


def scan(file: str | os.PathLike, *, longest: int) -> list[Place]:
    """Returns the places of all records of a file, whose lengths are seen to be right.

    TensorFlow makes room for a record before it reads it, so a length that lies takes all memory;
    this looks at nothing but lengths, their checksums and the size of the file.

    Args:
        file: A file of records.
        longest: Bytes that a record may have.

    Raises:
        Broken: The first record that is cut short, or whose length is damaged or too long.
    """
    found: list[Place] = []
    heads: list[bytes] = []
    with pathlib.Path(file).open("rb") as stream:
        descriptor, position = stream.fileno(), 0
        end = os.fstat(descriptor).st_size
        while position < end:
            head = os.pread(descriptor, _HEAD_BYTES, position)
            if len(head) < _HEAD_BYTES:
                _require_checksums(heads, len(found))
                raise Broken(len(found), f"{len(head)} bytes", f"{_HEAD_BYTES} bytes and data")
            heads.append(head)
            place = Place(str(file), position + _HEAD_BYTES, _LENGTH.unpack_from(head)[0])
            position = place.offset + place.length + _CHECKSUM_BYTES
            # Before its length is believed, so that a damaged one is not told as a file cut short.
            if position > end or place.length > longest or len(heads) == _AT_ONCE:
                _require_checksums(heads, len(found) + 1)
                heads.clear()
            if position > end:
                left = max(end - place.offset, 0)
                raise Broken(len(found), f"{left:,} bytes", f"{place.length:,} bytes of data")
            if place.length > longest:
                raise TooLong(len(found), f"{place.length:,} bytes", f"at most {longest:,} bytes")
            found.append(place)
    _require_checksums(heads, len(found))
    return found


def _require_checksums(heads: list[bytes], before: int) -> None:
    """Raises `Broken` for the first head that is damaged; they are the last of `before` records."""
    if not heads:
        return
    raw = np.frombuffer(b"".join(heads), np.uint8).reshape(-1, _HEAD_BYTES)
    received = np.ascontiguousarray(raw[:, _LENGTH.size :]).view("<u4")[:, 0]
    wrong = np.flatnonzero(received != _masked(raw[:, : _LENGTH.size]))
    if len(wrong):
        first = int(wrong[0])
        length = _LENGTH.unpack_from(heads[first])[0]
        raise Broken(
            before - len(heads) + first,
            f"a length of {length:,} bytes with another checksum",
            "a length with its own",
        )


def _masked(rows: np.ndarray) -> np.ndarray:
    """Returns the CRC-32C of rows [rows, bytes] uint8 as TFRecord files have it."""
    table = np.arange(256, dtype=np.uint32)
    for _ in range(8):
        table = np.where(table & 1, (table >> 1) ^ np.uint32(_CASTAGNOLI), table >> 1)
    crc = np.full(len(rows), 0xFFFFFFFF, np.uint32)
    for column in rows.T:
        crc = table[(crc ^ column) & 255] ^ (crc >> 8)
    crc = ~crc
    return ((crc >> 15) | (crc << 17)) + np.uint32(0xA282EAD8)
