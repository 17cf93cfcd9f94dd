"""Which part of each frame the network sees: crops, mirrors and resizing, once per clip."""

from __future__ import annotations

import dataclasses

import numpy as np
import tensorflow as tf

from lrcn import errors

CROPS = ("fit", "centre", "squash", "random", "ten")
TEN = 10


@dataclasses.dataclass(frozen=True)
class View:
    """How a stored frame becomes an input frame of the network.

    Frames that already have the input size pass untouched, whatever the crop. Frames smaller than
    the crop are first enlarged, with their aspect kept, until the crop fits.

    Args:
        size: Height and width of the network's input, in pixels.
        crop: "fit" resizes until the frame just covers the input, aspect kept, and takes the
            middle; "centre" takes the middle at the stored scale; "squash" resizes the whole frame;
            "random" takes one of all positions, the same for every frame of a clip; "ten" takes the
            corners, the middle and their mirror images (evaluation only; Donahue et al. 2015,
            released code).
        mirror: Whether a clip is mirrored left to right half of the time.
        modality: Of the frames. In a mirrored image of optical flow what moved to the right moves
            to the left, so x is negated: 255 - x (as in the released code of the paper).
    """

    size: tuple[int, int]
    crop: str = "centre"
    mirror: bool = False
    modality: str = "rgb"

    def __post_init__(self):
        if self.crop not in CROPS:
            raise errors.UserError(
                "unknown crop",
                where="augment.crop",
                received=repr(self.crop),
                expected="one of " + ", ".join(CROPS),
                remedy="Set augment.train or augment.evaluate to one of them, such as fit",
            )
        if self.crop == "ten" and self.mirror:
            raise errors.UserError(
                "ten crops already hold their mirror images",
                where="augment.mirror",
                received=True,
                expected=False,
                remedy="Set augment.mirror=false, or another crop",
            )

    @property
    def is_random(self) -> bool:
        """Whether the same clip looks different from epoch to epoch."""
        return self.crop == "random" or self.mirror

    def mirrors(self, draw: np.ndarray | tf.Tensor) -> bool | tf.Tensor:
        """Tells whether a clip is mirrored, by its row of `draws`."""
        return self.mirror and draw[2] < 0.5


def draws(rng: np.random.Generator, clips: int) -> np.ndarray:
    """Draws what is random about the view of each clip.

    Returns:
        float64 [clips, 3]: place from top and from left as shares of the room there is, and the
        coin for the mirror, each in [0, 1).
    """
    return rng.random((clips, 3))


def centre_offset(frame: tuple[int, int], size: tuple[int, int]) -> tuple[int, int]:
    """Returns top and left of the middle crop: (6, 46) for 227x227 in 240x320."""
    return (frame[0] - size[0]) // 2, (frame[1] - size[1]) // 2


def ten_offsets(frame: tuple[int, int], size: tuple[int, int]) -> list[tuple[int, int]]:
    """Returns top and left of the corners and the middle; mirrored they are the ten crops."""
    bottom, right = frame[0] - size[0], frame[1] - size[1]
    return [(0, 0), (0, right), (bottom, 0), (bottom, right), centre_offset(frame, size)]


def decode(
    jpegs: tf.Tensor, view: View, draw: tf.Tensor, *, most_pixels: int | None = None
) -> tf.Tensor:
    """Decodes the frames of one clip and shows them through `view`.

    Frames may differ in size; each is cropped by the same draw.

    Args:
        jpegs: [time] JPEG strings.
        view: The view.
        draw: [3] float64, a row of `draws`; used by random views only.
        most_pixels: Height times width that a frame may have; None for frames whose headers have
            been looked at.

    Returns:
        [time, height, width, 3] uint8, or [10, time, height, width, 3] for ten crops.
    """
    crops = TEN if view.crop == "ten" else 1
    frames = tf.map_fn(
        lambda jpeg: _as_crops(
            apply(decode_jpeg(jpeg, most_pixels)[tf.newaxis], view, draw), crops
        ),
        jpegs,
        fn_output_signature=tf.TensorSpec([crops, *view.size, 3], tf.uint8),
    )
    return tf.transpose(frames, [1, 0, 2, 3, 4]) if view.crop == "ten" else frames[:, 0]


def apply(frames: tf.Tensor, view: View, draw: tf.Tensor | None = None) -> tf.Tensor:
    """Shows decoded frames of one size through `view`.

    Args:
        frames: [time, height, width, 3] uint8.
        view: The view.
        draw: [3] float64, a row of `draws`; needed by random views only.

    Returns:
        [time, height, width, 3] uint8, or [10, time, height, width, 3] for ten crops.
    """
    if view.crop == "ten":
        return _ten(_cover(frames, view.size), view)
    if view.crop == "squash":
        frames = _resized_middle(frames, tf.constant(view.size), view.size)
    elif view.crop == "fit":
        target = _covering(tf.shape(frames)[1:3], view.size)
        frames = _resized_middle(frames, target, view.size)
    else:
        frames = _cover(frames, view.size)
        frames = _crop(frames, _offset(tf.shape(frames)[1:3], view, draw), view.size)
    if view.mirror:
        shown = frames
        frames = tf.cond(view.mirrors(draw), lambda: _mirrored(shown, view.modality), lambda: shown)
    return tf.ensure_shape(frames, [None, *view.size, 3])


def decode_jpeg(jpeg: tf.Tensor, most_pixels: int | None = None) -> tf.Tensor:
    """Decodes a frame as it is decoded for every network.

    Args:
        jpeg: A scalar string.
        most_pixels: As `decode` has it; larger frames, and what is no JPEG, end in an error.

    Returns:
        [height, width, 3] uint8.
    """
    if most_pixels is not None:
        shape = tf.io.extract_jpeg_shape(jpeg, tf.int64)
        jpeg = tf.where(shape[0] * shape[1] <= most_pixels, jpeg, "")
    # The accurate transform costs nothing more and gives the same pixels as Pillow.
    return tf.io.decode_jpeg(jpeg, channels=3, dct_method="INTEGER_ACCURATE")


def _as_crops(frames: tf.Tensor, crops: int) -> tf.Tensor:
    return tf.reshape(frames, tf.concat([[crops], tf.shape(frames)[-3:]], 0))


def _resize(frames: tf.Tensor, size: tf.Tensor) -> tf.Tensor:
    def resized():
        values = tf.image.resize(frames, size, antialias=True)
        return tf.saturate_cast(tf.round(values), tf.uint8)

    same = tf.reduce_all(tf.equal(tf.shape(frames)[1:3], size))
    return tf.cond(same, lambda: frames, resized)


def _resized_middle(frames: tf.Tensor, target: tf.Tensor, size: tuple[int, int]) -> tf.Tensor:
    """Resizes frames to `target` and takes the middle, which alone is worked out."""
    shape = tf.shape(frames)[1:3]

    def resized():
        values = tf.raw_ops.ScaleAndTranslate(
            images=frames,
            size=tf.constant(size),
            scale=tf.cast(target, tf.float32) / tf.cast(shape, tf.float32),
            translation=-tf.cast((target - size) // 2, tf.float32),
            kernel_type="triangle",
            antialias=True,
        )
        return tf.saturate_cast(tf.round(values), tf.uint8)

    same = tf.reduce_all(tf.equal(shape, target))
    return tf.cond(same, lambda: _crop(frames, (target - size) // 2, size), resized)


def _covering(shape: tf.Tensor, size: tuple[int, int]) -> tf.Tensor:
    """Returns the size at which frames of a shape just cover `size`, aspect kept."""
    exact = tf.cast(shape, tf.float64)
    factor = tf.reduce_max(tf.constant(size, tf.float64) / exact)
    # Rounding may fall one pixel short of the crop, so the crop is a lower bound.
    return tf.maximum(tf.cast(tf.round(exact * factor), tf.int32), tf.constant(size))


def _cover(frames: tf.Tensor, size: tuple[int, int]) -> tf.Tensor:
    """Enlarges frames that do not cover `size`, aspect kept, until they just do."""
    shape = tf.shape(frames)[1:3]
    is_small = tf.reduce_any(shape < tf.constant(size))
    return _resize(frames, tf.where(is_small, _covering(shape, size), shape))


def _offset(shape: tf.Tensor, view: View, draw: tf.Tensor | None) -> tf.Tensor:
    room = shape - tf.constant(view.size)
    if view.crop == "centre":
        return room // 2
    return tf.cast(tf.floor(draw[:2] * tf.cast(room + 1, tf.float64)), tf.int32)


def _crop(frames: tf.Tensor, offset: tf.Tensor, size: tuple[int, int]) -> tf.Tensor:
    top, left = offset[0], offset[1]
    return frames[:, top : top + size[0], left : left + size[1]]


def _mirrored(frames: tf.Tensor, modality: str) -> tf.Tensor:
    frames = tf.reverse(frames, [2])  # several times as fast as a slice with a negative step
    if modality != "flow":
        return frames
    return tf.concat([255 - frames[..., :1], frames[..., 1:]], axis=-1)


def _ten(frames: tf.Tensor, view: View) -> tf.Tensor:
    size = view.size
    shape = tf.unstack(tf.shape(frames)[1:3])
    crops = [_crop(frames, tf.stack(offset), size) for offset in ten_offsets(shape, size)]
    crops = tf.stack(crops + [_mirrored(crop, view.modality) for crop in crops])
    return tf.ensure_shape(crops, [TEN, None, *size, 3])
