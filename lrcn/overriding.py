"""What an override may not touch: Hydra builds objects of what it finds under some of its keys.

A value of `_target_` names any function, which Hydra calls; callbacks and logging hold such names,
too. No key of lrcn does, so they are refused wherever an override is from.
"""

from __future__ import annotations

import re

from lrcn.errors import UsageError, UserError

_BUILDING = ("_target_", "_partial_", "_recursive_", "_convert_", "_args_")
_LOGGING = ("job_logging", "hydra_logging")
_OURS = ("console", "run", "none", "disabled")
_PICKLES = "--experimental-rerun"


def key_of(override: str) -> str:
    """Returns the key of an override, without Hydra's signs before it."""
    return override.partition("=")[0].lstrip("+~")


def require_harmless(overrides: list[str]) -> None:
    """Refuses overrides of a command line by which Hydra would run code or open a pickle.

    Args:
        overrides: What follows the verb.

    Raises:
        UsageError: The first of them.
    """
    for override in overrides:
        if why := _harm(override):
            raise UsageError(
                f"this override is refused: {why}",
                where=key_of(override),
                received=override,
                expected="keys of lrcn; of Hydra run.dir, sweep.dir, sweep.subdir, a launcher or "
                "sweeper by its name, and its values",
                remedy="Leave it out; what you trust can stand in a folder of your own, "
                "--config-dir=FOLDER",
            )


def _harm(override: str) -> str | None:
    """Returns what an override would do that it must not, or None."""
    if override.startswith("-"):
        return "it opens a pickle" if override.startswith(_PICKLES) else None
    key, _, value = override.partition("=")
    key = key.lstrip("+~")
    holds = re.search(r"(^|\W)(" + "|".join(_BUILDING) + r")\W*[:=]", f"{value} ")
    if any(name in re.split(r"[./@:]", key) for name in _BUILDING) or holds:
        return "it names code to run"
    # A group may stand in the place of another one: `group@place=member`.
    found = (_harm_of_place(place, value) for place in key.split("@"))
    return next(filter(None, found), None)


def _harm_of_place(place: str, value: str) -> str | None:
    parts = [part for part in re.split(r"[./]", place) if part]
    if parts == ["hydra"]:
        return "it replaces all of Hydra's own settings"
    if parts[:2] == ["hydra", "callbacks"]:
        return "it names code to run before and after jobs"
    if len(parts) > 1 and parts[0] == "hydra" and parts[1] in _LOGGING:
        members = re.split(r"[,\s]+", value.strip("[]'\" "))
        if "/" not in place or not set(members) <= set(_OURS):
            return "it names code to run in place of lrcn's logging"
    return None


def stored(overrides: object, *, where: object) -> list[str]:
    """Returns the overrides that a run was started with, as they may be given again.

    The run may be a stranger's: what is Hydra's own is dropped, and what reads the surroundings or
    is no override of a value is refused.

    Args:
        overrides: What its `config.json` holds.
        where: That file.

    Raises:
        UserError: The first that is refused.
    """
    if not isinstance(overrides, list):
        raise _refused(where, "no list of overrides", overrides)
    kept = []
    for override in overrides:
        if not isinstance(override, str) or not re.match(r"[+~]{0,2}[\w@/.]+(=|$)", override):
            raise _refused(where, "what is no override", override)
        if re.split(r"[./@]", key_of(override))[0] == "hydra":
            continue
        if _harm(override):
            raise _refused(where, "an override that names code to run", override)
        require_plain(override, where=where)
        kept.append(override)
    return kept


def require_plain(value: object, *, where: object) -> None:
    """Refuses a stored value that would be filled in from the surroundings, `${...}`.

    Args:
        value: Text, or lists and dicts of it.
        where: Its file.

    Raises:
        UserError: It holds such a text.
    """
    if isinstance(value, dict):
        value = [*value, *value.values()]
    if isinstance(value, list):
        for part in value:
            require_plain(part, where=where)
    elif isinstance(value, str) and ("${" in value or "\n" in value):
        raise _refused(where, "a value that is filled in from elsewhere", value)


def _refused(where: object, what: str, received: object) -> UserError:
    return UserError(
        f"the run was stored with {what}, which is not repeated",
        where=where,
        received=f"{received!s:.200}",
        expected="overrides of plain values, as `lrcn train` stores them",
        remedy="Give these keys on the command line beside resume=, if you trust them",
    )
