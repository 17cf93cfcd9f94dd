"""Text files line by line: lists of items, names of classes, captions and sentences."""

from __future__ import annotations

import codecs
import json
import os
import pathlib
import re
from collections.abc import Callable, Iterator
from typing import Any

from lrcn import errors
from lrcn.data import bounded
from lrcn.data.limits import Limits


def read(
    file: str | os.PathLike,
    *,
    what: str = "text file",
    expected: str = "a UTF-8 text file",
    key: str = "",
    limits: Limits = Limits(),
) -> Iterator[tuple[str, str]]:
    """Yields `file:line` and text of every line, as a stream.

    Args:
        file: The file, UTF-8, with or without a byte order mark.
        what: What it is, for messages.
        expected: What should be there, for messages.
        key: The key that names it, if it is only one.
        limits: Bound the file and each line.

    Raises:
        UserError: If the file is missing or cannot be read, it or a line is larger than the
            limits, or a line is not UTF-8.
    """
    try:
        for number, line in enumerate(bounded.lines(file, what=what, limits=limits), start=1):
            line = line.removeprefix(codecs.BOM_UTF8) if number == 1 else line
            where = f"{file}:{number}"
            yield where, _decoded(line, where, what).rstrip("\r\n")
    except OSError as error:
        missing = isinstance(error, FileNotFoundError)
        raise errors.UserError(
            f"no such {what}" if missing else f"{what} cannot be read",
            where=file,
            received="no file there" if missing else reason(error),
            expected=expected,
            remedy=f"Correct {key or 'the path'}; it is relative to the working directory",
        ) from error


def of(text: str) -> list[str]:
    r"""Returns the lines of a text, which end in `\n` or `\r\n` and in nothing else.

    `str.splitlines` parts at U+2028, U+0085 and others, too, which names may well hold.
    """
    return [line.removesuffix("\r") for line in text.removesuffix("\n").split("\n")] if text else []


def _decoded(line: bytes, where: str, what: str) -> str:
    try:
        return line.decode()
    except UnicodeDecodeError as error:
        raise errors.UserError(
            "line is not UTF-8",
            where=where,
            received=error,
            expected="UTF-8 text",
            remedy=f"Save the file as UTF-8, or give the path of {_a(what)}",
        ) from error


def filled(file: str | os.PathLike, **options: Any) -> Iterator[tuple[str, str]]:
    """Yields place and text of each line that is neither blank nor a comment, stripped.

    Args:
        file: The file, UTF-8.
        **options: See `read`.

    Raises:
        UserError: As `read` tells.
    """
    for where, line in read(file, **options):
        text = line.strip()
        if text and not text.startswith("#"):
            yield where, text


def numbered(
    file: str | os.PathLike,
    *,
    what: str = "list file",
    thing: str = "item",
    sample: str = "path label",
    key: str = "",
    limits: Limits = Limits(),
) -> list[tuple[str, str]]:
    """Returns place and text of the lines that are neither blank nor comments, one at least.

    Args:
        file: The file, UTF-8.
        what: What it is, for messages.
        thing: What a line of it is.
        sample: A line that it could have.
        key: The key that names it, if it is only one.
        limits: See `read`.

    Raises:
        UserError: If the file is missing, is no text, or holds no line, or as `read` tells.
    """
    expected = f"a text file with {_a(thing)} a line"
    kept = list(filled(file, what=what, expected=expected, key=key, limits=limits))
    if not kept:
        empty = pathlib.Path(file).stat().st_size == 0
        raise errors.UserError(
            f"the list names no {thing}",
            where=file,
            received="an empty file" if empty else "only blank lines and comments",
            expected=f"{_a(thing)} a line",
            remedy=f"Write a line `{sample}` for each {thing}",
        )
    return kept


def _a(thing: str) -> str:
    return f"an {thing}" if thing[0] in "aeiou" else f"a {thing}"


def reason(error: Exception) -> object:
    """Returns why a file cannot be read, without Python's words for it, such as `[Errno 2]`."""
    if isinstance(error, FileNotFoundError):
        return "no such file"
    if isinstance(error, json.JSONDecodeError):
        return f"no JSON (line {error.lineno})"
    return getattr(error, "strerror", None) or error


def resolved(path: str | os.PathLike) -> str:
    """Returns where a path leads, past detours and links; two paths of one file give the same."""
    try:
        return os.path.realpath(path)
    except ValueError:  # a NUL: it leads nowhere
        return os.fspath(path)


# Characters: of a path and as many of labels. Each blank may be the one that parts the two.
_LONGEST_WITHOUT_TAB = 8192


def is_name(text: str) -> bool:
    """Tells whether a name fits a line of a list and a terminal: text without controls."""
    return errors.visible(text) == text and not re.search(r"[\n\t]", text)


def splits(line: str) -> list[tuple[str, str]]:
    """Returns what stands before and after each gap of a line, the longest part before it first."""
    gaps = [match.span() for match in re.finditer(r"\s+", line)]
    return [(line[:start], line[end:]) for start, end in reversed(gaps)]


def parted(
    line: str, folder: pathlib.Path, holds: Callable[[str], object], *, where: str
) -> tuple[str, str] | None:
    """Parts a line without a TAB into a path and the rest, by what exists.

    Args:
        line: The line.
        folder: Folder of relative paths.
        holds: Tells whether a text can be the rest.
        where: The place of the line, for the message.

    Returns:
        Path and rest; the shortest path if none exists, None if no part can be the rest.

    Raises:
        UserError: Several paths exist, each with a fitting rest, or the line is too long to try.
    """
    if len(line) > _LONGEST_WITHOUT_TAB:
        raise errors.UserError(
            "the line is too long to find where its path ends",
            where=where,
            received=f"{len(line):,} characters without a TAB",
            expected=f"at most {_LONGEST_WITHOUT_TAB:,}",
            remedy="Put a TAB after the path",
        )
    pairs = [(path, rest) for path, rest in splits(line) if holds(rest)]
    present = [(path, rest) for path, rest in pairs if os.path.exists(folder / path)]
    if len(present) > 1:
        raise errors.UserError(
            "the line can be read in several ways",
            where=where,
            received=" or ".join(repr(path) for path, _ in present),
            expected="one path",
            remedy="Put a TAB after the path",
        )
    return next(iter([*present, *reversed(pairs)]), None)


def label_names(file: str | os.PathLike, *, limits: Limits = Limits()) -> tuple[str, ...]:
    """Reads class names, one a line; the line number less one is the label.

    Args:
        file: The file, UTF-8.
        limits: See `read`.

    Raises:
        UserError: If the file cannot be read, is empty, or a name stands twice, or is a number
            that is not its own label.
    """
    names: dict[str, str] = {}
    given = {"thing": "class", "sample": "name", "key": "dataset.labels", "limits": limits}
    for where, name in numbered(file, what="file of class names", **given):
        if name in names:
            raise errors.UserError(
                "class name stands twice",
                where=where,
                received=name,
                expected="unique names",
                remedy=f"It stands first at {names[name]}; rename or remove one",
            )
        if re.fullmatch(r"[+-]?\d+", name) and name != str(len(names)):
            raise errors.UserError(
                "class name is a number other than its label",
                where=where,
                received=name,
                expected=f"a name, or {len(names)}",
                remedy="Lists may hold numbers as well as names, so this name would be ambiguous",
            )
        names[name] = where
    return tuple(names)
