"""Keys of networks, of their words and of how captions are found."""

from __future__ import annotations

import dataclasses
from typing import Any, Literal

from lrcn.settings.paths import is_path
from lrcn.settings.ranges import DROPOUT, NOT_NEGATIVE, POSITIVE, within


@dataclasses.dataclass(frozen=True)
class LstmWorkflow:
    """Keys of `workflow=lstm`."""

    name: Literal["lstm"]
    units: int = within(POSITIVE)
    layers: int = within(POSITIVE)
    dropout_in: float | None = within(DROPOUT)
    dropout_out: float = within(DROPOUT)
    loss: Literal["every_step", "pooled"]
    initializer: str | None = None


@dataclasses.dataclass(frozen=True)
class SingleframeWorkflow:
    """Keys of `workflow=singleframe`."""

    name: Literal["singleframe"]
    dropout_out: float = within(DROPOUT)
    loss: Literal["every_step", "pooled"]
    initializer: str | None = None


@dataclasses.dataclass(frozen=True, kw_only=True)
class DescriptionWorkflow:
    """Keys of every workflow that writes captions."""

    units: int = within(POSITIVE)
    layers: int = within(POSITIVE)
    embedding: int = within(POSITIVE)
    dropout_in: float | None = within(DROPOUT)
    dropout_out: float = within(DROPOUT)
    initializer: str | None = None
    word_vectors: str | None = is_path(default=None)
    trainable_words: bool = True


@dataclasses.dataclass(frozen=True, kw_only=True)
class ImgdescStep(DescriptionWorkflow):
    """Keys of `workflow=imgdesc_step`."""

    name: Literal["imgdesc_step"]
    factored: bool


@dataclasses.dataclass(frozen=True, kw_only=True)
class ImgdescState(DescriptionWorkflow):
    """Keys of `workflow=imgdesc_state`."""

    name: Literal["imgdesc_state"]
    conditioning: Literal["state", "first_input"]


@dataclasses.dataclass(frozen=True, kw_only=True)
class VideodescPooling(DescriptionWorkflow):
    """Keys of `workflow=videodesc_pooling`."""

    name: Literal["videodesc_pooling"]
    conditioning: Literal["step", "state", "first_input"]
    factored: bool


@dataclasses.dataclass(frozen=True, kw_only=True)
class VideodescEncdec(DescriptionWorkflow):
    """Keys of `workflow=videodesc_encdec`."""

    name: Literal["videodesc_encdec"]
    conditioning: Literal["encoder", "stack"]


Workflow = (
    LstmWorkflow
    | SingleframeWorkflow
    | ImgdescStep
    | ImgdescState
    | VideodescPooling
    | VideodescEncdec
)


@dataclasses.dataclass(frozen=True)
class Vocabulary:
    """Keys of `vocabulary`, which only workflows that write captions have a use for."""

    min_count: int = within(POSITIVE, default=2)
    max_size: int | None = within(POSITIVE, default=None)
    max_length: int = within(POSITIVE, default=20)
    extra_text: tuple[str, ...] = is_path(default=())
    file: str | None = is_path(default=None)


@dataclasses.dataclass(frozen=True)
class Greedy:
    """Keys of `search=greedy`."""

    name: Literal["greedy"] = "greedy"
    max_length: int | None = within(POSITIVE, default=None)


@dataclasses.dataclass(frozen=True)
class Beam:
    """Keys of `search=beam`."""

    name: Literal["beam"] = "beam"
    width: int = within(POSITIVE, default=3)
    length_penalty: float = within(NOT_NEGATIVE, default=0.0)
    max_length: int | None = within(POSITIVE, default=None)


@dataclasses.dataclass(frozen=True)
class Sample:
    """Keys of `search=sample`."""

    name: Literal["sample"]
    samples: int = within(POSITIVE)
    temperature: float = within(POSITIVE)
    max_length: int | None = within(POSITIVE)


@dataclasses.dataclass(frozen=True)
class SearchAsInRun:
    """`search=auto`: as in the run."""

    name: Literal["auto"] = "auto"


Search = Greedy | Beam | Sample | SearchAsInRun


def search_options(search: Search, max_length: int) -> dict[str, Any]:
    """Returns the keys of a search as plain values.

    Args:
        search: The keys.
        max_length: Most words of a caption if the keys do not say.
    """
    given = dataclasses.asdict(search)
    return {**given, "max_length": given["max_length"] or max_length}


@dataclasses.dataclass(frozen=True)
class Pooling:
    """Keys of `pooling`; None means as in the run."""

    frames: Literal["avg", "last", "max"] | None
    clips: Literal["avg", "last", "max"] | None


@dataclasses.dataclass(frozen=True, kw_only=True)
class Backbone:
    """Keys of every `backbone`."""

    name: Literal["small", "resnet50", "efficientnet_v2", "vgg16"]
    weights: str | None = is_path()  # or `imagenet`
    layer: str | None
    trainable: bool | int | None = within(NOT_NEGATIVE)
    image_size: tuple[int, ...] = within(POSITIVE)


@dataclasses.dataclass(frozen=True, kw_only=True)
class MobileNet(Backbone):
    """Keys of `backbone=mobilenet`."""

    name: Literal["mobilenet"]
    alpha: float = within(POSITIVE)


@dataclasses.dataclass(frozen=True, kw_only=True)
class AlexNet(Backbone):
    """Keys of `backbone=hybrid|alexnet|caffenet`."""

    name: Literal["hybrid", "alexnet", "caffenet"]
    dropout: float = within(DROPOUT)
    initializer: str | None = None


@dataclasses.dataclass(frozen=True)
class BackboneAsInFile:
    """`backbone=auto`: the one that a file of foreign weights is of."""

    name: Literal["auto"]
    layer: str | None


AnyBackbone = Backbone | MobileNet | AlexNet
