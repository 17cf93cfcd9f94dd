"""The cache: records of data sets that were serialized on the way to a training."""

from __future__ import annotations

import logging
import os
import pathlib
import shutil
import uuid

from lrcn import files
from lrcn.data import known, lists, serialize, unfinished, writing
from lrcn.errors import UserError

log = logging.getLogger(__name__)

_REMEDY = "Set the environment variable LRCN_CACHE to another folder"


def folder() -> pathlib.Path:
    """Returns where rendered and serialized data is kept: `LRCN_CACHE`, else the user's cache."""
    if given := os.environ.get("LRCN_CACHE"):
        return pathlib.Path(given).expanduser()
    base = os.environ.get("XDG_CACHE_HOME") or pathlib.Path.home() / ".cache"
    return pathlib.Path(base) / "lrcn"


def fill(target: pathlib.Path, catalog: lists.Catalog, options: serialize.StoreOptions) -> bool:
    """Serializes all splits of a data set beside `target`, then gives them its name.

    What a killed process has left is continued; processes that want the same wait for the first.

    Args:
        target: The folder of the records, which does not exist yet.
        catalog: The data set.
        options: How it is stored.

    Returns:
        False if another process was faster.

    Raises:
        UserError: As of `serialize.serialize`, or the cache cannot be written to.
    """
    _make_parent(target.parent)
    lock = target.with_name(f".{target.name}.lock")

    def tell_waiting() -> None:
        log.info("data: waiting for %s, which serializes into %s", files.holder(lock), target)

    with (
        writing.telling_errors(target.parent, remedy=f"{_REMEDY}, or make room"),
        files.locked(lock, waiting=tell_waiting) as is_held,
    ):
        if target.is_dir():
            return False
        log.info("data: serializing into %s", target)
        # Without a lock another process may be at the same work, so that nothing can be shared.
        own = "" if is_held else f".{uuid.uuid4().hex[:8]}"
        temporary = target.with_name(f".{target.name}{own}{unfinished.SUFFIX}")
        _serialize_into(temporary, catalog, options, is_resumable=is_held)
        if is_there := target.is_dir():
            shutil.rmtree(temporary)
        else:
            temporary.replace(target)
            files.sync_folder(target.parent)
        return not is_there


def _serialize_into(
    folder: pathlib.Path,
    catalog: lists.Catalog,
    options: serialize.StoreOptions,
    *,
    is_resumable: bool,
) -> None:
    """Serializes all splits into a folder, which stays after a failure if it can be continued."""
    try:
        keys = known.keys_of(catalog, options.reading())
        stored = known.find(folder.parent, keys, limits=options.limits)
        serialize.serialize(
            catalog, folder, options=options, known=stored, remedy=f"{_REMEDY}, or make room"
        )
        known.write(folder, keys, limits=options.limits)
    except BaseException:
        if not (is_resumable and unfinished.is_any_in(folder)):
            shutil.rmtree(folder, ignore_errors=True)
        raise


def _make_parent(folder: pathlib.Path) -> None:
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise UserError(
            "the folder of records made on the way cannot be written to",
            where="LRCN_CACHE",
            received=f"{folder}: {error.strerror or error}",
            expected="a folder with the right to write",
            remedy=_REMEDY,
        ) from error
