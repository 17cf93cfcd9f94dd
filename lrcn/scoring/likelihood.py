"""How likely a description network finds captions that somebody else wrote."""

from __future__ import annotations

import keras
from keras import ops

from lrcn.models import description


class Likelihood(keras.Model):
    """Maps what is known of items and captions to log-probabilities [items, captions].

    The inputs are a dict of `given`, a list of tensors [items, ...] that `description.encoder`
    returns, and the training pairs `words`, `targets` and `mask` [captions, length]. The
    log-probability of a caption is the sum over its words and its end.

    Args:
        model: A description network or its head; its weights are shared.
    """

    def __init__(self, model: keras.Model):
        super().__init__(name="likelihood", dtype="float32")
        self._decoder = description.decoder(model)

    def call(self, inputs):
        """Returns the log-probability of every caption for every item."""
        given, words = inputs["given"], inputs["words"]
        items, captions = ops.shape(given[0])[0], ops.shape(words)[0]
        # Every caption beside every item, as one batch of pairs.
        spread = [ops.repeat(values, captions, axis=0) for values in given]
        logits = self._decoder([_tiled(words, items), *spread])
        values = ops.log_softmax(logits, axis=-1)
        targets = _tiled(inputs["targets"], items)
        said = ops.take_along_axis(values, targets[..., None], axis=-1)[..., 0]
        mask = ops.cast(_tiled(inputs["mask"], items), "float32")
        return ops.reshape(ops.sum(said * mask, axis=-1), (items, captions))


def _tiled(values, times):
    """Returns rows [rows, length] `times` times over."""
    length = ops.shape(values)[1]
    spread = ops.broadcast_to(values[None], (times, ops.shape(values)[0], length))
    return ops.reshape(spread, (-1, length))
