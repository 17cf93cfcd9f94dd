"""The log file of a run, which may end early without disturbing the run or the console."""

from __future__ import annotations

import contextlib
import logging
import os
import sys
import tempfile
from collections.abc import Iterator
from typing import IO, TextIO

from lrcn import faults
from lrcn.errors import UserError


class RunLog(logging.FileHandler):
    """Writes records to a file until the system refuses it, which is told once.

    Python's own handler prints a traceback for each line that it cannot write, and raises when it
    is closed. What the console tells is the same, so nothing but the copy is lost.

    Args:
        filename: The file; lines are added to it.
    """

    def __init__(self, filename: str):
        super().__init__(filename, encoding="utf-8", delay=True)
        self._is_broken = False

    def _open(self) -> TextIO:
        # Neither through a link nor into a pipe that someone has put there, which would wait.
        flags = os.O_NOFOLLOW | os.O_NONBLOCK
        return open(  # noqa: PTH123 - as Python's own, with an opener
            self.baseFilename,
            self.mode,
            encoding=self.encoding,
            errors=self.errors,
            opener=lambda path, given: os.open(path, given | flags, 0o666),
        )

    def emit(self, record: logging.LogRecord) -> None:
        """Writes a record, unless the file was given up."""
        if self._is_broken:
            return
        try:
            super().emit(record)
        except OSError as error:  # met when the file is opened
            self._give_up(error)

    def handleError(self, record: logging.LogRecord) -> None:  # noqa: N802 - a name of Python's
        """Gives the file up if the system refused it."""
        error = sys.exception()
        if isinstance(error, OSError):
            self._give_up(error)
        else:
            super().handleError(record)

    def close(self) -> None:
        """Closes the file; lines that are still held back may be lost on a full disk."""
        try:
            super().close()
        except OSError as error:
            self._give_up(error)

    def _give_up(self, error: OSError) -> None:
        stream, self.stream = self.stream, None
        if stream is not None:
            with contextlib.suppress(OSError):  # it would write what it holds once more
                stream.close()
        if not self._is_broken:
            self._is_broken = True
            refused = faults.unwritable(self.baseFilename, error)
            sys.stderr.write(f"warning: the log ends here: {refused}\n")


@contextlib.contextmanager
def quiet_stderr() -> Iterator[IO[bytes]]:
    """Keeps back what libraries write to stderr by themselves, past every setting of a log level.

    If the block fails with an unforeseen error it is shown after all.

    Yields:
        The file that holds it.
    """
    sys.stderr.flush()
    kept = os.dup(2)
    with tempfile.TemporaryFile() as said:
        os.dup2(said.fileno(), 2)
        try:
            yield said
        except Exception as error:  # not an interrupt, of which these lines tell nothing
            if not isinstance(error, UserError):
                said.seek(0)
                os.write(kept, said.read())
            raise
        finally:
            os.dup2(kept, 2)
            os.close(kept)
