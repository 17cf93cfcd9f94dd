"""What items are read from on disk, so that records of changed files are noticed."""

from __future__ import annotations

import os
import pathlib

from lrcn.data import frames, lists


def stamp(item: lists.Item, frame_format: str = "jpg") -> list:
    """Returns facts that change when the files of an item do, to be hashed with its path.

    They are size and time of modification (ns) of an image or video; of a folder of frames those
    of each frame that would be read, with its name, so that `frame_format` counts as well. One
    rule for the cache and for records that are there already: whatever is written anew is read
    anew, even if it has its old size. Generated items have no files.

    Args:
        item: The item; files that are missing or out of reach have no stamp.
        frame_format: Suffix of the frames in folders.
    """
    try:
        if item.kind == "frames":
            names = frames.names(item.path, frame_format)
            return [[name, *_facts(pathlib.Path(item.path, name))] for name in names]
        return _facts(pathlib.Path(item.path)) if item.kind in ("image", "video") else []
    except OSError:  # what cannot be read is told by who reads it
        return []


def _facts(path: pathlib.Path) -> list[int]:
    status = os.stat(path)
    return [status.st_size, status.st_mtime_ns]
