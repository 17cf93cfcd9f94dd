"""Still images to JPEG frames of the stored size (Pillow)."""

from __future__ import annotations

import contextlib
import io
import pathlib
import re
from collections.abc import Iterator

import numpy as np
import PIL.Image
import PIL.ImageOps

from lrcn import errors

_ORIENTATION = 0x0112
# Ends the remedies of faults of single items, and is no help to who has skipped them.
CAN_SKIP = "; `lrcn serialize` can skip it (on_error=skip)"
# What Pillow raises for data that does not decode.
UNDECODABLE = (OSError, SyntaxError, ValueError, PIL.Image.DecompressionBombError)


def jpeg_from_file(
    path: str | pathlib.Path, *, size: tuple[int, int] | None = None, quality: int = 95
) -> tuple[bytes, tuple[int, int]]:
    """Reads any image as an RGB JPEG.

    A source JPEG that already has the stored size is copied byte for byte, once it is seen to
    decode; grey, palette, CMYK, 16-bit and rotated (EXIF) images are converted, alpha is dropped.

    Args:
        path: The image.
        size: Stored `(height, width)` in pixels, or None for the image's own.
        quality: JPEG quality of encoded images.

    Returns:
        The JPEG and its `(height, width)`.

    Raises:
        UserError: If the file is missing or does not decode.
    """
    with _explained(path):
        data = pathlib.Path(path).read_bytes()
        with PIL.Image.open(io.BytesIO(data)) as image:
            if _is_stored_as_is(image, size):
                height_width = image.height, image.width
                # An eighth of the size still reads the whole stream, so a cut is found cheaply.
                image.draft(None, (1, 1))
                image.load()
                return data, height_width
            rgb = _rgb(image)
        return jpeg_from_image(rgb, size=size, quality=quality)


def rgb_from_file(path: str | pathlib.Path, *, size: tuple[int, int] | None = None) -> np.ndarray:
    """Reads any image as `[height, width, 3] uint8`; see `jpeg_from_file`."""
    with _explained(path), PIL.Image.open(path) as image:
        return np.asarray(_resized(_rgb(image), size))


@contextlib.contextmanager
def _explained(path: str | pathlib.Path) -> Iterator[None]:
    try:
        yield
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
    return re.sub(r"<[^>]* object at 0x[0-9a-f]+>", "its content", str(error))


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
    return image.convert("RGB")


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


def size_of(jpeg: bytes) -> tuple[int, int]:
    """Returns the `(height, width)` of a stored JPEG without decoding it."""
    with PIL.Image.open(io.BytesIO(jpeg)) as image:
        return image.height, image.width


def decode(jpeg: bytes) -> np.ndarray:
    """Returns the frame `[height, width, 3] uint8` of a stored JPEG."""
    with PIL.Image.open(io.BytesIO(jpeg)) as image:
        return np.asarray(image.convert("RGB"))
