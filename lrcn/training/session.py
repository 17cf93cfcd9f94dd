"""A training from its settings to `last.keras`, `best.keras` and `metrics.json`, resumable."""

from __future__ import annotations

import contextlib
import dataclasses
import hashlib
import logging
import pathlib

import keras
import tensorflow as tf

from lrcn import datasets, errors, provenance, runs
from lrcn import settings as settings_lib
from lrcn.data import damage, dataset
from lrcn.training import (
    assembly,
    callbacks,
    checkpoints,
    feeds,
    finite,
    interruption,
    profile,
    shared,
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
    strategy.first(lambda: _settle(settings, run, strategy), lambda: _digest(run.last))
    with strategy.scope():
        network, state = restore(settings, task, run)
    # Only now: what stands there belongs to the checkpoints until they are known to fit the data.
    if strategy.is_chief:
        task.write(run)
        run.write_shown(feeds.shown(settings, task.data))
        provenance.write(run, feeds.told(task.data))
        if network is not None:  # it may have ended between its checkpoint and this
            callbacks.write_history(run, state)
    with damage.translating_errors(*paths.values(), limits=settings.limits):
        state = fit(settings, task, run, network, state, strategy)
    measured = task.measured({**state.best_metrics, "epoch": state.best_epoch})
    if strategy.is_chief:
        run.write_metrics(measured)
    strategy.leave()
    return measured


def prepare(settings: settings_lib.TrainSettings) -> None:
    """Sets what Keras and TensorFlow keep for the whole process: seeds, precision, threads.

    Raises:
        UserError: The backend of Keras cannot train this.
    """
    _check_backend(settings)
    _leave_gpus_to_keras()
    _run_operations_in_turn()
    keras.utils.clear_session()
    keras.utils.set_random_seed(settings.seed)
    # After clear_session, which sets it back.
    keras.config.set_dtype_policy(settings.precision)


def _check_backend(settings: settings_lib.TrainSettings) -> None:
    backend = keras.config.backend()
    if settings.profile and backend != "tensorflow":
        raise errors.UserError(
            "only the operations of TensorFlow are traced",
            where="profile",
            received=f"true with KERAS_BACKEND={backend}",
            expected="false, or KERAS_BACKEND=tensorflow, which is the default",
            remedy="Leave profile out, or KERAS_BACKEND with a strategy other than hosts",
        )
    if backend == "tensorflow" or (backend == "jax" and not settings.describes):
        return
    raise errors.UserError(
        "the backend of Keras cannot train this workflow",
        where="workflow",
        received=f"{settings.workflow.name} with KERAS_BACKEND={backend}",
        expected="KERAS_BACKEND=tensorflow, or jax for workflow=lstm and workflow=singleframe",
        remedy="Leave KERAS_BACKEND out; captions are learnt on TensorFlow",
    )


def _leave_gpus_to_keras() -> None:
    """Keeps TensorFlow, which feeds every backend, off the GPUs that another one trains on."""
    if keras.config.backend() != "tensorflow":
        with contextlib.suppress(RuntimeError):  # TensorFlow runs already
            tf.config.set_visible_devices([], "GPU")


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
    strategy: shared.Strategy = shared.ONE_DEVICE,
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
    signals = interruption.Signals(together=strategy.has_others)
    waited = tf.Variable(0.0, dtype=tf.float64)
    made = make_callbacks(network, settings, task, feed, run, state, waited, signals, strategy)
    following = profile.following(run, made, is_wanted=settings.profile)
    with signals.noted(), strategy.running(), following as made:
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
        if signals.heeded is not None:
            signals.leave()  # the last epoch is saved
    return state


def _ready(
    settings: settings_lib.TrainSettings,
    task: tasks.Task,
    network: keras.Model | None,
    state: checkpoints.State,
    strategy: shared.Strategy,
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
    if keras.config.backend() == "jax":  # which runs operation by operation otherwise
        feed.model.jit_compile = True
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


def _settle(
    settings: settings_lib.TrainSettings, run: runs.RunDirectory, strategy: shared.Strategy
) -> None:
    """Puts the checkpoints to go on from in their place, if there are any.

    Those of the run `resume` are copied into a run that has none of its own.
    """
    checkpoints.remove_unfinished(run.last.parent)
    is_new = not (run.last.exists() or run.previous.exists())
    if is_new and settings.resume is not None and not _is_itself(run, settings.resume):
        runs.RunDirectory(settings.resume).copy_checkpoints(run)
        is_new = False
    if not is_new and strategy.has_others:
        checkpoints.load_newest(run, limits=settings.limits)  # what is broken is mended once
        prepare(settings)  # again, for all hosts must draw the same


def _digest(file: pathlib.Path) -> str:
    """Returns what tells a file from others; nothing if it is not there."""
    if not file.exists():
        return ""
    with file.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def restore(
    settings: settings_lib.TrainSettings, task: tasks.Task, run: runs.RunDirectory
) -> tuple[keras.Model | None, checkpoints.State]:
    """Returns the network and state to go on from, or None and a new state.

    Raises:
        UserError: The run to resume has no checkpoint, or its network learnt something else.
    """
    if not (run.last.exists() or run.previous.exists()):
        return None, checkpoints.State(records=task.data.digests)
    network, state = checkpoints.load_newest(run, limits=settings.limits)
    task.check(network, run)
    _check_records(state, task.data, run)
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
    strategy: shared.Strategy = shared.ONE_DEVICE,
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
        writes=strategy.is_chief,
    )
    first, last = strategy.callbacks(state, signals)
    if not strategy.is_chief:
        return [*first, only_finite, interrupting, callbacks.LearningRateLog(), *last]
    made = [
        *first,
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
        *last,
    ]
