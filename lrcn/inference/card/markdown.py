"""Words of strangers in Markdown, where they are shown and do nothing."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from lrcn.errors import visible


def code(text: object) -> str:
    """Returns text as a code span in one line, in which nothing is Markdown or HTML.

    Args:
        text: Of anybody.
    """
    told = visible(" ".join(str(text).split())).replace("`", "'")
    return f"`{told or ' '}`"


def block(text: str) -> list[str]:
    """Returns the lines of a block of code, in one line of text.

    Args:
        text: Of anybody.
    """
    return ["````", visible(" ".join(text.splitlines())).replace("````", "'"), "````"]


def table(head: Sequence[str], rows: Iterable[Sequence[object]]) -> list[str]:
    """Returns the lines of a table; a bar in a cell, in a code span too, ends none.

    Args:
        head: Of its columns.
        rows: What stands in them, words of strangers as `code`.
    """
    lines = [head, ["---"] * len(head), *rows]
    return [
        "| " + " | ".join(str(cell).replace("|", "\\|") for cell in row) + " |" for row in lines
    ]
