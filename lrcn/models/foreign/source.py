"""What a file of foreign weights holds, whatever wrote it: named tensors, layer by layer."""

from __future__ import annotations

import dataclasses

import numpy as np

CONVOLUTION, DENSE, LSTM = "Convolution", "InnerProduct", "LSTM"
NORM, POOL, EMBED = "LRN", "Pooling", "Embed"

BGR = {"channel_order": "bgr", "mean": (103.939, 116.779, 123.68)}
"""What Caffe's ImageNet networks were trained on, less this mean of blue, green and red."""
# The mean of red has a typing error in the released code, and the weights were trained with it.
BGR_OF_LRCN = {"channel_order": "bgr", "mean": (103.939, 116.779, 128.68)}
TORCHVISION = {
    "channel_order": "rgb",
    "scale": 1 / 255,
    "mean": (0.485, 0.456, 0.406),
    "std": (0.229, 0.224, 0.225),
}
CONVOLUTIONS_OF_VGG16 = (0, 2, 5, 7, 10, 12, 14, 17, 19, 21, 24, 26, 28)
"""Their places in torchvision's `features`."""


@dataclasses.dataclass(frozen=True)
class Tensor:
    """A tensor of a file and the name that the file has for it."""

    name: str
    values: np.ndarray


@dataclasses.dataclass(frozen=True)
class Layer:
    """A layer of a file: its name, its kind as Caffe writes it, if known, and what it learnt."""

    name: str
    kind: str = ""
    tensors: tuple[Tensor, ...] = ()


@dataclasses.dataclass(frozen=True)
class Source:
    """The content of a file of foreign weights.

    Attributes:
        told: What kind of file it is, for messages.
        name: The name of the network, as far as the file or its own name tells.
        layers: Its layers, in the order of the file.
        axes: "caffe" for convolutions (out, in/groups, height, width), matrices (out, in) and
            maps flattened as channels, height, width; "keras" for (height, width, in/groups, out),
            (in, out) and maps flattened as height, width, channels.
        contract: What its CNN expects as input: channel_order, scale, mean, std.
        contract_told: Where the contract is from.
    """

    told: str
    name: str
    layers: tuple[Layer, ...]
    axes: str
    contract: dict
    contract_told: str

    def of_kind(self, kind: str) -> list[Layer]:
        """Returns the layers of a kind, in order."""
        return [layer for layer in self.layers if layer.kind == kind]
