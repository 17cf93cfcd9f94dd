"""UCF101 by its official lists: any of the three splits, all classes or some of them."""

from __future__ import annotations

import difflib
import os
import pathlib
import re
from collections.abc import Sequence

from lrcn.data import lines, lists
from lrcn.data.limits import Limits
from lrcn.errors import UserError

SHOWN = 5
SHOWN_CLASSES = 12
_GROUP = re.compile(r"_(g\d+)_c\d+$")


def ucf101(
    videos: str | os.PathLike,
    list_folder: str | os.PathLike,
    *,
    split: int = 1,
    classes: Sequence[str] | None = None,
    val_groups: int = 4,
    limits: Limits = Limits(),
) -> lists.Catalog:
    """Reads UCF101; videos are found by their stems, whatever their format and folder.

    The last `val_groups` groups of each class of the training list become `val`. A group holds the
    videos cut from one recording, so a split that parts groups reports false accuracies.

    Args:
        videos: Folder that holds the videos (or folders of their frames) anywhere below it.
        list_folder: The official folder of `classInd.txt`, `trainlist01.txt` and so on.
        split: 1, 2 or 3.
        classes: Names to restrict the set to; labels follow the order of `classInd.txt` within
            them.
        val_groups: Number of groups held out of the training list; 0 gives no `val`.
        limits: Bound the lists and their lines.

    Raises:
        UserError: A list or a video is missing, or a class is unknown or not on disk.
    """
    if split not in (1, 2, 3):
        raise UserError(
            "no such split",
            where="dataset.split",
            received=split,
            expected="1, 2 or 3",
            remedy="Set dataset.split=1, or another of the official splits",
        )
    list_folder = pathlib.Path(list_folder)
    names = _chosen(class_names(list_folder / "classInd.txt", limits=limits), classes)
    roles = {role: list_folder / f"{role}list{split:02d}.txt" for role in ("train", "test")}
    listed = {role: _read(file, names, limits) for role, file in roles.items()}
    _locate(pathlib.Path(videos), listed, names, all_classes=classes is None)
    train, val = _held_out(listed["train"], val_groups)
    members = {"train": train, "val": val, "test": listed["test"]}
    restricted = f" classes={','.join(names)}" if classes is not None else ""
    splits = {
        name: lists.Split(
            name,
            tuple(entry.item(names) for entry in entries),
            f"ucf101 {roles['test' if name == 'test' else 'train']} val_groups={val_groups}"
            f"{restricted} split={name}",
        )
        for name, entries in members.items()
        if entries
    }
    return lists.Catalog(splits, names, len(names), multi_label=False)


class _Entry:
    """A line of a train or test list, and where its video was found."""

    def __init__(self, line: str, where: str):
        self.where = where
        path = pathlib.PurePosixPath(line.split()[0])
        self.class_name, self.stem = path.parent.name, path.stem
        match = _GROUP.search(self.stem)
        if not match or not self.class_name:
            raise UserError(
                "no line of a UCF101 list",
                where=where,
                received=line,
                expected="Class/v_Class_g01_c01.avi, in training lists with the label after it",
                remedy="Restore the official list, or use dataset=lists for lists of your own",
            )
        self.group = match.group(1)
        self.found: tuple[pathlib.Path, str] | None = None

    def item(self, names: tuple[str, ...]) -> lists.Item:
        path, kind = self.found
        return lists.Item(
            id=f"{self.class_name}/{self.stem}",
            path=str(path.absolute()),
            kind=kind,
            labels=(names.index(self.class_name),),
            where=self.where,
            group=f"{self.class_name}/{self.group}",
        )


def class_names(file: str | os.PathLike, *, limits: Limits = Limits()) -> tuple[str, ...]:
    """Reads `classInd.txt` (`1 ApplyEyeMakeup` a line) in its order.

    Args:
        file: The file.
        limits: Bound it and its lines.

    Raises:
        UserError: If it is missing or a line is not as it should be.
    """
    names = []
    for where, line in _lines(pathlib.Path(file), limits):
        fields = line.split()
        if len(fields) != 2 or fields[0] != str(len(names) + 1) or fields[1] in names:
            raise UserError(
                "no line of classInd.txt",
                where=where,
                received=line,
                expected=f"'{len(names) + 1} ClassName', each name once",
                remedy="Restore the official classInd.txt",
            )
        names.append(fields[1])
    return tuple(names)


def _lines(file: pathlib.Path, limits: Limits) -> list[tuple[str, str]]:
    """Returns `(file:line, text)` of the lines that are not blank."""
    known = "classInd.txt, trainlist01.txt, testlist01.txt, ..."
    named = {"what": "official list", "expected": known, "key": "dataset.lists"}
    read = lines.read(file, **named, limits=limits)
    return [(where, line.strip()) for where, line in read if line.strip()]


def _chosen(known: tuple[str, ...], classes: Sequence[str] | None) -> tuple[str, ...]:
    """Returns the wanted classes in the order of `known`."""
    if classes is None:
        return known
    if not classes or isinstance(classes, str):
        raise UserError(
            "no list of classes",
            where="dataset.classes",
            received=repr(classes),
            expected="[Name,Name,...], or null for all",
            remedy="Set dataset.classes=[Lunges,JumpingJack], for example",
        )
    for name in classes:
        if name not in known:
            near = difflib.get_close_matches(str(name), known, n=3, cutoff=0.5)
            folded = [other for other in known if other.lower() == str(name).lower()]
            shown = ", ".join(folded or near or known[:3])
            raise UserError(
                "unknown class",
                where="dataset.classes",
                received=name,
                expected=f"a class of classInd.txt, such as {shown}",
                remedy="Correct or remove the name in dataset.classes",
            )
    return tuple(name for name in known if name in classes)


def _read(file: pathlib.Path, names: tuple[str, ...], limits: Limits) -> list[_Entry]:
    entries = [_Entry(line, where) for where, line in _lines(file, limits)]
    return [entry for entry in entries if entry.class_name in names]


def _locate(
    videos: pathlib.Path,
    listed: dict[str, list[_Entry]],
    names: tuple[str, ...],
    *,
    all_classes: bool,
) -> None:
    """Finds the video of every entry, or tells which are missing."""
    entries = [entry for role in listed.values() for entry in role]
    on_disk = _by_stem(videos, {entry.stem for entry in entries})
    for entry in entries:
        entry.found = on_disk.get(entry.stem)
    present = [name for name in names if any(e.found for e in entries if e.class_name == name)]
    absent = [name for name in names if name not in present]
    if absent:
        raise _absent_classes(videos, absent, present, all_classes=all_classes)
    missing = [entry for entry in entries if not entry.found]
    if missing:
        shown = ", ".join(entry.stem for entry in missing[:SHOWN])
        raise UserError(
            f"{len(missing)} of {len(entries)} listed videos are missing",
            where=missing[0].where,
            received=shown + (", ..." if len(missing) > SHOWN else ""),
            expected=f"a file or folder of each stem below {videos}",
            remedy="Complete the videos, or leave their classes out with dataset.classes=[...]",
        )


def _absent_classes(
    videos: pathlib.Path, absent: list[str], present: list[str], *, all_classes: bool
) -> UserError:
    remedy = "Correct dataset.videos"
    if present:
        remedy = f"Set dataset.classes=[{','.join(present)}]"
    shown = ", ".join(absent[:SHOWN_CLASSES]) + (", ..." if len(absent) > SHOWN_CLASSES else "")
    return UserError(
        f"{len(absent)} of {len(absent) + len(present)} classes have no video below {videos}",
        where="dataset.videos" if all_classes else "dataset.classes",
        received=f"nothing of {shown}",
        expected="the videos of all classes" + (" of classInd.txt" if all_classes else ""),
        remedy=remedy,
    )


def _by_stem(videos: pathlib.Path, stems: set[str]) -> dict[str, tuple[pathlib.Path, str]]:
    """Finds videos, or folders of frames, that are named by one of `stems`.

    Raises:
        UserError: If there is no such folder, or two videos have one stem.
    """
    if not videos.is_dir():
        raise UserError(
            "no such folder",
            where="dataset.videos",
            received=videos,
            expected="a folder of videos",
            remedy="Correct dataset.videos; it is relative to the working directory",
        )
    found: dict[str, tuple[pathlib.Path, str]] = {}
    for folder, subfolders, names in os.walk(videos):
        subfolders.sort()
        candidates = [(name, "frames") for name in subfolders if name in stems]
        candidates += [(name, "video") for name in sorted(names) if _is_listed_video(name, stems)]
        for name, kind in candidates:
            path, stem = pathlib.Path(folder, name), pathlib.PurePath(name).stem
            if stem in found:
                raise UserError(
                    "two videos of one name",
                    where=path,
                    received=f"also {found[stem][0]}",
                    expected="each video once",
                    remedy="Set dataset.videos to a folder that holds one of them",
                )
            found[stem] = (path, kind)
    return found


def _is_listed_video(name: str, stems: set[str]) -> bool:
    path = pathlib.PurePath(name)
    return path.stem in stems and path.suffix.lower().lstrip(".") in lists.VIDEO_SUFFIXES


def _held_out(train: list[_Entry], val_groups: int) -> tuple[list[_Entry], list[_Entry]]:
    """Parts the training list: the last groups of each class are for choosing."""
    if isinstance(val_groups, bool) or not isinstance(val_groups, int) or val_groups < 0:
        raise UserError(
            "no number of groups",
            where="dataset.val_groups",
            received=repr(val_groups),
            expected="an integer from 0",
            remedy="Set dataset.val_groups=4, for example",
        )
    groups: dict[str, set[str]] = {}
    for entry in train:
        groups.setdefault(entry.class_name, set()).add(entry.group)
    held = set()
    for name, numbers in groups.items():
        ordered = sorted(numbers, key=lists.natural_key)
        if val_groups >= len(ordered):
            raise UserError(
                "no group is left to learn from",
                where="dataset.val_groups",
                received=val_groups,
                expected=f"less than {len(ordered)}, the groups of {name} in the training list",
                remedy="Lower dataset.val_groups",
            )
        held |= {(name, group) for group in ordered[len(ordered) - val_groups :]}
    val = [entry for entry in train if (entry.class_name, entry.group) in held]
    return [entry for entry in train if (entry.class_name, entry.group) not in held], val
