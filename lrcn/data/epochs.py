"""Which clips an epoch shows and in which order, as arithmetic on the records' metadata.

Frame pipelines and feature pipelines ask the same object, so they see the same clips in the same
order. Every draw depends on seed, epoch and item alone: never on threads or on earlier draws.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Sequence

import numpy as np

from lrcn import errors
from lrcn.data import augment, damage, examples, records
from lrcn.data import clips as clips_lib


@dataclasses.dataclass(frozen=True)
class Rows:
    """Clips in the order they are shown.

    Attributes:
        item: int64 [rows], place of the item in the records.
        clip: int64 [rows], number of the clip within its item.
        frames: int64 [rows, time], indices into the item's stored frames.
        draw: float64 [rows, 3], see `augment.draws`.
        target: int64 [rows], place of what the clip is to be learnt as; see `Clips`.
    """

    item: np.ndarray
    clip: np.ndarray
    frames: np.ndarray
    draw: np.ndarray
    target: np.ndarray

    def __len__(self) -> int:
        return len(self.item)

    def take(self, order: np.ndarray) -> Rows:
        """Returns the rows that `order` names, in its order."""
        columns = (self.item, self.clip, self.frames, self.draw, self.target)
        return Rows(*(column[order] for column in columns))


class Clips:
    """The clips of records under a clip mode.

    Args:
        record_set: The records.
        mode: How clips are chosen from records that hold every frame; None takes the records' own
            clips. Images are one frame and ignore it.
        short_videos: What becomes of videos with fewer frames than a clip: "error", "loop" or
            "skip" (they show no clip).
        targets: How many targets each item has, such as captions, each of which an epoch shows
            with every clip of the item; by default the item itself is the only one.

    Raises:
        UserError: The records hold clips of another mode, none although none are to be chosen, or
            videos that are too short.
    """

    def __init__(
        self,
        record_set: records.RecordSet,
        mode: clips_lib.ClipMode | None,
        *,
        short_videos: str = "error",
        targets: Sequence[int] | None = None,
    ):
        metadata = record_set.metadata
        self._targets = None if targets is None else np.asarray(targets, np.int64)
        self.records = record_set
        self.short_videos = short_videos
        self.mode = _resolved(record_set, mode)
        self.stored = _stored_clips(record_set) if self.mode is None else None
        self.counts = metadata.frame_counts
        self.num_frames = metadata.frames_per_clip if self.mode is None else _frames(self.mode)
        self.items = self._usable()

    def epoch(self, seed: int, epoch: int) -> Rows:
        """Returns the clips of a training epoch with their targets, shuffled as a whole."""
        rows = self._with_targets(self._rows(lambda item: [seed, epoch, item]))
        return rows.take(np.random.default_rng([seed, epoch]).permutation(len(rows)))

    def ids(self, seed: int, epoch: int, batch: int, size: int) -> tuple[str, ...]:
        """Returns the ids of the items of a batch of a training epoch, each once, as they come.

        Args:
            seed: Of the training.
            epoch: The epoch, counted from 0.
            batch: Its batch, counted from 0.
            size: Clips of a batch.
        """
        shown = self.epoch(seed, epoch).item[batch * size : (batch + 1) * size]
        return tuple(self.records.metadata.ids[item] for item in dict.fromkeys(shown.tolist()))

    def every(self, seed: int = 0) -> Rows:
        """Returns the clips of an evaluation: every clip of every item, in order.

        Args:
            seed: Of random modes; others draw nothing.
        """
        return self._rows(lambda item: evaluation_key(seed, self.counts[item]))

    def tables(self, rows: Rows) -> list[np.ndarray]:
        """Returns the frame indices of each item of `every`, `[clips, time]`, empty if skipped."""
        counts = np.bincount(rows.item, minlength=len(self.counts))
        return np.split(rows.frames, np.cumsum(counts)[:-1])

    def _with_targets(self, rows: Rows) -> Rows:
        """Returns every row once for each target of its item."""
        if self._targets is None:
            return rows
        first = np.cumsum(self._targets) - self._targets
        counts = self._targets[rows.item]
        repeated = rows.take(np.repeat(np.arange(len(rows)), counts))
        within = np.arange(len(repeated)) - np.repeat(np.cumsum(counts) - counts, counts)
        return dataclasses.replace(repeated, target=first[repeated.item] + within)

    def _usable(self) -> list[int]:
        least = 0 if self.mode is None or self.short_videos == "loop" else self.num_frames
        short = {item for item, count in enumerate(self.counts) if count < max(least, 1)}
        if short and self.short_videos != "skip":
            raise self._too_short(sorted(short))
        usable = [item for item in range(len(self.counts)) if item not in short]
        if not usable:
            longest = max(self.counts, default=0)
            raise errors.UserError(
                "the records hold no clip",
                where=self.records.path,
                received=f"{len(self.counts)} items of at most {longest} frames",
                expected=f"an item of at least {self.num_frames or 1} frames",
                remedy="Lower clipframe_mode.num_frames_per_clip, or set short_videos=loop",
            )
        return usable

    def _too_short(self, items: list[int]) -> errors.UserError:
        ids = self.records.metadata.ids
        return errors.UserError(
            "videos are shorter than a clip",
            where=self.records.path,
            received=errors.few([f"{ids[item]} ({self.counts[item]} frames)" for item in items]),
            expected=f"at least {self.num_frames} frames (clipframe_mode.num_frames_per_clip)",
            remedy="Set short_videos=loop to repeat frames.",
        )

    def _rows(self, key: Callable[[int], list[int]]) -> Rows:
        chosen, draws = [], []
        for item in self.items:
            rng = np.random.default_rng(key(item))
            chosen.append(self._choose(item, rng))
            draws.append(augment.draws(rng, len(chosen[-1])))
        counts = [len(table) for table in chosen]
        items = np.repeat(np.array(self.items, np.int64), counts)
        return Rows(
            items,
            np.concatenate([np.arange(count, dtype=np.int64) for count in counts]),
            np.concatenate(chosen),
            np.concatenate(draws),
            items,
        )

    def _choose(self, item: int, rng: np.random.Generator) -> np.ndarray:
        if self.mode is None:
            return self.stored[item]
        count = self.counts[item]
        return clips_lib.choose(self.mode, count, rng, short_videos=self.short_videos)


def evaluation_key(seed: int, num_frames: int) -> list[int]:
    """Returns what the clips of a random mode are drawn by when an item is evaluated.

    Not by its place in the records: a video that is predicted alone is shown the same frames.

    Args:
        seed: Of the evaluation.
        num_frames: Of the item.
    """
    return [seed, num_frames]


def training_mode(
    record_set: records.RecordSet,
    name: str | None = None,
    *,
    num_frames: int | None = None,
    offset_or_num: int | None = None,
    tail: str | None = None,
    default: str = "rand_clips",
) -> clips_lib.ClipMode | None:
    """Returns the mode to train with, or None for the records' own clips.

    Args:
        record_set: The records.
        name: The mode that was asked for, None for the records' own or the default.
        num_frames: Its frames per clip, if asked for; else as stored or 16.
        offset_or_num: Its gap or number of clips, if asked for; else as stored or 1.
        tail: Its tail, if asked for.
        default: The mode for records that hold every frame if none was asked for.

    Raises:
        UserError: A gap or a number of clips is given, but no mode, and the default has neither.
    """
    stored = record_set.metadata.clipframe_mode
    given = {
        "num_frames_per_clip": num_frames,
        "clip_offset_or_num": offset_or_num,
        "tail": tail,
    }
    given = {key: value for key, value in given.items() if value is not None}
    if name is not None:
        return clips_lib.ClipMode(name, **given)
    if stored is not None:
        return dataclasses.replace(stored, **given) if given else None
    if default == "rand_frames" and offset_or_num is not None:
        raise errors.UserError(
            "frames of a whole video make one clip",
            where="clipframe_mode.clip_offset_or_num",
            received=offset_or_num,
            expected="nothing, as captions are learnt from rand_frames unless a mode is chosen",
            remedy="Choose clipframe_mode=rand_clips or clipframe_mode=iterative, too",
        )
    return clips_lib.ClipMode(default, **given)


def evaluation_mode(
    record_set: records.RecordSet | None, trained: clips_lib.ClipMode | None
) -> clips_lib.ClipMode | None:
    """Returns the mode to evaluate with a network that was trained with the mode `trained`.

    Records with clips of their own keep them; new media (None) have none. Else consecutive frames
    are evaluated with the paper's protocol over the whole video, unless `iterative` clips were
    chosen to be trained on; a network that saw scattered frames (`rand_frames`) is shown scattered
    frames.
    """
    if record_set is not None and record_set.metadata.clipframe_mode is not None:
        return None
    if trained is not None and trained.name in ("iterative", "rand_frames"):
        return trained
    return clips_lib.evaluation_mode(16 if trained is None else trained.num_frames_per_clip)


def _frames(mode: clips_lib.ClipMode) -> int:
    return mode.num_frames_per_clip


def _resolved(
    record_set: records.RecordSet, mode: clips_lib.ClipMode | None
) -> clips_lib.ClipMode | None:
    """Returns the mode to choose clips with, or None for the records' own clips."""
    metadata = record_set.metadata
    if metadata.type == "image":
        return clips_lib.ClipMode("iterative", 1, 0)
    stored = metadata.clipframe_mode
    if stored is None:
        if mode is None:
            raise errors.UserError(
                "the records hold every frame, so a way to choose clips is needed",
                where="clipframe_mode",
                received="none",
                expected="one of " + ", ".join(clips_lib.NAMES),
                remedy="Set clipframe_mode=rand_clips to train and iterative to evaluate",
            )
        return mode
    if mode is not None and mode != stored:
        raise errors.UserError(
            "the records hold clips of another mode",
            where="clipframe_mode",
            received=describe(mode),
            expected=f"{describe(stored)}, which {record_set.path} has",
            remedy="Leave clipframe_mode out, or serialize with clipframe_mode=none, which serves "
            "every mode.",
        )
    return None


def describe(mode: clips_lib.ClipMode) -> str:
    """Returns a mode with the parameters that matter to it, in one line."""
    text = f"{mode.name}(num_frames_per_clip={mode.num_frames_per_clip}"
    if mode.name != "rand_frames":
        text += f", clip_offset_or_num={mode.clip_offset_or_num}"
    return text + (f", tail={mode.tail})" if mode.name == "iterative" else ")")


def _stored_clips(record_set: records.RecordSet) -> list[np.ndarray]:
    with damage.translating_errors(record_set.path, limits=record_set.limits):
        return [
            examples.require(serialized, number, record_set).clips
            for number, serialized in enumerate(record_set.serialized().as_numpy_iterator())
        ]
