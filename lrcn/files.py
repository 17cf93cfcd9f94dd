"""Files that appear under their name only when they are complete."""

from __future__ import annotations

import contextlib
import datetime
import errno
import fcntl
import hashlib
import json
import logging
import os
import pathlib
import shutil
import socket
import stat
import time
import uuid
from collections.abc import Callable, Iterator, Sequence
from typing import IO

from lrcn import faults
from lrcn.errors import CannotWrite

log = logging.getLogger(__name__)

LOCK = ".lrcn.lock"
"""The name of the lock of a folder; see `locked`."""
_NO_SYNC = (errno.EINVAL, errno.ENOTSUP)  # of file systems that cannot do it with folders
_TRIES, _LONGEST_HOLDER = 50, 4096  # hundredths of a second, bytes


@contextlib.contextmanager
def atomic_path(path: str | os.PathLike) -> Iterator[pathlib.Path]:
    """Yields a temporary path beside `path` that takes its name when the block succeeds.

    The temporary name keeps the suffix, since writers choose formats by it. A block that raises
    leaves neither the temporary file nor a changed `path`.

    Args:
        path: The final path of a file; its folder is created.

    Raises:
        CannotWrite: The disk is full, a right is missing, or the like. What goes wrong with other
            files inside the block is raised as it is.
    """
    final = pathlib.Path(path)
    _make_folder(final)
    temporary = final.with_name(f".{final.stem}.{uuid.uuid4().hex[:8]}.tmp{final.suffix}")
    try:
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
    lock = target / LOCK

    def tell_waiting() -> None:
        log.info("%s: waiting for %s, which writes there", target, holder(lock))

    with contextlib.ExitStack() as stack:
        stack.enter_context(gone_if_empty(target))
        _make_folder(lock)
        is_held = stack.enter_context(locked(lock, waiting=tell_waiting))
        # What a killed process left is nobody's; without locks nobody can know that.
        own = "" if is_held else f".{uuid.uuid4().hex[:8]}"
        staging = target / f".results{own}.tmp"
        shutil.rmtree(staging, ignore_errors=True)
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


@contextlib.contextmanager
def whole_folder(path: str | os.PathLike) -> Iterator[pathlib.Path]:
    """Yields a new folder beside `path` that takes its name and place when the block succeeds.

    What is in the folder is what the block wrote; of an earlier one nothing stays. If anything
    fails, or is interrupted, the earlier one keeps its place. A process that is killed outright
    between the two renames leaves the earlier one beside, as `.NAME.xxxxxxxx.old`.

    Args:
        path: The folder; those above it are created.

    Raises:
        CannotWrite: As of `atomic_path`.
    """
    final = pathlib.Path(path)
    beside = f".{final.name}.{uuid.uuid4().hex[:8]}"
    staging, before = (final.with_name(f"{beside}.{what}") for what in ("tmp", "old"))
    with gone_if_empty(final.parent):
        try:
            staging.mkdir(parents=True)
            yield staging
            _sync(staging)
            if final.exists():
                os.replace(final, before)
            os.replace(staging, final)
            sync_folder(final.parent)
        except CannotWrite as error:
            raise error.but(where=error.where.replace(str(staging), str(final))) from error
        except OSError as error:
            named = f"{error.filename}{error.filename2}"
            if any(str(path) in named for path in (staging, before, final)):
                raise faults.unwritable(final, error) from error
            raise
        finally:
            is_placed = final.exists() and not staging.exists()
            if not is_placed:
                _put_back(before, final)
            shutil.rmtree(before if is_placed else staging, ignore_errors=True)


def _put_back(before: pathlib.Path, final: pathlib.Path) -> None:
    """Gives an earlier folder its name again, if that was taken from it."""
    if not before.exists():
        return
    try:
        before.rename(final)
    except OSError as error:
        log.warning("%s: what was there is now %s (%s)", final, before, faults.reason(error))


def _sync(folder: pathlib.Path) -> None:
    """Makes what was written into a folder survive a power loss."""
    for path in folder.rglob("*"):
        if path.is_file():
            with path.open("rb+") as written:
                os.fsync(written.fileno())


@contextlib.contextmanager
def gone_if_empty(folder: pathlib.Path) -> Iterator[None]:
    """Takes a folder that is made inside the block away again if nothing came into it.

    Args:
        folder: The folder; those above it that are new go, too.
    """
    new = [path for path in (folder, *folder.parents) if not path.exists()]
    try:
        yield
    finally:
        with contextlib.suppress(OSError):  # not empty, or never made
            for path in new:
                path.rmdir()


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
def locked(path: str | os.PathLike, *, waiting: Callable[[], None]) -> Iterator[bool]:
    """Holds the lock `path` against other processes; one that is killed lets go of it.

    The file tells who holds it, see `holder`, and is removed at the end.

    Args:
        path: A file that is made, with its folder.
        waiting: Called once if another process holds the lock; raises if that is not waited for.

    Yields:
        Whether the lock is held: some file systems have no locks.

    Raises:
        FileExistsError: Something else has the name, such as a link to another file.
    """
    lock, blocked = pathlib.Path(path), False
    while True:
        with _lock_file(lock) as file:
            is_held = True
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                if not blocked:
                    waiting()
                blocked = True
                fcntl.flock(file, fcntl.LOCK_EX)
            except OSError as error:
                log.info("%s: the file system has no locks (%s)", lock, error.strerror)
                is_held = False
            if not _is_at(file, lock):
                continue  # who held it has removed it: the next one made another
            _tell_holder(file)
            try:
                yield is_held
            finally:
                lock.unlink(missing_ok=True)  # while it is held, so that nobody else's is removed
            return


def is_locked(path: str | os.PathLike) -> bool:
    """Tells whether a process holds the lock `path`; who only asks never stands in another's way.

    Those that ask share it for that moment, so that only a process that takes it just then is
    told that it is held.
    """
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
    except OSError:  # none there, or no lock
        return False
    try:
        fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    except OSError:  # a file system without locks
        return False
    finally:
        os.close(descriptor)
    return False


@contextlib.contextmanager
def _lock_file(path: pathlib.Path) -> Iterator[IO[bytes]]:
    """Opens a lock, made if need be; refuses what is no plain file with this one name."""
    path.parent.mkdir(parents=True, exist_ok=True)
    try:
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW, 0o666)
    except OSError as error:
        if error.errno in (errno.ELOOP, errno.EISDIR):
            raise FileExistsError(errno.EEXIST, "no lock but something else", str(path)) from error
        raise
    with os.fdopen(descriptor, "rb+", buffering=0) as file:
        status = os.fstat(descriptor)
        if not stat.S_ISREG(status.st_mode) or status.st_nlink > 1:
            raise FileExistsError(errno.EEXIST, "no lock but something else", str(path))
        yield file


def _is_at(file: IO[bytes], path: pathlib.Path) -> bool:
    with contextlib.suppress(FileNotFoundError):
        return os.path.samestat(os.fstat(file.fileno()), path.lstat())
    return False


def _tell_holder(file: IO[bytes]) -> None:
    since = datetime.datetime.now().astimezone().isoformat(timespec="seconds")
    facts = {"process": os.getpid(), "host": socket.gethostname(), "since": since}
    file.truncate(0)
    file.write(json.dumps(facts).encode())


def holder(path: str | os.PathLike) -> str:
    """Returns in words who holds the lock `path`: the process, its host and since when."""
    for _ in range(_TRIES):
        with contextlib.suppress(OSError, ValueError, KeyError, TypeError):
            with pathlib.Path(path).open("rb") as file:
                facts = json.loads(file.read(_LONGEST_HOLDER))
            return f"process {facts['process']} on {facts['host']} since {facts['since']}"
        time.sleep(0.01)  # it has only just taken the lock
    return "another process"


def sync_folder(folder: pathlib.Path) -> None:
    """Makes renames in `folder` survive a power loss, where the system can."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    except OSError as error:
        if error.errno not in _NO_SYNC:
            raise
    finally:
        os.close(descriptor)


def write_text(path: str | os.PathLike, text: str) -> None:
    """Writes UTF-8 `text` to `path` as a whole or not at all."""
    with atomic_path(path) as temporary:
        temporary.write_text(text, encoding="utf-8")


def write_json(path: str | os.PathLike, value: object) -> None:
    """Writes `value` as indented JSON to `path` as a whole or not at all."""
    write_text(path, json.dumps(value, indent=2, ensure_ascii=False) + "\n")


def first_link(folder: str | os.PathLike) -> pathlib.Path | None:
    """Returns a link in a folder or the folders in it, or None; it may be a link itself."""
    for inner, folders, names in os.walk(folder):
        for path in (pathlib.Path(inner, name) for name in (*folders, *names)):
            if path.is_symlink():
                return path
    return None


def checksum(path: pathlib.Path) -> str:
    """Returns the SHA-256 of a file as hexadecimal digits."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
