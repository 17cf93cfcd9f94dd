"""Looks for faults of lists, media, records and splits; finds all of them and changes nothing."""

from __future__ import annotations

import dataclasses
import hashlib
import os
import pathlib
from collections.abc import Iterator, Sequence

from lrcn import errors
from lrcn.data import catalog as catalog_lib
from lrcn.data import check_records, findings, frames, images, ordered, progress, sources, video
from lrcn.data import lists as list_files
from lrcn.data import modality as modality_lib
from lrcn.data.limits import Limits

_CHUNK = 1 << 20
_LONGEST_REASON = 300  # characters
_RGB = modality_lib.Modality()

Finding = findings.Finding
records = check_records.records
show = findings.show
write_report = findings.write_report


def lists(
    input_files: str | os.PathLike | Sequence[str | os.PathLike],
    *,
    path_prepend_folder: str | os.PathLike | None = None,
    labels: str | os.PathLike | None = None,
    frame_format: str = "jpg",
    vocabulary: str | os.PathLike | None = None,
    limits: Limits = Limits(),
) -> tuple[list[findings.Finding], list_files.Catalog]:
    """Reads list files and returns what is wrong with any of their lines.

    Args:
        input_files: One list or several.
        path_prepend_folder: Folder of relative paths, by default each list's own.
        labels: File of class names, one a line.
        frame_format: Suffix of the frames in folders.
        vocabulary: See `catalog.lists`.
        limits: Bound the files, their lines and captions.

    Returns:
        The faults, and the catalog of the lines without any, to go on with.
    """
    found, splits, parts = [], {}, []
    alone = isinstance(input_files, (str, os.PathLike))
    try:
        if labels:
            list_files.read_label_names(labels, limits=limits)
    except errors.UserError as error:
        found.append(findings.Finding.of(error))
        labels = None
    for file in [input_files] if alone else input_files:
        try:
            part = catalog_lib.lists(
                file,
                path_prepend_folder=path_prepend_folder,
                labels=labels,
                frame_format=frame_format,
                vocabulary=vocabulary,
                on_error="keep",
                limits=limits,
            )
        except errors.UserError as error:
            found.append(findings.Finding.of(error))
            continue
        parts.append(part)
        for split in part.splits.values():
            found += [findings.Finding.of(item.problem) for item in split.items if item.problem]
            good = tuple(item for item in split.items if not item.problem)
            name = split.name
            if name in splits:
                name = split.source
                found.append(_one_name(split, splits[split.name]))
            splits[name] = dataclasses.replace(split, name=name, items=good)
    return found, list_files.Catalog(
        splits=splits,
        label_names=parts[0].label_names if parts else (),
        num_classes=max((part.num_classes for part in parts), default=0),
        multi_label=any(part.multi_label for part in parts),
    )


def _one_name(split: list_files.Split, other: list_files.Split) -> findings.Finding:
    return findings.Finding(
        where="dataset.input_files",
        what="two lists of one name",
        received=f"{other.source} and {split.source}",
        expected="lists of different names, since records are named after them",
        remedy="Rename one, or serialize them into different folders",
    )


def media(
    catalog: list_files.Catalog,
    *,
    frame_format: str = "jpg",
    num_threads: int = 2,
    modality: modality_lib.Modality = _RGB,
    limits: Limits = Limits(),
) -> list[findings.Finding]:
    """Reads every item as if to store it, and looks for items that stand in two splits.

    Args:
        catalog: The data set; problems of its items are reported too.
        frame_format: Suffix of the frames in folders.
        num_threads: Threads that decode.
        modality: What frames are to be stored as: motion needs two of them.
        limits: The most that a source may ask for.
    """
    jobs = [(name, item) for name, split in catalog.splits.items() for item in split.items]
    found: list[findings.Finding] = []
    seen: dict[str, list[findings.Seen]] = {name: [] for name in catalog.splits}
    looked_at = ordered.mapped(
        lambda job: _looked_at(job[1], frame_format, modality, limits),
        jobs,
        num_threads=num_threads,
        num_ahead=4 * num_threads,
        bytes_ahead=_CHUNK,
        size=lambda result: 0,
    )
    with progress.shown("check media", len(jobs)) as step:
        for (name, item), (problem, digest) in zip(jobs, looked_at, strict=True):
            found += [problem] if problem else []
            path = str(pathlib.Path(item.path).resolve()) if item.load is None else item.path
            labels = tuple(item.labels)
            seen[name].append(
                findings.Seen(_place(item), path if item.path else "", digest, item.group, labels)
            )
            step()
    return found + findings.leakage(seen) + findings.contradictions(seen)


def _place(item: list_files.Item) -> str:
    return item.where or item.path or item.id


def _looked_at(
    item: list_files.Item, frame_format: str, modality: modality_lib.Modality, limits: Limits
) -> tuple[findings.Finding | None, str]:
    """Returns what is wrong with an item, and the digest of its content if it can be read."""
    problem, digest = None, ""
    try:
        if item.problem:
            raise item.problem
        count = None  # of what is generated nothing is read
        with sources.unchanged(item, frame_format):
            if item.kind == "frames":
                files = frames.frame_files(item.path, frame_format, limits=limits)
                for file in files:
                    images.jpeg_from_file(file, limits=limits)
                count = len(files)
            elif item.kind == "video":
                count = video.count_frames(item, limits=limits)
            elif item.kind == "image":
                images.jpeg_from_file(item.path, limits=limits)
                count = 1
            digest = _digest(item, frame_format)
        if modality.is_of_pairs and count is not None:
            modality_lib.refuse_single(count, item.path)
    except errors.UserError as error:
        problem = findings.Finding.of(video.located(error, item))
    except OSError as error:
        problem = findings.Finding.of(video.unreadable(error, item))
    except Exception as error:  # noqa: BLE001 - the other items are looked at all the same
        problem = _undecodable(item, error)
    return problem, digest


def _undecodable(item: list_files.Item, error: Exception) -> findings.Finding:
    return findings.Finding(
        where=_place(item),
        what="cannot be decoded, in a way that nobody has met before",
        received=f"{type(error).__name__}: {errors.shown(error)}"[:_LONGEST_REASON],
        expected="an image, a video or a folder of frames",
        remedy="Replace the file or leave it out, and tell the makers of lrcn of it",
    )


def _digest(item: list_files.Item, frame_format: str) -> str:
    """Returns the SHA-256 of an item's content, whatever its name."""
    digest = hashlib.sha256()
    if item.load is not None:
        for count, frame in enumerate(item.load(), start=1):
            _check_array(frame, count, item)
            digest.update(frame.tobytes())
        return digest.hexdigest()
    alone = item.kind != "frames"
    for file in [item.path] if alone else frames.frame_files(item.path, frame_format):
        for chunk in _chunks(pathlib.Path(file)):
            digest.update(chunk)
    return digest.hexdigest()


def _check_array(frame: object, number: int, item: list_files.Item) -> None:
    shape, kind = getattr(frame, "shape", ()), getattr(frame, "dtype", type(frame).__name__)
    if str(kind) != "uint8" or len(shape) != 3 or shape[2] != 3:
        raise errors.UserError(
            f"frame {number} is no picture",
            where=item.path,
            received=f"{kind} {list(shape)}",
            expected="uint8 [height, width, 3]",
            remedy="Let the item's load yield frames of this type and shape",
        )


def _chunks(file: pathlib.Path) -> Iterator[bytes]:
    with file.open("rb") as stream:
        while chunk := stream.read(_CHUNK):
            yield chunk
