"""Learning rates over steps: constant, exponential, staircase, cosine, each with a warm-up."""

from __future__ import annotations

import keras
from keras import ops

from lrcn import errors

NAMES = ("constant", "exponential", "staircase", "cosine")


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

    def __init__(self, *, schedule, learning_rate: float, warmup_steps: int):
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


def build(
    name: str,
    *,
    learning_rate: float,
    total_steps: int,
    decay_steps: int | None = None,
    decay_rate: float = 0.1,
    final_rate: float = 0.0,
    warmup_steps: int = 0,
) -> float | keras.optimizers.schedules.LearningRateSchedule:
    """Returns the learning rate as a function of the step, or a number if it is constant.

    With s the steps after the warm-up and lr the first rate: "exponential" is
    `lr * decay_rate ** (s / decay_steps)`, falling a little at each step; "staircase" is
    `lr * decay_rate ** floor(s / decay_steps)`, Caffe's policy "step" (Donahue et al. 2015 use
    decay_rate .1); "cosine" falls to `final_rate * lr` after `decay_steps`.

    Args:
        name: One of `NAMES`.
        learning_rate: The highest rate.
        total_steps: Steps of the whole training, warm-up included.
        decay_steps: Steps a decay takes; "cosine" takes the whole training if it is None.
        decay_rate: Factor a decay multiplies by.
        final_rate: Share of the rate that "cosine" ends with.
        warmup_steps: Length of the linear rise before the schedule begins, in steps.

    Raises:
        UserError: An unknown name or a number that makes no schedule.
    """
    _check(name, decay_steps, warmup_steps, total_steps)
    schedules = keras.optimizers.schedules
    following = None
    if name in ("exponential", "staircase"):
        following = schedules.ExponentialDecay(
            learning_rate, decay_steps, decay_rate, staircase=name == "staircase"
        )
    elif name == "cosine":
        steps = decay_steps or total_steps - warmup_steps
        following = schedules.CosineDecay(learning_rate, steps, alpha=final_rate)
    if warmup_steps:
        return WarmUp(schedule=following, learning_rate=learning_rate, warmup_steps=warmup_steps)
    return learning_rate if following is None else following


def _check(name: str, decay_steps: int | None, warmup_steps: int, total_steps: int) -> None:
    if name not in NAMES:
        expected = "one of " + ", ".join(NAMES)
        raise errors.UserError(
            "unknown schedule", where="schedule", received=name, expected=expected
        )
    if name in ("exponential", "staircase") and not (decay_steps and decay_steps > 0):
        raise errors.UserError(
            f"schedule {name} needs the steps of a decay",
            where="schedule.decay_steps",
            received=decay_steps,
            expected="a positive integer",
        )
    if warmup_steps < 0 or (name == "cosine" and not decay_steps and warmup_steps >= total_steps):
        raise errors.UserError(
            "the warm-up must leave steps for the schedule",
            where="schedule.warmup_steps",
            received=warmup_steps,
            expected=f"0 to {total_steps - 1}, the training has {total_steps} steps",
        )
