"""What Hydra found wrong with a command line, said in our words."""

from __future__ import annotations

import difflib
import re
import shlex
from collections.abc import Callable

from lrcn import config, launching, overriding, quoting
from lrcn import help as help_lib
from lrcn.errors import UsageError, UserError


def told(
    verb: str,
    overrides: list[str],
    error: Exception,
    is_readable: Callable[[str], bool],
    keys_of: Callable[[str, str], list[str] | None],
) -> UserError:
    """Says in our words what Hydra found wrong on the command line.

    Args:
        verb: The verb.
        overrides: What follows it.
        error: What Hydra, or a library below it, raised.
        is_readable: Whether Hydra's grammar reads an override.
        keys_of: Returns the keys of a launcher or sweeper, by group and name; None if unknown.
    """
    if (no_yaml := config.no_yaml(error)) is not None:
        return no_yaml
    text = "\n".join(str(part) for part in (error, error.__cause__) if part)
    for group in help_lib.members_in_use(verb):
        if {f"{group}=null", f"{group}="} & set(overrides):
            return _unknown_member(verb, group, "null")
    if match := re.search(r"Could not find '([\w/]+)/(.+?)'", text):
        group, member = match.groups()
        if group in launching.MEMBERS:
            return launching.unknown(group, member)
        return _unknown_member(verb, group, member)
    if match := re.search(r"Could not override '(.+?)'", text):
        key = match[1]
        if key == "hydra/sweeper/sampler":
            return _sampler_alone(key, overrides)
        if key.startswith(("hydra.launcher.", "hydra.sweeper.")):
            return _key_of_no_plugin(key, overrides, keys_of)
        if key in help_lib.members_in_use(verb):  # keys in braces in the place of a member
            return _unknown_member(verb, key, _given(key, overrides).partition("=")[2])
        member, known = help_lib.known_keys(verb, key, overrides)
        received = _given(key, overrides)
        elsewhere = help_lib.members_with(key, received.partition("=")[2])
        return config.unknown_key(key, member, known, received=received, elsewhere=elsewhere)
    if type(error).__name__ == "OverrideParseException":
        override = getattr(error, "override", None) or " ".join(overrides)
        return quoting.unreadable(override, is_readable)
    if match := re.search(r"Error merging override (.+)", text):
        return UsageError(
            "the key does not take this value",
            where=overriding.key_of(match[1]),
            received=match[1].partition("=")[2],
            expected=next(iter(str(error.__cause__ or error).splitlines()), ""),
            remedy="Correct the value, or leave the key out",
        )
    if match := re.search(r"Ambiguous value for argument '(.+)'", text):
        return UsageError(
            "several values without -m",
            where=match[1].partition("=")[0].lstrip("+"),
            received=match[1],
            expected="one value, or a sweep over several",
            remedy=f"Run a job for each value with `lrcn {verb} -m ...`, "
            f"{quoting.in_brackets(match[1])}or put one value with a comma in quotes: "
            f"{shlex.quote(quoting.whole(match[1]))}",
        )
    if match := re.search(r"[Ss]weep(?:ing)? parameters '(.+)' requires --multirun", text):
        return UsageError(
            "a search without -m",
            where=overriding.key_of(match[1]),
            received=match[1],
            expected="a value, or a sweep",
            remedy=f"Add -m: `lrcn {verb} -m ...`",
        )
    if re.search(r"does not support sweep type", text):
        return UsageError(
            "only a search by Optuna takes intervals and the like",
            where="hydra/sweeper",
            received=" ".join(overrides),
            expected="values, such as key=1,2 or key=range(1,5)",
            remedy="Add hydra/sweeper=optuna, or write the values",
        )
    return UsageError(
        text.splitlines()[0],
        where="command line",
        received=" ".join(overrides),
        expected="groups, keys and values that fit together",
        remedy=f"Correct what is named here; `lrcn {verb} --help` lists every group and key",
    )


def unknown(what: str, received: str, known: list[str], *, where: str, remedy: str) -> UsageError:
    """Returns the error for a name that does not exist, with the nearest one and all there are."""
    near = difflib.get_close_matches(received, known, n=1)
    meant = f"; did you mean '{near[0]}'?" if near else ""
    return UsageError(
        f"no such {what} '{received}'{meant}",
        where=where,
        received=received,
        expected=" | ".join(known),
        remedy=remedy,
    )


def _unknown_member(verb: str, group: str, member: str) -> UsageError:
    remedy = f"Choose one of them; `lrcn {verb} --help` tells what they are"
    known = help_lib.members(group)
    return unknown(f"member of {group}", member, known, where=group, remedy=remedy)


def _sampler_alone(key: str, overrides: list[str]) -> UsageError:
    return UsageError(
        "a sampler, and nothing that searches by it",
        where=key,
        received=_given(key, overrides),
        expected="hydra/sweeper=optuna beside it",
        remedy="Add hydra/sweeper=optuna, or leave it out",
    )


def _key_of_no_plugin(
    key: str, overrides: list[str], keys_of: Callable[[str, str], list[str] | None]
) -> UsageError:
    place, _, name = key.removeprefix("hydra.").partition(".")
    group = f"hydra/{place}"
    member = _given(group, overrides).partition("=")[2] or "basic"
    known = keys_of(group, member)
    near = difflib.get_close_matches(name, known or [], n=1)
    meant = f"; did you mean '{near[0]}'?" if near else ""
    expected = f"a key of {group}={member}, which `--cfg hydra` shows"
    if known is not None:
        expected = " | ".join(known) or "none: it has no keys"
    return UsageError(
        f"{group}={member} has no key '{name}'{meant}",
        where=key,
        received=_given(key, overrides),
        expected=expected,
        remedy=f"Correct it, choose the member that has it, {group}=NAME, or leave it out",
    )


def _given(key: str, overrides: list[str]) -> str:
    """Returns the last override of a key, which is the one that counts, or the key alone."""
    return next((o for o in reversed(overrides) if overriding.key_of(o) == key), key)


def folder_error(error: OSError) -> UserError:
    """Returns the error for a folder that Hydra could not make for a job."""
    return UserError(
        "the folder of the results cannot be written to",
        where="hydra.run.dir",
        received=f"{error.filename or ''} ({error.strerror or error})".strip(),
        expected="a folder of your own",
        remedy="Give hydra.run.dir=FOLDER, or hydra.sweep.dir=FOLDER with -m",
    )


def broken_off(error: Exception) -> UserError:
    """Returns the error for a sweep that a launcher or sweeper could not go on with."""
    reason = str(error) or str(error.__cause__ or "")
    return UserError(
        "the sweep was broken off",
        where="hydra/launcher",
        received=f"{type(error).__name__}: {next(iter(reason.splitlines()), '')}",
        expected="a launcher that can start jobs, and processes that are left alone",
        remedy="The same command goes on with what is not done; if memory was short, fewer jobs at "
        "once take less",
    )
