"""Which backbone a file of foreign weights is of, and which of its layers plays which part."""

from __future__ import annotations

import re

from lrcn.errors import UserError
from lrcn.models import alexnets
from lrcn.models.foreign import source

NAMES = ("alexnet", "caffenet", "hybrid", "vgg16")
"""The backbones that foreign weights may become."""
_ORDERS = {"alexnet": alexnets.ALEXNET, "caffenet": alexnets.CAFFENET, "hybrid": alexnets.HYBRID}
_FOLLOWERS = {source.NORM: "norm", source.POOL: "pool"}
_BLOCKS = (2, 2, 3, 3, 3)  # convolutions in the blocks of VGG16
_DENSE = {"fc6": "fc6", "fc7": "fc7", "fc8": "fc8"}


def _vgg_parts() -> dict[str, str]:
    parts, places = {}, iter(source.CONVOLUTIONS_OF_VGG16)
    for block, count in enumerate(_BLOCKS, start=1):
        for index in range(1, count + 1):
            name = f"conv{block}_{index}|features.{next(places)}"
            parts[f"block{block}_conv{index}"] = name
    dense = {"fc1": ("fc6", 0), "fc2": ("fc7", 3), "predictions": ("fc8", 6)}
    return {**parts, **{ours: f"{a}|classifier.{b}" for ours, (a, b) in dense.items()}}


_ALEXNET_PARTS = {name: name for name in ("conv1", "conv2", "conv3", "conv4", "conv5", *_DENSE)}
_PARTS = {
    "alexnet": _ALEXNET_PARTS,
    "caffenet": _ALEXNET_PARTS,
    "hybrid": _ALEXNET_PARTS,
    "vgg16": _vgg_parts(),
}


def layer_of(found: source.Source, architecture: str, part: str) -> source.Layer | None:
    """Returns the layer of a file that becomes a layer of a backbone, if there is one.

    Names differ in the wild (`fc8-ucf101`, `conv1_ft`): what follows the usual name is left, unless
    it is a number.

    Args:
        found: The file.
        architecture: One of `NAMES`.
        part: The name of the backbone's layer.
    """
    names = _PARTS[architecture][part].split("|")
    pattern = "|".join(rf"{re.escape(name)}(?![_.]?\d)" for name in names)
    for layer in found.layers:
        if layer.tensors and re.match(pattern, layer.name, re.IGNORECASE):
            return layer
    return None


def choose(found: source.Source, asked: str | None) -> str:
    """Returns the backbone that a file is of.

    Args:
        found: The file.
        asked: The backbone that the user named, or None to let the file tell.

    Raises:
        UserError: The file does not tell, or tells of another one than was named.
    """
    if asked not in (None, *NAMES):
        raise UserError(
            "no foreign weights are known for this backbone",
            where="backbone",
            received=asked,
            expected=" | ".join(NAMES),
            remedy="Leave backbone out to let the file tell; mobilenet, resnet50 and "
            "efficientnet_v2 have backbone.weights=imagenet in lrcn train",
        )
    known, why = _told(found)
    if asked is None:
        if len(known) == 1:
            return known[0]
        raise UserError(
            "the file does not tell which network it is of",
            where="backbone",
            received=f"{found.told}: {why}",
            expected=" or ".join(known or NAMES),
            remedy=f"Name it, such as backbone={(known or NAMES)[0]}. BVLC's AlexNet (norm before "
            "pool) and CaffeNet (pool before norm) have equal shapes",
        )
    if known and asked not in known:
        raise UserError(
            "the file is of another network",
            where="backbone",
            received=f"{asked} for {found.told}: {why}",
            expected=" or ".join(known),
            remedy=f"Set backbone={known[0]}, or leave it out",
        )
    return asked


def _told(found: source.Source) -> tuple[list[str], str]:
    """Returns the backbones that a file may be of, none if it tells nothing, and how it tells.

    Raises:
        UserError: It is of a network that no backbone is equal to.
    """
    if layer_of(found, "vgg16", "block5_conv3") is not None:
        if any(re.match(r"conv3_4(?!\d)", layer.name) for layer in found.layers):
            raise _equal_to_none(found, "its blocks have a fourth convolution, as in VGG19")
        return ["vgg16"], "it has a fifth block of three convolutions"
    first = layer_of(found, "caffenet", "conv1")
    if first is None:
        return [], "it has no layer conv1 or conv5_3"
    shape = first.tensors[0].values.shape
    size = shape[0] if found.axes == "keras" else shape[-1]
    known = [name for name, layers in _ORDERS.items() if layers[0].size == size]
    why = f"its first convolution is {size}x{size}"
    order = _order(found)
    if known and order:
        known = [name for name in known if _ORDERS[name][0].then == order]
        why = f"{why}, then comes {' and then '.join(order)}"
        if not known:
            raise _equal_to_none(found, why)
    for name in known:
        if len(known) > 1 and name in found.name.lower():
            return [name], f"it is named {found.name}"
    return known, why


def _order(found: source.Source) -> tuple[str, ...]:
    """Returns what follows the first convolution, "norm" and "pool" in order, if it is told."""
    order: list[str] = []
    for layer in found.layers:
        if re.match(r"conv2(?!\d)", layer.name):
            break
        if layer.kind in _FOLLOWERS:
            order.append(_FOLLOWERS[layer.kind])
    return tuple(order)


def _equal_to_none(found: source.Source, why: str) -> UserError:
    return UserError(
        "no backbone is equal to this network",
        where="file",
        received=f"{found.told}: {why}",
        expected=f"a network of {', '.join(NAMES)}",
        remedy="Give weights of one of them; the README tells what is read",
    )
