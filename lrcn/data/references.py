"""Captions of records: as the text of each item, and as the words that clips are learnt as."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import tensorflow as tf

from lrcn import cores, errors
from lrcn.data import damage, records, text

References = tuple[tuple[str, ...], ...]


def of_records(record_set: records.RecordSet) -> References:
    """Returns the captions of each item, in stored order.

    Args:
        record_set: The records.

    Raises:
        UserError: An item has no caption, one without a word or a very long one, or the records
            are damaged.
    """
    parsed = record_set.serialized().map(
        lambda example: records.parse_example(example)["captions"],
        num_parallel_calls=cores.taken(),
    )
    with damage.translating_errors(record_set.path, limits=record_set.limits):
        found = tuple(
            tuple(caption.decode() for caption in captions)
            for captions in parsed.prefetch(1).as_numpy_iterator()
        )
    for name, captions in zip(record_set.metadata.ids, found, strict=True):
        _check(record_set, name, captions)
    return found


def _check(record_set: records.RecordSet, name: str, captions: Sequence[str]) -> None:
    where = f"{record_set.path}: item {name}"
    if not captions:
        raise errors.UserError(
            "nothing describes this item",
            where=where,
            received="no caption",
            expected="one caption at least",
            remedy="Give it a caption and serialize again with overwrite=true, or choose a "
            "workflow that learns classes: singleframe or lstm",
        )
    for caption in captions:
        text.check_caption(caption, where=where, limits=record_set.limits)


class Words:
    """Captions of records as training pairs of words.

    Args:
        references: The captions of each item.
        vocabulary: Their words.
    """

    def __init__(self, references: References, vocabulary: text.Vocabulary):
        encoded = [vocabulary.encode(caption) for own in references for caption in own]
        self._pairs = text.batch(encoded, length=vocabulary.steps)
        self._counts = counts(references)

    def of(self, target: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor, tf.Tensor]:
        """Returns inputs and targets int32 and mask float32 [batch, length] of captions.

        Args:
            target: int64 [batch] or [], places of captions, counted over all items.
        """
        words, targets, mask = (tf.gather(tf.constant(table), target) for table in self._pairs)
        return words, targets, tf.cast(mask, tf.float32)

    def of_items(self, item: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        """Returns the captions of a batch of items, one item after another.

        Args:
            item: int64 [batch], places in the records.

        Returns:
            Places of captions, as `of` takes them, and for each the place of its item in the
            batch, int32 [captions] both.
        """
        first = tf.gather(tf.constant(np.cumsum(self._counts) - self._counts), item)
        places = tf.ragged.range(first, first + tf.gather(tf.constant(self._counts), item))
        return places.values, tf.cast(places.value_rowids(), tf.int32)


class Itself:
    """Clips are learnt as their items, of which more is looked up by whole batches."""

    def of(self, target: tf.Tensor) -> tuple[tf.Tensor]:
        """Returns the places of the items."""
        return (target,)


def trimmed(
    words: tf.Tensor, targets: tf.Tensor, mask: tf.Tensor
) -> tuple[tf.Tensor, tf.Tensor, tf.Tensor]:
    """Returns a batch of training pairs without the steps that are padding in all of them."""
    length = tf.cast(tf.reduce_max(tf.reduce_sum(mask, axis=1)), tf.int32)
    return words[:, :length], targets[:, :length], mask[:, :length]


def counts(references: References) -> np.ndarray:
    """Returns the number of captions of each item, int64 [items]."""
    return np.array([len(captions) for captions in references], np.int64)
