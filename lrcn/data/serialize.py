"""Items to records: read by threads, written in order, finished or not there at all."""

from __future__ import annotations

import contextlib
import dataclasses
import pathlib
from collections.abc import Iterator, Sequence

from lrcn import errors, files
from lrcn.data import claim, lists, records, shuffled, storing, unfinished, writing
from lrcn.data import known as known_lib
from lrcn.data.job import Job
from lrcn.data.shard_job import ShardJob

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

    @classmethod
    def of(
        cls, name: str, path: pathlib.Path, metadata: records.Metadata, *, reused: bool
    ) -> Report:
        """Returns what the metadata of records tell."""
        return cls(
            name=name,
            path=path,
            items=metadata.items,
            clips=sum(metadata.clip_counts),
            frames=sum(metadata.frame_counts),
            bytes=sum(shard.bytes for shard in metadata.shards),
            skipped=metadata.skipped,
            reused=reused,
        )


def serialize(
    catalog: lists.Catalog,
    output_folder: str | pathlib.Path,
    *,
    options: StoreOptions,
    known: known_lib.Places | None = None,
    remedy: str = writing.ELSEWHERE,
    shard_index: int | None = None,
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
        remedy: What to do where the folder cannot be written to.
        shard_index: The one of `options.shards` shards that is made here, of every split; other
            processes make the others, and `merging.merge` then makes records of them. None if all
            is done here.

    Raises:
        UserError: If an item is bad (and `on_error` is `stop`), videos are shorter than a clip,
            other records of the name are there, or another process writes into the folder; nothing
            new is left under a final name then. What is safe on the disk is kept aside: the fault
            may pass, and then the same call goes on with it.
    """
    folder = pathlib.Path(output_folder)
    jobs: Sequence[Job | ShardJob] = [
        Job(catalog, split, folder / split.name, options, (known or {}).get(split.name, {}))
        for split in catalog.splits.values()
    ]
    if shard_index is not None:
        jobs = [ShardJob(job, shard_index) for job in jobs]
    for job in jobs:
        job.check()
    if all(job.is_there and not job.is_begun and not job.differences() for job in jobs):
        if shard_index is None:
            claim.tidy(folder)
        return [_report(job, reused=True) for job in jobs]
    with (
        writing.telling_errors(folder, remedy=remedy),
        _new_folder(folder),
        _claimed(folder, shard_index, options.shards) as is_alone,
    ):
        for job in jobs:
            job.check_folder()
        return _run(jobs, is_alone)


def _claimed(
    folder: pathlib.Path, shard_index: int | None, count: int
) -> contextlib.AbstractContextManager[bool]:
    """Keeps others out of the folder, or from the one shard."""
    if shard_index is None:
        return claim.alone(folder)
    return claim.of_shard(folder, shard_index, count)


def _run(jobs: Sequence[Job | ShardJob], is_alone: bool) -> list[Report]:
    """Stores the splits that are not there already.

    Of a split that is to replace other records, what is unfinished is removed when all are done:
    it is then not written again if a later one is killed.
    """
    begun, reports = [], []
    for job in jobs:
        reused = job.is_there
        if not reused:
            begun.append(job.begin(is_alone))
            with _discarding(begun[-1], is_alone):
                written = job.write(begun[-1])
            job.publish(begun[-1], written)
            if not job.options.overwrite:
                begun.pop().remove()
        reports.append(_report(job, reused=reused))
    _clear(begun, jobs if is_alone else ())
    return reports


@contextlib.contextmanager
def _discarding(begun: unfinished.Unfinished, is_alone: bool) -> Iterator[None]:
    """Removes what is unfinished after a failure, unless it can be of use later.

    What is interrupted, or has no room, goes on later, and so does what met a fault of the disk
    that passes; what mends an item makes another plan, which throws it away.
    """
    try:
        yield
    except BaseException as error:
        # Without a lock nobody may take it over; who was interrupted has no time to remove it.
        is_useless = isinstance(error, errors.UserError) and not is_alone
        if is_useless or not begun.is_worth_keeping:
            begun.remove()
        raise


def _clear(begun: Sequence[unfinished.Unfinished], jobs: Sequence[Job | ShardJob]) -> None:
    """Removes what was begun, and what an earlier process left of splits that are there."""
    for one in begun:
        one.remove()
    for job in jobs:
        if job.is_begun:
            unfinished.remove(job.path)


@contextlib.contextmanager
def _new_folder(folder: pathlib.Path) -> Iterator[None]:
    """Makes a folder, and takes it away again if nothing came into it."""
    with files.gone_if_empty(folder):
        folder.mkdir(parents=True, exist_ok=True)
        yield


def _report(job: Job | ShardJob, *, reused: bool) -> Report:
    path, metadata = job.told()
    return Report.of(job.split.name, path, metadata, reused=reused)
