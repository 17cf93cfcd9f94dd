"""How a training is spread over devices; see `conf/strategy/`."""

from __future__ import annotations

import contextlib
import functools
from collections.abc import Callable, Sequence

import keras
import tensorflow as tf

from lrcn import errors
from lrcn import settings as settings_lib
from lrcn.data import sharing
from lrcn.training import hosts, shared


class Mirrored(shared.Strategy):
    """The devices of one machine, each with a part of every batch and a copy of all variables.

    Args:
        devices: How many; None for all there are.

    Raises:
        UserError: There are fewer.
    """

    def __init__(self, devices: int | None):
        _require_tensorflow()
        names = _devices(devices)
        self._strategy = _mirrored(names)
        self.share = sharing.Share(devices=len(names))

    def scope(self) -> contextlib.AbstractContextManager:
        """Returns the context in which variables are mirrored."""
        return self._strategy.scope()

    def trained(self, model: keras.Model, objective: shared.Objective) -> keras.Model:
        """Returns the model with losses over the rows of all devices."""
        return shared.Shared(model, objective, _summed)

    def take(self, optimizer: keras.optimizers.Optimizer) -> None:
        """Has gradients summed before they are clipped, as those of a single device are."""
        optimizer.summed, optimizer.updated = _summed, _updated


def of(settings: settings_lib.Strategy) -> shared.Strategy:
    """Returns the strategy of a training.

    Args:
        settings: Keys of `strategy`.

    Raises:
        UserError: The machine has not what it needs.
    """
    if isinstance(settings, settings_lib.Mirrored):
        return Mirrored(settings.devices)
    if isinstance(settings, settings_lib.Hosts):
        return hosts.Hosts(settings)
    return shared.ONE_DEVICE


def _require_tensorflow() -> None:
    if keras.config.backend() != "tensorflow":
        raise errors.UserError(
            "mirrors variables by TensorFlow",
            where="strategy",
            received=f"mirrored with KERAS_BACKEND={keras.config.backend()}",
            expected="KERAS_BACKEND=tensorflow, which is the default",
            remedy="Leave KERAS_BACKEND out, or set strategy=hosts, which takes every device of "
            "each host",
        )


@functools.cache
def _mirrored(names: tuple[str, ...]) -> tf.distribute.MirroredStrategy:
    """Returns the strategy of some devices, one a process.

    It numbers what is summed; a second one would begin again and meet sums of the first.
    """
    return tf.distribute.MirroredStrategy(names)


def _devices(wanted: int | None) -> tuple[str, ...]:
    """Returns the names of GPUs, or of logical CPUs where a program has set up several."""
    gpus = tf.config.list_logical_devices("GPU")
    found = gpus or tf.config.list_logical_devices("CPU")
    if len(found) >= (wanted or 2):
        return tuple(device.name for device in found[:wanted])
    raise errors.UserError(
        "there are too few devices to share a batch",
        where="strategy.devices",
        received=f"{len(gpus)} GPU{'s' if len(gpus) != 1 else ''} that TensorFlow sees",
        expected=f"{wanted or '2 or more'} GPUs",
        remedy="Leave strategy out to train on one device; if the machine has more GPUs, look at "
        "`nvidia-smi` and CUDA_VISIBLE_DEVICES, and install tensorflow[and-cuda]",
    )


def _summed(values: Sequence) -> list:
    """Returns the sums over all devices of values that each of them has."""
    replica = tf.distribute.get_replica_context()
    if replica is None:  # while shapes are worked out
        return list(values)

    def together(strategy, values):
        pairs = [(value, value) for value in values]
        return strategy.extended.batch_reduce_to(tf.distribute.ReduceOp.SUM, pairs)

    # Not `all_reduce`: TensorFlow never forgets the gradient that it makes for it.
    return list(replica.merge_call(together, args=(list(values),)))


def _updated(
    update: Callable, gradients: Sequence, variables: Sequence, learning_rate: tf.Tensor
) -> None:
    """Updates the copies of variables on all devices.

    Args:
        update: Updates one variable by (gradient, variable, learning rate).
        gradients: The same on each device.
        variables: As many.
        learning_rate: Scalar.
    """

    def together(strategy, gradients, learning_rate):
        for gradient, variable in zip(gradients, variables, strict=True):
            strategy.extended.update(
                variable,
                lambda own, gradient, rate: update(gradient, own, rate),
                args=(gradient, learning_rate),
                group=False,
            )

    variables = [getattr(variable, "value", variable) for variable in variables]
    tf.distribute.get_replica_context().merge_call(together, args=(list(gradients), learning_rate))
