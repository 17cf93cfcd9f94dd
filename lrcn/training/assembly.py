"""What every network of a training has: a CNN, first weights, an optimizer and a schedule."""

from __future__ import annotations

import logging
import pathlib
from collections.abc import Collection

import keras

from lrcn import errors
from lrcn import settings as settings_lib
from lrcn.data.limits import Limits
from lrcn.models import backbones, networks, weights, wording
from lrcn.training import optimizers, schedules

log = logging.getLogger(__name__)


def build_backbone(
    settings: settings_lib.Backbone,
    workflow: str,
    *,
    modality: str = "rgb",
    limits: Limits = Limits(),
) -> keras.Model:
    """Returns the CNN; one with given weights is frozen unless the settings say otherwise.

    Args:
        settings: The keys of the CNN.
        workflow: Its default layer goes by the workflow.
        modality: What the frames show that it is to look at.
        limits: The most that a weights file may ask for.
    """
    trainable = settings.trainable
    keys = ("alpha", "dropout", "initializer")
    own = {key: getattr(settings, key) for key in keys if hasattr(settings, key)}
    return backbones.build(
        settings.name,
        layer=settings.layer or backbones.default_layer(settings.name, workflow),
        weights=settings.weights,
        trainable=settings.weights is None if trainable is None else trainable,
        image_size=settings.image_size,
        modality=modality,
        limits=limits,
        **own,
    )


def start_from(
    network: keras.Model,
    init: str,
    *,
    keep_vectors: bool = False,
    limits: Limits = Limits(),
) -> set[str]:
    """Copies what fits of a model file's or run's weights into a network and says what did not.

    Args:
        network: A new network.
        init: The model file or run.
        keep_vectors: Whether the network keeps its own word vectors, since they were given.
        limits: The most that the model file may ask for.

    Returns:
        The paths of the weights that were copied.
    """
    path = pathlib.Path(init)
    file = path / "checkpoints" / "best.keras" if path.is_dir() else path
    source = weights.open_model(file, key="init", limits=limits)
    log.info("init: from %s", file)
    describes = [wording.is_one(model) for model in (source, network)]
    # Of equal shapes, too, the same number may stand for another word, or for a class.
    leave = wording.OF_WORDS if any(describes) else ()
    matched, unmatched = weights.carry_over(source, network, leave=leave)
    if all(describes):
        layers = [name for name in wording.OF_WORDS if not (keep_vectors and name == "embedding")]
        known, new, carried = wording.carry_words(source, network, layers=layers)
        matched += carried
        unmatched = [path for path in unmatched if path not in carried]
        log.info("init: words of both: %d; new: %s", len(known), errors.few(new) or "none")
    # Weights see what they were trained on, whatever is usual for their architecture.
    of_cnn = {weight.path for weight in networks.backbone(network).weights}
    if of_cnn <= set(matched) and weights.carry_contract(source, network):
        log.info("init: the input contract of %s comes with its CNN", file)
    log.info("init: matched: %s", ", ".join(_in_short(matched, network)) or "none")
    log.info("init: unmatched, new: %s", ", ".join(unmatched) or "none")
    return set(matched)


def _in_short(matched: Collection[str], network: keras.Model) -> list[str]:
    """Returns paths of weights, those of a CNN that matched as a whole in a word."""
    of_cnn = {weight.path for weight in networks.backbone(network).weights}
    if not of_cnn <= set(matched):
        return list(matched)
    others = [path for path in matched if path not in of_cnn]
    return [f"the CNN (all {len(of_cnn)} weights)", *others]


def optimizer_of(
    network: keras.Model,
    settings: settings_lib.TrainSettings,
    *,
    steps_per_epoch: int,
    copied: Collection[str] = (),
) -> keras.optimizers.Optimizer:
    """Returns a new optimizer for a network.

    Args:
        network: The complete network.
        settings: Optimizer, schedule and epochs are taken from them.
        steps_per_epoch: Batches in an epoch.
        copied: Paths of weights that do not start anew; `lr_mult` is for the others of the head.
    """
    optimizer = settings.optimizer
    head = networks.head(network).trainable_variables
    return optimizers.build(
        optimizer.name,
        variables=network.trainable_variables,
        learning_rate=_rate(settings, steps_per_epoch),
        momentum=optimizer.momentum,
        weight_decay=optimizer.weight_decay,
        clipnorm=optimizer.clipnorm,
        new_variables=[variable for variable in head if variable.path not in copied],
        lr_mult=optimizer.lr_mult,
        backbone_variables=networks.backbone(network).trainable_variables,
        backbone_lr_mult=optimizer.backbone_lr_mult,
        bias_lr_mult=optimizer.bias_lr_mult,
        loss_scaling=settings.precision == "mixed_float16",
    )


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
