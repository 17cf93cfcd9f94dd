"""What the parts share: a measure with its target, its table, sizes, and `lrcn` as a command."""

from __future__ import annotations

import dataclasses
import importlib
import json
import os
import pathlib
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from typing import TypeVar

CHECKOUT = pathlib.Path(__file__).resolve().parent.parent.parent
Value = TypeVar("Value")


@dataclasses.dataclass(frozen=True)
class Size:
    """How much is measured.

    Attributes:
        tiny: Whether it only shows that everything runs.
        rounds: How often each contestant has its turn; medians count.
    """

    tiny: bool = False
    rounds: int = 3

    def of(self, usual: Value, tiny: Value) -> Value:
        """Returns the usual or the tiny value."""
        return tiny if self.tiny else usual


@dataclasses.dataclass(frozen=True)
class Measure:
    """One number with its target and what it was made from.

    Attributes:
        name: What was measured.
        value: The number.
        unit: "seconds", "share", or what was counted.
        target: The bound of the number, or None if it is only told.
        at_least: Whether the bound is a lower one.
        details: Numbers behind it.
    """

    name: str
    value: float
    unit: str
    target: float | None
    at_least: bool
    details: dict[str, float]

    @property
    def reached(self) -> bool:
        """Whether the number is on the right side of its target."""
        if self.target is None:
            return True
        return self.value >= self.target if self.at_least else self.value <= self.target

    @property
    def of_target(self) -> float | None:
        """How the number compares with its target: 1 or more is reached; None without one."""
        if not self.target or self.value <= 0:
            return None
        return self.value / self.target if self.at_least else self.target / self.value


def tell(measures: Sequence[Measure], file: pathlib.Path | None) -> int:
    """Prints measures as a table and as JSON, and returns 0, or 1 if a target was missed."""
    report = [
        {**dataclasses.asdict(measure), "of_target": measure.of_target, "reached": measure.reached}
        for measure in measures
    ]
    print_table(measures)
    print(json.dumps(report))
    if file:
        file.write_text(json.dumps(report, indent=2) + "\n", encoding="utf-8")
    return 0 if all(measure.reached for measure in measures) else 1


def print_table(measures: Sequence[Measure]) -> None:
    """Prints a row a measure."""
    from rich import console, table

    report = table.Table()
    for column in ("measure", "value", "target", "of target", "", "from"):
        right = column in ("value", "target", "of target")
        report.add_column(column, justify="right" if right else "left")
    for measure in measures:
        sign = ">=" if measure.at_least else "<="
        is_judged, ratio = measure.target is not None, measure.of_target
        report.add_row(
            measure.name,
            f"{measure.value:.4g} {measure.unit}",
            f"{sign} {measure.target:g}" if is_judged else "",
            "" if ratio is None else f"{ratio:.2f}",
            ("reached" if measure.reached else "MISSED") if is_judged else "",
            ", ".join(f"{key} {value:g}" for key, value in measure.details.items()),
        )
    # Off a terminal nothing is wrapped.
    console.Console(width=None if sys.stdout.isatty() else 1000).print(report)


def require(module: str) -> None:
    """Ends the program if a package that only benchmarks need is not installed."""
    try:
        importlib.import_module(module)
    except ImportError as error:
        raise SystemExit(
            f"this is measured with {module}, which is not installed. "
            "Expected: pip install 'lrcn[bench]'"
        ) from error


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
    began = time.perf_counter()
    peak_of_lrcn(arguments)
    return time.perf_counter() - began


def peak_of_lrcn(arguments: Sequence[str]) -> float:
    """Runs `lrcn` with the checkout's package and returns the most bytes it had in memory.

    Raises:
        RuntimeError: If it failed; holds what it wrote to stderr.
    """
    with tempfile.TemporaryFile("w+") as said:
        command = subprocess.Popen(
            [*lrcn_command(), *arguments],
            stdout=subprocess.DEVNULL,
            stderr=said,
            env={**os.environ, "PYTHONPATH": str(CHECKOUT)},
        )
        _, status, used = os.wait4(command.pid, 0)
        command.returncode = os.waitstatus_to_exitcode(status)
        if command.returncode:
            said.seek(0)
            raise RuntimeError(f"lrcn {' '.join(arguments)} failed:\n{said.read()}")
    return used.ru_maxrss * (1 if sys.platform == "darwin" else 2**10)
