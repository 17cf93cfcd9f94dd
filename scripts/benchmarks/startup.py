"""How long one waits for help, and for the first step of a training."""

from __future__ import annotations

import os
import pathlib
import subprocess
import tempfile
import time

from benchmarks import measuring

_HELP, _STEP = 0.5, 12.0  # seconds
_LOOK = 0.02  # seconds between two looks


def measure(size: measuring.Size) -> list[measuring.Measure]:
    """Measures help, and the first step of the demo with nothing in the cache."""
    times = size.of(7, 1)
    return [
        *(measure_help(arguments, times) for arguments in (["--help"], ["train", "--help"])),
        measure_first_step(size),
    ]


def measure_help(arguments: list[str], times: int) -> measuring.Measure:
    """Measures the seconds until help is shown, the median of several calls."""
    seconds = sorted(measuring.run_lrcn(arguments) for _ in range(times))
    details = {"fastest": round(seconds[0], 3), "slowest": round(seconds[-1], 3)}
    name = f"lrcn {' '.join(arguments)}"
    return measuring.Measure(name, seconds[times // 2], "seconds", _HELP, False, details)


def measure_first_step(size: measuring.Size) -> measuring.Measure:
    """Measures the seconds from the start of the demo's training to the end of its first step."""
    seconds = sorted(first_step(size) for _ in range(size.rounds))
    details = {"fastest": round(seconds[0], 2), "slowest": round(seconds[-1], 2)}
    value = seconds[len(seconds) // 2]
    return measuring.Measure("first step of the demo", value, "seconds", _STEP, False, details)


def first_step(size: measuring.Size) -> float:
    """Returns the seconds until a training with an empty cache has made a step.

    A checkpoint after every step shows when that was; writing it counts.

    Raises:
        RuntimeError: The training ended before; holds what it wrote to stderr.
    """
    fewer = size.of([], ["dataset.train=8", "dataset.val=4", "dataset.test=4"])
    with tempfile.TemporaryDirectory() as temporary, tempfile.TemporaryFile("w+") as said:
        run = pathlib.Path(temporary, "run")
        step = [*fewer, "callbacks.save_seconds=0.001", f"hydra.run.dir={run}"]
        environment = {
            **os.environ,
            "PYTHONPATH": str(measuring.CHECKOUT),
            "LRCN_CACHE": str(pathlib.Path(temporary, "cache")),
        }
        began = time.perf_counter()
        command = subprocess.Popen(
            [*measuring.lrcn_command(), "train", *step],
            stdout=subprocess.DEVNULL,
            stderr=said,
            env=environment,
        )
        try:
            while not (run / "checkpoints" / "last.keras").exists():
                if command.poll() is not None:
                    said.seek(0)
                    raise RuntimeError(f"lrcn train ended before its first step:\n{said.read()}")
                time.sleep(_LOOK)
            return time.perf_counter() - began
        finally:
            command.kill()
            command.wait()
