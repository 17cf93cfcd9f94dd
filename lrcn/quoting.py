"""Quotes around values of the command line, for a grammar that knows ASCII letters alone."""

from __future__ import annotations

import os
import re
import shlex
from collections.abc import Callable

from lrcn.errors import UsageError

# Values of these name what need not exist yet, so they are read as a whole where Hydra cannot.
_NAMES = ("output_folder", "overlay", "report", "input", "name", "hydra.run.dir", "hydra.sweep.dir")
_NAMES += ("runs",)
# A comma of a job's folder, such as `seed=0,workflow=lstm`, not one between two items.
_WITHIN_A_NAME = r",(?=[\w.+~@-]+=[^,/]*(?:,|$))"


def unreadable(override: str, is_readable: Callable[[str], bool]) -> UsageError:
    """Returns the error for an argument that Hydra cannot read, with the argument as it can.

    Args:
        override: The argument.
        is_readable: Whether Hydra reads an argument.
    """
    key = override.partition("=")[0]
    return UsageError(
        "the command line could not be read",
        where=key.lstrip("+~") or "command line",
        received=override,
        expected="key=value, or key=[value,value], with what is no plain letter, digit, "
        "space or sign of a path in quotes",
        remedy=_correction(override, is_readable),
    )


def _correction(override: str, is_readable: Callable[[str], bool]) -> str:
    """Returns the advice how an argument is written that Hydra cannot read."""
    key, equals, value = override.partition("=")
    if not equals and os.path.exists(override):
        return f"Write KEY={shlex.quote(override)}, such as run= or input="
    if not equals:
        return f"Write {key}=VALUE"
    is_list = value[:1] == "["
    if is_list and value[-1:] != "]":
        return (
            f"A space ends an argument: write {key}=[VALUE,VALUE] without any, or put all of it in "
            f"quotes: '{key}=[VALUE, VALUE]'"
        )
    listed = value[1:-1].split(",") if is_list else []
    items = [_in_quotes(item.strip().strip("'\"")) for item in listed]
    meant = [f"{key}=[{','.join(items)}]", whole(override)]
    good = next((text for text in meant[not listed :] if is_readable(text)), 'KEY="VALUE"')
    return f"Put the value in quotes inside the shell's: {shlex.quote(good)}"


def quoted(override: str, is_readable: Callable[[str], bool]) -> str:
    """Returns an override with its value in quotes if it is a path that Hydra cannot read bare.

    People's folders hold spaces, commas, parentheses, equals signs and letters of every alphabet.

    Args:
        override: The argument, `key=value` or a flag.
        is_readable: Whether Hydra reads an argument.
    """
    key, equals, value = override.partition("=")
    bare = re.fullmatch(r"[\w/.:+*$%@?|\\-]*", value, re.ASCII)
    if key in ("run", "runs") and value[:1] == "[" and not re.search("['\"]", value):
        return override if is_readable(override) else f"{key}={_items_in_quotes(value)}"
    if not equals or bare or override[0] in "-~" or value[:1] in "'\"[{":
        return override
    foreign = not value.isascii() and not re.search(r"""[,\[\]{}'"()=]""", value)
    names = key.lstrip("+") in _NAMES and not is_readable(override)
    if foreign or names or os.path.exists(value):
        return whole(override)
    return override


def whole(override: str) -> str:
    """Returns an override with its value in quotes, one text whatever it holds."""
    key, _, value = override.partition("=")
    return f"{key}={_in_quotes(value)}"


def _items_in_quotes(value: str) -> str:
    """Returns a list, or a list of lists, of folders of runs with each of them in quotes."""

    def items(found: re.Match) -> str:
        marked = re.sub(_WITHIN_A_NAME, "\0", found[0])
        parts = [part.strip().replace("\0", ",") for part in marked.split(",")]
        return ",".join(_in_quotes(part) if part else "" for part in parts)

    return re.sub(r"[^\[\]]+", items, value)


def _in_quotes(value: str) -> str:
    """Returns a value as Hydra reads it whole; backslashes count before a quote alone."""
    return '"' + re.sub(r'(\\*)("|$)', lambda m: 2 * m[1] + m[2].replace('"', '\\"'), value) + '"'


def in_brackets(override: str) -> str:
    """Returns the advice to write a list, for keys that may take one; groups never do."""
    key, _, value = override.partition("=")
    if "." not in key and key not in ("input", "evaluate", "runs", "weights"):
        return ""
    return f"put a list in brackets: {shlex.quote(f'{key}=[{value}]')}, "
