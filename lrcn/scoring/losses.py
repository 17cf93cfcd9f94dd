"""Losses of activity recognition, chosen by name, and of description.

Only built-in Keras losses are used, so a compiled model is opened by plain
`keras.models.load_model` with nothing registered but the layers of `lrcn.models`.
"""

from __future__ import annotations

from typing import Any

import keras
import numpy as np

from lrcn.errors import UserError

LOSSES = ("every_step", "pooled")


def build(loss: str = "every_step", *, multi_label: bool = False) -> tuple[str, keras.losses.Loss]:
    """Returns the model output that is trained and the loss on it.

    "every_step" is the paper's mean cross-entropy over time and batch, on `logits`
    [batch, time, classes]: its labels and sample weights carry a time axis, see `every_step`.
    "pooled" is the cross-entropy of `probabilities` [batch, classes].

    Args:
        loss: "every_step" or "pooled".
        multi_label: Whether labels are multi-hot and the cross-entropy is binary, class by class.

    Raises:
        UserError: No loss has that name.
    """
    if loss not in LOSSES:
        raise UserError(
            "Unknown loss",
            where="workflow.loss",
            received=loss,
            expected=" or ".join(LOSSES),
            remedy=f"Set workflow.loss={LOSSES[0]}, or leave it out",
        )
    output = "logits" if loss == "every_step" else "probabilities"
    kind = (
        keras.losses.BinaryCrossentropy
        if multi_label
        else keras.losses.SparseCategoricalCrossentropy
    )
    return output, kind(from_logits=output == "logits")


def next_word() -> keras.losses.Loss:
    """Returns the mean cross-entropy of the words that follow, over all words of a batch.

    On `logits` [batch, length, vocabulary] with targets [batch, length] and weights [batch, length]
    that are 1 where a word or the end follows and 0 where a caption is padded. The mean is over
    words, so a long caption weighs more than a short one (Donahue et al. 2015, section 5), and
    padding neither counts nor has a gradient.
    """
    return keras.losses.SparseCategoricalCrossentropy(
        from_logits=True, reduction="mean_with_sample_weight"
    )


def every_step(values: Any, steps: int) -> Any:
    """Returns labels or sample weights repeated at every step, [batch, steps, ...].

    Args:
        values: [batch] integer labels or weights, or [batch, classes] multi-hot labels; arrays of
            NumPy or tensors of any backend, `tf.data` included.
        steps: Number of frames of a clip.
    """
    dtype = keras.backend.standardize_dtype(values.dtype)
    spread = np.zeros((1, steps) + (1,) * (len(values.shape) - 1), dtype)
    return values[:, None] + spread
