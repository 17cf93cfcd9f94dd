"""Records that are there already: their files, and whether they are those that are asked for."""

from __future__ import annotations

import hashlib
import json
import pathlib
from collections.abc import Mapping

from lrcn import errors
from lrcn.data import lists, records, sources
from lrcn.data.limits import Limits


def differences(
    path: pathlib.Path,
    settings: Mapping[str, object],
    *,
    shards: int,
    source: str,
    is_strict: bool,
    limits: Limits = Limits(),
) -> list[str]:
    """Returns in what records that are there differ from those asked for.

    Args:
        path: The records.
        settings: What decides on their content, under the keys of the metadata.
        shards: Number of files.
        source: What `digest` tells of the items.
        is_strict: Whether no item may be left out.
        limits: The most that the records may ask for.
    """
    try:
        there = records.read_metadata(path, limits=limits)
    except errors.UserError as error:
        return [f"that they are broken ({error.what})"]
    found = [key for key, value in settings.items() if getattr(there, key) != value]
    others = {
        "shards": len(there.shards) != shards,
        "source": there.source.sha256 != source,
        "skipped": bool(there.skipped) and is_strict,
    }
    return found + [key for key, differs in others.items() if differs]


def digest(split: lists.Split, frame_format: str) -> str:
    """Returns the SHA-256 of what the items are, with sizes and times of their files."""
    whole = hashlib.sha256()
    for item in split.items:
        # A description of generated items stands in the source; a list may move.
        origin = split.source if item.load else ""
        facts = [origin, item.id, item.path, item.kind, item.labels, item.captions, item.group]
        whole.update(json.dumps([*facts, sources.stamp(item, frame_format)]).encode())
    return whole.hexdigest()
