"""Files that appear under their name only when they are complete."""

from __future__ import annotations

import contextlib
import fcntl
import glob
import hashlib
import json
import os
import pathlib
import shutil
import uuid
from collections.abc import Callable, Iterator, Sequence

from lrcn import faults
from lrcn.errors import CannotWrite


@contextlib.contextmanager
def atomic_path(path: str | os.PathLike, *, claimed: bool = False) -> Iterator[pathlib.Path]:
    """Yields a temporary path beside `path` that takes its name when the block succeeds.

    The temporary name keeps the suffix, since writers choose formats by it. A block that raises
    leaves neither the temporary file nor a changed `path`.

    Args:
        path: The final path of a file; its folder is created.
        claimed: Whether the temporary file is there at once and locked as long as the block runs,
            so that `remove_abandoned` tells it from those of processes that were killed. Not for
            writers that lock files themselves, such as HDF5.

    Raises:
        CannotWrite: The disk is full, a right is missing, or the like. What goes wrong with other
            files inside the block is raised as it is.
    """
    final = pathlib.Path(path)
    _make_folder(final)
    temporary = final.with_name(f".{final.stem}.{uuid.uuid4().hex[:8]}.tmp{final.suffix}")
    try:
        with _claim(temporary) if claimed else contextlib.nullcontext():
            yield temporary
        _put(temporary, final)
    except Exception as error:
        if faults.is_about(error, temporary):
            raise faults.unwritable(final, error) from error
        raise
    finally:
        with contextlib.suppress(OSError):  # what went wrong before is what is told
            temporary.unlink(missing_ok=True)


@contextlib.contextmanager
def together(
    folder: str | os.PathLike, *, last: str, first: str | None = None
) -> Iterator[pathlib.Path]:
    """Yields a folder whose files go into `folder` when the block succeeds, and else none of them.

    Results that belong together thus never stand beside those of another time. Even a kill while
    they are moved is noticed: `last` is then missing.

    Args:
        folder: Where the files go; others in there stay. It is created with the first of them.
        last: Name of the file that tells that all are there.
        first: Name of the file that tells what the folder is, if there is one.

    Raises:
        CannotWrite: As of `atomic_path`, of the final names.
    """
    target = pathlib.Path(folder)
    staging = target / f".{uuid.uuid4().hex[:8]}.tmp"
    try:
        yield staging
        names = [path.name for path in staging.iterdir()]
        names.sort(key=lambda name: (name == last, name != first, name))
        _move(names, staging, target, last)
    except CannotWrite as error:
        where = error.where.replace(str(staging), str(target))
        raise error.but(where=where) from error
    finally:
        shutil.rmtree(staging, ignore_errors=True)


def _move(names: Sequence[str], staging: pathlib.Path, target: pathlib.Path, last: str) -> None:
    try:
        (target / last).unlink(missing_ok=True)
        for name in names:
            os.replace(staging / name, target / name)
        sync_folder(target)
    except OSError as error:
        raise faults.unwritable(target, error) from error


def _make_folder(final: pathlib.Path) -> None:
    try:
        final.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise faults.unwritable(final, error) from error


def _put(temporary: pathlib.Path, final: pathlib.Path) -> None:
    """Gives a file that is written its final name."""
    try:
        with temporary.open("rb+") as written:
            os.fsync(written.fileno())
        os.replace(temporary, final)
        sync_folder(final.parent)
    except OSError as error:
        raise faults.unwritable(final, error) from error


@contextlib.contextmanager
def _claim(path: pathlib.Path) -> Iterator[None]:
    with path.open("xb") as file:
        with contextlib.suppress(OSError):  # file systems without locks
            fcntl.flock(file, fcntl.LOCK_EX)
        yield


def remove_abandoned(path: str | os.PathLike) -> None:
    """Removes the claimed temporary files for `path` whose writers were killed.

    Those of its shards are removed, too. One that a living process writes is locked and stays.

    Args:
        path: The final path, as given to `atomic_path`.
    """
    final = pathlib.Path(path)
    drawn = "[0-9a-f]" * 8
    pattern = f".{glob.escape(final.stem)}.{drawn}.tmp{glob.escape(final.suffix)}"
    shards = f"{pattern}-[0-9]*-of-[0-9]*"
    for temporary in [*final.parent.glob(pattern), *final.parent.glob(shards)]:
        with contextlib.suppress(OSError), temporary.open("rb") as file:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            temporary.unlink()


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


def checksum(path: pathlib.Path) -> str:
    """Returns the SHA-256 of a file as hexadecimal digits."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
