"""Text files with one thing a line: lists of items and names of classes."""

from __future__ import annotations

import pathlib
import re

from lrcn import errors


def numbered(
    file: pathlib.Path, *, what: str = "list file", thing: str = "item", key: str = ""
) -> list[tuple[str, str]]:
    """Returns `(file:line, text)` of the lines that are neither blank nor comments.

    Args:
        file: The file, UTF-8.
        what: What it is, for messages.
        thing: What a line of it is.
        key: The key that names it, if it is only one.

    Raises:
        UserError: If the file is missing, is no text, or holds no line.
    """
    try:
        text = file.read_text(encoding="utf-8-sig")
    except FileNotFoundError as error:
        raise errors.UserError(
            f"no such {what}",
            where=file,
            received="no file there",
            expected=f"a text file with {_a(thing)} a line",
            remedy=f"Correct {key or 'the path'}; it is relative to the working directory",
        ) from error
    except (OSError, UnicodeDecodeError) as error:
        raise errors.UserError(
            f"{what} cannot be read",
            where=file,
            received=error,
            expected="a UTF-8 text file",
            remedy=f"Save it as UTF-8, or give the path of a {what}" + (f" ({key})" if key else ""),
        ) from error
    lines = enumerate(text.split("\n"), start=1)
    kept = [(f"{file}:{number}", line.rstrip("\r")) for number, line in lines]
    kept = [(place, line) for place, line in kept if line.strip() and line.lstrip()[0] != "#"]
    if not kept:
        sample = "path label" if thing == "item" else "name"
        raise errors.UserError(
            f"the list names no {thing}",
            where=file,
            received="only blank lines and comments" if text.strip() else "an empty file",
            expected=f"{_a(thing)} a line",
            remedy=f"Write a line `{sample}` for each {thing}",
        )
    return kept


def _a(thing: str) -> str:
    return f"an {thing}" if thing[0] in "aeiou" else f"a {thing}"


def label_names(file: str | pathlib.Path) -> tuple[str, ...]:
    """Reads class names, one a line; the line number less one is the label.

    Raises:
        UserError: If the file cannot be read, is empty, or a name stands twice, or is a number
            that is not its own label.
    """
    names: dict[str, str] = {}
    for where, line in numbered(
        pathlib.Path(file), what="file of class names", thing="class", key="dataset.labels"
    ):
        name = line.strip()
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
