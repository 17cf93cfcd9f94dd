"""Files that appear under their name only when they are complete."""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import pathlib
import uuid
from collections.abc import Callable, Iterator


@contextlib.contextmanager
def atomic_path(path: str | os.PathLike) -> Iterator[pathlib.Path]:
    """Yields a temporary path beside `path` that takes its name when the block succeeds.

    The temporary name keeps the suffix, since writers choose formats by it. A block that raises
    leaves neither the temporary file nor a changed `path`.

    Args:
        path: The final path of a file; its folder is created.
    """
    final = pathlib.Path(path)
    final.parent.mkdir(parents=True, exist_ok=True)
    temporary = final.with_name(f".{final.stem}.{uuid.uuid4().hex[:8]}.tmp{final.suffix}")
    try:
        yield temporary
        with temporary.open("rb+") as written:
            os.fsync(written.fileno())
        os.replace(temporary, final)
        sync_folder(final.parent)
    finally:
        temporary.unlink(missing_ok=True)


@contextlib.contextmanager
def locked(path: str | os.PathLike, *, waiting: Callable[[], None]) -> Iterator[None]:
    """Holds the lock `path` against other processes; one that is killed lets go of it.

    Args:
        path: A file that is made if need be, and stays.
        waiting: Called once if another process holds the lock.
    """
    lock = pathlib.Path(path)
    lock.parent.mkdir(parents=True, exist_ok=True)
    with lock.open("a") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            waiting()
            fcntl.flock(file, fcntl.LOCK_EX)
        yield


def sync_folder(folder: pathlib.Path) -> None:
    """Makes renames in `folder` survive a power loss, where the system can."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def write_text(path: str | os.PathLike, text: str) -> None:
    """Writes UTF-8 `text` to `path` as a whole or not at all."""
    with atomic_path(path) as temporary:
        temporary.write_text(text, encoding="utf-8")


def write_json(path: str | os.PathLike, value: object) -> None:
    """Writes `value` as indented JSON to `path` as a whole or not at all."""
    write_text(path, json.dumps(value, indent=2, ensure_ascii=False) + "\n")
