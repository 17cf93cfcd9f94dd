"""The settings of every verb as typed plain values.

Every dataclass here mirrors a file of `conf/`; its fields are the public keys, and beside each
number stands what it may be. A key that is added later needs the default that settings stored
without it had.
"""

from __future__ import annotations

import dataclasses
import math
from typing import Any, Literal


@dataclasses.dataclass(frozen=True)
class Range:
    """What a number may be: from `low` to `high`, without the ends that are open."""

    low: float = 0
    high: float | None = None
    low_is_open: bool = False
    high_is_open: bool = False

    def holds(self, value: float) -> bool:
        """Tells whether a value is finite and in the range."""
        high = math.inf if self.high is None else self.high
        inside = self.low <= value <= high and math.isfinite(value)
        at_open_end = (self.low_is_open and value == self.low) or (
            self.high_is_open and value == self.high
        )
        return inside and not at_open_end

    def __str__(self) -> str:
        if self.high is None:
            return f"more than {self.low}" if self.low_is_open else f"{self.low} or more"
        return f"from {self.low} to {'below ' if self.high_is_open else ''}{self.high}"


_POSITIVE = Range(low_is_open=True)
_NOT_NEGATIVE = Range()
_SHARE = Range(high=1)
_DROPOUT = Range(high=1, high_is_open=True)
_SEED = Range(high=2**32 - 1)
RANGE = "range"  # the key of a field's metadata


def _in(allowed: Range, **default: Any) -> Any:
    """Returns a field whose number, or each of whose numbers, is in a range."""
    return dataclasses.field(metadata={RANGE: allowed}, **default)


@dataclasses.dataclass(frozen=True)
class LstmWorkflow:
    """Keys of `workflow=lstm`."""

    name: Literal["lstm"]
    units: int = _in(_POSITIVE)
    layers: int = _in(_POSITIVE)
    dropout_in: float | None = _in(_DROPOUT)
    dropout_out: float = _in(_DROPOUT)
    loss: Literal["every_step", "pooled"]
    initializer: str | None = None


@dataclasses.dataclass(frozen=True)
class SingleframeWorkflow:
    """Keys of `workflow=singleframe`."""

    name: Literal["singleframe"]
    dropout_out: float = _in(_DROPOUT)
    loss: Literal["every_step", "pooled"]
    initializer: str | None = None


@dataclasses.dataclass(frozen=True)
class ClipframeMode:
    """Keys of `clipframe_mode`; None where `auto` leaves the choice to the records or the run."""

    name: Literal["auto", "none", "rand_frames", "rand_clips", "iterative"]
    num_frames_per_clip: int | None = _in(_POSITIVE, default=None)
    clip_offset_or_num: int | None = None
    tail: Literal["drop", "align"] | None = None


@dataclasses.dataclass(frozen=True)
class Pooling:
    """Keys of `pooling`; None means as in the run."""

    frames: Literal["avg", "last", "max"] | None
    clips: Literal["avg", "last", "max"] | None


@dataclasses.dataclass(frozen=True, kw_only=True)
class Frames:
    """Keys of every data set that is decoded from media."""

    frame_step: int = _in(_POSITIVE)
    fps: float | None = _in(_POSITIVE)


@dataclasses.dataclass(frozen=True, kw_only=True)
class MovingShapes(Frames):
    """Keys of `dataset=moving_shapes`."""

    source: Literal["moving_shapes"]
    kind: Literal["auto", "motion", "stills"]
    train: int = _in(_NOT_NEGATIVE)
    val: int = _in(_NOT_NEGATIVE)
    test: int = _in(_NOT_NEGATIVE)
    size: int = _in(_POSITIVE)
    num_frames: int = _in(_POSITIVE)
    seed: int = _in(_SEED)


@dataclasses.dataclass(frozen=True, kw_only=True)
class Lists(Frames):
    """Keys of `dataset=lists`."""

    source: Literal["lists"]
    input_files: tuple[str, ...]
    path_prepend_folder: str | None
    labels: str | None
    frame_format: str
    vocabulary: str | None = None


@dataclasses.dataclass(frozen=True, kw_only=True)
class Folder(Frames):
    """Keys of `dataset=folder`."""

    source: Literal["folder"]
    root: str
    groups: str | None
    fractions: tuple[float, ...] = _in(_SHARE)
    val_groups: tuple[str, ...] | None
    test_groups: tuple[str, ...] | None
    frame_format: str


@dataclasses.dataclass(frozen=True, kw_only=True)
class Ucf101(Frames):
    """Keys of `dataset=ucf101`."""

    source: Literal["ucf101"]
    videos: str
    lists: str
    split: Literal[1, 2, 3]
    classes: tuple[str, ...] | None
    val_groups: int = _in(_NOT_NEGATIVE)


@dataclasses.dataclass(frozen=True, kw_only=True)
class Flickr(Frames):
    """Keys of `dataset=flickr`."""

    source: Literal["flickr"]
    images: str
    captions: str
    train: str | None
    val: str | None
    test: str | None


@dataclasses.dataclass(frozen=True, kw_only=True)
class Coco(Frames):
    """Keys of `dataset=coco`; by split, or one for all."""

    source: Literal["coco"]
    images: str | dict[str, str]
    annotations: str | dict[str, str]
    ids: dict[str, str] | None


@dataclasses.dataclass(frozen=True, kw_only=True)
class Msvd(Frames):
    """Keys of `dataset=msvd`."""

    source: Literal["msvd"]
    videos: str
    captions: str | dict[str, str]
    mapping: str | None


@dataclasses.dataclass(frozen=True, kw_only=True)
class Tfds(Frames):
    """Keys of `dataset=tfds`."""

    source: Literal["tfds"]
    name: str
    data_dir: str | None
    splits: dict[str, str] | None


@dataclasses.dataclass(frozen=True)
class Records:
    """Keys of `dataset=records`."""

    source: Literal["records"]
    train: str | None
    val: str | None
    test: str | None


@dataclasses.dataclass(frozen=True)
class AsInRun:
    """`dataset=auto`: the data set of the run."""

    source: Literal["auto"]


Dataset = MovingShapes | Lists | Folder | Ucf101 | Flickr | Coco | Msvd | Tfds | Records | AsInRun


@dataclasses.dataclass(frozen=True, kw_only=True)
class Backbone:
    """Keys of every `backbone`."""

    name: Literal["small", "resnet50", "efficientnet_v2", "vgg16"]
    weights: str | None
    layer: str | None
    trainable: bool | int | None = _in(_NOT_NEGATIVE)
    image_size: tuple[int, ...] = _in(_POSITIVE)


@dataclasses.dataclass(frozen=True, kw_only=True)
class MobileNet(Backbone):
    """Keys of `backbone=mobilenet`."""

    name: Literal["mobilenet"]
    alpha: float = _in(_POSITIVE)


@dataclasses.dataclass(frozen=True, kw_only=True)
class AlexNet(Backbone):
    """Keys of `backbone=hybrid|alexnet|caffenet`."""

    name: Literal["hybrid", "alexnet", "caffenet"]
    dropout: float = _in(_DROPOUT)
    initializer: str | None = None


@dataclasses.dataclass(frozen=True)
class Augment:
    """Keys of `augment`; None means as in the run."""

    name: str
    train: Literal["fit", "squash", "centre", "random"] | None = None
    evaluate: Literal["fit", "squash", "centre", "ten"] | None = None
    mirror: bool | None = None


@dataclasses.dataclass(frozen=True)
class Optimizer:
    """Keys of `optimizer`."""

    name: Literal["sgd", "adam", "rmsprop"]
    learning_rate: float = _in(_POSITIVE)
    weight_decay: float = _in(_NOT_NEGATIVE)
    lr_mult: float = _in(_POSITIVE)
    clipnorm: float | None = _in(_POSITIVE)
    momentum: float = _in(_SHARE, default=0.0)
    bias_lr_mult: float = _in(_POSITIVE, default=1.0)


@dataclasses.dataclass(frozen=True)
class Schedule:
    """Keys of `schedule`, in optimizer steps."""

    name: Literal["constant", "exponential", "staircase", "cosine"]
    warmup_steps: int = _in(_NOT_NEGATIVE)
    decay_steps: int | None = _in(_POSITIVE, default=None)
    decay_rate: float | None = _in(_POSITIVE, default=None)
    final_rate: float = _in(_SHARE, default=0.0)


@dataclasses.dataclass(frozen=True)
class Callbacks:
    """Keys of `callbacks`."""

    monitor: Literal["video_accuracy", "video_top5", "clip_accuracy", "loss", "video_map"]
    patience: int | None = _in(_POSITIVE)
    min_delta: float = _in(_NOT_NEGATIVE)
    tensorboard: bool


@dataclasses.dataclass(frozen=True)
class TrainSettings:
    """Everything `lrcn train` needs."""

    workflow: LstmWorkflow | SingleframeWorkflow
    clipframe_mode: ClipframeMode
    pooling: Pooling
    dataset: Dataset
    backbone: Backbone | MobileNet | AlexNet
    augment: Augment
    optimizer: Optimizer
    schedule: Schedule
    callbacks: Callbacks
    name: str
    epochs: int = _in(_POSITIVE)
    batch_size: int = _in(_POSITIVE)
    precision: Literal["float32", "mixed_bfloat16", "mixed_float16"]
    seed: int = _in(_SEED)
    resume: str | None
    init: str | None
    class_weights: Literal["balanced"] | None
    short_videos: Literal["error", "loop"]
    raw_image_shape: tuple[int, ...] | None = _in(_POSITIVE)
    num_threads: int = _in(_POSITIVE)
    evaluate: tuple[str, ...]
    traceback: bool


@dataclasses.dataclass(frozen=True)
class SerializeSettings:
    """Everything `lrcn serialize` needs."""

    dataset: Dataset
    clipframe_mode: ClipframeMode
    output_folder: str | None
    raw_image_shape: tuple[int, ...] | None = _in(_POSITIVE)
    num_threads: int = _in(_POSITIVE)
    num_items_per_thread: int = _in(_POSITIVE)
    do_shuffle: bool
    do_serialize: bool
    short_videos: Literal["error", "loop", "skip"]
    on_error: Literal["stop", "skip"]
    shards: int = _in(_POSITIVE)
    overwrite: bool
    seed: int = _in(_SEED)
    traceback: bool


@dataclasses.dataclass(frozen=True)
class CheckSettings:
    """Everything `lrcn check` needs."""

    dataset: Dataset
    report: str | None
    num_threads: int = _in(_POSITIVE)
    seed: int = _in(_SEED)
    traceback: bool


@dataclasses.dataclass(frozen=True)
class EvaluateSettings:
    """Everything `lrcn evaluate` needs."""

    dataset: Dataset
    clipframe_mode: ClipframeMode
    pooling: Pooling
    augment: Augment
    run: str
    split: Literal["train", "val", "test"] | None
    batch_size: int | None = _in(_POSITIVE)
    short_videos: Literal["error", "loop"] | None
    seed: int = _in(_SEED)
    num_threads: int = _in(_POSITIVE)
    checkpoint: Literal["best", "last"]
    traceback: bool


@dataclasses.dataclass(frozen=True)
class PredictSettings:
    """Everything `lrcn predict` needs."""

    clipframe_mode: ClipframeMode
    pooling: Pooling
    augment: Augment
    run: str
    input: tuple[str, ...]
    top_k: int = _in(_POSITIVE)
    overlay: str | None
    frame_format: str
    batch_size: int | None = _in(_POSITIVE)
    checkpoint: Literal["best", "last"]
    seed: int = _in(_SEED)
    traceback: bool


VERBS: dict[str, type] = {
    "serialize": SerializeSettings,
    "check": CheckSettings,
    "train": TrainSettings,
    "evaluate": EvaluateSettings,
    "predict": PredictSettings,
}
