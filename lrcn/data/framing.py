"""How records lie in a TFRecord file: length, its checksum, data, its checksum."""

from __future__ import annotations

import dataclasses
import os
import pathlib
import struct
from collections.abc import Iterator

_LENGTH = struct.Struct("<Q")
_CHECKSUM_BYTES = 4


@dataclasses.dataclass(frozen=True)
class Place:
    """Where the data of a record lies in its file."""

    file: str
    offset: int
    length: int

    def read(self) -> bytes:
        """Returns the data; its checksum is not looked at."""
        with pathlib.Path(self.file).open("rb") as stream:
            stream.seek(self.offset)
            return stream.read(self.length)


def places(file: str | os.PathLike) -> Iterator[Place]:
    """Yields the places of the whole records of a file in order, without reading their data."""
    with pathlib.Path(file).open("rb") as stream:
        end = stream.seek(0, os.SEEK_END)
        next_record = 0
        while True:
            stream.seek(next_record)
            header = stream.read(_LENGTH.size)
            if len(header) < _LENGTH.size:
                return
            place = Place(
                str(file), next_record + _LENGTH.size + _CHECKSUM_BYTES, _LENGTH.unpack(header)[0]
            )
            next_record = place.offset + place.length + _CHECKSUM_BYTES
            if next_record > end:
                return
            yield place
