"""What a check finds: one fault a line, shared items of splits, the table and the report."""

from __future__ import annotations

import collections
import dataclasses
import logging
import os
from collections.abc import Iterable, Mapping, Sequence

import rich.box
import rich.console
import rich.table
import rich.text

from lrcn import errors, files

log = logging.getLogger(__name__)

_COLUMNS = ("where", "what", "received", "expected", "remedy")


@dataclasses.dataclass(frozen=True)
class Finding:
    """One fault: where it is, what is wrong, what was met and expected, and what mends it."""

    where: str
    what: str
    received: str
    expected: str
    remedy: str

    @classmethod
    def of(cls, error: errors.UserError) -> Finding:
        """Returns the fault that an error tells."""
        values = (getattr(error, name) for name in _COLUMNS)
        return cls(*map(errors.shown, values))

    def __str__(self) -> str:
        error = errors.UserError(
            self.what,
            where=self.where,
            received=self.received,
            expected=self.expected,
            remedy=self.remedy,
        )
        return str(error)


@dataclasses.dataclass(frozen=True)
class Seen:
    """What leakage between splits is judged by.

    Attributes:
        where: The item, for messages.
        path: Of its source, empty if unknown.
        digest: SHA-256 of its content, empty if it could not be read.
        group: Its group, or empty.
        labels: Its class numbers.
    """

    where: str
    path: str = ""
    digest: str = ""
    group: str = ""
    labels: tuple[int, ...] = ()


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


def contradictions(seen: Mapping[str, Iterable[Seen]]) -> list[Finding]:
    """Finds items of one split with the same content and other labels.

    The same content twice with the same labels weighs twice and is no fault; it is logged.

    Args:
        seen: The items of each split.
    """
    found: list[Finding] = []
    for split, items in seen.items():
        first: dict[str, Seen] = {}
        alike: list[tuple[Seen, Seen]] = []
        for item in items:
            other = first.setdefault(item.digest, item) if item.digest else item
            if other is not item and sorted(other.labels) != sorted(item.labels):
                found.append(_contradicted(split, item, other))
            elif other is not item:
                alike.append((item, other))
        if alike:
            log.info(
                "check: %d items of %s have the content of another one, such as %s and %s",
                *(len(alike), split, alike[0][0].where, alike[0][1].where),
            )
    return found


def _contradicted(split: str, item: Seen, other: Seen) -> Finding:
    def told(labels: Sequence[int]) -> str:
        return " ".join(map(str, labels)) or "none"

    return Finding(
        where=item.where,
        what="same content as another item, with other labels",
        received=f"labels {told(item.labels)} in {split}",
        expected=f"labels {told(other.labels)}, as {other.where}",
        remedy="Take one of them out, or correct its labels",
    )


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
    table = rich.table.Table(box=rich.box.SIMPLE, title=f"findings: {len(findings)}")
    for column in _COLUMNS:
        table.add_column(column, overflow="fold")
    for finding in findings:
        table.add_row(*(rich.text.Text(getattr(finding, column)) for column in _COLUMNS))
    console.print(table)


def write_report(findings: Sequence[Finding], file: str | os.PathLike) -> None:
    """Writes findings as JSON: their number and each with its parts."""
    found = [dataclasses.asdict(finding) for finding in findings]
    files.write_json(file, {"count": len(found), "findings": found})
