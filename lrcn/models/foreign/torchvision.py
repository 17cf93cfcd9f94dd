"""Networks of torchvision, saved as safetensors."""

from __future__ import annotations

import pathlib

import numpy as np
import safetensors

from lrcn.errors import UserError
from lrcn.models.foreign import source


def read(file: pathlib.Path) -> source.Source:
    """Returns the layers of torchvision's VGG16.

    Raises:
        UserError: The file is cut short, or holds another network.
    """
    try:
        with safetensors.safe_open(file, framework="numpy") as stored:
            names = list(stored.keys())
            _refuse_others(file, names, {name: _shape(stored, name) for name in names})
            arrays = {name: stored.get_tensor(name) for name in names}
    except (safetensors.SafetensorError, OSError, TypeError) as error:
        raise UserError(
            "not a safetensors file that can be read",
            where=f"file={file}",
            received=f"{error}, in {file.stat().st_size} bytes",
            expected="a whole .safetensors file of 16, 32 or 64 bit floating-point numbers",
            remedy="Fetch or save the file again",
        ) from error
    return source.Source(
        told=f"torchvision network of {len(arrays)} tensors",
        name="vgg16",
        layers=tuple(_layers(arrays)),
        axes="caffe",  # PyTorch has the same
        contract=source.TORCHVISION,
        contract_told="torchvision's",
    )


def _shape(stored, name: str) -> tuple[int, ...]:
    return tuple(stored.get_slice(name).get_shape())


def _layers(arrays: dict[str, np.ndarray]) -> list[source.Layer]:
    """Returns layers in the order of the network, weights before biases, then what is left."""
    known = [f"features.{place}" for place in source.CONVOLUTIONS_OF_VGG16]
    known += [f"classifier.{place}" for place in (0, 3, 6)]
    layers, left = [], dict(arrays)
    for name in known:
        keys = [f"{name}.{key}" for key in ("weight", "bias") if f"{name}.{key}" in left]
        tensors = tuple(source.Tensor(key, left.pop(key)) for key in keys)
        layers.append(source.Layer(name, tensors=tensors))
    layers += [source.Layer(key, tensors=(source.Tensor(key, left[key]),)) for key in sorted(left)]
    return layers


def _refuse_others(
    file: pathlib.Path, names: list[str], shapes: dict[str, tuple[int, ...]]
) -> None:
    """Refuses networks that no backbone of ours is equal to, with the reason."""
    first = shapes.get("features.0.weight")
    reason = None
    if "layer1.0.conv1.weight" in shapes:
        network = "a residual network of torchvision, such as ResNet50"
        reason = (
            "its stride is in the 3x3 convolution of a block and its epsilon is 1e-5, where "
            "backbone=resnet50 has the stride in the first 1x1 and 1.001e-5"
        )
    elif first == (64, 3, 11, 11):
        network = "torchvision's AlexNet"
        reason = (
            "it has no local response normalisation, no groups, and 64 to 384 filters, unlike "
            "backbone=alexnet and backbone=caffenet"
        )
    elif first != (64, 3, 3, 3) or any(name.endswith("running_mean") for name in names):
        network = f"another network, whose first tensors are {', '.join(sorted(names)[:3])}"
        reason = "only torchvision's VGG16 without batch normalisation is read from safetensors"
    if reason:
        raise UserError(
            f"no backbone is equal to this network: {reason}",
            where=f"file={file}",
            received=network,
            expected="torchvision's VGG16",
            remedy="Take the weights of Keras (backbone=resnet50 backbone.weights=imagenet), "
            "or bvlc_alexnet.npy for an AlexNet",
        )
