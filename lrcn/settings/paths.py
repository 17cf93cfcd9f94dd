"""Which of the settings are paths: a run keeps them absolute, so that it is found from anywhere."""

from __future__ import annotations

import dataclasses
from typing import Any

_PATH = "path"  # the key of a field's metadata


def is_path(**default: Any) -> Any:
    """Returns a field that holds a path, several, or one for each split."""
    return dataclasses.field(metadata={_PATH: True}, **default)


def paths_of(kind: type) -> tuple[str, ...]:
    """Returns the names of the fields of a dataclass that hold paths."""
    return tuple(field.name for field in dataclasses.fields(kind) if _PATH in field.metadata)
