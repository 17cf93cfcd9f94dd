"""An LSTM whose inputs are multiplied by its kernel once for all steps, not anew at each."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import keras
from keras import ops


def step(
    cell: keras.layers.LSTMCell, gates: keras.KerasTensor, memory: keras.KerasTensor
) -> tuple[keras.KerasTensor, keras.KerasTensor]:
    """Returns the state and the cell state [batch, units] after a step.

    Args:
        cell: Its activations are used.
        gates: [batch, 4 * units], what input, state and biases add up to.
        memory: [batch, units], the cell state before.
    """
    write, keep, new, tell = ops.split(gates, 4, axis=-1)
    write, keep, tell = (cell.recurrent_activation(gate) for gate in (write, keep, tell))
    memory = keep * memory + write * cell.activation(new)
    return tell * cell.activation(memory), memory


def scanned(
    one: Callable, states: Sequence[keras.KerasTensor], gates: keras.KerasTensor
) -> tuple[keras.KerasTensor, Sequence[keras.KerasTensor]]:
    """Takes one step after another.

    Args:
        one: From states and the gates of a step [batch, 4 * units] to the new states, twice.
        states: State and cell state [batch, units] before the first.
        gates: [time, batch, 4 * units].

    Returns:
        The states after each step [time, batch, units], and both states after the last.
    """
    states, (outputs, _) = ops.scan(one, states, gates)
    return outputs, states


class _InputsAtOnce(keras.layers.RNN):
    """Runs the steps of an LSTM where its backend has none of its own, as cuDNN on a GPU is.

    One product of all steps is faster than many small ones, and the gradient of the kernel is then
    one product, too, where the sum over steps would pass through memory at each of them.
    """

    # A layer is given another way where its graph is for a runtime that has no lists of tensors.
    steps = staticmethod(scanned)

    def inner_loop(self, sequences, initial_state, mask, training=False):
        """Returns the last output, all outputs [batch, time, units] and the last states."""
        is_plain = mask is None and not (self.unroll or self.go_backwards)
        if not is_plain or self.cell.dropout or self.cell.recurrent_dropout:
            return super().inner_loop(sequences, initial_state, mask=mask, training=training)
        cell = self.cell
        recurrent = ops.convert_to_tensor(cell.recurrent_kernel)
        gates = ops.matmul(sequences, cell.kernel)
        if cell.use_bias:
            gates = ops.add(gates, cell.bias)

        def one(states, own):
            state, memory = states
            states = step(cell, own + ops.matmul(state, recurrent), memory)
            return states, states

        outputs, states = self.steps(one, tuple(initial_state), ops.swapaxes(gates, 0, 1))
        return states[0], ops.swapaxes(outputs, 0, 1), list(states)


@keras.saving.register_keras_serializable(package="lrcn")
class LSTM(keras.layers.LSTM, _InputsAtOnce):
    """`keras.layers.LSTM`: the same variables and, up to rounding, the same outputs."""
