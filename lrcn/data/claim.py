"""One serialization a folder: whoever comes second is told who is there."""

from __future__ import annotations

import contextlib
import pathlib
from collections.abc import Iterator
from typing import NoReturn

from lrcn import errors, files

_LOCK = ".lrcn.lock"


def is_marked(folder: pathlib.Path) -> bool:
    """Tells whether a process serializes into a folder, or was killed there."""
    return (folder / _LOCK).exists()


def tidy(folder: pathlib.Path) -> None:
    """Removes the lock of a killed process, if that is allowed: another user may have left it.

    Args:
        folder: Where nothing is to be written.
    """
    with contextlib.suppress(OSError, errors.UserError):
        if is_marked(folder):
            with alone(folder):
                pass


@contextlib.contextmanager
def alone(folder: pathlib.Path) -> Iterator[bool]:
    """Keeps other serializations out of a folder as long as the block runs.

    Args:
        folder: Where records are written.

    Yields:
        Whether others are kept out: on a file system without locks nobody can tell.

    Raises:
        UserError: Another process writes there, or the lock is something else, such as a link.
    """
    lock = folder / _LOCK

    def refuse() -> NoReturn:
        raise errors.UserError(
            "another process is serializing into this folder",
            where=folder,
            received=files.holder(lock),
            expected="one serialization a folder at a time",
            remedy="Wait until it is done, or choose another output_folder",
        )

    with contextlib.ExitStack() as stack:
        try:
            is_held = stack.enter_context(files.locked(lock, waiting=refuse))
        except FileExistsError as error:
            raise errors.UserError(
                "the lock of the folder is something else",
                where=lock,
                received="a link, a folder or the like",
                expected="no file, or the lock of a process that was killed",
                remedy="Find out who put it there, and remove it",
            ) from error
        yield is_held
