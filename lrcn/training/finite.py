"""Stops a training at the first number that is not finite, and says where it came from."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

import keras
import numpy as np

from lrcn import errors
from lrcn.training import checkpoints

# Below it a loss of mixed_float16 is scaled away: no update will ever be finite again.
_SMALLEST_SCALE = 1e-4
_KEPT = (
    "The last finished epoch is kept: a new run with other keys can begin with its weights by init="
)


class OnlyFinite(keras.callbacks.Callback):
    """Ends a run at a loss that is no finite number, or before such weights reach a checkpoint.

    It comes before what validates and what writes. A loss shows what the update before it did;
    what the last update of an epoch did is looked at by itself.

    Args:
        items_of: Returns the ids of the items of a batch, by epoch and batch, both from 0.
        records: The records of these items, for the message.
        state: How far the run is; the first batches of a continued epoch are past.
    """

    def __init__(
        self,
        items_of: Callable[[int, int], Sequence[str]],
        *,
        records: object,
        state: checkpoints.State,
    ):
        super().__init__()
        self._items_of, self._records, self._state = items_of, records, state
        self._epoch, self._first, self._batch = 0, 0, 0

    def on_epoch_begin(self, epoch, logs=None):
        """Notes the epoch and its first batch."""
        self._epoch, self._first = epoch, self._state.step

    def on_train_batch_end(self, batch, logs):
        """Raises a `UserError` that names the batch, its items and those of the batch before.

        `logs["loss"]` is the mean over the epoch so far, which the first such loss spoils.
        """
        batch += self._first
        self._batch = batch
        loss = float(logs["loss"])
        if math.isfinite(loss):
            return
        before = ""
        if batch:
            before = f"; the update before it was by {self._items(batch - 1)}"
        raise errors.UserError(
            "the loss is no finite number any more",
            where=self._place(),
            received=f"loss {loss} for {self._items(batch)}{before}",
            expected="a finite loss",
            remedy=f"{_blame(bool(batch))}. Lower optimizer.learning_rate, set optimizer.clipnorm, "
            f"or lengthen schedule.warmup_steps. {_KEPT}",
        )

    def on_epoch_end(self, epoch, logs=None):
        """Raises a `UserError` if weights, or the scale of the loss, are lost."""
        self.require_weights()
        scale = getattr(self.model.optimizer, "dynamic_scale", None)
        if scale is not None and float(scale) < _SMALLEST_SCALE:
            raise errors.UserError(
                "gradients are no finite numbers in float16, however small the loss is scaled",
                where=f"epoch {epoch + 1}",
                received=f"a loss scale of {float(scale):.2g}, so every update is left out",
                expected=f"a loss scale of {_SMALLEST_SCALE:g} or more",
                remedy="Set precision=mixed_bfloat16 or precision=float32, or lower "
                "optimizer.learning_rate",
            )

    def require_weights(self) -> None:
        """Raises a `UserError` if weights or the optimizer's state are not finite."""
        wrong = not_finite(self.model)
        if wrong:
            raise errors.UserError(
                "weights are no finite numbers any more, although the losses were",
                where=self._place(),
                received=f"{errors.few(wrong)}, after an update by {self._items(self._batch)}",
                expected="finite weights",
                remedy="Lower optimizer.learning_rate, set optimizer.clipnorm, or lengthen "
                f"schedule.warmup_steps. {_KEPT}",
            )

    def _place(self) -> str:
        return f"epoch {self._epoch + 1}, batch {self._batch + 1} of {self._records}"

    def _items(self, batch: int) -> str:
        return f"the items {errors.few(self._items_of(self._epoch, batch))}"


def not_finite(model: keras.Model) -> list[str]:
    """Returns the paths of weights, and of the optimizer's state, that are not finite.

    A pass over memory: for AlexNet's 58 million weights with Adam's state it takes 0.1 s.

    Args:
        model: What is trained.
    """
    variables = [*model.weights, *(model.optimizer.variables if model.optimizer else ())]
    return [
        variable.path
        for variable in variables
        if keras.backend.is_float_dtype(variable.dtype)
        and not np.isfinite(keras.ops.convert_to_numpy(variable)).all()
    ]


def _blame(has_before: bool) -> str:
    if has_before:
        return "Either a look at these items or the update before them made it so"
    return "Either a look at these items or the weights that the epoch began with made it so"
