"""Records into files in order, whatever the threads that make them; faults gathered or raised."""

from __future__ import annotations

import contextlib
import dataclasses
import pathlib
from collections.abc import Callable, Iterator, Sequence

import tensorflow as tf

from lrcn import errors
from lrcn.data import clips, images, ordered, packing, progress
from lrcn.data import part as part_lib

_BYTES_AHEAD = 64 * 2**20
ELSEWHERE = "Choose another output_folder, or make room and give the right to write"


@dataclasses.dataclass
class Written:
    """What went into the files.

    Attributes:
        stored: The items in order, without their bytes.
        skipped: Pairs of item id and reason, in the order of the items, not of the records.
    """

    stored: list[packing.Packed]
    skipped: list[tuple[str, str]]


def write(
    packer: packing.Packer,
    parts: Sequence[part_lib.Part],
    *,
    name: str,
    num_threads: int,
    num_items_per_thread: int,
    skip_all: bool,
) -> Written:
    """Writes the items that are left to store.

    Args:
        packer: Makes records.
        parts: The shards.
        name: Name of the split, for the progress bar.
        num_threads: Threads that pack.
        num_items_per_thread: Items a thread may be ahead.
        skip_all: Whether every faulty item is left out; else only videos that are too short, and
            only if the packer's `short_videos` is `skip`.

    Raises:
        UserError: If an item is faulty, counting all videos that are too short.
    """
    left = [place for part in parts for place in part.left]
    results = ordered.mapped(
        packer,
        left,
        num_threads=num_threads,
        num_ahead=num_threads * num_items_per_thread,
        bytes_ahead=_BYTES_AHEAD,
        size=lambda packed: len(packed.record),
    )
    short: dict[int, packing.Packed] = {}
    with (
        contextlib.closing(results),
        _stopping(packer),
        progress.shown(f"serialize {name}", len(left)) as advance,
    ):
        for part in parts:
            if not part.is_finished:
                _fill(part, packer, results, short, skip_all=skip_all, advance=advance)
    if short:
        raise _too_short([short[place] for place in sorted(short)], name)
    stored = [packed for part in parts for packed in part.stored]
    skipped = {place: told for part in parts for place, told in part.skipped.items()}
    return Written(stored, [skipped[place] for place in sorted(skipped)])


def require_any(stored: int, skipped: Sequence[tuple[str, str]], *, name: str) -> None:
    """Raises a `UserError` if no item of a split was stored.

    Args:
        stored: How many were.
        skipped: Id and reason of each that was not.
        name: Name of the split.
    """
    if not stored:
        first = skipped[0] if skipped else ("nothing", "there was no item")
        raise errors.UserError(
            "no item is left to store",
            where=name,
            received=f"{first[0]} was skipped: {first[1]}",
            expected="at least one item that can be stored",
            remedy="Mend the items that were skipped; `lrcn check` names them all",
        )


@contextlib.contextmanager
def _stopping(packer: packing.Packer) -> Iterator[None]:
    """Lets the threads end soon in the end: after a fault or a signal nobody wants their items."""
    try:
        yield
    finally:
        packer.is_stopped = True


def _fill(
    part: part_lib.Part,
    packer: packing.Packer,
    results: Iterator[packing.Packed],
    short: dict[int, packing.Packed],
    *,
    skip_all: bool,
    advance: Callable[[], None],
) -> None:
    """Writes what is left of a shard, and gathers the videos that are too short in `short`."""
    with part:
        for place in part.left:
            packed = next(results)
            if packed.fault is None:
                part.store(place, packed)
            elif skip_all or _is_left_out(packed, packer):
                part.skip(place, _reason(packed.fault))
            elif isinstance(packed.fault, clips.ShortVideo):
                packer.only_lengths = True
                short[place] = packed
            else:
                raise packed.fault
            if not short:  # else the records are lost anyway
                part.commit_if_due()
            advance()
        if not short:
            part.finish()


def _is_left_out(packed: packing.Packed, packer: packing.Packer) -> bool:
    return packer.short_videos == "skip" and isinstance(packed.fault, clips.ShortVideo)


def _reason(fault: errors.UserError) -> str:
    """Returns why an item was left out, with what would keep it: that it can be is known."""
    if isinstance(fault, clips.ShortVideo):
        fault = fault.but(remedy="Set short_videos=loop to keep it, with frames repeated")
    return str(fault.but(remedy=fault.remedy.replace(images.CAN_SKIP, "")))


def _too_short(short: Sequence[packing.Packed], name: str) -> errors.UserError:
    """Returns one error that counts the videos that are too short and names the first of them."""
    first = short[0].fault
    named = [
        f"{packed.item.where + ': ' if packed.item.where else ''}{packed.item.path} "
        f"({packed.fault.received})"
        for packed in short
    ]
    if len(short) == 1:
        return first
    return errors.UserError(
        f"{len(short)} videos are shorter than one clip",
        where=name,
        received=errors.few(named, separator="; "),
        expected=first.expected,
        remedy=first.remedy,
    )


@contextlib.contextmanager
def telling_errors(folder: pathlib.Path, *, remedy: str = ELSEWHERE) -> Iterator[None]:
    """Turns a full disk, missing rights and the like into a `UserError`.

    Args:
        folder: Where records are written.
        remedy: How to write them elsewhere.
    """
    try:
        yield
    except (OSError, tf.errors.OpError) as error:
        raise errors.UserError(
            "records cannot be written",
            where=folder,
            received=error,
            expected="a folder with space and the right to write",
            remedy=remedy,
        ) from error
