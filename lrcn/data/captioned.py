"""What all data sets of captions have in common: named items, their captions, and what is wrong."""

from __future__ import annotations

import dataclasses
import json
import os
import pathlib
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from lrcn import errors
from lrcn.data import bounded, grouping, lines, lists, text
from lrcn.data.limits import Limits

_SHOWN = 60  # characters of a name
# Split and place of each id, by its split, and of each file, by no split.
Seen = dict[tuple[str, str], tuple[str, str]]


@dataclasses.dataclass
class Entry:
    """An image or video that a split names.

    Attributes:
        id: Unique in its split.
        path: Where its file should be.
        where: Where it is named.
        captions: Pairs of place and text.
        group: See `lists.Item`.
        problem: What is known to be wrong with it already.
    """

    id: str
    path: str | os.PathLike
    where: str
    captions: list[tuple[str, str]] = dataclasses.field(default_factory=list)
    group: str = ""
    problem: errors.UserError | None = None


@dataclasses.dataclass(frozen=True)
class Origin:
    """Where entries come from, for the remedies of messages.

    Attributes:
        files: The key of the folder of images or videos.
        captions: The key of the captions.
        frame_format: Suffix of frames in folders; also taken for images.
    """

    files: str
    captions: str
    frame_format: str = "jpg"


def catalog(
    splits: Mapping[str, Iterable[Entry]],
    sources: Mapping[str, str],
    origin: Origin,
    *,
    on_error: str = "stop",
    limits: Limits = Limits(),
) -> lists.Catalog:
    """Returns entries as items; they have captions and no labels.

    Args:
        splits: The entries of train, val and test, or some of them.
        sources: What the records of each split tell of their origin.
        origin: For the messages.
        on_error: `stop` raises what is wrong with the first bad item; `keep` returns such items
            with `problem` set.
        limits: `caption_words` bounds each caption.

    Raises:
        UserError: As `on_error` tells, or if a split has no entry.
    """
    seen: Seen = {}
    found = {}
    for name in sorted(splits, key=grouping.SPLITS.index):
        items = tuple(item_of(entry, name, seen, origin, limits=limits) for entry in splits[name])
        if not items:
            raise errors.UserError(
                "the split names no item",
                where=sources[name],
                received=f"nothing for {name}",
                expected="one image or video at least",
                remedy=f"Name its items, or leave {name} out",
            )
        found[name] = lists.Split(name, items, sources[name])
    problems = [item.problem for split in found.values() for item in split.items if item.problem]
    if problems and on_error == "stop":
        raise lists.first_of(problems)
    return lists.Catalog(found, label_names=(), num_classes=0, multi_label=False)


def item_of(
    entry: Entry, split: str, seen: Seen, origin: Origin, *, limits: Limits = Limits()
) -> lists.Item:
    """Returns an entry as an item, with `problem` set if something is wrong with it.

    Args:
        entry: The entry.
        split: The split that names it.
        seen: What came before; this one is added.
        origin: For the messages.
        limits: `caption_words` bounds each caption.
    """
    try:
        _check_new(entry, split, seen)
        if entry.problem:
            raise entry.problem
        kind = _kind(entry, origin)
        captions = _captions(entry, origin, limits)
    except errors.UserError as problem:
        return lists.Item(entry.id, "", "missing", where=problem.where, problem=problem)
    return lists.Item(
        id=entry.id,
        path=str(pathlib.Path(entry.path).absolute()),
        kind=kind,
        captions=captions,
        where=entry.where,
        group=entry.group,
    )


def _check_new(entry: Entry, split: str, seen: Seen) -> None:
    """Refuses an entry whose file was named before, or whose id was in the same split."""
    here = (split, entry.where)
    known = [seen.setdefault((split, entry.id), here)]
    if entry.path:
        known.append(seen.setdefault(("", lines.resolved(entry.path)), here))
    before = [found for found in known if found != here]
    if not before:
        return
    other, place = before[0]
    twice = other == split
    raise errors.UserError(
        f"named twice in {split}" if twice else "named in two splits",
        where=entry.where,
        received=f"{entry.id}, also at {place}" + ("" if twice else f", in {other}"),
        expected="each image or video once, however it is named, and in one split",
        remedy="Remove one of them" if twice else f"Take it out of {split} or {other}",
    )


def _kind(entry: Entry, origin: Origin) -> str:
    try:
        return lists.kind_of(entry.path, origin.frame_format, entry.where)
    except errors.UserError as error:
        remedy = f"Correct {origin.files}, complete the files, or take the name out of its split"
        raise error.but(remedy=remedy) from None


def _captions(entry: Entry, origin: Origin, limits: Limits) -> tuple[str, ...]:
    """Returns the captions of an entry, one at least."""
    if not entry.captions:
        raise errors.UserError(
            "named without a caption",
            where=entry.where,
            received=f"{entry.id}, of which {origin.captions} tells nothing",
            expected="one caption at least",
            remedy=f"Add its captions, correct {origin.captions}, or take the name out",
        )
    return checked(entry.captions, limits=limits)


def checked(captions: Iterable[tuple[str, str]], *, limits: Limits = Limits()) -> tuple[str, ...]:
    """Returns the captions of pairs of place and text, each in one line.

    Args:
        captions: The pairs.
        limits: `caption_words` bounds each caption.

    Raises:
        UserError: As `text.check_caption` tells.
    """
    captions = list(captions)
    for where, caption in captions:
        text.check_caption(caption, where=where, limits=limits)
    return tuple(" ".join(caption.split()) for _, caption in captions)


def check_folder(path: str | os.PathLike, key: str) -> pathlib.Path:
    """Returns a folder of images or videos.

    Raises:
        UserError: If there is none.
    """
    if not pathlib.Path(path).is_dir():
        raise errors.UserError(
            "no such folder",
            where=key,
            received=path,
            expected="a folder of images or videos",
            remedy=f"Correct {key}; it is relative to the working directory",
        )
    return pathlib.Path(path)


def check_splits(names: Iterable[str], key: str, example: str) -> None:
    """Refuses names of splits other than train, val and test, and none at all.

    Args:
        names: The names.
        key: The key that holds them.
        example: A value that it could have.

    Raises:
        UserError: As told.
    """
    names = list(names)
    unknown = [name for name in names if name not in grouping.SPLITS]
    if unknown or not names:
        raise errors.UserError(
            "no such split" if unknown else "no split is named",
            where=key,
            received=unknown[0] if unknown else "nothing",
            expected=" | ".join(grouping.SPLITS),
            remedy=f"For example {example}",
        )


def inside(folder: pathlib.Path, name: str, *, where: str, key: str) -> pathlib.Path:
    """Returns where a file is that somebody else's annotations name, which stays in its folder.

    Links in the folder are the user's own and are followed.

    Args:
        folder: The folder of images or videos.
        name: The name below it.
        where: Where it is named.
        key: The key of the folder.

    Raises:
        UserError: The name is absolute or has `..`, or characters that no name of a file has.
    """
    path = pathlib.PurePosixPath(name)
    if path.is_absolute() or ".." in path.parts:
        raise errors.UserError(
            "name leads out of its folder",
            where=where,
            received=repr(name[:_SHOWN]),
            expected=f"a name below {key}",
            remedy=f"Correct the name, or set {key} to the folder that all names are below; "
            "list files of your own (dataset=lists) may name any path",
        )
    if not lines.is_name(name):
        raise errors.UserError(
            "name with characters that no name of a file should have",
            where=where,
            received=ascii(name[:_SHOWN]),
            expected="letters, digits and signs of a path",
            remedy="Rename the file, or correct the name",
        )
    return folder / name


def tabbed(file: str | os.PathLike, *, limits: Limits = Limits()) -> Iterator[tuple[str, str, str]]:
    """Yields place, name and caption of each line `name<TAB>caption` that is not blank.

    Args:
        file: The file, UTF-8.
        limits: Bound the file and each line.

    Raises:
        UserError: If the file cannot be read, or a line is not UTF-8 or has no TAB.
    """
    for where, line in lines.read(file, limits=limits):
        name, tab, caption = line.partition("\t")
        if tab:
            yield where, name.strip(), caption
        elif line.strip():
            raise errors.UserError(
                "line without a caption",
                where=where,
                received=repr(line[:60]),
                expected="name<TAB>caption",
                remedy="Put a TAB between name and caption, or remove the line",
            )


def read_json(file: str | os.PathLike, expected: str, *, limits: Limits = Limits()) -> Any:
    """Reads a JSON file.

    Args:
        file: The file.
        expected: What should be in it, for the message.
        limits: `file_bytes` bounds the file.

    Raises:
        UserError: If it cannot be read, is too large, is not UTF-8, or is no JSON.
    """
    where, data = str(file), b""
    try:
        data = bounded.read(file, what="file of captions", limits=limits)
        return bounded.parse_json(data)
    except OSError as error:
        what, reason = "captions cannot be read", lines.reason(error)
    except UnicodeDecodeError as error:
        what, reason = "not UTF-8", error
        where = f"{file}:{data[: error.start].count(10) + 1}"
    except json.JSONDecodeError as error:
        what, reason, where = "not JSON", error.msg, f"{file}:{error.lineno}"
    except bounded.Misread as error:
        what, reason = "not JSON of this kind", error
    raise errors.UserError(
        what, where=where, received=reason, expected=expected, remedy="Give the file of captions"
    )
