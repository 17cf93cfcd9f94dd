"""A training from its settings to `last.keras`, `best.keras` and `metrics.json`, resumable."""

from __future__ import annotations

import dataclasses
import logging
import pathlib

import keras
import tensorflow as tf

from lrcn import datasets, errors, runs
from lrcn import settings as settings_lib
from lrcn.data import damage, dataset
from lrcn.training import (
    assembly,
    callbacks,
    checkpoints,
    feeds,
    finite,
    interruption,
    strategies,
    tasks,
)

log = logging.getLogger(__name__)


def train(settings: settings_lib.TrainSettings, run: runs.RunDirectory) -> dict[str, float]:
    """Trains a network, or goes on where a run was interrupted.

    In this order: the run's own `last.keras`, the run `resume`, the weights `init`, from scratch.
    The run is left with checkpoints, `history.csv`, `labels.txt` or `vocabulary.json`, and
    `metrics.json`; marks, curves and the evaluation of further splits are the caller's.

    Args:
        settings: The settings of the training.
        run: The run directory.

    Returns:
        The metrics of the best epoch on the validation split; empty without one.

    Raises:
        UserError: Data, settings and checkpoints do not fit together, or the loss is not finite.
    """
    prepare(settings)
    strategy = strategies.of(settings.strategy)
    paths = datasets.records_of(
        settings.dataset,
        image_shape=settings.raw_image_shape,
        num_threads=settings.num_threads,
        seed=settings.seed,
        modality=datasets.modality_of(settings.modality),
        limits=settings.limits,
    )
    task = tasks.of(settings, paths)
    if task.data.val is None:
        log.info("train: no validation split, so the last epoch counts as the best")
    with strategy.scope():
        network, state = restore(settings, task, run)
    # Only now: what stands there belongs to the checkpoints until they are known to fit the data.
    task.write(run)
    run.write_shown(feeds.shown(settings, task.data))
    with damage.translating_errors(*paths.values(), limits=settings.limits):
        state = fit(settings, task, run, network, state, strategy)
    measured = task.measured({**state.best_metrics, "epoch": state.best_epoch})
    run.write_metrics(measured)
    return measured


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
    task: tasks.Task,
    run: runs.RunDirectory,
    network: keras.Model | None,
    state: checkpoints.State,
    strategy: strategies.Strategy = strategies.Strategy(),
) -> checkpoints.State:
    """Trains until the last epoch or until nothing gets better, and returns how far the run is.

    Args:
        settings: The settings of the training.
        task: What is learnt.
        run: The run directory.
        network: The network to go on with, as `restore` found it, or None.
        state: How far it is.
        strategy: The devices that it is trained on.
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
    with strategy.scope():
        network, feed = _ready(settings, task, network, state, strategy)
    signals = interruption.Signals()
    waited = tf.Variable(0.0, dtype=tf.float64)
    made = make_callbacks(network, settings, task, feed, run, state, waited, signals)
    with signals.noted():
        if feed.rest is not None:
            _finish_epoch(feed, made, state, waited)
        if state.epoch < settings.epochs and not callbacks.is_stopped(state, patience):
            feed.model.fit(
                dataset.waiting(feed.training, waited),
                initial_epoch=state.epoch,
                epochs=settings.epochs,
                steps_per_epoch=feed.steps,
                callbacks=made,
                shuffle=False,
                verbose=0,
            )
        if signals.received is not None:
            signals.leave()  # the last epoch is saved
    return state


def _ready(
    settings: settings_lib.TrainSettings,
    task: tasks.Task,
    network: keras.Model | None,
    state: checkpoints.State,
    strategy: strategies.Strategy,
) -> tuple[keras.Model, feeds.Feed]:
    """Returns the network, compiled, and what is trained in its place on what."""
    new, copied = network is None, set()
    if new:
        network = task.build()
        if settings.init:
            given = getattr(settings.workflow, "word_vectors", None) is not None
            copied = assembly.start_from(
                network, settings.init, keep_vectors=given, limits=settings.limits
            )
    own = {"first_epoch": state.epoch, "first_step": state.step, "share": strategy.share}
    feed = task.feed(network, **own)
    if new:
        optimizer = assembly.optimizer_of(
            network, settings, steps_per_epoch=feed.steps, copied=copied
        )
        task.compile(network, optimizer)
        # State and factors go by the order of the network's own variables, in which it is loaded
        # again; what is trained in its place may list the same variables otherwise.
        network.optimizer.build(network.trainable_variables)
    else:
        assembly.set_schedule(network.optimizer, settings, steps_per_epoch=feed.steps)
    strategy.take(network.optimizer)
    # Whatever is trained has the same optimizer object, so that saving the network saves its state.
    trained = strategy.trained(feed.model, task.objective())
    if trained is not None:
        trained.compile(optimizer=network.optimizer, jit_compile=False)
        feed = dataclasses.replace(feed, model=trained)
    elif feed.model is not network:
        task.compile(feed.model, network.optimizer)
    return network, feed


def _finish_epoch(
    feed: feeds.Feed,
    made: list[keras.callbacks.Callback],
    state: checkpoints.State,
    waited: tf.Variable,
) -> None:
    """Goes on with an epoch that was begun, be it only with its validation."""
    if state.step < feed.steps:
        feed.model.fit(
            dataset.waiting(feed.rest, waited),
            initial_epoch=state.epoch,
            epochs=state.epoch + 1,
            steps_per_epoch=feed.steps - state.step,
            callbacks=made,
            shuffle=False,
            verbose=0,
        )
        return
    epoch, own = state.epoch, keras.callbacks.CallbackList(made, model=feed.model)
    logs = dict(state.logs)
    state.sums = []  # they are in the logs already
    own.on_epoch_begin(epoch)
    own.on_epoch_end(epoch, logs)


def restore(
    settings: settings_lib.TrainSettings, task: tasks.Task, run: runs.RunDirectory
) -> tuple[keras.Model | None, checkpoints.State]:
    """Returns the network and state to go on from, or None and a new state.

    The checkpoints of the run `resume` are copied into a run that has none of its own.

    Raises:
        UserError: The run to resume has no checkpoint, or its network learnt something else.
    """
    checkpoints.remove_unfinished(run.last.parent)
    if not (run.last.exists() or run.previous.exists()):
        if settings.resume is None or _is_itself(run, settings.resume):
            return None, checkpoints.State(records=task.data.digests)
        runs.RunDirectory(settings.resume).copy_checkpoints(run)
    network, state = checkpoints.load_newest(run, limits=settings.limits)
    task.check(network, run)
    _check_records(state, task.data, run)
    callbacks.write_history(run, state)  # the run may have ended between its checkpoint and this
    step = f" and step {state.step} of the next" if state.step else ""
    log.info("train: going on after epoch %d%s of %s", state.epoch, step, run.path)
    return network, state


def _is_itself(run: runs.RunDirectory, resumed: str) -> bool:
    """Tells whether a run is to go on with itself, which has no checkpoint yet."""
    return run.path.resolve() == pathlib.Path(resumed).resolve()


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
    task: tasks.Task,
    feed: feeds.Feed,
    run: runs.RunDirectory,
    state: checkpoints.State,
    waited: tf.Variable,
    signals: interruption.Signals,
) -> list[keras.callbacks.Callback]:
    """Returns the callbacks in their order: what measures comes before what writes."""
    own = settings.callbacks
    only_finite = finite.OnlyFinite(feed.items_of, records=task.data.train.path, state=state)
    interrupting = interruption.Interruption(
        network,
        run,
        state,
        steps=feed.steps,
        signals=signals,
        seconds=own.save_seconds,
        before=only_finite.require_weights,
    )
    made = [
        only_finite,
        interrupting,
        callbacks.Throughput(
            clips=feed.clips, num_frames=feed.num_frames, waited=waited, state=state
        ),
        callbacks.LearningRateLog(),
    ]
    if feed.validation is not None:
        made.append(task.validation(network, feed, watch=interrupting.watched))
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
