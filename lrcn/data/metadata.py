"""The `.size` file beside records: what it tells of them, and the names of their files."""

from __future__ import annotations

import dataclasses
import glob
import json
import pathlib
import re
import shlex
from collections.abc import Mapping

from lrcn import errors, files
from lrcn.data import agreement, bounded, lines
from lrcn.data import clips as clips_lib
from lrcn.data.limits import Limits

FORMAT_VERSION = 1
SUFFIX = ".tfrecord"
SIZE_SUFFIX = ".tfrecord.size"
LONE_SUFFIX = ".shard"
"""Of the file that tells of a shard which is not merged yet; see `data.shard_file`."""
REDO = "Serialize again with overwrite=true"
_SHARD = re.compile(r"\.tfrecord-\d{5}-of-\d{5}$")


@dataclasses.dataclass(frozen=True)
class Shard:
    """One file of records: its name, records, size in bytes and SHA-256."""

    name: str
    records: int
    bytes: int
    checksum: str


@dataclasses.dataclass(frozen=True)
class Source:
    """Where the items came from, and the SHA-256 of what was asked to be stored."""

    name: str
    sha256: str


@dataclasses.dataclass(frozen=True)
class Metadata:
    """What the `.size` file tells about records; five of them hold an entry an item.

    Attributes:
        format_version: Version of the schema.
        items: Number of items.
        type: `image` or `video`.
        frames_per_clip: F, or None if no clips are stored.
        clips_per_item: Clips of every item if equal, else None (see `clip_counts`).
        frame_shape: Stored `(height, width, 3)`, or None if items differ.
        channel_order: Of decoded frames, always `rgb`.
        num_classes: Number of classes, 0 without labels.
        multi_label: Whether an item may have several labels.
        label_names: Names of the classes, possibly empty.
        clipframe_mode: The mode the stored clips were taken with, None for every frame.
        raw_image_shape: The shape that was asked for, None for the sources' own.
        frame_step: Every `frame_step`-th frame was kept.
        fps: Frames per second after resampling, None for the source's own.
        frame_format: Suffix of frames in folders.
        short_videos: What became of videos shorter than a clip.
        quality: JPEG quality of encoded frames.
        modality: What the frames show: `rgb`, `flow` or `difference`; see `data.modality`.
        flow_method: How optical flow was computed, None for other modalities.
        shuffled: Whether items were stored in random order.
        seed: Seed of the clips and of the order.
        shards: Files in order.
        skipped: Pairs of item id and reason.
        source: Origin and hash of the items.
        ids: Item ids in stored order.
        groups: Groups of the items, empty if they have none.
        labels: Labels of each item.
        frame_counts: Stored frames of each item.
        clip_counts: Stored clips of each item, empty if no clips are stored.
    """

    items: int
    type: str
    frames_per_clip: int | None
    clips_per_item: int | None
    frame_shape: tuple[int, int, int] | None
    num_classes: int
    multi_label: bool
    label_names: tuple[str, ...]
    clipframe_mode: clips_lib.ClipMode | None
    raw_image_shape: tuple[int, int, int] | None
    frame_step: int
    fps: float | None
    frame_format: str
    short_videos: str
    quality: int
    shuffled: bool
    seed: int
    shards: tuple[Shard, ...]
    skipped: tuple[tuple[str, str], ...]
    source: Source
    ids: tuple[str, ...]
    groups: tuple[str, ...]
    labels: tuple[tuple[int, ...], ...]
    frame_counts: tuple[int, ...]
    clip_counts: tuple[int, ...]
    format_version: int = FORMAT_VERSION
    channel_order: str = "rgb"
    modality: str = "rgb"
    flow_method: str | None = None


def records_path(path: str | pathlib.Path) -> pathlib.Path:
    """Returns `.../name.tfrecord` for that path itself, its `.size`, one of its shards or name."""
    path = pathlib.Path(path)
    if path.name.endswith(SIZE_SUFFIX):
        return path.with_name(path.name.removesuffix(".size"))
    if _SHARD.search(path.name):
        return path.with_name(_SHARD.sub(SUFFIX, path.name))
    return path if path.name.endswith(SUFFIX) else path.with_name(path.name + SUFFIX)


def size_path(path: str | pathlib.Path) -> pathlib.Path:
    """Returns the metadata file of the records at `path`."""
    path = records_path(path)
    return path.with_name(path.name + ".size")


def shard_names(path: str | pathlib.Path, shards: int) -> list[str]:
    """Returns the file names of records at `path` in `shards` files."""
    name = records_path(path).name
    if shards == 1:
        return [name]
    return [f"{name}-{index:05d}-of-{shards:05d}" for index in range(shards)]


def write_metadata(path: str | pathlib.Path, metadata: Metadata) -> None:
    """Writes the `.size` file of the records at `path`, a key a line."""
    values = dataclasses.asdict(metadata)
    write_keys(size_path(path), {"format_version": metadata.format_version, **values})


def write_keys(path: pathlib.Path, values: Mapping[str, object]) -> None:
    """Writes JSON with a key a line."""
    lines = [f"  {json.dumps(k)}: {json.dumps(v, ensure_ascii=False)}" for k, v in values.items()]
    files.write_text(path, "{\n" + ",\n".join(lines) + "\n}\n")


def read_metadata(path: str | pathlib.Path, *, limits: Limits = Limits()) -> Metadata:
    """Reads the metadata of records and checks that their files are there in full length.

    Args:
        path: `.../name.tfrecord`, or its `.size` or a shard.
        limits: The most that the metadata may ask for.

    Raises:
        UserError: If the `.size` is missing, unreadable, of another version or disagrees with
            itself, or if a shard is missing, lies elsewhere or is of another length.
    """
    metadata = read_alone(path, limits=limits)
    size = size_path(path)
    for shard in metadata.shards:
        require_file(size, shard)
    return metadata


def read_alone(path: str | pathlib.Path, *, limits: Limits = Limits()) -> Metadata:
    """Reads the metadata of records without a look at their files; see `read_metadata`."""
    size = size_path(path)
    return from_json(size, _read_json(size, limits), limits=limits)


def require_file(size: pathlib.Path, shard: Shard) -> None:
    """Raises a `UserError` unless a file of records is there, in its folder and in full length.

    Args:
        size: The `.size` that names the file.
        shard: What it tells of the file.
    """
    path = size.with_name(shard.name)
    length = path.stat().st_size if path.is_file() else None
    if length is None:
        raise errors.UserError(
            "file of the records is missing",
            where=path,
            received="no such file",
            expected=f"{shard.bytes} bytes",
            remedy=REDO,
        )
    if path.resolve().parent not in (size.parent.resolve(), size.resolve().parent):
        raise errors.UserError(
            "file of the records lies elsewhere",
            where=path,
            received=f"a link to {path.resolve()}",
            expected=f"a file beside {size.name}, or both as links into one folder",
            remedy="Copy it here if it is yours, or link its .size, too",
        )
    if length != shard.bytes:
        raise errors.UserError(
            "records are cut short or changed",
            where=path,
            received=f"{length} bytes",
            expected=f"{shard.bytes} bytes",
            remedy=REDO,
        )


def _read_json(size: pathlib.Path, limits: Limits) -> dict:
    try:
        values = json.loads(bounded.read(size, what="metadata", limits=limits).decode())
    except FileNotFoundError as error:
        raise _missing(size) from error
    except errors.UserError:
        raise
    except (OSError, ValueError, RecursionError) as error:
        raise errors.UserError(
            "metadata cannot be read",
            where=size,
            received=lines.reason(error) if isinstance(error, OSError) else error,
            expected="the JSON that `lrcn serialize` wrote",
            remedy=REDO,
        ) from error
    version = values.get("format_version") if isinstance(values, dict) else None
    if type(version) is not int or version != FORMAT_VERSION:
        raise errors.UserError(
            "records of another version",
            where=size,
            received=f"format_version {version!r:.60}",
            expected=FORMAT_VERSION,
            remedy=REDO,
        )
    return values


def _missing(size: pathlib.Path) -> errors.UserError:
    name = size.name.removesuffix(".size")
    pattern = f"{glob.escape(name)}*"
    found = list(size.parent.glob(pattern)) if size.parent.is_dir() else []
    if alone := lone_files(records_path(size)):
        return errors.UserError(
            "the shards of these records are not merged",
            where=size,
            received=errors.few([path.name for path in alone]),
            expected=f"{size.name}, which merging writes",
            remedy=f"Merge them by `{merge_command(size.parent)}`, which tells what is missing",
        )
    return errors.UserError(
        "records are unfinished, their .size is missing" if found else "no such records",
        where=size,
        received=", ".join(sorted(path.name for path in found)) or "no file of this name",
        expected=f"{name} with {size.name}, as `lrcn serialize` writes them",
        remedy=REDO if found else "Serialize the data set first, or correct the path",
    )


def from_json(size: pathlib.Path, values: dict, *, limits: Limits, remedy: str = REDO) -> Metadata:
    """Returns the metadata that JSON holds, seen to be such and to agree with itself.

    Args:
        size: The file that holds it, for messages.
        values: What it holds.
        limits: The most that the metadata may ask for.
        remedy: What mends it.

    Raises:
        UserError: A key is missing, a value is of another kind, or two do not fit together.
    """
    names = {field.name for field in dataclasses.fields(Metadata)}
    values = {"modality": "rgb", "flow_method": None, **values}  # keys that came later
    if missing := sorted(names - values.keys()):
        raise errors.UserError(
            "metadata lacks keys",
            where=size,
            received=f"no {', '.join(missing)}",
            expected=f"all {len(names)} keys of format version {FORMAT_VERSION}",
            remedy=remedy,
        )
    values = {name: _frozen(values[name]) for name in names}
    agreement.check(size, values, limits=limits, remedy=remedy)
    mode = values["clipframe_mode"]
    try:
        values["clipframe_mode"] = clips_lib.ClipMode(**mode) if mode else None
    except errors.UserError as error:
        raise error.but(where=f"{size}: {error.where}", remedy=remedy) from error
    values["shards"] = tuple(Shard(**shard) for shard in values["shards"])
    values["source"] = Source(**values["source"])
    return Metadata(**values)


def _frozen(value: object) -> object:
    return tuple(_frozen(part) for part in value) if isinstance(value, list) else value


def files_of(path: str | pathlib.Path) -> list[pathlib.Path]:
    """Returns the files that records at `path` have, finished or not, without their `.size`."""
    path = records_path(path)
    found = path.parent.glob(f"{glob.escape(path.name)}-[0-9]*-of-[0-9]*")
    shards = sorted(file for file in found if not file.name.endswith(LONE_SUFFIX))
    return [*([path] if path.exists() else []), *shards]


def lone_files(path: pathlib.Path) -> list[pathlib.Path]:
    """Returns the files that tell of shards of the records at `path` which are not merged."""
    name = glob.escape(path.name)
    patterns = (f"{name}{LONE_SUFFIX}", f"{name}-[0-9]*-of-[0-9]*{LONE_SUFFIX}")
    return sorted(file for pattern in patterns for file in path.parent.glob(pattern))


def merge_command(folder: pathlib.Path) -> str:
    """Returns the command that merges the shards in a folder."""
    return shlex.join(["lrcn", "serialize", f"output_folder={folder}", "merge=true"])
