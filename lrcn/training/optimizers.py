"""SGD, Adam and RMSprop with a rate and a decay for each variable, as Caffe's `lr_mult` has it."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import keras
from keras import ops

from lrcn import errors

NAMES = ("sgd", "adam", "rmsprop")


class _PerVariable:
    """Multiplies rate and decay by a factor of each variable; mixed into Keras optimizers.

    The order is Caffe's: gradients are clipped, then weight decay is added, then the update is
    scaled by the rate (Donahue et al. 2015, released solver). Variables are told apart by their
    place among the trainable variables, which survives saving where names may not.

    Args:
        decay: Weight decay. Coupled: `decay * weight` joins the gradient after clipping.
            Decoupled: `rate * decay * weight` is taken off the weight beside the update.
        lr_mults: Factor of the learning rate of each trainable variable, in order; empty for 1.
        decay_mults: Factor of the weight decay of each trainable variable; empty for 1.
        **kwargs: Arguments of the Keras optimizer.
    """

    decoupled = False

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


def build(
    name: str,
    *,
    variables: Sequence,
    learning_rate: float | keras.optimizers.schedules.LearningRateSchedule,
    momentum: float = 0.9,
    weight_decay: float = 0.0,
    clipnorm: float | None = None,
    new_variables: Iterable = (),
    lr_mult: float = 1.0,
    bias_lr_mult: float = 1.0,
    loss_scaling: bool = False,
) -> keras.optimizers.Optimizer:
    """Returns an optimizer for `variables`.

    Weight decay works on matrices and kernels, not on biases and normalization scales.

    Args:
        name: One of `NAMES`.
        variables: The model's trainable variables, in order.
        learning_rate: A rate or a schedule over steps.
        momentum: For "sgd" and "rmsprop", in [0, 1].
        weight_decay: Strength of the decay: "sgd" adds it times the weight to the gradient after
            clipping, "adam" and "rmsprop" take it times rate and weight off the weight itself.
        clipnorm: The global L2 norm that all gradients together are clipped to, or None.
        new_variables: Those of `variables` that start from random values.
        lr_mult: Factor of the rate of `new_variables` (the paper's code: 10 for the last layer).
        bias_lr_mult: Further factor of the rate of biases (the paper's code: 2).
        loss_scaling: Whether losses are scaled against underflow, as mixed_float16 needs. Keras
            would add it by itself, but then could not load the saved model under float32.

    Raises:
        UserError: An unknown name.
    """
    if name not in NAMES:
        expected = "one of " + ", ".join(NAMES)
        raise errors.UserError(
            "unknown optimizer", where="optimizer", received=name, expected=expected
        )
    variables = list(variables)
    new = {id(variable) for variable in new_variables}
    lr_mults = [
        (lr_mult if id(variable) in new else 1.0) * (bias_lr_mult if is_bias(variable) else 1.0)
        for variable in variables
    ]
    decay_mults = [1.0 if len(variable.shape) > 1 else 0.0 for variable in variables]
    arguments = {
        "learning_rate": learning_rate,
        "global_clipnorm": clipnorm,
        "decay": weight_decay,
        "lr_mults": lr_mults,
        "decay_mults": decay_mults,
    }
    if name != "adam":
        arguments["momentum"] = float(momentum)
    optimizer = {"sgd": SGD, "adam": Adam, "rmsprop": RMSprop}[name](**arguments)
    return keras.optimizers.LossScaleOptimizer(optimizer) if loss_scaling else optimizer


def is_bias(variable) -> bool:
    """Tells whether a variable is a layer's bias."""
    return variable.path.rsplit("/", 1)[-1] == "bias"


def _at(factors: tuple[float, ...], index: int) -> float:
    return factors[index] if factors else 1.0
