"""A copy of a video with the predicted label and its probability drawn on every frame."""

from __future__ import annotations

import fractions
import functools
import os
import pathlib
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import av
import matplotlib
import numpy as np
from PIL import Image, ImageDraw, ImageFont

from lrcn import errors, files

_TEXT_SHARE = 0.065
_LEAST_TEXT_SHARE = 0.045
_LEAST_SIDE = 180
_BOX = (12, 16, 24, 190)


def check_target(path: str | os.PathLike) -> pathlib.Path:
    """Returns `path` as a path, if it can become an annotated video.

    Raises:
        errors.UserError: If it does not end in .mp4.
    """
    target = pathlib.Path(path)
    if target.suffix.lower() != ".mp4":
        raise errors.UserError(
            "an annotated video is an mp4 file",
            where="overlay",
            received=target,
            expected="a name that ends in .mp4",
        )
    return target


def write(
    path: str | os.PathLike,
    frames: Iterable[np.ndarray],
    prediction: Mapping[str, Any],
    *,
    fps: fractions.Fraction | float,
) -> None:
    """Writes `frames` with the label of the window around each of them as H.264.

    Args:
        path: The mp4 to write.
        frames: Each [height, width, 3] uint8; all are brought to the size of the first one.
        prediction: A line of `predict`; where it has windows, theirs are shown in their time.
        fps: Frames per second of `frames`.
    """
    rate = fractions.Fraction(fps).limit_denominator(65535)
    with files.atomic_path(check_target(path)) as temporary:
        _encode(temporary, _annotated(frames, prediction, rate), rate)


def _annotated(
    frames: Iterable[np.ndarray], prediction: Mapping[str, Any], rate: fractions.Fraction
) -> Iterable[Image.Image]:
    for index, frame in enumerate(frames):
        yield draw(Image.fromarray(frame), lines_at(prediction, float(index / rate)))


def lines_at(prediction: Mapping[str, Any], seconds: float) -> list[str]:
    """Returns the text for a moment: that of the window whose middle is nearest.

    Args:
        prediction: A line of `predict`.
        seconds: Time from the start of the video.
    """
    windows = prediction.get("windows") or [prediction]
    if len(windows) == 1:
        return _text(windows[0])
    return _text(min(windows, key=lambda w: abs((w["start"] + w["end"]) / 2 - seconds)))


def _text(shown: Mapping[str, Any]) -> list[str]:
    return [f"{shown['label']}  {shown['probability']:.0%}"]


def draw(frame: Image.Image, lines: Sequence[str]) -> Image.Image:
    """Returns `frame` with `lines` in white on a dark box in its upper left corner.

    The text is as high as a fixed share of the frame, lower where a line would not fit, and a label
    that does not fit even then is cut, never its probability. Frames too small for legible text are
    enlarged by a whole factor.
    """
    if not lines:
        return frame
    picture = _enlarged(frame.convert("RGB"))
    pen = ImageDraw.Draw(picture, "RGBA")
    margin = picture.height // 60
    room = picture.width - 4 * margin
    size, least = (int(picture.height * share) for share in (_TEXT_SHARE, _LEAST_TEXT_SHARE))
    while size > least and max(_width(line, size) for line in lines) > room:
        size -= 1
    text = "\n".join(_fitting(line, size, room) for line in lines)
    place = (2 * margin, 2 * margin)
    left, top, right, bottom = pen.multiline_textbbox(place, text, font=_font(size))
    pen.rounded_rectangle(
        (left - margin, top - margin, right + margin, bottom + margin), margin, fill=_BOX
    )
    pen.multiline_text(place, text, font=_font(size), fill="white")
    return picture


def _enlarged(picture: Image.Image) -> Image.Image:
    factor = max(-(-_LEAST_SIDE // picture.height), -(-_LEAST_SIDE // picture.width))
    if factor == 1:
        return picture
    size = (picture.width * factor, picture.height * factor)
    return picture.resize(size, Image.Resampling.NEAREST)


def _fitting(line: str, size: int, room: float) -> str:
    if _width(line, size) <= room:
        return line
    label, probability = line.rsplit("  ", 1)
    while label and _width(f"{label}…  {probability}", size) > room:
        label = label[:-1]
    return f"{label}…  {probability}"


def _width(text: str, size: int) -> float:
    return _font(size).getlength(text)


@functools.cache
def _font(size: int) -> ImageFont.FreeTypeFont:
    """Returns the font that travels with matplotlib: it is everywhere and knows many scripts."""
    folder = pathlib.Path(matplotlib.get_data_path(), "fonts", "ttf")
    return ImageFont.truetype(str(folder / "DejaVuSans-Bold.ttf"), size)


def _encode(path: pathlib.Path, frames: Iterable[Image.Image], rate: fractions.Fraction) -> None:
    with av.open(str(path), "w", format="mp4", options={"movflags": "faststart"}) as container:
        stream = None
        for index, picture in enumerate(frames):
            if stream is None:
                stream = container.add_stream("libx264", rate=rate)
                stream.width, stream.height = (side + side % 2 for side in picture.size)
                stream.pix_fmt = "yuv420p"
                stream.options = {"crf": "20", "preset": "veryfast"}
                size = picture.size
            pixels = np.asarray(picture if picture.size == size else picture.resize(size))
            frame = av.VideoFrame.from_ndarray(_even(pixels), format="rgb24")
            frame.pts, frame.time_base = index, 1 / rate
            container.mux(stream.encode(frame))
        if stream is None:
            raise errors.UserError("there is no frame to draw on", where=path)
        container.mux(stream.encode())


def _even(pixels: np.ndarray) -> np.ndarray:
    """Repeats the last row or column where their number is odd: yuv420p halves both."""
    height, width, _ = pixels.shape
    return np.pad(pixels, ((0, height % 2), (0, width % 2), (0, 0)), mode="edge")
