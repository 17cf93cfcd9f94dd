"""What an HDF5 file of weights may hold: tensors of its own, as many as it tells.

HDF5 lets a data set lie in another file, be mapped from others, or tell a shape that has no data.
None of it has a place in weights, and a stranger's file would read what is not its own with it, or
take all memory.
"""

from __future__ import annotations

import os
from typing import BinaryIO

import h5py

from lrcn.data.limits import Limits
from lrcn.errors import UserError

_DEEPEST = 64  # groups within groups; those of our networks are 12 deep
_MOST_OBJECTS = 1_000_000
_HIGHEST_RATIO = 200  # of bytes told to bytes stored, where they are compressed
_REMEDY = "Fetch the file anew from who made it, or leave it out"
_EXPECTED = "tensors of numbers that lie in the file itself"


def check(source: str | os.PathLike | BinaryIO, *, limits: Limits, where: object) -> int:
    """Refuses what has no place among weights, before anything of it is read.

    Args:
        source: The file, or its content.
        limits: The most that it may ask for.
        where: The file, for messages.

    Returns:
        How many numbers its tensors hold together.

    Raises:
        UserError: A link, or a tensor without data of its own, or more than may be read.
        OSError: It is no HDF5 file, or a damaged one.
    """
    with h5py.File(source, "r") as stored:
        walk = _Walk(limits, where)
        walk.group(stored, "", 0)
        return walk.numbers


class _Walk:
    """Goes through all groups once and adds up what tensors tell."""

    def __init__(self, limits: Limits, where: object):
        self.limits, self.where = limits, where
        self.numbers = self.bytes = 0
        self.seen: set[object] = set()

    def group(self, group: h5py.Group, path: str, depth: int) -> None:
        if depth > _DEEPEST or len(self.seen) > _MOST_OBJECTS:
            raise self._refused("too many groups", f"{path[:60]} and more")
        for name in group:
            inner = f"{path}/{name}"
            link = group.get(name, getlink=True)
            if not isinstance(link, h5py.HardLink):
                target = getattr(link, "filename", None) or getattr(link, "path", "")
                raise self._refused("a link to elsewhere", f"{inner}, a link to {target}")
            found = group.get(name)
            place = h5py.h5o.get_info(found.id).addr
            if place in self.seen:
                raise self._refused("one object under two names", inner)
            self.seen.add(place)
            if isinstance(found, h5py.Group):
                self.group(found, inner, depth + 1)
            elif isinstance(found, h5py.Dataset):
                self.tensor(found, inner)

    def tensor(self, tensor: h5py.Dataset, path: str) -> None:
        if tensor.external or tensor.is_virtual:
            raise self._refused("a tensor that lies in another file", path)
        if tensor.dtype.hasobject:
            raise self._refused("a tensor of objects", f"{path} of {tensor.dtype}")
        told, stored = tensor.nbytes, tensor.id.get_storage_size()
        most = stored * _HIGHEST_RATIO if tensor.chunks else stored
        if told > most:
            raise self._refused(
                "a tensor that tells more than it holds",
                f"{path} {list(tensor.shape)} of {told:,} bytes, with {stored:,} bytes of data",
            )
        self.numbers += tensor.size
        self.bytes += told
        self.limits.require(
            "archive_bytes", self.bytes, where=self.where, what="weights up to this tensor"
        )

    def _refused(self, what: str, received: object) -> UserError:
        return UserError(
            f"the weights hold {what}",
            where=self.where,
            received=received,
            expected=_EXPECTED,
            remedy=_REMEDY,
        )
