"""Video files, decoded in order and counted, never sought in (PyAV)."""

from __future__ import annotations

import contextlib
import dataclasses
import pathlib
from collections.abc import Callable, Iterator
from typing import Any

import av
import av.error
import av.stream
import av.video.reformatter
import numpy as np

from lrcn import errors
from lrcn.data import images

# Headers of these tell no number of frames, only the duration.
_DURATION_ONLY = ("matroska", "flv")
_REMEDY = f"Replace the file or leave it out{images.CAN_SKIP}"


@dataclasses.dataclass(frozen=True)
class Timeline:
    """When each frame of a video is shown.

    Attributes:
        times: Seconds from the start of the file, ascending.
        rate: Nominal frames per second, or None if the file names none.
    """

    times: tuple[float, ...]
    rate: float | None

    def kept(self, *, frame_step: int = 1, fps: float | None = None) -> np.ndarray:
        """Returns the frames that remain after resampling to `fps`, then every `frame_step`-th.

        A resampled frame is the one shown nearest to its time; frames repeat if `fps` is more
        than the video has.

        Returns:
            Frame numbers in the file, `[n] int64`.
        """
        frames = np.arange(len(self.times))
        if fps is not None and len(frames):
            times = np.asarray(self.times) - self.times[0]
            last = 1 / self.rate if self.rate else times[-1] / max(len(times) - 1, 1)
            # Time stamps are often rounded to milliseconds: a sliver of a frame is none.
            count = max(int(np.ceil((times[-1] + last) * fps - 0.05)), 1)
            borders = (times[1:] + times[:-1]) / 2
            frames = np.searchsorted(borders, np.arange(count) / fps, side="left")
        return frames[::frame_step].astype(np.int64)

    def longest_gap(self) -> float:
        """Returns the longest time in seconds that a frame is shown."""
        nominal = 1 / self.rate if self.rate else 0.04
        return max(nominal, float(np.max(np.diff(self.times), initial=0.0)))


@dataclasses.dataclass
class _Tally:
    """What passed by while a file was read."""

    path: str | pathlib.Path
    stamps: list[float | None] = dataclasses.field(default_factory=list)
    unshown: int = 0
    end: float = 0.0
    tells_durations: bool = False

    def add(self, packet: av.Packet, *, video: bool) -> None:
        if packet.dts is None and packet.pts is None and not packet.size:
            return
        if packet.is_corrupt:
            raise _cut_short(
                self.path,
                f"an incomplete packet after {len(self.stamps)} of its frames",
                "complete packets",
                ": its last packet is incomplete",
            )
        stamp = packet.pts if packet.pts is not None else packet.dts
        self.tells_durations |= bool(packet.duration)
        if stamp is not None and packet.time_base is not None:
            self.end = max(self.end, float((stamp + (packet.duration or 0)) * packet.time_base))
        if not video:
            return
        # Packets outside an edit list and empty packets (repeat the last frame) show nothing.
        if packet.is_discard or not packet.size:
            self.unshown += 1
        else:
            known = packet.pts is not None and packet.time_base is not None
            self.stamps.append(float(packet.pts * packet.time_base) if known else None)


@contextlib.contextmanager
def _opened(path: str | pathlib.Path) -> Iterator[tuple]:
    """Opens a video file as `(container, stream)`; every FFmpeg error inside names the file."""
    try:
        with av.open(str(path), metadata_errors="ignore") as container:
            yield container, _video_stream(container, path)
    except av.error.FFmpegError as error:
        raise errors.UserError(
            "video cannot be opened or decoded",
            where=path,
            received=error.strerror or str(error),
            expected="a complete video file",
            remedy=_REMEDY,
        ) from error


def _cut_short(
    path: str | pathlib.Path, received: str, expected: str, how: str = ""
) -> errors.UserError:
    return errors.UserError(
        f"video is cut short{how}",
        where=path,
        received=received,
        expected=expected,
        remedy=_REMEDY,
    )


def _video_stream(container, path: str | pathlib.Path) -> av.video.stream.VideoStream:
    cover = av.stream.Disposition.attached_pic
    streams = [stream for stream in container.streams.video if not stream.disposition & cover]
    if not streams:
        kinds = sorted({stream.type for stream in container.streams})
        raise errors.UserError(
            "no video in this file",
            where=path,
            received=f"streams of {', '.join(kinds)}" if kinds else "no stream at all",
            expected="a video stream",
            remedy=_REMEDY,
        )
    stream = streams[0]
    # Files are decoded side by side, so threads inside one would only contend.
    stream.codec_context.thread_count = 1
    stream.codec_context.options = {"err_detect": "explode"}
    return stream


def _timeline(stamps: list[float | None], stream) -> Timeline:
    rate = float(stream.average_rate or stream.guessed_rate or 0) or None
    if None in stamps:
        return Timeline(tuple(index / (rate or 25.0) for index in range(len(stamps))), rate)
    return Timeline(tuple(sorted(stamps)), rate)


def planned(path: str | pathlib.Path) -> Timeline:
    """Returns the timeline that the packets promise, without decoding."""
    tally = _Tally(path)
    with _opened(path) as (container, stream):
        for packet in container.demux():
            tally.add(packet, video=packet.stream_index == stream.index)
        return _timeline(tally.stamps, stream)


def decode(
    path: str | pathlib.Path, visit: Callable[[int, av.VideoFrame], None] | None = None
) -> Timeline:
    """Decodes a whole video in order.

    Args:
        path: The file.
        visit: Called with the number of each frame and the frame.

    Returns:
        The timeline of the frames that were decoded.

    Raises:
        UserError: If the file does not open, a packet does not decode, or fewer frames came than
            its header promises.
    """
    tally, stamps = _Tally(path), []
    with _opened(path) as (container, stream):
        for packet in container.demux():
            video = packet.stream_index == stream.index
            tally.add(packet, video=video)
            for frame in packet.decode() if video else ():
                if frame.is_corrupt:
                    raise errors.UserError(
                        "frame is damaged",
                        where=path,
                        received=f"frame {len(stamps)}",
                        expected="frames that decode without errors",
                        remedy=_REMEDY,
                    )
                if visit is not None:
                    visit(len(stamps), frame)
                stamps.append(frame.time)
        timeline = _timeline(stamps, stream)
        _check_complete(path, container, stream, tally, timeline)
        return timeline


def _check_complete(
    path: str | pathlib.Path, container, stream, tally: _Tally, timeline: Timeline
) -> None:
    decoded, promised = len(timeline.times), max(stream.frames - tally.unshown, 1)
    if decoded < promised:
        raise _cut_short(path, f"{decoded} frames", f"{promised} frames")
    counts_none = any(name in container.format.name for name in _DURATION_ONLY)
    if not stream.frames and counts_none and container.duration:
        missed = 0.9 if tally.tells_durations else 1.9
        seconds, tolerated = container.duration / 1e6, missed * timeline.longest_gap()
        if tally.end < seconds - tolerated:
            raise _cut_short(path, f"{tally.end:.2f} seconds", f"{seconds:.2f} seconds")


def select(
    path: str | pathlib.Path,
    choose: Callable[[int], np.ndarray],
    passing: Callable[[np.ndarray, np.ndarray], Any],
    *,
    frame_step: int = 1,
    fps: float | None = None,
) -> tuple[int, list]:
    """Makes only the images that are needed, in one pass over the file if packets tell truth.

    Args:
        path: The file.
        choose: From the number of frames after `fps` and `frame_step` to the indices that are
            needed; called again with the true number if the packets promised another.
        passing: From the numbers in the file of the frames that count, and the places among them
            that are needed, to a `passing.Passing`.
        frame_step: Every `frame_step`-th frame counts.
        fps: Frames per second to resample to by time stamps.

    Returns:
        The number of frames, and the images in the order of their indices.
    """
    timeline = planned(path)
    while True:
        kept = timeline.kept(frame_step=frame_step, fps=fps)
        # A wrong promise must not be blamed on the video: look at the true count first.
        short, wanted, images_of = None, kept[:0], passing(kept, kept[:0])
        try:
            wanted = choose(len(kept))
            images_of = passing(kept, wanted)
        except errors.UserError as error:
            short = error
        found: dict[int, Any] = {}

        def visit(index, frame, images_of=images_of, found=found):
            found.update(images_of.visit(index, frame))

        true = decode(path, visit)
        same = true.kept(frame_step=frame_step, fps=fps)
        if len(same) == len(kept) and (same == kept).all():
            break
        timeline = true
    if short is not None:
        raise short
    return len(kept), [found[place] for place in wanted.tolist()]


class RgbConverter:
    """Turns decoded frames into upright RGB of one size in a single scaling step.

    Args:
        size: `(height, width)` in pixels, or None for the video's own.
    """

    def __init__(self, size: tuple[int, int] | None = None):
        self.size = size
        self._reformatter = av.video.reformatter.VideoReformatter()

    def __call__(self, frame: av.VideoFrame) -> np.ndarray:
        """Returns `[height, width, 3] uint8`."""
        turns = round(frame.rotation / 90) % 4
        height, width = self.size or (None, None)
        if turns % 2:
            height, width = width, height
        scaled = self._reformatter.reformat(
            frame,
            width=width,
            height=height,
            format="rgb24",
            interpolation=av.video.reformatter.Interpolation.BILINEAR,
        )
        rgb = scaled.to_ndarray()
        return np.ascontiguousarray(np.rot90(rgb, turns)) if turns else rgb
