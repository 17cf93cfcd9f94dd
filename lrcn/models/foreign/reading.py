"""Opens a file of foreign weights by what is in it, whatever its suffix."""

from __future__ import annotations

import pathlib

from lrcn.errors import UserError
from lrcn.models.foreign import caffe, pickled, source, torchvision

READABLE = "a .caffemodel, bvlc_alexnet.npy, or torchvision's VGG16 as .safetensors"
_HEAD = 16  # bytes


def read(file: pathlib.Path) -> source.Source:
    """Returns what a file holds.

    Args:
        file: A `.caffemodel`, a `.npy` with a dictionary of arrays, or a `.safetensors` file.

    Raises:
        UserError: The file is missing, damaged or of another kind.
    """
    if not file.is_file() or not file.stat().st_size:
        raise UserError(
            "there is nothing to read",
            where="file",
            received=f"{file}, {'an empty file' if file.is_file() else 'no such file'}",
            expected=READABLE,
            remedy="Correct the path; it is relative to the working directory",
        )
    with file.open("rb") as stream:
        head = stream.read(_HEAD)
    if head.startswith(b"\x93NUMPY"):
        return pickled.read(file)
    if head[8:9] == b"{" and int.from_bytes(head[:8], "little") < file.stat().st_size:
        return torchvision.read(file)
    _refuse_known(file, head)
    return caffe.read(file)


def _refuse_known(file: pathlib.Path, head: bytes) -> None:
    """Refuses what is met in place of the files that are read, with the way to one of them."""
    kind = None
    if head.startswith(b"\x89HDF"):
        kind, remedy = "an HDF5 file", "Weights of Keras need no import: backbone.weights=FILE"
    elif head.startswith(b"PK"):
        kind = "a zip archive"
        remedy = (
            "A .keras file needs no import: backbone.weights=FILE; of a .pth file save the "
            "tensors with safetensors.torch.save_file"
        )
    elif head.startswith(b"\x80"):
        kind = "a pickle"
        remedy = "Pickles run programs; save the tensors with safetensors.torch.save_file"
    if kind:
        raise UserError(
            "this kind of file is not imported",
            where=f"file={file}",
            received=kind,
            expected=READABLE,
            remedy=remedy,
        )
