"""A first look at a file that somebody dropped: what it is, how long it is, some of its frames."""

from __future__ import annotations

import dataclasses
import os
import pathlib
import threading

import numpy as np

from lrcn import errors
from lrcn.data import containers, images, lists
from lrcn.data.limits import Limits

MOST_PICTURES = 12
"""Frames of a video that are shown."""

_FRAMES_A_SECOND = 120  # what a video may have on average; cameras of phones reach it
_LARGEST_SIDE = 240  # pixels of a small picture
_LARGEST_IMAGE = 720  # pixels of the only one
_QUALITY = 82


class Ended(Exception):
    """The page is being stopped: nobody waits for an answer any more."""


@dataclasses.dataclass(frozen=True)
class Bounds:
    """The most that a file may ask for.

    Attributes:
        seconds: Length of a video.
        limits: Bound each image and frame.
        over: Set when the page is stopped: what is under way ends at the next frame.
    """

    seconds: float
    limits: Limits = Limits()
    over: threading.Event = dataclasses.field(default_factory=threading.Event, compare=False)

    @property
    def frames(self) -> int:
        """Frames of a video of this length, at a rate that no camera exceeds for long."""
        return min(self.limits.frames, max(int(self.seconds * _FRAMES_A_SECOND), 1))

    @property
    def of_decoding(self) -> Limits:
        """The limits that hold while a video is decoded, whatever its packets promised."""
        return dataclasses.replace(self.limits, frames=self.frames)

    def watch(self) -> None:
        """Raises `Ended` if the page is being stopped."""
        if self.over.is_set():
            raise Ended


@dataclasses.dataclass(frozen=True)
class Picture:
    """A small picture of a frame.

    Attributes:
        seconds: From the first frame.
        jpeg: The picture.
    """

    seconds: float
    jpeg: bytes


@dataclasses.dataclass(frozen=True)
class Seen:
    """What a first look at a file tells.

    Attributes:
        item: The file as an item; its id is the name that the user knows.
        width: Pixels.
        height: Pixels.
        seconds: Length of a video, 0 of an image.
        frames: How many there are.
        pictures: Some of them in order, upright and in their shape.
    """

    item: lists.Item
    width: int
    height: int
    seconds: float
    frames: int
    pictures: tuple[Picture, ...]


def look(path: str | os.PathLike, bounds: Bounds) -> Seen:
    """Looks at an image or a video, and decodes the whole of it.

    Args:
        path: The file.
        bounds: The most that it may ask for.

    Raises:
        UserError: It is neither, does not decode, or asks for more.
    """
    path = pathlib.Path(path)
    item = lists.Item(id=path.name, path=str(path.absolute()), kind="")
    try:
        if not path.stat().st_size:
            raise _empty(item)
        item = dataclasses.replace(item, kind=lists.kind_of(path))
        return _image(item, bounds) if item.kind == "image" else _video(item, bounds)
    except errors.UserError as error:
        raise named(error, item) from error


def named(error: errors.UserError, item: lists.Item) -> errors.UserError:
    """Returns an error as somebody reads it who knows a file by its name alone.

    Args:
        error: About the file.
        item: Its id is the name.
    """
    parts = {
        name: str(getattr(error, name)).replace(item.path, item.id)
        for name in ("where", "received", "expected")
    }
    return error.but(**parts, remedy=error.remedy.replace(images.CAN_SKIP, ""))


def _empty(item: lists.Item) -> errors.UserError:
    return errors.UserError(
        "the file is empty",
        where=item.id,
        received="0 bytes",
        expected="an image or a video",
        remedy="Drop it again, or take another file",
    )


def _image(item: lists.Item, bounds: Bounds) -> Seen:
    rgb = images.rgb_from_file(item.path, limits=bounds.limits)
    height, width, _ = rgb.shape
    return Seen(item, width, height, 0.0, 1, (Picture(0.0, _small(rgb, _LARGEST_IMAGE)),))


def _video(item: lists.Item, bounds: Bounds) -> Seen:
    timeline = containers.planned(item.path, limits=bounds.limits)
    _require_short(item, timeline, bounds)
    count = len(timeline.times)
    wanted = set(np.linspace(0, count - 1, min(count, MOST_PICTURES)).round().astype(int).tolist())
    rgb, found, size = containers.RgbConverter(), {}, []

    def visit(index: int, frame) -> None:
        bounds.watch()
        if index in wanted:
            picture = rgb(frame)
            size[:] = picture.shape[:2]
            found[index] = _small(picture, _LARGEST_SIDE)

    true = containers.decode(item.path, visit, limits=bounds.of_decoding)
    _require_short(item, true, bounds)
    times = np.asarray(true.times) - true.times[0]
    pictures = tuple(
        Picture(float(times[index]), jpeg) for index, jpeg in found.items() if index < len(times)
    )
    height, width = size
    return Seen(item, width, height, _length(true), len(times), pictures)


def _length(timeline: containers.Timeline) -> float:
    """Returns the seconds from the first frame to the end of the last one."""
    if not timeline.times:
        return 0.0
    last = 1 / timeline.rate if timeline.rate else 0.0
    return timeline.times[-1] - timeline.times[0] + last


def _require_short(item: lists.Item, timeline: containers.Timeline, bounds: Bounds) -> None:
    """Raises a `UserError` if a video is longer than the bounds, as its packets tell it."""
    seconds, count = _length(timeline), len(timeline.times)
    remedy = "Cut a part out of it; who started the page can raise the key seconds"
    if seconds > bounds.seconds + 0.5:  # what is cut to a length is often a frame or two longer
        raise errors.UserError(
            "the video is too long for this page",
            where=item.id,
            received=duration(seconds),
            expected=f"at most {duration(bounds.seconds)}",
            remedy=remedy,
        )
    if count > bounds.frames:
        raise errors.UserError(
            "the video has too many frames for this page",
            where=item.id,
            received=f"{count:,} frames",
            expected=f"at most {bounds.frames:,}",
            remedy=remedy,
        )


def duration(seconds: float) -> str:
    """Returns a length of time as people say it, such as `1.6 seconds` or `10:00:00 hours`."""
    if seconds < 1:
        return f"{seconds:.2f} seconds"
    if seconds < 60:
        return f"{seconds:.1f} seconds".replace(".0 ", " ")
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    if hours:
        return f"{hours}:{minutes:02}:{rest:02} hours"
    return f"{minutes}:{rest:02} minutes"


def _small(rgb: np.ndarray, largest: int) -> bytes:
    """Returns a frame as a JPEG of at most so many pixels a side."""
    height, width, _ = rgb.shape
    factor = min(largest / max(height, width), 1.0)
    size = max(round(height * factor), 1), max(round(width * factor), 1)
    return images.jpeg_from_array(rgb, size=size, quality=_QUALITY)[0]
