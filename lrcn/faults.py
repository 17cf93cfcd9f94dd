"""Faults of the machine, told as what a user can mend: no room, no right, no memory."""

from __future__ import annotations

import errno
import os
import pathlib

from lrcn.errors import CannotWrite, UserError

_NO_ROOM = "Make room there, or give another folder"
_NO_RIGHT = "Give this user the right to write there, or give another folder"
_REMEDIES = {
    errno.ENOSPC: _NO_ROOM,
    errno.EDQUOT: _NO_ROOM,
    errno.EFBIG: "Raise the limit of the size of a file (ulimit -f), or give another folder",
    errno.EACCES: _NO_RIGHT,
    errno.EPERM: _NO_RIGHT,
    errno.EROFS: "Its file system lets nobody write: give another folder",
    errno.ENOENT: "The folder was removed meanwhile: repeat the command",
    errno.ENAMETOOLONG: "Give a shorter name",
}
_ANY = "Make room and give the right to write there, or give another folder"


def reason(error: BaseException) -> str:
    """Returns why the system refused, without the names and numbers around it."""
    code = getattr(error, "errno", None)
    if isinstance(error, OSError) and code:
        return os.strerror(code)
    # TensorFlow tells "{{node}} file; reason", and further lines of what that led to.
    return (str(error).splitlines() or [""])[0].rpartition("; ")[2] or type(error).__name__


def unwritable(path: str | os.PathLike, error: BaseException) -> CannotWrite:
    """Returns the error for a file or folder that could not be written.

    Args:
        path: The name that a user knows it by.
        error: What the system, or a library that writes, raised.
    """
    return CannotWrite(
        "cannot be written",
        where=path,
        received=reason(error),
        expected="a place with room and the right to write",
        remedy=_REMEDIES.get(getattr(error, "errno", None), _ANY),
    )


def is_about(error: BaseException, path: pathlib.Path) -> bool:
    """Tells whether an error met while a file is written is about that file.

    Others are about what is read for it. An error of the system that names no file is met in the
    file that is open, and what is no error of the system must name the file.
    """
    if isinstance(error, OSError):
        names = [name for name in (error.filename, error.filename2) if name is not None]
        return not names or str(path) in map(str, names)
    # Of a value or a type that a writer was given wrongly it is the program that is to blame.
    is_ours = isinstance(error, ValueError | TypeError | LookupError | AttributeError)
    return not is_ours and path.name in str(error)


def is_no_room(error: BaseException) -> bool:
    """Tells whether an error met while something is read is about a place to unpack it."""
    return getattr(error, "errno", None) in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EROFS)


def told(error: Exception) -> Exception:
    """Returns a fault of the machine as a `UserError` that it caused, any other error as it is."""
    meant = _meant(error)
    if meant is None:
        return error
    meant.__cause__ = error
    return meant


def _meant(error: Exception) -> UserError | None:
    if isinstance(error, UserError):
        return None
    if isinstance(error, OSError):
        return UserError(
            "the system refuses a file or folder",
            where=error.filename if error.filename is not None else "a file",
            received=reason(error),
            expected="files that stay where they are, room, and the right to read and write",
            remedy="Put back what is missing, make room or give the right, and repeat the command",
        )
    # By its name, since TensorFlow is imported only when work starts.
    if isinstance(error, MemoryError) or type(error).__name__ == "ResourceExhaustedError":
        return UserError(
            "the memory of the machine does not suffice",
            where="memory",
            received=(str(error).splitlines() or [""])[0] or "none left",
            expected="less to be held at once",
            remedy="Lower batch_size or num_threads, or of serialize num_items_per_thread",
        )
    return None
