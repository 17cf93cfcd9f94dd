"""The table of faults in the README."""

from __future__ import annotations

import pathlib
from collections.abc import Sequence

from .registry import Fault, Subject

README = pathlib.Path(__file__).resolve().parent.parent.parent / "README.md"
COMMAND = "python scripts/fault_table.py"
BEGIN = f"<!-- fault table: made by `{COMMAND}` from tests/faults -->"
END = "<!-- end of the fault table -->"


def rendered(subjects: Sequence[Subject]) -> str:
    """Returns the table: a part to open for each subject, a row for each fault."""
    return "\n".join(map(_part, subjects))


def _part(subject: Subject) -> str:
    rows = [(fault.fault, _told(fault), f"{subject.name}-{fault.name}") for fault in subject.faults]
    rows += [(own.fault, own.outcome, own.test.removeprefix("tests/")) for own in subject.elsewhere]
    lines = [f"| {_cell(fault)} | {_cell(told)} | `{test}` |" for fault, told, test in rows]
    head = ["| fault | what happens | test |", "|---|---|---|"]
    summary = f"<summary>{subject.title}: {len(rows)}</summary>"
    return "\n".join(["<details>", summary, "", *head, *lines, "", "</details>", ""])


def _told(fault: Fault) -> str:
    by = "`lrcn check`: " if fault.told == "finding" else ""
    return f"{by}{fault.outcome} ({fault.code})"


def _cell(text: str) -> str:
    return text.replace("|", "\\|")


def replaced(text: str, table: str) -> str:
    """Returns the README with the table between its two marks.

    Raises:
        ValueError: A mark is missing.
    """
    before, begin, rest = text.partition(BEGIN)
    _, end, after = rest.partition(END)
    if not (begin and end):
        raise ValueError(f"README.md lacks {BEGIN if not begin else END}")
    return f"{before}{BEGIN}\n\n{table}\n{END}{after}"
