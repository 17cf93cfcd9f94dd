"""A training that meets a number that is none stops, names the items and keeps what was good."""

import math

import keras
import numpy as np
import pytest

from lrcn import errors, runs
from lrcn import settings as settings_lib
from lrcn.training import checkpoints, features, finite, session, tasks

HUGE = settings_lib.Optimizer("sgd", 1e38, 0, 1, None)


@pytest.fixture
def run(tmp_path):
    return runs.RunDirectory(tmp_path / "run")


@pytest.fixture
def model():
    keras.utils.set_random_seed(1)
    inputs = keras.Input((2,))
    values = keras.layers.BatchNormalization(name="norm")(inputs)
    model = keras.Model(inputs, keras.layers.Dense(1, name="classes")(values))
    model.compile(optimizer=keras.optimizers.Adam(), loss="mse")
    model.optimizer.build(model.trainable_variables)
    return model


def guard(model=None, state=None):
    """A guard of an epoch whose batches are of items named by epoch and batch."""
    callback = finite.OnlyFinite(
        lambda epoch, batch: [f"item {epoch}.{batch}.{number}" for number in range(7)],
        records="data.train.tfrecord",
        state=state or checkpoints.State(),
    )
    if model is not None:
        callback.set_model(model)
    return callback


def test_batches_of_a_continued_epoch_count_from_its_beginning():
    callback = guard(state=checkpoints.State(epoch=4, step=3))
    callback.on_epoch_begin(4)
    with pytest.raises(errors.UserError, match=r"epoch 5, batch 4 .*item 4\.3\.0"):
        callback.on_train_batch_end(0, {"loss": math.nan})


@pytest.mark.parametrize("loss", [math.nan, math.inf])
def test_a_loss_names_its_items_and_those_of_the_update_before(loss):
    callback = guard()
    callback.on_epoch_begin(4)
    callback.on_train_batch_end(6, {"loss": 1.0})
    with pytest.raises(errors.UserError) as stopped:
        callback.on_train_batch_end(6, {"loss": loss})
    message = str(stopped.value)
    assert message.startswith("epoch 5, batch 7 of data.train.tfrecord: the loss is no finite")
    own = ", ".join(f"item 4.6.{number}" for number in range(5))
    before = ", ".join(f"item 4.5.{number}" for number in range(5))
    assert f"Received: loss {loss} for the items {own} and 2 more; the update before" in message
    assert f"it was by the items {before} and 2 more" in message
    assert "Either a look at these items or the update before them" in message
    assert "optimizer.clipnorm" in message


def test_the_first_batch_has_no_update_before_it():
    callback = guard()
    callback.on_epoch_begin(0)
    with pytest.raises(errors.UserError, match="or the weights that the epoch began with") as error:
        callback.on_train_batch_end(0, {"loss": math.nan})
    assert "update before" not in str(error.value)


@pytest.mark.parametrize(
    ("path", "value"),
    [
        ("classes/kernel", math.nan),
        ("norm/moving_variance", math.inf),
        ("kernel_momentum", math.nan),
    ],
)
def test_an_epoch_does_not_end_with_weights_that_are_none(model, path, value):
    callback = guard(model)
    callback.on_epoch_begin(0)
    callback.on_train_batch_end(0, {"loss": 1.0})
    callback.on_epoch_end(0, {"loss": 1.0})
    variables = [*model.weights, *model.optimizer.variables]
    (spoilt,) = (variable for variable in variables if variable.path.endswith(path))
    values = spoilt.numpy()
    values.flat[-1] = value
    spoilt.assign(values)
    assert finite.not_finite(model) == [spoilt.path]
    with pytest.raises(errors.UserError, match=f"epoch 1, batch 1 of .*{spoilt.path}, after an"):
        callback.on_epoch_end(0, {"loss": 1.0})


@pytest.mark.parametrize(("scale", "stops"), [(1.0, False), (1e-5, True)])
def test_float16_whose_every_update_is_left_out_stops(model, scale, stops):
    scaled = keras.optimizers.LossScaleOptimizer(keras.optimizers.SGD())
    model.compile(optimizer=scaled, loss="mse")
    scaled.build(model.trainable_variables)
    scaled.dynamic_scale.assign(scale)
    callback = guard(model)
    if not stops:
        return callback.on_epoch_end(3)
    with pytest.raises(errors.UserError, match="epoch 4: gradients.*1e-05.*mixed_bfloat16"):
        callback.on_epoch_end(3)
    return None


def shown_items(settings):
    """The ids of the items of each batch of the first epochs, as the pipeline shows them."""
    paths = {split: getattr(settings.dataset, split) for split in ("train", "val")}
    task = tasks.of(settings, paths)
    feed = task.feed(task.build(), first_epoch=0)
    told = [feed.items_of(epoch, batch) for epoch in range(2) for batch in range(feed.steps)]
    return feed, told


@pytest.mark.parametrize("trainable", [True, False])
def test_items_of_a_batch_are_those_that_it_shows(make_settings, trainable):
    feed, told = shown_items(make_settings(backbone__trainable=trainable))
    classes = [[int(name.removeprefix("video ")) % 3 for name in names] for names in told]
    shown = [targets["probabilities"].tolist() for _, targets in feed.training.as_numpy_iterator()]
    assert classes == shown
    assert sorted(name for names in told[: feed.steps] for name in names) == [
        f"video {item}" for item in range(5)
    ]


CAPTIONS = tuple(("a " + word,) * (1 + item % 2) for item, word in enumerate("bcdef"))


@pytest.mark.parametrize(
    ("workflow", "changes"),
    [("step", {}), ("pooling", {"backbone__trainable": True})],
    ids=["features", "frames"],
)
def test_items_of_a_batch_of_captions_are_named_once(caption_settings, workflow, changes):
    settings = caption_settings(workflow, captions=CAPTIONS, batch_size=4, **changes)
    feed, told = shown_items(settings)
    vocabulary = tasks.of(settings, {"train": settings.dataset.train}).vocabulary
    for names, (_, targets, _) in zip(told, feed.training.as_numpy_iterator(), strict=True):
        words = {vocabulary.decode(row)[-1:] for row in targets["logits"].tolist()}
        assert {"bcdef"[int(name.removeprefix("video "))] for name in names} == words
        assert len(set(names)) == len(names)


@pytest.mark.parametrize("trainable", [True, False])
def test_a_loss_that_is_no_number_ends_the_run(make_settings, run, trainable):
    settings = make_settings(backbone__trainable=trainable, optimizer=HUGE, epochs=5)
    with pytest.raises(errors.UserError, match=r"epoch \d, batch \d of .*video \d.*learning_rate"):
        session.train(settings, run)
    if run.last.exists():
        assert finite.not_finite(checkpoints.load(run.last)[0]) == []


def test_captions_end_alike(caption_settings, run):
    settings = caption_settings("step", optimizer=HUGE, epochs=5)
    with pytest.raises(errors.UserError, match=r"epoch \d, batch \d of .*video \d.*learning_rate"):
        session.train(settings, run)


def test_a_last_update_that_spoils_the_weights_leaves_the_good_checkpoint(make_settings, run):
    """One batch an epoch: the loss of the second is finite, what its update does is not."""
    first = make_settings(backbone__trainable=False, batch_size=5, epochs=1)
    session.train(first, run)
    good = run.last.read_bytes(), run.best.read_bytes(), run.history_file.read_text()
    network, state = checkpoints.load(run.last)
    network.optimizer.learning_rate.assign(math.inf)
    checkpoints.save(network, run.last, state)
    spoilt = run.last.read_bytes()
    more = make_settings(backbone__trainable=False, batch_size=5, epochs=3)
    with pytest.raises(errors.UserError, match="epoch 2, batch 1 of .*weights are no .*video"):
        session.train(more, run)
    assert (run.last.read_bytes(), run.best.read_bytes()) == (spoilt, good[1])
    assert run.history_file.read_text() == good[2]


def test_float16_steps_over_gradients_that_overflow_and_learns(make_settings, run):
    """The first scale of the loss is far too large for these frames; it falls until it fits."""
    settings = make_settings(precision="mixed_float16", epochs=3, optimizer__learning_rate=1e-3)
    try:
        session.train(settings, run)
    finally:
        keras.config.set_dtype_policy("float32")
    network, state = checkpoints.load(run.last)
    assert [math.isfinite(row["loss"]) for row in state.history] == [True] * 3
    assert finite.not_finite(network) == []
    assert 0 < int(network.optimizer.iterations.numpy()) <= 9


def test_a_frozen_cnn_whose_features_are_none_is_told_at_the_first_batch(
    make_settings, run, monkeypatch
):
    def spoilt(self, item, frames):
        return np.full((*frames.shape, self.values.shape[1]), np.nan, np.float32)

    monkeypatch.setattr(features.Features, "gather", spoilt)
    with pytest.raises(errors.UserError, match="epoch 1, batch 1 of .*video.*epoch began with"):
        session.train(make_settings(backbone__trainable=False), run)
    assert not run.last.exists()
