"""An export in its own runtime beside the network in Keras: how far apart, and how fast."""

from __future__ import annotations

import dataclasses
import statistics
import time
from collections.abc import Callable, Mapping, Sequence

import numpy as np
import tensorflow as tf

from lrcn.data import augment
from lrcn.inference import outputs
from lrcn.inference.export import graph
from lrcn.models import networks
from lrcn.scoring import describer

TOLERANCE = 1e-4
_TURNS = 7
_BLOCK = 8  # pixels of one colour, so that frames have edges and areas

Run = Callable[[np.ndarray], Mapping[str, np.ndarray]]


@dataclasses.dataclass(frozen=True)
class Compared:
    """What was found.

    Attributes:
        difference: The largest one of all outputs; infinite where words differ, an output is
            missing or no number.
        shape: Of the frames that were timed.
        keras_ms: Milliseconds in Keras, the median of alternating turns.
        own_ms: Milliseconds in the export's own runtime.
    """

    difference: float
    shape: tuple[int, ...]
    keras_ms: float
    own_ms: float

    @property
    def ratio(self) -> float:
        """How many times as fast as Keras the other runtime is."""
        return self.keras_ms / self.own_ms


def compare(
    own: Run, traced: Run, network: graph.Network, *, count: int, seed: int = 0
) -> Compared:
    """Shows random frames to both and takes the time of one item.

    Frames have the stored size, which Keras is shown, too; then there are two items, of another
    number of frames where that is free. Frames of another size are compared with the function that
    was exported, as TensorFlow runs it.

    Args:
        own: The export in its own runtime.
        traced: The function that was exported.
        network: The network.
        count: Frames of a clip.
        seed: Of the frames.
    """
    rng = np.random.default_rng(seed)
    keras = in_keras(network)
    height, width = network.stored or network.view.size
    one = _frames(rng, network, (1, count, height, width))
    other = count if network.time else count + 1
    two = _frames(rng, network, (2, other, height, width))
    larger = _frames(rng, network, (1, count, height + height // 2, width + width // 3))
    pairs = [(keras, one), (keras, two), (traced, larger)]
    apart = max(_apart(reference(frames), own(frames)) for reference, frames in pairs)
    return Compared(apart, one.shape, *_milliseconds((keras, own), one))


def _frames(rng: np.random.Generator, network: graph.Network, sides: Sequence[int]) -> np.ndarray:
    items, count, height, width = sides
    leading = [items] if network.of_images else [items, count]
    blocks = -(-height // _BLOCK), -(-width // _BLOCK)
    values = rng.integers(0, 256, [*leading, *blocks, 3], np.uint8)
    for axis in (-3, -2):
        values = values.repeat(_BLOCK, axis)
    return np.ascontiguousarray(values[..., :height, :width, :])


def in_keras(network: graph.Network) -> Run:
    """Returns what lrcn makes of stored frames: the view of `data.augment`, then Keras.

    Its outputs are those that `graph.traced` tells.
    """
    backbone, head = networks.backbone(network.model), networks.head(network.model)
    answering = head if network.find is None else describer.Describer(head, network.find)
    spec = tf.TensorSpec([None, None, None, 3], tf.uint8)
    view = tf.function(lambda frames: augment.apply(frames, network.view), input_signature=[spec])

    def run(frames: np.ndarray) -> Mapping[str, np.ndarray]:
        shown = view(frames.reshape(-1, *frames.shape[-3:]))
        features = backbone.predict_on_batch(shown)
        clips = features.reshape(len(frames), -1, features.shape[-1])
        found = answering.predict_on_batch(clips)
        return found if network.find is not None else _of_classes(found, network)

    return run


def _of_classes(found: Mapping[str, np.ndarray], network: graph.Network) -> dict[str, np.ndarray]:
    if network.of_images:
        return {"probabilities": found["probabilities"]}
    several = outputs.is_multi_label(network.model)
    each = outputs.of_logits(found["logits"], multi_label=several)
    return {"probabilities": found["probabilities"], "frame_probabilities": each}


def _apart(wanted: Mapping[str, np.ndarray], found: Mapping[str, np.ndarray]) -> float:
    """Returns the largest difference of any output, infinite where one has others or no numbers."""
    if wanted.keys() != found.keys():
        return float("inf")
    return max(_apart_in(np.asarray(wanted[name]), np.asarray(found[name])) for name in wanted)


def _apart_in(values: np.ndarray, others: np.ndarray) -> float:
    if values.shape != others.shape or not (np.isfinite(values) & np.isfinite(others)).all():
        return float("inf")
    if np.issubdtype(values.dtype, np.integer):
        return 0.0 if np.array_equal(values, others) else float("inf")
    return float(np.abs(values.astype(np.float64) - others).max())


def _milliseconds(runs: Sequence[Run], frames: np.ndarray) -> list[float]:
    """Returns the median time of each, which take turns, so that a busy machine slows all."""
    taken = [[] for _ in runs]
    for _ in range(_TURNS):
        for run, own in zip(runs, taken, strict=True):
            start = time.perf_counter()
            run(frames)
            own.append(1000 * (time.perf_counter() - start))
    return [statistics.median(own) for own in taken]
