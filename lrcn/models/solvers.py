"""How weights move: SGD, Adam and RMSprop with a rate and a decay for each variable, and a warm-up.

They stand among the models because a saved model names them: importing `lrcn.models` registers
everything that `keras.models.load_model` needs. `training.optimizers` and `training.schedules`
choose among them.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import keras
from keras import ops


class _PerVariable:
    """Multiplies rate and decay by a factor of each variable; mixed into Keras optimizers.

    The order is Caffe's: gradients are clipped, then weight decay is added, then the update is
    scaled by the rate (Donahue et al. 2015, released solver). Variables are told apart by their
    place among the trainable variables, which survives saving where names may not.

    Where several devices share a batch, whoever trains sets `summed` and `updated`: the gradient
    is that of the whole batch before it is clipped.

    Attributes:
        summed: From gradients of one device to their sums over all devices; None for one device.
        updated: Updates the copies of variables on all devices by (update, gradients, variables,
            rate), where `update` is `update_step`.

    Args:
        decay: Weight decay. Coupled: `decay * weight` joins the gradient after clipping.
            Decoupled: `rate * decay * weight` is taken off the weight beside the update.
        lr_mults: Factor of the learning rate of each trainable variable, in order; empty for 1.
        decay_mults: Factor of the weight decay of each trainable variable; empty for 1.
        **kwargs: Arguments of the Keras optimizer.
    """

    decoupled = False
    summed: Callable | None = None
    updated: Callable | None = None

    def __init__(
        self,
        *,
        decay: float = 0.0,
        lr_mults: Sequence[float] = (),
        decay_mults: Sequence[float] = (),
        **kwargs,
    ):
        super().__init__(**kwargs)
        self.decay = decay
        self.lr_mults = tuple(lr_mults)
        self.decay_mults = tuple(decay_mults)

    def build(self, variables) -> None:
        """Creates the state for `variables`, which must be those the factors were made for."""
        for factors in (self.lr_mults, self.decay_mults):
            if factors and len(factors) != len(variables):
                raise ValueError(
                    "The optimizer was made for another set of variables. "
                    f"Received: {len(variables)} trainable variables. "
                    f"Expected: {len(factors)}."
                )
        super().build(variables)

    def apply(self, grads, trainable_variables=None) -> None:
        """Updates the variables by gradients of the whole batch."""
        grads = list(grads)
        super().apply(self.summed(grads) if self.summed else grads, trainable_variables)

    def _backend_update_step(self, grads, trainable_variables, learning_rate) -> None:
        """Updates the variables one by one, without the sum over replicas that Keras makes.

        It is made before, and TensorFlow never forgets a gradient of its own that is part of that
        sum: each training would leave its graph and its data behind in the process.
        """
        if self.updated:
            self.updated(self.update_step, grads, trainable_variables, learning_rate)
            return
        for gradient, variable in zip(grads, trainable_variables, strict=True):
            self.update_step(gradient, variable, learning_rate)

    def update_step(self, gradient, variable, learning_rate) -> None:
        """Updates one variable with its own rate and decay."""
        index = self._get_variable_index(variable)
        rate = ops.cast(learning_rate, variable.dtype) * _at(self.lr_mults, index)
        decay = self.decay * _at(self.decay_mults, index)
        if decay and self.decoupled:
            self.assign_sub(variable, rate * decay * variable)
        elif decay:
            gradient = ops.cast(gradient, variable.dtype) + decay * variable
        super().update_step(gradient, variable, rate)

    def get_config(self) -> dict:
        """Returns the arguments."""
        own = {
            "decay": self.decay,
            "lr_mults": list(self.lr_mults),
            "decay_mults": list(self.decay_mults),
        }
        return {**super().get_config(), **own}


@keras.saving.register_keras_serializable("lrcn")
class SGD(_PerVariable, keras.optimizers.SGD):
    """Gradient descent with momentum and coupled weight decay: Caffe's solver, step by step."""


@keras.saving.register_keras_serializable("lrcn")
class RMSprop(_PerVariable, keras.optimizers.RMSprop):
    """RMSprop with decoupled weight decay."""

    decoupled = True


@keras.saving.register_keras_serializable("lrcn")
class Adam(_PerVariable, keras.optimizers.Adam):
    """Adam with decoupled weight decay, known as AdamW."""

    decoupled = True


@keras.saving.register_keras_serializable("lrcn")
class WarmUp(keras.optimizers.schedules.LearningRateSchedule):
    """Rises linearly to a schedule's first rate, then follows the schedule from its beginning.

    Step s < warmup_steps has the rate `first * (s + 1) / (warmup_steps + 1)`, so the very first
    step already learns.

    Args:
        schedule: What follows, or None for a constant rate.
        learning_rate: The first rate of the schedule.
        warmup_steps: Length of the rise, in steps.
    """

    def __init__(
        self,
        *,
        schedule: keras.optimizers.schedules.LearningRateSchedule | None,
        learning_rate: float,
        warmup_steps: int,
    ):
        super().__init__()
        self.schedule = schedule
        self.learning_rate = learning_rate
        self.warmup_steps = warmup_steps

    def __call__(self, step):
        """Returns the rate of `step`, counted from 0."""
        step = ops.cast(step, "float32")
        rising = self.learning_rate * (step + 1.0) / (self.warmup_steps + 1.0)
        after = ops.maximum(step - self.warmup_steps, 0.0)
        following = self.learning_rate if self.schedule is None else self.schedule(after)
        return ops.where(step < self.warmup_steps, rising, following)

    def get_config(self) -> dict:
        """Returns the arguments, the inner schedule serialized."""
        return {
            "schedule": keras.saving.serialize_keras_object(self.schedule),
            "learning_rate": self.learning_rate,
            "warmup_steps": self.warmup_steps,
        }

    @classmethod
    def from_config(cls, config: dict) -> WarmUp:
        """Builds the schedule from `get_config`."""
        inner = keras.saving.deserialize_keras_object(config["schedule"])
        return cls(**{**config, "schedule": inner})


def _at(factors: tuple[float, ...], index: int) -> float:
    return factors[index] if factors else 1.0
