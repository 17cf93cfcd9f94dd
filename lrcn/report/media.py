"""Pictures that travel inside the page, as data URIs of a bounded size."""

from __future__ import annotations

import base64
import io
from collections.abc import Sequence

import matplotlib
import numpy as np
from PIL import Image

from lrcn.data.modality import Modality
from lrcn.inference import colours

BYTES = 6_500_000
"""Of all pictures of a page, before base64, which adds a third."""

_MOST_FRAMES = 32  # of an animation
_MILLISECONDS = 110  # a frame of it
# Width in pixels, frames and quality, from the best to what is still to be seen.
_WAYS = ((256, 32, 68), (224, 24, 55), (192, 20, 45), (160, 16, 38), (128, 12, 30), (96, 8, 25))
_STRONGEST = 0.72  # share of the heat in its strongest place; the picture stays visible


def still(frame: np.ndarray, *, width: int, quality: int = 70) -> str:
    """Returns a picture as a data URI.

    Args:
        frame: [height, width, 3] uint8.
        width: In pixels, at most; smaller pictures keep their size.
        quality: Of the WebP, 0 to 100.
    """
    stored = io.BytesIO()
    _scaled(frame, width).save(stored, "WEBP", quality=quality, method=4)
    return _uri(stored.getvalue())


def animation(frames: Sequence[np.ndarray], *, at_most: int) -> str:
    """Returns frames as an animated WebP, a data URI, in the best quality that fits.

    Args:
        frames: [height, width, 3] uint8 each; an even spread of them is shown.
        at_most: Bytes; the least quality is taken where none fits.
    """
    data = b""
    for width, count, quality in _WAYS:
        data = _animated([frames[place] for place in spread(len(frames), count)], width, quality)
        if len(data) <= at_most:
            break
    return _uri(data)


def spread(length: int, count: int) -> list[int]:
    """Returns places of a sequence: the middles of `count` equal parts of it, each once.

    Args:
        length: Of the sequence.
        count: The most places.
    """
    count = min(length, count)
    return [int((2 * part + 1) * length / (2 * count)) for part in range(count)]


def heated(frame: np.ndarray, heat: np.ndarray) -> np.ndarray:
    """Returns a frame in grey below the colours of heat, which are the denser the stronger.

    Args:
        frame: [height, width, 3] uint8.
        heat: [height, width] float, 0 to 1.
    """
    grey = np.repeat(frame.mean(axis=-1, keepdims=True), 3, axis=-1) * 0.75 + 55
    painted = matplotlib.colormaps["inferno"](0.5 + 0.4 * heat)[..., :3] * 255  # red to yellow
    density = (_STRONGEST * heat**0.6)[..., None]
    return np.rint(grey * (1 - density) + painted * density).astype(np.uint8)


def seen(frames: np.ndarray, modality: str) -> np.ndarray:
    """Returns frames as they are looked at: optical flow in colours, others as they are.

    Args:
        frames: [time, height, width, 3] uint8.
        modality: What they show, see `data.modality`.
    """
    if Modality(modality).name != "flow":
        return frames
    moved = colours.motion(frames)
    return colours.paint(moved, fastest=colours.fastest(moved.reshape(-1, 2)))


def _animated(frames: Sequence[np.ndarray], width: int, quality: int) -> bytes:
    first, *others = [_scaled(frame, width) for frame in frames[:_MOST_FRAMES]]
    stored = io.BytesIO()
    options = {"quality": quality, "method": 3, "duration": _MILLISECONDS, "loop": 0}
    first.save(stored, "WEBP", save_all=True, append_images=others, **options)
    return stored.getvalue()


def _scaled(frame: np.ndarray, width: int) -> Image.Image:
    picture = Image.fromarray(np.ascontiguousarray(frame))
    if picture.width <= width:
        return picture
    size = (width, max(round(picture.height * width / picture.width), 1))
    return picture.resize(size, Image.Resampling.LANCZOS)


def _uri(data: bytes) -> str:
    return f"data:image/webp;base64,{base64.b64encode(data).decode()}"
