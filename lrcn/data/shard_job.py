"""The work of one process on one shard of a split; the other shards are made by others."""

from __future__ import annotations

import dataclasses
import json
import pathlib

from lrcn import errors, files
from lrcn.data import job as job_lib
from lrcn.data import lists, records, shard_file, shuffled, storing, unfinished, writing
from lrcn.data import metadata as metadata_lib

# Of the plan: the keys of the command line for fields of other names.
_PUBLIC = {"image_shape": "raw_image_shape", "mode": "clipframe_mode", "shuffle": "do_shuffle"}


@dataclasses.dataclass(frozen=True)
class ShardJob:
    """The work on one shard, as `Job` is that on a whole split.

    The shard holds what it would hold if one process made them all.

    Attributes:
        job: The work on the whole split, with the number of shards.
        index: The shard, from 0.
    """

    job: job_lib.Job
    index: int

    @property
    def split(self) -> lists.Split:
        """The whole split."""
        return self.job.split

    @property
    def options(self) -> storing.StoreOptions:
        """How items are stored."""
        return self.job.options

    @property
    def path(self) -> pathlib.Path:
        """The file of records."""
        return self.job.path.with_name(self._names[self.index])

    @property
    def is_there(self) -> bool:
        """Whether the finished shard is there, merged or not, and may not be replaced."""
        is_alone = shard_file.path_of(self.path).exists() and self.path.exists()
        return self.job.is_there or (is_alone and not self.options.overwrite)

    @property
    def is_begun(self) -> bool:
        """Whether there is an unfinished shard."""
        return unfinished.folder_of(self.path).exists()

    @property
    def _names(self) -> list[str]:
        return records.shard_names(self.job.path, self.options.shards)

    def check(self) -> None:
        """Refuses what can be refused before any work."""
        self.job.check(is_shard=True)

    def check_folder(self) -> None:
        """Refuses another shard of the name, unless it may be replaced."""
        unfinished.require_own(self.path)
        job_lib.refuse_others(self.path, self.differences())

    def differences(self) -> list[str]:
        """Returns in what shards that are there differ from the one asked for, if that matters."""
        if self.options.overwrite:
            return []
        if self.job.is_there:  # all are merged
            return self.job.differences()
        whole, own = self.job.path, shard_file.path_of(self.path)
        there = {file.name for file in [*records.files_of(whole), *records.lone_files(whole)]}
        if there - {*self._names, *(f"{name}{metadata_lib.LONE_SUFFIX}" for name in self._names)}:
            return ["shards"]
        if self.path.exists() and not own.exists():  # a kill may have come between the two
            is_ours = unfinished.published(self.path, self.job.plan, [self.path.name])
            return [] if is_ours else [f"that {own.name} is missing"]
        beside = [own] if own.exists() else records.lone_files(whole)[:1]
        return [key for file in beside for key in self._differences(file)]

    def _differences(self, file: pathlib.Path) -> list[str]:
        """Returns in what the plan of a shard is another."""
        try:
            told = shard_file.read(file, limits=self.options.limits)
            if file == shard_file.path_of(self.path) and self.path.exists():
                metadata_lib.require_file(file, *told.metadata.shards)
        except errors.UserError as error:
            return [f"that they are broken ({error.what})"]
        asked = json.loads(json.dumps(self.job.plan))
        keys = [*asked, *(key for key in told.plan if key not in asked)]
        others = [key for key in keys if told.plan.get(key, ...) != asked.get(key, ...)]
        return [_PUBLIC.get(key, key) for key in others]

    def begin(self, is_alone: bool) -> unfinished.Unfinished:
        """Returns the folder in which the shard is made, with what is done already."""
        return unfinished.begun(
            self.path,
            self.job.plan,
            items=self.split.items,
            items_by_file={self.path.name: self.job.items_by_file()[self.path.name]},
            is_alone=is_alone,
        )

    def write(self, begun: unfinished.Unfinished) -> writing.Written:
        """Writes what is left of the shard; all of its items may be skipped."""
        return self.job.write_parts(begun)

    def publish(self, begun: unfinished.Unfinished, written: writing.Written) -> None:
        """Gives the finished shard its name, and then the file that tells of it."""
        (part,) = begun.parts
        own, size = shard_file.path_of(self.path), records.size_path(self.path)
        for stale in (size, own, *self._stale()):  # from here on they would tell of other files
            stale.unlink(missing_ok=True)
        files.sync_folder(own.parent)
        part.publish()
        told = shard_file.ShardFile(
            index=self.index,
            count=self.options.shards,
            splits=tuple(self.job.catalog.splits),
            plan=self.job.plan,
            metadata=self.job.metadata_of(written, [part.shard()]),
            skipped_places=tuple(sorted(part.skipped)),
            listed=self._listed(),
        )
        shard_file.write(begun.folder / own.name, told)
        files.sync_folder(own.parent)
        begun.publish(own.name)
        files.sync_folder(own.parent)

    def _stale(self) -> list[pathlib.Path]:
        """Returns the files of other records of the name, which these are to replace."""
        whole, names = self.job.path, set(self._names)
        alone = {shard_file.path_of(whole.with_name(name)) for name in names}
        stale = [file for file in records.files_of(whole) if file.name not in names]
        return stale + [file for file in records.lone_files(whole) if file not in alone]

    def _listed(self) -> tuple[str, ...] | None:
        if not self.options.shuffle:
            return None
        return tuple(shuffled.lines_of(self.split, self.job.items_by_file()[self.path.name]))

    def told(self) -> tuple[pathlib.Path, records.Metadata]:
        """Returns the finished shard, or all of them once they are merged, and what is told."""
        if self.job.is_there:
            return self.job.told()
        own = shard_file.path_of(self.path)
        return self.path, shard_file.read(own, limits=self.options.limits).metadata
