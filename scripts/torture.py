"""Kills `lrcn` at random moments, again and again, and looks for what that has changed.

    python scripts/torture.py                    120 kills, under 25 minutes on 2 cores
    python scripts/torture.py --kills 40 --seed 7

Serializations, trainings and evaluations are killed by SIGKILL, most of them while they write or
train, some while they start. Each kill is followed by the same command again, which may be killed,
too. After every kill each file under a final name must be whole; what comes out at the end must
equal, bit for bit, what an undisturbed process wrote: records and their metadata, weights, state of
the optimizer and of random generators, history, metrics, pictures. A loss is a file or a value that
does not.
"""

from __future__ import annotations

import argparse
import concurrent.futures
import dataclasses
import io
import json
import logging
import os
import pathlib
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import zipfile
from collections.abc import Sequence

import measuring
import PIL.Image
from rich import console, table

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent))
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

log = logging.getLogger(__name__)

_SHARES = {"serialize": 0.35, "train": 0.45, "evaluate": 0.2}
_KILLS_OF_ONE = 8  # then it may end, and another one begins
_VOLATILE = {"seconds", "clips_per_second", "frames_per_second", "data_wait"}
_TINY = [
    *("backbone.image_size=[16,16]", "workflow.units=6", "num_threads=1"),
    *("workflow.dropout_in=0.2", "workflow.dropout_out=0.5", "augment=crop_mirror", "epochs=12"),
    *("batch_size=4", "callbacks=minimal", "callbacks.save_seconds=0.1", "seed=3"),
]


@dataclasses.dataclass
class Tally:
    """What was done to one verb.

    Attributes:
        kills: Processes that were killed before they ended.
        after_a_step: Those that had trained a step before.
        continuations: Processes that went on where one was killed.
        compared: Results that were compared with the undisturbed ones.
        losses: What was not as it should be.
    """

    kills: int = 0
    after_a_step: int = 0
    continuations: int = 0
    compared: int = 0
    losses: list[str] = dataclasses.field(default_factory=list)


class Serializing:
    """A data set of several shards, shuffled, in a folder of its own."""

    def __init__(self, root: pathlib.Path):
        self.straight = root / "records"

    def command(self, folder: pathlib.Path) -> list[str]:
        """Returns the arguments of `lrcn` that write into a folder."""
        return [
            *("serialize", "dataset=moving_shapes", "dataset.train=900", "dataset.val=60"),
            *("dataset.test=40", "shards=6", "do_shuffle=true", "clipframe_mode=rand_clips"),
            *("clipframe_mode.num_frames_per_clip=8", f"output_folder={folder}"),
        ]

    def prepare(self, folder: pathlib.Path) -> None:
        """Begins with nothing."""

    def stamp(self, folder: pathlib.Path) -> object:
        """Returns what changes once work is written."""
        return sorted(str(path) for path in folder.rglob("*"))

    def differences(self, folder: pathlib.Path) -> list[str]:
        """Returns what differs from the undisturbed records: names or bytes."""
        return _differing_bytes(folder, self.straight)


class Training:
    """A training on frames with random crops and dropout, saved several times an epoch."""

    def __init__(self, root: pathlib.Path, records: pathlib.Path):
        self.straight, self._records = root / "run", records

    def command(self, folder: pathlib.Path) -> list[str]:
        """Returns the arguments of `lrcn` that train in a folder."""
        small = {"train": "val", "val": "test"}  # those of a serialization that takes its time
        data = [f"dataset.{role}={self._records / name}.tfrecord" for role, name in small.items()]
        return ["train", "dataset=records", *data, *_TINY, f"hydra.run.dir={folder}"]

    def prepare(self, folder: pathlib.Path) -> None:
        """Begins with nothing."""

    def stamp(self, folder: pathlib.Path) -> object:
        """Returns what changes once a step is trained and saved."""
        last = folder / "checkpoints" / "last.keras"
        return last.stat().st_mtime_ns if last.exists() else None

    def differences(self, folder: pathlib.Path) -> list[str]:
        """Returns what differs from the undisturbed run."""
        found = []
        for name in ("last", "best"):
            ours, theirs = (
                _content(run / "checkpoints" / f"{name}.keras") for run in (folder, self.straight)
            )
            found += [
                f"{name}: {key}"
                for key in sorted(ours.keys() | theirs.keys())
                if ours.get(key) != theirs.get(key)
            ]
        for name in ("metrics.json", "labels.txt", "DONE"):
            if (folder / name).read_bytes() != (self.straight / name).read_bytes():
                found.append(name)
        return found


class Evaluating:
    """An evaluation of a finished run."""

    def __init__(self, root: pathlib.Path, run: pathlib.Path):
        self.straight, self._run = root / "evaluated", run

    def command(self, folder: pathlib.Path) -> list[str]:
        """Returns the arguments of `lrcn` that evaluate the run in a folder."""
        return ["evaluate", f"run={folder}", "split=val"]

    def prepare(self, folder: pathlib.Path) -> None:
        """Begins with the finished run."""
        shutil.copytree(self._run, folder)

    def stamp(self, folder: pathlib.Path) -> object:
        """Returns what changes once results are written."""
        return sorted(str(path) for path in (folder / "evaluation").rglob("*"))

    def differences(self, folder: pathlib.Path) -> list[str]:
        """Returns what differs from the undisturbed evaluation, or in the run itself."""
        return _differing_bytes(folder, self.straight)


Victim = Serializing | Training | Evaluating


def _differing_bytes(folder: pathlib.Path, straight: pathlib.Path) -> list[str]:
    ours, theirs = (
        {path.relative_to(top): path.read_bytes() for path in top.rglob("*") if path.is_file()}
        for top in (folder, straight)
    )
    # The name that TensorFlow Datasets has for records is that of their folder.
    names = ours.keys() | theirs.keys()
    info = pathlib.Path("dataset_info.json")
    if info in ours and info in theirs:
        ours[info], theirs[info] = (_unnamed(content) for content in (ours[info], theirs[info]))
    return [str(name) for name in sorted(names) if ours.get(name) != theirs.get(name)]


def _unnamed(content: bytes) -> bytes:
    return json.dumps({**json.loads(content), "name": ""}).encode()


def _content(file: pathlib.Path) -> dict[str, object]:
    """Returns every value of a checkpoint that decides how a run goes on, as bytes."""
    with zipfile.ZipFile(file) as archive:
        state = json.loads(archive.read("state.json"))
        arrays = _arrays(archive.read("model.weights.h5"))
    rows = [
        {key: value for key, value in row.items() if key not in _VOLATILE}
        for row in state.pop("history")
    ]
    return {**arrays, **state, "history": rows}


def _arrays(content: bytes) -> dict[str, object]:
    """Returns the bytes of every array of a file of weights: layers and optimizer."""
    import h5py

    found: dict[str, object] = {}

    def note(name, value):
        if isinstance(value, h5py.Dataset):
            found[name] = (value.shape, str(value.dtype), value[()].tobytes())

    with h5py.File(io.BytesIO(content), "r") as file:
        file.visititems(note)
    return found


def half_written(folder: pathlib.Path) -> list[str]:
    """Returns the files under final names that are not whole."""
    found = []
    for path in folder.rglob("*"):
        hidden = any(part.startswith(".") for part in path.relative_to(folder).parts)
        if path.is_file() and not hidden and (fault := _fault(path)):
            found.append(f"{path.name} is half written: {fault}")
    return found


def _fault(path: pathlib.Path) -> str | None:
    from lrcn import errors
    from lrcn.data import records

    try:
        if path.suffix == ".keras":
            with zipfile.ZipFile(path) as archive:
                return archive.testzip()
        if path.suffix == ".json":
            json.loads(path.read_text(encoding="utf-8"))
        if path.suffix == ".png":
            with PIL.Image.open(path) as image:
                image.load()
        if path.name.endswith(records.SIZE_SUFFIX):
            return "; ".join(map(str, records.verify(path))) or None
    except (OSError, ValueError, SyntaxError, zipfile.BadZipFile, errors.UserError) as error:
        return str(error)
    return None


class Torturer:
    """Kills one kind of process until it has done so often enough.

    Args:
        verb: For the report.
        victim: What is killed.
        root: A folder for its results.
        seconds: How long an undisturbed process takes, in all and from the first thing it writes.
        rng: Of moments.
        said: A file for what the processes say.
    """

    def __init__(
        self,
        verb: str,
        victim: Victim,
        root: pathlib.Path,
        *,
        seconds: tuple[float, float],
        rng: random.Random,
        said: pathlib.Path,
    ):
        self.tally = Tally()
        self._verb, self._victim, self._root = verb, victim, root
        self._seconds, self._rng, self._said = seconds, rng, said

    def run(self, kills: int) -> Tally:
        """Kills so many processes, lets each result be finished, and compares it."""
        number = 0
        while self.tally.kills < kills and not self.tally.losses:
            folder = self._root / f"{self._verb}-{number:03d}" / "result"
            folder.parent.mkdir(parents=True)
            number += 1
            self._victim.prepare(folder)
            self._torture(folder, min(_KILLS_OF_ONE, kills - self.tally.kills))
            if not self.tally.losses:
                self.tally.losses += self._victim.differences(folder)
                self.tally.compared += 1
                shutil.rmtree(folder.parent)
        return self.tally

    def _torture(self, folder: pathlib.Path, kills: int) -> None:
        """Starts a command until it has been killed so often or ends, and lets it end."""
        for number in range(kills + 1):
            process = start(self._victim.command(folder), self._said)
            self.tally.continuations += number > 0
            written = number < kills and self._kill(process, folder)
            code = process.wait()
            if code == 0:
                return
            if code != -signal.SIGKILL:
                self.tally.losses.append(f"exit code {code} after kill {number}: {self._said}")
                return
            self.tally.kills += 1
            self.tally.after_a_step += written and self._verb == "train"
            self.tally.losses += half_written(folder)
            losses = len(self.tally.losses)
            log.info("%s: kill %d, losses %d", self._verb, self.tally.kills, losses)

    def _kill(self, process: subprocess.Popen, folder: pathlib.Path) -> bool:
        """Kills a process at a random moment; returns whether it had written something."""
        whole, writing = self._seconds
        began, before = time.monotonic(), self._victim.stamp(folder)
        starting = self._rng.random() < 0.15
        until = self._rng.uniform(0, whole - writing) if starting else None
        while process.poll() is None:
            time.sleep(0.002)
            written = self._victim.stamp(folder) != before
            if written and until is None:
                time.sleep(self._rng.uniform(0, 0.9 * writing))
                break
            if until is not None and time.monotonic() - began > until:
                break
        process.send_signal(signal.SIGKILL)
        return self._victim.stamp(folder) != before


def start(arguments: Sequence[str], file: pathlib.Path) -> subprocess.Popen:
    """Starts `lrcn`."""
    environment = {**os.environ, "PYTHONPATH": str(pathlib.Path(__file__).resolve().parent.parent)}
    with file.open("a") as said:
        return subprocess.Popen(
            [*measuring.lrcn_command(), *arguments], stdout=said, stderr=said, env=environment
        )


def undisturbed(victim: Victim, said: pathlib.Path) -> tuple[float, float]:
    """Lets a command end; returns its seconds in all and from the first thing it wrote."""
    victim.prepare(victim.straight)
    began, before, first = time.monotonic(), victim.stamp(victim.straight), None
    process = start(victim.command(victim.straight), said)
    while process.poll() is None:
        time.sleep(0.002)
        if first is None and victim.stamp(victim.straight) != before:
            first = time.monotonic()
    ended = time.monotonic()
    if process.returncode:
        raise SystemExit(f"exit code {process.returncode}: {said.read_text(encoding='utf-8')}")
    return ended - began, ended - (first or began)


def main(arguments: Sequence[str] | None = None) -> int:
    """Kills, compares, and prints what came of it; 1 if anything was lost or too few were hit."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--kills", type=int, default=120, help="in all; 120 unless told")
    parser.add_argument("--seed", type=int, default=0, help="of the moments; 0 unless told")
    given = parser.parse_args(arguments)
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    began = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="torture-") as folder:
        tallies = torture(pathlib.Path(folder), given.kills, given.seed)
    return tell(tallies, given, time.monotonic() - began)


def torture(root: pathlib.Path, kills: int, seed: int) -> dict[str, Tally]:
    """Lets every verb end once undisturbed, then kills them, two at a time."""
    serializing = Serializing(root)
    training = Training(root, serializing.straight)
    evaluating = Evaluating(root, training.straight)
    victims: dict[str, Victim] = {
        "serialize": serializing,
        "train": training,
        "evaluate": evaluating,
    }
    torturers = {}
    for verb, victim in victims.items():
        log.info("%s: undisturbed", verb)
        torturers[verb] = Torturer(
            verb,
            victim,
            root,
            seconds=undisturbed(victim, root / "log"),
            rng=random.Random(f"{seed} {verb}"),
            said=root / f"log-{verb}",
        )
    shares = {verb: round(kills * share) for verb, share in _SHARES.items()}
    shares["train"] += kills - sum(shares.values())
    with concurrent.futures.ThreadPoolExecutor(2) as pool:
        jobs = {
            verb: pool.submit(torturer.run, shares[verb]) for verb, torturer in torturers.items()
        }
        return {verb: job.result() for verb, job in jobs.items()}


def tell(tallies: dict[str, Tally], given: argparse.Namespace, seconds: float) -> int:
    """Prints a row a verb and the sums; returns 1 if anything was lost or too few were hit."""
    report = table.Table(title=f"seed {given.seed}, {seconds / 60:.1f} minutes")
    for column in ("verb", "kills", "after a step", "continuations", "compared", "losses"):
        report.add_column(column, justify="left" if column == "verb" else "right")
    numbers = {verb: _numbers(tally) for verb, tally in tallies.items()}
    sums = [sum(column) for column in zip(*numbers.values(), strict=True)]
    for verb, row in [*numbers.items(), ("all", sums)]:
        report.add_row(verb, *map(str, row))
    console.Console(width=None if sys.stdout.isatty() else 100).print(report)
    for verb, tally in tallies.items():
        for loss in tally.losses:
            print(f"LOST in {verb}: {loss}")
    kills, after_a_step, *_, losses = sums
    enough = kills >= given.kills and 4 * after_a_step >= given.kills
    if not enough:
        print(f"too few: {given.kills} kills were asked for, a quarter of them after a step")
    return 0 if enough and not losses else 1


def _numbers(tally: Tally) -> list[int]:
    return [
        *(tally.kills, tally.after_a_step, tally.continuations),
        *(tally.compared, len(tally.losses)),
    ]


if __name__ == "__main__":
    sys.exit(main())
