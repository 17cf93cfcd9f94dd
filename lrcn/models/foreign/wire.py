"""Protocol Buffers' wire format, read without generated code and never past the end of a file.

A message is a sequence of fields, each a tag (its number and how its value is written) and a value:
https://protobuf.dev/programming-guides/encoding/
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator

import numpy as np

_VARINT, _LONG, _BYTES, _SHORT = 0, 1, 2, 5
_WIDTHS = {_LONG: 8, _SHORT: 4}
_LONGEST_VARINT = 10  # bytes
_LARGEST_FIELD = 2**29 - 1
_MOST_INTEGERS = 4096  # bytes of packed ones, which are sizes of tensors


class Damaged(ValueError):
    """Bytes that are no message.

    Attributes:
        at: Their place, in bytes from the beginning of the file.
    """

    def __init__(self, what: str, at: int):
        self.at = at
        super().__init__(f"{what} at byte {at}")


@dataclasses.dataclass(frozen=True)
class Field:
    """A field of a message.

    Attributes:
        number: Its number.
        at: Where its tag is.
        value: Of a varint, the number; else 0.
        part: Of bytes, what they are; of fixed-size numbers, the first to the last of a run of
            fields of the same number, as long as they stand side by side, tags in between.
        width: Bytes of each fixed-size number, 0 for what is none.
    """

    number: int
    at: int
    value: int = 0
    part: Message | None = None
    width: int = 0

    def message(self) -> Message:
        """Returns the message, text or packed numbers that the field holds."""
        if self.part is None or self.width:
            raise Damaged(f"field {self.number} is a number and not a message", self.at)
        return self.part

    def text(self) -> str:
        """Returns the text that the field holds."""
        part = self.message()
        try:
            return bytes(part.data[part.start : part.end]).decode()
        except UnicodeDecodeError as error:
            raise Damaged(f"field {self.number} is no text", self.at) from error

    def numbers(self, kind: str) -> np.ndarray:
        """Returns floating-point numbers, packed or a field each, as a view of the file.

        Args:
            kind: "<f4" or "<f8".
        """
        size = np.dtype(kind).itemsize
        if self.part is None or self.width not in (0, size):
            raise Damaged(f"field {self.number} holds no numbers of {size} bytes", self.at)
        length = self.part.end - self.part.start
        if self.width:  # after each value but the last comes the tag of the next
            count = (length + 1) // (size + 1)
            steps = (size + 1,)
        elif length % size:
            raise Damaged(f"{length} bytes are no whole numbers of {size} bytes", self.at)
        else:
            count, steps = length // size, (size,)
        if not count:
            return np.zeros(0, kind)
        return np.ndarray((count,), kind, self.part.data, self.part.start, steps)

    def integers(self) -> list[int]:
        """Returns varints, packed or one."""
        if self.part is None:
            return [self.value]
        part, place, values = self.message(), self.part.start, []
        if part.end - part.start > _MOST_INTEGERS:  # a list of them takes 30 times their bytes
            raise Damaged(f"field {self.number} of {part.end - part.start:,} bytes", self.at)
        while place < part.end:
            value, place = _varint(part.data, place, part.end)
            values.append(value)
        return values


@dataclasses.dataclass(frozen=True)
class Message:
    """A stretch of a file: bytes `start` to `end` of `data`."""

    data: memoryview
    start: int
    end: int

    def fields(self) -> Iterator[Field]:
        """Yields the fields in order.

        Raises:
            Damaged: The bytes are no message, or end in the middle of a field.
        """
        place = self.start
        while place < self.end:
            at = place
            tag, place = _varint(self.data, place, self.end)
            number, kind = tag >> 3, tag & 7
            if not 0 < number <= _LARGEST_FIELD:
                raise Damaged(f"{number} is no number of a field", at)
            if kind == _VARINT:
                value, place = _varint(self.data, place, self.end)
                yield Field(number, at, value=value)
            elif kind == _BYTES:
                length, place = _varint(self.data, place, self.end)
                self._require(place + length, number, at)
                yield Field(number, at, part=Message(self.data, place, place + length))
                place += length
            elif kind in _WIDTHS:
                width = _WIDTHS[kind]
                self._require(place + width, number, at)
                end = self._end_of_run(at, place, width)
                yield Field(number, at, part=Message(self.data, place, end), width=width)
                place = end
            else:
                raise Damaged(f"field {number} is written in a way that is not known ({kind})", at)

    def _require(self, end: int, number: int, at: int) -> None:
        if end > self.end:
            missing = end - self.end
            raise Damaged(f"cut short: field {number} needs {missing} bytes more,", at)

    def _end_of_run(self, at: int, place: int, width: int) -> int:
        """Returns where fields like the one at `at` end: millions of them are met in one look."""
        if place - at > 1:
            return place + width
        step = width + 1
        count = (self.end - at) // step
        tags = np.ndarray((count,), np.uint8, self.data, at, (step,))
        # In blocks: most runs are short, and few are followed by as many bytes as they have.
        block, first = 1024, 1
        while first < count:
            others = np.flatnonzero(tags[first : first + block] != tags[0])
            if others.size:
                return at + (first + int(others[0])) * step
            first, block = first + block, block * 4
        return at + count * step


def _varint(data: memoryview, place: int, end: int) -> tuple[int, int]:
    """Returns a varint and the place after it."""
    value = 0
    for index in range(_LONGEST_VARINT):
        if place + index >= end:
            raise Damaged("cut short: a number goes on after the end,", place)
        byte = data[place + index]
        value |= (byte & 0x7F) << (7 * index)
        if byte < 0x80:
            return value, place + index + 1
    raise Damaged(f"a number of more than {_LONGEST_VARINT} bytes", place)
