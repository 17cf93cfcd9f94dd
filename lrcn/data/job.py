"""The work on one split: what is asked for, what is there of it, and its metadata."""

from __future__ import annotations

import dataclasses
import functools
import hashlib
import json
import pathlib
from collections.abc import Mapping, Sequence

import av
import numpy as np
import PIL

import lrcn
from lrcn import errors, files
from lrcn.data import clips as clips_lib
from lrcn.data import (
    framing,
    lists,
    packing,
    present,
    records,
    shuffled,
    storing,
    telling,
    tfds_metadata,
    unfinished,
    writing,
)
from lrcn.data import modality as modality_lib

# Options that say how the work is done, not what comes of it.
_OF_THE_WORK = ("num_threads", "num_items_per_thread", "overwrite")


@dataclasses.dataclass(frozen=True)
class Job:
    """The work on one split; `target` is the path of its records without suffix."""

    catalog: lists.Catalog
    split: lists.Split
    target: pathlib.Path
    options: storing.StoreOptions
    known: Mapping[int, framing.Place]

    @property
    def path(self) -> pathlib.Path:
        """The records, `.../NAME.tfrecord`."""
        return records.records_path(self.target)

    @property
    def type(self) -> str:
        """`image` or `video`."""
        kinds = {item.kind for item in self.split.items if item.problem is None}
        return "image" if kinds and kinds <= {"image", "picture"} else "video"

    @property
    def mode(self) -> clips_lib.ClipMode | None:
        """How clips are chosen; images have none."""
        return None if self.type == "image" else self.options.mode

    def check(self, *, is_shard: bool = False) -> None:
        """Refuses what can be refused before any work.

        Args:
            is_shard: Whether the process makes one of the files alone.
        """
        self.options.reading()
        if self.options.image_shape:  # whoever reads the records keeps the limit, too
            height, width, _ = self.options.image_shape
            self.options.limits.require(
                "image_pixels", height * width, where="raw_image_shape", what="a stored frame"
            )
        if self.options.modality.is_of_pairs:
            modality_lib.between(self.options.modality)  # refuses a method that is not installed
        tfds_metadata.check_name(self.path)
        tfds_metadata.check_joins(self.path, self.catalog.label_names, limits=self.options.limits)
        problems = [item.problem for item in self.split.items if item.problem]
        if problems and self.options.on_error == "stop":
            raise lists.first_of(problems)
        _check_ids(self.split)
        self._check_count(is_shard=is_shard)

    def _check_count(self, *, is_shard: bool) -> None:
        if self.options.shards > len(self.split.items):
            alone = (
                "serialize this list by itself into the same folder, without shard_index and "
                "shard_count, before or after the others"
            )
            raise errors.UserError(
                "more shards than items",
                where="shard_count" if is_shard else "shards",
                received=self.options.shards,
                expected=f"at most {len(self.split.items)}, the items of {self.split.source}",
                remedy=f"Lower shard_count, or {alone}"
                if is_shard
                else "Lower shards, or leave it out for a single file",
            )

    def check_folder(self) -> None:
        """Refuses other records of the name, unless they may be replaced."""
        unfinished.require_own(self.path)
        refuse_others(self.path, self.differences())

    @property
    def is_there(self) -> bool:
        """Whether finished records of the name are there and may not be replaced."""
        is_finished = records.size_path(self.path).exists() and records.files_of(self.path)
        return bool(is_finished) and not self.options.overwrite

    @property
    def is_begun(self) -> bool:
        """Whether unfinished records of the name are there."""
        return unfinished.folder_of(self.path).exists()

    def differences(self) -> list[str]:
        """Returns in what records of the name differ from those asked for, if that matters."""
        found = records.files_of(self.path)
        if self.options.overwrite or not found:
            return []
        if not self.is_there:  # a kill may have come while they were given their names
            ours = unfinished.published(self.path, self.plan, list(self.items_by_file()))
            if ours.issuperset(found):
                return []
        return present.differences(
            self.path,
            self._settings(),
            shards=self.options.shards,
            source=self.source,
            is_strict=self.options.on_error == "stop" and self.options.short_videos != "skip",
            limits=self.options.limits,
        )

    def _settings(self) -> dict[str, object]:
        """Returns what decides on the content of the records, under the keys of the metadata."""
        options, catalog, mode = self.options, self.catalog, self.mode
        settings = {
            "clipframe_mode": mode,
            "raw_image_shape": options.reading().image_shape,
            "frame_step": options.frame_step,
            "fps": options.fps,
            "frame_format": options.frame_format,
            "quality": options.quality,
            "modality": options.modality.name,
            "flow_method": options.modality.method,
            "shuffled": options.shuffle,
            "num_classes": catalog.num_classes,
            "multi_label": catalog.multi_label,
            "label_names": tuple(catalog.label_names),
        }
        if mode is not None:
            settings["short_videos"] = options.short_videos
        drawn = options.shuffle or (mode is not None and mode.name != "iterative")
        return {**settings, "seed": options.seed} if drawn else settings

    @functools.cached_property
    def source(self) -> str:
        """What the items are when the work begins: files that change meanwhile are noticed."""
        return present.digest(self.split, self.options.frame_format)

    @functools.cached_property
    def plan(self) -> dict[str, object]:
        """All that decides on the bytes of the records and of their metadata."""
        options = dataclasses.asdict(self.options)
        # A higher limit changes only what was left out because of a lower one.
        of_the_work = (*_OF_THE_WORK, *(["limits"] if self.options.on_error == "stop" else []))
        reasons = [[item.where, str(item.problem or "")] for item in self.split.items]
        return {
            "programs": [lrcn.__version__, PIL.__version__, av.__version__],
            "format_version": records.FORMAT_VERSION,
            **{key: value for key, value in options.items() if key not in of_the_work},
            "type": self.type,
            "num_classes": self.catalog.num_classes,
            "multi_label": self.catalog.multi_label,
            "label_names": self.catalog.label_names,
            "source": [self.split.source, self.source],
            "lines": hashlib.sha256(json.dumps(reasons).encode()).hexdigest(),
        }

    def items_by_file(self) -> dict[str, np.ndarray]:
        """Returns the places of the items of each file, in the order of its records."""
        order, count = np.arange(len(self.split.items)), self.options.shards
        if self.options.shuffle:
            order = shuffled.order_of(self.split, self.options.seed)
        bounds = [len(order) * number // count for number in range(count + 1)]
        names = records.shard_names(self.path, count)
        return {
            name: order[first:last]
            for name, first, last in zip(names, bounds, bounds[1:], strict=False)
        }

    def begin(self, is_alone: bool) -> unfinished.Unfinished:
        """Returns the folder in which the split is made, with what is done already."""
        return unfinished.begun(
            self.path,
            self.plan,
            items=self.split.items,
            items_by_file=self.items_by_file(),
            is_alone=is_alone,
        )

    def write(self, begun: unfinished.Unfinished) -> writing.Written:
        """Writes what is left of the split, in the folder where it is made.

        Raises:
            UserError: An item is faulty, or none is left to store.
        """
        written = self.write_parts(begun)
        writing.require_any(len(written.stored), written.skipped, name=self.split.name)
        return written

    def write_parts(self, begun: unfinished.Unfinished) -> writing.Written:
        """Writes what is left of some files of the split, which may be none of its items."""
        options = self.options
        packer = packing.Packer(
            items=self.split.items,
            label_names=tuple(self.catalog.label_names),
            reading=options.reading(),
            mode=self.mode,
            short_videos=options.short_videos,
            seed=options.seed,
            known=self.known,
        )
        return writing.write(
            packer,
            begun.parts,
            name=self.split.name,
            num_threads=options.num_threads,
            num_items_per_thread=options.num_items_per_thread,
            skip_all=options.on_error == "skip",
        )

    def publish(self, begun: unfinished.Unfinished, written: writing.Written) -> None:
        """Gives the finished files their names; the metadata, which make them valid, the last."""
        metadata = self.metadata_of(written, [part.shard() for part in begun.parts])
        size, folder = records.size_path(self.path), self.path.parent
        if size.exists():  # from here on the old metadata would describe other files
            size.unlink()
            files.sync_folder(folder)
        for part in begun.parts:
            part.publish()
        for stale in set(records.files_of(self.path)) - {part.final for part in begun.parts}:
            stale.unlink()
        for stale in records.lone_files(self.path):
            stale.unlink()
        listed = None
        if self.options.shuffle:
            order = shuffled.order_of(self.split, self.options.seed)
            listed = shuffled.lines_of(self.split, order)
        telling.publish(begun, self.path, metadata, listed=listed, limits=self.options.limits)

    def told(self) -> tuple[pathlib.Path, records.Metadata]:
        """Returns the finished records, and reads what is told of them."""
        return self.path, records.read_metadata(self.path, limits=self.options.limits)

    def metadata_of(
        self, written: writing.Written, shards: Sequence[records.Shard]
    ) -> records.Metadata:
        """Returns what records tell that have been written.

        Args:
            written: What went into them.
            shards: Their files.
        """
        stored = written.stored
        sizes = {packed.size for packed in stored}
        groups = tuple(packed.item.group for packed in stored)
        clip_counts = tuple(packed.clips for packed in stored) if self.mode else ()
        drawn = {"seed": self.options.seed, "short_videos": self.options.short_videos}
        return records.Metadata(
            items=len(stored),
            type=self.type,
            frames_per_clip=self.mode.num_frames_per_clip if self.mode else None,
            clips_per_item=clip_counts[0] if len(set(clip_counts)) == 1 else None,
            frame_shape=(*sizes.pop(), 3) if len(sizes) == 1 else None,
            shards=tuple(shards),
            skipped=tuple(written.skipped),
            source=records.Source(self.split.source, self.source),
            ids=tuple(packed.item.id for packed in stored),
            groups=groups if any(groups) else (),
            labels=tuple(tuple(packed.item.labels) for packed in stored),
            frame_counts=tuple(packed.frames for packed in stored),
            clip_counts=clip_counts,
            **{**drawn, **self._settings()},
        )


def refuse_others(path: pathlib.Path, differences: Sequence[str]) -> None:
    """Raises a `UserError` if records that are there differ from those asked for.

    Args:
        path: The records, or one file of them.
        differences: In what they differ.
    """
    if differences:
        raise errors.UserError(
            "output folder already holds other records",
            where=path,
            received=f"records that differ in {', '.join(differences)}",
            expected="none, or records of the same items and settings",
            remedy="Choose another output_folder, or set overwrite=true to replace them",
        )


def _check_ids(split: lists.Split) -> None:
    places: dict[str, str] = {}
    for item in split.items:
        if item.problem is not None:
            continue
        if item.id in places:
            raise errors.UserError(
                "two items with one id",
                where=item.where or split.source,
                received=item.id,
                expected="each id once",
                remedy=f"It stands first at {places[item.id] or split.source}; remove one of them",
            )
        places[item.id] = item.where
