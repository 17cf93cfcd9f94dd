"""The CNNs that there are: how each is built, and what it expects to see.

`backbones` makes them; one that is added here needs a member of `conf/backbone/` and its name among
the settings.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable

import keras

from lrcn.errors import UserError
from lrcn.models import alexnets, layers

CAFFE_MEAN = (103.939, 116.779, 123.68)  # blue, green, red
CAFFE = {"channel_order": "bgr", "mean": CAFFE_MEAN}
ONE_TO_ONE = {"scale": 1 / 127.5, "mean": (1.0, 1.0, 1.0)}  # [-1, 1]


@dataclasses.dataclass(frozen=True)
class Request:
    """What a caller wants of an architecture."""

    layer: str
    alpha: float
    dropout: float
    initializer: str | None
    pretrained: bool


@dataclasses.dataclass(frozen=True)
class Architecture:
    """One CNN: how it is extended from a contracted input, and what it expects.

    `extend` maps (input tensor, request) to a feature tensor. `block` is a pattern whose group in
    a layer's name names the block that the layer belongs to. `smallest` is the least height and
    width in pixels that leave anything to see after the last layer.
    """

    extend: Callable
    image_size: tuple[int, int]
    contract: dict
    layers: tuple[str, ...]
    imagenet: bool = False
    block: str = r"^([a-z]+\d+)"
    smallest: int = 1


def _small(inputs, request: Request):
    values = keras.layers.Conv2D(16, 5, strides=2, padding="same", activation="relu", name="conv1")(
        inputs
    )
    values = keras.layers.Conv2D(32, 3, strides=2, padding="same", activation="relu", name="conv2")(
        values
    )
    values = keras.layers.Conv2D(48, 3, padding="same", name="conv3")(values)
    # Places and sizes, not what is there on average: they tell how a shape moves between frames.
    values = layers.SpatialMoments(sharpness=3.0, name="moments")(values)
    return keras.layers.BatchNormalization(name="moments_bn")(values)


def _alexnet(convolutions: tuple[alexnets.Convolution, ...]) -> Callable:
    def extend(inputs, request: Request):
        return alexnets.extend(
            inputs,
            convolutions,
            layer=request.layer,
            dropout=request.dropout,
            initializer=request.initializer,
        )

    return extend


def _application(inputs, request: Request, builder: Callable, **options):
    """Returns the output of a network of `keras.applications`."""
    source = "imagenet" if request.pretrained else None
    try:
        return builder(input_tensor=inputs, weights=source, **options)
    except ValueError:
        raise
    except Exception as error:  # Keras raises the bare class when a download fails.
        raise UserError(
            f"The ImageNet weights could not be fetched ({error})",
            where="backbone.weights",
            received="imagenet",
            expected="a download by Keras, or its file in ~/.keras/models",
            remedy="Give a local weights file instead, or go online once",
        ) from error


def _vgg16(inputs, request: Request):
    if request.layer == "pool":
        net = _application(
            inputs, request, keras.applications.VGG16, include_top=False, pooling="avg"
        )
        return net.output
    net = _application(inputs, request, keras.applications.VGG16)
    values = net.get_layer("fc1").output
    if request.layer == "fc6":
        return values
    if request.dropout:
        values = keras.layers.Dropout(request.dropout, name="drop6")(values)
    values = net.get_layer("fc2")(values)
    if request.layer == "fc7":
        return values
    if request.dropout:
        values = keras.layers.Dropout(request.dropout, name="drop7")(values)
    logits = net.get_layer("predictions")
    logits.activation = keras.activations.linear
    return logits(values)


def _pooled(builder: Callable, **options) -> Callable:
    def extend(inputs, request: Request):
        net = _application(inputs, request, builder, include_top=False, pooling="avg", **options)
        return net.output

    return extend


def _mobilenet(inputs, request: Request):
    builder = keras.applications.MobileNet
    return _pooled(builder, alpha=request.alpha)(inputs, request)


FULLY_CONNECTED = ("fc7", "fc6", "fc8")
ARCHITECTURES = {
    "small": Architecture(_small, (64, 64), ONE_TO_ONE, ("moments",), block=r"^([a-z]+\d*)"),
    "hybrid": Architecture(
        _alexnet(alexnets.HYBRID), (227, 227), CAFFE, FULLY_CONNECTED, smallest=49
    ),
    "alexnet": Architecture(
        _alexnet(alexnets.ALEXNET), (227, 227), CAFFE, FULLY_CONNECTED, smallest=39
    ),
    "caffenet": Architecture(
        _alexnet(alexnets.CAFFENET), (227, 227), CAFFE, FULLY_CONNECTED, smallest=39
    ),
    "vgg16": Architecture(
        _vgg16, (224, 224), CAFFE, (*FULLY_CONNECTED, "pool"), imagenet=True, smallest=32
    ),
    "mobilenet": Architecture(
        _mobilenet,
        (224, 224),
        ONE_TO_ONE,
        ("pool",),
        imagenet=True,
        block=r"^(conv1)|^conv_(?:dw|pw)_(\d+)",
        smallest=31,
    ),
    "resnet50": Architecture(
        _pooled(keras.applications.ResNet50),
        (224, 224),
        CAFFE,
        ("pool",),
        imagenet=True,
        block=r"^(conv\d+(?:_block\d+)?)",
    ),
    "efficientnet_v2": Architecture(
        _pooled(keras.applications.EfficientNetV2B0, include_preprocessing=False),
        (224, 224),
        {"scale": 1 / 255, "mean": (0.485, 0.456, 0.406), "std": (0.229, 0.224, 0.225)},
        ("pool",),
        imagenet=True,
        block=r"^(stem|top|block\d+[a-z])",
    ),
}
NAMES = tuple(ARCHITECTURES)
