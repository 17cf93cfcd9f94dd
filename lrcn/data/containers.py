"""Video files, decoded in order and counted, never sought in (PyAV)."""

from __future__ import annotations

import contextlib
import dataclasses
import math
import os
import pathlib
from collections.abc import Callable, Iterator
from typing import Any

import av
import av.error
import av.stream
import av.video.reformatter
import numpy as np

from lrcn import errors
from lrcn.data import bounded, images, lines
from lrcn.data import passing as passing_lib
from lrcn.data.limits import Limits

# Headers of these tell no number of frames, only the duration.
_DURATION_ONLY = ("matroska", "flv")
# What the suffixes of videos promise; each is one file alone. Playlists, scripts and streams of
# others (HLS, DASH, concat, SDP, numbered images) would have FFmpeg open what they name.
_FORMATS = (
    *("avi", "asf", "flv", "gif", "matroska", "mov", "mpeg", "mpegts", "mpegvideo", "m4v"),
    *("ogg", "h264", "hevc"),
)
_EXPECTED = "a complete video file, and no playlist"
_MORE_THAN_FIT = 2**60  # frames: what a number of seconds may come to is bounded before it counts
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

    def kept(
        self, *, frame_step: int = 1, fps: float | None = None, limits: Limits = Limits()
    ) -> np.ndarray:
        """Returns the frames that remain after resampling to `fps`, then every `frame_step`-th.

        A resampled frame is the one shown nearest to its time; frames repeat if `fps` is more
        than the video has.

        Args:
            frame_step: Every `frame_step`-th frame is kept.
            fps: Frames per second, or None for all.
            limits: `frames` bounds what time stamps far from each other are resampled to.

        Returns:
            Frame numbers in the file, `[n] int64`.

        Raises:
            UserError: There would be too many.
        """
        frames = np.arange(len(self.times))
        if fps is not None and len(frames):
            times = np.asarray(self.times) - self.times[0]
            last = 1 / self.rate if self.rate else times[-1] / max(len(times) - 1, 1)
            # Time stamps are often rounded to milliseconds: a sliver of a frame is none.
            asked = float(times[-1] + last) * fps - 0.05
            count = max(math.ceil(min(asked, _MORE_THAN_FIT)), 1)
            where = f"dataset.fps={fps:g} of {times[-1]:.10g} seconds"
            limits.require("frames", count, where=where, what="a video at this rate")
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
    limits: Limits
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
            self.limits.require("frames", len(self.stamps), where=self.path, what="a video")


@contextlib.contextmanager
def opened(
    path: str | os.PathLike, *, limits: Limits = Limits()
) -> Iterator[av.container.InputContainer]:
    """Opens a local video file, and nothing that it may name.

    Args:
        path: The file; `concat:a|b` and `http:x` are names like any other.
        limits: `image_pixels` bounds what decoders take memory for.

    Raises:
        OSError: It is no file or cannot be read.
        av.error.FFmpegError: It is no video of a known kind.
    """
    bounded.require_file(path)
    own = {"protocol_whitelist": "file", "format_whitelist": ",".join(_FORMATS)}
    with av.open(
        f"file:{pathlib.Path(path).absolute()}",
        metadata_errors="ignore",
        container_options=own,
        options={"max_pixels": str(limits.image_pixels)},
    ) as container:
        yield container


@contextlib.contextmanager
def _opened(path: str | pathlib.Path, limits: Limits) -> Iterator[tuple]:
    """Opens a video file as `(container, stream)`; every error inside names the file."""
    stream, size = None, 0
    try:
        with opened(path, limits=limits) as container:
            stream = _video_stream(container, path, limits)
            size = stream.codec_context.width * stream.codec_context.height
            yield container, stream
    except av.error.FFmpegError as error:
        context = stream and stream.codec_context
        # The decoder forgets the size if it does not take one that comes later.
        if size and not 0 < context.width * context.height <= limits.image_pixels:
            raise _grown(path, limits) from error
        raise _unopened(path, error.strerror or str(error)) from error
    except OSError as error:
        raise _unopened(path, lines.reason(error)) from error


def _unopened(path: str | pathlib.Path, received: object) -> errors.UserError:
    return errors.UserError(
        "video cannot be opened or decoded",
        where=path,
        received=received,
        expected=_EXPECTED,
        remedy=_REMEDY,
    )


def _grown(path: str | pathlib.Path, limits: Limits) -> errors.UserError:
    return errors.UserError(
        "a frame is larger than the limit, or has no size",
        where=path,
        received="frames that change their size",
        expected=f"at most {limits.image_pixels:,} pixels",
        remedy="Leave it out, or raise limits.image_pixels if it can be trusted",
    )


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


def _video_stream(
    container, path: str | pathlib.Path, limits: Limits
) -> av.video.stream.VideoStream:
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
    if stream.codec_context is None:
        raise errors.UserError(
            "video of a kind that FFmpeg does not decode",
            where=path,
            received="a stream of no known codec",
            expected="a codec such as H.264, MPEG-4 or VP9",
            remedy=_REMEDY,
        )
    pixels = stream.codec_context.width * stream.codec_context.height
    limits.require("image_pixels", pixels, where=path, what="a frame of the video")
    # Files are decoded side by side, so threads inside one would only contend.
    stream.codec_context.thread_count = 1
    pixels = str(limits.image_pixels)  # as when it was opened, of frames that come later, too
    stream.codec_context.options = {"err_detect": "explode", "max_pixels": pixels}
    return stream


def _timeline(stamps: list[float | None], stream) -> Timeline:
    rate = float(stream.average_rate or stream.guessed_rate or 0) or None
    if None in stamps:
        return Timeline(tuple(index / (rate or 25.0) for index in range(len(stamps))), rate)
    return Timeline(tuple(sorted(stamps)), rate)


def _packets(container: av.container.InputContainer) -> Iterator[av.Packet]:
    """Yields the packets of all streams, and of each an empty one at the end."""
    try:
        yield from container.demux()
    except IndexError:
        # PyAV ends those streams, too, that began in the middle of the file and that it does not
        # know. Theirs come last, so nothing of the others is missing.
        return


def planned(path: str | pathlib.Path, *, limits: Limits = Limits()) -> Timeline:
    """Returns the timeline that the packets promise, without decoding.

    Args:
        path: The file.
        limits: Bound the size of frames and their number.

    Raises:
        UserError: The file does not open, or is larger than the limits.
    """
    tally = _Tally(path, limits)
    with _opened(path, limits) as (container, stream):
        for packet in _packets(container):
            tally.add(packet, video=packet.stream_index == stream.index)
        return _timeline(tally.stamps, stream)


def decode(
    path: str | pathlib.Path,
    visit: Callable[[int, av.VideoFrame], None] | None = None,
    *,
    limits: Limits = Limits(),
) -> Timeline:
    """Decodes a whole video in order.

    Args:
        path: The file.
        visit: Called with the number of each frame and the frame.
        limits: Bound the size of frames and their number.

    Returns:
        The timeline of the frames that were decoded.

    Raises:
        UserError: If the file does not open, is larger than the limits, a packet does not decode,
            or fewer frames came than its header promises.
    """
    tally, stamps = _Tally(path, limits), []
    with _opened(path, limits) as (container, stream):
        for packet in _packets(container):
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
                pixels = frame.height * frame.width
                limits.require("image_pixels", pixels, where=path, what="a frame of the video")
                limits.require("frames", len(stamps) + 1, where=path, what="a video")
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
    limits: Limits = Limits(),
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
        limits: Bound the size of frames, their number, and the bytes of all images.

    Returns:
        The number of frames, and the images in the order of their indices.
    """
    timeline = planned(path, limits=limits)
    while True:
        kept = timeline.kept(frame_step=frame_step, fps=fps, limits=limits)
        # A wrong promise must not be blamed on the video: look at the true count first.
        short, wanted, images_of = None, kept[:0], passing(kept, kept[:0])
        try:
            wanted = choose(len(kept))
            images_of = passing(kept, wanted)
        except errors.UserError as error:
            short = error
        made = passing_lib.Made(limits, where=path)

        def visit(index, frame, images_of=images_of, made=made):
            made.add(images_of.visit(index, frame))

        true = decode(path, visit, limits=limits)
        same = true.kept(frame_step=frame_step, fps=fps, limits=limits)
        if len(same) == len(kept) and (same == kept).all():
            break
        timeline = true
    if short is not None:
        raise short
    return len(kept), [made.found[place] for place in wanted.tolist()]


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
