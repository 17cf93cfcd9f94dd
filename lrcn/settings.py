"""The settings of every verb as typed plain values.

Every dataclass here mirrors a file of `conf/`; its fields are the public keys.
"""

from __future__ import annotations

import dataclasses
from typing import Literal


@dataclasses.dataclass(frozen=True)
class LstmWorkflow:
    """Keys of `workflow=lstm`."""

    name: Literal["lstm"]
    units: int
    layers: int
    dropout_in: float | None
    dropout_out: float
    loss: Literal["every_step", "pooled"]


@dataclasses.dataclass(frozen=True)
class SingleframeWorkflow:
    """Keys of `workflow=singleframe`."""

    name: Literal["singleframe"]
    dropout_out: float
    loss: Literal["every_step", "pooled"]


@dataclasses.dataclass(frozen=True)
class ClipframeMode:
    """Keys of `clipframe_mode`; None where `auto` leaves the choice to the records or the run."""

    name: Literal["auto", "none", "rand_frames", "rand_clips", "iterative"]
    num_frames_per_clip: int | None = None
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

    frame_step: int
    fps: float | None


@dataclasses.dataclass(frozen=True, kw_only=True)
class MovingShapes(Frames):
    """Keys of `dataset=moving_shapes`."""

    source: Literal["moving_shapes"]
    kind: Literal["auto", "motion", "stills"]
    train: int
    val: int
    test: int
    size: int
    num_frames: int
    seed: int


@dataclasses.dataclass(frozen=True, kw_only=True)
class Lists(Frames):
    """Keys of `dataset=lists`."""

    source: Literal["lists"]
    input_files: tuple[str, ...]
    path_prepend_folder: str | None
    labels: str | None
    frame_format: str


@dataclasses.dataclass(frozen=True, kw_only=True)
class Folder(Frames):
    """Keys of `dataset=folder`."""

    source: Literal["folder"]
    root: str
    groups: str | None
    fractions: tuple[float, ...]
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
    val_groups: int


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


Dataset = MovingShapes | Lists | Folder | Ucf101 | Tfds | Records | AsInRun


@dataclasses.dataclass(frozen=True, kw_only=True)
class Backbone:
    """Keys of every `backbone`."""

    name: Literal["small", "resnet50", "efficientnet_v2", "vgg16"]
    weights: str | None
    layer: str | None
    trainable: bool | int | None
    image_size: tuple[int, ...]


@dataclasses.dataclass(frozen=True, kw_only=True)
class MobileNet(Backbone):
    """Keys of `backbone=mobilenet`."""

    name: Literal["mobilenet"]
    alpha: float


@dataclasses.dataclass(frozen=True, kw_only=True)
class AlexNet(Backbone):
    """Keys of `backbone=hybrid|alexnet|caffenet`."""

    name: Literal["hybrid", "alexnet", "caffenet"]
    dropout: float


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
    learning_rate: float
    weight_decay: float
    lr_mult: float
    clipnorm: float | None
    momentum: float = 0.0


@dataclasses.dataclass(frozen=True)
class Schedule:
    """Keys of `schedule`, in optimizer steps."""

    name: Literal["constant", "exponential", "staircase", "cosine"]
    warmup_steps: int
    decay_steps: int | None = None
    decay_rate: float | None = None
    final_rate: float = 0.0


@dataclasses.dataclass(frozen=True)
class Callbacks:
    """Keys of `callbacks`."""

    monitor: Literal["video_accuracy", "video_top5", "clip_accuracy", "loss", "video_map"]
    patience: int | None
    min_delta: float
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
    epochs: int
    batch_size: int
    precision: Literal["float32", "mixed_bfloat16", "mixed_float16"]
    seed: int
    resume: str | None
    init: str | None
    class_weights: Literal["balanced"] | None
    short_videos: Literal["error", "loop"]
    raw_image_shape: tuple[int, ...] | None
    num_threads: int
    evaluate: tuple[str, ...]
    traceback: bool


@dataclasses.dataclass(frozen=True)
class SerializeSettings:
    """Everything `lrcn serialize` needs."""

    dataset: Dataset
    clipframe_mode: ClipframeMode
    output_folder: str | None
    raw_image_shape: tuple[int, ...] | None
    num_threads: int
    num_items_per_thread: int
    do_shuffle: bool
    do_serialize: bool
    short_videos: Literal["error", "loop", "skip"]
    on_error: Literal["stop", "skip"]
    shards: int
    overwrite: bool
    seed: int
    traceback: bool


@dataclasses.dataclass(frozen=True)
class CheckSettings:
    """Everything `lrcn check` needs."""

    dataset: Dataset
    report: str | None
    num_threads: int
    seed: int
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
    batch_size: int | None
    short_videos: Literal["error", "loop"] | None
    seed: int
    num_threads: int
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
    top_k: int
    overlay: str | None
    frame_format: str
    batch_size: int | None
    checkpoint: Literal["best", "last"]
    seed: int
    traceback: bool


VERBS: dict[str, type] = {
    "serialize": SerializeSettings,
    "check": CheckSettings,
    "train": TrainSettings,
    "evaluate": EvaluateSettings,
    "predict": PredictSettings,
}
