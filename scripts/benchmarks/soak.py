"""Watches a long training and a long sweep from outside: memory, file handles, threads.

`python scripts/benchmark.py soak` runs it, about two minutes on 2 cores. Two trainings of 2,000
steps, one on frames and one on a frozen CNN's features, each with 40 ends of epochs (validation,
logs, checkpoints), then a sweep of 12 jobs in one process. Every half second the command and its
children are looked at. What they needed to get going is left out: a line is laid through the memory
of the second half of the steps or jobs, and the fewest handles and threads of its first quarter are
compared with the fewest of its last, as readers of an epoch come and go.
"""

from __future__ import annotations

import dataclasses
import json
import os
import pathlib
import subprocess
import tempfile
import time
from collections.abc import Callable, Sequence

from benchmarks import measuring

_EVERY = 0.5  # seconds between two looks
_EPOCHS, _STEPS, _BATCH = 40, 50, 4
_JOBS = 12
# What may remain: rows of the history, and memory that the allocator cuts into pieces.
_KB_A_STEP = 2.0
_MB_A_JOB = 4.0
_TINY = [
    *("workflow=lstm", "workflow.units=8", "backbone.image_size=[16,16]"),
    *("dataset.size=24", "dataset.num_frames=6", "dataset.val=8", "dataset.test=0"),
    *("clipframe_mode.num_frames_per_clip=4", "callbacks.patience=null"),
]


@dataclasses.dataclass(frozen=True)
class Look:
    """A command and its children at one moment.

    Attributes:
        done: Steps or jobs that are done.
        memory: Resident bytes.
        handles: Open files, sockets and pipes.
        threads: Threads.
    """

    done: float
    memory: float
    handles: int
    threads: int


def look(process, done: float) -> Look | None:
    """Returns a process and its children as they are now, or None if it has just ended."""
    import psutil

    try:
        parts = [process, *process.children(recursive=True)]
        return Look(
            done,
            sum(part.memory_info().rss for part in parts),
            sum(part.num_fds() for part in parts),
            sum(part.num_threads() for part in parts),
        )
    except psutil.NoSuchProcess:
        return None


def watched(arguments: Sequence[str], done: Callable[[], float]) -> list[Look]:
    """Runs `lrcn` and returns what it looked like until it ended.

    Args:
        arguments: What follows `lrcn`.
        done: Returns how many steps or jobs are done.

    Raises:
        RuntimeError: If it failed; holds what it wrote to stderr.
    """
    import psutil

    looks = []
    with tempfile.TemporaryFile("w+") as log:
        command = subprocess.Popen(
            [*measuring.lrcn_command(), *arguments],
            stdout=subprocess.DEVNULL,
            stderr=log,
            env={**os.environ, "PYTHONPATH": str(measuring.CHECKOUT)},
        )
        try:
            process = psutil.Process(command.pid)
            while command.poll() is None:
                looks.append(look(process, done()))
                time.sleep(_EVERY)
        finally:
            command.terminate()
            command.wait()
        if command.returncode:
            log.seek(0)
            raise RuntimeError(f"lrcn {' '.join(arguments)} failed:\n{log.read()}")
    # A process that ends gives its memory back before it is gone.
    return [taken for taken in looks[:-1] if taken is not None]


def measures_of(
    name: str, looks: Sequence[Look], *, total: int, unit: str, size: float, target: float
) -> list[measuring.Measure]:
    """Returns what grew over the second half of what was to be done.

    Args:
        name: What was watched.
        looks: What it looked like.
        total: Steps or jobs of the whole.
        unit: Of the slope, such as "KB/step".
        size: Bytes of that unit.
        target: The most that the slope may be.
    """
    import numpy as np

    # After the last step curves are drawn, which is no step.
    half = [taken for taken in looks if total / 2 <= taken.done < total]
    if len({taken.done for taken in half}) < 3:
        raise RuntimeError(f"{name}: {len(half)} looks at the second half are too few for a line")
    memory = np.array([taken.memory for taken in half])
    slope = float(np.polyfit([taken.done for taken in half], memory, 1)[0]) / size
    quarter = max(1, len(half) // 4)
    details = {
        "MB middle": round(memory[:quarter].mean() / 2**20, 1),
        "MB end": round(memory[-quarter:].mean() / 2**20, 1),
        "looks": len(half),
    }
    measures = [measuring.Measure(f"{name}: memory", slope, unit, target, False, details)]
    for what in ("handles", "threads"):
        counts = [getattr(taken, what) for taken in half]
        middle, end = min(counts[:quarter]), min(counts[-quarter:])
        measures.append(
            measuring.Measure(
                f"{name}: more {what}",
                float(end - middle),
                what,
                0.0,
                False,
                {"middle": middle, "end": end},
            )
        )
    return measures


def _training(what: str, epochs: int, *arguments: str) -> list[measuring.Measure]:
    total = epochs * _STEPS
    with tempfile.TemporaryDirectory() as temporary:
        state = pathlib.Path(temporary, "run", "state.json")

        def done() -> float:
            return json.loads(state.read_text())["epoch"] * _STEPS if state.exists() else 0

        items = f"dataset.train={_STEPS * _BATCH}"
        sizes = [items, f"batch_size={_BATCH}", f"epochs={epochs}"]
        looks = watched(
            ["train", *_TINY, *sizes, *arguments, f"hydra.run.dir={state.parent}"], done
        )
    return measures_of(
        f"{total} steps on {what}",
        looks,
        total=total,
        unit="KB/step",
        size=2**10,
        target=_KB_A_STEP,
    )


def measure(size: measuring.Size) -> list[measuring.Measure]:
    """Watches two trainings and a sweep."""
    measuring.require("psutil")
    epochs = size.of(_EPOCHS, 4)
    frames = _training("frames", epochs)
    features = _training("features", epochs, "backbone.trainable=false")
    with tempfile.TemporaryDirectory() as temporary:
        seeds = f"seed={','.join(map(str, range(_JOBS)))}"
        sizes = ["dataset.train=40", f"batch_size={_BATCH}", "epochs=2", seeds]
        looks = watched(
            ["train", "-m", *_TINY, *sizes, f"hydra.sweep.dir={temporary}"],
            lambda: len(list(pathlib.Path(temporary).glob("*/DONE"))),
        )
    sweep = measures_of(
        f"sweep of {_JOBS} jobs", looks, total=_JOBS, unit="MB/job", size=2**20, target=_MB_A_JOB
    )
    return [*frames, *features, *sweep]
