"""Contestants that take turns: each a process of its own, all idle but the one whose turn it is.

Whatever else the machine is busy with then meets all of them alike, and no library's threads or
settings reach another's. A contestant is made by a function of plain values that returns what a
turn does; a turn returns the numbers that were measured in it.

    python -m benchmarks.turns MODULE:FUNCTION '{"clips": 8}'    the side of a contestant
"""

from __future__ import annotations

import contextlib
import importlib
import json
import os
import pathlib
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence

SCRIPTS = pathlib.Path(__file__).resolve().parent.parent
Turn = Callable[[], dict[str, float]]


class Contestant:
    """A process that does a turn when it is told to.

    Args:
        make: Where its function is, as `module:function` in `benchmarks`.
        values: Plain arguments of the function.
    """

    def __init__(self, make: str, **values):
        self._make, self._values = make, values

    @contextlib.contextmanager
    def started(self) -> Iterator[Turn]:
        """Yields what does a turn; the process is ended afterwards.

        Raises:
            RuntimeError: The process failed; holds what it wrote to stderr.
        """
        command = [sys.executable, "-m", "benchmarks.turns", self._make, json.dumps(self._values)]
        paths = os.pathsep.join([str(SCRIPTS), str(SCRIPTS.parent)])
        with tempfile.TemporaryFile("w+") as said:
            process = subprocess.Popen(
                command,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=said,
                text=True,
                env={**os.environ, "PYTHONPATH": paths, "TF_CPP_MIN_LOG_LEVEL": "3"},
            )
            try:
                yield lambda: self._turn(process, said)
            finally:
                process.stdin.close()
                process.terminate()
                process.wait()
                process.stdout.close()

    def _turn(self, process: subprocess.Popen, said) -> dict[str, float]:
        with contextlib.suppress(BrokenPipeError):
            process.stdin.write("go\n")
            process.stdin.flush()
        told = process.stdout.readline()
        if not told:
            process.wait()
            said.seek(0)
            raise RuntimeError(f"{self._make} failed:\n{said.read()}")
        return json.loads(told)


def alternate(
    turns: Mapping[str, Turn], rounds: int, *, warm: int = 1
) -> dict[str, list[dict[str, float]]]:
    """Returns what each turn of each contestant measured, in an order that is turned round.

    Args:
        turns: What does a turn, by name.
        rounds: How often each has its turn.
        warm: Turns of each before, which do not count.
    """
    found: dict[str, list[dict[str, float]]] = {name: [] for name in turns}
    for index in range(-warm, rounds):
        names = list(turns)
        for name in names if index % 2 else reversed(names):
            sys.stderr.write(f"  {'warm-up' if index < 0 else f'round {index + 1}'}: {name}\n")
            measured = turns[name]()
            if index >= 0:
                found[name].append(measured)
    return found


def ratios(
    found: Mapping[str, Sequence[Mapping[str, float]]], over: str, under: str, key: str = "rate"
) -> list[float]:
    """Returns the ratio of two contestants in each round."""
    return [above[key] / below[key] for above, below in zip(found[over], found[under], strict=True)]


def median(found: Sequence[Mapping[str, float]], key: str = "rate") -> float:
    """Returns the median of a number over all turns."""
    return statistics.median(turn[key] for turn in found)


def main(arguments: Sequence[str]) -> None:
    """Does a turn for each line of stdin and answers with a line of JSON."""
    make, values = arguments
    module, _, function = make.partition(":")
    # Libraries write to stdout as they please; the answers have it to themselves.
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)
    turn = getattr(importlib.import_module(f"benchmarks.{module}"), function)(**json.loads(values))
    for _ in sys.stdin:
        answers.write(json.dumps(turn()) + "\n")
        answers.flush()


if __name__ == "__main__":
    main(sys.argv[1:])
