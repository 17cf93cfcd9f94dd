"""Items to records: read by threads, written in order, finished or not there at all."""

from __future__ import annotations

import contextlib
import dataclasses
import glob
import hashlib
import json
import pathlib
from collections.abc import Iterator, Mapping, Sequence

import numpy as np

from lrcn import errors, files
from lrcn.data import clips as clips_lib
from lrcn.data import framing, lists, packing, records, sources, tfds_metadata, video, writing
from lrcn.data import known as known_lib
from lrcn.data import modality as modality_lib
from lrcn.data.limits import Limits

ON_ERROR = ("stop", "skip")


@dataclasses.dataclass(frozen=True)
class StoreOptions:
    """How items are stored.

    Attributes:
        mode: How clips are chosen, None to store every frame. Images ignore it.
        image_shape: `(height, width, 3)` of stored frames, None for the sources' own.
        frame_format: Suffix of frames in folders.
        frame_step: Every `frame_step`-th frame is kept, after `fps`.
        fps: Frames per second to resample videos to, or None.
        num_threads: Threads that read and encode; the records do not depend on it.
        num_items_per_thread: Items a thread may be ahead of the writer, which bounds memory.
        shuffle: Whether to store items in random order and write `NAME.shuffled`.
        short_videos: `error`, `loop` or `skip` for videos shorter than a clip.
        on_error: `stop` at the first bad item, or `skip` and report bad items.
        shards: Number of files.
        overwrite: Whether other records of the same name are replaced.
        seed: Seed of random clips and of the order.
        quality: JPEG quality of encoded frames.
        modality: What the frames are stored as.
        limits: The most that a source may ask for.
    """

    mode: clips_lib.ClipMode | None
    image_shape: tuple[int, int, int] | None = None
    frame_format: str = "jpg"
    frame_step: int = 1
    fps: float | None = None
    num_threads: int = 4
    num_items_per_thread: int = 500
    shuffle: bool = False
    short_videos: str = "error"
    on_error: str = "stop"
    shards: int = 1
    overwrite: bool = False
    seed: int = 0
    quality: int = 95
    modality: modality_lib.Modality = modality_lib.Modality()
    limits: Limits = Limits()

    def __post_init__(self):
        for key in ("num_threads", "num_items_per_thread", "shards"):
            if getattr(self, key) < 1:
                raise errors.UserError(
                    "value out of range",
                    where=key,
                    received=getattr(self, key),
                    expected="1 or more",
                    remedy=f"Set {key}=1, or leave it out for its default",
                )
        for key, members in (("on_error", ON_ERROR), ("short_videos", clips_lib.SHORT_VIDEOS)):
            if getattr(self, key) not in members:
                raise errors.UserError(
                    "unknown value",
                    where=key,
                    received=getattr(self, key),
                    expected=f"one of {', '.join(members)}",
                    remedy=f"Set {key}={members[0]}, or another of them",
                )

    def reading(self) -> video.Reading:
        """Returns how frames are read; raises for a bad shape, step or rate."""
        shape = tuple(self.image_shape) if self.image_shape else None
        names = ("frame_format", "frame_step", "fps", "quality", "modality", "limits")
        return video.Reading(shape, **{name: getattr(self, name) for name in names})


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
    and settings are left as they are. Records appear under their names only when complete.

    Args:
        catalog: The data set.
        output_folder: Where the records go; it is created.
        options: How they are stored.
        known: Where the frames of items are stored already, if every frame is.

    Raises:
        UserError: If an item is bad (and `on_error` is `stop`), videos are shorter than a clip,
            or other records of the name are there; nothing is left under a final name then.
    """
    folder = pathlib.Path(output_folder)
    jobs = [
        _Job(catalog, split, folder / split.name, options, (known or {}).get(split.name, {}))
        for split in catalog.splits.values()
    ]
    for job in jobs:
        job.check()
    with writing.telling_errors(folder), _new_folder(folder):
        return [job.run() for job in jobs]


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


def write_shuffled(split: lists.Split, target: pathlib.Path, *, seed: int) -> np.ndarray:
    """Writes the items of a split in random order to `target` as a list that can be read again.

    Returns:
        The order, as places in the split.
    """
    order = _shuffled_order(split, seed)
    lines = [line for index in order for line in _lines_of(split.items[index])]
    with writing.telling_errors(target.parent):
        files.write_text(target, "".join(f"{line}\n" for line in lines))
    return order


def _shuffled_order(split: lists.Split, seed: int) -> np.ndarray:
    return np.random.default_rng([seed, len(split.items)]).permutation(len(split.items))


def _lines_of(item: lists.Item) -> list[str]:
    path = item.path or item.id
    if item.captions and not item.labels:
        return [f"{path}\t{caption}" for caption in item.captions]
    return ["\t".join([path, *map(str, item.labels)])]


@dataclasses.dataclass(frozen=True)
class _Job:
    """The work on one split; `target` is the path of its records without suffix."""

    catalog: lists.Catalog
    split: lists.Split
    target: pathlib.Path
    options: StoreOptions
    known: Mapping[int, framing.Place]

    @property
    def path(self) -> pathlib.Path:
        return records.records_path(self.target)

    @property
    def type(self) -> str:
        kinds = {item.kind for item in self.split.items if item.problem is None}
        return "image" if kinds and kinds <= {"image", "picture"} else "video"

    @property
    def mode(self) -> clips_lib.ClipMode | None:
        return None if self.type == "image" else self.options.mode

    def check(self) -> None:
        """Refuses what can be refused before any work."""
        self.options.reading()
        if self.options.modality.is_of_pairs:
            modality_lib.between(self.options.modality)  # refuses a method that is not installed
        tfds_metadata.check_name(self.path)
        tfds_metadata.check_joins(self.path, self.catalog.label_names)
        problems = [item.problem for item in self.split.items if item.problem]
        if problems and self.options.on_error == "stop":
            raise lists.first_of(problems)
        _check_ids(self.split)
        if self.options.shards > len(self.split.items):
            raise errors.UserError(
                "more shards than items",
                where="shards",
                received=self.options.shards,
                expected=f"at most {len(self.split.items)}, the items of {self.split.source}",
                remedy="Lower shards, or leave it out for a single file",
            )
        if differences := self._differences():
            raise errors.UserError(
                "output folder already holds other records",
                where=self.path,
                received=f"records that differ in {', '.join(differences)}",
                expected="none, or records of the same items and settings",
                remedy="Choose another output_folder, or set overwrite=true to replace them",
            )

    def _differences(self) -> list[str]:
        """Returns in what records of the name differ from those asked for, if that matters."""
        if self.options.overwrite or not _files_of(self.path):
            return []
        try:
            present = records.read_metadata(self.path)
        except errors.UserError as error:
            return [f"that they are broken ({error.what})"]
        asked = self._settings()
        differences = [key for key, value in asked.items() if getattr(present, key) != value]
        strict = self.options.on_error == "stop" and self.options.short_videos != "skip"
        others = {
            "shards": len(present.shards) != self.options.shards,
            "source": present.source.sha256 != self._hash(),
            "skipped": bool(present.skipped) and strict,
        }
        return differences + [key for key, differs in others.items() if differs]

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

    def _hash(self) -> str:
        return _hash_of(self.split, self.options.frame_format)

    def run(self) -> Report:
        """Stores the split, unless it is there already."""
        if not self.options.overwrite and _files_of(self.path):
            return _report(self.split.name, self.path, reused=True)
        order = np.arange(len(self.split.items))
        if self.options.shuffle:
            order = _shuffled_order(self.split, self.options.seed)
        names = records.shard_names(self.path, self.options.shards)
        finals = [self.path.with_name(name) for name in names]
        files.remove_abandoned(self.path)
        with contextlib.ExitStack() as stack:
            temporary = [
                stack.enter_context(files.atomic_path(final, claimed=True)) for final in finals
            ]
            written = self._write(order, temporary)
            shards = [
                records.Shard(final.name, count, path.stat().st_size, files.checksum(path))
                for final, count, path in zip(finals, written.counts, temporary, strict=True)
            ]
            # From here on the old metadata would describe other files.
            records.size_path(self.path).unlink(missing_ok=True)
        for stale in set(_files_of(self.path)) - set(finals):
            stale.unlink()
        self._list_shuffled()
        metadata = self._metadata(written, shards)
        tfds_metadata.write(self.path, metadata)
        records.write_metadata(self.path, metadata)
        return _report(self.split.name, self.path)

    def _list_shuffled(self) -> None:
        """Writes `NAME.shuffled`, or removes that of the records that were there before."""
        shuffled = self.target.with_name(f"{self.target.name}.shuffled")
        if self.options.shuffle:
            write_shuffled(self.split, shuffled, seed=self.options.seed)
        else:
            shuffled.unlink(missing_ok=True)

    def _write(self, order: np.ndarray, paths: Sequence[pathlib.Path]) -> writing.Written:
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
            order,
            paths,
            name=self.split.name,
            num_threads=options.num_threads,
            num_items_per_thread=options.num_items_per_thread,
            skip_all=options.on_error == "skip",
        )

    def _metadata(
        self, written: writing.Written, shards: Sequence[records.Shard]
    ) -> records.Metadata:
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
            source=records.Source(self.split.source, self._hash()),
            ids=tuple(packed.item.id for packed in stored),
            groups=groups if any(groups) else (),
            labels=tuple(tuple(packed.item.labels) for packed in stored),
            frame_counts=tuple(packed.frames for packed in stored),
            clip_counts=clip_counts,
            **{**drawn, **self._settings()},
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


def _hash_of(split: lists.Split, frame_format: str) -> str:
    """Returns the SHA-256 of what the items are, with sizes and times of their files."""
    digest = hashlib.sha256()
    for item in split.items:
        # A description of generated items stands in the source; a list may move.
        origin = split.source if item.load else ""
        facts = [origin, item.id, item.path, item.kind, item.labels, item.captions, item.group]
        digest.update(json.dumps([*facts, sources.stamp(item, frame_format)]).encode())
    return digest.hexdigest()


def _files_of(path: pathlib.Path) -> list[pathlib.Path]:
    """Returns the files that records of the name have, finished or not, without metadata."""
    shards = path.parent.glob(f"{glob.escape(path.name)}-[0-9]*-of-[0-9]*")
    return [*([path] if path.exists() else []), *sorted(shards)]


def _report(name: str, path: pathlib.Path, *, reused: bool = False) -> Report:
    metadata = records.read_metadata(path)
    return Report(
        name=name,
        path=path,
        items=metadata.items,
        clips=sum(metadata.clip_counts),
        frames=sum(metadata.frame_counts),
        bytes=sum(shard.bytes for shard in metadata.shards),
        skipped=metadata.skipped,
        reused=reused,
    )
