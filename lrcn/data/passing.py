"""Frames in order in, and out of them the JPEGs that are needed, in any modality."""

from __future__ import annotations

import collections
import dataclasses
from collections.abc import Callable, Iterable
from typing import Any

import numpy as np

from lrcn import errors
from lrcn.data import images
from lrcn.data import modality as modality_lib
from lrcn.data.limits import Limits

Images = list[tuple[int, tuple[bytes, tuple[int, int]]]]
"""Place, JPEG and `(height, width)` of each image."""


@dataclasses.dataclass
class Made:
    """The images of an item, all of which are in memory until it becomes a record.

    Attributes:
        limits: `record_bytes` bounds them.
        where: The item, for the message.
        found: JPEG and `(height, width)` by place.
        bytes: Of all of them.
    """

    limits: Limits
    where: object
    found: dict[int, tuple[bytes, tuple[int, int]]] = dataclasses.field(default_factory=dict)
    bytes: int = 0

    def add(self, images_of: Images) -> None:
        """Adds images.

        Raises:
            UserError: They are more than a record may hold.
        """
        self.found.update(images_of)
        self.bytes += sum(len(jpeg) for _, (jpeg, _) in images_of)
        what = "what is to be stored of an item"
        self.limits.require("record_bytes", self.bytes, where=self.where, what=what)


class Passing:
    """Makes the images that are needed of frames that pass by, and holds as few as it can.

    Args:
        kept: [n], ascending: the number in the source of each frame that counts.
        wanted: Places in `kept` whose images are needed.
        rgb: From what passes by to a frame [height, width, 3] uint8.
        modality: What the images show.
        quality: JPEG quality.
        where: The source, for messages.
        watch: Called at each frame that passes by; what it raises ends the work.

    Raises:
        UserError: The modality is of pairs and there are not two frames.
    """

    def __init__(
        self,
        kept: np.ndarray,
        wanted: Iterable[int],
        *,
        rgb: Callable[[Any], np.ndarray],
        modality: modality_lib.Modality,
        quality: int,
        where: object,
        watch: Callable[[], None] = lambda: None,
    ):
        self._rgb, self._quality, self._where, self._watch = rgb, quality, where, watch
        self._makers: dict[int, list[tuple[int, int | None]]] = collections.defaultdict(list)
        self._last_use: dict[int, int] = {}
        self._held: dict[int, np.ndarray] = {}
        self._between = None
        places = sorted(set(wanted))
        if places and modality.is_of_pairs:
            modality_lib.refuse_single(len(kept), where)
            self._between = modality_lib.between(modality)
        for place in places:
            before, after = self._sources(kept, place)
            self._makers[after].append((place, before))
            if before is not None:
                self._last_use[before] = max(self._last_use.get(before, 0), after)

    def _sources(self, kept: np.ndarray, place: int) -> tuple[int | None, int]:
        if self._between is None:
            return None, int(kept[place])
        before, after = modality_lib.pair(place)
        return int(kept[before]), int(kept[after])

    @property
    def needed(self) -> list[int]:
        """The numbers in the source of all frames that are looked at, ascending."""
        return sorted({*self._makers, *self._last_use})

    def visit(self, number: int, passed: Any) -> Images:
        """Takes the next frame; returns `(place, (JPEG, (height, width)))` of what is made now."""
        self._watch()
        if number not in self._makers and number not in self._last_use:
            return []
        frame = self._rgb(passed)
        if number in self._last_use:
            self._held[number] = frame
        made, jpegs = [], {}  # a frame that is shown twice is encoded once
        for place, before in self._makers.get(number, ()):
            if before not in jpegs:
                image = self._image(frame, before)
                jpegs[before] = images.jpeg_from_array(image, quality=self._quality)
            made.append((place, jpegs[before]))
        for held in [held for held in self._held if self._last_use[held] <= number]:
            del self._held[held]
        return made

    def _image(self, frame: np.ndarray, before: int | None) -> np.ndarray:
        if before is None:
            return frame
        if self._held[before].shape != frame.shape:
            raise errors.UserError(
                "frames differ in size",
                where=self._where,
                received=f"{list(frame.shape[:2])} after frame {before}",
                expected=f"{list(self._held[before].shape[:2])} as that frame",
                remedy="Set raw_image_shape=[height,width,3]",
            )
        return self._between(self._held[before], frame)
