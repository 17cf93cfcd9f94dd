"""Which optimizer a training takes, and the rate and decay of each variable."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import keras

from lrcn import errors
from lrcn.models import solvers

NAMES = ("sgd", "adam", "rmsprop")


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
    backbone_variables: Iterable = (),
    backbone_lr_mult: float = 1.0,
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
        backbone_variables: Those of `variables` that are the CNN's.
        backbone_lr_mult: Factor of the rate of `backbone_variables` (the paper's code: .1 where
            captions are learnt).
        bias_lr_mult: Further factor of the rate of biases, but for those of recurrent layers (the
            paper's code: 2, and none for its LSTM).
        loss_scaling: Whether losses are scaled against underflow, as mixed_float16 needs. Keras
            would add it by itself, but then could not load the saved model under float32.

    Raises:
        UserError: An unknown name.
    """
    if name not in NAMES:
        expected = "one of " + ", ".join(NAMES)
        raise errors.UserError(
            "unknown optimizer",
            where="optimizer",
            received=name,
            expected=expected,
            remedy=f"Choose one of them, such as optimizer={NAMES[0]}",
        )
    variables = list(variables)
    factors = {id(variable): lr_mult for variable in new_variables}
    factors |= {id(variable): backbone_lr_mult for variable in backbone_variables}
    lr_mults = [
        factors.get(id(variable), 1.0) * (bias_lr_mult if _is_bias(variable) else 1.0)
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
    kinds = {"sgd": solvers.SGD, "adam": solvers.Adam, "rmsprop": solvers.RMSprop}
    optimizer = kinds[name](**arguments)
    return keras.optimizers.LossScaleOptimizer(optimizer) if loss_scaling else optimizer


def _is_bias(variable) -> bool:
    """Tells whether a variable is the bias of a layer that is not recurrent."""
    *owners, name = variable.path.split("/")
    return name == "bias" and not owners[-1].endswith("_cell")
