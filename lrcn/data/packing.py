"""One item to one record: its frames are read, its clips chosen, and both serialized."""

from __future__ import annotations

import contextlib
import dataclasses
from collections.abc import Mapping

import numpy as np

from lrcn import errors
from lrcn.data import clips as clips_lib
from lrcn.data import framing, known, lists, records, video


@dataclasses.dataclass(frozen=True)
class Packed:
    """An item as a record, or the fault that prevents it.

    Attributes:
        item: The item.
        record: The serialized example.
        frames: Number of stored frames.
        clips: Number of stored clips.
        size: `(height, width)` of the frames.
        fault: What is wrong with the item; then there is no record.
    """

    item: lists.Item
    record: bytes = b""
    frames: int = 0
    clips: int = 0
    size: tuple[int, int] | None = None
    fault: errors.UserError | None = None

    def without_record(self) -> Packed:
        """Returns the same without its bytes."""
        return dataclasses.replace(self, record=b"")


class Stopped(Exception):
    """Nobody wants the item any more that is being read."""


@dataclasses.dataclass
class Packer:
    """Makes records of the items of a split; called by several threads at once.

    Attributes:
        items: The items.
        label_names: Names of the classes, possibly none.
        reading: Size, step and rate of frames.
        mode: How clips are chosen, None to keep every frame.
        short_videos: `error`, `loop` or `skip`.
        known: Where records lie that hold the frames of items already, by place in `items`; only
            if every frame is kept.
        seed: With the place of an item in `items` it decides on the clips of that item.
        only_lengths: Set once the records are lost anyway because a video was too short: the
            others like it are still looked for, but nothing is encoded any more.
        is_stopped: Set once nobody waits for items any more, so that a long one is given up.
    """

    items: tuple[lists.Item, ...]
    label_names: tuple[str, ...]
    reading: video.Reading
    mode: clips_lib.ClipMode | None
    short_videos: str
    seed: int
    known: Mapping[int, framing.Place] = dataclasses.field(default_factory=dict)
    only_lengths: bool = False
    is_stopped: bool = False

    def __post_init__(self):
        self.reading = dataclasses.replace(self.reading, watch=self._watch)

    def _watch(self) -> None:
        if self.is_stopped:
            raise Stopped

    def __call__(self, index: int) -> Packed:
        """Returns item `index` as a record, or with its fault."""
        item, tables = self.items[index], []

        def choose(n: int) -> np.ndarray:
            frames, table = self._clips(index, n)
            tables.append(table)
            return frames[:0] if self.only_lengths else frames

        try:
            read = self._known(index)
            read = read or video.read(item, self.reading, choose if self.mode else None)
        except errors.UserError as fault:
            return Packed(item, fault=fault)
        return self._packed(item, read, tables[-1] if self.mode else None)

    def _known(self, index: int) -> video.Frames | None:
        if index in self.known:
            with contextlib.suppress(OSError):  # the other records may be gone by now
                return known.read(self.known[index], limits=self.reading.limits)
        return None

    def _clips(self, index: int, n: int) -> tuple[np.ndarray, np.ndarray]:
        """Returns the frames that are needed of `n`, and the clips as places among them."""
        rng = np.random.default_rng([self.seed, index])
        chosen = clips_lib.choose(self.mode, n, rng, short_videos=self.short_videos)
        frames, places = np.unique(chosen, return_inverse=True)
        return frames, places.reshape(chosen.shape)

    def _packed(self, item: lists.Item, read: video.Frames, table: np.ndarray | None) -> Packed:
        names = self.label_names
        record = records.encode_example(
            id=item.id,
            path=item.path,
            frames=read.jpegs,
            clips=table,
            labels=item.labels,
            label_text=[names[label] for label in item.labels] if names else (),
            captions=item.captions,
            group=item.group,
        )
        clips = 0 if table is None else len(table)
        return Packed(item, record, len(read.jpegs), clips, read.size)
