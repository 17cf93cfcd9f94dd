"""CNNs that turn frames [batch, height, width, 3] uint8 into features [batch, features].

Each is a functional `keras.Model` whose first layer is its `InputContract`: RGB bytes go in, and
the model itself brings them to the size-independent form that its weights expect.
"""

from __future__ import annotations

import pathlib
import re
from collections.abc import Mapping

import keras

from lrcn.data.limits import Limits
from lrcn.errors import UserError
from lrcn.models import architectures, layers
from lrcn.models import weights as weights_lib

ARCHITECTURES, NAMES = architectures.ARCHITECTURES, architectures.NAMES


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
    request = architectures.Request(
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


def _architecture(name: str) -> architectures.Architecture:
    if name not in ARCHITECTURES:
        raise UserError(
            "Unknown backbone",
            where="backbone",
            received=name,
            expected=", ".join(NAMES),
            remedy="Choose one of them, such as backbone=mobilenet",
        )
    return ARCHITECTURES[name]


def _checked_layer(name: str, architecture: architectures.Architecture, layer: str | None) -> str:
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


def _checked_size(
    name: str, architecture: architectures.Architecture, size: tuple[int, int]
) -> tuple[int, int]:
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


def _wants_imagenet(
    name: str, architecture: architectures.Architecture, weights: str | None
) -> bool:
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
    architecture: architectures.Architecture,
    request: architectures.Request,
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


def _set_trainable(
    model: keras.Model, architecture: architectures.Architecture, trainable: bool | int
) -> None:
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


def _blocks(
    model: keras.Model, architecture: architectures.Architecture
) -> list[list[keras.layers.Layer]]:
    blocks: dict[str, list[keras.layers.Layer]] = {}
    for layer in model.layers:
        if layer.weights:
            match = re.match(architecture.block, layer.name)
            block = match.group(match.lastindex) if match else layer.name
            blocks.setdefault(block, []).append(layer)
    return list(blocks.values())
