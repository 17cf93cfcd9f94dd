"""Errors that a user can mend, told in one line."""

from __future__ import annotations

import logging
import re
from collections.abc import Sequence

SHOWN = 5
_COLOURS = re.compile(r"\x1b\[[0-9;]*m")
_LONGEST = 5000  # characters of a part of a message; longer than any path
# Controls but blanks, halves of characters, and marks that turn the text after them around.
_UNSEEN = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069\ud800-\udfff]")


class UserError(ValueError):
    """A mistake in the user's data, keys or files, with where it is and what mends it.

    The message is one line: `where: what. Received: ... Expected: ... remedy`. All five parts are
    needed: who meets the message has nothing else to go by.

    Args:
        what: What is wrong, as a short clause without a final full stop.
        where: The place: `file:line`, a configuration key, or a file.
        received: The value that was met; anything with a `str`.
        expected: What would have been right.
        remedy: What the user can do about it, as a sentence.
    """

    exit_code = 1

    def __init__(
        self, what: str, *, where: object, received: object, expected: object, remedy: str
    ):
        self.what = what
        self.where = str(where)
        self.received = received
        self.expected = expected
        self.remedy = remedy
        super().__init__(self._message())

    def but(self, **parts: object) -> UserError:
        """Returns the same error with other parts, such as a fuller `where`."""
        own = {name: getattr(self, name) for name in ("where", "received", "expected", "remedy")}
        return type(self)(self.what, **{**own, **parts})

    def _message(self) -> str:
        parts = [
            f"{shown(self.where)}: {shown(self.what)}",
            f"Received: {shown(self.received) or repr('')}",
            f"Expected: {shown(self.expected)}",
            shown(self.remedy),
        ]
        return " ".join(map(_sentence, parts))


class UsageError(UserError):
    """A mistake in the command line itself: a verb, key or group member that does not exist."""

    exit_code = 2


class CannotWrite(UserError):
    """A file or folder that the system does not let us write: whatever is done next, it is told."""


def shown(value: object) -> str:
    """Returns a value in one line as a command line has it.

    Controls are spelt out: what a message quotes must not write to the terminal by itself. Only the
    colours that libraries give their own errors are left out.
    """
    if value is None or isinstance(value, bool):
        return {None: "null", True: "true", False: "false"}[value]
    text = str(value)
    if isinstance(value, BaseException):
        text = _COLOURS.sub("", text)
    if len(text) > _LONGEST:
        text = f"{text[:_LONGEST]}... ({len(text):,} characters)"
    return visible(" ".join(text.split()))


def visible(text: str) -> str:
    """Returns text with what would act on a terminal, and is not seen on it, as escapes.

    Names in data of strangers may hold such characters. Line ends and TABs stay.
    """
    return _UNSEEN.sub(lambda found: found[0].encode("unicode_escape").decode(), text)


class Visible(logging.Formatter):
    """Writes a line of a log with the names of strangers as `visible` shows them."""

    def formatMessage(self, record: logging.LogRecord) -> str:
        """Returns the line without its traceback."""
        return visible(super().formatMessage(record))


def few(names: Sequence[object], *, separator: str = ", ") -> str:
    """Returns the first of many names and how many more there are, short enough for one line."""
    more = f" and {len(names) - SHOWN} more" if len(names) > SHOWN else ""
    return separator.join(map(str, names[:SHOWN])) + more


def _sentence(text: str) -> str:
    return text if text.endswith(("?", "...")) else f"{text.rstrip('.')}."
