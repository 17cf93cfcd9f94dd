"""Weights from files and from other models, with errors that name the tensor."""

from __future__ import annotations

import io
import json
import pathlib
import re
import tempfile
import zipfile
from collections.abc import Collection, Mapping

import h5py
import keras
import numpy as np

from lrcn import errors, faults, files
from lrcn.data import modality as modality_lib
from lrcn.data.limits import Limits
from lrcn.errors import CannotWrite, UserError
from lrcn.models import archives, hdf5, layers

WHERE = "backbone.weights"
READABLE = "a .weights.h5, .h5 or .keras file of Keras weights"
_LONGEST_REASON = 300  # characters
_CONTRACT = "lrcn_input_contract"  # an attribute of the file
_OF_CONTRACT = ("channel_order", "scale", "mean", "std")


def open_model(
    file: str | pathlib.Path, *, key: str = "", limits: Limits = Limits()
) -> keras.Model:
    """Opens a saved model without its optimizer.

    Args:
        file: A `.keras` file.
        key: The configuration key that named it, for messages.
        limits: The most that it may ask for.

    Raises:
        UserError: The file is missing, cut short, no model, or none of ours.
    """
    where = f"{key}={file}" if key else file
    try:
        archives.check(file, limits, key=key)
        return keras.models.load_model(file, compile=False, safe_mode=True)
    except UserError as error:
        if error.what != archives.UNREADABLE:
            raise
        received, cause = error.received, error
    except Exception as error:  # noqa: BLE001 - what a stranger's configuration leads Keras to
        if faults.is_no_room(error):  # Keras unpacks the archive
            raise faults.unwritable(tempfile.gettempdir(), error) from error
        received, cause = errors.shown(error)[:_LONGEST_REASON], error
    raise UserError(
        archives.UNREADABLE,
        where=where,
        received=received,
        expected="a .keras file that `lrcn train` wrote",
        remedy="Give the run's other checkpoint (checkpoint=last or best), or train anew; "
        "weights of a CNN alone (.weights.h5) are backbone.weights",
    ) from cause


def load_backbone_weights(
    model: keras.Model, file: str | pathlib.Path, *, limits: Limits = Limits()
) -> None:
    """Loads a backbone's weights from a local file, in place.

    Layers are matched by name. Stored layers that the model lacks, such as the classifier of a
    whole ImageNet network, are left. Nothing changes unless every tensor fits.

    Args:
        model: A functional model without nested models.
        file: `.weights.h5` (Keras 3), `.h5` (older weights files) or a `.keras` archive.
        limits: The most that it may ask for.

    Raises:
        UserError: The file is missing, holds no weights, or a tensor misfits (the first is named).
    """
    path = pathlib.Path(file)
    if not path.is_file():
        raise UserError(
            "The weights file does not exist",
            where=WHERE,
            received=path,
            expected=READABLE,
            remedy="Correct the path; it is relative to the working directory",
        )
    stored = _read(path, limits)
    keys = _position_names(model)
    pairs = []
    for layer in model.layers:
        if layer.weights:
            arrays = stored.get(layer.name, stored.get(keys[layer.name], []))
            pairs.extend(_fitting(layer, arrays, path))
    for variable, array in pairs:
        variable.assign(array)


def save_backbone_weights(model: keras.Model, file: str | pathlib.Path) -> None:
    """Writes a backbone's weights, with its input contract, as a whole or not at all.

    Plain Keras loads the file, too; the contract is an attribute that it does not look at.

    Args:
        model: A backbone.
        file: The final path, `.weights.h5`.
    """
    contract = next(layer for layer in model.layers if isinstance(layer, layers.InputContract))
    text = json.dumps({name: contract.contract()[name] for name in _OF_CONTRACT})
    with files.atomic_path(file) as temporary:
        try:
            content = io.BytesIO(_weights_of(model, temporary.with_suffix(".keras")))
        except CannotWrite as error:
            raise error.but(where=file) from error
        with h5py.File(content, "r+") as stored:
            stored.attrs[_CONTRACT] = text
        temporary.write_bytes(content.getbuffer())


def _weights_of(model: keras.Model, archive: pathlib.Path) -> bytes:
    """Returns what `save_weights` writes, by way of an archive of Keras that is removed.

    An HDF5 file that is open on a disk that gets full cannot be closed, and ends the process.
    """
    with files.atomic_path(archive) as temporary:
        model.save(temporary)
        with zipfile.ZipFile(temporary) as stored:
            content = stored.read("model.weights.h5")
    archive.unlink()
    return content


def require_weights(file: str | pathlib.Path | None, *, limits: Limits = Limits()) -> None:
    """Raises a `UserError` if a file is none of weights; None and "imagenet" name no file."""
    if file not in (None, "imagenet"):
        _read(pathlib.Path(file), limits)


def contract_in(file: str | pathlib.Path, *, limits: Limits = Limits()) -> dict | None:
    """Returns the input contract that a weights file of ours holds, without its size.

    Args:
        file: A weights file or `.keras` archive.
        limits: The most that it may ask for.

    Returns:
        channel_order, scale, mean and std, or None where the file tells nothing.
    """
    try:
        if zipfile.is_zipfile(file):
            with archives.opened(file, limits, where=file) as archive:
                found = _contract_in_config(json.loads(archive.read(archives.CONFIG)))
        else:
            with h5py.File(file, "r") as stored:
                found = json.loads(stored.attrs.get(_CONTRACT, "null"))
        return found and _plain({name: found[name] for name in _OF_CONTRACT})
    except (OSError, KeyError, TypeError, ValueError, RecursionError):
        return None  # what is no weights file is told when its weights are read


def _plain(contract: dict) -> dict:
    """Returns a contract of a file if it is one, of numbers and a known order of channels."""
    numbers = [contract["scale"], *contract["mean"], *contract["std"]]
    if len(numbers) != 7 or not all(isinstance(n, (int, float)) and abs(n) < 1e6 for n in numbers):
        raise ValueError("a contract of other numbers")
    if contract["channel_order"] not in layers.CHANNEL_ORDERS:
        raise ValueError("a contract of other channels")
    return contract


def of_modality(contract: Mapping[str, object], modality: str) -> Mapping[str, object]:
    """Returns a contract for what frames show; of motion and difference still points are the mean.

    Args:
        contract: An input contract; one that tells no modality is of colours.
        modality: What the frames show.
    """
    if modality == contract.get("modality", "rgb"):
        return contract
    still = modality_lib.CENTRE * contract.get("scale", 1.0)
    return {**contract, "mean": (still,) * 3, "modality": modality}


def carry_contract(source: keras.Model, target: keras.Model) -> bool:
    """Gives a network the input contract of another one with the same CNN, in place.

    Where the two look at other modalities, the mean is that of the target's.

    Args:
        source: The network that the weights are from.
        target: One that has not run yet.

    Returns:
        Whether the two differed.
    """
    given, taken = (_contract_layer(model) for model in (source, target))
    if given is None or taken is None:
        return False
    before, values = taken.contract(), of_modality(given.contract(), taken.modality)
    taken.channel_order, taken.scale = values["channel_order"], values["scale"]
    taken.mean, taken.std = tuple(values["mean"]), tuple(values["std"])
    return taken.contract() != before


def _contract_layer(model: keras.Model) -> layers.InputContract | None:
    for layer in model.layers:
        if isinstance(layer, layers.InputContract):
            return layer
        if isinstance(layer, layers.PerFrame):
            return _contract_layer(layer.layer)
    return None


def _contract_in_config(config: object) -> dict | None:
    """Returns the configuration of the first input contract in that of a model."""
    if isinstance(config, dict):
        if config.get("class_name") == layers.InputContract.__name__:
            return config["config"]
        config = list(config.values())
    found = map(_contract_in_config, config) if isinstance(config, list) else ()
    return next((inner for inner in found if inner), None)


def carry_over(
    source: keras.Model, target: keras.Model, *, leave: Collection[str] = ()
) -> tuple[list[str], list[str]]:
    """Copies weights of equal path and shape from one model into another, in place.

    A layer is carried as a whole: a bias does not come without its kernel.

    Args:
        source: A trained model.
        target: The model that takes the weights.
        leave: Names of layers that are not carried.

    Returns:
        The paths of the target's weights that were matched, and of those that were not.
    """
    known = {weight.path: weight for weight in source.weights}
    misfits = {
        _owner(weight.path)
        for weight in target.weights
        if not set(leave).isdisjoint(_owner(weight.path).split("/"))
        or weight.path not in known
        or tuple(known[weight.path].shape) != tuple(weight.shape)
    }
    matched, unmatched = [], []
    for weight in target.weights:
        if _owner(weight.path) in misfits:
            unmatched.append(weight.path)
        else:
            weight.assign(known[weight.path])
            matched.append(weight.path)
    return matched, unmatched


def _owner(path: str) -> str:
    return path.rpartition("/")[0]


def _fitting(
    layer: keras.layers.Layer, arrays: list[np.ndarray], path: pathlib.Path
) -> list[tuple[keras.Variable, np.ndarray]]:
    """Returns pairs of a layer's weights and their stored values."""
    pairs = []
    for index, variable in enumerate(layer.weights):
        received = tuple(arrays[index].shape) if index < len(arrays) else "no such tensor"
        expected = tuple(variable.shape)
        if received != expected:
            raise UserError(
                f"Tensor {variable.path} does not fit",
                where=_place(path),
                received=received,
                expected=expected,
                remedy="Give the file of the same backbone, alpha, layer and image_size",
            )
        pairs.append((variable, arrays[index]))
    return pairs


def _read(path: pathlib.Path, limits: Limits) -> dict[str, list[np.ndarray]]:
    """Returns the stored arrays by layer name."""
    try:
        if zipfile.is_zipfile(path):
            with archives.opened(path, limits, where=_place(path)) as archive:
                source = archives.weights_of(archive)
        else:
            source = path
        hdf5.check(source, limits=limits, where=_place(path))
        with h5py.File(source, "r") as stored:
            legacy = stored.get("model_weights", stored)
            if "layer_names" in legacy.attrs:
                return _legacy_arrays(legacy)
            arrays = _arrays(stored)
    except UserError:
        raise
    except (OSError, KeyError, TypeError, ValueError, AttributeError, RuntimeError) as error:
        raise UserError(
            "This is not a weights file",
            where=_place(path),
            received=error,
            expected=READABLE,
            remedy="Fetch or save the file again; what Caffe, NumPy or PyTorch wrote becomes one "
            "by `lrcn import file=FILE`",
        ) from error
    if not arrays:
        raise UserError(
            "This file holds no weights",
            where=_place(path),
            received="a file without tensors of layers",
            expected=READABLE,
            remedy="Save it again with model.save_weights(...), or give another",
        )
    return arrays


def _place(path: pathlib.Path) -> str:
    return f"{WHERE}={path}"


def _arrays(stored: h5py.File) -> dict[str, list[np.ndarray]]:
    """Returns the arrays of a Keras 3 file by layer name and, for older files, by position name."""
    arrays: dict[str, list[np.ndarray]] = {}

    def visit(path: str, group) -> None:
        if not path.endswith("/vars") or not isinstance(group, h5py.Group) or not len(group):
            return
        values = [group[str(index)][()] for index in range(len(group))]
        arrays[path.split("/")[-2]] = values
        if "name" in group.attrs:
            arrays[str(group.attrs["name"])] = values

    stored.visititems(visit)
    return arrays


def _legacy_arrays(stored: h5py.Group) -> dict[str, list[np.ndarray]]:
    """Returns the arrays of a file as Keras 2 wrote it, by layer name."""
    return {
        _text(name): [
            stored[_text(name)][_text(tensor)][()]
            for tensor in stored[_text(name)].attrs["weight_names"]
        ]
        for name in stored.attrs["layer_names"]
    }


def _text(name: bytes | str) -> str:
    return name.decode() if isinstance(name, bytes) else str(name)


def _position_names(model: keras.Model) -> dict[str, str]:
    """Returns the key of each layer in a Keras 3 file: its class and how many came before it."""
    counts: dict[str, int] = {}
    names = {}
    for layer in model.layers:
        kind = _snake(type(layer).__name__)
        count = counts.get(kind, 0)
        counts[kind] = count + 1
        names[layer.name] = f"{kind}_{count}" if count else kind
    return names


def _snake(name: str) -> str:
    """Returns a class name as Keras writes it in files: `GroupedConv2D` -> `grouped_conv2d`."""
    name = re.sub(r"\W+", "", name)
    name = re.sub("(.)([A-Z][a-z]+)", r"\1_\2", name)
    return re.sub("([a-z])([A-Z])", r"\1_\2", name).lower()
