"""Lists whose captions are word indices, as the earlier system had them, decoded at the door."""

from __future__ import annotations

import os
import pathlib
import posixpath
import re
from collections.abc import Sequence

from lrcn import errors
from lrcn.data import captioned, lines, lists, text
from lrcn.data.limits import Limits

_NUMBERS = re.compile(r"\d{1,18}(\s+\d{1,18})*")


def read_list(
    file: str | os.PathLike,
    tokens: Sequence[str],
    *,
    path_prepend_folder: str | os.PathLike | None = None,
    frame_format: str = "jpg",
    on_error: str = "stop",
    limits: Limits = Limits(),
) -> tuple[lists.Item, ...]:
    """Reads the items of a list; a line is `path index [index ...]` or `path<TAB>index...`.

    A path that comes again has further captions.

    Args:
        file: The list, UTF-8.
        tokens: The words by their indices.
        path_prepend_folder: Folder of relative paths, by default the list's own.
        frame_format: Suffix of frames in folders.
        on_error: See `lists.read_list`.
        limits: See `lists.read_list`.

    Raises:
        UserError: If the list cannot be read or names nothing, or as `on_error` tells.
    """
    folder = pathlib.Path(path_prepend_folder or pathlib.Path(file).parent).absolute()
    entries: dict[str, captioned.Entry] = {}
    for where, line in lines.numbered(file, sample="path index [index ...]", limits=limits):
        try:
            name, indices = _parted(line, folder, where)
        except errors.UserError as problem:
            entries[where] = captioned.Entry(line, "", where, problem=problem)
            continue
        name = posixpath.normpath(name)
        new = captioned.Entry(name, folder / name, where)
        entry = entries.setdefault(lines.resolved(new.path), new)
        try:
            entry.captions.append((where, text.words_of(indices, tokens, where=where)))
        except errors.UserError as problem:
            entry.problem = entry.problem or problem
    seen: captioned.Seen = {}
    origin = captioned.Origin("dataset.path_prepend_folder", "the list", frame_format)
    split = pathlib.Path(file).name
    items = [
        captioned.item_of(entry, split, seen, origin, limits=limits) for entry in entries.values()
    ]
    problems = [item.problem for item in items if item.problem]
    if problems and on_error == "stop":
        raise lists.first_of(problems)
    return tuple(items)


def _parted(line: str, folder: pathlib.Path, where: str) -> tuple[str, list[int]]:
    """Parts a line into path and indices; without a TAB the path is what exists."""
    name, tab, rest = line.partition("\t")
    parts = (name.rstrip(), rest.strip())
    if not tab:
        parts = lines.parted(line, folder, _NUMBERS.fullmatch, where=where)
    if parts is None or not _NUMBERS.fullmatch(parts[1]):
        raise errors.UserError(
            "no path with word indices",
            where=where,
            received=repr(line[:60]),
            expected="path index [index ...]",
            remedy="Correct the line; for captions as text leave dataset.vocabulary out",
        )
    path, rest = parts
    return path, [int(index) for index in rest.split()]
