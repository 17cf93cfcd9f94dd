"""The windows of an image, a folder of frames or a video, with few frames in memory at any time."""

from __future__ import annotations

import collections
import dataclasses
from collections.abc import Callable, Iterable

import numpy as np

from lrcn import errors
from lrcn.data import clips as clips_lib
from lrcn.data import containers, epochs, lists, ordered, sources, video

FOLDER_RATE = 25.0
"""Frames per second that folders of frames are taken to have."""

_WAITING = 128  # frames that are read ahead of what scores them
_FILES = 64  # frames of a folder that are read at once

Score = Callable[[Iterable[bytes], np.ndarray], np.ndarray]


@dataclasses.dataclass(frozen=True)
class Scored:
    """Windows in time order with what was made of each.

    Attributes:
        values: What was said of each, [windows, ...].
        start: [windows], seconds from the first frame to the begin of the window.
        end: [windows], seconds to the end of its last frame.
        times: [windows, time], seconds to each frame that the window shows.
    """

    values: np.ndarray
    start: np.ndarray
    end: np.ndarray
    times: np.ndarray


@dataclasses.dataclass(frozen=True)
class Plan:
    """How windows are cut.

    Attributes:
        mode: The clip mode; images are one frame and ignore it.
        reading: Size, step and rate of frames.
        short_videos: "error" or "loop".
        seed: Of random modes.
    """

    mode: clips_lib.ClipMode
    reading: video.Reading
    short_videos: str = "loop"
    seed: int = 0

    def table(self, count: int) -> np.ndarray:
        """Returns the frames of each window of an item of `count` frames, [windows, time]."""
        rng = np.random.default_rng(epochs.evaluation_key(self.seed, count))
        return clips_lib.choose(self.mode, count, rng, short_videos=self.short_videos)


def scored(item: lists.Item, plan: Plan, score: Score) -> Scored:
    """Cuts an item into windows and scores them while it is read.

    Args:
        item: An image, a folder of frames or a video.
        plan: How windows are cut.
        score: From the frames that a table [windows, time] names, as JPEGs, each once and in order,
            and the table to [windows, ...].

    Raises:
        errors.UserError: If the item is missing, cut short, does not decode or changes meanwhile.
    """
    ways = {"image": _image, "frames": _folder, "video": _video}
    try:
        with sources.unchanged(item, plan.reading.frame_format):
            return ways[item.kind](item, plan, score)
    except errors.UserError as error:
        raise video.located(error, item) from error


def _image(item: lists.Item, plan: Plan, score: Score) -> Scored:
    frames = video.read(item, plan.reading).jpegs
    values = score(frames, np.zeros([1, 1], np.int64))
    return Scored(values, np.zeros(1), np.zeros(1), np.zeros([1, 1]))


def _folder(item: lists.Item, plan: Plan, score: Score) -> Scored:
    reading = plan.reading
    none = np.zeros([0], np.int64)
    table = plan.table(video.read(item, reading, lambda count: none).count)
    wanted = np.unique(table)

    def produce(put: Callable[[bytes], None]) -> None:
        for start in range(0, len(wanted), _FILES):
            part = wanted[start : start + _FILES]
            for jpeg in video.read(item, reading, lambda count, part=part: part).jpegs:
                put(jpeg)

    with ordered.ahead(produce, most=_WAITING) as jpegs:
        values = score(jpegs, table)
    times = np.arange(table.max() + 2) * reading.frame_step / FOLDER_RATE
    return _timed(values, table, times)


def _video(item: lists.Item, plan: Plan, score: Score) -> Scored:
    """Scores windows while the video is decoded, once unless its packets promise wrongly."""
    timeline = containers.planned(item.path, limits=plan.reading.limits)
    while True:
        try:
            return _of_timeline(item, plan, score, timeline)
        except _Misjudged as error:
            timeline = error.true


def _of_timeline(
    item: lists.Item, plan: Plan, score: Score, timeline: containers.Timeline
) -> Scored:
    """Scores the windows of a video whose frames are at the times that are told.

    Raises:
        _Misjudged: They are not.
    """
    reading = plan.reading
    options = {"frame_step": reading.frame_step, "fps": reading.fps, "limits": reading.limits}
    kept = timeline.kept(**options)
    table = plan.table(len(kept)) if len(kept) else np.zeros([0, 1], np.int64)
    rgb = containers.RgbConverter(reading.size)
    passing = reading.passing(kept, np.unique(table).tolist(), rgb=rgb, where=item.path)
    found = []

    def produce(put: Callable[[bytes], None]) -> None:
        def visit(index, frame):
            for _, (jpeg, _) in passing.visit(index, frame):
                put(jpeg)

        true = containers.decode(item.path, visit, limits=reading.limits)
        same = true.kept(**options)
        if len(same) != len(kept) or (same != kept).any():
            raise _Misjudged(true)
        found.append(true)

    with ordered.ahead(produce, most=_WAITING) as jpegs:
        values = score(jpegs, table) if len(table) else None
        collections.deque(jpegs, maxlen=0)  # what comes after the last window has to decode, too
    (true,) = found
    times = np.asarray(true.times) - true.times[0]
    last = times[-1] + (1 / true.rate if true.rate else 0.0)
    return _timed(values, kept[table], np.append(times, last))


class _Misjudged(Exception):
    """The packets of a video promised other frames than there are.

    Args:
        true: When its frames are.
    """

    def __init__(self, true: containers.Timeline):
        super().__init__()
        self.true = true


def _timed(values: np.ndarray, table: np.ndarray, times: np.ndarray) -> Scored:
    start, end = times[table.min(axis=1)], times[table.max(axis=1) + 1]
    return Scored(values, start, end, times[table])
