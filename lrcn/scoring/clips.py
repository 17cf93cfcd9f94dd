"""Clips of features whose frames went through a CNN once, however many clips show them."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterable, Iterator, Sequence

import numpy as np

from lrcn.data import augment, dataset, epochs

_FRAMES = 64  # that go through a CNN at once, at most


@dataclasses.dataclass(frozen=True)
class Shown:
    """Which frames of items the clips of an evaluation show.

    Attributes:
        tables: For each item, [clips, time] indices into its frames.
        items: The place of each item in the records.
        crops: Crops of each frame; those of a clip come as clips with its item and number.
    """

    tables: Sequence[np.ndarray]
    items: Sequence[int] = (0,)
    crops: int = 1

    @property
    def wanted(self) -> list[np.ndarray]:
        """The frames of each item that its clips need, ascending."""
        return [np.unique(table) for table in self.tables]

    @property
    def clips(self) -> int:
        """How many clips there are, crops counted."""
        return self.crops * sum(len(table) for table in self.tables)


@dataclasses.dataclass(frozen=True)
class Batches:
    """Batches of clips: dicts of `features` [batch, time, features] float32, `item` and `clip`.

    Consecutive clips of a video overlap, by half in the protocol of Donahue et al. 2015; what a
    CNN says of a frame is the same in all of them. Of an item only the features of frames that
    clips still need are held.

    Attributes:
        frames: Batches of the frames that are shown, of each item in order, and of each frame its
            crops; anew in each iteration.
        forward: From such a batch to features [frames, features].
        shown: Which frames the clips show.
        size: Clips in a batch.
    """

    frames: Iterable[np.ndarray]
    forward: Callable[[np.ndarray], np.ndarray]
    shown: Shown
    size: int

    def __len__(self) -> int:
        return -(-self.shown.clips // self.size)

    def __iter__(self) -> Iterator[dict[str, np.ndarray]]:
        rows = _Rows(self.forward(np.asarray(frames)) for frames in self.frames)
        held: list[dict[str, np.ndarray]] = []
        waiting = 0
        for part in self._parts(rows):
            held.append(part)
            waiting += len(part["item"])
            while waiting >= self.size:
                whole = _joined(held)
                yield {name: values[: self.size] for name, values in whole.items()}
                held = [{name: values[self.size :] for name, values in whole.items()}]
                waiting -= self.size
        if waiting:
            yield _joined(held)

    def _parts(self, rows: _Rows) -> Iterator[dict[str, np.ndarray]]:
        """Yields some clips of an item at a time."""
        for item, table in zip(self.shown.items, self.shown.tables, strict=True):
            place = 0
            for clips in _clips(rows, table, self.shown.crops, at_once=self.size):
                count, crops, *shape = clips.shape
                numbers = np.repeat(np.arange(place, place + count, dtype=np.int64), crops)
                place += count
                yield {
                    "features": clips.reshape(count * crops, *shape),
                    "item": np.full(len(numbers), item, np.int64),
                    "clip": numbers,
                }


def of_records(
    chosen: epochs.Clips,
    forward: Callable[[np.ndarray], np.ndarray],
    *,
    view: augment.View,
    batch_size: int,
    seed: int = 0,
    threads: int | None = None,
) -> Batches:
    """Returns every clip of every item in order, as features of the CNN as it then is.

    Args:
        chosen: The clips of the records, whose checksums are verified first.
        forward: From frames [batch, height, width, 3] uint8 to features [batch, features], such as
            `predict_on_batch` of a backbone.
        view: What part of a frame is seen; not a random one.
        batch_size: Clips in a batch; their frames bound those that go through the CNN at once.
        seed: Of random modes.
        threads: That decode; None for one a core.

    Raises:
        UserError: The records are damaged.
    """
    tables = chosen.tables(chosen.every(seed))
    shown = Shown(tables, range(len(tables)), augment.TEN if view.crop == "ten" else 1)
    frames = dataset.stored_frames(
        chosen.records,
        shown.items,
        shown.wanted,
        view=view,
        batch_size=frames_at_once(batch_size, chosen.num_frames),
    )
    frames = dataset.threaded(frames, threads)
    return Batches(frames, forward, shown, batch_size)


def frames_at_once(clips: int, time: int) -> int:
    """Returns how many frames go through a CNN at once where batches are of so many clips."""
    return min(_FRAMES, clips * time)


def regrouped(parts: Iterable[np.ndarray], sizes: Iterable[int]) -> Iterator[np.ndarray]:
    """Yields arrays of the given lengths cut from a stream of arrays."""
    rows = _Rows(parts)
    for size in sizes:
        yield rows.take(size)


class _Rows:
    """The rows of a stream of arrays, any number of them at a time."""

    def __init__(self, parts: Iterable[np.ndarray]):
        self._parts = iter(parts)
        self._held: np.ndarray | None = None

    def take(self, count: int) -> np.ndarray:
        """Returns the next rows."""
        pieces = [] if self._held is None else [self._held]
        length = sum(map(len, pieces))
        while length < count or not pieces:
            pieces.append(next(self._parts))
            length += len(pieces[-1])
        joined = pieces[0] if len(pieces) == 1 else np.concatenate(pieces)
        self._held = joined[count:]
        return joined[:count]


def _clips(rows: _Rows, table: np.ndarray, crops: int, *, at_once: int) -> Iterator[np.ndarray]:
    """Yields the features of some clips at a time, [clips, crops, time, features] float32."""
    wanted = np.unique(table)
    places = np.searchsorted(wanted, table)
    # The first frame that any clip from here on needs: those before it can go.
    needed = np.minimum.accumulate(places.min(axis=1)[::-1])[::-1] if len(table) else places
    held, first, seen = None, 0, 0
    for start in range(0, len(table), at_once):
        part = places[start : start + at_once]
        last = int(part.max()) + 1
        if last > seen:
            new = rows.take(crops * (last - seen))
            new = new.reshape(last - seen, crops, *new.shape[1:]).astype(np.float32, copy=False)
            held, seen = new if held is None else np.concatenate([held, new]), last
        yield np.moveaxis(held[part - first], 2, 1)
        if start + at_once < len(table):
            drop = int(needed[start + at_once]) - first
            held, first = held[drop:], first + drop


def _joined(parts: Sequence[dict[str, np.ndarray]]) -> dict[str, np.ndarray]:
    return {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}
