"""A training from its settings to `last.keras`, `best.keras` and `metrics.json`, resumable."""

from __future__ import annotations

import dataclasses
import logging
import pathlib

import keras
import numpy as np
import tensorflow as tf

from lrcn import datasets, errors, runs
from lrcn import settings as settings_lib
from lrcn.data import augment, dataset, epochs, records
from lrcn.data import clips as clips_lib
from lrcn.models import activity, backbones
from lrcn.training import assembly, callbacks, checkpoints, features

log = logging.getLogger(__name__)

_EVALUATION_BATCH = 256  # clips of stored features, which are small


@dataclasses.dataclass(frozen=True)
class Data:
    """The records of a training and what their labels are.

    Attributes:
        train: Records to train on.
        val: Records to validate on after each epoch, or None.
        num_classes: Number of classes over all splits.
        multi_label: Whether some item has several labels.
        label_names: A name a class.
    """

    train: records.RecordSet
    val: records.RecordSet | None
    num_classes: int
    multi_label: bool
    label_names: tuple[str, ...]


@dataclasses.dataclass(frozen=True)
class Feed:
    """What a model is trained and validated on.

    Attributes:
        model: The complete network, or its head if features stand for frames.
        key: The model's input: "frames" or "features".
        training: Batches of all epochs to come, one epoch after another.
        steps: Batches in an epoch.
        clips: Clips in an epoch.
        num_frames: Frames of a clip.
        validation: Every clip of the validation items, or None.
        labels: Labels of the validation items, or None.
    """

    model: keras.Model
    key: str
    training: tf.data.Dataset
    steps: int
    clips: int
    num_frames: int
    validation: tf.data.Dataset | None
    labels: np.ndarray | None


def train(settings: settings_lib.TrainSettings, run: runs.RunDirectory) -> dict[str, float]:
    """Trains a network, or goes on where a run was interrupted.

    In this order: the run's own `last.keras`, the run `resume`, the weights `init`, from scratch.
    The run is left with checkpoints, `history.csv`, `labels.txt` and `metrics.json`; marks,
    curves and the evaluation of further splits are the caller's.

    Args:
        settings: The settings of the training.
        run: The run directory.

    Returns:
        The metrics of the best epoch on the validation split; empty without one.

    Raises:
        UserError: Data, settings and checkpoints do not fit together, or the loss is not finite.
    """
    prepare(settings)
    paths = datasets.records_of(
        settings.dataset,
        image_shape=settings.raw_image_shape,
        num_threads=settings.num_threads,
        seed=settings.seed,
    )
    data = open_data(paths)
    run.write_labels(data.label_names)
    run.write_shown(_shown(settings, data))
    with records.translating_errors(*paths.values()):
        state = fit(settings, data, run)
    metrics = {**state.best_metrics, "epoch": state.best_epoch}
    if data.val is not None:
        metrics["videos"] = data.val.metadata.items
    run.write_metrics(metrics)
    return metrics


def prepare(settings: settings_lib.TrainSettings) -> None:
    """Sets what Keras and TensorFlow keep for the whole process: seeds, precision, threads."""
    _run_operations_in_turn()
    keras.utils.clear_session()
    keras.utils.set_random_seed(settings.seed)
    # After clear_session, which sets it back.
    keras.config.set_dtype_policy(settings.precision)


def _run_operations_in_turn() -> None:
    """Keeps operations from sharing threads, which makes sums of gradients vary in the last bit.

    Each operation still uses every core. Op determinism does not cover this; trained MobileNets
    differed between processes with it, and do not with one operation at a time.
    """
    try:
        tf.config.threading.set_inter_op_parallelism_threads(1)
    except RuntimeError:
        log.debug("TensorFlow runs already, results may differ in the last bit between processes")


def open_data(paths: dict[str, pathlib.Path]) -> Data:
    """Opens the records of a training.

    Args:
        paths: Records by split; "train" is needed.

    Raises:
        UserError: There is no split to train on, or the splits have other classes.
    """
    if "train" not in paths:
        raise errors.UserError(
            "there is nothing to train on",
            where="dataset.train",
            received=", ".join(paths) or "no split",
            expected="records of a split train",
        )
    opened = {split: records.open_records(path) for split, path in paths.items()}
    known = [record_set.metadata for record_set in opened.values()]
    for split, record_set in opened.items():
        if record_set.metadata.label_names != opened["train"].metadata.label_names:
            raise errors.UserError(
                f"the splits train and {split} have other label names",
                where=record_set.path,
                received=", ".join(record_set.metadata.label_names) or "none",
                expected=", ".join(opened["train"].metadata.label_names) or "none",
            )
    count = max(metadata.num_classes for metadata in known)
    names = known[0].label_names or tuple(str(label) for label in range(count))
    multi_label = any(metadata.multi_label for metadata in known)
    return Data(opened["train"], opened.get("val"), count, multi_label, names)


def fit(
    settings: settings_lib.TrainSettings, data: Data, run: runs.RunDirectory
) -> checkpoints.State:
    """Trains until the last epoch or until nothing gets better, and returns how far the run is."""
    network, state = restore(settings, data, run)
    new = network is None
    copied = set()
    if new:
        network = assembly.build_network(
            settings, num_classes=data.num_classes, multi_label=data.multi_label
        )
        copied = assembly.start_from(network, settings.init) if settings.init else copied
    patience = settings.callbacks.patience
    if state.epoch >= settings.epochs or callbacks.is_stopped(state, patience):
        log.info("train: nothing left to do after epoch %d", state.epoch)
        return state
    feed = make_feed(network, settings, data, first_epoch=state.epoch)
    common = {"loss": settings.workflow.loss, "multi_label": data.multi_label}
    if new:
        assembly.compile_network(
            network,
            settings,
            steps_per_epoch=feed.steps,
            multi_label=data.multi_label,
            copied=copied,
        )
    if feed.model is not network:
        # The same optimizer object, so that saving the network saves its state.
        assembly.compile_with(feed.model, network.optimizer, **common)
    waited = tf.Variable(0.0, dtype=tf.float64)
    feed.model.fit(
        dataset.waiting(feed.training, waited),
        initial_epoch=state.epoch,
        epochs=settings.epochs,
        steps_per_epoch=feed.steps,
        callbacks=make_callbacks(network, settings, feed, run, state, waited),
        shuffle=False,
        verbose=0,
    )
    return state


def restore(
    settings: settings_lib.TrainSettings, data: Data, run: runs.RunDirectory
) -> tuple[keras.Model | None, checkpoints.State]:
    """Returns the network and state to go on from, or None and a new state.

    Raises:
        UserError: The run to resume has no checkpoint, or its network has other classes.
    """
    checkpoints.remove_unfinished(run.last.parent)
    last = run.last
    if not last.exists():
        if settings.resume is None:
            return None, checkpoints.State()
        last = runs.RunDirectory(settings.resume).last
        if not last.exists():
            raise errors.UserError(
                "the run has no checkpoint to go on from",
                where="resume",
                received=settings.resume,
                expected="a run directory with checkpoints/last.keras",
            )
    network, state = checkpoints.load(last)
    classes = activity.head(network).get_layer("classes").units
    if classes != data.num_classes:
        raise errors.UserError(
            "the model has other classes than the records",
            where=last,
            received=f"{classes} classes",
            expected=f"{data.num_classes} classes as in {data.train.path}",
            remedy="Start a new run, with init= to begin with these weights.",
        )
    log.info("train: going on after epoch %d of %s", state.epoch, last)
    return network, state


def make_feed(
    network: keras.Model, settings: settings_lib.TrainSettings, data: Data, *, first_epoch: int
) -> Feed:
    """Returns what is trained on what: the head on features if they can stand for frames."""
    contract = backbones.contract_of(network)
    size = (contract["height"], contract["width"])
    views = assembly.views(settings.augment, size)
    mode = training_mode(settings.clipframe_mode, data.train)
    chosen = epochs.Clips(data.train, mode, short_videos=settings.short_videos)
    val, labels = None, None
    if data.val is not None:
        trained = chosen.mode or data.train.metadata.clipframe_mode
        val_mode = epochs.evaluation_mode(data.val, trained)
        val = epochs.Clips(data.val, val_mode, short_videos=settings.short_videos)
        labels = dataset.Targets(data.val, data.num_classes, data.multi_label).labels
    make = (
        _feature_sets
        if features.serves(activity.backbone(network), views[0])
        and features.serves(activity.backbone(network), views[1])
        else _frame_sets
    )
    model, training, steps, validation = make(
        network, settings, data, chosen=chosen, val=val, views=views, first_epoch=first_epoch
    )
    return Feed(
        model=model,
        key="frames" if model is network else "features",
        training=assembly.with_targets(training, chosen.num_frames),
        steps=steps,
        clips=len(chosen.epoch(settings.seed, first_epoch)),
        num_frames=chosen.num_frames,
        validation=validation,
        labels=labels,
    )


def training_mode(
    given: settings_lib.ClipframeMode, train: records.RecordSet
) -> clips_lib.ClipMode | None:
    """Returns the mode to train with, or None for the records' own clips."""
    return epochs.training_mode(
        train,
        None if given.name == "auto" else given.name,
        num_frames=given.num_frames_per_clip,
        offset_or_num=given.clip_offset_or_num,
        tail=given.tail,
    )


def _shown(settings: settings_lib.TrainSettings, data: Data) -> runs.Shown:
    """Returns what a new item must go through to look as those of the training do."""
    stored = data.train.metadata
    mode = training_mode(settings.clipframe_mode, data.train) or stored.clipframe_mode
    return runs.Shown(
        mode=dataclasses.asdict(mode) if mode and stored.type != "image" else None,
        frame_shape=stored.frame_shape,
        frame_step=stored.frame_step,
        fps=stored.fps,
        quality=stored.quality,
    )


def _feature_sets(
    network: keras.Model,
    settings: settings_lib.TrainSettings,
    data: Data,
    *,
    chosen: epochs.Clips,
    val: epochs.Clips | None,
    views: tuple[augment.View, augment.View],
    first_epoch: int,
) -> tuple[keras.Model, tf.data.Dataset, int, tf.data.Dataset | None]:
    """Returns the head and its sets of clips of features."""
    backbone = activity.backbone(network)
    targets = dataset.Targets(
        data.train, data.num_classes, data.multi_label, class_weights(settings, data)
    )
    training, steps = features.training_clips(
        features.extract(data.train, backbone, view=views[0]),
        chosen,
        targets=targets,
        batch_size=settings.batch_size,
        seed=settings.seed,
        first_epoch=first_epoch,
        epochs=settings.epochs,
    )
    validation = None
    if val is not None:
        stored = features.extract(data.val, backbone, view=views[1])
        validation = features.evaluation_clips(
            stored, val, batch_size=_EVALUATION_BATCH, seed=settings.seed
        )
    return activity.head(network), training, steps, validation


def _frame_sets(
    network: keras.Model,
    settings: settings_lib.TrainSettings,
    data: Data,
    *,
    chosen: epochs.Clips,
    val: epochs.Clips | None,
    views: tuple[augment.View, augment.View],
    first_epoch: int,
) -> tuple[keras.Model, tf.data.Dataset, int, tf.data.Dataset | None]:
    """Returns the network and its sets of clips of frames."""
    training, steps = dataset.training_clips(
        data.train,
        mode=chosen.mode,
        view=views[0],
        batch_size=settings.batch_size,
        seed=settings.seed,
        first_epoch=first_epoch,
        epochs=settings.epochs,
        num_classes=data.num_classes,
        multi_label=data.multi_label,
        short_videos=settings.short_videos,
        class_weights=class_weights(settings, data),
    )
    validation = None
    if val is not None:
        validation = dataset.evaluation_clips(
            data.val,
            mode=val.mode,
            view=views[1],
            batch_size=settings.batch_size,
            short_videos=settings.short_videos,
            seed=settings.seed,
        )
    threads = settings.num_threads
    if validation is not None:
        validation = dataset.threaded(validation, threads)
    return network, dataset.threaded(training, threads), steps, validation


def class_weights(settings: settings_lib.TrainSettings, data: Data) -> list[float] | None:
    """Returns the weight of each class, or None if all weigh the same."""
    if settings.class_weights is None:
        return None
    return dataset.balanced_weights(data.train, data.num_classes)


def make_callbacks(
    network: keras.Model,
    settings: settings_lib.TrainSettings,
    feed: Feed,
    run: runs.RunDirectory,
    state: checkpoints.State,
    waited: tf.Variable,
) -> list[keras.callbacks.Callback]:
    """Returns the callbacks in their order: what measures comes before what writes."""
    own = settings.callbacks
    made = [
        callbacks.TerminateOnNaN(),
        callbacks.Throughput(clips=feed.clips, num_frames=feed.num_frames, waited=waited),
        callbacks.LearningRateLog(),
    ]
    if feed.validation is not None:
        made.append(
            callbacks.VideoValidation(
                feed.validation,
                key=feed.key,
                labels=feed.labels,
                pooling=settings.pooling.clips,
            )
        )
    made.append(callbacks.EpochLines(settings.epochs))
    if own.tensorboard:
        made.append(callbacks.TensorBoard(run))
    return [
        *made,
        callbacks.Checkpoints(
            network,
            run,
            state,
            monitor=f"val_{own.monitor}",
            min_delta=own.min_delta,
            patience=own.patience,
        ),
    ]
