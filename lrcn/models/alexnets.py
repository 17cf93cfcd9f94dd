"""The CNNs of the AlexNet family: the paper's hybrid, BVLC AlexNet and CaffeNet.

Each function extends a contracted input [batch, height, width, 3] up to `fc6` or `fc7` and returns
features [batch, 4096], or to `fc8`, the logits [batch, 1000] of the ImageNet classes. At 227x227
the shapes and parameters equal Caffe's (Donahue et al. 2015, section 4; Krizhevsky et al. 2012).
"""

from __future__ import annotations

import dataclasses

import keras

from lrcn.models import initial, layers


@dataclasses.dataclass(frozen=True)
class Convolution:
    """One convolution with ReLU, and what follows it."""

    filters: int
    size: int
    stride: int = 1
    padding: str = "same"
    groups: int = 1
    then: tuple[str, ...] = ()  # "pool" and "norm", in order


HYBRID = (
    Convolution(96, 7, stride=2, padding="valid", then=("pool", "norm")),
    Convolution(384, 5, stride=2, padding="valid", groups=2, then=("pool", "norm")),
    Convolution(512, 3),
    Convolution(512, 3, groups=2),
    Convolution(384, 3, groups=2, then=("pool",)),
)


def _krizhevsky(then: tuple[str, str]) -> tuple[Convolution, ...]:
    return (
        Convolution(96, 11, stride=4, padding="valid", then=then),
        Convolution(256, 5, groups=2, then=then),
        Convolution(384, 3),
        Convolution(384, 3, groups=2),
        Convolution(256, 3, groups=2, then=("pool",)),
    )


ALEXNET = _krizhevsky(("norm", "pool"))
CAFFENET = _krizhevsky(("pool", "norm"))


def extend(
    inputs: keras.KerasTensor,
    convolutions: tuple[Convolution, ...],
    *,
    layer: str,
    dropout: float,
    initializer: str | None,
) -> keras.KerasTensor:
    """Returns the features of `layer` for a contracted input.

    Args:
        inputs: [batch, height, width, 3] float.
        convolutions: The architecture up to `fc6`.
        layer: "fc6", "fc7" or "fc8".
        dropout: Share dropped before each layer after `fc6`; 0 leaves those layers out.
        initializer: Name of the kernels' initialiser; with a name, biases start at 0.1 as in Caffe.
    """
    values = inputs
    for index, convolution in enumerate(convolutions, start=1):
        values = _convolve(values, convolution, index, initializer)
    values = keras.layers.Flatten(name="flatten")(values)
    values = _dense("fc6", initializer)(values)
    if layer in ("fc7", "fc8"):
        values = _dropped(values, dropout, "drop6")
        values = _dense("fc7", initializer)(values)
    if layer == "fc8":
        values = _dropped(values, dropout, "drop7")
        kernel = initial.kernel(initializer)
        values = keras.layers.Dense(1000, kernel_initializer=kernel, name="fc8")(values)
    return values


def _dropped(values, rate: float, name: str):
    return keras.layers.Dropout(rate, name=name)(values) if rate else values


def _convolve(values, convolution: Convolution, index: int, initializer: str | None):
    values = layers.GroupedConv2D(
        convolution.filters,
        convolution.size,
        strides=convolution.stride,
        padding=convolution.padding,
        groups=convolution.groups,
        activation="relu",
        name=f"conv{index}",
        **_initialisers(initializer),
    )(values)
    for follower in convolution.then:
        if follower == "pool":
            values = _pool(values, f"pool{index}")
        else:
            values = layers.LocalResponseNormalization(name=f"norm{index}")(values)
    return values


def _pool(values, name: str):
    # Caffe rounds the output size up: an even side needs one more row, which "same" pads after.
    padding = "same" if values.shape[1] % 2 == 0 else "valid"
    return keras.layers.MaxPooling2D(3, strides=2, padding=padding, name=name)(values)


def _dense(name: str, initializer: str | None) -> keras.layers.Layer:
    return keras.layers.Dense(4096, activation="relu", name=name, **_initialisers(initializer))


def _initialisers(name: str | None) -> dict:
    if name is None:
        return {}
    return {
        "kernel_initializer": initial.kernel(name),
        "bias_initializer": keras.initializers.Constant(0.1),
    }
