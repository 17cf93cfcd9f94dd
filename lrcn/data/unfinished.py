"""A split on its way: a hidden folder beside its records, which a killed process leaves behind.

It holds a plan, that is everything that decides on the bytes of the records and their metadata,
and the shards with their journals (`part`). Asked for again by the same plan, the split is
continued; under another plan it is begun anew. All that will stand beside the records is made in
here first and then renamed, so that a kill leaves nothing else.
"""

from __future__ import annotations

import contextlib
import dataclasses
import json
import logging
import os
import pathlib
import shutil
import stat
import uuid
from collections.abc import Mapping, Sequence

import numpy as np

from lrcn import errors, files
from lrcn.data import lists, records
from lrcn.data.part import Part

log = logging.getLogger(__name__)

SUFFIX = ".unfinished"
_PLAN = "plan.json"


@dataclasses.dataclass(frozen=True)
class Unfinished:
    """The folder in which a split is made, and its shards."""

    folder: pathlib.Path
    parts: tuple[Part, ...]

    @property
    def is_worth_keeping(self) -> bool:
        """Whether records are safe on the disk; what was left out is soon found again."""
        return any(part.is_begun and part.stored for part in self.parts)

    def publish(self, name: str) -> None:
        """Gives a file that was made in here its place beside the records."""
        os.replace(self.folder / name, self.folder.with_name(name))

    def remove(self) -> None:
        """Removes the folder."""
        shutil.rmtree(self.folder)


def remove(path: pathlib.Path) -> None:
    """Removes what is unfinished of the records at `path`."""
    shutil.rmtree(folder_of(path))


def folder_of(path: pathlib.Path) -> pathlib.Path:
    """Returns where the records at `path` are made."""
    return path.with_name(f".{path.name}{SUFFIX}")


def is_any_in(folder: pathlib.Path) -> bool:
    """Tells whether a folder has a split that is done or can be continued."""
    patterns = (f".*{records.SUFFIX}{SUFFIX}", f"*{records.SIZE_SUFFIX}")
    return any(any(folder.glob(pattern)) for pattern in patterns)


def require_own(path: pathlib.Path) -> None:
    """Refuses links and folders where records are made: they lead to files of others.

    Args:
        path: The records.
    """
    folder = folder_of(path)
    if not os.path.lexists(folder):
        return
    is_folder = folder.is_dir() and not folder.is_symlink()
    if not is_folder or not all(map(_is_plain, folder.iterdir())):
        raise errors.UserError(
            "unfinished records are not those of a serialization",
            where=folder,
            received="a folder with links in it, or folders"
            if is_folder
            else "a link, or no folder",
            expected="no such folder, or the one that a killed serialization left",
            remedy="Find out who put it there, and remove it",
        )


def _is_plain(path: pathlib.Path) -> bool:
    """Tells whether there is a file with this one name, or nothing any more."""
    try:
        status = path.lstat()
    except FileNotFoundError:  # another process may be at work in there
        return True
    return stat.S_ISREG(status.st_mode) and status.st_nlink <= 1


def begun(
    path: pathlib.Path,
    plan: Mapping[str, object],
    *,
    items: Sequence[lists.Item],
    items_by_file: Mapping[str, np.ndarray],
    is_alone: bool,
) -> Unfinished:
    """Makes the folder of a split, or takes over the one that is there.

    Args:
        path: The records, or one file of them that is made alone.
        plan: What decides on them, as values for JSON.
        items: The items.
        items_by_file: Places of the items of each file, by its name, in the order of its records.
        is_alone: Whether nobody else can be writing here; else nothing is taken over.
    """
    folder = folder_of(path)
    if not is_alone:
        folder = folder.with_name(f".{path.name}.{uuid.uuid4().hex[:8]}{SUFFIX}")
    continues = folder.is_dir() and not _differences(folder, plan, path.name)
    if not continues:
        _make(folder, plan)
    parts = tuple(
        Part(folder, number, path.with_name(name), items=items, places=places)
        for number, (name, places) in enumerate(items_by_file.items())
    )
    if continues:
        for part in parts:
            part.recover()
        _tell(path.name, parts)
    return Unfinished(folder, parts)


def published(
    path: pathlib.Path, plan: Mapping[str, object], names: Sequence[str]
) -> set[pathlib.Path]:
    """Returns the files of unfinished records that have their names already.

    Args:
        path: The records, or one file of them that is made alone.
        plan: What decides on them; those of another plan are none of them.
        names: Names of the files.
    """
    folder = folder_of(path)
    if _planned(folder) != _plain(plan):
        return set()
    parts = (
        Part(folder, number, path.with_name(name), items=(), places=np.arange(0))
        for number, name in enumerate(names)
    )
    return {part.final for part in parts if part.is_said_to_be_published()}


def anew(path: pathlib.Path) -> Unfinished:
    """Makes the folder of a split whose files are there already and only have to be told of."""
    folder = folder_of(path)
    _make(folder, {})
    return Unfinished(folder, ())


def _make(folder: pathlib.Path, plan: Mapping[str, object]) -> None:
    if folder.is_dir():
        shutil.rmtree(folder)
    folder.mkdir()
    try:
        files.write_json(folder / _PLAN, _plain(plan))
        files.sync_folder(folder.parent)
    except BaseException:
        shutil.rmtree(folder, ignore_errors=True)
        raise


def _plain(plan: Mapping[str, object]) -> dict[str, object]:
    """Returns the values as they come back from JSON."""
    return json.loads(json.dumps(plan))


def _planned(folder: pathlib.Path) -> dict[str, object] | None:
    """Returns the plan of a folder; None if there is none that can be read."""
    with contextlib.suppress(OSError, ValueError):
        plan = json.loads((folder / _PLAN).read_text(encoding="utf-8"))
        return plan if isinstance(plan, dict) else None
    return None


def _differences(folder: pathlib.Path, plan: Mapping[str, object], name: str) -> list[str]:
    """Returns in what a folder's plan is another, and says so."""
    there, asked = _planned(folder), _plain(plan)
    if there is None:
        differences = ["a plan that cannot be read"]
    else:
        keys = [*asked, *(key for key in there if key not in asked)]
        differences = [key for key in keys if there.get(key, ...) != asked.get(key, ...)]
    if differences:
        log.info(
            "%s: unfinished records are thrown away and begun anew, they differ in %s",
            name,
            errors.few(differences),
        )
    return differences


def _tell(name: str, parts: Sequence[Part]) -> None:
    done = sum(len(part.stored) + len(part.skipped) for part in parts)
    finished = sum(part.is_finished for part in parts)
    log.info(
        "%s: going on with unfinished records, %d items and %d of %d shards are done",
        name,
        done,
        finished,
        len(parts),
    )
