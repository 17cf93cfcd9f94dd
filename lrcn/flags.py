"""Hydra's flags on the command line: known ones, each in one piece, before everything else."""

from __future__ import annotations

import difflib

from lrcn.errors import UsageError

_LONG = {
    "-m": "--multirun",
    "-c": "--cfg",
    "-p": "--package",
    "-r": "--run",
    "-i": "--info",
    "-cd": "--config-dir",
    "-cn": "--config-name",
    "-cp": "--config-path",
    "-sc": "--shell-completion",
}
_WITH_VALUE = {
    *("--cfg", "--package", "--config-dir", "--config-name", "--config-path"),
    *("--experimental-rerun", "--info"),
}
_ALONE = {"--multirun", "--run", "--resolve", "--shell-completion", "--hydra-help", "--version"}


def first(arguments: list[str]) -> list[str]:
    """Returns the arguments with the flags first, in their long form and joined with their value.

    Hydra's parser refuses overrides that stand on both sides of a flag.

    Args:
        arguments: What follows the verb.

    Raises:
        UsageError: There is no such flag, or it lacks its value.
    """
    flags, others, left = [], [], list(arguments)
    while left:
        argument = left.pop(0)
        if not argument.startswith("-"):
            others.append(argument)
            continue
        name, given, value = argument.partition("=")
        name = _LONG.get(name, name)
        if name not in _WITH_VALUE | _ALONE:
            raise _unknown(argument)
        if name in _WITH_VALUE and not given and left and _is_value(left[0], name):
            given, value = "=", left.pop(0)
        if name in _WITH_VALUE and not given and name != "--info":
            raise _without_value(argument, name)
        flags.append(f"{name}{given}{value}")
    return [*flags, *others]


def _is_value(argument: str, name: str) -> bool:
    """Tells whether the next argument belongs to a flag; that of --info may be left out."""
    return name != "--info" or not ("=" in argument or argument.startswith("-"))


def _unknown(argument: str) -> UsageError:
    known = sorted(_WITH_VALUE | _ALONE)
    near = difflib.get_close_matches(argument, known, n=1)
    meant = f"; did you mean '{near[0]}'?" if near else ""
    return UsageError(
        f"no such flag '{argument}'{meant}",
        where="command line",
        received=argument,
        expected="-m | " + " | ".join(known),
        remedy="Keys are written without a hyphen before them: key=value",
    )


def _without_value(argument: str, name: str) -> UsageError:
    return UsageError(
        "a flag without its value",
        where="command line",
        received=argument,
        expected=f"{name}=VALUE",
        remedy="Add the value, or leave the flag out",
    )
