"""Files that strangers may have made: opened only if they are files, read only within limits."""

from __future__ import annotations

import errno
import json
import os
import pathlib
import reprlib
import stat
from collections.abc import Iterator
from typing import Any, BinaryIO, NoReturn

from lrcn.data.limits import Limits

_KINDS = (
    (stat.S_ISFIFO, "a named pipe, not a file"),
    (stat.S_ISSOCK, "a socket, not a file"),
    (stat.S_ISCHR, "a device, not a file"),
    (stat.S_ISBLK, "a device, not a file"),
)


class Misread(ValueError):
    """JSON that is read in another way elsewhere, or cannot be held."""


def require_file(path: str | os.PathLike) -> None:
    """Raises an `OSError` unless there is a file, which ends, unlike pipes and devices.

    Args:
        path: The file; links are followed.
    """
    try:
        mode = os.stat(path).st_mode
    except ValueError as error:  # a NUL, or half a character
        raise OSError(errno.EINVAL, "no name of a file", os.fspath(path)) from error
    if stat.S_ISDIR(mode):
        raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR), os.fspath(path))
    for is_kind, what in _KINDS:
        if is_kind(mode):
            raise OSError(errno.EINVAL, what, os.fspath(path))


def opened(path: str | os.PathLike) -> BinaryIO:
    """Opens a file to read its bytes, as `require_file` tells."""
    require_file(path)
    return pathlib.Path(path).open("rb")


def read(path: str | os.PathLike, *, what: str, limits: Limits) -> bytes:
    """Returns the bytes of a file.

    Args:
        path: The file.
        what: What it is, for the message.
        limits: `file_bytes` bounds it.

    Raises:
        OSError: It is no file or cannot be read.
        UserError: It is larger than the limit.
    """
    with opened(path) as stream:
        size = _require_size(stream, path, what, limits)
        data = stream.read(size)  # not of the limit, as memory is taken for what is asked for
        if not stream.peek(1):
            return data
        # Files grow, and some systems tell no size: the rest, as far as it may be.
        return data + stream.read(limits.file_bytes - size)


def lines(
    path: str | os.PathLike, *, what: str, limits: Limits, whole: bool = True
) -> Iterator[bytes]:
    """Yields the lines of a file with their ends.

    Args:
        path: The file.
        what: What it is, for the message.
        limits: `line_bytes` bounds each line, and `file_bytes` the file.
        whole: Whether the file is bounded; not if few of its lines are kept.

    Raises:
        OSError: It is no file or cannot be read.
        UserError: It, or a line of it, is larger than the limit.
    """
    with opened(path) as stream:
        if whole:
            _require_size(stream, path, what, limits)
        # One byte more than is allowed tells a line that is too long.
        most = limits.line_bytes
        for number, line in enumerate(iter(lambda: stream.readline(most + 1), b""), start=1):
            if len(line) > most:  # before anything is said: files have millions of lines
                where = f"{path}:{number}"
                limits.require("line_bytes", len(line), where=where, what=f"a line of the {what}")
            yield line


def _require_size(stream: BinaryIO, path: str | os.PathLike, what: str, limits: Limits) -> int:
    size = os.fstat(stream.fileno()).st_size
    limits.require("file_bytes", size, where=path, what=what)
    return size


def parse_json(data: bytes) -> Any:
    """Returns what JSON in UTF-8 says, if it says it in one way only.

    Raises:
        UnicodeDecodeError: It is not UTF-8.
        json.JSONDecodeError: It is no JSON.
        Misread: It holds NaN or infinity, a number of thousands of digits, a key twice in one
            object, or is nested too deeply.
    """
    text = data.decode("utf-8-sig")
    try:
        return json.loads(text, parse_constant=_constant, object_pairs_hook=_object)
    except (json.JSONDecodeError, Misread):
        raise
    except RecursionError as error:
        raise Misread("lists or objects within each other, too many to read") from error
    except ValueError as error:  # of an integer beyond Python's limit of digits
        raise Misread("a number of thousands of digits") from error


def shown(value: object) -> str:
    """Returns the beginning of a value of JSON for a message, however large and deep it is."""
    short = reprlib.Repr()
    short.maxlevel, short.maxdict, short.maxlist = 3, 4, 4
    short.maxstring = short.maxlong = 60
    return short.repr(value)


def _constant(name: str) -> NoReturn:
    raise Misread(f"{name}, which is no number of JSON")


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        seen: set[str] = set()
        twice = next(key for key, _ in pairs if key in seen or seen.add(key))
        raise Misread(f"the key {twice!r} twice in one object")
    return found
