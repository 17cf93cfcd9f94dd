"""Measures how fast the software is beside what one would take instead.

    python scripts/benchmark.py all                  all parts but the last two, under 25 minutes
    python scripts/benchmark.py train predict        some of them
    python scripts/benchmark.py soak                 what grows in long runs, about two minutes
    python scripts/benchmark.py scale                how time and memory grow with the data
    python scripts/benchmark.py all --json FILE      also into a file
    python scripts/benchmark.py all --tiny           that everything runs, not how fast

What is compared takes turns on the same machine, in the same run, and a measure is the median of
the ratios of all turns; seconds and frames per second beside it are context. Give it a quiet
machine. A row of the table is a measure with its target, how it compares with it (1 or more is
reached) and what it was made from; then comes the same as one line of JSON. The exit code is 1 if a
target is missed. `pip install 'lrcn[bench]'` brings PyTorch and psutil.
"""

from __future__ import annotations

import argparse
import dataclasses
import importlib
import os
import pathlib
import signal
import sys
from collections.abc import Sequence

sys.path[:0] = [str(pathlib.Path(__file__).resolve().parent.parent)]
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

from benchmarks import measuring  # noqa: E402 - after the checkout is found

PARTS = ("limit", "train", "predict", "serialize", "input", "caption", "startup", "soak", "scale")
LONG = ("soak", "scale")  # only when they are asked for


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs the named parts and prints their measures.

    Returns:
        0, or 1 if a target was missed; tiny sizes are not judged.
    """
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("names", nargs="+", metavar="PART", help=" | ".join(("all", *PARTS)))
    parser.add_argument("--rounds", type=int, default=3, help="turns of each; medians count")
    parser.add_argument("--tiny", action="store_true", help="tiny sizes: that everything runs")
    parser.add_argument("--json", type=pathlib.Path, metavar="FILE", help="write the JSON here too")
    given = parser.parse_args(arguments)
    if unknown := [name for name in given.names if name not in ("all", *PARTS)]:
        parser.error(f"unknown part {', '.join(unknown)}; there are all, {', '.join(PARTS)}")
    if given.rounds < 1:
        parser.error(f"--rounds is 1 or more, not {given.rounds}")
    # Contestants are processes of their own, which an exit ends and a bare signal does not.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    if (load := os.getloadavg()[0]) > 0.25 * (os.cpu_count() or 1):
        sys.stderr.write(f"others are at work here (load {load:.1f}): expect worse ratios\n")
    size = measuring.Size(given.tiny, 1 if given.tiny else given.rounds)
    measures: list[measuring.Measure] = []
    for name in chosen(given.names):
        sys.stderr.write(f"{name} ...\n")
        measures += importlib.import_module(f"benchmarks.{name}").measure(size)
    if given.tiny:  # which tells nothing of speed
        measures = [dataclasses.replace(measure, target=None) for measure in measures]
    return measuring.tell(measures, given.json)


def chosen(names: Sequence[str]) -> list[str]:
    """Returns the parts that are asked for, each once, in their order."""
    everything = [part for part in PARTS if part not in LONG] if "all" in names else []
    return [part for part in PARTS if part in names or part in everything]


if __name__ == "__main__":
    sys.exit(main())
