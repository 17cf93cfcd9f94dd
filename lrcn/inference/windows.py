"""The windows of an image, a folder of frames or a video, a bounded number of them at a time."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Sequence

import numpy as np

from lrcn import errors
from lrcn.data import clips as clips_lib
from lrcn.data import containers, epochs, lists, sources, video

FOLDER_RATE = 25.0
"""Frames per second that folders of frames are taken to have."""

Score = Callable[[Sequence[bytes], np.ndarray], np.ndarray]


@dataclasses.dataclass(frozen=True)
class Scored:
    """Windows in time order with what was made of each.

    Attributes:
        values: What was said of each, [windows, ...].
        start: [windows], seconds from the first frame to the begin of the window.
        end: [windows], seconds to the end of its last frame.
    """

    values: np.ndarray
    start: np.ndarray
    end: np.ndarray


@dataclasses.dataclass(frozen=True)
class Plan:
    """How windows are cut.

    Attributes:
        mode: The clip mode; images are one frame and ignore it.
        reading: Size, step and rate of frames.
        at_once: How many windows are held in memory.
        short_videos: "error" or "loop".
        seed: Of random modes.
    """

    mode: clips_lib.ClipMode
    reading: video.Reading
    at_once: int
    short_videos: str = "loop"
    seed: int = 0

    def table(self, count: int) -> np.ndarray:
        """Returns the frames of each window of an item of `count` frames, [windows, time]."""
        rng = np.random.default_rng(epochs.evaluation_key(self.seed, count))
        return clips_lib.choose(self.mode, count, rng, short_videos=self.short_videos)

    def parts(self, table: np.ndarray) -> list[np.ndarray]:
        """Returns the table in pieces of at most `at_once` windows."""
        return [table[i : i + self.at_once] for i in range(0, len(table), self.at_once)]


def scored(item: lists.Item, plan: Plan, score: Score) -> Scored:
    """Cuts an item into windows and scores them, with few frames in memory at any time.

    Args:
        item: An image, a folder of frames or a video.
        plan: How windows are cut.
        score: From JPEG frames and a table [windows, time] of indices into them to [windows, ...].

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
    return Scored(score(frames, np.zeros([1, 1], np.int64)), np.zeros(1), np.zeros(1))


def _folder(item: lists.Item, plan: Plan, score: Score) -> Scored:
    reading = plan.reading
    none = np.zeros([0], np.int64)
    table = plan.table(video.read(item, reading, lambda count: none).count)
    values = []
    for part in plan.parts(table):
        needed, local = np.unique(part, return_inverse=True)
        read = video.read(item, reading, lambda count, needed=needed: needed)
        values.append(score(read.jpegs, local.reshape(part.shape)))
    times = np.arange(table.max() + 2) * reading.frame_step / FOLDER_RATE
    return _timed(np.concatenate(values), table, times)


def _video(item: lists.Item, plan: Plan, score: Score) -> Scored:
    """Scores windows while the video is decoded, once unless its packets promise wrongly."""
    limits = plan.reading.limits
    options = {"frame_step": plan.reading.frame_step, "fps": plan.reading.fps, "limits": limits}
    timeline = containers.planned(item.path, limits=limits)
    while True:
        kept = timeline.kept(**options)
        table = plan.table(len(kept)) if len(kept) else np.zeros([0, 1], np.int64)
        windows = _Windows(plan, kept, table, score, item.path)
        true = containers.decode(item.path, windows.visit, limits=limits)
        same = true.kept(**options)
        if len(same) == len(kept) and (same == kept).all():
            break
        timeline = true
    times = np.asarray(true.times) - true.times[0]
    last = times[-1] + (1 / true.rate if true.rate else 0.0)
    return _timed(np.concatenate(windows.values), kept[table], np.append(times, last))


def _timed(values: np.ndarray, table: np.ndarray, times: np.ndarray) -> Scored:
    return Scored(values, times[table.min(axis=1)], times[table.max(axis=1) + 1])


class _Windows:
    """Keeps the frames of the windows that are not complete yet, while a video passes by.

    Args:
        plan: How windows are cut.
        kept: Numbers in the file of the frames that count.
        table: Places among them, [windows, time], in time order.
        score: Called with each part of the windows once all its frames have been seen.
        path: The video.
    """

    def __init__(self, plan: Plan, kept: np.ndarray, table: np.ndarray, score: Score, path: str):
        self.values: list[np.ndarray] = []
        self._waiting = plan.parts(table)
        self._frames: dict[int, bytes] = {}
        self._passing = plan.reading.passing(
            kept,
            np.unique(table).tolist(),
            rgb=containers.RgbConverter(plan.reading.size),
            where=path,
        )
        self._score = score

    def visit(self, index: int, frame) -> None:
        """Takes the next frame."""
        made = self._passing.visit(index, frame)
        self._frames.update((place, jpeg) for place, (jpeg, _) in made)
        while made and self._waiting and self._waiting[0].max() <= max(self._frames, default=-1):
            self._finish(self._waiting.pop(0))

    def _finish(self, part: np.ndarray) -> None:
        needed, local = np.unique(part, return_inverse=True)
        frames = [self._frames[index] for index in needed.tolist()]
        self.values.append(self._score(frames, local.reshape(part.shape)))
        first = min((part.min() for part in self._waiting), default=np.inf)
        self._frames = {index: jpeg for index, jpeg in self._frames.items() if index >= first}
