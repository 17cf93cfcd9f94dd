"""Where a network looks for a class in each frame (Selvaraju et al. 2017, "Grad-CAM").

The only module of this room that differentiates, for which Keras has no operation that every
backend runs.
"""

from __future__ import annotations

import keras
import numpy as np
import tensorflow as tf

from lrcn.errors import UserError
from lrcn.models import layers, networks


class Looking:
    """Tells where a network looks.

    Args:
        model: A network that tells classes, from `models.activity`.

    Raises:
        UserError: The CNN has no convolution, or Keras runs on another backend than TensorFlow.
    """

    def __init__(self, model: keras.Model):
        if keras.config.backend() != "tensorflow":
            raise UserError(
                "where a network looks is told on TensorFlow alone",
                where="KERAS_BACKEND",
                received=keras.config.backend(),
                expected="tensorflow",
                remedy="Leave KERAS_BACKEND out: a run is the same on every backend",
            )
        self._before, self._after = _halves(networks.backbone(model))
        self._head = networks.head(model)

    def heat(self, frames: np.ndarray, label: int) -> np.ndarray:
        """Returns how much each place of a clip speaks for a class, [time, height, width] in 0..1.

        The maps of the last convolution are weighted by the mean gradient of the class's logit,
        which is averaged over the steps of the clip; what speaks against the class is 0. All frames
        share one scale, on which the strongest place of the clip is 1; where nothing speaks for
        the class, all is 0.

        Args:
            frames: A clip of the network's input size, [time, height, width, 3] uint8.
            label: The class.
        """
        maps = keras.ops.convert_to_tensor(self._before.predict_on_batch(frames))
        with tf.GradientTape() as tape:
            tape.watch(maps)
            features = keras.ops.cast(self._after(maps, training=False), "float32")
            logits = self._head(features[None], training=False)["logits"]
            score = keras.ops.mean(logits[0, :, label])
        gradient = keras.ops.cast(tape.gradient(score, maps), "float32")
        weights = keras.ops.mean(gradient, axis=(1, 2), keepdims=True)
        found = keras.ops.sum(weights * keras.ops.cast(maps, "float32"), axis=-1, keepdims=True)
        found = keras.ops.image.resize(
            keras.ops.relu(found), frames.shape[1:3], data_format="channels_last"
        )
        found = keras.ops.convert_to_numpy(found)[..., 0]
        return found / max(found.max(), np.finfo(np.float32).tiny)


def _halves(backbone: keras.Model) -> tuple[keras.Model, keras.Model]:
    """Returns a CNN up to the last maps that have places, and what it makes of them."""
    no_maps = (keras.layers.InputLayer, layers.InputContract)
    for layer in reversed(backbone.layers):
        shape = layer.output.shape
        if len(shape) == 4 and shape[1] * shape[2] > 1 and not isinstance(layer, no_maps):
            maps = layer.output
            return keras.Model(backbone.input, maps), keras.Model(maps, backbone.output)
    raise UserError(
        "the CNN has no maps that would tell where it looks",
        where="run",
        received=f"{backbone.name}: {len(backbone.layers)} layers",
        expected="a CNN with a convolution over more than one place",
        remedy="Give a run of another backbone",
    )
