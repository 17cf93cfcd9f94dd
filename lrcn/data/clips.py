"""Which frames of a video make its clips: pure functions from a frame count to frame indices.

The same functions choose what is stored by `serialize` and what is drawn at training time.
"""

from __future__ import annotations

import dataclasses

import numpy as np

from lrcn import errors

NAMES = ("rand_frames", "rand_clips", "iterative")
TAILS = ("drop", "align")
SHORT_VIDEOS = ("error", "loop", "skip")


class ShortVideo(errors.UserError):
    """A video has fewer frames than one clip needs."""


@dataclasses.dataclass(frozen=True)
class ClipMode:
    """How clips are taken from a video (`clipframe_mode`).

    Attributes:
        name: `rand_frames`, `rand_clips` or `iterative`.
        num_frames_per_clip: F, the frames of one clip.
        clip_offset_or_num: For `rand_clips` the number of clips; for `iterative` the gap in
            frames between the end of a clip and the start of the next, negative for overlap.
        tail: For `iterative`, what becomes of a clip that overruns the end: `drop` omits it,
            `align` replaces it by the last F frames.

    Raises:
        UserError: If a value is outside its range.
    """

    name: str
    num_frames_per_clip: int = 16
    clip_offset_or_num: int = 1
    tail: str = "drop"

    def __post_init__(self):
        _require_member("clipframe_mode", self.name, NAMES)
        _require_member("clipframe_mode.tail", self.tail, TAILS)
        frames = self.num_frames_per_clip
        _require_integer("clipframe_mode.num_frames_per_clip", frames, at_least=1)
        least = {"rand_clips": 1, "iterative": 1 - frames}.get(self.name)
        _require_integer(
            "clipframe_mode.clip_offset_or_num", self.clip_offset_or_num, at_least=least
        )


def _require_member(key: str, value: object, members: tuple[str, ...]) -> None:
    if value not in members:
        raise errors.UserError(
            "unknown value",
            where=key,
            received=value,
            expected=f"one of {', '.join(members)}",
            remedy=f"Set {key}={members[0]}, or another of them",
        )


def _require_integer(key: str, value: object, *, at_least: int | None) -> None:
    whole = isinstance(value, int | np.integer) and not isinstance(value, bool)
    if not whole or (at_least is not None and value < at_least):
        expected = "an integer" if at_least is None else f"an integer of at least {at_least}"
        raise errors.UserError(
            "value out of range",
            where=key,
            received=value,
            expected=expected,
            remedy=f"Correct {key}, or leave it out for its default",
        )


def evaluation_mode(num_frames: int) -> ClipMode:
    """Returns the paper's test protocol: half-overlapping clips, the last one aligned (1.6)."""
    return ClipMode("iterative", num_frames, -(num_frames // 2), "align")


def rand_frames(n: int, rng: np.random.Generator, *, num_frames: int) -> np.ndarray:
    """Draws `num_frames` distinct frames of `n`, in time order, as `[1, num_frames] int64`."""
    return np.sort(rng.choice(n, size=num_frames, replace=False)).astype(np.int64)[None]


def rand_clips(n: int, rng: np.random.Generator, *, num_frames: int, num_clips: int) -> np.ndarray:
    """Draws clips of consecutive frames with random starts, in order of their starts.

    Starts are distinct while there are enough of them; after that every start is taken once and
    the rest repeats at random.

    Returns:
        Frame indices, `[num_clips, num_frames] int64`.
    """
    possible = n - num_frames + 1
    starts = rng.permutation(possible)[:num_clips]
    if num_clips > possible:
        repeats = rng.integers(possible, size=num_clips - possible)
        starts = np.concatenate([starts, repeats])
    return _spans(np.sort(starts), num_frames)


def iterative(n: int, *, num_frames: int, offset: int, tail: str = "drop") -> np.ndarray:
    """Cuts clips at starts 0, F + offset, 2 (F + offset), ... that are below `n`.

    Returns:
        Frame indices, `[clips, num_frames] int64`; with `tail="align"` the last rows may repeat.
    """
    starts = np.arange(0, n, num_frames + offset)
    last = n - num_frames
    starts = starts[starts <= last] if tail == "drop" else np.minimum(starts, last)
    return _spans(starts, num_frames)


def _spans(starts: np.ndarray, num_frames: int) -> np.ndarray:
    return (starts[:, None] + np.arange(num_frames)).astype(np.int64)


def choose(
    mode: ClipMode, n: int, rng: np.random.Generator | None, *, short_videos: str = "error"
) -> np.ndarray:
    """Chooses the clips of a video of `n` frames.

    Args:
        mode: How clips are taken.
        n: Frames of the video, after `frame_step` and `fps`.
        rng: Source of the random modes; may be None for `iterative`.
        short_videos: For n < F: `loop` shows frame i mod n, as if the video had F frames;
            `error` and `skip` raise (a caller that skips catches `ShortVideo`).

    Returns:
        Frame indices, `[clips, num_frames_per_clip] int64`.

    Raises:
        ShortVideo: If n < F and frames are not to be repeated, or if there is no frame at all.
    """
    _require_member("short_videos", short_videos, SHORT_VIDEOS)
    frames = mode.num_frames_per_clip
    if n < 1 or (n < frames and short_videos != "loop"):
        raise ShortVideo(
            "the video is shorter than one clip",
            where="clipframe_mode.num_frames_per_clip",
            received=f"{n} frames",
            expected=f"at least {frames} frames",
            remedy="Set short_videos=loop to repeat frames or short_videos=skip to leave it out",
        )
    length = max(n, frames)
    if mode.name == "rand_frames":
        chosen = rand_frames(length, rng, num_frames=frames)
    elif mode.name == "rand_clips":
        chosen = rand_clips(length, rng, num_frames=frames, num_clips=mode.clip_offset_or_num)
    else:
        chosen = iterative(
            length, num_frames=frames, offset=mode.clip_offset_or_num, tail=mode.tail
        )
    return chosen % n
