"""From the settings of a training to a compiled network and the targets it is trained on."""

from __future__ import annotations

import logging
import pathlib
from collections.abc import Collection, Sequence

import keras
import tensorflow as tf

from lrcn import settings as settings_lib
from lrcn.data import augment
from lrcn.models import activity, backbones, networks, weights
from lrcn.scoring import losses
from lrcn.training import optimizers, schedules

log = logging.getLogger(__name__)


def build_network(
    settings: settings_lib.TrainSettings,
    *,
    num_classes: int,
    multi_label: bool,
    labels: Sequence[str] = (),
) -> keras.Model:
    """Returns a new network from frames [batch, time, height, width, 3] uint8 to its outputs."""
    workflow = settings.workflow
    common = {
        "num_classes": num_classes,
        "multi_label": multi_label,
        "labels": labels,
        "pooling": settings.pooling.frames,
        "initializer": workflow.initializer,
    }
    backbone = build_backbone(settings.backbone, workflow.name)
    if workflow.name == "singleframe":
        return activity.singleframe(backbone, dropout=workflow.dropout_out, **common)
    return activity.lstm(
        backbone,
        units=workflow.units,
        layers=workflow.layers,
        dropout_in=dropout_in(workflow, backbone),
        dropout_out=workflow.dropout_out,
        **common,
    )


def dropout_in(workflow: settings_lib.LstmWorkflow, backbone: keras.Model) -> float:
    """Returns the dropout before the LSTM: as given, else strong on a frozen CNN.

    Frozen features are many and fit small data by heart (the paper drops .9 of 4,096; .8 of 768 did
    better on held-out groups); a CNN that is still to learn needs most of what it sees.
    """
    if workflow.dropout_in is not None:
        return workflow.dropout_in
    return 0.2 if backbone.trainable_weights else 0.8


def build_backbone(settings: settings_lib.Backbone, workflow: str) -> keras.Model:
    """Returns the CNN; one with given weights is frozen unless the settings say otherwise."""
    trainable = settings.trainable
    keys = ("alpha", "dropout", "initializer")
    own = {key: getattr(settings, key) for key in keys if hasattr(settings, key)}
    return backbones.build(
        settings.name,
        layer=settings.layer or backbones.default_layer(settings.name, workflow),
        weights=settings.weights,
        trainable=settings.weights is None if trainable is None else trainable,
        image_size=settings.image_size,
        **own,
    )


def start_from(network: keras.Model, init: str) -> set[str]:
    """Copies what fits of a model file's or run's weights into a network and says what did not.

    Returns:
        The paths of the weights that were copied.
    """
    path = pathlib.Path(init)
    file = path / "checkpoints" / "best.keras" if path.is_dir() else path
    matched, unmatched = weights.carry_over(weights.open_model(file, key="init"), network)
    log.info("init: from %s", file)
    log.info("init: matched: %s", ", ".join(matched) or "none")
    log.info("init: unmatched, new: %s", ", ".join(unmatched) or "none")
    return set(matched)


def compile_network(
    network: keras.Model,
    settings: settings_lib.TrainSettings,
    *,
    steps_per_epoch: int,
    multi_label: bool,
    copied: Collection[str] = (),
) -> None:
    """Gives a network its optimizer, loss and training metric.

    Args:
        network: The complete network.
        settings: Optimizer, schedule, loss and epochs are taken from them.
        steps_per_epoch: Batches in an epoch.
        multi_label: Whether labels are multi-hot.
        copied: Paths of weights that do not start anew; `lr_mult` is for the others of the head.
    """
    optimizer = settings.optimizer
    head = networks.head(network).trainable_variables
    built = optimizers.build(
        optimizer.name,
        variables=network.trainable_variables,
        learning_rate=_rate(settings, steps_per_epoch),
        momentum=optimizer.momentum,
        weight_decay=optimizer.weight_decay,
        clipnorm=optimizer.clipnorm,
        new_variables=[variable for variable in head if variable.path not in copied],
        lr_mult=optimizer.lr_mult,
        bias_lr_mult=optimizer.bias_lr_mult,
        loss_scaling=settings.precision == "mixed_float16",
    )
    compile_with(network, built, loss=settings.workflow.loss, multi_label=multi_label)


def set_schedule(
    optimizer: keras.optimizers.Optimizer,
    settings: settings_lib.TrainSettings,
    *,
    steps_per_epoch: int,
) -> None:
    """Gives an optimizer that was read back the rates of the epochs it is to go to.

    Its own schedule knows the epochs of the day it was saved: a cosine would end there.
    """
    rate = _rate(settings, steps_per_epoch)
    # A mixed_float16 run holds its optimizer inside one that scales the loss.
    inner = getattr(optimizer, "inner_optimizer", optimizer)
    if isinstance(rate, keras.optimizers.schedules.LearningRateSchedule):
        inner.learning_rate = rate


def _rate(
    settings: settings_lib.TrainSettings, steps_per_epoch: int
) -> float | keras.optimizers.schedules.LearningRateSchedule:
    schedule = settings.schedule
    return schedules.build(
        schedule.name,
        learning_rate=settings.optimizer.learning_rate,
        total_steps=steps_per_epoch * settings.epochs,
        decay_steps=schedule.decay_steps,
        decay_rate=schedule.decay_rate or 1.0,
        final_rate=schedule.final_rate,
        warmup_steps=schedule.warmup_steps,
    )


def compile_with(
    model: keras.Model, optimizer: keras.optimizers.Optimizer, *, loss: str, multi_label: bool
) -> None:
    """Compiles a network or its head with an optimizer, which keeps its state.

    Args:
        model: Returns `logits` and `probabilities`.
        optimizer: One that is new or that already knows the model's trainable variables.
        loss: "every_step" or "pooled".
        multi_label: Whether labels are multi-hot.
    """
    output, function = losses.build(loss, multi_label=multi_label)
    accuracy = keras.metrics.SparseCategoricalAccuracy(name="accuracy")
    model.compile(
        optimizer=optimizer,
        loss={output: function},
        metrics=None if multi_label else {"probabilities": [accuracy]},
        jit_compile=False,  # brings nothing on CPU and compiles anew for each shape
    )


def with_targets(clips: tf.data.Dataset, num_frames: int) -> tf.data.Dataset:
    """Returns (inputs, labels[, weights]) with labels and weights for each output of a network.

    Args:
        clips: Elements (inputs, labels [batch, ...][, weights [batch]]).
        num_frames: Frames of a clip; the output `logits` has a label for each.
    """

    def outputs(values):
        return {"logits": losses.every_step(values, num_frames), "probabilities": values}

    return clips.map(lambda inputs, *targets: (inputs, *map(outputs, targets)))


def views(
    settings: settings_lib.Augment, size: tuple[int, int]
) -> tuple[augment.View, augment.View]:
    """Returns the view of training and that of evaluation."""
    return (
        augment.View(size, settings.train, settings.mirror),
        augment.View(size, settings.evaluate),
    )
