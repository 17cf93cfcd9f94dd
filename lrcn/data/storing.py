"""How items are stored."""

from __future__ import annotations

import dataclasses

from lrcn import cores, errors
from lrcn.data import clips as clips_lib
from lrcn.data import modality as modality_lib
from lrcn.data import video
from lrcn.data.limits import Limits

ON_ERROR = ("stop", "skip")


@dataclasses.dataclass(frozen=True)
class StoreOptions:
    """How items are stored.

    Attributes:
        mode: How clips are chosen, None to store every frame. Images ignore it.
        image_shape: `(height, width, 3)` of stored frames, None for the sources' own.
        frame_format: Suffix of frames in folders.
        frame_step: Every `frame_step`-th frame is kept, after `fps`.
        fps: Frames per second to resample videos to, or None.
        num_threads: Threads that read and encode; the records do not depend on it.
        num_items_per_thread: Items a thread may be ahead of the writer, which bounds memory.
        shuffle: Whether to store items in random order and write `NAME.shuffled`.
        short_videos: `error`, `loop` or `skip` for videos shorter than a clip.
        on_error: `stop` at the first bad item, or `skip` and report bad items.
        shards: Number of files.
        overwrite: Whether other records of the same name are replaced.
        seed: Seed of random clips and of the order.
        quality: JPEG quality of encoded frames.
        modality: What the frames are stored as.
        limits: The most that a source may ask for.
    """

    mode: clips_lib.ClipMode | None
    image_shape: tuple[int, int, int] | None = None
    frame_format: str = "jpg"
    frame_step: int = 1
    fps: float | None = None
    num_threads: int = dataclasses.field(default_factory=cores.taken)
    num_items_per_thread: int = 500
    shuffle: bool = False
    short_videos: str = "error"
    on_error: str = "stop"
    shards: int = 1
    overwrite: bool = False
    seed: int = 0
    quality: int = 95
    modality: modality_lib.Modality = modality_lib.Modality()
    limits: Limits = Limits()

    def __post_init__(self):
        for key in ("num_threads", "num_items_per_thread", "shards"):
            if getattr(self, key) < 1:
                raise errors.UserError(
                    "value out of range",
                    where=key,
                    received=getattr(self, key),
                    expected="1 or more",
                    remedy=f"Set {key}=1, or leave it out for its default",
                )
        for key, members in (("on_error", ON_ERROR), ("short_videos", clips_lib.SHORT_VIDEOS)):
            if getattr(self, key) not in members:
                raise errors.UserError(
                    "unknown value",
                    where=key,
                    received=getattr(self, key),
                    expected=f"one of {', '.join(members)}",
                    remedy=f"Set {key}={members[0]}, or another of them",
                )

    def reading(self) -> video.Reading:
        """Returns how frames are read; raises for a bad shape, step or rate."""
        shape = tuple(self.image_shape) if self.image_shape else None
        names = ("frame_format", "frame_step", "fps", "quality", "modality", "limits")
        return video.Reading(shape, **{name: getattr(self, name) for name in names})
