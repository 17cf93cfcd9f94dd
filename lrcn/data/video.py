"""Frames of items: how many there are, and the needed ones as JPEG or RGB, in order."""

from __future__ import annotations

import dataclasses
import functools
import pathlib
from collections.abc import Callable, Iterable, Sequence
from typing import Any

import numpy as np

from lrcn import errors
from lrcn.data import containers, images, lists, sources
from lrcn.data import frames as frames_lib
from lrcn.data import modality as modality_lib
from lrcn.data import passing as passing_lib
from lrcn.data.limits import Limits

Choose = Callable[[int], np.ndarray]


@dataclasses.dataclass(frozen=True)
class Reading:
    """How frames are read.

    Attributes:
        image_shape: `(height, width, 3)` of frames in pixels, or None for the source's own.
        frame_format: Suffix of frames in folders.
        frame_step: Every `frame_step`-th frame counts, after `fps`.
        fps: Frames per second to resample videos to, or None.
        quality: JPEG quality of encoded frames.
        modality: What frames are turned into, at the stored size.
        limits: The most that a source may ask for.
        watch: Called at each frame; what it raises ends the reading of a long item.
    """

    image_shape: tuple[int, int, int] | None = None
    frame_format: str = "jpg"
    frame_step: int = 1
    fps: float | None = None
    quality: int = 95
    modality: modality_lib.Modality = modality_lib.Modality()
    limits: Limits = Limits()
    watch: Callable[[], None] = dataclasses.field(default=lambda: None, compare=False, repr=False)

    def __post_init__(self):
        shape = self.image_shape
        if shape is not None and (len(shape) != 3 or shape[2] != 3 or min(shape) < 1):
            raise errors.UserError(
                "bad shape of frames",
                where="raw_image_shape",
                received=list(shape),
                expected="[height, width, 3], or null for the sources' own",
                remedy="Set raw_image_shape=[240,320,3], for example",
            )
        if self.frame_step < 1:
            raise errors.UserError(
                "bad step",
                where="dataset.frame_step",
                received=self.frame_step,
                expected="1 or more",
                remedy="Set dataset.frame_step=1 to keep every frame",
            )
        if self.fps is not None and not self.fps > 0:
            raise errors.UserError(
                "bad rate",
                where="dataset.fps",
                received=self.fps,
                expected="more than 0, or null",
                remedy="Set dataset.fps=null to keep the videos' own rates",
            )

    @property
    def size(self) -> tuple[int, int] | None:
        """`(height, width)` or None."""
        return tuple(self.image_shape[:2]) if self.image_shape else None

    def jpeg(self, path: str | pathlib.Path) -> tuple[bytes, tuple[int, int]]:
        """Returns an image file as JPEG with its `(height, width)`."""
        return images.jpeg_from_file(path, size=self.size, quality=self.quality, limits=self.limits)

    def passing(
        self,
        kept: np.ndarray,
        wanted: Iterable[int],
        *,
        rgb: Callable[[Any], np.ndarray],
        where: object,
    ) -> passing_lib.Passing:
        """Returns what makes the images at places `wanted` of the frames `kept` of a source."""
        return passing_lib.Passing(
            kept,
            wanted,
            rgb=rgb,
            modality=self.modality,
            quality=self.quality,
            where=where,
            watch=self.watch,
        )


@dataclasses.dataclass(frozen=True)
class Frames:
    """Frames that were read: how many the item has, the needed ones as JPEG, `(height, width)`."""

    count: int
    jpegs: list[bytes]
    size: tuple[int, int] | None


def read(item: lists.Item, reading: Reading, choose: Choose | None = None) -> Frames:
    """Reads the needed frames of an item in one go; the whole item is seen to decode.

    Args:
        item: What is read.
        reading: Size, step and rate.
        choose: From the number of frames to the indices that are needed; None needs all.

    Returns:
        The number of frames after `fps` and `frame_step`, and the JPEGs in the order of their
        indices, all of one size.

    Raises:
        UserError: If the item has a problem, is missing, cut short or does not decode, or if
            its frames differ in size and none is asked for; or is changed while it is read.
        ShortVideo: As `choose` raises it.
    """
    if item.problem is not None:
        raise item.problem
    try:
        with sources.unchanged(item, reading.frame_format):
            count, frames = _READERS[item.kind](item, reading, choose or np.arange)
        if not count:
            raise errors.UserError(
                "no frames",
                where=item.path,
                received="0 frames",
                expected="at least one frame",
                remedy=f"Replace the item or leave it out{images.CAN_SKIP}",
            )
        size = _common_size(item, [size for _, size in frames])
    except errors.UserError as error:
        raise located(error, item) from error
    except OSError as error:
        raise unreadable(error, item) from error
    return Frames(count, [jpeg for jpeg, _ in frames], size)


def unreadable(error: OSError, item: lists.Item) -> errors.UserError:
    """Returns the error for an item that the system does not let us read."""
    return errors.UserError(
        "cannot be read",
        where=item.where or item.path,
        received=error,
        expected="a file or folder that this user may read",
        remedy="Correct the path or its rights, or leave the item out",
    )


def located(error: errors.UserError, item: lists.Item) -> errors.UserError:
    """Returns the error with the place of the item and its path in front."""
    where = error.where
    for place in (item.path, item.where):
        if place not in where:
            where = f"{place}: {where}"
    return error.but(where=where)


def _read_image(item: lists.Item, reading: Reading, choose: Choose) -> tuple[int, list]:
    if reading.modality.is_of_pairs:
        modality_lib.refuse_single(1, item.path)
    needed = choose(1)
    made = passing_lib.Made(reading.limits, where=item.path)
    made.add([(0, reading.jpeg(item.path))])
    return 1, [made.found[0] for _ in needed]


def _read_folder(item: lists.Item, reading: Reading, choose: Choose) -> tuple[int, list]:
    _refuse_fps(reading, item, "a folder of frames")
    files = frames_lib.frame_files(item.path, reading.frame_format, limits=reading.limits)
    files = files[:: reading.frame_step]
    needed = choose(len(files))
    if reading.modality.is_of_pairs:
        rgb = functools.partial(images.rgb_from_file, size=reading.size, limits=reading.limits)
        return len(files), _of_sequence(files, needed, reading, rgb, item)
    made = passing_lib.Made(reading.limits, where=item.path)
    for index in needed.tolist():
        reading.watch()
        made.add([(index, reading.jpeg(files[index]))])
    return len(files), [made.found[index] for index in needed.tolist()]


def _read_video(item: lists.Item, reading: Reading, choose: Choose) -> tuple[int, list]:
    rgb = containers.RgbConverter(reading.size)
    return containers.select(
        item.path,
        choose,
        functools.partial(reading.passing, rgb=rgb, where=item.path),
        frame_step=reading.frame_step,
        fps=reading.fps,
        limits=reading.limits,
    )


def _of_sequence(
    frames: Sequence, needed: np.ndarray, reading: Reading, rgb: Callable, item: lists.Item
) -> list:
    """Returns the images at the needed places of frames that can be had in any order."""
    passing = reading.passing(np.arange(len(frames)), needed.tolist(), rgb=rgb, where=item.path)
    made = passing_lib.Made(reading.limits, where=item.path)
    for number in passing.needed:
        made.add(passing.visit(number, frames[number]))
    return [made.found[place] for place in needed.tolist()]


def _read_picture(item: lists.Item, reading: Reading, choose: Choose) -> tuple[int, list]:
    # As with an image on disk, step and rate have nothing to act on.
    return _read_array(item, dataclasses.replace(reading, frame_step=1, fps=None), choose)


def _read_array(item: lists.Item, reading: Reading, choose: Choose) -> tuple[int, list]:
    _refuse_fps(reading, item, "an item without time stamps")
    frames = _loaded(item, reading.limits)[:: reading.frame_step]
    needed = choose(len(frames))

    def rgb(frame):
        frame = np.asarray(frame)
        if frame.dtype != np.uint8 or frame.shape[2:] != (3,):
            raise errors.UserError(
                "bad frame",
                where=item.path,
                received=f"{frame.dtype} {list(frame.shape)}",
                expected="uint8 [height, width, 3]",
                remedy="Let the item's load yield frames of this type and shape",
            )
        return images.resized(frame, reading.size)

    return len(frames), _of_sequence(frames, needed, reading, rgb, item)


def _loaded(item: lists.Item, limits: Limits) -> list:
    frames = []
    for frame in item.load():
        frames.append(frame)
        limits.require("frames", len(frames), where=item.path, what="a video")
    return frames


_READERS = {
    "image": _read_image,
    "frames": _read_folder,
    "video": _read_video,
    "picture": _read_picture,
    "array": _read_array,
}


def _refuse_fps(reading: Reading, item: lists.Item, what: str) -> None:
    if reading.fps is not None:
        raise errors.UserError(
            f"{what} has no rate to resample",
            where=item.path,
            received=f"dataset.fps={reading.fps}",
            expected="dataset.fps=null",
            remedy="Use dataset.frame_step=k to keep every k-th frame",
        )


def _common_size(item: lists.Item, sizes: list[tuple[int, int]]) -> tuple[int, int] | None:
    others = [(index, size) for index, size in enumerate(sizes) if size != sizes[0]]
    if others:
        index, size = others[0]
        raise errors.UserError(
            "frames differ in size",
            where=item.path,
            received=f"{list(size)} in frame {index} of those stored",
            expected=f"{list(sizes[0])} as the first",
            remedy="Set raw_image_shape=[height,width,3]",
        )
    return sizes[0] if sizes else None


def count_frames(
    item: lists.Item,
    *,
    frame_format: str = "jpg",
    frame_step: int = 1,
    fps: float | None = None,
    limits: Limits = Limits(),
) -> int:
    """Counts the frames of an item after `fps` and `frame_step`; a video is decoded whole."""
    if item.problem is not None:
        raise item.problem
    reading = Reading(frame_format=frame_format, frame_step=frame_step, fps=fps, limits=limits)
    if item.kind == "video":
        try:
            timeline = containers.decode(item.path, limits=limits)
            return len(timeline.kept(frame_step=frame_step, fps=fps, limits=limits))
        except errors.UserError as error:
            raise located(error, item) from error
    none = np.zeros([0], np.int64)
    return read(item, reading, lambda n: none).count if item.kind not in ("image", "picture") else 1
