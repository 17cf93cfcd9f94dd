"""Items to records: read by threads, written in order, finished or not there at all."""

from __future__ import annotations

import contextlib
import dataclasses
import pathlib
from collections.abc import Iterator, Sequence

from lrcn import errors
from lrcn.data import claim, lists, records, shuffled, storing, unfinished, writing
from lrcn.data import known as known_lib
from lrcn.data.job import Job

StoreOptions = storing.StoreOptions
write_shuffled = shuffled.write


@dataclasses.dataclass(frozen=True)
class Report:
    """What is stored under one name; `reused` if equal records were there already."""

    name: str
    path: pathlib.Path
    items: int
    clips: int
    frames: int
    bytes: int
    skipped: tuple[tuple[str, str], ...]
    reused: bool = False


def serialize(
    catalog: lists.Catalog,
    output_folder: str | pathlib.Path,
    *,
    options: StoreOptions,
    known: known_lib.Places | None = None,
) -> list[Report]:
    """Stores every split of a data set as records with metadata.

    A split becomes `NAME.tfrecord` (or shards), `NAME.tfrecord.size` and, if shuffled,
    `NAME.shuffled`; TensorFlow Datasets can open the folder. Finished records of the same items
    and settings are left as they are. Records appear under their names only when complete. What is
    killed or runs out of room goes on where it was when it is asked for again.

    Args:
        catalog: The data set.
        output_folder: Where the records go; it is created.
        options: How they are stored.
        known: Where the frames of items are stored already, if every frame is.

    Raises:
        UserError: If an item is bad (and `on_error` is `stop`), videos are shorter than a clip,
            other records of the name are there, or another process writes into the folder; nothing
            new is left under a final name then.
    """
    folder = pathlib.Path(output_folder)
    jobs = [
        Job(catalog, split, folder / split.name, options, (known or {}).get(split.name, {}))
        for split in catalog.splits.values()
    ]
    for job in jobs:
        job.check()
    is_quiet = not claim.is_marked(folder) and not any(job.is_begun for job in jobs)
    if is_quiet and all(job.is_there and not job.differences() for job in jobs):
        return [_report(job, reused=True) for job in jobs]
    with (
        writing.telling_errors(folder),
        _new_folder(folder),
        claim.alone(folder) as is_alone,
    ):
        for job in jobs:
            job.check_folder()
        return _run(jobs, is_alone)


def _run(jobs: Sequence[Job], is_alone: bool) -> list[Report]:
    """Stores the splits that are not there already.

    What is unfinished is removed when all are done: a split that is to replace other records is
    then not written again if a later one is killed.
    """
    begun, reports = [], []
    for number, job in enumerate(jobs, start=1):
        reused = job.is_there
        if not reused:
            begun.append(job.begin(is_alone))
            with _discarding(begun, jobs[:number] if is_alone else ()):
                written = job.write(begun[-1])
            job.publish(begun[-1], written)
        reports.append(_report(job, reused=reused))
    _clear(begun, jobs if is_alone else ())
    return reports


@contextlib.contextmanager
def _discarding(begun: Sequence[unfinished.Unfinished], jobs: Sequence[Job]) -> Iterator[None]:
    """Removes what is unfinished if an item is at fault: what mends it makes another plan.

    What is interrupted, or has no room, goes on later; but there is no use in an empty folder.
    """
    try:
        yield
    except errors.UserError:
        _clear(begun, jobs)
        raise
    except BaseException:
        if not begun[-1].is_worth_keeping:
            begun[-1].remove()
        raise


def _clear(begun: Sequence[unfinished.Unfinished], jobs: Sequence[Job]) -> None:
    """Removes what was begun, and what an earlier process left of splits that are there."""
    for one in begun:
        one.remove()
    for job in jobs:
        if job.is_begun:
            unfinished.remove(job.path)


@contextlib.contextmanager
def _new_folder(folder: pathlib.Path) -> Iterator[None]:
    """Makes a folder, and takes it away again if nothing came into it."""
    new = [path for path in (folder, *folder.parents) if not path.exists()]
    try:
        folder.mkdir(parents=True, exist_ok=True)
        yield
    finally:
        with contextlib.suppress(OSError):  # not empty, or never made
            for path in new:
                path.rmdir()


def _report(job: Job, *, reused: bool) -> Report:
    metadata = records.read_metadata(job.path, limits=job.options.limits)
    return Report(
        name=job.split.name,
        path=job.path,
        items=metadata.items,
        clips=sum(metadata.clip_counts),
        frames=sum(metadata.frame_counts),
        bytes=sum(shard.bytes for shard in metadata.shards),
        skipped=metadata.skipped,
        reused=reused,
    )
