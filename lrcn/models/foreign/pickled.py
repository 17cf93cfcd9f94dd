"""`bvlc_alexnet.npy`: a dictionary of arrays that NumPy pickled, read without unpickling objects.

A pickle is a program that may call anything. The one who reads it here knows four names, those that
an array is made of, and answers each with a stand-in that only keeps what it is given; every other
name is refused before anything is called. Pickles of Python 2 are read, too.
"""

from __future__ import annotations

import ast
import pathlib
import pickle
import pickletools
import re
from typing import Any, BinaryIO

import numpy as np

from lrcn.errors import UserError
from lrcn.models.foreign import source

_EXPECTED = "a dictionary of layer names and [weights, bias], as in bvlc_alexnet.npy"
_MAGIC = b"\x93NUMPY"
_LENGTHS = {1: 2, 2: 4, 3: 4}  # bytes of the header's length, by version of the format
_LONGEST_HEADER = 10_000  # bytes, NumPy's own bound
_MOST_KEPT = 100_000  # things that a pickle refers to again
_FLOATS = ("f2", "f4", "f8")
# What a pickle that is cut short or made up leads its reader to.
_BROKEN = (
    pickle.UnpicklingError,
    EOFError,
    ValueError,
    TypeError,
    KeyError,
    IndexError,
    AttributeError,
    OverflowError,
    MemoryError,
    NotImplementedError,
    RecursionError,
)


class _Type:
    """Stands in for `numpy.dtype`: keeps its letters and the order of its bytes."""

    def __init__(self, letters: Any = "", *_: Any):
        self.letters = _text(letters)
        self.order = "<"

    def __setstate__(self, state: tuple):
        self.order = _text(state[1])

    def dtype(self) -> np.dtype:
        letters = self.letters.lstrip("<>=|")
        if letters not in _FLOATS:
            raise ValueError(f"an array of '{letters}'")
        return np.dtype((self.order if self.order in "<>" else "<") + letters)


class _Array:
    """Stands in for `numpy.ndarray`: keeps its shape, type and bytes, or its objects."""

    def __init__(self, *_: Any):
        self.state = None

    def __setstate__(self, state: tuple):
        self.state = state

    def objects(self) -> list:
        """Returns the content of an array of objects."""
        content = None if self.state is None else self.state[4]
        if not isinstance(content, list):
            raise ValueError("an array of numbers")
        return content

    def values(self) -> np.ndarray:
        """Returns an array of numbers, a view of its bytes."""
        if self.state is None:
            raise ValueError("an array without content")
        _, shape, kind, by_column, content = self.state
        flat = np.frombuffer(_raw(content), kind.dtype())
        return flat.reshape(shape, order="F" if by_column else "C")


class _Bytes(bytes):
    """Stands in for `codecs.encode`, by which newer Pythons write bytes for older ones."""

    def __new__(cls, content: Any = b"", *_: Any):
        return super().__new__(cls, _raw(content))

    def __setstate__(self, state: Any):
        raise ValueError("bytes with a state")


_STAND_INS = {
    ("numpy", "ndarray"): _Array,
    ("numpy", "dtype"): _Type,
    ("numpy.core.multiarray", "_reconstruct"): _Array,
    ("numpy._core.multiarray", "_reconstruct"): _Array,
    ("_codecs", "encode"): _Bytes,
}


class _Refused(Exception):  # noqa: N818 - a message on its way, no error of its own
    """A name that has no place in arrays."""


class _Unpickler(pickle.Unpickler):
    """Knows the stand-ins and nothing else."""

    def find_class(self, module: str, name: str) -> Any:
        """Returns the stand-in of a name, or refuses it."""
        if (module, name) not in _STAND_INS:
            raise _Refused(f"{module}.{name}")
        return _STAND_INS[module, name]

    def persistent_load(self, pid: Any) -> Any:
        """Refuses what lies outside the file."""
        raise _Refused(f"something kept elsewhere ({pid})")


def read(file: pathlib.Path) -> source.Source:
    """Returns the layers of a `.npy` file that holds a dictionary of arrays.

    Convolutions and matrices are told by the shape of the first convolution to be as Caffe has
    them or as TensorFlow has them, for the whole file.

    Raises:
        UserError: The file is cut short, holds something else, or asks for more than arrays.
    """
    try:
        layers = [_layer(name, content) for name, content in _dictionary(file).items()]
    except _Refused as error:
        raise UserError(
            "the file is refused: it would run a program of its own when it is read",
            where=f"file={file}",
            received=f"a pickle that asks for {error}",
            expected=f"{_EXPECTED}, and nothing else",
            remedy="Do not open it with NumPy either; fetch the file from where it was published",
        ) from error
    except _BROKEN as error:
        raise UserError(
            "not a dictionary of arrays that can be read",
            where=f"file={file}",
            received=f"{error or type(error).__name__}, in {file.stat().st_size} bytes",
            expected=_EXPECTED,
            remedy="Fetch the file again and compare its size or checksum",
        ) from None
    axes = _axes(layers)
    return source.Source(
        told=f"NumPy dictionary of {len(layers)} layers with the axes of "
        + ("Caffe" if axes == "caffe" else "TensorFlow"),
        name=file.stem,
        layers=tuple(layers),
        axes=axes,
        contract=source.BGR,
        contract_told="Caffe's usual",
    )


def _dictionary(file: pathlib.Path) -> dict:
    with file.open("rb") as stream:
        header = _header(stream)
        if header["descr"] != "|O":
            raise ValueError(f"an array of {header['descr']} {header['shape']}")
        begin = stream.tell()
        _require_small_memo(stream)
        stream.seek(begin)
        content = _Unpickler(stream, encoding="bytes").load()
    if isinstance(content, _Array):
        content = content.objects()[0]
    if not isinstance(content, dict):
        raise ValueError(f"an object that is a {type(content).__name__}")
    return content


def _require_small_memo(stream: BinaryIO) -> None:
    """Refuses a pickle that keeps things at far places: room is made for all places before."""
    for operation, argument, _ in pickletools.genops(stream):
        if operation.name.endswith("PUT") and argument > _MOST_KEPT:
            raise pickle.UnpicklingError(f"a thing kept at place {argument:,}")


def _header(stream: BinaryIO) -> dict:
    """Returns what stands before the pickle: descr, fortran_order and shape."""
    magic = stream.read(len(_MAGIC) + 2)
    if not magic.startswith(_MAGIC) or magic[-2] not in _LENGTHS:
        raise ValueError("a file that does not begin as a .npy file does")
    length = int.from_bytes(stream.read(_LENGTHS[magic[-2]]), "little")
    text = stream.read(min(length, _LONGEST_HEADER)).decode("latin1")
    try:
        header = ast.literal_eval(text.strip())
    except (SyntaxError, ValueError) as error:
        raise ValueError("a damaged header") from error
    if not isinstance(header, dict) or not {"descr", "shape"} <= header.keys():
        raise ValueError("a damaged header")
    return header


def _layer(name: Any, content: Any) -> source.Layer:
    name = _text(name)
    if isinstance(content, dict):
        given = {_text(key): value for key, value in content.items()}
        content = [given[key] for key in ("weights", "biases") if key in given]
    if isinstance(content, _Array):  # of objects: a list that NumPy took for an array
        content = content.objects()
    if not isinstance(content, (list, tuple)):
        raise ValueError(f"layer {name} that is a {type(content).__name__}")
    tensors = []
    for index, array in enumerate(content):
        if not isinstance(array, _Array):
            raise ValueError(f"layer {name} with a {type(array).__name__} in it")
        tensors.append(source.Tensor(f"{name}[{index}]", array.values()))
    return source.Layer(name, tensors=tuple(tensors))


def _axes(layers: list[source.Layer]) -> str:
    """Returns whose order of axes the first convolution has, which sees three channels."""
    for layer in layers:
        if re.match(r"conv1(_1)?(?!\d)", layer.name) and layer.tensors:
            shape = layer.tensors[0].values.shape
            if len(shape) == 4 and shape[2] == 3 and shape[0] == shape[1]:
                return "keras"
    return "caffe"


def _raw(content: Any) -> bytes:
    return content.encode("latin1") if isinstance(content, str) else bytes(content)


def _text(value: Any) -> str:
    return value.decode("latin1") if isinstance(value, bytes) else str(value)
