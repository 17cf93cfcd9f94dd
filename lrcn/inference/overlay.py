"""A copy of a video with the predicted label or caption drawn on every frame."""

from __future__ import annotations

import contextlib
import dataclasses
import fractions
import functools
import os
import pathlib
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import av
import matplotlib
import numpy as np
from PIL import Image, ImageDraw, ImageFont

from lrcn import errors, faults, files
from lrcn.data import containers
from lrcn.inference import wrapping

_TEXT_SHARE = 0.065
_LEAST_TEXT_SHARE = 0.045
_LEAST_SIDE = 180
_CAPTION_LINES = 3
# Parts a label from its probability; captions have single blanks only.
_GAP = "  "
_OPTIONS = {"movflags": "faststart"}
_MARK = "annotated by lrcn"
_BOX = (12, 16, 24, 190)


def check_target(path: str | os.PathLike) -> pathlib.Path:
    """Returns `path` as a path, if it can become an annotated video.

    Raises:
        errors.UserError: If it does not end in .mp4, or is a file that this did not write.
    """
    target = pathlib.Path(path)
    if target.suffix.lower() != ".mp4":
        raise errors.UserError(
            "an annotated video is an mp4 file",
            where="overlay",
            received=target,
            expected="a name that ends in .mp4",
            remedy=f"Set overlay={target.with_suffix('.mp4')}",
        )
    if target.exists() and not _is_ours(target):
        raise errors.UserError(
            "this file is not an annotated video of ours and would be lost",
            where="overlay",
            received=target,
            expected="a new name, or an earlier annotated video",
            remedy="Give another name, or remove the file first",
        )
    return target


def _is_ours(target: pathlib.Path) -> bool:
    try:
        with containers.opened(target) as container:
            return container.metadata.get("comment") == _MARK
    except (av.error.FFmpegError, OSError):
        return False


@contextlib.contextmanager
def writing(
    path: str | os.PathLike, prediction: Mapping[str, Any], *, fps: float
) -> Iterator[Writer]:
    """Yields a writer of annotated frames; the file appears when the block ends without an error.

    Args:
        path: The mp4 to write.
        prediction: A line of `predict`; where it has windows, theirs are shown in their time.
        fps: Frames per second of the frames to come.
    """
    rate = fractions.Fraction(fps).limit_denominator(1001)
    target = check_target(path)
    with (
        files.atomic_path(target) as temporary,
        av.open(str(temporary), "w", format="mp4", options=_OPTIONS) as container,
    ):
        container.metadata["comment"] = _MARK
        writer = Writer(container, prediction, rate, target)
        yield writer
        writer.finish()


class Writer:
    """Draws the text of the moment on frames and encodes them as H.264; see `writing`."""

    def __init__(
        self,
        container: Any,
        prediction: Mapping[str, Any],
        rate: fractions.Fraction,
        target: pathlib.Path,
    ):
        self._container, self._target = container, target
        self._prediction = prediction
        self._rate = rate
        self._stream = None
        self._size = (0, 0)
        self._count = 0

    def add(self, rgb: np.ndarray, seconds: float | None = None) -> None:
        """Writes the next frame.

        Args:
            rgb: [height, width, 3] uint8; all are brought to the size of the first one.
            seconds: When it is shown in the source; by default what `fps` tells.
        """
        moment = float(self._count / self._rate) if seconds is None else seconds
        picture = draw(Image.fromarray(rgb), lines_at(self._prediction, moment))
        if self._stream is None:
            self._open(picture.size)
        if picture.size != self._size:
            picture = picture.resize(self._size)
        frame = av.VideoFrame.from_ndarray(_even(np.asarray(picture)), format="rgb24")
        frame.pts, frame.time_base = self._count, 1 / self._rate
        self._encode(frame)
        self._count += 1

    def _encode(self, frame: av.VideoFrame | None = None) -> None:
        """Writes what the encoder gives; what fails here must not be blamed on the source."""
        try:
            self._container.mux(self._stream.encode(frame))
        except av.error.FFmpegError as error:
            raise faults.unwritable(self._target, error) from error

    def _open(self, size: tuple[int, int]) -> None:
        self._size = size
        self._stream = self._container.add_stream("libx264", rate=self._rate)
        self._stream.width, self._stream.height = (side + side % 2 for side in size)
        self._stream.pix_fmt = "yuv420p"
        self._stream.options = {"crf": "20", "preset": "veryfast"}

    def finish(self) -> None:
        """Writes what the encoder still holds.

        Raises:
            errors.UserError: If there was no frame.
        """
        if self._stream is None:
            raise errors.UserError(
                "there is no frame to draw on",
                where="overlay",
                received="an input of 0 frames",
                expected="an input with frames",
                remedy="Leave overlay out, or give another input",
            )
        self._encode()


def lines_at(prediction: Mapping[str, Any], seconds: float) -> list[str]:
    """Returns the text for a moment: that of the window whose middle is nearest.

    Args:
        prediction: A line of `predict`, with labels or with captions.
        seconds: Time from the start of the video.

    Returns:
        A label, two blanks and its probability; or a caption as a sentence.
    """
    windows = prediction.get("windows") or [prediction]
    if len(windows) == 1:
        return _text(windows[0])
    return _text(min(windows, key=lambda w: abs((w["start"] + w["end"]) / 2 - seconds)))


def _text(shown: Mapping[str, Any]) -> list[str]:
    if "caption" in shown:
        return [wrapping.caption(shown["caption"])]
    return [f"{shown['label']}{_GAP}{shown['probability']:.0%}"]


@dataclasses.dataclass(frozen=True)
class _Block:
    """Text as it is drawn: its lines, and in pixels its size, line spacing and margin."""

    text: str
    size: int
    spacing: int
    margin: int


def draw(frame: Image.Image, lines: Sequence[str]) -> Image.Image:
    """Returns `frame` with `lines` in white on a dark box in its upper left corner.

    The text is as high as a fixed share of the frame, lower where a line would not fit. A label
    that does not fit even then is cut, never its probability. A caption is wrapped, and cut if it
    would need more than three lines. Frames too small for legible text are enlarged by a whole
    factor.

    Args:
        frame: Of any size.
        lines: As `lines_at` returns them.
    """
    if not any(lines):
        return frame
    picture = _enlarged(frame.convert("RGB"))
    has_labels = any(_GAP in line for line in lines)
    block = (_label_block if has_labels else _caption_block)(tuple(lines), *picture.size)
    pen = ImageDraw.Draw(picture, "RGBA")
    margin = block.margin
    place = (2 * margin, 2 * margin)
    style = {"font": _font(block.size), "spacing": block.spacing}
    left, top, right, bottom = pen.multiline_textbbox(place, block.text, **style)
    pen.rounded_rectangle(
        (left - margin, top - margin, right + margin, bottom + margin), margin, fill=_BOX
    )
    pen.multiline_text(place, block.text, fill="white", **style)
    return picture


def _label_block(lines: tuple[str, ...], width: int, height: int) -> _Block:
    margin = height // 60
    room = width - 4 * margin
    size, least = _sizes(height)
    while size > least and max(_width(line, size) for line in lines) > room:
        size -= 1
    text = "\n".join(_fitting(line, size, room) for line in lines)
    return _Block(text, size, 4, margin)


@functools.lru_cache(maxsize=16)  # the next frame mostly has the same text
def _caption_block(lines: tuple[str, ...], width: int, height: int) -> _Block:
    # A sentence of the height of a label would not fit between the sides of an upright frame.
    side = min(width, height)
    margin = side // 60
    size, least = _sizes(side)
    wrapped = _wrapped(lines, size, width - 4 * margin)
    while size > least and wrapped[-1].endswith(wrapping.ELLIPSIS):
        size -= 1
        wrapped = _wrapped(lines, size, width - 4 * margin)
    return _Block("\n".join(wrapped), size, max(size // 3, 4), margin)


def _wrapped(lines: Sequence[str], size: int, room: float) -> list[str]:
    measure = functools.partial(_width, size=size)
    return wrapping.wrap(" ".join(lines), width=measure, room=room, most=_CAPTION_LINES)


def _sizes(side: int) -> tuple[int, int]:
    """Returns the usual and the least height of text, in pixels."""
    return int(side * _TEXT_SHARE), int(side * _LEAST_TEXT_SHARE)


def _enlarged(picture: Image.Image) -> Image.Image:
    factor = max(-(-_LEAST_SIDE // picture.height), -(-_LEAST_SIDE // picture.width))
    if factor == 1:
        return picture
    size = (picture.width * factor, picture.height * factor)
    return picture.resize(size, Image.Resampling.NEAREST)


def _fitting(line: str, size: int, room: float) -> str:
    if _width(line, size) <= room:
        return line
    label, probability = line.rsplit(_GAP, 1)
    while label and _width(f"{label}…{_GAP}{probability}", size) > room:
        label = label[:-1]
    return f"{label}…{_GAP}{probability}"


def _width(text: str, size: int) -> float:
    return _font(size).getlength(text)


@functools.cache
def _font(size: int) -> ImageFont.FreeTypeFont:
    """Returns the font that travels with matplotlib: it is everywhere and knows many scripts."""
    folder = pathlib.Path(matplotlib.get_data_path(), "fonts", "ttf")
    return ImageFont.truetype(str(folder / "DejaVuSans-Bold.ttf"), size)


def _even(pixels: np.ndarray) -> np.ndarray:
    """Repeats the last row or column where their number is odd: yuv420p halves both."""
    height, width, _ = pixels.shape
    return np.pad(pixels, ((0, height % 2), (0, width % 2), (0, 0)), mode="edge")
