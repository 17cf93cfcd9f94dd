"""`lrcn train resume=RUN`: the command line that goes on with a run."""

from __future__ import annotations

import json
import os
import pathlib
import re

from lrcn import overriding
from lrcn.errors import UserError

_CHANGING = ("epochs", "callbacks.patience")  # what a run may be continued with
# What a run may ask for, and which machines train it, is for who goes on with it to say. The rest
# of how a training is carried out (`settings.is_of_conduct`) goes on as it was.
_NOT_TAKEN_OVER = ("limits", "strategy")


def continued(overrides: list[str]) -> list[str]:
    """Adds to `resume=RUN` what RUN was started with, and its folder.

    New overrides win over old ones of the same key, so that `resume=RUN epochs=40` is enough; what
    may change in a run is as it was when it last went on.

    Args:
        overrides: The command line of `train`.
    """
    from lrcn import config, runs

    given = {key: value for key, _, value in (o.partition("=") for o in overrides)}
    run = given.get("resume", "null").strip("'\"")
    config_file = pathlib.Path(run) / "config.json"
    if run == "null" or not config_file.exists():
        return overrides
    stored = runs.read_json(config_file)
    _refuse_other_members(stored, given)
    given_folder, folder = given.get("--config-dir"), stored.get("config_dir") or None
    if folder and given_folder is None:
        _require_own(folder, pathlib.Path(run), config_file)
    trusted = given_folder or folder
    kept = []
    for override in overriding.stored(
        stored.get("overrides", []), where=config_file, own_folder=trusted
    ):
        key = overriding.key_of(override)
        if is_free(key) or key in given or key in ("resume", *_CHANGING):
            continue
        # Paths were relative to where the run was started; its settings hold them absolute.
        try:
            known = config.stored_path(stored, key)
        except (KeyError, TypeError) as error:
            raise UserError(
                "the stored settings of the run do not fit its overrides",
                where=config_file,
                received=f"{override}, and nothing for {error}",
                expected="both as `lrcn train` stored them",
                remedy="The file was changed by hand or by another program: restore it",
            ) from error
        overriding.require_plain(known, where=config_file)
        kept.append(override if known is None else f"{key}={_as_override(known)}")
    for key in _CHANGING:
        value = config.value_of(stored, key)
        overriding.require_plain(value, where=config_file)
        kept += [] if key in given else [f"{key}={_as_override(value)}"]
    added = [] if "hydra.run.dir" in given else [f"hydra.run.dir={json.dumps(run)}"]
    if folder and given_folder is None:
        added = [f"--config-dir={folder}", *added]
    # Flags first: what stands on both sides of one is not read as a whole.
    flags = [o for o in added + overrides if o.startswith("-")]
    return [*flags, *kept, *(o for o in added + overrides if not o.startswith("-"))]


def is_free(key: str) -> bool:
    """Tells whether a key is not repeated from a run, but given anew by who goes on with it."""
    return re.split("[.@]", key)[0] in _NOT_TAKEN_OVER


def _require_own(folder: object, run: pathlib.Path, config_file: pathlib.Path) -> None:
    """Refuses a folder of configuration files that the user need not have written.

    Configuration is trusted like code. A run of one's own names the folder that one gave; one of a
    stranger may name what came with it, or what another user of the machine has put somewhere.
    """
    path = pathlib.Path(folder) if isinstance(folder, str) else pathlib.Path()
    is_own = (
        path.is_absolute()
        and path.is_dir()
        and path.resolve() == path
        and run.resolve() not in (path, *path.parents)
        and path.stat().st_uid == os.getuid()
    )
    if not is_own:
        raise UserError(
            "the run was started with a folder of configuration files that may not be yours",
            where=config_file,
            received=f"config_dir {folder!s:.200}",
            expected="an existing folder of your own, outside of the run's",
            remedy="If you trust it like a program, give it: --config-dir=FOLDER",
        )


def _as_override(paths: str | list | dict) -> str:
    """Returns one path or several as an override has them; Hydra takes no quotes around keys."""
    if isinstance(paths, dict):
        return "{" + ", ".join(f"{key}: {_as_override(path)}" for key, path in paths.items()) + "}"
    return json.dumps(paths, ensure_ascii=False)


def _refuse_other_members(stored: dict, given: dict[str, str]) -> None:
    """Refuses another member of a group than a run has, whose keys would not fit the new one."""
    for group, settings in stored.items():
        if group in _NOT_TAKEN_OVER:
            continue
        name = settings.get("name", settings.get("source")) if isinstance(settings, dict) else None
        asked = given.get(group)
        if name is not None and asked is not None and asked not in (name, "auto"):
            raise UserError(
                "the run was started with another member of this group",
                where=group,
                received=asked,
                expected=name,
                remedy="Start a new run, with init= to begin with these weights",
            )
