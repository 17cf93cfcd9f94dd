"""What a run was trained on: `data.json` in its folder, read when the records are long gone."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from lrcn import files, runs

FILE = "data.json"


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
    return runs.read_json(file) if file.exists() else {}
