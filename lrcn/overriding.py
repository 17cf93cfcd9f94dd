"""What an override may not touch: Hydra builds objects of what it finds under some of its keys.

A value of `_target_` names any function, which Hydra calls; callbacks and logging hold such names,
too. No key of lrcn does, so they are refused wherever an override is from.
"""

from __future__ import annotations

import pathlib
import re
from collections.abc import Mapping

from lrcn import help as help_lib
from lrcn.errors import UsageError, UserError

_BUILDING = ("_target_", "_partial_", "_recursive_", "_convert_", "_args_")
_LOGGING = ("hydra/job_logging", "hydra/hydra_logging")
_OURS = ("console", "run", "none", "disabled")
_PICKLES = "--experimental-rerun"
_SWEPT = ("params", "search_space", "custom_search_space")
OWN_FOLDERS = {"--config-dir", "--config-path"}
"""Flags of folders of configuration files, which are trusted like code."""
_OF_HYDRA = {"run.dir", "sweep.dir", "sweep.subdir", "verbose", "job.name"}


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
    has_own_folder = any(key_of(override) in OWN_FOLDERS for override in overrides)
    for override in overrides:
        if why := _harm(override, has_own_folder=has_own_folder):
            raise UsageError(
                f"this override is refused: {why}",
                where=key_of(override),
                received=override,
                expected="keys of lrcn; of Hydra run.dir, sweep.dir, sweep.subdir, job.name, "
                "verbose, a launcher or sweeper by its name, and its values",
                remedy="Leave it out; what you trust can stand in a folder of your own, "
                "--config-dir=FOLDER",
            )


def _harm(override: str, *, has_own_folder: bool = False) -> str | None:
    """Returns what an override would do that it must not, or None.

    Args:
        override: As it is given.
        has_own_folder: Whether a folder of configuration files of the user's own is searched.
    """
    if override.startswith("-"):
        return "it opens a pickle" if override.startswith(_PICKLES) else None
    key, _, value = override.partition("=")
    key = key.lstrip("+~").strip()
    holds = re.search(r"(^|\W)(" + "|".join(_BUILDING) + r")\W*[:=]", f"{value} ")
    if any(name in re.split(r"[./@:]", key) for name in _BUILDING) or holds:
        return "it names code to run"
    # A group may stand in the place of another one: `group@place=member`.
    group, *places = re.split("[@:]", key)
    if any("hydra" in re.split(r"[./]", place) for place in places):
        return "it puts something in the place of Hydra's own settings"
    if is_group(key) and _leaves(value, may_nest=has_own_folder):
        return "it leads out of the folder of the group's members"
    return _harm_of_hydra(group, value) if re.match(r"/*hydra\b", group) else None


def is_group(key: str) -> bool:
    """Tells whether the values of a key are members of a group, that is names of files."""
    return "/" in key or "@" in key or bool(help_lib.members(key))


def _leaves(value: str, *, may_nest: bool) -> bool:
    """Tells whether a member, or one of several, is more than a name."""
    members = [part.strip("[]'\"() ") for part in value.split(",")]
    is_path = any(part.startswith("/") or ("/" in part and not may_nest) for part in members)
    return is_path or ".." in value or "\\" in value


def _harm_of_hydra(key: str, value: str) -> str | None:
    """Returns why a key of Hydra's own is refused: all are that are not known to be harmless."""
    if key in ("hydra/launcher", "hydra/sweeper", "hydra/sweeper/sampler"):
        return None
    if key in _LOGGING:
        members = re.split(r"[,\s]+", value.strip("[]'\" "))
        is_ours = set(members) <= set(_OURS)
        return None if is_ours else "it names code to run in place of lrcn's logging"
    parts = key.split(".")
    if parts[:2] in (["hydra", "launcher"], ["hydra", "sweeper"]) and len(parts) > 2:
        # The parameters of a sweep are overrides themselves, in whatever form they stand.
        is_odd = any(part.startswith("_") for part in parts) or parts[2] in _SWEPT
        return "it changes what is swept or who does it" if is_odd else None
    if parts[0] == "hydra" and ".".join(parts[1:]) in _OF_HYDRA:
        return None
    return "it is one of Hydra's own settings, some of which name code to run"


def require_no_code(hydra: Mapping, *, where: object) -> None:
    """Refuses Hydra's own settings, as composed, if they name code that is not Hydra's or ours.

    Args:
        hydra: What Hydra composed under `hydra`.
        where: The run that the settings are of.

    Raises:
        UserError: There are callbacks, or a launcher or sweeper of another package.
    """
    targets = [str(hydra[who].get("_target_", "hydra.")) for who in ("launcher", "sweeper")]
    foreign = [name for name in targets if not name.startswith(("hydra.", "hydra_plugins."))]
    if found := [*hydra["callbacks"], *foreign, *_classes_of_others(hydra)]:
        raise _refused(where, "settings that name code to run", ", ".join(map(str, found)))


def _classes_of_others(hydra: Mapping) -> list[str]:
    """Returns what logging would be made of, beside Python's own handlers and ours."""
    made = [
        str(part[key])
        for group in ("job_logging", "hydra_logging")
        for kind in ("formatters", "handlers", "filters")
        for part in ((hydra[group] or {}).get(kind) or {}).values()
        for key in ("()", "class")
        if key in part
    ]
    return [name for name in made if not name.startswith(("lrcn.", "logging."))]


def stored(overrides: object, *, where: object, own_folder: str | None = None) -> list[str]:
    """Returns the overrides that a run was started with, as they may be given again.

    The run may be a stranger's: what is Hydra's own is dropped, and what reads the surroundings or
    is no override of a value is refused.

    Args:
        overrides: What its `config.json` holds.
        where: That file.
        own_folder: The folder of configuration files that it names, if it is the user's own.

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
        if not _is_member(override, own_folder):
            raise _refused(where, "a member of a group that is not one of lrcn's", override)
        require_plain(override, where=where)
        kept.append(override)
    return kept


def _is_member(override: str, own_folder: str | None) -> bool:
    """Tells whether what an override chooses from a group, if it is of one, may be read."""
    group, _, _ = key_of(override).partition("@")
    value = override.partition("=")[2].strip("'\"")
    in_own = own_folder is not None and pathlib.Path(own_folder, group).is_dir()
    if not (is_group(key_of(override)) or in_own) or override.startswith("~"):
        return True
    return (
        value == "null"
        or value in help_lib.members(group)
        or (
            own_folder is not None
            and re.fullmatch(r"[\w.-]+", value) is not None
            and ".." not in value
        )
    )


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
