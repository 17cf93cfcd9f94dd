"""Keys of data sets and of what is shown of them."""

from __future__ import annotations

import dataclasses
from typing import Literal

from lrcn.settings.paths import is_path
from lrcn.settings.ranges import NOT_NEGATIVE, POSITIVE, SEED, SHARE, within


@dataclasses.dataclass(frozen=True)
class ClipframeMode:
    """Keys of `clipframe_mode`; None where `auto` leaves the choice to the records or the run."""

    name: Literal["auto", "none", "rand_frames", "rand_clips", "iterative"]
    num_frames_per_clip: int | None = within(POSITIVE, default=None)
    clip_offset_or_num: int | None = None
    tail: Literal["drop", "align"] | None = None


@dataclasses.dataclass(frozen=True)
class Modality:
    """Keys of `modality`; `auto` is what the records are, rgb where there are none yet."""

    name: Literal["auto", "rgb", "flow", "difference"] = "auto"
    method: Literal["dis", "tvl1"] | None = None


@dataclasses.dataclass(frozen=True, kw_only=True)
class Frames:
    """Keys of every data set that is decoded from media."""

    frame_step: int = within(POSITIVE)
    fps: float | None = within(POSITIVE)


@dataclasses.dataclass(frozen=True, kw_only=True)
class MovingShapes(Frames):
    """Keys of `dataset=moving_shapes`."""

    source: Literal["moving_shapes"]
    kind: Literal["auto", "motion", "stills"]
    train: int | None = within(NOT_NEGATIVE)
    val: int = within(NOT_NEGATIVE)
    test: int = within(NOT_NEGATIVE)
    size: int = within(POSITIVE)
    num_frames: int = within(POSITIVE)
    seed: int = within(SEED)


@dataclasses.dataclass(frozen=True, kw_only=True)
class Lists(Frames):
    """Keys of `dataset=lists`."""

    source: Literal["lists"]
    input_files: tuple[str, ...] = is_path()
    path_prepend_folder: str | None = is_path()
    labels: str | None = is_path()
    frame_format: str
    vocabulary: str | None = is_path(default=None)


@dataclasses.dataclass(frozen=True, kw_only=True)
class Folder(Frames):
    """Keys of `dataset=folder`."""

    source: Literal["folder"]
    root: str = is_path()
    groups: str | None
    fractions: tuple[float, ...] = within(SHARE)
    val_groups: tuple[str, ...] | None
    test_groups: tuple[str, ...] | None
    frame_format: str


@dataclasses.dataclass(frozen=True, kw_only=True)
class Ucf101(Frames):
    """Keys of `dataset=ucf101`."""

    source: Literal["ucf101"]
    videos: str = is_path()
    lists: str = is_path()
    split: Literal[1, 2, 3]
    classes: tuple[str, ...] | None
    val_groups: int = within(NOT_NEGATIVE)


@dataclasses.dataclass(frozen=True, kw_only=True)
class Flickr(Frames):
    """Keys of `dataset=flickr`."""

    source: Literal["flickr"]
    images: str = is_path()
    captions: str = is_path()
    train: str | None = is_path()
    val: str | None = is_path()
    test: str | None = is_path()


@dataclasses.dataclass(frozen=True, kw_only=True)
class Coco(Frames):
    """Keys of `dataset=coco`; by split, or one for all."""

    source: Literal["coco"]
    images: str | dict[str, str] = is_path()
    annotations: str | dict[str, str] = is_path()
    ids: dict[str, str] | None = is_path()


@dataclasses.dataclass(frozen=True, kw_only=True)
class Msvd(Frames):
    """Keys of `dataset=msvd`."""

    source: Literal["msvd"]
    videos: str = is_path()
    captions: str | dict[str, str] = is_path()
    mapping: str | None = is_path()


@dataclasses.dataclass(frozen=True, kw_only=True)
class Tfds(Frames):
    """Keys of `dataset=tfds`."""

    source: Literal["tfds"]
    name: str = is_path()  # of the folder of a prepared one, or a name
    data_dir: str | None = is_path()
    splits: dict[str, str] | None


@dataclasses.dataclass(frozen=True)
class Records:
    """Keys of `dataset=records`."""

    source: Literal["records"]
    train: str | None = is_path()
    val: str | None = is_path()
    test: str | None = is_path()


@dataclasses.dataclass(frozen=True)
class AsInRun:
    """`dataset=auto`: the data set of the run."""

    source: Literal["auto"]


Dataset = MovingShapes | Lists | Folder | Ucf101 | Flickr | Coco | Msvd | Tfds | Records | AsInRun


@dataclasses.dataclass(frozen=True)
class Augment:
    """Keys of `augment`; None means as in the run."""

    name: str
    train: Literal["fit", "squash", "centre", "random"] | None = None
    evaluate: Literal["fit", "squash", "centre", "ten"] | None = None
    mirror: bool | None = None
