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
_ABANDONED = 600.0  # seconds after which a file that nobody asked about is removed


@dataclasses.dataclass(frozen=True)
class Folder:
    """Where dropped files lie until they are answered.

    Attributes:
        path: The folder; nobody else can look into it.
        most_bytes: Of a file.
    """

    path: pathlib.Path
    most_bytes: int

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
        try:
            yield path
        finally:
            path.unlink(missing_ok=True)
            self.tidy()

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
        self.tidy()
        held = sum(_size(file) for file in self.path.rglob("*"))
        return held + (coming + 1) * self.most_bytes <= _HELD * self.most_bytes

    def tidy(self) -> None:
        """Removes files that nobody asked about for long, and folders without files."""
        for entry in sorted(self.path.rglob("*"), reverse=True):  # files before their folders
            with contextlib.suppress(OSError):
                if entry.is_dir():
                    entry.rmdir()
                elif time.time() - entry.stat().st_mtime > _ABANDONED:
                    entry.unlink()


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
