"""Learning rates over steps: constant, exponential, staircase, cosine, each with a warm-up."""

from __future__ import annotations

import keras

from lrcn import errors
from lrcn.models import solvers

NAMES = ("constant", "exponential", "staircase", "cosine")


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
        return solvers.WarmUp(
            schedule=following, learning_rate=learning_rate, warmup_steps=warmup_steps
        )
    return learning_rate if following is None else following


def _check(name: str, decay_steps: int | None, warmup_steps: int, total_steps: int) -> None:
    if name not in NAMES:
        expected = "one of " + ", ".join(NAMES)
        raise errors.UserError(
            "unknown schedule",
            where="schedule",
            received=name,
            expected=expected,
            remedy=f"Choose one of them, such as schedule={NAMES[0]}",
        )
    if name in ("exponential", "staircase") and not (decay_steps and decay_steps > 0):
        raise errors.UserError(
            f"schedule {name} needs the steps of a decay",
            where="schedule.decay_steps",
            received=decay_steps,
            expected="a positive integer",
            remedy="Set schedule.decay_steps=1000, for example",
        )
    if warmup_steps < 0 or (name == "cosine" and not decay_steps and warmup_steps >= total_steps):
        raise errors.UserError(
            "the warm-up must leave steps for the schedule",
            where="schedule.warmup_steps",
            received=warmup_steps,
            expected=f"0 to {total_steps - 1}, the training has {total_steps} steps",
            remedy="Lower schedule.warmup_steps, or set more epochs",
        )
