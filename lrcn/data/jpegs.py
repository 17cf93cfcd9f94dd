"""What the headers of a JPEG tell, read before memory is taken for its pixels."""

from __future__ import annotations

import re
import struct
from collections.abc import Iterator

from lrcn import errors
from lrcn.data.limits import Limits

_START = b"\xff\xd8"
_HEIGHT_WIDTH = struct.Struct(">HH")
_LENGTH = struct.Struct(">H")
# Start of frame: 0xC0 to 0xCF but for tables of codes and the reserved one.
_FRAMES = frozenset(range(0xC0, 0xD0)) - {0xC4, 0xC8, 0xCC}
_ALONE = frozenset({0x01, *range(0xD0, 0xD8)})  # markers without a segment
_FILL, _STUFFED, _SCAN, _END = 0xFF, 0x00, 0xDA, 0xD9
_BASELINE = 0xC0
# Within a scan there are stuffed zeros, restarts and fill bytes; anything else ends it.
_AFTER_SCAN = re.compile(rb"\xff[^\x00\xd0-\xd7\xff]")
_EOI, _SOS = b"\xff\xd9", b"\xff\xda"


def size(jpeg: bytes) -> tuple[int, int]:
    """Returns the `(height, width)` that a JPEG claims.

    Like decoders, it passes over what stands between two segments.

    Raises:
        ValueError: The data are no JPEG, or end before they tell their size.
    """
    if jpeg[:2] != _START:
        raise ValueError("data that do not begin as a JPEG does")
    at = 2
    while (at := jpeg.find(b"\xff", at)) >= 0 and at + 4 <= len(jpeg):
        marker = jpeg[at + 1]
        if marker in _FRAMES and at + 9 <= len(jpeg):
            return _HEIGHT_WIDTH.unpack_from(jpeg, at + 5)
        if marker in (_SCAN, _END):
            break
        if marker == _FILL:
            at += 1
        elif marker == _STUFFED or marker in _ALONE:
            at += 2
        else:
            at += 2 + max(_LENGTH.unpack_from(jpeg, at + 2)[0], 2)
    raise ValueError("a JPEG that ends before it tells its size")


def require(jpeg: bytes, *, limits: Limits, where: object, what: str) -> None:
    """Raises a `UserError` for data that are no JPEG, or one that is larger than it may be.

    Args:
        jpeg: The data.
        limits: The most that an image may ask for.
        where: The file or its part.
        what: What it is, such as "frame 3".
    """
    try:
        height, width = size(jpeg)
    except ValueError as error:
        raise errors.UserError(
            f"{what} is no JPEG",
            where=where,
            received=error,
            expected="a JPEG",
            remedy="Serialize again with overwrite=true",
        ) from error
    limits.require("image_pixels", height * width, where=where, what=what)


def without_pixels(jpeg: bytes) -> bytes | None:
    """Returns the headers of a JPEG as one without pixels, if its pixels hold nothing to fail at.

    A decoder can fail at what stands before the pixels, and where they are cut off; what is wrong
    within them shows as noise, but decodes. Those of a baseline JPEG are one scan. If that is
    followed by the end of the image and that by nothing, the headers decode if the whole does.

    Args:
        jpeg: The data.

    Returns:
        The JPEG without pixels, or None if the whole must be decoded to know.
    """
    components = 0
    for marker, at, after in _segments(jpeg):
        if marker == _SCAN:
            end = _AFTER_SCAN.search(jpeg, after)
            is_last = end is not None and end.end() == len(jpeg) and end.group() == _EOI
            is_only = components > 0 and jpeg[at] == components
            return jpeg[:after] + _EOI if is_last and is_only else None
        if marker in _FRAMES:
            if marker != _BASELINE or components or after < at + 6:
                return None
            components = jpeg[at + 5]
    return None


def has_end(jpeg: bytes) -> bool:
    """Tells whether the end of the image is behind its last scan: TensorFlow decodes no other."""
    return jpeg.rfind(_EOI) > jpeg.rfind(_SOS)


def _segments(jpeg: bytes) -> Iterator[tuple[int, int, int]]:
    """Yields the marker of each segment, where its content begins and where it ends.

    It ends at the first thing that is none, which a decoder would have to pass over.
    """
    at = len(_START) if jpeg.startswith(_START) else len(jpeg)
    while at + 4 < len(jpeg) and jpeg[at] == _FILL:
        marker, after = jpeg[at + 1], at + 2 + _LENGTH.unpack_from(jpeg, at + 2)[0]
        if marker in (_STUFFED, _FILL, _END, *_ALONE) or not at + 4 <= after < len(jpeg):
            return
        yield marker, at + 4, after
        at = after
