"""What became of the jobs of a sweep, wherever they ran: a small file a job in the sweep's folder.

Launchers start jobs in other processes and on other machines; the folder of the sweep is what all
of them share. The process of the sweep reads the files when Hydra is through, and by the same way
jobs learn that they are to stop.
"""

from __future__ import annotations

import contextlib
import dataclasses
import json
import logging
import os
import pathlib
import shutil
import signal
import socket
import threading
import time
import uuid
from collections.abc import Iterator

from lrcn import errors, files

_PREFIX = ".jobs-"
_SIGN = "@"  # before the process; no name of a host has it, where many have a hyphen
_STOP = "stop"
_LOOK = 0.3  # seconds between two looks at whether the sweep goes on
_PATIENCE = 60.0  # seconds that jobs have to save and end when the sweep is interrupted
_LOST = "its process ended before the job did, such as by a signal or for want of memory"


@dataclasses.dataclass(frozen=True)
class Outcome:
    """What became of one job.

    Attributes:
        number: Hydra's number of the job.
        folder: Its run directory.
        overrides: "key=value" each.
        host: The machine it runs on.
        process: The process it runs in.
        has_ended: Whether the job came to its end, good or bad.
        has_left: Whether it was stopped by a signal.
        error: What ended it, if anything did.
        code: Its exit code.
    """

    number: int
    folder: str
    overrides: list[str]
    host: str
    process: int
    has_ended: bool = False
    has_left: bool = False
    error: str | None = None
    code: int = 0

    @property
    def failure(self) -> str | None:
        """Why the job failed, or None."""
        return self.error if self.has_ended else _LOST

    @property
    def is_running(self) -> bool:
        """Whether another process still works at it, as far as this machine can tell."""
        is_own = (self.host, self.process) == (socket.gethostname(), os.getpid())
        is_over = self.has_ended or self.has_left
        return not (is_over or is_own) and _is_alive(self.host, self.process)


@dataclasses.dataclass(frozen=True)
class Outcomes:
    """The files of the jobs of one command.

    Args:
        folder: Theirs, hidden in that of the sweep.
        host: The machine of the sweep's own process.
        process: That process.
        outlives: Whether jobs go on without it.
        own: The jobs of the sweep's own process, by number, which need no file and thus no disk.
    """

    folder: pathlib.Path
    host: str
    process: int
    outlives: bool
    own: dict[int, Outcome] = dataclasses.field(default_factory=dict, compare=False)

    @classmethod
    def begun(cls, sweep: pathlib.Path, *, outlives: bool = False) -> Outcomes:
        """Makes the folder of a command that begins; what a killed one has left is removed.

        Args:
            sweep: The folder of the sweep.
            outlives: Whether jobs go on if this process is killed.
        """
        host, process = socket.gethostname(), os.getpid()
        sweep.mkdir(parents=True, exist_ok=True)
        own = f"{_PREFIX}{host}{_SIGN}"
        for old in sweep.glob(f"{own}*"):
            number = old.name.removeprefix(own).partition("-")[0]
            if number.isdecimal() and not _is_alive(host, int(number)):
                shutil.rmtree(old, ignore_errors=True)
        folder = sweep / f"{own}{process}-{uuid.uuid4().hex[:8]}"
        folder.mkdir()
        return cls(folder.absolute(), host, process, outlives)

    @property
    def sweep(self) -> pathlib.Path:
        """The folder of the sweep."""
        return self.folder.parent

    @property
    def is_here(self) -> bool:
        """Whether this is the sweep's own process."""
        return (self.host, self.process) == (socket.gethostname(), os.getpid())

    @property
    def is_over(self) -> bool:
        """Whether jobs are to stop: the sweep was interrupted, or its process is gone."""
        is_told = not self.folder.is_dir() or (self.folder / _STOP).exists()
        return is_told or not (self.outlives or _is_alive(self.host, self.process))

    def begin(self, number: int, folder: pathlib.Path, overrides: list[str]) -> Outcome:
        """Notes that a job begins in this process."""
        outcome = Outcome(number, str(folder), overrides, socket.gethostname(), os.getpid())
        self._write(outcome)
        return outcome

    def end(self, begun: Outcome, *, code: int, error: Exception | None = None) -> None:
        """Notes that a job came to its end.

        Args:
            begun: What `begin` returned.
            code: The exit code of the job.
            error: What ended it, if anything did.
        """
        message = None if error is None else str(error)
        self._write(dataclasses.replace(begun, has_ended=True, error=message, code=code))

    def has_met(self, error: Exception) -> bool:
        """Tells whether another job came to the same end; not if that cannot be read."""
        with contextlib.suppress(OSError):
            return any(outcome.error == str(error) for outcome in self.read())
        return False

    def leave(self, begun: Outcome) -> None:
        """Notes that a job was stopped by a signal; if nothing waits for it, that is no matter."""
        with contextlib.suppress(OSError, errors.CannotWrite):
            self._write(dataclasses.replace(begun, has_left=True))

    def _write(self, outcome: Outcome) -> None:
        if self.is_here:
            self.own[outcome.number] = outcome
            return
        files.write_json(self.folder / f"{outcome.number}.json", dataclasses.asdict(outcome))

    def read(self) -> list[Outcome]:
        """Returns what is noted, in the order of the jobs."""
        read = [
            json.loads(file.read_text(encoding="utf-8")) for file in self.folder.glob("[0-9]*.json")
        ]
        told = [*self.own.values(), *(Outcome(**values) for values in read)]
        return sorted(told, key=lambda outcome: outcome.number)

    def stop(self, seconds: float = _PATIENCE) -> None:
        """Tells jobs of other processes to save and end, and waits until they have.

        Args:
            seconds: The longest time to wait.
        """
        (self.folder / _STOP).touch()
        end = time.monotonic() + seconds
        while time.monotonic() < end and any(outcome.is_running for outcome in self.read()):
            time.sleep(_LOOK)

    def remove(self) -> None:
        """Removes the files; jobs that wait to be started elsewhere then do not begin."""
        shutil.rmtree(self.folder, ignore_errors=True)

    @contextlib.contextmanager
    def watched(self) -> Iterator[None]:
        """Sends this process SIGTERM if the sweep is over before the block is.

        A training then saves and ends, as after any such signal. A signal of the sweep's own
        process would not reach every launcher's. Where that process is gone, so is this one in the
        end: nobody is left to take it down.
        """
        is_through = threading.Event()

        def watch() -> None:
            while not is_through.wait(_LOOK):
                if self.is_over:
                    os.kill(os.getpid(), signal.SIGTERM)
                    return

        watcher = threading.Thread(target=watch, name="lrcn sweep", daemon=True)
        watcher.start()
        try:
            yield
        except SystemExit:
            if not (self.outlives or _is_alive(self.host, self.process)):
                logging.shutdown()
                os._exit(128 + signal.SIGTERM)
            raise
        finally:
            is_through.set()
            watcher.join()


def _is_alive(host: str, process: int) -> bool:
    """Tells whether a process is there; of other machines nobody here can tell."""
    if host != socket.gethostname():
        return True
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        pass
    return True
