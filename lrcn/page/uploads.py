"""The folder of dropped files: private, bounded, and empty again after each answer."""

from __future__ import annotations

import contextlib
import dataclasses
import os
import pathlib
import shutil
import tempfile
import time
from collections.abc import Iterator

from lrcn import errors

_HELD = 4  # files of the largest size that may lie there
_ABANDONED = 600.0  # seconds after which a file that nobody asks about is removed

MOST_WAITING = 8
"""Questions that may wait for their answers."""


@dataclasses.dataclass
class Folder:
    """Where dropped files lie until they are answered, one after another.

    Attributes:
        path: The folder; nobody else can look into it.
        most_bytes: Of a file.
    """

    path: pathlib.Path
    most_bytes: int
    _asked: dict[pathlib.Path, int] = dataclasses.field(default_factory=dict)
    _answers: int = 0  # that were begun
    _is_answering: bool = False
    _answered: float = 0.0  # when the last one ended

    def own(self, given: str) -> str:
        """Gives a file that has come a path of its own, and returns it.

        Gradio keeps what is the same at the same path: two who drop it would have one file, which
        is gone after the first answer.

        Args:
            given: Where Gradio put it.
        """
        path = pathlib.Path(given)
        if not self.holds(path):
            return given
        own = pathlib.Path(tempfile.mkdtemp(dir=self.path), path.name)
        path.rename(own)
        return str(own)

    def ask(self, given: str) -> None:
        """Keeps a file until its question is answered, however long others take before it.

        Args:
            given: A file of this folder.
        """
        path = pathlib.Path(given)
        with contextlib.suppress(OSError):  # it was asked about before, and is answered now
            os.utime(path)
            self._asked[path] = self._answers

    @contextlib.contextmanager
    def taken(self, given: str | os.PathLike) -> Iterator[pathlib.Path]:
        """Yields the path of a dropped file, which is gone when the block ends.

        Raises:
            UserError: It is not there, or no file of this folder.
        """
        path = pathlib.Path(given)
        if not self.holds(path):
            raise errors.UserError(
                "the file is not there any more",
                where=path.name,
                received="an upload that was answered or removed",
                expected="a file that was just dropped",
                remedy="Drop it again",
            )
        self._answers, self._is_answering = self._answers + 1, True
        try:
            yield path
        finally:
            self._is_answering, self._answered = False, time.time()
            self._asked.pop(path, None)
            path.unlink(missing_ok=True)
            with contextlib.suppress(OSError):  # the folder of all, or one with another file in it
                path.parent.rmdir()

    def holds(self, given: str | os.PathLike) -> bool:
        """Tells whether a path is one of a file of this folder, and leads nowhere else."""
        path = pathlib.Path(given)
        with contextlib.suppress(OSError, ValueError):  # such as a NUL in it
            inside = path.resolve().is_relative_to(self.path.resolve())
            return inside and path.is_file() and not path.is_symlink()
        return False

    def has_room(self, coming: int = 0) -> bool:
        """Tells whether another file may come; files that were abandoned are removed.

        Args:
            coming: Files that are on their way, as large as they may be.
        """
        self.tidy(coming)
        held = sum(_size(file) for file in self.path.rglob("*"))
        return held + (coming + 1) * self.most_bytes <= _HELD * self.most_bytes

    def tidy(self, coming: int = 0) -> None:
        """Removes files that nobody asks about, parts of uploads that broke off, empty folders.

        Args:
            coming: Files that are on their way; where there are none, parts are of no use.
        """
        for entry in sorted(self.path.rglob("*"), reverse=True):  # files before their folders
            with contextlib.suppress(OSError):
                if entry.is_dir():
                    entry.rmdir()
                elif (entry.parent == self.path and not coming) or self._is_abandoned(entry):
                    entry.unlink()
                    self._asked.pop(entry, None)

    def _is_abandoned(self, file: pathlib.Path) -> bool:
        since = file.stat().st_mtime
        if self._answers - self._asked.get(file, -MOST_WAITING - 1) <= MOST_WAITING:
            # It waits, or whoever asked is gone: then it is not taken when its turn has passed.
            since = time.time() if self._is_answering else max(since, self._answered)
        return time.time() - since > _ABANDONED


def _size(file: pathlib.Path) -> int:
    with contextlib.suppress(OSError):
        return file.stat().st_size if file.is_file() else 0
    return 0


@contextlib.contextmanager
def opened(most_bytes: int) -> Iterator[Folder]:
    """Makes a private folder for dropped files, and removes it with all in it in the end.

    Args:
        most_bytes: Of a file.
    """
    path = pathlib.Path(tempfile.mkdtemp(prefix="lrcn-page-"))  # of mode 0700
    try:
        yield Folder(path, most_bytes)
    finally:
        shutil.rmtree(path, ignore_errors=True)
