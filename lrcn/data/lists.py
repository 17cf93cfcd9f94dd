"""List files and the items they name: images, folders of frames, video files, with labels."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterable

import numpy as np

from lrcn import errors

KINDS = ("image", "frames", "video", "array")


@dataclasses.dataclass(frozen=True)
class Item:
    """One image, folder of frames, video file or generated video, with what is known of it.

    Attributes:
        id: Unique within a split; for lists the path as written.
        path: Absolute path on disk, or a description for generated items.
        kind: `image`, `frames`, `video` or `array`.
        labels: Class numbers; more than one for multi-label data, none for captions.
        captions: Sentences about the item.
        where: `file:line` or a key, for messages.
        group: Items of one group (a person, a UCF101 group) are never parted by a split.
        load: For kind `array`: yields frames `[height, width, 3] uint8`.
        problem: What is wrong with the line of the item; such an item is never read, it is an
            error or is skipped with this reason.
    """

    id: str
    path: str
    kind: str
    labels: tuple[int, ...] = ()
    captions: tuple[str, ...] = ()
    where: str = ""
    group: str = ""
    load: Callable[[], Iterable[np.ndarray]] | None = None
    problem: errors.UserError | None = None


@dataclasses.dataclass(frozen=True)
class Split:
    """Items that belong together, such as those of one list file.

    Attributes:
        name: Name of the records, such as `data.train`.
        items: The items in order.
        source: List file or description of the origin.
    """

    name: str
    items: tuple[Item, ...]
    source: str


@dataclasses.dataclass(frozen=True)
class Catalog:
    """The splits of a data set with their common classes; `label_names` may be empty."""

    splits: dict[str, Split]
    label_names: tuple[str, ...]
    num_classes: int
    multi_label: bool
