"""What it is to share each batch among devices, and the losses and gradients of the whole batch.

Keras takes the mean over the rows of each device and then the mean of these means, and clips the
gradient of each device by itself. Both are other numbers than a single device has wherever rows or
words are unevenly spread, as in the last batch of an epoch.
"""

from __future__ import annotations

import contextlib
import dataclasses
from collections.abc import Callable, Sequence

import keras
from keras import ops

from lrcn.data import sharing
from lrcn.training import checkpoints, interruption

COUNTS = "counts"
"""Among the targets: float32 [batch], 1 for rows that count, 0 for those that fill up a batch."""


@dataclasses.dataclass(frozen=True)
class Objective:
    """What a model is trained for.

    Attributes:
        output: The output that is trained.
        loss: The loss on it.
        accuracy: A metric of the output `probabilities`, or None.
    """

    output: str
    loss: keras.losses.Loss
    accuracy: keras.metrics.Metric | None = None


class Shared(keras.Model):
    """A network as several devices train it together; it has the variables of the network.

    Targets hold `COUNTS` beside those of the outputs. It stands in for the network in `fit` alone:
    the network itself is what is saved.

    Args:
        network: The network, or its head.
        objective: What it is trained for.
        summed: From scalars of one device to their sums over all devices.
    """

    def __init__(
        self, network: keras.Model, objective: Objective, summed: Callable[[Sequence], Sequence]
    ):
        super().__init__(network.input, network.output, name=network.name)
        self._objective, self._summed = objective, summed
        self._mean = keras.metrics.Mean(name="loss")

    @property
    def metrics(self) -> list[keras.metrics.Metric]:
        """The running loss, and the accuracy if there is one."""
        accuracy = self._objective.accuracy
        return [self._mean, *([accuracy] if accuracy is not None else [])]

    def compute_loss(self, x=None, y=None, y_pred=None, sample_weight=None, training=True):
        """Returns the loss of the whole batch, whose gradient is that of this device's rows."""
        own = self._objective
        values = own.loss.call(y[own.output], ops.cast(y_pred[own.output], "float32"))
        rows = y[COUNTS]
        counted = ops.reshape(rows, (-1,) + (1,) * (len(values.shape) - 1)) * ops.ones_like(values)
        weights = counted
        if sample_weight is not None:
            weights = counted * ops.cast(sample_weight[own.output], "float32")
        by_weight = own.loss.reduction == "mean_with_sample_weight"
        part = ops.sum(values * weights)
        given = [part, ops.sum(weights if by_weight else counted)]
        total, count = self._summed([ops.stop_gradient(value) for value in given])
        self._mean.update_state(total / count, sample_weight=ops.sum(rows))
        return (part + ops.stop_gradient(total - part)) / count

    def compute_metrics(self, x, y, y_pred, sample_weight=None):
        """Returns the running metrics, with those of a batch."""
        own = self._objective
        if own.accuracy is not None:
            told = y_pred["probabilities"]
            own.accuracy.update_state(y["probabilities"], told, sample_weight=y[COUNTS])
        return self.get_metrics_result()


class Strategy:
    """One device: nothing is shared."""

    share: sharing.Share | None = None
    is_chief = True  # the one that validates and writes the run

    @property
    def has_others(self) -> bool:
        """Whether other hosts train along."""
        return self.share is not None and self.share.count > 1

    def scope(self) -> contextlib.AbstractContextManager:
        """Returns the context in which variables are made."""
        return contextlib.nullcontext()

    def running(self) -> contextlib.AbstractContextManager:
        """Returns the context in which they are trained."""
        return contextlib.nullcontext()

    def trained(self, model: keras.Model, objective: Objective) -> keras.Model | None:
        """Returns what stands in for a model in `fit`, to be compiled alone; None for itself."""
        return None

    def take(self, optimizer: keras.optimizers.Optimizer) -> None:
        """Has an optimizer work as the strategy needs it."""

    def first(self, work: Callable[[], None], seen: Callable[[], str]) -> None:
        """Does once, for all hosts, what must be done before anybody goes on.

        Args:
            work: To be done by one of them.
            seen: Returns what all must see then.
        """
        work()

    def callbacks(
        self, state: checkpoints.State, signals: interruption.Signals
    ) -> tuple[list[keras.callbacks.Callback], list[keras.callbacks.Callback]]:
        """Returns what comes before and after all other callbacks."""
        return [], []

    def leave(self) -> None:
        """Ends what is done together."""


ONE_DEVICE = Strategy()
