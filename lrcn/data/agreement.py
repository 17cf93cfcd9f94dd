"""Whether the metadata of records can be: a `.size` can be edited by hand, or be a stranger's."""

from __future__ import annotations

import dataclasses
import math
import pathlib
import unicodedata
from collections.abc import Callable, Iterator, Mapping

from lrcn import errors
from lrcn.data import clips, modality
from lrcn.data.limits import Limits

_PER_ITEM = ("ids", "labels", "frame_counts", "groups", "clip_counts")
_MAY_BE_EMPTY = ("groups", "clip_counts")
_MOST = 2**31 - 1
_LONGEST_SIDE = 65_535  # pixels, of a JPEG
_LONGEST_SHOWN = 60  # characters of a value in a message


def check(
    size: pathlib.Path,
    values: Mapping[str, object],
    *,
    limits: Limits,
    remedy: str,
) -> None:
    """Refuses metadata with a value of another kind than it has to be, or whose counts differ.

    Args:
        size: The `.size` file.
        values: What it holds under each key, with tuples for lists.
        limits: The most that it may ask for.
        remedy: What mends it.

    Raises:
        UserError: The first value or disagreement.
    """
    for key, kind in _KINDS.items():
        if not kind.holds(values[key]):
            raise errors.UserError(
                f"metadata with a bad value of {key}",
                where=size,
                received=_short(values[key]),
                expected=kind.expected,
                remedy=remedy,
            )
    for received, expected in _disagreements(values):
        raise errors.UserError(
            "metadata disagrees with itself",
            where=size,
            received=received,
            expected=expected,
            remedy=remedy,
        )
    shape = values["frame_shape"]
    if shape is not None:
        limits.require("image_pixels", shape[0] * shape[1], where=size, what="a stored frame")
    limits.require("frames", max(values["frame_counts"], default=0), where=size, what="an item")


def text_is_plain(value: object) -> bool:
    """Tells whether a value is text of one line without control characters, as UTF-8 has it."""
    if not isinstance(value, str) or len(value.splitlines()) > 1:
        return False
    return not any(unicodedata.category(letter) in ("Cc", "Cs") for letter in value)


def is_text(value: object) -> bool:
    """Tells whether a value is text that can be written as UTF-8."""
    return isinstance(value, str) and not any("\ud800" <= letter <= "\udfff" for letter in value)


def is_a_file_name(value: object) -> bool:
    """Tells whether a value is the name of a file, in whatever folder, and no path."""
    return text_is_plain(value) and value not in ("", ".", "..") and not set(value) & set("/\\")


@dataclasses.dataclass(frozen=True)
class _Kind:
    """What a value has to be."""

    expected: str
    holds: Callable[[object], bool]

    def __or__(self, other: _Kind) -> _Kind:
        told = f"{self.expected} | {other.expected}"
        return _Kind(told, lambda value: self.holds(value) or other.holds(value))


def _whole(least: int, most: int = _MOST) -> _Kind:
    told = f"a whole number from {least} to {most}"
    return _Kind(told, lambda value: type(value) is int and least <= value <= most)


def _list_of(kind: _Kind, length: int | None = None) -> _Kind:
    def holds(value):
        right = isinstance(value, tuple) and (length is None or len(value) == length)
        return right and all(map(kind.holds, value))

    told = "a list" if length is None else f"a list of {length}"
    return _Kind(f"{told}, each of them {kind.expected}", holds)


def _dict_of(**kinds: _Kind) -> _Kind:
    def holds(value):
        if not isinstance(value, dict) or value.keys() != kinds.keys():
            return False
        return all(kind.holds(value[key]) for key, kind in kinds.items())

    return _Kind("{" + ", ".join(f"{k}: {kind.expected}" for k, kind in kinds.items()) + "}", holds)


def _one_of(*names: str) -> _Kind:
    return _Kind(" | ".join(names), lambda value: isinstance(value, str) and value in names)


_NULL = _Kind("null", lambda value: value is None)
_FLAG = _Kind("true | false", lambda value: isinstance(value, bool))
_TEXT = _Kind("text of one line", text_is_plain)
_LONG_TEXT = _Kind("text", is_text)
_FILE_NAME = _Kind("the name of a file in the same folder", is_a_file_name)
_RATE = _Kind(
    "a number above 0",
    lambda value: type(value) in (int, float) and 0 < value <= _MOST and math.isfinite(value),
)
_SIDE = _whole(1, _LONGEST_SIDE)
_SHAPE = _Kind(
    "[height, width, 3]",
    lambda value: _list_of(_SIDE, 3).holds(value) and value[2] == 3,
)
_KINDS = {
    "items": _whole(0),
    "type": _one_of("image", "video"),
    "frames_per_clip": _whole(1) | _NULL,
    "clips_per_item": _whole(0) | _NULL,
    "frame_shape": _SHAPE | _NULL,
    "channel_order": _one_of("rgb"),
    "num_classes": _whole(0),
    "multi_label": _FLAG,
    "label_names": _list_of(_TEXT),
    "clipframe_mode": _dict_of(
        name=_one_of(*clips.NAMES),
        num_frames_per_clip=_whole(1),
        clip_offset_or_num=_whole(-_MOST),
        tail=_one_of(*clips.TAILS),
    )
    | _NULL,
    "raw_image_shape": _SHAPE | _NULL,
    "frame_step": _whole(1),
    "fps": _RATE | _NULL,
    "frame_format": _TEXT,
    "short_videos": _one_of(*clips.SHORT_VIDEOS),
    "quality": _whole(1, 100),
    "shuffled": _FLAG,
    "seed": _whole(0, 2**63 - 1),
    "shards": _list_of(
        _dict_of(name=_FILE_NAME, records=_whole(0), bytes=_whole(0, 2**62), checksum=_TEXT)
    ),
    "skipped": _list_of(_list_of(_LONG_TEXT, 2)),
    "source": _dict_of(name=_LONG_TEXT, sha256=_TEXT),
    "ids": _list_of(_LONG_TEXT),
    "groups": _list_of(_LONG_TEXT),
    "labels": _list_of(_list_of(_whole(0))),
    "frame_counts": _list_of(_whole(0)),
    "clip_counts": _list_of(_whole(0)),
    "modality": _one_of(*modality.NAMES),
    "flow_method": _one_of(*modality.METHODS) | _NULL,
}


def _disagreements(values: Mapping[str, object]) -> Iterator[tuple[str, str]]:
    """Yields pairs of what is there and what would agree."""
    items, classes, shards = values["items"], values["num_classes"], values["shards"]
    names = len(values["label_names"])
    if names != 0 and names != classes:
        yield f"{names} label_names for num_classes {classes}", "a name for each class"
    for key in _PER_ITEM:
        length = len(values[key])
        if length != items and not (key in _MAY_BE_EMPTY and length == 0):
            yield f"{length} {key} for items {items}", f"an entry of {key} for each item"
    stored = sum(shard["records"] for shard in shards)
    if stored != items:
        yield f"{stored} records in shards for items {items}", "as many records as items"
    if twice := _first_twice(values["ids"]):
        yield f"id {_short(twice)} twice", "each id once"
    if twice := _first_twice(tuple(shard["name"] for shard in shards)):
        yield f"file {_short(twice)} twice", "each file once"
    mode, per_clip = values["clipframe_mode"], values["frames_per_clip"]
    if mode is not None and mode["num_frames_per_clip"] != per_clip:
        told = mode["num_frames_per_clip"]
        yield f"frames_per_clip {per_clip} and clips of {told} frames", "the same number of both"
    for id, own in zip(values["ids"], values["labels"], strict=False):
        if own and max(own) >= classes:
            yield f"label {max(own)} of {_short(id)}", f"labels below num_classes, {classes}"
    if (values["modality"] == "flow") != (values["flow_method"] is not None):
        yield f"flow_method {values['flow_method']} of {values['modality']}", "a method for flow"
    yield from _more_than_files_hold(values, sum(shard["bytes"] for shard in shards))


def _more_than_files_hold(values: Mapping[str, object], held: int) -> Iterator[tuple[str, str]]:
    """Yields counts that the files have no room for: memory is taken by what counts tell."""
    frames = sum(values["frame_counts"])
    if frames > held:
        yield f"{frames:,} frames in files of {held:,} bytes", "a byte for each frame at least"
    places = sum(values["clip_counts"]) * (values["frames_per_clip"] or 0)
    if places > held:
        yield f"clips of {places:,} frames in files of {held:,} bytes", "no more than fits"


def _first_twice(names: tuple[str, ...]) -> str | None:
    seen: set[str] = set()
    return next((name for name in names if name in seen or seen.add(name)), None)


def _short(value: object) -> str:
    text = ascii(value) if isinstance(value, str) else repr(value)
    return text if len(text) <= _LONGEST_SHOWN else f"{text[:_LONGEST_SHOWN]}..."
