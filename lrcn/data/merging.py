"""Shards that processes made each alone become records: what they tell is put together."""

from __future__ import annotations

import collections
import dataclasses
import json
import pathlib
from collections.abc import Mapping, Sequence

from lrcn import errors
from lrcn.data import bounded, claim, records, shard_file, telling, unfinished, writing
from lrcn.data import metadata as metadata_lib
from lrcn.data.limits import Limits
from lrcn.data.serialize import Report
from lrcn.data.shard_file import ShardFile

_SHORT = 4  # entries, as of a shape; a longer list is told by what differs in it
_ROOM = "Make room, or give the right to write, and merge again"

Shards = Mapping[pathlib.Path, ShardFile]


def merge(folder: str | pathlib.Path, *, limits: Limits = Limits()) -> list[Report]:
    """Makes records of the shards in a folder, as one process would have written them.

    All is seen to be right before anything is written. The `.size` of records is written after all
    else, and then the `.shard` files are removed; who is killed on the way merges again. Records
    that are merged already are left as they are.

    Args:
        folder: Where every shard is.
        limits: The most that the shards may ask for.

    Raises:
        UserError: There are no shards, or one is missing, damaged or made with other settings, or
            another process writes into the folder.
    """
    folder = pathlib.Path(folder)
    if not shard_file.in_folder(folder):
        before = _merged_before(folder, limits)
        claim.tidy(folder)
        return before
    with writing.telling_errors(folder, remedy=_ROOM), claim.alone(folder):
        found = {
            name: {path: shard_file.read(path, limits=limits) for path in paths}
            for name, paths in shard_file.in_folder(folder).items()
        }
        if not found:  # another process has merged them since the look before the lock
            return _merged_before(folder, limits)
        _require_all(folder, found)
        for name, shards in found.items():
            _require_fit(folder, name, shards, limits)
        for name, shards in found.items():
            _publish(records.records_path(folder / name), shards, limits)
        # All that is there by now: what was too short to be sharded was stored by itself.
        return [_report(folder, name, limits, reused=name not in found) for name in _whole(folder)]


def _whole(folder: pathlib.Path) -> list[str]:
    """Returns the names of the records that are whole."""
    sizes = sorted(folder.glob(f"*{records.SIZE_SUFFIX}"))
    return [size.name.removesuffix(records.SIZE_SUFFIX) for size in sizes]


def _merged_before(folder: pathlib.Path, limits: Limits) -> list[Report]:
    names = _whole(folder)
    if not names:
        begun = sorted(file.name for file in folder.glob(f".*{unfinished.SUFFIX}"))
        raise errors.UserError(
            "no shard is finished yet" if begun else "there are no shards to merge",
            where="output_folder",
            received=f"{folder} with {errors.few(begun)}" if begun else folder,
            expected="the folder of `lrcn serialize ... shard_index=I shard_count=N`, all of them",
            remedy="Wait for the processes that make them, or repeat their commands"
            if begun
            else "Correct output_folder, or make the shards first",
        )
    return [_report(folder, name, limits, reused=True) for name in names]


def _report(folder: pathlib.Path, name: str, limits: Limits, *, reused: bool) -> Report:
    path = records.records_path(folder / name)
    return Report.of(name, path, records.read_metadata(path, limits=limits), reused=reused)


def _require_all(folder: pathlib.Path, found: Mapping[str, Shards]) -> None:
    """Refuses a folder that lacks shards of a split that it is to hold."""
    counts = {own.count for shards in found.values() for own in shards.values()}
    if len(counts) > 1:
        first, other = sorted(counts)[:2]
        raise errors.UserError(
            "shards of different shard_count",
            where=folder,
            received=f"some of {first} and some of {other}",
            expected="all shards of one shard_count",
            remedy="Remove those of the other shard_count, each with its .shard file",
        )
    (count,) = counts
    splits = {split for shards in found.values() for own in shards.values() for split in own.splits}
    names = sorted(splits | set(found))
    if lacking := shard_file.missing(folder, names, count):
        indices = sorted({index for some in lacking.values() for index in some})
        raise errors.UserError(
            "shards are missing",
            where=folder,
            received="no "
            + errors.few(
                [f"shard {errors.few(some)} of {name}" for name, some in lacking.items()],
                separator="; ",
            ),
            expected=f"shards 0 to {count - 1} of {errors.few(names)}",
            remedy=f"Run the command that made the others with shard_index={indices[0]}"
            f"{_and_then(indices[1:])}, shard_count={count}, and merge again",
        )


def _and_then(indices: Sequence[int]) -> str:
    return f", then with {errors.few(indices)}" if indices else ""


def _require_fit(folder: pathlib.Path, name: str, shards: Shards, limits: Limits) -> None:
    """Refuses shards that do not belong together, or whose records are not as they are told."""
    path = records.records_path(folder / name)
    for shard in (path, *map(_shard_of, shards)):
        unfinished.require_own(shard)
    _require_one_plan(shards)
    if records.size_path(path).exists():  # a kill came while the shards' own files were removed
        _require_merged(path, shards, limits)
        return
    for own, shard in shards.items():
        _require_records(own, shard, limits)
    names = {shard.metadata.shards[0].name for shard in shards.values()}
    if others := [file.name for file in records.files_of(path) if file.name not in names]:
        raise errors.UserError(
            "other records of the name are in the folder",
            where=path,
            received=errors.few(others),
            expected="the shards, and no more",
            remedy="Remove them, or make the shards again with overwrite=true",
        )
    _merged(path, shards, limits)


def _require_one_plan(shards: Shards) -> None:
    """Refuses shards that were made with other settings than most, or of other items."""
    plans = {path: json.dumps(own.shared, sort_keys=True) for path, own in shards.items()}
    ((usual, _),) = collections.Counter(plans.values()).most_common(1)
    first = next(path for path, plan in plans.items() if plan == usual)
    others = [path for path, plan in plans.items() if plan != usual]
    if not others:
        return
    one, other = shards[first].shared, shards[others[0]].shared
    keys = [key for key in {**one, **other} if one.get(key, ...) != other.get(key, ...)]
    indices = [shards[path].index for path in others]
    raise errors.UserError(
        "shards of different settings",
        where=others[0],
        received=_told(other, one, keys),
        expected=f"{_told(one, other, keys)}, as in {first.name}",
        remedy=f"Make shard_index={errors.few(indices)} again with the settings of the others and "
        "overwrite=true, and merge again",
    )


def _told(values: Mapping[str, object], others: Mapping[str, object], keys: Sequence[str]) -> str:
    """Returns what some keys hold, of long lists the first entry that differs."""
    told = []
    for key in keys:
        value, other = values.get(key), others.get(key)
        is_long = isinstance(value, list | tuple) and len(value) > _SHORT
        if is_long and isinstance(other, list | tuple):
            pairs = zip(value, other, strict=False)
            value = next((one for one, another in pairs if one != another), value)
        told.append(f"{key} {bounded.shown(value)}")
    return errors.few(told)


def _require_merged(path: pathlib.Path, shards: Shards, limits: Limits) -> None:
    there = records.read_metadata(path, limits=limits).shards
    strange = [own for own, shard in shards.items() if shard.metadata.shards[0] not in there]
    if strange:
        raise errors.UserError(
            "there are merged records of the name, of other shards",
            where=records.size_path(path),
            received=strange[0].name,
            expected="no shards beside merged records",
            remedy="Remove the .size to merge the shards, or the .shard files to keep the records",
        )


def _require_records(own: pathlib.Path, shard: ShardFile, limits: Limits) -> None:
    try:
        metadata = shard.metadata
        records.verify_shard(own, metadata.shards[0], metadata.ids, limits=limits)
    except errors.UserError as error:
        if error.remedy != metadata_lib.REDO:
            raise
        again = f"Make the shard again, with shard_index={shard.index} overwrite=true"
        raise error.but(remedy=again) from error


def _merged(path: pathlib.Path, shards: Shards, limits: Limits) -> records.Metadata:
    """Returns the metadata of all shards together, as one process would have written them."""
    ordered = sorted(shards.values(), key=lambda shard: shard.index)
    own = [shard.metadata for shard in ordered]
    shapes = {metadata.frame_shape for metadata in own if metadata.items}
    groups = _joined([metadata.groups or ("",) * metadata.items for metadata in own])
    clip_counts = _joined([metadata.clip_counts for metadata in own])
    skipped = [
        pair
        for shard in ordered
        for pair in zip(shard.skipped_places, shard.metadata.skipped, strict=True)
    ]
    whole = dataclasses.replace(
        own[0],
        items=sum(metadata.items for metadata in own),
        clips_per_item=clip_counts[0] if len(set(clip_counts)) == 1 else None,
        frame_shape=shapes.pop() if len(shapes) == 1 else None,
        shards=_joined([metadata.shards for metadata in own]),
        skipped=tuple(pair for _, pair in sorted(skipped)),
        ids=_joined([metadata.ids for metadata in own]),
        groups=groups if any(groups) else (),
        labels=_joined([metadata.labels for metadata in own]),
        frame_counts=_joined([metadata.frame_counts for metadata in own]),
        clip_counts=clip_counts,
    )
    writing.require_any(whole.items, whole.skipped, name=path.name)
    values = json.loads(json.dumps(dataclasses.asdict(whole)))
    return metadata_lib.from_json(records.size_path(path), values, limits=limits)


def _joined(parts: Sequence[tuple]) -> tuple:
    return tuple(entry for part in parts for entry in part)


def _publish(path: pathlib.Path, shards: Shards, limits: Limits) -> None:
    """Writes the metadata of the records, and removes what was told of each shard alone."""
    if not records.size_path(path).exists():
        listed = [own.listed for own in sorted(shards.values(), key=lambda shard: shard.index)]
        telling.publish(
            unfinished.anew(path),
            path,
            _merged(path, shards, limits),
            listed=None if None in listed else _joined(listed),
            limits=limits,
        )
    # What is unfinished was left by processes that were killed, but for the folder of this one.
    for shard in (path, *map(_shard_of, shards)):
        if unfinished.folder_of(shard).exists():
            unfinished.remove(shard)
    for own in shards:
        own.unlink()


def _shard_of(own: pathlib.Path) -> pathlib.Path:
    return own.with_name(own.name.removesuffix(metadata_lib.LONE_SUFFIX))
