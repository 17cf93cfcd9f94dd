"""Still images to JPEG frames of the stored size (Pillow)."""

from __future__ import annotations

import contextlib
import functools
import io
import math
import pathlib
import re
import struct
import threading
import zlib
from collections.abc import Iterator

import numpy as np
import PIL.Image
import PIL.ImageOps

from lrcn import errors
from lrcn.data import bounded, jpegs, lines
from lrcn.data.limits import Limits

# What Pillow decodes by itself. Others start programs (EPS), need more than their own file, or are
# no images of frames.
FORMATS = (
    *("JPEG", "PNG", "BMP", "GIF", "TIFF", "WEBP", "PPM", "JPEG2000", "AVIF", "PCX", "SGI"),
    *("QOI", "TGA"),  # the last has no mark of its own
)
_ORIENTATION, _TILE_WIDTH, _TILE_HEIGHT = 0x0112, 0x0142, 0x0143
# Ends the remedies of faults of single items, and is no help to who has skipped them.
CAN_SKIP = "; `lrcn serialize` can skip it (on_error=skip)"
# What Pillow raises for data that does not decode; of crafted files nearly anything.
UNDECODABLE = (
    *(OSError, SyntaxError, ValueError, LookupError, TypeError, AttributeError, ArithmeticError),
    *(AssertionError, EOFError, RuntimeError, MemoryError, struct.error, zlib.error),
    PIL.Image.DecompressionBombError,
)
_WIDENING = threading.RLock()
_MOST_KEPT = 2**14  # bytes of headers


def jpeg_from_file(
    path: str | pathlib.Path,
    *,
    size: tuple[int, int] | None = None,
    quality: int = 95,
    limits: Limits = Limits(),
) -> tuple[bytes, tuple[int, int]]:
    """Reads any image as an RGB JPEG.

    A source JPEG that already has the stored size is copied byte for byte, once its headers are
    seen to decode and its pixels to be whole (`jpegs.without_pixels`), else once all of it is;
    grey, palette, CMYK, 16-bit and rotated (EXIF) images are converted, alpha is dropped.

    Args:
        path: The image.
        size: Stored `(height, width)` in pixels, or None for the image's own.
        quality: JPEG quality of encoded images.
        limits: `file_bytes` bounds the file and `image_pixels` the image, before it is decoded.

    Returns:
        The JPEG and its `(height, width)`.

    Raises:
        UserError: If the file is missing, too large, or does not decode.
    """
    with _explained(path):
        data = bounded.read(path, what="image file", limits=limits)
        if (as_is := _size_if_as_is(data, size and tuple(size), limits)) is not None:
            return data, as_is
        with opened(data, where=path, limits=limits) as image:
            if _is_stored_as_is(image, size) and jpegs.has_end(data):
                return data, _size_once_decoded(image)
            rgb = _rgb(image)
        return jpeg_from_image(rgb, size=size, quality=quality)


def _size_if_as_is(
    data: bytes, size: tuple[int, int] | None, limits: Limits
) -> tuple[int, int] | None:
    """Returns `(height, width)` of a JPEG that can be stored as it is, if its headers tell so."""
    headers = jpegs.without_pixels(data)
    if headers is None:
        return None
    # Those of the frames of a video are alike, and small; large ones would fill the memory.
    told = _of_headers if len(headers) <= _MOST_KEPT else _of_headers.__wrapped__
    return told(headers, size, limits)


@functools.lru_cache(maxsize=64)
def _of_headers(
    headers: bytes, size: tuple[int, int] | None, limits: Limits
) -> tuple[int, int] | None:
    try:
        with opened(headers, where="", limits=limits) as image:
            return _size_once_decoded(image) if _is_stored_as_is(image, size) else None
    except (errors.UserError, *UNDECODABLE):
        return None  # told by who decodes the whole


def _size_once_decoded(image: PIL.Image.Image) -> tuple[int, int]:
    """Returns the `(height, width)` of a JPEG that was seen to decode."""
    height_width = image.height, image.width
    # An eighth of the size still reads the whole stream, so a cut is found cheaply.
    image.draft(None, (1, 1))
    image.load()
    return height_width


def rgb_from_file(
    path: str | pathlib.Path, *, size: tuple[int, int] | None = None, limits: Limits = Limits()
) -> np.ndarray:
    """Reads any image as `[height, width, 3] uint8`; see `jpeg_from_file`."""
    with _explained(path):
        data = bounded.read(path, what="image file", limits=limits)
        with opened(data, where=path, limits=limits) as image:
            return np.asarray(_resized(_rgb(image), size))


@contextlib.contextmanager
def opened(data: bytes, *, where: object, limits: Limits = Limits()) -> Iterator[PIL.Image.Image]:
    """Opens an encoded image of one of the `FORMATS` whose size is within the limits.

    Pillow's own bounds would warn of images that the limits allow and refuse others. They hold
    for the whole process, so they are widened for larger images alone, and only for the time.

    Args:
        data: The content of a file.
        where: The file, for the message.
        limits: `image_pixels` bounds height times width.

    Raises:
        UserError: The image is larger than the limit.
        PIL.UnidentifiedImageError: It is none of the formats.
    """
    try:
        image = _identified(data)
        pixels = _pixels(image)
    except PIL.Image.DecompressionBombError as error:  # some are refused while they are opened
        image, pixels = None, int(re.search(r"\d+", str(error))[0])
    limits.require("image_pixels", pixels, where=where, what="an image")
    with _widened(pixels), image or _identified(data) as image:
        yield image


def _identified(data: bytes) -> PIL.Image.Image:
    PIL.Image.init()
    for name in FORMATS:
        factory, accept = PIL.Image.OPEN.get(name, (None, None))
        with contextlib.suppress(SyntaxError, IndexError, TypeError, struct.error):
            accepted = accept(data[:16]) if accept else factory is not None
            if accepted and not isinstance(accepted, str):  # a text tells what is not installed
                return factory(io.BytesIO(data), "")
    raise PIL.UnidentifiedImageError


def _pixels(image: PIL.Image.Image) -> int:
    """Returns what an image asks memory for: the tiles of a TIFF may be larger than itself."""
    tags = getattr(image, "tag_v2", {})
    tile = [tags.get(tag, 0) for tag in (_TILE_HEIGHT, _TILE_WIDTH)]
    sides = zip((image.height, image.width), tile, strict=True)
    return math.prod(max(side, whole) for side, whole in sides if isinstance(whole, int))


@contextlib.contextmanager
def _widened(pixels: int) -> Iterator[None]:
    """Lets Pillow decode an image of so many pixels without a word."""
    if pixels <= (PIL.Image.MAX_IMAGE_PIXELS or pixels):
        yield
        return
    with _WIDENING:
        before = PIL.Image.MAX_IMAGE_PIXELS
        PIL.Image.MAX_IMAGE_PIXELS = pixels
        try:
            yield
        finally:
            PIL.Image.MAX_IMAGE_PIXELS = before


@contextlib.contextmanager
def _explained(path: str | pathlib.Path) -> Iterator[None]:
    try:
        yield
    except errors.UserError:
        raise
    except UNDECODABLE as error:
        raise errors.UserError(
            "image cannot be read or decoded",
            where=path,
            received=_without_objects(error),
            expected="an image that Pillow reads, such as JPEG or PNG",
            remedy=f"Replace the file or leave it out{CAN_SKIP}",
        ) from error


def _without_objects(error: Exception) -> str:
    """Returns an error's text without the addresses of Python objects in it."""
    if isinstance(error, PIL.UnidentifiedImageError):
        return "a file that is no image"
    if isinstance(error, OSError) and error.strerror:
        return str(lines.reason(error))
    told = re.sub(r"<[^>]* object at 0x[0-9a-f]+>", "its content", str(error))
    return told or type(error).__name__


def _is_stored_as_is(image: PIL.Image.Image, size: tuple[int, int] | None) -> bool:
    plain = image.format == "JPEG" and image.mode in ("RGB", "L")
    fits = size is None or size == (image.height, image.width)
    return plain and fits and image.getexif().get(_ORIENTATION, 1) == 1


def _rgb(image: PIL.Image.Image) -> PIL.Image.Image:
    """Converts to upright RGB."""
    if image.getexif().get(_ORIENTATION, 1) != 1:
        image = PIL.ImageOps.exif_transpose(image)
    if image.mode.startswith("I") or image.mode == "F":
        image = _eight_bit(image)
    if image.mode == "P" and "transparency" in image.info:
        image = image.convert("RGBA")
    if image.mode != "RGB":
        return image.convert("RGB")
    image.load()
    return image


def _eight_bit(image: PIL.Image.Image) -> PIL.Image.Image:
    """Keeps the upper byte of 16-bit grey, which Pillow would clip to white."""
    grey = np.asarray(image).astype(np.float64)
    scale = 257.0 if grey.max(initial=0) > 255 else 1.0
    return PIL.Image.fromarray(np.clip(grey / scale, 0, 255).round().astype(np.uint8))


def jpeg_from_image(
    image: PIL.Image.Image, *, size: tuple[int, int] | None = None, quality: int = 95
) -> tuple[bytes, tuple[int, int]]:
    """Resizes an RGB image to `(height, width)` bilinearly, aspect ratio not kept, and encodes it.

    Returns:
        The JPEG and its `(height, width)`.
    """
    image = _resized(image, size)
    encoded = io.BytesIO()
    image.save(encoded, "JPEG", quality=quality)
    return encoded.getvalue(), (image.height, image.width)


def resized(frame: np.ndarray, size: tuple[int, int] | None) -> np.ndarray:
    """Returns a frame `[height, width, 3] uint8` in another size, as `jpeg_from_image` does."""
    if size in (None, frame.shape[:2]):
        return frame
    return np.asarray(_resized(PIL.Image.fromarray(frame), size))


def _resized(image: PIL.Image.Image, size: tuple[int, int] | None) -> PIL.Image.Image:
    if size is None or size == (image.height, image.width):
        return image
    return image.resize((size[1], size[0]), PIL.Image.Resampling.BILINEAR)


def jpeg_from_array(
    frame: np.ndarray, *, size: tuple[int, int] | None = None, quality: int = 95
) -> tuple[bytes, tuple[int, int]]:
    """Encodes a frame `[height, width, 3] uint8`; see `jpeg_from_image`."""
    return jpeg_from_image(PIL.Image.fromarray(frame), size=size, quality=quality)


def size_of(jpeg: bytes, *, limits: Limits = Limits()) -> tuple[int, int]:
    """Returns the `(height, width)` of a stored JPEG without decoding it; see `opened`."""
    with opened(jpeg, where="a stored frame", limits=limits) as image:
        return image.height, image.width


def decode(
    jpeg: bytes, *, where: object = "a stored frame", limits: Limits = Limits()
) -> np.ndarray:
    """Returns the frame `[height, width, 3] uint8` of a stored JPEG; see `opened`."""
    with opened(jpeg, where=where, limits=limits) as image:
        return np.asarray(image.convert("RGB"))
