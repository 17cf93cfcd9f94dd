"""The `.shard` file beside a shard that one process made alone: all that merging needs of it.

It holds the metadata of the shard, as a `.size` does of records, and what cannot be told from them:
the plan that every shard has to share, and what stands between the items of other shards.
"""

from __future__ import annotations

import dataclasses
import pathlib
import re
from collections.abc import Callable, Mapping, Sequence

from lrcn import errors
from lrcn.data import agreement, bounded, lines, records
from lrcn.data import metadata as metadata_lib
from lrcn.data.limits import Limits

_NAME = re.compile(r"(?P<records>.+\.tfrecord)(-(?P<index>\d{5})-of-(?P<count>\d{5}))?\.shard")
# What is another for each shard of the same records.
_OWN = {
    *("items", "clips_per_item", "frame_shape", "shards", "skipped"),
    *("ids", "groups", "labels", "frame_counts", "clip_counts"),
}
# Of the plan: the metadata have it under the key that the user knows.
_TOLD_BY_METADATA = {"image_shape", "mode", "shuffle"}


@dataclasses.dataclass(frozen=True)
class ShardFile:
    """What a `.shard` file tells.

    Attributes:
        index: The number of the shard, from 0.
        count: How many there are.
        splits: Names of all splits that its process was to make a shard of.
        plan: Everything that decides on the bytes of the records, as values of JSON.
        metadata: Of the records of this shard.
        skipped_places: Places in the split of the items that were skipped.
        listed: Its lines of `NAME.shuffled`; None if the items keep their order.
    """

    index: int
    count: int
    splits: tuple[str, ...]
    plan: Mapping[str, object]
    metadata: records.Metadata
    skipped_places: tuple[int, ...]
    listed: tuple[str, ...] | None

    @property
    def shared(self) -> dict[str, object]:
        """Returns what has to be the same in every shard of the records."""
        own = dataclasses.asdict(self.metadata)
        told = {key: value for key, value in own.items() if key not in _OWN}
        plan = {key: value for key, value in self.plan.items() if key not in _TOLD_BY_METADATA}
        return {**told, **plan}


def path_of(shard: pathlib.Path) -> pathlib.Path:
    """Returns the file that tells of a shard."""
    return shard.with_name(f"{shard.name}{metadata_lib.LONE_SUFFIX}")


def number_of(path: pathlib.Path) -> tuple[int, int] | None:
    """Returns index and count of the shard that a file tells of by its name; None for others."""
    if match := _NAME.fullmatch(path.name):
        return int(match["index"] or 0), int(match["count"] or 1)
    return None


def in_folder(folder: pathlib.Path) -> dict[str, list[pathlib.Path]]:
    """Returns the `.shard` files in a folder by the names of their records, without suffix."""
    found: dict[str, list[pathlib.Path]] = {}
    for path in sorted(folder.glob(f"*{metadata_lib.LONE_SUFFIX}")):
        if match := _NAME.fullmatch(path.name):
            name = match["records"].removesuffix(records.SUFFIX)
            found.setdefault(name, []).append(path)
    return found


def missing(folder: pathlib.Path, splits: Sequence[str], count: int) -> dict[str, list[int]]:
    """Returns the indices of the shards that are still to be made, by split.

    Args:
        folder: Where they are.
        splits: Names of the splits.
        count: How many shards each has.
    """
    lacking = {}
    for split in splits:
        path = records.records_path(folder / split)
        names = records.shard_names(path, count)
        there = [path_of(path.with_name(name)).exists() for name in names]
        if not (all(there) or records.size_path(path).exists()):
            lacking[split] = [index for index, is_there in enumerate(there) if not is_there]
    return lacking


def write(path: pathlib.Path, told: ShardFile) -> None:
    """Writes a `.shard` file, a key a line."""
    values = dataclasses.asdict(told)
    metadata_lib.write_keys(path, {"format_version": records.FORMAT_VERSION, **values})


def read(path: pathlib.Path, *, limits: Limits = Limits()) -> ShardFile:
    """Reads a `.shard` file.

    Args:
        path: The file.
        limits: The most that it may ask for.

    Raises:
        UserError: It cannot be read, is of another version, or not as `write` writes it.
    """
    index, count = number_of(path) or (0, 1)
    remedy = f"Make the shard again, with shard_index={index} overwrite=true"
    values = _read_json(path, limits, remedy)
    for key, (expected, holds) in _KINDS.items():
        if key not in values or not holds(values[key]):
            raise errors.UserError(
                f"no .shard file with a good value of {key}",
                where=path,
                received=bounded.shown(values.get(key)),
                expected=expected,
                remedy=remedy,
            )
    metadata = metadata_lib.from_json(path, values["metadata"], limits=limits, remedy=remedy)
    told = ShardFile(
        index=values["index"],
        count=values["count"],
        splits=tuple(values["splits"]),
        plan=values["plan"],
        metadata=metadata,
        skipped_places=tuple(values["skipped_places"]),
        listed=None if values["listed"] is None else tuple(values["listed"]),
    )
    _require_agreement(path, told, (index, count), remedy)
    return told


def _require_agreement(
    path: pathlib.Path, told: ShardFile, number: tuple[int, int], remedy: str
) -> None:
    index, count = number
    own = path.name.removesuffix(metadata_lib.LONE_SUFFIX)
    names = [shard.name for shard in told.metadata.shards]
    expected_names = records.shard_names(path.with_name(own), count)[index : index + 1]
    skipped, places = len(told.metadata.skipped), len(told.skipped_places)
    received = expected = ""
    if (told.index, told.count) != number or not names == expected_names == [own]:
        received = f"shard {told.index} of {told.count} in {errors.few(names) or 'no file'}"
        expected = f"shard {index} of {count} in {own}, as its name tells"
    elif skipped != places:
        received, expected = f"{places} places of {skipped} items", "a place for each that is left"
    if received:
        raise errors.UserError(
            "a .shard file disagrees with itself",
            where=path,
            received=received,
            expected=expected,
            remedy=remedy,
        )


def _read_json(path: pathlib.Path, limits: Limits, remedy: str) -> dict:
    try:
        values = bounded.parse_json(bounded.read(path, what="metadata", limits=limits))
    except errors.UserError:
        raise
    except (OSError, ValueError) as error:
        raise errors.UserError(
            "a .shard file cannot be read",
            where=path,
            received=lines.reason(error) if isinstance(error, OSError) else error,
            expected="the JSON that `lrcn serialize` wrote",
            remedy=remedy,
        ) from error
    version = values.get("format_version") if isinstance(values, dict) else None
    if type(version) is not int or version != records.FORMAT_VERSION:
        raise errors.UserError(
            "a .shard file of another version",
            where=path,
            received=f"format_version {version!r:.60}",
            expected=records.FORMAT_VERSION,
            remedy=remedy,
        )
    return values


def _is_count(value: object) -> bool:
    return type(value) is int and 0 <= value < 2**63


def _list_of(holds: Callable[[object], bool]) -> Callable[[object], bool]:
    return lambda value: isinstance(value, list) and all(map(holds, value))


def _is_listed(value: object) -> bool:
    return value is None or _list_of(agreement.is_text)(value)


_KINDS: dict[str, tuple[str, Callable[[object], bool]]] = {
    "index": ("a whole number", _is_count),
    "count": ("a whole number", _is_count),
    "splits": ("a list of names", _list_of(agreement.is_a_file_name)),
    "plan": ("{key: value, ...}", lambda value: isinstance(value, dict)),
    "metadata": ("{key: value, ...}", lambda value: isinstance(value, dict)),
    "skipped_places": ("a list of whole numbers", _list_of(_is_count)),
    "listed": ("null | a list of lines", _is_listed),
}
