"""What the benchmarks share: a measure with its target, its table, and `lrcn` as a command."""

from __future__ import annotations

import dataclasses
import json
import os
import pathlib
import subprocess
import sys
import time
from collections.abc import Sequence


@dataclasses.dataclass(frozen=True)
class Measure:
    """One number with its target and what it was made from.

    Attributes:
        name: What was measured.
        value: The number.
        unit: "seconds", "share", or what was counted.
        target: The bound of the number.
        at_least: Whether the bound is a lower one.
        details: Numbers behind it.
    """

    name: str
    value: float
    unit: str
    target: float
    at_least: bool
    details: dict[str, float]

    @property
    def reached(self) -> bool:
        """Whether the number is on the right side of its target."""
        return self.value >= self.target if self.at_least else self.value <= self.target


def tell(measures: Sequence[Measure], file: pathlib.Path | None) -> int:
    """Prints measures as a table and as JSON, and returns 0, or 1 if a target was missed."""
    report = [{**dataclasses.asdict(measure), "reached": measure.reached} for measure in measures]
    print_table(measures)
    print(json.dumps(report))
    if file:
        file.write_text(json.dumps(report, indent=2) + "\n", encoding="utf-8")
    return 0 if all(measure.reached for measure in measures) else 1


def print_table(measures: Sequence[Measure]) -> None:
    """Prints a row a measure."""
    from rich import console, table

    report = table.Table()
    for column in ("measure", "value", "target", "", "from"):
        report.add_column(column, justify="right" if column in ("value", "target") else "left")
    for measure in measures:
        sign = ">=" if measure.at_least else "<="
        report.add_row(
            measure.name,
            f"{measure.value:.3f} {measure.unit}",
            f"{sign} {measure.target:g}",
            "reached" if measure.reached else "MISSED",
            ", ".join(f"{key} {value:g}" for key, value in measure.details.items()),
        )
    console.Console(width=None if sys.stdout.isatty() else 200).print(report)


def lrcn_command() -> list[str]:
    """Returns the installed command beside this Python, else the package of the checkout."""
    installed = pathlib.Path(sys.executable).parent / "lrcn"
    code = "import sys; from lrcn import cli; sys.exit(cli.main())"
    return [str(installed)] if installed.exists() else [sys.executable, "-c", code]


def run_lrcn(arguments: Sequence[str]) -> float:
    """Runs `lrcn` with the checkout's package and returns the seconds it took.

    Raises:
        RuntimeError: If it failed; holds what it wrote to stderr.
    """
    checkout = str(pathlib.Path(__file__).resolve().parent.parent)
    began = time.perf_counter()
    done = subprocess.run(
        [*lrcn_command(), *arguments],
        capture_output=True,
        text=True,
        env={**os.environ, "PYTHONPATH": checkout},
        check=False,
    )
    seconds = time.perf_counter() - began
    if done.returncode:
        raise RuntimeError(f"lrcn {' '.join(arguments)} failed:\n{done.stderr}")
    return seconds
