"""What items are read from on disk, so that files that change are noticed, before and while."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator

from lrcn import errors
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
            return [[name, *_facts(os.path.join(item.path, name))] for name in names]
        return _facts(item.path) if item.kind in ("image", "video") else []
    except OSError:  # what cannot be read is told by who reads it
        return []


@contextlib.contextmanager
def unchanged(item: lists.Item, frame_format: str = "jpg") -> Iterator[None]:
    """Refuses an item whose files are changed, replaced or removed while the block reads them.

    What was read may then be neither the old content nor the new one, and what is said about it,
    such as that it is cut short, true of neither.

    Args:
        item: The item that is read.
        frame_format: Suffix of the frames in folders.

    Raises:
        UserError: The files are not those they were at the start of the block.
    """
    before = _identity(item, frame_format)
    try:
        yield
    except (errors.UserError, OSError) as error:
        if before and (now := _identity(item, frame_format)) != before:
            raise _changed(item, now) from error
        raise
    if (now := _identity(item, frame_format)) != before:
        raise _changed(item, now)


def _identity(item: lists.Item, frame_format: str) -> list:
    """Returns the stamp of an item and which file it is: a copy may have the times of another."""
    numbers = []
    if item.kind in ("image", "video", "frames"):
        with contextlib.suppress(OSError):  # told by who reads it
            numbers = [os.stat(item.path).st_ino]
    with contextlib.suppress(OSError):
        return [*numbers, *stamp(item, frame_format)]
    return []


def _changed(item: lists.Item, now: list) -> errors.UserError:
    return errors.UserError(
        "changed while it was read",
        where=": ".join(part for part in (item.where, item.path) if part),
        received="other size, time or file than before" if now else "no longer there",
        expected="files that stay as they are",
        remedy="Let whatever writes there finish, and repeat the command",
    )


def _facts(path: str) -> list[int]:
    status = os.stat(path)
    return [status.st_size, status.st_mtime_ns]
