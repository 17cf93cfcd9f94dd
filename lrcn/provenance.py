"""Where a run comes from: its command, and `data.json`, which tells what it was trained on."""

from __future__ import annotations

import shlex
from collections.abc import Mapping
from typing import Any

from lrcn import files, runs
from lrcn.errors import UserError

FILE = "data.json"
_KEYS = {
    **dict.fromkeys(("records", "digest", "source", "source_sha256", "type"), str),
    **dict.fromkeys(("items", "frames", "classes", "skipped"), int),
    "groups": list,
}


def write(run: runs.RunDirectory, splits: Mapping[str, Mapping[str, Any]]) -> None:
    """Writes `data.json`.

    Args:
        run: The run directory.
        splits: What tells the records of each split from others, as plain values.
    """
    files.write_json(run.path / FILE, splits)


def read(run: runs.RunDirectory) -> dict[str, Any]:
    """Reads `data.json`; a run of a version without it tells nothing.

    Args:
        run: The run directory.

    Raises:
        UserError: The file is damaged.
    """
    file = run.path / FILE
    found = runs.read_json(file) if file.exists() else {}
    for split, own in found.items():
        if not isinstance(own, dict) or any(type(own.get(key)) is not _KEYS[key] for key in _KEYS):
            raise UserError(
                "what the run was trained on cannot be read",
                where=f"{file}: {split}",
                received=f"{own!s:.80}",
                expected=", ".join(_KEYS),
                remedy="The file was changed by hand or by another program: restore it",
            )
    return found


def command(config: Mapping[str, Any]) -> str:
    """Returns the command line that a run was started with.

    Args:
        config: What `config.json` holds.
    """
    given = config.get("overrides")
    return shlex.join(["lrcn", "train", *map(str, given if isinstance(given, list) else ())])
