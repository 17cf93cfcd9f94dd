"""A training from its settings to `last.keras`, `best.keras` and `metrics.json`, resumable."""

from __future__ import annotations

import logging

import keras
import tensorflow as tf

from lrcn import datasets, errors, runs
from lrcn import settings as settings_lib
from lrcn.data import dataset, records
from lrcn.models import activity
from lrcn.scoring import metrics
from lrcn.training import assembly, callbacks, checkpoints, feeds

log = logging.getLogger(__name__)


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
    data = feeds.open_data(paths)
    if data.val is None:
        log.info("train: no validation videos, so the last epoch counts as the best")
    _check_monitor(settings.callbacks.monitor, data)
    network, state = restore(settings, data, run)
    # Only now: what stands there belongs to the checkpoints until they are known to fit the data.
    run.write_labels(data.label_names)
    run.write_shown(feeds.shown(settings, data))
    with records.translating_errors(*paths.values()):
        state = fit(settings, data, run, network, state)
    measured = {**state.best_metrics, "epoch": state.best_epoch}
    if data.val is not None:
        measured["videos"] = data.val.metadata.items
    run.write_metrics(measured)
    return measured


def _check_monitor(monitor: str, data: feeds.Data) -> None:
    measured = metrics.names(multi_label=data.multi_label)
    if data.val is not None and monitor not in measured:
        raise errors.UserError(
            "is not measured on these videos",
            where="callbacks.monitor",
            received=monitor,
            expected=" | ".join(measured),
            remedy="video_map is for videos with several labels; choose one of those listed",
        )


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


def fit(
    settings: settings_lib.TrainSettings,
    data: feeds.Data,
    run: runs.RunDirectory,
    network: keras.Model | None,
    state: checkpoints.State,
) -> checkpoints.State:
    """Trains until the last epoch or until nothing gets better, and returns how far the run is.

    Args:
        settings: The settings of the training.
        data: What is trained on.
        run: The run directory.
        network: The network to go on with, as `restore` found it, or None.
        state: How far it is.
    """
    if state.epoch >= settings.epochs:
        log.info("train: nothing left to do after epoch %d", state.epoch)
        return state
    patience = settings.callbacks.patience
    if callbacks.is_stopped(state, patience):
        log.info(
            "train: stopped at epoch %d, after %d epochs without a better %s; "
            "a larger callbacks.patience goes on",
            state.epoch,
            state.wait,
            settings.callbacks.monitor,
        )
        return state
    new, copied = network is None, set()
    if new:
        network = assembly.build_network(
            settings,
            num_classes=data.num_classes,
            multi_label=data.multi_label,
            labels=data.label_names,
        )
        copied = assembly.start_from(network, settings.init) if settings.init else copied
    feed = feeds.make_feed(network, settings, data, first_epoch=state.epoch)
    common = {"loss": settings.workflow.loss, "multi_label": data.multi_label}
    if new:
        assembly.compile_network(
            network,
            settings,
            steps_per_epoch=feed.steps,
            multi_label=data.multi_label,
            copied=copied,
        )
    else:
        assembly.set_schedule(network.optimizer, settings, steps_per_epoch=feed.steps)
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
    settings: settings_lib.TrainSettings, data: feeds.Data, run: runs.RunDirectory
) -> tuple[keras.Model | None, checkpoints.State]:
    """Returns the network and state to go on from, or None and a new state.

    The checkpoints of the run `resume` are copied into a run that has none of its own.

    Raises:
        UserError: The run to resume has no checkpoint, or its network knows other classes.
    """
    checkpoints.remove_unfinished(run.last.parent)
    if not run.last.exists():
        if settings.resume is None:
            return None, checkpoints.State(records=data.digests)
        runs.RunDirectory(settings.resume).copy_checkpoints(run)
    network, state = checkpoints.load(run.last)
    labels = activity.labels(network)
    if labels != data.label_names:
        raise errors.UserError(
            "the run was trained on other classes than the records have",
            where=run.last,
            received=f"records of {', '.join(data.label_names)} in {data.train.path}",
            expected=", ".join(labels),
            remedy="Start a new run, with init= to begin with these weights",
        )
    _check_records(state, data, run)
    log.info("train: going on after epoch %d of %s", state.epoch, run.path)
    return network, state


def _check_records(state: checkpoints.State, data: feeds.Data, run: runs.RunDirectory) -> None:
    """Refuses to go on with other videos: the run would be neither the old one nor a new one."""
    for split, record_set in (("train", data.train), ("val", data.val)):
        now = record_set.digest if record_set is not None else None
        before = state.records.get(split)
        if now != before:
            raise errors.UserError(
                "the run was trained on other records",
                where=f"dataset.{split}",
                received=f"{record_set.path} ({now})" if record_set else "none",
                expected=f"the records that {run.last} knows ({before or 'none'})",
                remedy="Give back those records, or start a new run, with init= for its weights",
            )


def make_callbacks(
    network: keras.Model,
    settings: settings_lib.TrainSettings,
    feed: feeds.Feed,
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
