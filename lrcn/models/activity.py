"""Activity recognition networks: single frame and LRCN (Donahue et al. 2015, section 4).

Both take frames [batch, time, height, width, 3] uint8 and return a dict of
`logits` [batch, time, classes] float32 and `probabilities` [batch, classes] float32, the latter
pooled over the frames of each clip. The CNN is the layer `backbone`, everything after it the nested
model `head`, so that a frozen CNN's features can train the head alone.
"""

from __future__ import annotations

from collections.abc import Sequence

import keras

from lrcn.errors import UserError
from lrcn.models import initial, networks
from lrcn.models import layers as custom_layers


def singleframe(
    backbone: keras.Model,
    *,
    num_classes: int,
    pooling: str = "avg",
    dropout: float = 0.5,
    multi_label: bool = False,
    initializer: str | None = None,
    labels: Sequence[str] = (),
) -> keras.Model:
    """Returns a network that classifies each frame by itself and pools the frames' probabilities.

    Args:
        backbone: Maps [batch, height, width, 3] uint8 to [batch, features]; see `backbones.build`.
        num_classes: Number of classes.
        pooling: "avg", "last" or "max" over the frames of a clip.
        dropout: Share of features dropped before the classifier.
        multi_label: Whether an item may have several labels (sigmoid instead of softmax).
        initializer: Name of the classifier's initialiser, such as "gaussian_0.01"; None is Keras's.
        labels: Names of the classes, saved with the network.
    """
    features = _features(backbone)
    values = _dropout(features, dropout, "dropout_out")
    head = _head(
        features,
        values,
        num_classes=num_classes,
        pooling=pooling,
        multi_label=multi_label,
        initializer=initializer,
        labels=labels,
    )
    return networks.assemble(backbone, head, "singleframe")


def lstm(
    backbone: keras.Model,
    *,
    num_classes: int,
    units: int = 256,
    layers: int = 1,
    dropout_in: float = 0.0,
    dropout_out: float = 0.5,
    pooling: str = "avg",
    multi_label: bool = False,
    initializer: str | None = None,
    labels: Sequence[str] = (),
) -> keras.Model:
    """Returns an LRCN: features -> dropout -> LSTM -> dropout -> a classifier at every step.

    Args:
        backbone: Maps [batch, height, width, 3] uint8 to [batch, features]; see `backbones.build`.
        num_classes: Number of classes.
        units: State size of each LSTM layer.
        layers: Number of LSTM layers.
        dropout_in: Share of features dropped before the first LSTM (.9 in the paper's RGB model).
        dropout_out: Share of the last LSTM's outputs dropped before the classifier.
        pooling: "avg", "last" or "max" over the steps of a clip.
        multi_label: Whether an item may have several labels (sigmoid instead of softmax).
        initializer: Name of the initialiser of every kernel, such as the paper's "uniform_0.01",
            with zero biases; None is Keras's, with forget bias 1.
        labels: Names of the classes, saved with the network.
    """
    if layers < 1:
        raise UserError(
            "An LSTM needs layers",
            where="workflow.layers",
            received=layers,
            expected="1 or more",
            remedy="Set workflow.layers=1, or workflow=singleframe for none",
        )
    features = _features(backbone)
    values = _dropout(features, dropout_in, "dropout_in")
    for index in range(layers):
        values = networks.lstm_layer(units, f"lstm{index + 1}", initializer)(values)
    values = _dropout(values, dropout_out, "dropout_out")
    head = _head(
        features,
        values,
        num_classes=num_classes,
        pooling=pooling,
        multi_label=multi_label,
        initializer=initializer,
        labels=labels,
    )
    return networks.assemble(backbone, head, "lstm")


def labels(model: keras.Model) -> tuple[str, ...]:
    """Returns the names of the classes of a network, in the order of its outputs."""
    return model.get_layer("head").get_layer("classes").labels


def _features(backbone: keras.Model):
    return keras.Input((None, backbone.output_shape[-1]), dtype="float32", name="features")


def _dropout(values, rate: float, name: str):
    return keras.layers.Dropout(rate, dtype="float32", name=name)(values) if rate else values


def _head(
    features,
    values,
    *,
    num_classes: int,
    pooling: str,
    multi_label: bool,
    initializer: str | None,
    labels: Sequence[str],
) -> keras.Model:
    if num_classes < 1:
        raise UserError(
            "A classifier needs classes",
            where="dataset",
            received=num_classes,
            expected="1 or more",
            remedy="Train on items with labels, or describe items with captions: images by "
            "workflow=imgdesc_step, videos by workflow=videodesc_pooling",
        )
    logits = custom_layers.Classes(
        num_classes,
        labels=labels,
        kernel_initializer=initial.kernel(initializer),
        dtype="float32",
        name="classes",
    )(values)
    activation = "sigmoid" if multi_label else "softmax"
    probabilities = keras.layers.Activation(activation, dtype="float32", name=activation)(logits)
    pooled = custom_layers.TimePooling(
        pooling, renormalise=not multi_label, dtype="float32", name="pooling"
    )(probabilities)
    return keras.Model(features, {"logits": logits, "probabilities": pooled}, name="head")
