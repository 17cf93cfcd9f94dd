"""What was wrong with records when reading them failed, in words that name file, record and item.

TensorFlow tells a damaged record, a frame that is no JPEG and a file that is gone in words of its
own, far from the file. After such an error the records are looked through until the fault is met.
"""

from __future__ import annotations

import contextlib
import logging
import pathlib
from collections.abc import Iterator

import tensorflow as tf

from lrcn import errors
from lrcn.data import check_records, records
from lrcn.data.limits import Limits

log = logging.getLogger(__name__)

# What reading comes to; what a network runs out of, such as memory, is none of it.
_OF_READING = (
    tf.errors.DataLossError,
    tf.errors.NotFoundError,
    tf.errors.InvalidArgumentError,
    tf.errors.UnknownError,
    tf.errors.OutOfRangeError,
    tf.errors.PermissionDeniedError,
    tf.errors.FailedPreconditionError,
    UnicodeDecodeError,  # of an error that quotes the bytes it met
)


@contextlib.contextmanager
def translating_errors(*paths: str | pathlib.Path, limits: Limits = Limits()) -> Iterator[None]:
    """Turns what goes wrong while records are read into a `UserError` that names the fault.

    Args:
        *paths: The records that are read inside the block.
        limits: The most that they may ask for.

    Raises:
        UserError: Reading failed, and one of the records is changed, damaged or cannot be decoded.
    """
    before = {path: _stamps(path) for path in paths}
    try:
        yield
    except _OF_READING as error:
        log.info("records: looking for the fault that was met")
        for path in paths:
            if fault := _fault(path, before[path], limits):
                raise fault from error
        raise


def _fault(
    path: str | pathlib.Path, before: dict[pathlib.Path, object], limits: Limits
) -> errors.UserError | None:
    for file, known in before.items():
        now = records.stamp(file)
        if now != known:
            return errors.UserError(
                "records were changed while they were read",
                where=file,
                received="no such file any more" if now is None else "another file, or new content",
                expected="the same files until the end",
                remedy="Repeat the command; let nothing write to records that are in use",
            )
    return next(iter(records.verify(path, limits=limits)), None) or check_records.first_fault(
        path, limits=limits
    )


def _stamps(path: str | pathlib.Path) -> dict[pathlib.Path, object]:
    """Returns the stamp of every file of the records there are."""
    size = records.size_path(path)
    found = [size, *records.files_of(path)]
    return {file: records.stamp(file) for file in found}
