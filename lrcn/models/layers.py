"""Custom layers: input contract, named classes, frames in the batch, grouped convolution, LRN.

Written in `keras.ops` alone, so every Keras backend runs them. All are registered under the package
`lrcn` when `lrcn.models` is imported.
"""

from __future__ import annotations

from collections.abc import Sequence

import keras
import numpy as np
from keras import ops

from lrcn.errors import UserError

POOLINGS = ("avg", "last", "max")
CHANNEL_ORDERS = ("rgb", "bgr")
_BY_ELEMENT = (keras.activations.linear, keras.activations.relu)


@keras.saving.register_keras_serializable(package="lrcn")
class InputContract(keras.layers.Layer):
    """Turns RGB frames [batch, height, width, 3] uint8 into what a CNN was trained on.

    The output is `(scale * frame - mean) / std` in the layer's compute dtype, with the channels
    of `mean`, `std` and the output in `channel_order`. The contract is configuration and never
    weights, so a saved model carries it and `count_params()` does not change.

    Args:
        height: Frame height in pixels.
        width: Frame width in pixels.
        channel_order: "rgb" or "bgr", the order the CNN expects.
        scale: Factor on the 0..255 values.
        mean: Three values subtracted after scaling.
        std: Three values divided by after the mean is subtracted.
        modality: What the frames show: "rgb", "flow" (x, y and magnitude) or "difference".
    """

    def __init__(
        self,
        height: int,
        width: int,
        *,
        channel_order: str = "rgb",
        scale: float = 1.0,
        mean: Sequence[float] = (0.0, 0.0, 0.0),
        std: Sequence[float] = (1.0, 1.0, 1.0),
        modality: str = "rgb",
        **kwargs,
    ):
        kwargs.setdefault("trainable", False)
        super().__init__(**kwargs)
        if channel_order not in CHANNEL_ORDERS:
            raise UserError(
                "Unknown channel order",
                where="channel_order",
                received=channel_order,
                expected=" or ".join(CHANNEL_ORDERS),
                remedy="Give the order that the CNN was trained with",
            )
        self.height = int(height)
        self.width = int(width)
        self.channel_order = channel_order
        self.scale = float(scale)
        self.mean = tuple(float(value) for value in mean)
        self.std = tuple(float(value) for value in std)
        self.modality = str(modality)

    def call(self, frames):
        """Returns the normalised frames, [batch, height, width, 3] float."""
        std = np.asarray(self.std, "float32")
        factor = np.float32(self.scale) / std
        offset = -np.asarray(self.mean, "float32") / std
        # Arithmetic in float32: bfloat16 has 8 bits and would round pixel values less their mean.
        values = ops.cast(frames, "float32")
        if self.channel_order == "bgr":
            values = ops.flip(values, axis=-1)
        return ops.cast(values * factor + offset, self.compute_dtype)

    def compute_output_shape(self, input_shape):
        """Returns the unchanged shape."""
        return input_shape

    def contract(self) -> dict:
        """Returns the contract as plain values."""
        return {
            "height": self.height,
            "width": self.width,
            "channel_order": self.channel_order,
            "scale": self.scale,
            "mean": list(self.mean),
            "std": list(self.std),
            "modality": self.modality,
        }

    def get_config(self) -> dict:
        """Returns the arguments that rebuild the layer."""
        return {**super().get_config(), **self.contract()}


@keras.saving.register_keras_serializable(package="lrcn")
class Classes(keras.layers.Dense):
    """A classifier that knows the names of its classes, so that a saved model carries them.

    Args:
        units: Number of classes.
        labels: A name a class, or none.
    """

    def __init__(self, units: int, *, labels: Sequence[str] = (), **kwargs):
        super().__init__(units, **kwargs)
        self.labels = tuple(str(label) for label in labels)

    def get_config(self) -> dict:
        """Returns the arguments that rebuild the layer."""
        return {**super().get_config(), "labels": list(self.labels)}


@keras.saving.register_keras_serializable(package="lrcn")
class PerFrame(keras.layers.Wrapper):
    """Applies a layer to each frame of [batch, time, ...] by folding time into the batch.

    Unlike `TimeDistributed` it unrolls nothing, and batch normalisation sees all frames of a
    batch at once. A wrapped layer whose `trainable` is False runs in inference mode whatever
    `training` says, so neither its dropout nor its moving statistics act, and no gradient is
    traced through it.
    """

    def build(self, input_shape):
        """Builds the wrapped layer for a batch of frames."""
        if not self.layer.built:
            self.layer.build(self._folded(input_shape))
        self.built = True

    def call(self, frames, training=None):
        """Returns the layer's output for every frame, [batch, time, ...]."""
        batch, time = ops.shape(frames)[:2]
        flat = ops.reshape(frames, (-1, *frames.shape[2:]))
        if self.layer.trainable:
            outputs = self.layer(flat, training=training)
        else:
            outputs = ops.stop_gradient(self.layer(flat, training=False))
        return ops.reshape(outputs, (batch, time, *outputs.shape[1:]))

    def compute_output_shape(self, input_shape):
        """Returns [batch, time, ...] with the wrapped layer's own output shape."""
        inner = self.layer.compute_output_shape(self._folded(input_shape))
        return (input_shape[0], input_shape[1], *inner[1:])

    @staticmethod
    def _folded(input_shape):
        return (None, *input_shape[2:])


@keras.saving.register_keras_serializable(package="lrcn")
class GroupedConv2D(keras.layers.Conv2D):
    """A `Conv2D` with `groups` that splits, convolves and concatenates.

    Equal to `keras.layers.Conv2D(groups=...)` with the same variables. On CPU the gradient of
    TensorFlow's own grouped convolution is several times slower.
    """

    def call(self, inputs):
        """Returns the convolved and activated maps, [batch, height, width, filters]."""
        if self.data_format != "channels_last" or self.groups == 1:
            return super().call(inputs)
        parts = [
            ops.conv(part, kernel, strides=self.strides, padding=self.padding)
            for part, kernel in zip(
                ops.split(inputs, self.groups, axis=-1),
                ops.split(ops.convert_to_tensor(self.kernel), self.groups, axis=-1),
                strict=True,
            )
        ]
        if self.use_bias:
            biases = ops.split(ops.convert_to_tensor(self.bias), self.groups)
            parts = [ops.add(part, bias) for part, bias in zip(parts, biases, strict=True)]
        if self.activation in _BY_ELEMENT:
            # Before they are joined, bias and activation are part of the convolution on CPU.
            return ops.concatenate([self.activation(part) for part in parts], axis=-1)
        return self.activation(ops.concatenate(parts, axis=-1))


@keras.saving.register_keras_serializable(package="lrcn")
class LocalResponseNormalization(keras.layers.Layer):
    """Local response normalisation across channels (Krizhevsky et al. 2012; Caffe's form).

    `x * (k + alpha / size * sum of x^2 over size neighbouring channels) ** -beta`. The sum is a
    product with a banded matrix, which also works in bfloat16 and has a fast gradient.

    Args:
        size: Number of channels in the sum, odd.
        alpha: Weight of the mean square; Caffe divides it by `size`, TensorFlow does not.
        beta: Exponent.
        k: Additive constant.
    """

    def __init__(
        self,
        size: int = 5,
        *,
        alpha: float = 1e-4,
        beta: float = 0.75,
        k: float = 1.0,
        **kwargs,
    ):
        super().__init__(**kwargs)
        self.size = int(size)
        self.alpha = float(alpha)
        self.beta = float(beta)
        self.k = float(k)

    def call(self, inputs):
        """Returns the normalised maps, same shape as `inputs` [..., channels]."""
        channels = np.arange(inputs.shape[-1])
        near = np.abs(channels[:, None] - channels[None, :]) <= self.size // 2
        # Scaled before it is squared: float16 ends at 65504, the square of 256.
        scaled = inputs * float(np.sqrt(self.alpha / self.size))
        total = ops.matmul(ops.square(scaled), ops.cast(near, self.compute_dtype)) + self.k
        # exp(log) and not power, whose gradient takes three times as long on CPU.
        return inputs * ops.exp(-self.beta * ops.log(total))

    def compute_output_shape(self, input_shape):
        """Returns the unchanged shape."""
        return input_shape

    def get_config(self) -> dict:
        """Returns the arguments that rebuild the layer."""
        own = {"size": self.size, "alpha": self.alpha, "beta": self.beta, "k": self.k}
        return {**super().get_config(), **own}


@keras.saving.register_keras_serializable(package="lrcn")
class SpatialMoments(keras.layers.Layer):
    """Says of each channel where it responds, how widely and how much.

    Maps [batch, height, width, channels] to [batch, 4 * channels]: the mean column and row, and the
    spread around them, of a softmax over all places, with the picture reaching from -1 to 1, and
    the mean of the positive responses. A recurrent layer reads motion and growth from these
    directly, where it would have to find them in a flattened map first.

    Args:
        sharpness: Factor on the responses before the softmax.
    """

    def __init__(self, sharpness: float = 1.0, **kwargs):
        super().__init__(**kwargs)
        self.sharpness = float(sharpness)

    def call(self, inputs):
        """Returns the moments, [batch, 4 * channels]."""
        _, height, width, channels = inputs.shape
        # Variances are small differences of large numbers in half precision.
        values = ops.cast(ops.reshape(inputs, (-1, height * width, channels)), "float32")
        weights = ops.softmax(self.sharpness * values, axis=1)
        rows, columns = np.meshgrid(
            np.linspace(-1, 1, height), np.linspace(-1, 1, width), indexing="ij"
        )
        x, y = (place.reshape(1, -1, 1).astype("float32") for place in (columns, rows))
        mean_x, mean_y = ops.sum(weights * x, axis=1), ops.sum(weights * y, axis=1)
        square = ops.sum(weights * (x * x + y * y), axis=1) - mean_x**2 - mean_y**2
        spread = ops.sqrt(ops.maximum(square, 1e-6))
        response = ops.mean(ops.relu(values), axis=1)
        moments = ops.concatenate([mean_x, mean_y, spread, response], axis=-1)
        return ops.cast(moments, self.compute_dtype)

    def compute_output_shape(self, input_shape):
        """Returns [batch, 4 * channels]."""
        return (input_shape[0], 4 * input_shape[-1])

    def get_config(self) -> dict:
        """Returns the arguments that rebuild the layer."""
        return {**super().get_config(), "sharpness": self.sharpness}


@keras.saving.register_keras_serializable(package="lrcn")
class AtEveryStep(keras.layers.Layer):
    """Joins a vector [batch, features] to each step of a sequence [batch, time, values]."""

    def call(self, inputs):
        """Returns [batch, time, values + features]."""
        sequence, vector = inputs
        spread = ops.zeros_like(sequence[:, :, :1]) + vector[:, None]
        return ops.concatenate([sequence, spread], axis=-1)

    def compute_output_shape(self, input_shape):
        """Returns [batch, time, values + features]."""
        sequence, vector = input_shape
        return (*sequence[:-1], sequence[-1] + vector[-1])


@keras.saving.register_keras_serializable(package="lrcn")
class TakeRows(keras.layers.Layer):
    """Takes rows of a tensor [rows, ...] by places [taken]."""

    def call(self, inputs):
        """Returns [taken, ...]."""
        values, places = inputs
        return ops.take(values, places, axis=0)

    def compute_output_shape(self, input_shape):
        """Returns [taken, ...]."""
        values, places = input_shape
        return (places[0], *values[1:])


@keras.saving.register_keras_serializable(package="lrcn")
class ZerosLike(keras.layers.Layer):
    """Returns zeros in the shape of its input, with another last axis.

    Args:
        size: Length of the last axis.
    """

    def __init__(self, size: int, **kwargs):
        super().__init__(**kwargs)
        self.size = int(size)

    def call(self, inputs):
        """Returns zeros [..., size]."""
        return ops.repeat(ops.zeros_like(inputs[..., :1]), self.size, axis=-1)

    def compute_output_shape(self, input_shape):
        """Returns [..., size]."""
        return (*input_shape[:-1], self.size)

    def get_config(self) -> dict:
        """Returns the arguments that rebuild the layer."""
        return {**super().get_config(), "size": self.size}


@keras.saving.register_keras_serializable(package="lrcn")
class TimePooling(keras.layers.Layer):
    """Pools probabilities [batch, time, classes] over time to [batch, classes].

    Args:
        how: "avg" (the paper's mean of the softmax over frames), "last" or "max".
        renormalise: Whether the maxima over time are divided by their sum, so that single-label
            probabilities still sum to one. Without effect on "avg" and "last".
    """

    def __init__(self, how: str = "avg", *, renormalise: bool = True, **kwargs):
        super().__init__(**kwargs)
        if how not in POOLINGS:
            raise UserError(
                "Unknown pooling",
                where="pooling.frames",
                received=how,
                expected=", ".join(POOLINGS),
                remedy="Set pooling.frames=avg, or another of them",
            )
        self.how = how
        self.renormalise = bool(renormalise)

    def call(self, probabilities):
        """Returns the pooled probabilities, [batch, classes]."""
        if self.how == "avg":
            return ops.mean(probabilities, axis=1)
        if self.how == "last":
            return probabilities[:, -1]
        highest = ops.max(probabilities, axis=1)
        if self.renormalise:
            highest = highest / ops.sum(highest, axis=-1, keepdims=True)
        return highest

    def compute_output_shape(self, input_shape):
        """Returns [batch, classes]."""
        return (input_shape[0], *input_shape[2:])

    def get_config(self) -> dict:
        """Returns the arguments that rebuild the layer."""
        return {**super().get_config(), "how": self.how, "renormalise": self.renormalise}
