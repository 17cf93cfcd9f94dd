"""One process a folder, or one a shard: whoever comes second is told who is there.

A process that makes one shard holds a lock of that shard, and any number of them are at work side
by side. Whoever needs the folder for itself holds the lock of the folder. Each takes its own lock
first and then looks for the other kind, so that of two that come at once one at least notices.
"""

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
    refused = {
        "what": f"another process is {work} this folder",
        "expected": "one process a folder at a time",
        "remedy": f"Wait until it is done, or choose another {key}",
    }
    with _held(folder / files.LOCK, **refused) as is_held:
        for lock in sorted(folder.glob(f"{files.LOCK}-*")):
            with _held(lock, **refused):  # which also removes what a killed process left
                pass
        yield is_held


@contextlib.contextmanager
def of_shard(folder: pathlib.Path, index: int, count: int) -> Iterator[bool]:
    """Keeps others from a shard, and from the folder as a whole, as long as the block runs.

    Args:
        folder: Where its records are written, those of every split.
        index: The shard, from 0.
        count: How many there are.

    Yields:
        Whether others are kept out, as `alone` does.

    Raises:
        UserError: Another process makes this shard or needs the folder for itself, or the lock is
            something else, such as a link.
    """
    lock = folder / f"{files.LOCK}-{index:05d}-of-{count:05d}"
    with _held(
        lock,
        what=f"another process is serializing shard {index} into this folder",
        expected="one process a shard at a time",
        remedy="Wait until it is done, or give each process a shard_index of its own",
    ) as is_held:
        if files.is_locked(folder / files.LOCK):
            raise errors.UserError(
                "another process needs this folder for itself",
                where=folder,
                received=files.holder(folder / files.LOCK),
                expected="processes that make shards, and none besides",
                remedy="Wait until it is done, or choose another output_folder",
            )
        yield is_held


@contextlib.contextmanager
def _held(lock: pathlib.Path, *, what: str, expected: str, remedy: str) -> Iterator[bool]:
    def refuse() -> NoReturn:
        raise errors.UserError(
            what, where=lock.parent, received=files.holder(lock), expected=expected, remedy=remedy
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
