"""Records of one item that never touch a disk, so that prediction goes the way of evaluation."""

from __future__ import annotations

import dataclasses
import pathlib
from collections.abc import Sequence

import numpy as np
import tensorflow as tf

from lrcn.data import clips, records


@dataclasses.dataclass(frozen=True)
class MemoryRecords(records.RecordSet):
    """Records whose serialized examples are held in memory."""

    examples: tuple[bytes, ...] = ()

    def serialized(self) -> tf.data.Dataset:
        """Returns the serialized examples in order, as scalar strings."""
        return tf.data.Dataset.from_tensor_slices(list(self.examples))


def hold(id: str, frames: Sequence[bytes], table: np.ndarray) -> MemoryRecords:
    """Returns records of one item with the clips that `table` names.

    Args:
        id: Id of the item.
        frames: Frames as they would be stored, one JPEG each.
        table: Indices into `frames`, [clips, time].
    """
    example = records.encode_example(id=id, path=id, frames=frames, clips=table)
    metadata = records.Metadata(
        items=1,
        type="video",
        frames_per_clip=table.shape[1],
        clips_per_item=table.shape[0],
        frame_shape=None,
        num_classes=0,
        multi_label=False,
        label_names=(),
        clipframe_mode=clips.ClipMode("rand_clips", table.shape[1], table.shape[0]),
        raw_image_shape=None,
        frame_step=1,
        fps=None,
        frame_format="jpg",
        short_videos="loop",
        quality=95,
        shuffled=False,
        seed=0,
        shards=(),
        skipped=(),
        source=records.Source(id, ""),
        ids=(id,),
        groups=(),
        labels=((),),
        frame_counts=(len(frames),),
        clip_counts=(table.shape[0],),
    )
    return MemoryRecords(pathlib.Path(id), metadata, (), (example,))
