"""Looks for faults of lists, media, records and splits; finds all of them and changes nothing."""

from __future__ import annotations

import collections
import dataclasses
import hashlib
import os
import pathlib
from collections.abc import Iterable, Iterator, Mapping, Sequence

import rich.box
import rich.console
import rich.table
import rich.text

from lrcn import errors, files
from lrcn.data import catalog as catalog_lib
from lrcn.data import frames, images, ordered, progress, video
from lrcn.data import lists as list_files

_CHUNK = 1 << 20
_COLUMNS = ("where", "what", "received", "expected", "remedy")


@dataclasses.dataclass(frozen=True)
class Finding:
    """One fault: where it is, what is wrong, what was met and expected, and what mends it."""

    where: str
    what: str
    received: str = ""
    expected: str = ""
    remedy: str = ""

    @classmethod
    def of(cls, error: errors.UserError) -> Finding:
        """Returns the fault that an error tells."""
        values = (getattr(error, name) for name in _COLUMNS)
        return cls(*(_one_line(value) for value in values))

    def __str__(self) -> str:
        error = errors.UserError(
            self.what,
            where=self.where,
            received=self.received or None,
            expected=self.expected or None,
            remedy=self.remedy,
        )
        return str(error)


def _one_line(value: object) -> str:
    return "" if value is None else " ".join(str(value).split())


@dataclasses.dataclass(frozen=True)
class Seen:
    """What leakage between splits is judged by.

    Attributes:
        where: The item, for messages.
        path: Of its source, empty if unknown.
        digest: SHA-256 of its content, empty if it could not be read.
        group: Its group, or empty.
    """

    where: str
    path: str = ""
    digest: str = ""
    group: str = ""


def lists(
    input_files: str | os.PathLike | Sequence[str | os.PathLike],
    *,
    path_prepend_folder: str | os.PathLike | None = None,
    labels: str | os.PathLike | None = None,
    frame_format: str = "jpg",
) -> tuple[list[Finding], list_files.Catalog]:
    """Reads list files and returns what is wrong with any of their lines.

    Returns:
        The faults, and the catalog of the lines without any, to go on with.
    """
    findings, splits, parts = [], {}, []
    alone = isinstance(input_files, (str, os.PathLike))
    try:
        _ = labels and list_files.read_label_names(labels)
    except errors.UserError as error:
        findings.append(Finding.of(error))
        labels = None
    for file in [input_files] if alone else input_files:
        try:
            part = catalog_lib.lists(
                file,
                path_prepend_folder=path_prepend_folder,
                labels=labels,
                frame_format=frame_format,
                on_error="keep",
            )
        except errors.UserError as error:
            findings.append(Finding.of(error))
            continue
        parts.append(part)
        for split in part.splits.values():
            findings += [Finding.of(item.problem) for item in split.items if item.problem]
            good = tuple(item for item in split.items if not item.problem)
            name = split.name if split.name not in splits else split.source
            splits[name] = dataclasses.replace(split, name=name, items=good)
    return findings, list_files.Catalog(
        splits=splits,
        label_names=parts[0].label_names if parts else (),
        num_classes=max((part.num_classes for part in parts), default=0),
        multi_label=any(part.multi_label for part in parts),
    )


def media(
    catalog: list_files.Catalog, *, frame_format: str = "jpg", num_threads: int = 2
) -> list[Finding]:
    """Decodes every frame of every item, and looks for items that stand in two splits.

    Args:
        catalog: The data set; problems of its items are reported too.
        frame_format: Suffix of the frames in folders.
        num_threads: Threads that decode.
    """
    jobs = [(name, item) for name, split in catalog.splits.items() for item in split.items]
    findings: list[Finding] = []
    seen: dict[str, list[Seen]] = {name: [] for name in catalog.splits}
    looked_at = ordered.mapped(
        lambda job: _looked_at(job[1], frame_format),
        jobs,
        num_threads=num_threads,
        num_ahead=4 * num_threads,
        bytes_ahead=_CHUNK,
        size=lambda result: 0,
    )
    with progress.shown("check media", len(jobs)) as step:
        for (name, item), (problem, digest) in zip(jobs, looked_at, strict=True):
            findings += [problem] if problem else []
            path = str(pathlib.Path(item.path).resolve()) if item.load is None else item.path
            seen[name].append(Seen(_place(item), path if item.path else "", digest, item.group))
            step()
    return findings + leakage(seen)


def _place(item: list_files.Item) -> str:
    return item.where or item.path or item.id


def _looked_at(item: list_files.Item, frame_format: str) -> tuple[Finding | None, str]:
    """Returns what is wrong with an item, and the digest of its content if it can be read."""
    problem, digest = None, ""
    try:
        if item.problem:
            raise item.problem
        if item.kind == "frames":
            for file in frames.frame_files(item.path, frame_format):
                images.jpeg_from_file(file)
        elif item.kind == "video":
            video.count_frames(item)
        elif item.kind == "image":
            images.jpeg_from_file(item.path)
        digest = _digest(item, frame_format)
    except errors.UserError as error:
        problem = Finding.of(video.located(error, item))
    except OSError as error:
        problem = Finding(_place(item), "cannot be read", _one_line(error))
    return problem, digest


def _digest(item: list_files.Item, frame_format: str) -> str:
    """Returns the SHA-256 of an item's content, whatever its name."""
    digest = hashlib.sha256()
    if item.load is not None:
        for count, frame in enumerate(item.load(), start=1):
            _check_array(frame, count)
            digest.update(frame.tobytes())
        return digest.hexdigest()
    alone = item.kind != "frames"
    for file in [item.path] if alone else frames.frame_files(item.path, frame_format):
        for chunk in _chunks(pathlib.Path(file)):
            digest.update(chunk)
    return digest.hexdigest()


def _check_array(frame: object, number: int) -> None:
    shape, kind = getattr(frame, "shape", ()), getattr(frame, "dtype", type(frame).__name__)
    if str(kind) != "uint8" or len(shape) != 3 or shape[2] != 3:
        raise errors.UserError(
            f"frame {number} is no picture",
            received=f"{kind} {list(shape)}",
            expected="uint8 [height, width, 3]",
        )


def _chunks(file: pathlib.Path) -> Iterator[bytes]:
    with file.open("rb") as stream:
        while chunk := stream.read(_CHUNK):
            yield chunk


def leakage(seen: Mapping[str, Iterable[Seen]]) -> list[Finding]:
    """Finds what stands in two splits: a source, a content, or a group.

    Args:
        seen: The items of each split.

    Returns:
        One fault for each item that a later split shares with an earlier one, and one for each
        shared group of otherwise different items.
    """
    findings: list[Finding] = []
    first: dict[tuple[str, str], tuple[str, Seen]] = {}
    groups: dict[str, dict[str, list[Seen]]] = collections.defaultdict(dict)
    for split, items in seen.items():
        for item in items:
            facts = [("file", item.path), ("content", item.digest)]
            facts = [fact for fact in facts if fact[1]]
            shared = [(fact[0], *first[fact]) for fact in facts if fact in first]
            elsewhere = [found for found in shared if found[1] != split]
            if elsewhere:
                findings.append(_leaked(split, item, *elsewhere[0]))
            elif item.group:
                groups[item.group].setdefault(split, []).append(item)
            for fact in facts:
                first.setdefault(fact, (split, item))
    return findings + [_parted(name, by) for name, by in groups.items() if len(by) > 1]


def _leaked(split: str, item: Seen, fact: str, other_split: str, other: Seen) -> Finding:
    return Finding(
        where=item.where,
        what=f"same {fact} in two splits",
        received=f"{split}, and {other_split} ({other.where})",
        expected="each item in one split",
        remedy="Take it out of one of them, or the numbers on it mean nothing",
    )


def _parted(group: str, by_split: dict[str, list[Seen]]) -> Finding:
    (first, *_), *_ = by_split.values()
    counts = [f"{split} ({len(items)} items)" for split, items in by_split.items()]
    return Finding(
        where=first.where,
        what="one group in several splits",
        received=f"group {group} in {', '.join(counts)}",
        expected="each group in one split",
        remedy="Split by groups (dataset.groups, dataset.val_groups, dataset.test_groups)",
    )


def show(findings: Sequence[Finding], console: rich.console.Console) -> None:
    """Prints findings: a table on a terminal, elsewhere one whole line each.

    Args:
        findings: What was found.
        console: Of the standard output.
    """
    if not console.is_terminal:
        for finding in findings:
            console.print(rich.text.Text(str(finding)), soft_wrap=True)
        return
    table = rich.table.Table(box=rich.box.SIMPLE, title=f"{len(findings)} findings")
    for column in _COLUMNS:
        table.add_column(column, overflow="fold")
    for finding in findings:
        table.add_row(*(rich.text.Text(getattr(finding, column)) for column in _COLUMNS))
    console.print(table)


def write_report(findings: Sequence[Finding], file: str | os.PathLike) -> None:
    """Writes findings as JSON: their number and each with its parts."""
    found = [dataclasses.asdict(finding) for finding in findings]
    files.write_json(file, {"count": len(found), "findings": found})
