"""One process a folder: whoever comes second is told who is there."""

from __future__ import annotations

import contextlib
import pathlib
from collections.abc import Iterator
from typing import NoReturn

from lrcn import errors, files


def is_marked(folder: pathlib.Path) -> bool:
    """Tells whether a process works in a folder, or was killed there."""
    return (folder / files.LOCK).exists()


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
def alone(
    folder: pathlib.Path, *, work: str = "serializing into", key: str = "output_folder"
) -> Iterator[bool]:
    """Keeps others out of a folder as long as the block runs.

    Args:
        folder: Where records, or the files of a run, are written.
        work: What is done there, for the message.
        key: The configuration key that names it.

    Yields:
        Whether others are kept out: on a file system without locks nobody can tell.

    Raises:
        UserError: Another process writes there, or the lock is something else, such as a link.
    """
    lock = folder / files.LOCK

    def refuse() -> NoReturn:
        raise errors.UserError(
            f"another process is {work} this folder",
            where=folder,
            received=files.holder(lock),
            expected="one process a folder at a time",
            remedy=f"Wait until it is done, or choose another {key}",
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
