"""The size that a JPEG claims, read from its header before memory is taken for its pixels."""

from __future__ import annotations

import struct

from lrcn import errors
from lrcn.data.limits import Limits

_START = b"\xff\xd8"
_HEIGHT_WIDTH = struct.Struct(">HH")
_LENGTH = struct.Struct(">H")
# Start of frame: 0xC0 to 0xCF but for tables of codes and the reserved one.
_FRAMES = frozenset(range(0xC0, 0xD0)) - {0xC4, 0xC8, 0xCC}
_ALONE = frozenset({0x01, *range(0xD0, 0xD8)})  # markers without a segment
_FILL, _STUFFED, _SCAN, _END = 0xFF, 0x00, 0xDA, 0xD9


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
