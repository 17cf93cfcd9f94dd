"""Searches for the likeliest caption of a step decoder: greedy, beam, sampling.

All take `step`, a function from a word id [rows, 1] int32 and a list of tensors [rows, ...] to the
logits [rows, vocabulary] of the next word and the list with new states, and the list to begin with.
They return `Captions`. Loops are `keras.ops.while_loop`, so they compile as a whole on any backend.
With `closing` the last word can only be the end, so that every caption is complete and its
log-probability is that of the sentence, as `likelihood` has it; without, captions are cut there.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Sequence
from typing import NamedTuple

import keras
import numpy as np
from keras import ops

from lrcn.data.text import BEGIN, END, PADDING

_NEVER = -1e9  # log-probability of what may not be said; finite, so that differences stay numbers

Step = Callable[[Sequence], Sequence]


class Captions(NamedTuple):
    """What was found for each row.

    Attributes:
        words: int32 [rows, length], word ids, padding after the end.
        log_probability: float32 [rows], sum over the words and the end.
        ended: bool [rows], whether the caption came to its end within the length.
    """

    words: keras.KerasTensor
    log_probability: keras.KerasTensor
    ended: keras.KerasTensor


def greedy(
    step: Step,
    given: Sequence,
    *,
    max_length: int,
    silent: Sequence[int] = (),
    closing: bool = False,
) -> Captions:
    """Takes the likeliest word at each step.

    Args:
        step: The decoder.
        given: What it begins with, [rows, ...] each.
        max_length: Most words of a caption, its end included; one that has not ended is cut.
        silent: Words that are not said, such as the unknown one; the others keep their
            probability.
        closing: Whether the last word can only be the end.
    """

    def likeliest(logits):  # `argmax` looks for negative zeros first, which takes longer
        values, words = ops.top_k(logits, 1)
        return words[:, 0], values[:, 0]

    return _told(step, given, max_length, _Sayable(silent, closing), likeliest)


def sample(
    step: Step,
    given: Sequence,
    *,
    samples: int,
    temperature: float,
    max_length: int,
    seed: keras.random.SeedGenerator,
    silent: Sequence[int] = (),
    closing: bool = False,
) -> Captions:
    """Draws captions and keeps the likeliest of each row (Donahue et al. 2015, section 5).

    Args:
        step: The decoder.
        given: What it begins with, [rows, ...] each.
        samples: Captions that are drawn for a row.
        temperature: Factor on the logits, so that large values come near to `greedy`; the
            captions are compared by their log-probability without it.
        max_length: Most words of a caption, its end included; one that has not ended is cut.
        seed: Of the draws.
        silent: Words that are not said, see `greedy`.
        closing: Whether the last word can only be the end.
    """

    def draw(logits):
        words = keras.random.categorical(temperature * logits, 1, seed=seed)
        return words[:, 0], ops.take_along_axis(logits, words, axis=1)[:, 0]

    repeated = [ops.repeat(values, samples, axis=0) for values in given]
    found = _told(step, repeated, max_length, _Sayable(silent, closing), draw)
    scores = ops.reshape(found.log_probability, (-1, samples))
    best = ops.argmax(scores, axis=1)
    rows = ops.arange(ops.shape(scores)[0]) * samples + ops.cast(best, "int32")
    return Captions(*(ops.take(values, rows, axis=0) for values in found))


def beam(
    step: Step,
    given: Sequence,
    *,
    width: int,
    max_length: int,
    length_penalty: float = 0.0,
    silent: Sequence[int] = (),
    closing: bool = False,
) -> Captions:
    """Keeps the `width` likeliest beginnings at each step; ended captions compete with open ones.

    Args:
        step: The decoder.
        given: What it begins with, [rows, ...] each.
        width: Beginnings that are kept; 1 is greedy.
        max_length: Most words of a caption, its end included; one that has not ended is cut.
        length_penalty: The caption with the highest log-probability divided by
            `length ** length_penalty` wins in the end; 0 compares sums, as the paper does.
        silent: Words that are not said, see `greedy`.
        closing: Whether the last word can only be the end.
    """
    rows = ops.shape(given[0])[0]
    steps, sayable = max_length, _Sayable(silent, closing)
    first = ops.concatenate([ops.zeros((rows, 1)), ops.full((rows, width - 1), _NEVER)], axis=1)
    start = (
        0,
        ops.full((rows, width, steps), PADDING, dtype="int32"),
        first,
        ops.zeros((rows, width), dtype="bool"),
        ops.full((rows * width, 1), BEGIN, dtype="int32"),
        *(ops.repeat(values, width, axis=0) for values in given),
    )

    def unfinished(time, words, scores, ended, last, *states):
        return ops.logical_and(time < steps, ops.logical_not(ops.all(ended)))

    def extend(time, words, scores, ended, last, *states):
        logits, *states = step([last, *states])
        size = ops.shape(logits)[-1]
        candidates, normaliser = sayable.masked(logits, is_last=time == steps - 1)
        gains = ops.reshape(candidates, (rows, width, size))
        resting = ops.where(ops.arange(size) == PADDING, 0.0, _NEVER)
        gains = ops.where(ended[..., None], resting, gains)
        before = scores - ops.where(ended, 0.0, ops.reshape(normaliser, (rows, width)))
        total = ops.reshape(before[..., None] + gains, (rows, width * size))
        scores, places = ops.top_k(total, width)
        origin = ops.cast(places // size, "int32")
        word = ops.cast(places % size, "int32")
        words = ops.take_along_axis(words, origin[..., None], axis=1)
        ended = ops.take_along_axis(ended, origin, axis=1)
        words = _written(words, word, time)
        flat = ops.reshape(origin + ops.arange(rows)[:, None] * width, (-1,))
        states = [ops.take(values, flat, axis=0) for values in states]
        ended = ops.logical_or(ended, word == END)
        return (time + 1, words, scores, ended, ops.reshape(word, (-1, 1)), *states)

    _, words, scores, ended, *_ = ops.while_loop(unfinished, extend, start)
    lengths = ops.cast(ops.sum(ops.cast(words != PADDING, "int32"), axis=-1), "float32")
    # As `likeliest` does; what `argmax` does besides, other runtimes than TensorFlow cannot.
    _, best = ops.top_k(scores / ops.power(ops.maximum(lengths, 1.0), length_penalty), 1)
    return Captions(
        ops.take_along_axis(words, best[..., None], axis=1)[:, 0],
        ops.take_along_axis(scores, best, axis=1)[:, 0],
        ops.take_along_axis(ended, best, axis=1)[:, 0],
    )


def _told(
    step: Step, given: Sequence, max_length: int, sayable: _Sayable, choose: Callable
) -> Captions:
    """Says one word after another, which `choose(logits)` returns with its logit."""
    rows = ops.shape(given[0])[0]
    steps = max_length
    start = (
        0,
        ops.full((rows, steps), PADDING, dtype="int32"),
        ops.zeros((rows,)),
        ops.zeros((rows,), dtype="bool"),
        ops.full((rows, 1), BEGIN, dtype="int32"),
        *given,
    )

    def unfinished(time, words, scores, ended, last, *states):
        return ops.logical_and(time < steps, ops.logical_not(ops.all(ended)))

    def extend(time, words, scores, ended, last, *states):
        logits, *states = step([last, *states])
        candidates, normaliser = sayable.masked(logits, is_last=time == steps - 1)
        word, logit = choose(candidates)
        scores = scores + ops.where(ended, 0.0, logit - normaliser)
        word = ops.where(ended, PADDING, ops.cast(word, "int32"))
        words = _written(words, word, time)
        ended = ops.logical_or(ended, word == END)
        return (time + 1, words, scores, ended, word[:, None], *states)

    _, words, scores, ended, *_ = ops.while_loop(unfinished, extend, start)
    return Captions(words, scores, ended)


@dataclasses.dataclass(frozen=True)
class _Sayable:
    """Which words may be said; padding and begin never are.

    Attributes:
        silent: Words that are not.
        closing: Whether the last word can only be the end.
    """

    silent: Sequence[int]
    closing: bool

    def masked(self, logits, *, is_last) -> tuple:
        """Returns logits [rows, words] and a normaliser [rows], both float32.

        Their difference is the log-probability. It is not made here, as a caption needs that of
        the words it chooses alone. The largest logit is taken off first, so that their level costs
        no digits. What may not be said has the logit `_NEVER`.
        """
        logits = ops.cast(logits, "float32")
        logits = logits - ops.max(logits, axis=-1, keepdims=True)
        normaliser = ops.log(ops.sum(ops.exp(logits), axis=-1))
        size = logits.shape[-1]
        added = np.zeros(size, np.float32)
        added[[PADDING, BEGIN, *self.silent]] = _NEVER
        if self.closing:
            at_last = np.where(np.arange(size) == END, added, np.float32(_NEVER))
            added = ops.where(is_last, at_last, added)
        # To add it is quicker than to choose, and no digit of what is far below counts.
        return logits + added, normaliser


def _written(words, word, time):
    """Returns words [..., length] with `word` [...] at place `time`."""
    places = ops.arange(ops.shape(words)[-1])
    return ops.where(places == time, word[..., None], words)
