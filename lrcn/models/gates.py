"""An LSTM part of whose input is the same at every step, so that its share is worked out once.

A frame vector that enters at every word (Donahue et al. 2015, section 5) is multiplied by the same
part of the kernel each time. Where captions are searched for or compared with many images, that is
the larger part of the work. The saved network has a `recurrent.LSTM`, whose weights are used here.
"""

from __future__ import annotations

import keras
from keras import ops

from lrcn.models import recurrent


class ConstantGates(keras.layers.Layer):
    """Maps a constant [batch, features] to its share of the gates [batch, 4 * units].

    Args:
        lstm: A built layer whose input ends with the constant at every step.
    """

    def __init__(self, lstm: keras.layers.LSTM, **kwargs):
        super().__init__(**kwargs)
        self.lstm = lstm

    def call(self, constant):
        """Returns the share of the gates, with the biases."""
        cell = self.lstm.cell
        return ops.matmul(constant, cell.kernel[-constant.shape[-1] :]) + cell.bias

    def compute_output_shape(self, input_shape):
        """Returns [batch, 4 * units]."""
        return (input_shape[0], 4 * self.lstm.units)


class GatedLSTM(keras.layers.Layer):
    """Maps [batch, time, values] and `ConstantGates` to what the LSTM makes of both.

    Returns its outputs [batch, time, units] and the last two states, as the layer itself does.

    Args:
        lstm: A built layer whose input ends with the constant at every step.
        unroll: Whether steps are laid out beside each other, which needs a known number of them.
    """

    def __init__(self, lstm: keras.layers.LSTM, *, unroll: bool, **kwargs):
        super().__init__(**kwargs)
        self.lstm = lstm
        self._steps = keras.layers.RNN(
            _Cell(lstm, dtype=self.dtype_policy),
            return_sequences=True,
            return_state=True,
            unroll=unroll,
            dtype=self.dtype_policy,
        )

    def call(self, inputs, initial_state):
        """Returns outputs, state and cell state."""
        values, gates = inputs
        own = ops.matmul(values, self.lstm.cell.kernel[: values.shape[-1]])
        return tuple(self._steps(own + gates[:, None], initial_state=initial_state))


class _Cell(keras.layers.Layer):
    """A step of an LSTM from what its inputs add to the gates, [batch, 4 * units]."""

    def __init__(self, lstm: keras.layers.LSTM, **kwargs):
        super().__init__(**kwargs)
        self.lstm = lstm
        self.state_size = [lstm.units, lstm.units]
        self.output_size = lstm.units

    def call(self, inputs, states):
        state, memory = states
        cell = self.lstm.cell
        gates = inputs + ops.matmul(state, cell.recurrent_kernel)
        states = recurrent.step(cell, gates, memory)
        return states[0], list(states)
