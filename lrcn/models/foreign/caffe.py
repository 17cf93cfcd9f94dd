"""Caffe's `.caffemodel`: a NetParameter in Protocol Buffers' wire format, read without Caffe.

Both of its lists of layers are read, `layer` (field 100) and the older `layers` (field 2), and
numbers of every kind that BlobProto knows. Field numbers are those of Caffe's public `caffe.proto`.
"""

from __future__ import annotations

import dataclasses
import math
import pathlib

import numpy as np

from lrcn.errors import UserError
from lrcn.models.foreign import source, wire

_CURRENT, _OLDER = 100, 2  # fields of NetParameter that hold layers
_OLDER_KINDS = {4: source.CONVOLUTION, 14: source.DENSE, 15: source.NORM, 17: source.POOL}
_MOST_AXES = 32


@dataclasses.dataclass(frozen=True)
class _Numbers:
    """Field numbers of a message that holds a layer."""

    name: int
    kind: int
    blobs: int
    transform: int


_NUMBERS = {_CURRENT: _Numbers(1, 2, 7, 100), _OLDER: _Numbers(4, 5, 6, 36)}


def read(file: pathlib.Path) -> source.Source:
    """Returns the layers of a `.caffemodel`, their tensors mapped from the file.

    Raises:
        UserError: The file is cut short, damaged, or no `.caffemodel`.
    """
    data = memoryview(np.memmap(file, np.uint8, "r"))
    try:
        return _net(wire.Message(data, 0, len(data)), file)
    except wire.Damaged as error:
        raise UserError(
            "not a Caffe network that can be read",
            where=f"file={file}",
            received=f"{error}, of {len(data)} bytes, read as Caffe's",
            expected="a whole .caffemodel, bvlc_alexnet.npy or .safetensors",
            remedy="Fetch the file again and compare its size or checksum",
        ) from error


def _net(message: wire.Message, file: pathlib.Path) -> source.Source:
    name, layers, transforms = "", [], []
    for field in message.fields():
        if field.number == 1:
            name = field.text()
        elif field.number in _NUMBERS:
            layer, transform = _layer(field.message(), _NUMBERS[field.number])
            layers.append(layer)
            transforms.append(transform)
    if not any(layer.tensors for layer in layers):
        raise UserError(
            "this Caffe network holds no weights",
            where=f"file={file}",
            received=f"{len(layers)} layers without tensors",
            expected="a .caffemodel of a trained network",
            remedy="Give the .caffemodel, not a file of the network's design or the solver's state",
        )
    contract, told = _contract(layers, [given for given in transforms if given])
    return source.Source(
        told=f"Caffe network '{name}' of {len(layers)} layers",
        name=name,
        layers=tuple(layers),
        axes="caffe",
        contract=contract,
        contract_told=told,
    )


def _layer(message: wire.Message, numbers: _Numbers) -> tuple[source.Layer, dict]:
    """Returns a layer, and the input that it makes of an image if it is one of data."""
    name, kind, blobs, transform = "", "", [], {}
    for field in message.fields():
        if field.number == numbers.name:
            name = field.text()
        elif field.number == numbers.kind:
            kind = _OLDER_KINDS.get(field.value, "") if field.part is None else field.text()
        elif field.number == numbers.blobs:
            blobs.append(_blob(field.message()))
        elif field.number == numbers.transform:
            transform = _transform(field.message())
    named = (source.Tensor(f"{name}[{index}]", values) for index, values in enumerate(blobs))
    return source.Layer(name, kind, tuple(named)), transform


def _blob(message: wire.Message) -> np.ndarray:
    """Returns the values of a BlobProto in its shape."""
    older, shape, parts = {}, None, []
    for field in message.fields():
        if field.number in (1, 2, 3, 4):  # num, channels, height, width
            older[field.number] = _last(field.integers(), field)
        elif field.number == 5:  # data
            parts.append(field.numbers("<f4"))
        elif field.number == 8:  # double_data
            parts.append(field.numbers("<f8"))
        elif field.number == 7:  # shape
            inner = field.message().fields()
            shape = [size for one in inner if one.number == 1 for size in one.integers()]
    values = parts[0] if len(parts) == 1 else np.concatenate([np.zeros(0, "<f4"), *parts])
    if shape is None:
        shape = [older.get(axis, 1) for axis in (1, 2, 3, 4)] if older else [values.size]
    # A size of 0 among others of any value has as many numbers as an empty field: none.
    if len(shape) > _MOST_AXES or not values.size or math.prod(shape) != values.size:
        sizes = " x ".join(map(str, shape[:_MOST_AXES]))
        raise wire.Damaged(f"{values.size} numbers for a tensor of {sizes}", message.start)
    return values.reshape(shape)


def _last(values, field: wire.Field):
    if not len(values):
        raise wire.Damaged(f"field {field.number} holds nothing", field.at)
    return values[-1]


def _transform(message: wire.Message) -> dict:
    """Returns what a TransformationParameter says of pixel values."""
    found = {"mean": []}
    for field in message.fields():
        if field.number == 1:
            found["scale"] = float(_last(field.numbers("<f4"), field))
        elif field.number == 4:
            found["file"] = field.text()
        elif field.number == 5:
            found["mean"] += [float(value) for value in field.numbers("<f4")]
    return found


def _contract(layers: list[source.Layer], transforms: list[dict]) -> tuple[dict, str]:
    """Returns the input contract of a network and where it is from."""
    reads_clips = any(layer.kind == source.LSTM for layer in layers)
    describes = any(layer.kind == source.EMBED for layer in layers)
    contract, told = source.BGR, "Caffe's usual"
    if reads_clips and not describes:
        contract, told = source.BGR_OF_LRCN, "that of the released LRCN"
    for given in transforms:
        means, scale = given["mean"], given.get("scale", 1.0)
        if len(means) in (1, 3):
            # Caffe subtracts first and scales then.
            mean = tuple(scale * value for value in (means * 3)[:3])
            return {"channel_order": "bgr", "scale": scale, "mean": mean}, "as the file says"
        if "file" in given:
            told = f"{told}; the file names {given['file']}, which is not in it"
    return contract, told
