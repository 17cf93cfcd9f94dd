"""Turns a file of foreign weights into a network of ours."""

from __future__ import annotations

import dataclasses
import pathlib
from collections.abc import Sequence

import keras

from lrcn.errors import UserError
from lrcn.models import activity, backbones, networks
from lrcn.models.foreign import architectures, converting, reading, source

_DEEPEST_FIRST = ("fc8", "fc7", "fc6")
_WHY_LEFT = "output is .weights.h5, no classifier follows, or it writes words that no file tells"
_OUTPUTS = {"fc6": 4096, "fc7": 4096, "fc8": 1000}


@dataclasses.dataclass(frozen=True)
class Imported:
    """What became of a file.

    Attributes:
        model: A backbone, or a whole network with its LSTM.
        backbone: The name of the backbone.
        layer: The layer whose activation is its feature.
        is_whole: Whether the model is a whole network.
        matches: Every tensor of the file and what it became.
        told: What was found, in a few words each.
    """

    model: keras.Model
    backbone: str
    layer: str
    is_whole: bool
    matches: tuple[converting.Match, ...]
    told: tuple[str, ...]


def load(
    file: pathlib.Path,
    *,
    backbone: str | None = None,
    layer: str | None = None,
    image_size: tuple[int, int] | None = None,
    mean: Sequence[float] | None = None,
    cnn_only: bool = False,
) -> Imported:
    """Returns the network that a file of foreign weights holds.

    A file with an LSTM and a classifier after it becomes a whole `activity.lstm`, any other a
    backbone.

    Args:
        file: See `reading.read`.
        backbone: One of `architectures.NAMES`; None lets the file tell.
        layer: The last layer that is taken; None is the deepest that the file can fill.
        image_size: Height and width in pixels instead of the architecture's own.
        mean: Three values subtracted, in the file's order of channels, instead of what it tells.
        cnn_only: Whether an LSTM is left.

    Raises:
        UserError: The file cannot be read, is of another network, or a tensor misfits.
    """
    found = reading.read(file)
    name = architectures.choose(found, backbone)
    recurrent = None if cnn_only else _recurrent(found)
    layer = layer or _deepest(found, name, recurrent)
    contract, contract_told = found.contract, found.contract_told
    if mean is not None:
        contract, contract_told = {**contract, "mean": tuple(mean)}, "as given"
    cnn = backbones.build(
        name,
        layer=layer,
        image_size=image_size,
        initializer="zeros" if name != "vgg16" else None,
        contract=contract,
    )
    filler = converting.Filler(found, f"file={file}")
    _take_cnn(filler, found, name, cnn)
    model = cnn if recurrent is None else _take_recurrent(filler, cnn, *recurrent)
    left = [layer.name for layer in found.of_kind(source.LSTM) if layer.tensors]
    told = (
        f"found: {found.told}",
        f"becomes: {name} up to {layer}{'' if recurrent is None else ' and its LSTM'}",
        f"input contract ({contract_told}): {_in_words(contract)}",
        *([f"left: {', '.join(left)}, since {_WHY_LEFT}"] if left and recurrent is None else ()),
    )
    return Imported(model, name, layer, recurrent is not None, tuple(filler.fill()), told)


def _recurrent(found: source.Source) -> tuple[list[source.Layer], source.Layer] | None:
    """Returns the LSTM layers of an activity network and its classifier, None if it is none.

    A network that writes captions has an embedding, too; its words are not in the file.
    """
    cells = [layer for layer in found.of_kind(source.LSTM) if layer.tensors]
    if not cells or found.of_kind(source.EMBED):
        return None
    after = found.layers[found.layers.index(cells[-1]) + 1 :]
    dense = [layer for layer in after if layer.kind == source.DENSE and layer.tensors]
    return (cells, dense[0]) if dense else None


def _deepest(found: source.Source, name: str, recurrent: tuple | None) -> str:
    """Returns the deepest layer that a file can fill, as deep as an LSTM allows."""
    cells, classifier = recurrent or ([], None)
    for layer in _DEEPEST_FIRST[1:] if cells else _DEEPEST_FIRST:
        part = {"fc6": "fc1", "fc7": "fc2", "fc8": "predictions"}[layer]
        stored = architectures.layer_of(found, name, part if name == "vgg16" else layer)
        if stored is not None and stored is not classifier:
            bias = stored.tensors[-1].values
            if bias.ndim and bias.shape[-1] == _OUTPUTS[layer]:
                return layer
    return "fc6"


def _take_cnn(filler: converting.Filler, found: source.Source, name: str, cnn: keras.Model) -> None:
    flattened = None
    for layer in cnn.layers:
        if isinstance(layer, keras.layers.Flatten):
            flattened = tuple(layer.input.shape[1:])
        elif layer.weights:
            stored = architectures.layer_of(found, name, layer.name)
            filler.take(stored, layer, maps=flattened)
            flattened = None


def _take_recurrent(
    filler: converting.Filler,
    cnn: keras.Model,
    stored: list[source.Layer],
    classifier: source.Layer,
) -> keras.Model:
    """Returns the whole network, whose sizes are those of the file's LSTM and classifier."""
    units = {_rows(cell.tensors[-1]) // 4 for cell in stored}
    if len(units) != 1 or not min(units):
        raise UserError(
            "LSTM layers that no network of ours has",
            where=stored[0].name,
            received=f"state sizes {', '.join(map(str, sorted(units)))}",
            expected="one or more layers of one state size",
            remedy="Give output=FILE.weights.h5 for the CNN alone",
        )
    num_classes = _rows(classifier.tensors[0])
    if not num_classes:
        raise UserError(
            "a classifier without classes",
            where=classifier.tensors[0].name,
            received=f"a tensor of shape {classifier.tensors[0].values.shape}",
            expected=f"a matrix of classes and {min(units)} units",
            remedy="Give output=FILE.weights.h5 for the CNN alone",
        )
    model = activity.lstm(
        cnn,
        num_classes=num_classes,
        units=units.pop(),
        layers=len(stored),
        dropout_in=0.9,  # as the paper trained it
        initializer="zeros",
    )
    for cell, target in zip(stored, cells(model), strict=True):
        filler.take_lstm(cell, target)
    filler.take(classifier, networks.head(model).get_layer("classes"))
    return model


def cells(model: keras.Model) -> list[keras.layers.LSTM]:
    """Returns the LSTM layers of a whole network."""
    return [layer for layer in networks.head(model).layers if isinstance(layer, keras.layers.LSTM)]


def _rows(tensor: source.Tensor) -> int:
    """Returns how many rows a matrix of Caffe has; older files store it with four axes."""
    shape = tensor.values.shape
    return shape[-2] if len(shape) > 1 else 0


def _in_words(contract: dict) -> str:
    order = contract["channel_order"]
    words = [f"{order.upper()}, mean {', '.join(f'{value:g}' for value in contract['mean'])}"]
    if contract.get("scale", 1.0) != 1.0:
        words.append(f"scale {contract['scale']:.6g}")
    if "std" in contract:
        words.append(f"std {', '.join(f'{value:g}' for value in contract['std'])}")
    return "; ".join(words)
