"""MSVD (YouTube2Text): clips with many captions each, from JSON or from lists of sentences."""

from __future__ import annotations

import os
import pathlib
import re
from collections.abc import Mapping

from lrcn import errors
from lrcn.data import bounded, captioned, grouping, lines, lists
from lrcn.data.limits import Limits

_CLIP = re.compile(r"_\d+_\d+$")
_ORIGIN = captioned.Origin("dataset.videos", "dataset.captions")
_EXPECTED = '[{"file": "NAME.mp4", "split": "train", "captions": ["a man runs", ...]}, ...]'
_MAPPING_LINE = "NAME vidN, or vidN NAME"


def msvd(
    videos: str | os.PathLike,
    captions: str | os.PathLike | Mapping[str, str | os.PathLike],
    *,
    mapping: str | os.PathLike | None = None,
    on_error: str = "stop",
    limits: Limits = Limits(),
) -> lists.Catalog:
    """Reads clips with their captions; clips of one YouTube video are one group.

    Args:
        videos: Folder of the videos.
        captions: JSON, a list of `file`, `split` and `captions`; or for each split a file with
            lines `vidN<TAB>sentence`, which need a mapping.
        mapping: File with a line `NAME vidN` for each video; a name needs no suffix.
        on_error: See `captioned.catalog`.
        limits: Bound the files, their lines and captions.

    Raises:
        UserError: A file is not as it should be, or as `on_error` tells.
    """
    folder = captioned.check_folder(videos, "dataset.videos")
    if isinstance(captions, Mapping):
        captioned.check_splits(captions, "dataset.captions", "'dataset.captions={train: FILE}'")
        names = _read_mapping(mapping, limits)
        files = _files_by_stem(folder)
        splits = {
            split: _from_sentences(file, names, files, folder, limits)
            for split, file in captions.items()
        }
        sources = {split: f"msvd {file} mapping={mapping}" for split, file in captions.items()}
    elif mapping is not None:
        raise errors.UserError(
            "the JSON of captions needs no mapping",
            where="dataset.mapping",
            received=f"{mapping} with dataset.captions={captions}",
            expected="null, or a file of sentences a split",
            remedy="Leave dataset.mapping out, or set 'dataset.captions={train: FILE, val: FILE}'",
        )
    else:
        splits = _from_json(captions, folder, limits)
        sources = {split: f"msvd {captions} split={split}" for split in splits}
    return captioned.catalog(splits, sources, _ORIGIN, on_error=on_error, limits=limits)


def group_of(name: str) -> str:
    """Returns the YouTube id in the name of a clip: what stands before its two times."""
    return _CLIP.sub("", pathlib.PurePath(name).stem)


def _from_json(
    file: str | os.PathLike, folder: pathlib.Path, limits: Limits
) -> dict[str, list[captioned.Entry]]:
    listed = captioned.read_json(file, _EXPECTED, limits=limits)
    if not isinstance(listed, list) or not listed:
        raise _misfit(str(file), listed)
    splits: dict[str, list[captioned.Entry]] = {}
    for number, clip in enumerate(listed):
        where = f"{file}: [{number}]"
        if not isinstance(clip, dict):
            raise _misfit(where, clip)
        name, split, texts = (clip.get(key) for key in ("file", "split", "captions"))
        if not isinstance(name, str) or not name:
            raise _misfit(f"{where}.file", name)
        if split not in grouping.SPLITS:
            raise _misfit(f"{where}.split", split)
        if not isinstance(texts, list) or not all(isinstance(text, str) for text in texts):
            raise _misfit(f"{where}.captions", texts)
        places = [(f"{where}.captions[{i}]", text) for i, text in enumerate(texts)]
        entry = _entry(name, folder, f"{where}.file")
        entry.captions = places
        splits.setdefault(split, []).append(entry)
    return splits


def _entry(name: str, folder: pathlib.Path, where: str) -> captioned.Entry:
    """Returns a clip, with `problem` set if its name is none of this folder."""
    try:
        path = captioned.inside(folder, name, where=where, key=_ORIGIN.files)
        return captioned.Entry(name, path, where, group=group_of(name))
    except errors.UserError as problem:
        return captioned.Entry(name, "", where, problem=problem)


def _misfit(where: str, received: object) -> errors.UserError:
    return errors.UserError(
        "no captions of clips",
        where=where,
        received="nothing" if received is None else bounded.shown(received),
        expected=f"{_EXPECTED} with a split of {', '.join(grouping.SPLITS)}",
        remedy="Correct the file, or give another one as dataset.captions",
    )


def _from_sentences(
    file: str | os.PathLike,
    names: Mapping[str, str],
    files: Mapping[str, pathlib.Path],
    folder: pathlib.Path,
    limits: Limits,
) -> list[captioned.Entry]:
    entries: dict[str, captioned.Entry] = {}
    for where, number, sentence in captioned.tabbed(file, limits=limits):
        if number not in entries:
            name = names.get(number, number)
            entry = _entry(name, folder, where)
            if not entry.problem:
                path = pathlib.Path(entry.path)
                found = os.path.isfile(path)
                path = path if found else files.get(pathlib.PurePath(name).stem, path)
                entry.id, entry.path = path.name, path
            entry.problem = entry.problem if number in names else _unmapped(where, number)
            entries[number] = entry
        entries[number].captions.append((where, sentence))
    return list(entries.values())


def _unmapped(where: str, number: str) -> errors.UserError:
    return errors.UserError(
        "video without a name",
        where=where,
        received=number,
        expected="a number that dataset.mapping tells the name of",
        remedy="Add it to the mapping, or remove its lines",
    )


def _read_mapping(mapping: str | os.PathLike | None, limits: Limits) -> dict[str, str]:
    """Returns the name of each vidN."""
    if mapping is None:
        raise errors.UserError(
            "sentences tell numbers, not names",
            where="dataset.mapping",
            received="null",
            expected=f"a file with lines {_MAPPING_LINE}",
            remedy="Set dataset.mapping=FILE, or give captions as JSON",
        )
    names: dict[str, str] = {}
    for where, line in lines.filled(mapping, limits=limits):
        fields = line.split()
        if len(fields) == 2 and not re.fullmatch(r"vid\d+", fields[1]):
            fields.reverse()
        if len(fields) != 2 or not re.fullmatch(r"vid\d+", fields[1]) or fields[1] in names:
            raise errors.UserError(
                "no line of a mapping",
                where=where,
                received=repr(line[:60]),
                expected=f"{_MAPPING_LINE}, each number once",
                remedy="Correct or remove the line",
            )
        names[fields[1]] = fields[0]
    return names


def _files_by_stem(folder: pathlib.Path) -> dict[str, pathlib.Path]:
    """Returns the videos of a folder by their names without suffix, the first by alphabet."""
    suffixes = {f".{suffix}" for suffix in lists.VIDEO_SUFFIXES}
    found = (path for path in sorted(folder.iterdir()) if path.suffix.lower() in suffixes)
    by_stem: dict[str, pathlib.Path] = {}
    for path in found:
        by_stem.setdefault(path.stem, path)
    return by_stem
