"""The final table of `serialize`."""

from __future__ import annotations

import io
from collections.abc import Sequence

import rich.box
import rich.console
import rich.table

from lrcn.data import serialize

_UNBOUNDED = 100_000


def render(reports: Sequence[serialize.Report], *, width: int | None = None) -> str:
    """Returns the table of what was stored and a line for every item that was skipped.

    Args:
        reports: What was stored.
        width: Columns of the terminal; None neither wraps nor shortens anything.
    """
    table = rich.table.Table(box=rich.box.SIMPLE_HEAD, pad_edge=False)
    table.add_column("records", no_wrap=width is None)
    for name in ("items", "clips", "frames", "bytes", "skipped"):
        table.add_column(name, justify="right", no_wrap=True)
    table.add_column("", no_wrap=True)
    for report in reports:
        counts = (report.items, report.clips, report.frames, report.bytes, len(report.skipped))
        note = "there already" if report.reused else ""
        table.add_row(str(report.path), *(f"{count:,}" for count in counts), note)
    text = io.StringIO()
    console = rich.console.Console(
        file=text, width=width or _UNBOUNDED, color_system=None, highlight=False, markup=False
    )
    console.print(table)
    lines = [line.rstrip() for line in text.getvalue().splitlines() if line.strip()]
    for report in reports:
        lines += [f"skipped {item} of {report.name}: {why}" for item, why in report.skipped]
    return "\n".join(lines) + "\n"
