"""Frames of any size as a network sees them, in operations that every runtime has.

A resize sums weighted rows, then weighted columns, by an antialiased triangle filter. It does what
`data.augment` does with one operation of TensorFlow, in the same order, so that nothing is rounded
otherwise: as matrix products it was, and log-probabilities of captions moved by a thousandth.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import tensorflow as tf

from lrcn.data import augment


def seen(frames: tf.Tensor, view: augment.View, stored: Sequence[int] | None) -> tf.Tensor:
    """Returns what a network is shown of frames.

    Args:
        frames: [count, height, width, 3] uint8, of any height and width.
        view: What part of a stored frame is seen; neither random nor ten crops.
        stored: Height and width of stored frames, to which others are resized first; None where
            frames keep their own.

    Returns:
        [count, height, width, 3] float32 in the size of the view, whole numbers from 0 to 255.
    """
    shape = tf.shape(frames)[1:3]
    values = tf.cast(frames, tf.float32)
    if stored is None:
        return _taken(values, shape, *_placed(shape, view), view)
    whole = augment.View(tuple(stored), "squash")
    values = _taken(values, shape, *_placed(shape, whole), whole)
    with tf.init_scope():  # of known sizes, so all is worked out here and now
        size = tf.constant(tuple(stored))
        target, offset = _placed(size, view)
        same, (top, left) = bool(tf.reduce_all(size == target)), offset.numpy().tolist()
        taps = [tap.numpy() for tap in _taps(size, target, offset, view)]
    if same:
        return values[:, top : top + view.size[0], left : left + view.size[1]]
    return _resized(values, *taps)


def _placed(shape: tf.Tensor, view: augment.View) -> tuple[tf.Tensor, tf.Tensor]:
    """Returns the size to which frames of a shape are resized, and top and left of what is seen."""
    size = tf.constant(view.size)
    if view.crop == "squash":
        return size, tf.constant([0, 0])
    target = _covering(shape, size)
    if view.crop == "centre":
        target = tf.where(tf.reduce_any(shape < size), target, shape)
    return target, (target - size) // 2


def _covering(shape: tf.Tensor, size: tf.Tensor) -> tf.Tensor:
    """Returns the size at which frames of a shape just cover `size`, aspect kept.

    In whole numbers, as LiteRT has no float64; halves are rounded to even ones.
    """
    by_rows = size[0] * shape[1] >= size[1] * shape[0]
    over, under = tf.where(by_rows, size[0], size[1]), tf.where(by_rows, shape[0], shape[1])
    times, rest = (over * shape) // under, 2 * ((over * shape) % under)
    is_up = tf.logical_or(rest > under, tf.logical_and(rest == under, times % 2 == 1))
    return tf.maximum(times + tf.cast(is_up, tf.int32), size)


def _taken(
    values: tf.Tensor, shape: tf.Tensor, target: tf.Tensor, offset: tf.Tensor, view: augment.View
) -> tf.Tensor:
    """Resizes frames of a shape to `target` unless they have it, and takes what is seen."""
    size = view.size

    def cropped() -> tf.Tensor:
        top, left = offset[0], offset[1]
        return values[:, top : top + size[0], left : left + size[1]]

    def resized() -> tf.Tensor:
        return _resized(values, *_taps(shape, target, offset, view))

    taken = tf.cond(tf.reduce_all(shape == target), cropped, resized)
    return tf.reshape(taken, [-1, *size, 3])


def _taps(
    shape: tf.Tensor, target: tf.Tensor, offset: tf.Tensor, view: augment.View
) -> tuple[tf.Tensor, ...]:
    """Returns which rows make each row and with which weights, and likewise of columns."""
    sides = [
        _triangles(
            shape[axis],
            target[axis],
            offset[axis],
            view.size[axis],
            before=view.crop == "centre",
        )
        for axis in (0, 1)
    ]
    return tuple(tap for side in sides for tap in side)


def _triangles(
    given: tf.Tensor, target: tf.Tensor, offset: tf.Tensor, taken: int, *, before: bool
) -> tuple[tf.Tensor, tf.Tensor]:
    """Returns what makes each pixel from `offset` on of a side that is resized to `target`.

    In float32 and in the order of TensorFlow's own resize, so that nothing is rounded otherwise.

    Args:
        given: Pixels of the side.
        target: Pixels of the resized side.
        offset: The first pixel of that which is taken.
        taken: How many are.
        before: Whether the offset is added before pixels are scaled, as where frames are resized
            as a whole and cropped then.

    Returns:
        The pixels [taps, taken] int32 and their weights [taps, taken] float32.
    """
    # Not a constant: TensorFlow would take `1 / x` for its reciprocal, which is a rough one.
    one = tf.cast(given > 0, tf.float32)
    inverse = one / (tf.cast(target, tf.float32) / tf.cast(given, tf.float32))
    reach = tf.maximum(inverse, 1.0)  # antialiased: shrunk pixels see all that they stand for
    here, there = (offset, 0) if before else (0, offset)
    middles = (tf.cast(tf.range(taken) + here, tf.float32) + 0.5) * inverse
    middles += inverse * tf.cast(there, tf.float32)
    start = tf.maximum(tf.cast(tf.math.ceil(middles - reach - 0.5), tf.int32), 0)
    count = 2 * tf.cast(tf.math.ceil(reach), tf.int32) + 1
    places = start[tf.newaxis] + tf.range(count)[:, tf.newaxis]
    far = tf.abs(tf.cast(places, tf.float32) + 0.5 - middles) * (one / reach)
    weights = tf.maximum(1.0 - far, 0.0) * tf.cast(places < given, tf.float32)
    weights = weights * (one / tf.cumsum(weights, axis=0)[-1])  # summed one after the other
    return tf.minimum(places, given - 1), weights


def _resized(values: tf.Tensor, *taps: tf.Tensor | np.ndarray) -> tf.Tensor:
    """Returns frames [count, rows, columns, 3] as [count, height, width, 3], rounded."""
    rows, of_rows, columns, of_columns = taps
    values = _summed(values, rows, of_rows[:, :, np.newaxis, np.newaxis], axis=1)
    return tf.round(_summed(values, columns, of_columns[:, :, np.newaxis], axis=2))


def _summed(
    values: tf.Tensor, places: tf.Tensor | np.ndarray, weights: tf.Tensor | np.ndarray, axis: int
) -> tf.Tensor:
    """Returns the weighted sum of what is at places [taps, taken] of an axis."""

    def tap(number: int | tf.Tensor) -> tf.Tensor:
        return tf.gather(values, places[number], axis=axis) * weights[number]

    total = tap(0)
    if isinstance(places, np.ndarray):
        for number in range(1, len(places)):
            total += tap(number) if weights[number].any() else 0.0
        return total
    count = tf.shape(places)[0]
    _, total = tf.while_loop(
        lambda number, _: number < count,
        lambda number, sum: (number + 1, sum + tap(number)),
        (1, total),
    )
    return total
