"""Under which terms the weights that a CNN starts from may be used, as far as that is known."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

# As the documentation of keras.applications tells them.
_OF_KERAS = {
    "mobilenet": "Apache License 2.0 (Google)",
    "efficientnet_v2": "Apache License 2.0 (Google)",
    "resnet50": "MIT License (Kaiming He)",
    "vgg16": "Creative Commons Attribution 4.0 (Visual Geometry Group, Oxford)",
}
_IMAGENET = (
    "They were trained on ImageNet, whose images are given for research and teaching that is not "
    "commercial."
)


def notes(settings: Mapping[str, Any]) -> list[str]:
    """Returns what is known of the terms, a sentence or two a line.

    Args:
        settings: The settings of a training as plain values.
    """
    backbone, init = settings["backbone"], settings.get("init")
    name, weights = backbone["name"], backbone.get("weights")
    lines = []
    if weights == "imagenet":
        terms = _OF_KERAS.get(name, "not known to lrcn")
        lines.append(
            f"The weights of `{name}` are those of keras.applications: {terms}. {_IMAGENET}"
        )
    elif weights:
        lines.append(
            f"The weights of `{name}` come from a file, `{_file_name(weights)}`: its terms are "
            "those of whoever made it, and lrcn does not know them."
        )
        if name in _OF_KERAS:
            lines.append(
                f"If the file is that of keras.applications: {_OF_KERAS[name]}. {_IMAGENET}"
            )
        elif name in ("caffenet", "alexnet"):
            lines.append(f"If the file is BVLC's own: released for unrestricted use. {_IMAGENET}")
    if init:
        lines.append(
            f"The network started from `{_file_name(init)}`: what is said of that run or file "
            "holds for this one, too."
        )
    if not lines:
        lines.append("All weights were trained from scratch on the data above.")
    lines.append(
        "A network may repeat what it has learnt: the terms of the training data bind it as they "
        "bind you. lrcn does not know them."
        if settings["dataset"]["source"] != "moving_shapes"
        else "The training data were rendered by lrcn (MIT License)."
    )
    return lines


def _file_name(path: str) -> str:
    return str(path).replace("\\", "/").rstrip("/").rpartition("/")[2]
