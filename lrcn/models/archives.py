"""Whether a `.keras` file is one that Keras may open: looked at as a whole before it does.

Keras builds what an archive asks for: it looks classes up by module and name, takes memory for the
weights that they tell to have, and reads what stands in HDF5. Here an archive is held against what
our own networks consist of, so that nothing else is ever built.
"""

from __future__ import annotations

import functools
import io
import json
import math
import os
import pathlib
import zipfile
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import keras

from lrcn import errors
from lrcn.data.limits import Limits
from lrcn.errors import UserError
from lrcn.models import hdf5

WEIGHTS, CONFIG = "model.weights.h5", "config.json"
UNREADABLE = "no model that can be read"
DAMAGED = (UNREADABLE, "an archive that cannot be read")
"""What is told of a file that is cut or changed, not of one that holds something else."""
MEMBERS = (CONFIG, "metadata.json", WEIGHTS, "state.json")
"""All that an archive of ours holds; `state.json` is the training's own."""

_EXPECTED = "a .keras file that `lrcn train` or `lrcn import` wrote"
_REMEDY = "Open only files of people you trust; fetch it anew from who made it"
_HIGHEST_RATIO = 200  # of bytes to compressed bytes
_CHUNK = 2**20
_LARGEST = 2**40  # of a size
_FIRST_BYTES = b"PK\x03\x04"
_FUNCTIONAL = ("keras", "keras.models", "keras.src.models.functional")

# By module, what our networks, their optimizers and their losses are made of.
_KNOWN = {
    "keras": ("DTypePolicy",),
    "keras.layers": (
        *("Activation", "Add", "BatchNormalization", "Concatenate", "Conv2D", "Dense"),
        *("DepthwiseConv2D", "Dropout", "Embedding", "Flatten", "GlobalAveragePooling2D"),
        *("InputLayer", "LSTM", "MaxPooling2D", "Multiply", "ReLU", "Reshape", "ZeroPadding2D"),
    ),
    "keras.initializers": (
        *("Constant", "GlorotNormal", "GlorotUniform", "HeNormal", "HeUniform", "Identity"),
        *("LecunNormal", "LecunUniform", "Ones", "Orthogonal", "RandomNormal", "RandomUniform"),
        *("TruncatedNormal", "VarianceScaling", "Zeros"),
    ),
    "keras.optimizers": ("Adam", "AdamW", "LossScaleOptimizer", "RMSprop", "SGD"),
    "keras.optimizers.schedules": ("CosineDecay", "ExponentialDecay"),
    "keras.losses": ("BinaryCrossentropy", "SparseCategoricalCrossentropy"),
    "keras.metrics": ("SparseCategoricalAccuracy",),
}
_TENSOR = "__keras_tensor__"
_WITH_WEIGHTS = {
    "Dense": lambda own, channels, bias: (channels + bias) * own("units"),
    "Classes": lambda own, channels, bias: (channels + bias) * own("units"),
    "Conv2D": lambda own, channels, bias: _of_convolution(own, channels, bias),
    "GroupedConv2D": lambda own, channels, bias: _of_convolution(own, channels, bias),
    "DepthwiseConv2D": lambda own, channels, bias: (
        (own("kernel_size") + bias) * channels * own("depth_multiplier")
    ),
    "BatchNormalization": lambda own, channels, bias: 4 * channels,
    "LSTM": lambda own, channels, bias: (channels + own("units") + bias) * 4 * own("units"),
    "Embedding": lambda own, channels, bias: own("input_dim") * own("output_dim"),
    "Words": lambda own, channels, bias: own("input_dim") * own("output_dim"),
}
"""Numbers in the weights of a layer, by its arguments, the last axis of its input, and 1 or 0."""


def check(path: str | os.PathLike, limits: Limits = Limits(), *, key: str = "") -> None:
    """Refuses a file that Keras should not open.

    Args:
        path: The file.
        limits: The most that it may ask for.
        key: The configuration key that named it, for messages.

    Raises:
        UserError: It is no `.keras` archive, damaged, larger than it may be, or holds anything
            but a network of ours: another class, a link, or more weights than there are numbers.
    """
    where = f"{key}={path}" if key else str(path)
    if pathlib.Path(path).suffix != ".keras":
        raise _refused(where, "no name of a model", pathlib.Path(path).name, "NAME.keras")
    with opened(path, limits, where=where) as archive:
        names = archive.namelist()
        for name in names:
            if name not in MEMBERS:
                raise _refused(where, "an archive with another file in it", name)
        for name in (CONFIG, WEIGHTS):
            if name not in names:
                raise _refused(where, f"an archive without {name}", ", ".join(names) or "nothing")
        try:
            config = json.loads(archive.read(CONFIG))
            held = hdf5.check(weights_of(archive), limits=limits, where=where)
            _require_known(config, where, limits)
            asked = sum(_weights(config))
        except UserError:
            raise
        except (OSError, RecursionError, RuntimeError, *_MISFITS) as error:
            raise _refused(where, DAMAGED[1], error) from error
    if asked > held:
        raise _refused(
            where,
            "a network with more weights than the archive holds",
            f"{asked:,} numbers",
            f"at most {held:,}",
        )


def opened(path: str | os.PathLike, limits: Limits, *, where: object) -> zipfile.ZipFile:
    """Opens an archive whose members are seen to be whole, within bounds and without a path.

    Args:
        path: The file.
        limits: The most that it may ask for.
        where: The file, for messages.

    Raises:
        UserError: It is no archive, a damaged one, or unpacks to more than it may.
    """
    if not pathlib.Path(path).is_file():
        raise _refused(where, UNREADABLE, "no such file")
    try:
        with pathlib.Path(path).open("rb") as stream:
            if stream.read(len(_FIRST_BYTES)) != _FIRST_BYTES:  # else it may be another format, too
                size = os.fstat(stream.fileno()).st_size
                what = UNREADABLE
                raise _refused(where, what, f"a file of {size:,} bytes that is no archive")
        archive = zipfile.ZipFile(path)
        try:
            _require_members(archive, limits, where)
        except BaseException:
            archive.close()
            raise
    except UserError:
        raise
    except (OSError, RuntimeError, ValueError, EOFError, *_ZIP) as error:
        raise _refused(where, UNREADABLE, error) from error
    return archive


def weights_of(archive: zipfile.ZipFile) -> io.BytesIO:
    """Returns the content of the weights of an archive that was `opened`."""
    return io.BytesIO(archive.read(WEIGHTS))


_ZIP = (zipfile.BadZipFile, zipfile.LargeZipFile, NotImplementedError)
_MISFITS = (ValueError, TypeError, KeyError, IndexError, AttributeError, OverflowError)


def _require_members(archive: zipfile.ZipFile, limits: Limits, where: object) -> None:
    names: set[str] = set()
    total = 0
    for member in archive.infolist():
        name = member.filename
        if name.startswith(("/", "\\")) or ".." in pathlib.PurePosixPath(name).parts:
            raise _refused(where, "an archive with a file outside of it", name)
        if name in names:
            raise _refused(where, "an archive with two files of one name", name)
        names.add(name)
        total += member.file_size
        limits.require("archive_bytes", total, where=where, what="an unpacked archive")
        if member.file_size > max(member.compress_size * _HIGHEST_RATIO, _CHUNK):
            raise _refused(
                where,
                "an archive that unpacks to far more than it is",
                f"{name}: {member.file_size:,} bytes in {member.compress_size:,}",
                f"at most {_HIGHEST_RATIO} times as many",
            )
    for member in archive.infolist():
        # It never yields more than the size that was told, and ends in an error at another CRC.
        with archive.open(member) as stream:
            while stream.read(_CHUNK):
                pass


def _require_known(config: Any, where: object, limits: Limits) -> None:
    """Refuses a class that none of our networks is made of."""
    for found in _classes(config):
        name, module = found["class_name"], found.get("module")
        registered = found.get("registered_name")
        if not _is_known(name, module, registered):
            raise _refused(
                where,
                f"an archive with a class that is none of ours: {errors.shown(name)}",
                f"{name} of {module} ({registered})",
                "layers, optimizers and losses of lrcn's own networks; nothing is built of others",
            )
        if name == "InputContract":
            own = found["config"]
            pixels = int(own["height"]) * int(own["width"])
            limits.require("image_pixels", pixels, where=where, what="the input of the network")


def _is_known(name: object, module: object, registered: object) -> bool:
    if not isinstance(name, str):
        return False
    if name == _TENSOR:
        return module is None and registered is None
    if name == "Functional":
        return module in _FUNCTIONAL and registered in (None, name)
    if isinstance(module, str) and module.startswith("lrcn.models."):
        ours = registered == f"lrcn>{name}"
        return ours and keras.saving.get_registered_object(registered) is not None
    return isinstance(module, str) and name in _KNOWN.get(module, ()) and registered is None


def _classes(config: Any) -> Iterator[Mapping[str, Any]]:
    """Yields every part of a configuration that names a class."""
    left = [config]
    while left:
        part = left.pop()
        if isinstance(part, dict):
            if "class_name" in part or "registered_name" in part:
                yield {"class_name": None, **part}
            left += part.values()
        elif isinstance(part, list):
            left += part


def _weights(config: Any) -> Iterator[int]:
    """Yields how many numbers the weights of each layer are."""
    for found in _classes(config):
        of = _WITH_WEIGHTS.get(found["class_name"])
        if of is None:
            continue
        own = found["config"]
        shape = _built_of(found)
        axes = {own.get("axis", -1), -1}
        if own.get("data_format", "channels_last") != "channels_last" or axes - {
            len(shape) - 1,
            -1,
        }:
            raise ValueError(f"layer {own.get('name')} with its channels elsewhere than last")
        if own.get("lora_rank"):
            raise ValueError(f"layer {own.get('name')} with more weights beside its own")
        # Words are numbers, not vectors, and of any count.
        channels = 1 if shape[-1] is None else _whole(shape[-1])
        if channels < 1:
            raise ValueError(f"layer {own.get('name')} without channels")
        bias = 1 if own.get("use_bias", True) else 0
        yield of(functools.partial(_argument, own), channels, bias)


def _built_of(found: Mapping[str, Any]) -> list:
    """Returns the shape of the input that Keras builds a layer for, read as Keras does."""
    built = found["build_config"]
    if "input_shape" in built and "shapes_dict" in built:
        raise ValueError(f"layer {found['config'].get('name')} that is built of two shapes")
    if "shapes_dict" in built:
        return built["shapes_dict"]["sequences_shape"]  # beside those of first states
    shape = built["input_shape"]
    if found["class_name"] == "LSTM" and isinstance(shape[0], list):  # of first states, too
        return shape[0]
    return shape


def _argument(own: Mapping[str, Any], name: str) -> int:
    """Returns an argument of a layer that is a size, or the product of several."""
    value = own[name]
    return math.prod(map(_whole, value)) if isinstance(value, list) else _whole(value)


def _whole(value: object) -> int:
    if type(value) is not int or not 0 <= value <= _LARGEST:
        raise ValueError(f"a size of {value!r:.60}")
    return value


def _of_convolution(own: Callable[[str], int], channels: int, bias: int) -> int:
    return (own("kernel_size") * channels // max(own("groups"), 1) + bias) * own("filters")


def _refused(where: object, what: str, received: object, expected: str = _EXPECTED) -> UserError:
    return UserError(what, where=where, received=received, expected=expected, remedy=_REMEDY)
