"""Where the weights that a network starts from come from, and their terms as far as known."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Any

from lrcn.inference.card import markdown

# Of the weights that keras.applications publishes: VGG16, ResNet50 and MobileNet as its
# documentation has told them, EfficientNetV2 as google/automl, where they were trained, is given.
_OF_KERAS = {
    "mobilenet": "Apache License 2.0 (Google)",
    "efficientnet_v2": "Apache License 2.0 (Google)",
    "resnet50": "MIT License (Kaiming He)",
    "vgg16": "Creative Commons Attribution 4.0 (Visual Geometry Group, Oxford)",
}
_UNKNOWN = "their terms are not known to lrcn"
_OF_BVLC = ("caffenet", "alexnet")
_IMAGENET = (
    "They were trained on ImageNet, whose images are given for research and teaching that is not "
    "commercial."
)


@dataclasses.dataclass(frozen=True)
class Origin:
    """Weights that were not drawn at random.

    Attributes:
        what: What they are the weights of, in words.
        terms: What is known of their terms, a sentence or two a line.
    """

    what: str
    terms: tuple[str, ...]


def origins(settings: Mapping[str, Any]) -> list[Origin]:
    """Returns where weights come from; nothing of a network that is trained from scratch.

    Args:
        settings: The settings of a training as plain values.
    """
    found = []
    name, weights = settings["backbone"]["name"], settings["backbone"].get("weights")
    if weights == "imagenet":
        own = _OF_KERAS.get(name, _UNKNOWN)
        terms = f"The weights of `{name}` are those of keras.applications: {own}."
        found.append(Origin(f"`{name}` with ImageNet weights", (f"{terms} {_IMAGENET}",)))
    elif weights:
        found.append(Origin(f"`{name}` with weights of a file", _of_file(name, weights)))
    if init := settings.get("init"):
        told = f"The network started from {_named(init)}: what is said of it holds here, too."
        found.append(Origin("all of it from another run or file", (told,)))
    if vectors := settings["workflow"].get("word_vectors"):
        told = f"Word vectors come from {_named(vectors)}, whose terms lrcn does not know."
        found.append(Origin("word vectors of a file", (told,)))
    return found


def _of_file(name: str, path: str) -> tuple[str, ...]:
    lines = [
        f"The weights of `{name}` come from {_named(path)}: its terms are those of whoever made "
        "it, and lrcn does not know them."
    ]
    if name in _OF_KERAS:
        lines.append(f"If it is that of keras.applications: {_OF_KERAS[name]}. {_IMAGENET}")
    elif name in _OF_BVLC:
        lines.append(f"If it is BVLC's own: released for unrestricted use. {_IMAGENET}")
    return tuple(lines)


def _named(path: str) -> str:
    return markdown.code(str(path).replace("\\", "/").rstrip("/").rpartition("/")[2])


def notes(settings: Mapping[str, Any]) -> list[str]:
    """Returns the terms of weights and data as far as known, a sentence or two a line.

    Args:
        settings: The settings of a training as plain values.
    """
    lines = [line for origin in origins(settings) for line in origin.terms]
    if not lines:
        lines.append("All weights were trained from scratch on the data above.")
    if settings["dataset"]["source"] == "moving_shapes":
        return [*lines, "The training data were rendered by lrcn (MIT License)."]
    return [
        *lines,
        "A network may repeat what it has learnt: the terms of the training data bind it as they "
        "bind you. lrcn does not know them.",
    ]
