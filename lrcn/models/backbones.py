"""CNNs that turn frames [batch, height, width, 3] uint8 into features [batch, features].

Each is a functional `keras.Model` whose first layer is its `InputContract`: RGB bytes go in, and
the model itself brings them to the size-independent form that its weights expect.
"""

from __future__ import annotations

import dataclasses
import pathlib
import re
from collections.abc import Callable, Mapping

import keras

from lrcn.data.limits import Limits
from lrcn.errors import UserError
from lrcn.models import alexnets, layers
from lrcn.models import weights as weights_lib

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


def build(
    name: str,
    *,
    layer: str | None = None,
    weights: str | None = None,
    trainable: bool | int = False,
    alpha: float = 1.0,
    dropout: float = 0.5,
    image_size: tuple[int, int] | None = None,
    initializer: str | None = None,
    modality: str = "rgb",
    contract: Mapping[str, object] | None = None,
    limits: Limits = Limits(),
) -> keras.Model:
    """Returns a CNN from frames [batch, height, width, 3] uint8 to features [batch, features].

    Args:
        name: One of `NAMES`.
        layer: The layer whose activation is the feature ("fc6", "fc7", "fc8" where they exist);
            None is the architecture's first choice, see `default_layer`.
        weights: None, "imagenet" or a weights file.
        trainable: False (inference mode throughout), True, or the number of last blocks to train.
        alpha: Width multiplier of `mobilenet`.
        dropout: Share dropped after fc6 and fc7 while the CNN trains.
        image_size: Height and width in pixels instead of the architecture's own.
        initializer: Name of the kernels' initialiser in the AlexNet family, such as
            "gaussian_0.01" (section 4 of Donahue et al. 2015); None is Keras's.
        modality: What the frames show. Of "flow" and "difference", where 128 is nothing, 128 is
            subtracted in the place of the architecture's mean colours (section 4, too).
        contract: What the CNN expects instead of the architecture's own: channel_order, scale,
            mean, std. None takes it from the weights file if that tells, as ours do.
        limits: The most that a weights file may ask for.

    Raises:
        UserError: The name, layer, size, weights or number of blocks does not exist or fit.
    """
    architecture = _architecture(name)
    request = Request(
        layer=_checked_layer(name, architecture, layer),
        alpha=float(alpha),
        dropout=float(dropout) if trainable else 0.0,
        initializer=initializer,
        pretrained=_wants_imagenet(name, architecture, weights),
    )
    contract = input_contract(
        name,
        image_size=image_size,
        modality=modality,
        weights=weights,
        contract=contract,
        limits=limits,
    )
    model = _extended(name, architecture, request, contract)
    if weights and not request.pretrained:
        weights_lib.load_backbone_weights(model, pathlib.Path(weights), limits=limits)
    _set_trainable(model, architecture, trainable)
    return model


def input_contract(
    name: str,
    *,
    image_size: tuple[int, int] | None = None,
    modality: str = "rgb",
    weights: str | None = None,
    contract: Mapping[str, object] | None = None,
    limits: Limits = Limits(),
) -> layers.InputContract:
    """Returns the first layer of a CNN alone: from frames to the numbers that its weights expect.

    Args:
        name: One of `NAMES`.
        image_size: Height and width in pixels instead of the architecture's own.
        modality: What the frames show, as in `build`.
        weights: As in `build`: a file may tell what its weights expect.
        contract: As in `build`: what they expect whatever a file tells.
        limits: The most that such a file may ask for.

    Raises:
        UserError: There is no such CNN, or it cannot see frames of this size.
    """
    architecture = _architecture(name)
    size = _checked_size(name, architecture, image_size or architecture.image_size)
    if contract is None and weights not in (None, "imagenet"):
        contract = weights_lib.contract_in(weights, limits=limits)
    values = weights_lib.of_modality(contract or architecture.contract, modality)
    return layers.InputContract(*size, name="input_contract", **values)


def default_layer(name: str, workflow: str) -> str:
    """Returns the feature layer of a backbone, as in the paper.

    It is fc7 for single frames, fc6 for an LSTM over them, and fc8, the logits of the ImageNet
    classes, for descriptions.
    """
    names = _architecture(name).layers
    wanted = {"singleframe": "fc7", "lstm": "fc6"}.get(workflow, "fc8")
    return wanted if wanted in names else names[0]


def contract_of(model: keras.Model) -> dict:
    """Returns the input contract (height, width, channel_order, scale, mean, std) of a model.

    Args:
        model: A backbone, or a whole network around one.
    """
    for layer in model.layers:
        if isinstance(layer, layers.InputContract):
            return layer.contract()
        if isinstance(layer, layers.PerFrame):
            return contract_of(layer.layer)
    raise UserError(
        "The model holds no input contract",
        where=model.name,
        received=f"layers {', '.join(layer.name for layer in model.layers[:3]) or 'none'}",
        expected="a model made by lrcn.models",
        remedy="Give a checkpoint that `lrcn train` wrote",
    )


def _architecture(name: str) -> Architecture:
    if name not in ARCHITECTURES:
        raise UserError(
            "Unknown backbone",
            where="backbone",
            received=name,
            expected=", ".join(NAMES),
            remedy="Choose one of them, such as backbone=mobilenet",
        )
    return ARCHITECTURES[name]


def _checked_layer(name: str, architecture: Architecture, layer: str | None) -> str:
    if layer is None:
        return architecture.layers[0]
    if layer not in architecture.layers:
        raise UserError(
            f"Backbone {name} has no such feature layer",
            where="backbone.layer",
            received=layer,
            expected=" or ".join(architecture.layers),
            remedy=f"Set backbone.layer={architecture.layers[0]}, or leave it out",
        )
    return layer


def _checked_size(name: str, architecture: Architecture, size: tuple[int, int]) -> tuple[int, int]:
    least = architecture.smallest
    if len(size) != 2 or min(size) < least:
        own = f"[{architecture.image_size[0]},{architecture.image_size[1]}]"
        raise UserError(
            f"Backbone {name} cannot see such frames",
            where="backbone.image_size",
            received=list(size),
            expected=f"[height, width] of at least {least}x{least}",
            remedy=f"Set backbone.image_size={own}, its own, or choose a smaller backbone",
        )
    return (int(size[0]), int(size[1]))


def _wants_imagenet(name: str, architecture: Architecture, weights: str | None) -> bool:
    if weights != "imagenet":
        return False
    if not architecture.imagenet:
        raise UserError(
            f"There are no published ImageNet weights for backbone {name}",
            where="backbone.weights",
            received="imagenet",
            expected="null or a weights file",
            remedy="Give a file, or choose a backbone that has them: "
            + ", ".join(key for key, known in ARCHITECTURES.items() if known.imagenet),
        )
    return True


def _extended(
    name: str,
    architecture: Architecture,
    request: Request,
    contract: layers.InputContract,
) -> keras.Model:
    size = (contract.height, contract.width)
    frames = keras.Input((*size, 3), dtype="uint8", name="frame")
    try:
        features = architecture.extend(contract(frames), request)
    except UserError:
        raise
    except ValueError as error:
        raise UserError(
            f"Backbone {name} cannot be built ({error})",
            where="backbone",
            received=f"image_size {size[0]}x{size[1]}, alpha {request.alpha}",
            expected="values that the architecture can take",
            remedy="Leave backbone.image_size and backbone.alpha out for their defaults",
        ) from error
    return keras.Model(frames, features, name=name)


def _set_trainable(model: keras.Model, architecture: Architecture, trainable: bool | int) -> None:
    if isinstance(trainable, bool) or trainable == 0:
        model.trainable = bool(trainable)
        return
    blocks = _blocks(model, architecture)
    if not isinstance(trainable, int) or not 0 < trainable <= len(blocks):
        raise UserError(
            f"Backbone {model.name} has {len(blocks)} blocks",
            where="backbone.trainable",
            received=trainable,
            expected=f"false, true or a number of last blocks from 0 to {len(blocks)}",
            remedy="Set backbone.trainable=1 for the last block alone, for example",
        )
    for block in blocks[:-trainable]:
        for layer in block:
            layer.trainable = False


def _blocks(model: keras.Model, architecture: Architecture) -> list[list[keras.layers.Layer]]:
    blocks: dict[str, list[keras.layers.Layer]] = {}
    for layer in model.layers:
        if layer.weights:
            match = re.match(architecture.block, layer.name)
            block = match.group(match.lastindex) if match else layer.name
            blocks.setdefault(block, []).append(layer)
    return list(blocks.values())


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
