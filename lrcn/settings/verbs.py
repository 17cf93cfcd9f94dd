"""Everything that each verb needs, and the keys of how a training goes."""

from __future__ import annotations

import dataclasses
from typing import Literal

from lrcn.data.limits import Limits
from lrcn.settings import data, networks, strategies
from lrcn.settings.paths import is_path
from lrcn.settings.ranges import NOT_NEGATIVE, POSITIVE, SEED, SHARDS, SHARE, Range, within


@dataclasses.dataclass(frozen=True)
class Optimizer:
    """Keys of `optimizer`."""

    name: Literal["sgd", "adam", "rmsprop"]
    learning_rate: float | None = within(POSITIVE)
    weight_decay: float = within(NOT_NEGATIVE)
    lr_mult: float = within(POSITIVE)
    clipnorm: float | None = within(POSITIVE)
    momentum: float = within(SHARE, default=0.0)
    bias_lr_mult: float = within(POSITIVE, default=1.0)
    backbone_lr_mult: float = within(POSITIVE, default=1.0)


@dataclasses.dataclass(frozen=True)
class Schedule:
    """Keys of `schedule`, in optimizer steps."""

    name: Literal["auto", "constant", "exponential", "staircase", "cosine"]
    warmup_steps: int = within(NOT_NEGATIVE)
    decay_steps: int | None = within(POSITIVE, default=None)
    decay_rate: float | None = within(POSITIVE, default=None)
    final_rate: float = within(SHARE, default=0.0)


@dataclasses.dataclass(frozen=True)
class Callbacks:
    """Keys of `callbacks`."""

    monitor: str | None
    patience: int | None = within(POSITIVE)
    min_delta: float = within(NOT_NEGATIVE)
    tensorboard: bool
    save_seconds: float | None = within(POSITIVE, default=600.0)


# What can be measured after an epoch, by task; the first one is the default.
RECOGNITION_MONITORS = ("video_accuracy", "video_top5", "clip_accuracy", "loss", "video_map")
DESCRIPTION_MONITORS = (
    "cider",
    "bleu_1",
    "bleu_2",
    "bleu_3",
    "bleu_4",
    "rouge_l",
    "exact",
    "loss",
)


class _ByWorkflow:
    """What the workflow tells."""

    workflow: networks.Workflow

    @property
    def describes(self) -> bool:
        """Whether captions are written, not classes told."""
        return isinstance(self.workflow, networks.DescriptionWorkflow)

    @property
    def describes_images(self) -> bool:
        """Whether the captions are of images."""
        return isinstance(self.workflow, networks.ImgdescStep | networks.ImgdescState)


@dataclasses.dataclass(frozen=True)
class TrainSettings(_ByWorkflow):
    """Everything `lrcn train` needs."""

    workflow: networks.Workflow
    clipframe_mode: data.ClipframeMode
    pooling: networks.Pooling
    dataset: data.Dataset
    backbone: networks.AnyBackbone
    augment: data.Augment
    optimizer: Optimizer
    schedule: Schedule
    callbacks: Callbacks
    name: str
    epochs: int = within(POSITIVE)
    batch_size: int | None = within(POSITIVE)
    precision: Literal["float32", "mixed_bfloat16", "mixed_float16"]
    seed: int = within(SEED)
    resume: str | None = is_path()
    init: str | None = is_path()
    class_weights: Literal["balanced"] | None
    short_videos: Literal["error", "loop"]
    raw_image_shape: tuple[int, ...] | None = within(POSITIVE)
    num_threads: int = within(POSITIVE)
    evaluate: tuple[str, ...]
    traceback: bool
    profile: bool = False
    vocabulary: networks.Vocabulary = networks.Vocabulary()
    search: networks.Search = networks.Beam()
    modality: data.Modality = data.Modality()
    strategy: strategies.Strategy = strategies.Single()
    limits: Limits = Limits()

    @property
    def trains_backbone(self) -> bool:
        """Whether the CNN is trained, all of it or its last blocks."""
        trainable = self.backbone.trainable
        return self.backbone.weights is None if trainable is None else bool(trainable)

    @property
    def decodes_frames(self) -> bool:
        """Whether frames are looked at in every epoch, not features of a frozen CNN."""
        own = self.augment
        changing = own.mirror or own.train == "random" or own.evaluate == "ten"
        return bool(self.trains_backbone or changing)

    @property
    def monitors(self) -> tuple[str, ...]:
        """What is measured after an epoch; the first one decides unless the settings name one."""
        return DESCRIPTION_MONITORS if self.describes else RECOGNITION_MONITORS


@dataclasses.dataclass(frozen=True)
class SerializeSettings:
    """Everything `lrcn serialize` needs."""

    dataset: data.Dataset
    clipframe_mode: data.ClipframeMode
    output_folder: str | None
    raw_image_shape: tuple[int, ...] | None = within(POSITIVE)
    num_threads: int | None = within(POSITIVE)
    num_items_per_thread: int = within(POSITIVE)
    do_shuffle: bool
    do_serialize: bool
    short_videos: Literal["error", "loop", "skip"]
    on_error: Literal["stop", "skip"]
    shards: int = within(POSITIVE)
    overwrite: bool
    seed: int = within(SEED)
    traceback: bool
    shard_index: int | None = within(NOT_NEGATIVE, default=None)
    shard_count: int | None = within(SHARDS, default=None)
    merge: bool = False
    modality: data.Modality = data.Modality("rgb")
    limits: Limits = Limits()


@dataclasses.dataclass(frozen=True)
class CheckSettings:
    """Everything `lrcn check` needs."""

    dataset: data.Dataset
    report: str | None
    num_threads: int = within(POSITIVE)
    seed: int = within(SEED)
    traceback: bool
    modality: data.Modality = data.Modality("rgb")
    limits: Limits = Limits()


@dataclasses.dataclass(frozen=True)
class EvaluateSettings:
    """Everything `lrcn evaluate` needs; by default all is as in the run."""

    run: str
    dataset: data.Dataset = data.AsInRun("auto")
    clipframe_mode: data.ClipframeMode = data.ClipframeMode("auto")
    pooling: networks.Pooling = networks.Pooling(None, None)
    augment: data.Augment = data.Augment("auto")
    search: networks.Search = networks.SearchAsInRun()
    split: Literal["train", "val", "test"] | None = None
    batch_size: int | None = within(POSITIVE, default=None)
    short_videos: Literal["error", "loop"] | None = None
    seed: int | None = within(SEED, default=None)
    num_threads: int = within(POSITIVE, default=2)
    checkpoint: Literal["best", "last"] = "best"
    traceback: bool = False
    limits: Limits = Limits()


@dataclasses.dataclass(frozen=True)
class PredictSettings:
    """Everything `lrcn predict` needs."""

    clipframe_mode: data.ClipframeMode
    pooling: networks.Pooling
    augment: data.Augment
    run: str
    input: tuple[str, ...]
    top_k: int = within(POSITIVE)
    overlay: str | None
    frame_format: str
    batch_size: int | None = within(POSITIVE)
    checkpoint: Literal["best", "last"]
    seed: int | None = within(SEED)
    traceback: bool
    search: networks.Search = networks.SearchAsInRun()
    limits: Limits = Limits()


@dataclasses.dataclass(frozen=True)
class RetrieveSettings:
    """Everything `lrcn retrieve` needs."""

    dataset: data.Dataset
    clipframe_mode: data.ClipframeMode
    augment: data.Augment
    run: str
    split: Literal["train", "val", "test"] | None
    normalise: bool
    batch_size: int | None = within(POSITIVE)
    short_videos: Literal["error", "loop"] | None
    seed: int | None = within(SEED)
    num_threads: int = within(POSITIVE)
    checkpoint: Literal["best", "last"]
    traceback: bool
    limits: Limits = Limits()


@dataclasses.dataclass(frozen=True)
class FuseSettings:
    """Everything `lrcn fuse` needs; the runs of an entry of `runs` are one stream."""

    runs: tuple[tuple[str, ...], ...]
    weights: tuple[float, ...] | None = within(SHARE)
    split: Literal["train", "val", "test"] | None
    output_folder: str | None
    traceback: bool


@dataclasses.dataclass(frozen=True)
class BrowseSettings(_ByWorkflow):
    """Everything `lrcn browse` needs; the groups are those of a training."""

    workflow: networks.Workflow
    clipframe_mode: data.ClipframeMode
    dataset: data.Dataset
    modality: data.Modality
    backbone: networks.AnyBackbone
    augment: data.Augment
    run: str | None
    split: Literal["train", "val", "test"]
    items: int = within(Range(low=1, high=100))
    epoch: int = within(NOT_NEGATIVE)
    seed: int | None = within(SEED)
    short_videos: Literal["error", "loop"]
    raw_image_shape: tuple[int, ...] | None = within(POSITIVE)
    num_threads: int = within(POSITIVE)
    output_folder: str
    traceback: bool
    limits: Limits = Limits()


@dataclasses.dataclass(frozen=True)
class ImportSettings:
    """Everything `lrcn import` needs."""

    backbone: networks.BackboneAsInFile | networks.AnyBackbone
    file: str
    output: str | None
    mean: tuple[float, ...] | None = within(NOT_NEGATIVE)
    overwrite: bool
    traceback: bool
    limits: Limits = Limits()


@dataclasses.dataclass(frozen=True)
class ExportSettings:
    """Everything `lrcn export` needs."""

    augment: data.Augment
    search: networks.Search
    run: str
    format: Literal["saved_model", "onnx", "litert"]
    time: Literal["dynamic", "fixed"]
    output_folder: str | None
    overwrite: bool
    checkpoint: Literal["best", "last"]
    traceback: bool
    limits: Limits = Limits()


@dataclasses.dataclass(frozen=True)
class ReportSettings:
    """Everything `lrcn report` needs."""

    run: str
    split: Literal["train", "val", "test"] | None
    items: int = within(Range(low=1, high=50))
    output: str | None
    num_threads: int = within(POSITIVE)
    traceback: bool
    limits: Limits = Limits()


@dataclasses.dataclass(frozen=True)
class DemoSettings:
    """Everything `lrcn demo` needs."""

    search: networks.Search
    run: tuple[str, ...]
    host: str
    port: int = within(Range(low=0, high=65535))
    upload_mb: int = within(POSITIVE)
    seconds: float = within(POSITIVE)
    top_k: int = within(POSITIVE)
    checkpoint: Literal["best", "last"]
    traceback: bool
    limits: Limits = Limits()


VERBS: dict[str, type] = {
    "serialize": SerializeSettings,
    "check": CheckSettings,
    "train": TrainSettings,
    "evaluate": EvaluateSettings,
    "predict": PredictSettings,
    "retrieve": RetrieveSettings,
    "fuse": FuseSettings,
    "browse": BrowseSettings,
    "import": ImportSettings,
    "export": ExportSettings,
    "report": ReportSettings,
    "demo": DemoSettings,
}
