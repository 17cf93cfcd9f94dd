"""A run as one function of TensorFlow, with its weights inside: frames in, an answer out."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable

import keras
import numpy as np
import tensorflow as tf

from lrcn.data import augment
from lrcn.inference import outputs
from lrcn.inference.export import seeing, steps
from lrcn.models import networks
from lrcn.scoring import describer

INPUT = "frames"


@dataclasses.dataclass(frozen=True)
class Network:
    """What is exported.

    Attributes:
        model: The whole network, in float32.
        view: What part of a stored frame is seen.
        stored: Height and width of stored frames, None where they keep their own.
        of_images: Whether an item is an image, not a clip.
        find: The search of a network that describes, None of one that tells classes.
        time: Frames of a clip, None for any number.
    """

    model: keras.Model
    view: augment.View
    stored: tuple[int, int] | None
    of_images: bool
    find: Callable | None = None
    time: int | None = None

    @property
    def shape(self) -> list[int | None]:
        """The shape of the input: [batch, time, height, width, 3], of images without time."""
        return [None, *([] if self.of_images else [self.time]), None, None, 3]


def traced(
    network: Network, *, variables: bool = False
) -> tf.types.experimental.PolymorphicFunction:
    """Returns the function, traced once, from `frames` uint8 to the dict of outputs.

    Of classes those are `probabilities` float32 [batch, classes] and of clips
    `frame_probabilities` float32 [batch, time, classes]; of captions `words` int32 [batch, length]
    and `log_probability` float32 [batch].

    Args:
        network: What is exported.
        variables: Whether weights are variables of TensorFlow, and not constants of the graph.
    """
    model = network.model
    # Copies of the weights alone: nothing of Keras or of an optimizer is needed to read them.
    weights = [(v, keras.ops.convert_to_numpy(v)) for v in model.variables]
    if variables:
        weights = [(v, tf.Variable(values, trainable=False)) for v, values in weights]
    answer = _classes(network) if network.find is None else _caption(network)

    @tf.function(input_signature=[tf.TensorSpec(network.shape, tf.uint8, name=INPUT)])
    def of_frames(frames):
        with keras.StatelessScope(state_mapping=weights):
            return answer(_features(network, frames))

    with steps.plain(model):
        of_frames.get_concrete_function()
    return of_frames


def running(
    function: tf.types.experimental.PolymorphicFunction,
) -> Callable[[np.ndarray], dict[str, np.ndarray]]:
    """Returns a traced function that takes and returns arrays."""

    def run(frames: np.ndarray) -> dict[str, np.ndarray]:
        return {name: values.numpy() for name, values in function(frames).items()}

    return run


def _features(network: Network, frames: tf.Tensor) -> tf.Tensor:
    """Returns the features of clips [batch, time, features]; an image is one frame."""
    shape = tf.shape(frames)
    flat = frames if network.of_images else tf.reshape(frames, [-1, shape[-3], shape[-2], 3])
    shown = seeing.seen(flat, network.view, network.stored)
    features = networks.backbone(network.model)(shown, training=False)
    time = 1 if network.of_images else network.time
    leading = [-1, shape[1] if time is None else time]
    return tf.reshape(features, [*leading, features.shape[-1]])


def _classes(network: Network) -> Callable[[tf.Tensor], dict[str, tf.Tensor]]:
    head = networks.head(network.model)
    activation = tf.sigmoid if outputs.is_multi_label(network.model) else tf.nn.softmax

    def answer(features: tf.Tensor) -> dict[str, tf.Tensor]:
        found = head(features, training=False)
        own = {"probabilities": tf.identity(found["probabilities"])}
        if not network.of_images:
            own["frame_probabilities"] = activation(found["logits"])
        return own

    return answer


def _caption(network: Network) -> Callable[[tf.Tensor], dict[str, tf.Tensor]]:
    writer = describer.Describer(networks.head(network.model), network.find)
    return writer.call
