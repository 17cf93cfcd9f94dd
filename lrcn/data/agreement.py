"""Whether the metadata of records agrees with itself: a `.size` can be edited by hand."""

from __future__ import annotations

import pathlib
from collections.abc import Iterator, Mapping

from lrcn import errors

_PER_ITEM = ("ids", "labels", "frame_counts", "groups", "clip_counts")
_MAY_BE_EMPTY = ("groups", "clip_counts")


def check(size: pathlib.Path, values: Mapping[str, object], *, remedy: str) -> None:
    """Refuses metadata whose counts differ.

    Args:
        size: The `.size` file.
        values: What it holds under each key, with tuples for lists.
        remedy: What mends it.

    Raises:
        UserError: The first disagreement.
    """
    for received, expected in _disagreements(values):
        raise errors.UserError(
            "metadata disagrees with itself",
            where=size,
            received=received,
            expected=expected,
            remedy=remedy,
        )


def _disagreements(values: Mapping[str, object]) -> Iterator[tuple[str, str]]:
    """Yields pairs of what is there and what would agree."""
    items, classes = values["items"], values["num_classes"]
    names = _length(values["label_names"])
    if names != 0 and names != classes:
        yield f"{_counted(names, 'label_names')} for num_classes {classes}", "a name for each class"
    for key in _PER_ITEM:
        length = _length(values[key])
        if length != items and not (key in _MAY_BE_EMPTY and length == 0):
            yield f"{_counted(length, key)} for items {items}", f"an entry of {key} for each item"
    stored = sum(shard["records"] for shard in values["shards"])
    if stored != items:
        yield f"{stored} records in shards for items {items}", "as many records as items"


def _length(value: object) -> int | None:
    return len(value) if isinstance(value, tuple) else None


def _counted(length: int | None, key: str) -> str:
    return f"{key} that is no list" if length is None else f"{length} {key}"
