"""Brings foreign tensors into the order of axes that Keras has, each checked by its shape.

Caffe and PyTorch have convolutions (out, in/groups, height, width), matrices (out, in), maps
flattened as channels, height, width, and Caffe's LSTM has its gates in the order input, forget,
output, new. Keras has (height, width, in/groups, out), (in, out), maps flattened as height, width,
channels, and the gates input, forget, new, output.
"""

from __future__ import annotations

import dataclasses

import keras
import numpy as np

from lrcn.errors import UserError
from lrcn.models.foreign import source


@dataclasses.dataclass(frozen=True)
class Match:
    """A tensor of a file and the weight that it becomes, or a part of it; None if it is left."""

    tensor: source.Tensor
    weight: keras.Variable | None = None


class Filler:
    """Fills layers of a network from a file, and keeps account of what became what.

    Nothing is changed before `fill`: a tensor that misfits leaves the network as it was.

    Args:
        found: The file.
        where: The place of the file, for messages.
    """

    def __init__(self, found: source.Source, where: str):
        self._found = found
        self._where = where
        self._matches: list[Match] = []
        self._values: list[tuple[keras.Variable, np.ndarray]] = []

    def take(
        self,
        layer: source.Layer | None,
        target: keras.layers.Layer,
        *,
        maps: tuple[int, int, int] | None = None,
    ) -> None:
        """Takes the kernel and the bias of a convolution or matrix.

        Args:
            layer: The layer of the file, or None if it has none.
            target: The layer of the network.
            maps: Height, width and channels of the maps that were flattened before a matrix.

        Raises:
            UserError: A tensor is missing, too many, or misshaped.
        """
        kernel, bias = target.kernel, target.bias
        tensors = self._tensors(layer, target, expected=(2,))
        values = self._fitted(tensors[0], kernel, self._expected(kernel))
        self._add(tensors[0], kernel, self._kernel(values, maps))
        self._add(tensors[1], bias, self._fitted(tensors[1], bias, tuple(bias.shape)))

    def take_lstm(self, layer: source.Layer, target: keras.layers.LSTM) -> None:
        """Takes the weights of an LSTM: of its input, biases, of a static input, of its state.

        Raises:
            UserError: A tensor is missing, too many, or misshaped.
        """
        tensors = self._tensors(layer, target, expected=(3, 4))
        own, bias, *static, hidden = tensors
        cell = target.cell
        rows, gates = cell.kernel.shape
        # One that does not fit is told by its shape; none of it may be more than all there is.
        static_rows = static[0].values.shape[-1] if static and static[0].values.ndim else 0
        static_rows = min(static_rows, rows)
        parts = [(own, rows - static_rows), *((tensor, static_rows) for tensor in static)]
        kernel = [
            in_keras_gates(self._fitted(tensor, cell.kernel, (gates, size))).T
            for tensor, size in parts
        ]
        self._add(own, cell.kernel, np.concatenate(kernel))
        self._matches += [Match(tensor, cell.kernel) for tensor in static]
        values = self._fitted(bias, cell.bias, (gates,))
        self._add(bias, cell.bias, in_keras_gates(values))
        values = self._fitted(hidden, cell.recurrent_kernel, (gates, gates // 4))
        self._add(hidden, cell.recurrent_kernel, in_keras_gates(values).T)

    def fill(self) -> list[Match]:
        """Assigns what was taken, and returns every tensor of the file and what it became."""
        for weight, values in self._values:
            weight.assign(np.asarray(values, "float32"))
        taken = {id(match.tensor) for match in self._matches}
        left = [
            Match(tensor)
            for layer in self._found.layers
            for tensor in layer.tensors
            if id(tensor) not in taken
        ]
        return [*self._matches, *left]

    def _add(self, tensor: source.Tensor, weight: keras.Variable, values: np.ndarray) -> None:
        self._matches.append(Match(tensor, weight))
        self._values.append((weight, values))

    def _tensors(
        self, layer: source.Layer | None, target: keras.layers.Layer, expected: tuple[int, ...]
    ) -> tuple[source.Tensor, ...]:
        tensors = () if layer is None else layer.tensors
        if len(tensors) in expected:
            return tensors
        names = ", ".join(tensor.name for tensor in tensors)
        missing = target.weights[min(len(tensors), len(target.weights) - 1)]
        of = "" if layer is None else f" of layer {layer.name}"
        too_many = len(tensors) > max(expected)
        raise UserError(
            f"an extra tensor {tensors[max(expected)].name}{of}"
            if too_many
            else f"no tensor for {missing.path}, {tuple(missing.shape)}",
            where=self._where,
            received=f"{len(tensors)} tensors{of}: {names}" if tensors else "no such layer",
            expected=f"{' or '.join(map(str, expected))} tensors for the layer {target.name}",
            remedy="Give the whole file of the same network; backbone.layer=fc6 needs less of it",
        )

    def _expected(self, kernel: keras.Variable) -> tuple[int, ...]:
        """Returns the shape that a kernel has in the file."""
        shape = tuple(kernel.shape)
        if self._found.axes == "keras":
            return shape
        return (shape[3], shape[2], shape[0], shape[1]) if len(shape) == 4 else shape[::-1]

    def _fitted(
        self, tensor: source.Tensor, weight: keras.Variable, expected: tuple[int, ...]
    ) -> np.ndarray:
        """Returns a tensor's values in the shape that is expected of it."""
        values, surplus = tensor.values, tensor.values.ndim - len(expected)
        # Caffe once stored all with four axes: (1, 1, out, in) for a matrix.
        if surplus > 0 and values.shape[:surplus] == (1,) * surplus:
            values = values.reshape(values.shape[surplus:])
        if values.shape != expected or values.dtype.kind != "f":
            raise UserError(
                f"tensor {tensor.name} does not fit {weight.path}",
                where=self._where,
                received=f"{tensor.values.shape} {tensor.values.dtype}",
                expected=f"{expected} floating-point numbers",
                remedy="Give the file of the same network, or another backbone",
            )
        if wrong := values.size - int(np.isfinite(values).sum()):
            raise UserError(
                f"tensor {tensor.name} holds what is no number",
                where=self._where,
                received=f"{wrong} of {values.size} values are NaN or infinite",
                expected="finite numbers",
                remedy="Fetch or export the file again",
            )
        return values

    def _kernel(self, values: np.ndarray, maps: tuple[int, int, int] | None) -> np.ndarray:
        if self._found.axes == "keras":
            return values
        if values.ndim == 4:
            return values.transpose(2, 3, 1, 0)
        if maps is None:
            return values.T
        height, width, channels = maps
        apart = values.reshape(-1, channels, height, width).transpose(2, 3, 1, 0)
        return apart.reshape(height * width * channels, -1)


def in_keras_gates(values: np.ndarray) -> np.ndarray:
    """Returns rows of Caffe's gates input, forget, output, new as input, forget, new, output.

    Args:
        values: [4 * units] or [4 * units, inputs].
    """
    write, keep, tell, new = np.split(values, 4)
    return np.concatenate([write, keep, new, tell])
