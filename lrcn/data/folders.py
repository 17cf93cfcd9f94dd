"""A folder per class as a data set: finds the items and parts them into train, val and test."""

from __future__ import annotations

import collections
import difflib
import logging
import os
import pathlib
import re
from collections.abc import Iterator, Sequence

from lrcn.data import frames, grouping, lines, lists
from lrcn.errors import UserError

log = logging.getLogger(__name__)

SHOWN = 5
_NO_MEDIA = "being neither video nor image"
_BESIDE_VIDEOS = "being images beside videos"


def folder(
    root: str | os.PathLike,
    *,
    groups: str | None = None,
    fractions: Sequence[float] = (0.7, 0.15, 0.15),
    val_groups: Sequence[str] | None = None,
    test_groups: Sequence[str] | None = None,
    seed: int = 0,
    frame_format: str = "jpg",
) -> lists.Catalog:
    """Reads a folder that holds a folder per class; class names are the sorted folder names.

    An item is a video, an image, or a folder of frames, anywhere below its class folder; in a
    folder below it that holds videos, images (a poster) are no items. Items of one group stay in
    one split. `val_groups` and `test_groups` fill their splits alone; what is left is parted among
    the other splits by their fractions.

    Args:
        root: The folder.
        groups: Regular expression searched in each item's path below `root`; its first group (or
            the whole match) names the item's group. Without it each item is a group of its own,
            named by its path.
        fractions: Shares of train, val and test; 0 leaves a split out.
        val_groups: Groups that are val.
        test_groups: Groups that are test.
        seed: Of the random parting.
        frame_format: Suffix of the frames in folders of frames.

    Raises:
        UserError: A class is empty or has nothing to learn from, a group is unknown, or a value is
            not as it should be.
    """
    shares = _checked_fractions(fractions)
    pattern = _checked_pattern(groups)
    root = pathlib.Path(root)
    names = class_names(root)
    items = [
        _item(path, kind, root=root, label=label, pattern=pattern)
        for label, name in enumerate(names)
        for path, kind in _found(root / name, frame_format)
    ]
    given = {"val": _plain(val_groups), "test": _plain(test_groups)}
    parts = _parts(items, shares, given, seed=seed)
    splits = {
        split: lists.Split(split, tuple(members), f"folder {root.absolute()} split={split}")
        for split in grouping.SPLITS
        if (members := [item for item, part in zip(items, parts, strict=True) if part == split])
    }
    _check_learnable(splits, names, root)
    return lists.Catalog(splits, names, len(names), multi_label=False)


def class_names(root: pathlib.Path) -> tuple[str, ...]:
    """Returns the names of the class folders in `root`, sorted.

    Raises:
        UserError: If `root` is no folder, or holds no folders, or those of splits.
    """
    if not root.is_dir():
        raise UserError(
            "no such folder",
            where="dataset.root",
            received=root,
            expected="a folder that holds a folder per class",
            remedy="Correct dataset.root; it is relative to the working directory",
        )
    names = sorted(entry.name for entry in _visible(root) if entry.is_dir())
    if not names:
        raise UserError(
            "no folder of a class in it",
            where="dataset.root",
            received=root,
            expected="a folder per class",
            remedy="Items without class folders need a list file (dataset=lists)",
        )
    if set(names) <= {*grouping.SPLITS, "valid", "validation", "dev"}:
        raise UserError(
            "these folders are splits, not classes",
            where="dataset.root",
            received=f"{root} with {', '.join(names)}",
            expected="a folder per class",
            remedy="Name one of them, or keep the splits with a list file each (dataset=lists)",
        )
    return tuple(names)


def _visible(folder_path: pathlib.Path) -> list[pathlib.Path]:
    """Returns what is in a folder in natural order, without hidden files."""
    found = [entry for entry in folder_path.iterdir() if not entry.name.startswith(".")]
    for entry in found:
        _require_name(entry)
    return sorted(found, key=lambda entry: lists.natural_key(entry.name))


def _require_name(entry: pathlib.Path) -> None:
    """Refuses a name that is no text or more than a line: lists and results hold lines of text."""
    if not lines.is_name(entry.name):
        raise UserError(
            "name with characters that no name of a file should have",
            where=entry.parent,
            received=ascii(entry.name),
            expected="UTF-8 text without line ends, TABs and other controls",
            remedy="Rename it, or move it out of dataset.root",
        )


def _found(class_folder: pathlib.Path, frame_format: str) -> list[tuple[pathlib.Path, str]]:
    """Returns the items of a class as `(path, kind)`."""
    left_out: dict[str, list[pathlib.Path]] = {}
    found = list(_walk(class_folder, frame_format, left_out))
    for reason, paths in left_out.items():
        names = ", ".join(path.name for path in paths[:SHOWN])
        more = ", ..." if len(paths) > SHOWN else ""
        log.warning(
            "%s: %d files are left out, %s: %s%s", class_folder, len(paths), reason, names, more
        )
    if not found:
        raise UserError(
            "class folder without items",
            where=class_folder,
            received=f"only files such as {left_out[_NO_MEDIA][0].name}"
            if _NO_MEDIA in left_out
            else "an empty folder",
            expected="videos, images, or folders of frames",
            remedy="Fill it, or move it out of dataset.root",
        )
    return found


def _walk(
    folder_path: pathlib.Path,
    frame_format: str,
    left_out: dict[str, list[pathlib.Path]],
    *,
    beside_videos: bool = False,
) -> Iterator[tuple[pathlib.Path, str]]:
    """Yields the items in a folder; other files join those that are left out for a reason."""
    for entry in _visible(folder_path):
        if entry.is_dir():
            _refuse_circle(entry)
            has_videos = bool(_video_stems(entry, frame_format))
            if frames.names(entry, frame_format) and not has_videos:
                yield entry, "frames"
            else:
                _refuse_mixture(entry, frame_format)
                yield from _walk(entry, frame_format, left_out, beside_videos=has_videos)
            continue
        try:
            kind = lists.kind_of(entry, frame_format)
        except UserError:
            left_out.setdefault(_NO_MEDIA, []).append(entry)
            continue
        if kind == "image" and beside_videos:
            left_out.setdefault(_BESIDE_VIDEOS, []).append(entry)
        else:
            yield entry, kind


def _refuse_circle(folder_path: pathlib.Path) -> None:
    """Refuses a link to a folder that it is in, below which there would be no end."""
    real = os.path.realpath(folder_path)
    if any(os.path.realpath(parent) == real for parent in folder_path.absolute().parents):
        raise UserError(
            "a link leads back to a folder that it is in",
            where=folder_path,
            received=f"a link to {real}",
            expected="folders that end",
            remedy="Remove the link",
        )


def _video_stems(folder_path: pathlib.Path, frame_format: str) -> set[str]:
    """Returns the names of the videos in a folder, without their suffixes."""
    suffixes = {f".{suffix}" for suffix in lists.VIDEO_SUFFIXES}
    suffixes -= {"." + frame_format.lower().lstrip(".")}
    entries = _visible(folder_path)
    return {entry.stem for entry in entries if entry.suffix.lower() in suffixes}


def _refuse_mixture(folder_path: pathlib.Path, frame_format: str) -> None:
    """Refuses videos beside a series of numbered frames; a video's poster is no such series."""
    stems = _video_stems(folder_path, frame_format)
    names = frames.names(folder_path, frame_format)
    names = [name for name in names if pathlib.PurePath(name).stem not in stems]
    if stems and len(names) > 1 and frames.numbers(names):
        raise UserError(
            "a folder of videos and of frames",
            where=folder_path,
            received=f"a video {min(stems)}, and {names[0]} to {names[-1]}",
            expected="either videos, or the numbered frames of one video",
            remedy="Move the frames into a folder of their own, or take them away",
        )


def _item(
    path: pathlib.Path, kind: str, *, root: pathlib.Path, label: int, pattern: re.Pattern | None
) -> lists.Item:
    name = path.relative_to(root).as_posix()
    return lists.Item(
        id=name,
        path=str(path.absolute()),
        kind=kind,
        labels=(label,),
        where=str(path),
        group=name if pattern is None else _group_of(name, pattern),
    )


def _group_of(name: str, pattern: re.Pattern) -> str:
    match = pattern.search(name)
    group = match and match.group(1 if pattern.groups else 0)
    if not group:
        raise UserError(
            "the pattern of groups does not match an item",
            where="dataset.groups",
            received=f"{pattern.pattern!r} on {name!r}",
            expected="a match in the path of every item below dataset.root",
            remedy="Widen dataset.groups until it matches this path, too, or rename the item",
        )
    return group


def _checked_pattern(groups: str | None) -> re.Pattern | None:
    try:
        return re.compile(groups) if groups else None
    except re.error as error:
        raise UserError(
            "no regular expression",
            where="dataset.groups",
            received=f"{groups!r} ({error})",
            expected="a pattern such as '_g([0-9]+)_'",
            remedy="Correct dataset.groups, with quotes inside the shell's: "
            "\"dataset.groups='_g([0-9]+)_'\"",
        ) from error


def _checked_fractions(fractions: Sequence[float]) -> dict[str, float]:
    values = [float(value) for value in fractions]
    if len(values) != len(grouping.SPLITS) or min(values) < 0 or abs(sum(values) - 1) > 1e-6:
        raise UserError(
            "fractions do not part a data set",
            where="dataset.fractions",
            received=list(fractions),
            expected="three numbers from 0 that sum to 1 (train, val, test)",
            remedy="For example dataset.fractions=[0.8,0.1,0.1]",
        )
    return dict(zip(grouping.SPLITS, values, strict=True))


def _plain(names: Sequence[str] | None) -> tuple[str, ...] | None:
    """Returns group names as text; numbers lose their quotes on a command line."""
    return None if names is None else tuple(str(name) for name in names)


def _parts(
    items: list[lists.Item],
    shares: dict[str, float],
    given: dict[str, tuple[str, ...] | None],
    *,
    seed: int,
) -> list[str]:
    """Returns the split of each item."""
    _check_given(items, given)
    claimed = {group: split for split, names in given.items() for group in names or ()}
    open_splits = [
        split for split in grouping.SPLITS if given.get(split) is None and shares[split] > 0
    ]
    rest = [item for item in items if item.group not in claimed]
    if rest and not open_splits:
        raise UserError(
            "no split is left for the other groups",
            where="dataset.fractions",
            received=f"train {shares['train']:g}",
            expected="a share of train above 0",
            remedy="Set dataset.fractions=[0.8,0.1,0.1], for example",
        )
    _check_enough(rest, open_splits)
    drawn = iter(
        grouping.parted(
            [item.labels[0] for item in rest],
            [item.group for item in rest],
            [shares[split] for split in open_splits],
            seed=seed,
        )
    )
    return [claimed.get(item.group) or open_splits[next(drawn)] for item in items]


def _check_given(items: list[lists.Item], given: dict[str, tuple[str, ...] | None]) -> None:
    """Refuses groups that no item has and groups that are in two splits."""
    known = sorted({item.group for item in items}, key=lists.natural_key)
    for split, names in given.items():
        for name in names or ():
            if name not in known:
                near = difflib.get_close_matches(name, known, n=3, cutoff=0.4) or known[:SHOWN]
                raise UserError(
                    "no item has this group",
                    where=f"dataset.{split}_groups",
                    received=name,
                    expected=f"one of {len(known)} groups, such as {', '.join(near)}",
                    remedy=f"Correct dataset.{split}_groups, or dataset.groups, which names them",
                )
    both = set(given["val"] or ()) & set(given["test"] or ())
    if both:
        raise UserError(
            "a group cannot be in two splits",
            where="dataset.test_groups",
            received=f"{', '.join(sorted(both))}, also in dataset.val_groups",
            expected="different groups",
            remedy="Take them out of one of the two",
        )


def _check_enough(rest: list[lists.Item], open_splits: list[str]) -> None:
    count = len({item.group for item in rest})
    if count < len(open_splits):
        raise UserError(
            "too few groups for the splits",
            where="dataset.groups",
            received=f"{count} for {', '.join(open_splits)}",
            expected=f"at least {len(open_splits)}",
            remedy="Set the fractions of splits that are not wanted to 0 (dataset.fractions)",
        )


def _check_learnable(splits: dict[str, lists.Split], names: tuple[str, ...], root: object) -> None:
    """Refuses a train split that misses a class which another split has."""
    present = collections.Counter(
        label
        for item in splits.get("train", lists.Split("", (), "")).items
        for label in item.labels
    )
    missing = [name for label, name in enumerate(names) if not present[label]]
    if missing and "train" in splits:
        raise UserError(
            "classes have nothing to learn from: all their groups are in val or test",
            where=root,
            received=f"no train item of {', '.join(missing[:SHOWN])}",
            expected="items of every class in train",
            remedy="Choose other dataset.val_groups and dataset.test_groups, or other fractions",
        )
