"""The steps of an LSTM as loops over plain tensors.

Keras goes through them with lists of tensors, which neither ONNX nor LiteRT has.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator

import keras
from keras import ops

from lrcn.models import networks, recurrent


@contextlib.contextmanager
def plain(model: keras.Model) -> Iterator[None]:
    """Has every LSTM of a network go through its steps without lists while the block is traced."""
    own = [layer for layer in networks.head(model).layers if isinstance(layer, recurrent.LSTM)]
    for layer in own:
        layer.steps = in_place
    try:
        yield
    finally:
        for layer in own:
            del layer.steps


def in_place(one: Callable, states: tuple, gates) -> tuple:
    """Does what `recurrent.scanned` does: each output is written to its place in one tensor.

    Where the number of steps is known there is no loop at all.
    """
    if gates.shape[0] is not None:
        outputs = []
        for time in range(gates.shape[0]):
            states, _ = one(states, gates[time])
            outputs.append(states[0])
        return ops.stack(outputs), states
    count = ops.shape(gates)[0]
    places = ops.reshape(ops.arange(count), (-1, 1, 1))

    def unfinished(time, outputs, *states):
        return time < count

    def step(time, outputs, *states):
        states, _ = one(states, ops.take(gates, time, axis=0))
        return (time + 1, ops.where(places == time, states[0][None], outputs), *states)

    empty = ops.zeros((count, *ops.shape(states[0])))
    _, outputs, *states = ops.while_loop(unfinished, step, (0, empty, *states))
    return outputs, tuple(states)
