"""Folders of frames: which files are frames, and in which order."""

from __future__ import annotations

import os
import pathlib
import re
from collections.abc import Sequence

from lrcn import errors
from lrcn.data.limits import Limits

_NUMBER = re.compile(r"\d+")


def natural_key(name: str) -> tuple:
    """Returns a sort key that puts 2 before 10."""
    parts = re.split(r"(\d+)", name)
    return tuple(_by_size(part) if index % 2 else part for index, part in enumerate(parts)), name


def _by_size(digits: str) -> tuple[int, str]:
    """Returns a sort key of a number, of which a name in a list may have thousands of digits."""
    digits = digits.lstrip("0")
    return len(digits), digits


def frame_files(
    folder: str | pathlib.Path, frame_format: str = "jpg", *, limits: Limits = Limits()
) -> list[pathlib.Path]:
    """Returns the frames in a folder in natural order.

    Args:
        folder: The folder.
        frame_format: Their suffix.
        limits: `frames` bounds their number.

    Raises:
        UserError: If there is none, or too many, or if numbered frames have a gap or repeat a
            number.
    """
    folder = pathlib.Path(folder)
    kept = names(folder, frame_format)
    limits.require("frames", len(kept), where=folder, what="a folder of frames")
    if not kept:
        found = _files(folder)
        others = sorted({pathlib.PurePath(name).suffix or name for name in found})
        raise errors.UserError(
            "folder without frames",
            where=folder,
            received=f"files of {', '.join(others[:5])}" if others else "an empty folder",
            expected=f"*.{frame_format}",
            remedy="Set dataset.frame_format to the suffix of the frames"
            if others
            else "Fill the folder, or leave the item out",
        )
    _check_numbers(folder, kept)
    return [folder / name for name in kept]


def names(folder: str | pathlib.Path, frame_format: str = "jpg") -> list[str]:
    """Returns the names of the frames in a folder in natural order, whatever their numbers.

    `jpg` and `jpeg` are one format, in capitals or not; hidden files are no frames.
    """
    suffix = _same_format(frame_format)
    kept = [
        name
        for name in _files(folder)
        if _same_format(os.path.splitext(name)[1]) == suffix and not name.startswith(".")
    ]
    return sorted(kept, key=natural_key)


def _files(folder: str | pathlib.Path) -> list[str]:
    return [entry.name for entry in os.scandir(folder) if entry.is_file()]


def _same_format(suffix: str) -> str:
    suffix = suffix.lower().lstrip(".")
    return "jpg" if suffix == "jpeg" else suffix


def numbers(names: Sequence[str]) -> list[int] | None:
    """Returns the last number in each name if the names are otherwise alike, else None."""
    stems = [pathlib.PurePath(name).stem for name in names]
    found = [list(_NUMBER.finditer(stem)) for stem in stems]
    if not all(found):
        return None
    last = [matches[-1] for matches in found]
    others = {(stem[: m.start()], stem[m.end() :]) for stem, m in zip(stems, last, strict=True)}
    return None if len(others) > 1 else [int(match.group()) for match in last]


def _check_numbers(folder: pathlib.Path, names: list[str]) -> None:
    """Refuses a gap or repetition in the last number of names that are otherwise alike."""
    found = numbers(names) or []
    for name, before, number in zip(names[1:], found, found[1:], strict=False):
        if number != before + 1:
            what = "frame number stands twice" if number == before else "gap in frame numbers"
            raise errors.UserError(
                what,
                where=folder,
                received=f"{name} after number {before}",
                expected=f"number {before + 1}",
                remedy="Restore the missing frames or number them without gaps",
            )
