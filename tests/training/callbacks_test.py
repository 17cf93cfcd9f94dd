import csv
import json
import math

import keras
import numpy as np
import pytest
import tensorflow as tf

from lrcn import errors, runs
from lrcn.data import references, text
from lrcn.models import description, layers, networks, weights
from lrcn.scoring import captions, describer
from lrcn.training import callbacks, checkpoints


@pytest.fixture
def model():
    inputs = keras.Input((None, 2))
    dropped = keras.layers.Dropout(0.5, seed=7)(inputs)
    logits = keras.layers.Dense(2, name="logits")(dropped)
    probabilities = keras.layers.Activation("softmax")(logits)
    pooled = layers.TimePooling("avg", name="pooled")(probabilities)
    model = keras.Model(inputs, {"logits": logits, "probabilities": pooled})
    model.compile(optimizer="sgd", loss={"probabilities": "sparse_categorical_crossentropy"})
    return model


def keeper(model, tmp_path, **changes):
    run, state = runs.RunDirectory(tmp_path), checkpoints.State()
    arguments = {"monitor": "val_video_accuracy", **changes}
    kept = callbacks.Checkpoints(model, run, state, **arguments)
    kept.set_model(model)
    return kept, run, state


def test_better_means_higher_accuracy_then_lower_loss(model, tmp_path):
    kept, run, state = keeper(model, tmp_path)
    epochs = [(0.5, 1.0), (0.5, 0.9), (0.5, 0.95), (0.4, 0.1), (0.6, 2.0), (math.nan, 0.0)]
    best = []
    for epoch, (accuracy, loss) in enumerate(epochs):
        kept.on_epoch_end(epoch, {"val_video_accuracy": accuracy, "val_loss": loss})
        best.append(state.best_epoch)
    assert best == [1, 2, 2, 2, 5, 5]
    assert state.wait == 1
    assert state.best_metrics == {"video_accuracy": 0.6, "loss": 2.0}
    assert checkpoints.load(run.best)[1].epoch == 5
    assert checkpoints.load(run.last)[1].epoch == 6
    rows = list(csv.DictReader(run.history_file.read_text().splitlines()))
    assert [row["epoch"] for row in rows] == ["1", "2", "3", "4", "5", "6"]
    assert json.loads(run.state_file.read_text())["best_epoch"] == 5


def test_a_loss_is_better_when_smaller_by_enough_and_patience_ends(model, tmp_path):
    kept, _, state = keeper(model, tmp_path, monitor="val_loss", min_delta=0.1, patience=2)
    for epoch, loss in enumerate([1.0, 0.95, 0.92]):
        assert not callbacks.is_stopped(state, 2)
        kept.on_epoch_end(epoch, {"val_loss": loss})
    assert state.best_epoch == 1
    assert model.stop_training
    assert callbacks.is_stopped(state, 2)
    assert not callbacks.is_stopped(state, None)


def test_a_checkpoint_holds_random_generators(model, tmp_path):
    run = runs.RunDirectory(tmp_path)
    inputs = np.ones((4, 3, 2), np.float32)
    model(inputs, training=True)
    checkpoints.save(model, run.last, checkpoints.State(epoch=3, history=[{"epoch": 1}]))
    expected = [model(inputs, training=True)["logits"].numpy() for _ in range(2)]
    loaded, state = checkpoints.load(run.last)
    again = [loaded(inputs, training=True)["logits"].numpy() for _ in range(2)]
    np.testing.assert_array_equal(again, expected)
    assert (again[0] != again[1]).any()
    assert state == checkpoints.State(epoch=3, history=[{"epoch": 1}])
    assert loaded.optimizer is not None


def test_what_is_no_checkpoint_is_named(tmp_path):
    (tmp_path / "last.keras").write_bytes(b"no archive")
    for path in (tmp_path / "last.keras", tmp_path / "none.keras"):
        with pytest.raises(errors.UserError, match=f"{path.name}.*no checkpoint"):
            checkpoints.load(path)
        with pytest.raises(errors.UserError, match=f"{path.name}.*no model that can be read"):
            weights.open_model(path)


def test_a_failed_save_leaves_the_previous_checkpoint(model, tmp_path, monkeypatch):
    path = tmp_path / "last.keras"
    checkpoints.save(model, path, checkpoints.State(epoch=1))

    def broken(target):
        target.write_bytes(b"half")
        raise OSError("disk full")

    monkeypatch.setattr(model, "save", broken)
    with pytest.raises(errors.CannotWrite, match="disk full"):
        checkpoints.save(model, path, checkpoints.State(epoch=2))
    assert checkpoints.load(path)[1].epoch == 1
    assert [file.name for file in tmp_path.iterdir()] == ["last.keras"]


def test_validation_pools_crops_then_clips_to_videos(model):
    values = np.random.default_rng(0).normal(size=(6, 3, 2)).astype(np.float32)
    items, clips = [0, 0, 0, 0, 1, 1], [0, 0, 1, 1, 0, 0]
    whole = {"features": values, "item": np.array(items), "clip": np.array(clips)}
    batches = [{key: own[at : at + 4] for key, own in whole.items()} for at in (0, 4)]
    validation = callbacks.VideoValidation(model, batches, labels=np.array([0, 1]), pooling="last")
    validation.set_model(model)
    logs = {}
    validation.on_epoch_end(0, logs)
    outputs = model(values, training=False)["probabilities"].numpy().astype(float)
    crops = outputs.reshape(3, 2, 2).mean(axis=1)
    videos = crops[[1, 2]]
    expected = -np.log(videos[[0, 1], [0, 1]]).mean()
    assert logs["val_loss"] == pytest.approx(expected, rel=1e-5)
    assert logs["val_video_accuracy"] == np.mean(videos.argmax(axis=1) == [0, 1])
    assert logs["val_clip_accuracy"] == np.mean(crops.argmax(axis=1) == [0, 0, 1])
    assert logs["val_videos"] == 2


def test_throughput_counts_clips_frames_and_waiting():
    waited = tf.Variable(0.0, dtype=tf.float64)
    state = checkpoints.State(seconds=2.0)  # an epoch that was stopped after so long
    callback = callbacks.Throughput(clips=10, num_frames=4, waited=waited, state=state)
    callback.on_epoch_begin(0)
    waited.assign_add(1e-6)
    logs = {}
    callback.on_epoch_end(0, logs)
    assert logs["frames_per_second"] == pytest.approx(4 * logs["clips_per_second"], rel=0.01)
    assert 0 <= logs["data_wait"] <= 1
    assert 2 <= logs["seconds"] < 3


TOKENS = (*text.SPECIAL, "a", "dog", "cat", "runs")
CAPTIONS = (("a dog runs", "a dog"), ("a cat",), ("a bird runs a",))


def describing():
    keras.utils.set_random_seed(5)
    frames = keras.Input((4, 4, 3), dtype="uint8")
    values = keras.layers.Dense(3)(keras.layers.Flatten()(keras.layers.Rescaling(1)(frames)))
    network = description.build(
        keras.Model(frames, values, name="tiny"),
        description.Design("step", 1, 4, 4),
        vocabulary_size=len(TOKENS),
        tokens=TOKENS,
        max_length=4,
        dropout_in=0.5,
        initializer="uniform_1.5",
    )
    return networks.head(network)


def caption_validation(head, features, item, clip):
    vocabulary = text.Vocabulary(TOKENS, 4)
    given = {"features": features, "item": item, "clip": clip}
    words = references.Words(CAPTIONS, vocabulary)
    owner = np.array([0, 0, 1, 2])
    learnt = words.of(tf.range(4))

    def finish(seen, *pair):
        inputs, targets, mask = pair
        return {"features": seen, "words": inputs}, {"logits": targets}, {"logits": mask}

    pairs = tf.data.Dataset.from_tensor_slices((features[owner], *learnt)).batch(3).map(finish)
    validation = callbacks.CaptionValidation(
        head,
        tf.data.Dataset.from_tensor_slices(given).batch(3),
        pairs=pairs,
        vocabulary=vocabulary,
        references=CAPTIONS,
        training=captions.known(["A dog."]),
        find=describer.searcher("greedy", max_length=4),
    )
    validation.set_model(head)
    return validation, vocabulary


def test_validation_scores_the_likeliest_caption_of_each_item():
    head = describing()
    features = np.random.default_rng(0).normal(0, 3, (5, 2, 3)).astype(np.float32)
    item, clip = np.array([0, 0, 1, 2, 2]), np.array([0, 1, 0, 0, 1])
    validation, vocabulary = caption_validation(head, features, item, clip)
    logs = {"loss": 3.0}
    validation.on_epoch_end(0, logs)
    model = describer.Describer(head, describer.searcher("greedy", max_length=4))
    found = model.predict_on_batch(features)
    made = []
    for number in range(3):
        best = max(np.flatnonzero(item == number), key=lambda row: found["log_probability"][row])
        made.append(vocabulary.decode(found["words"][best]))
    expected = captions.summary(made, CAPTIONS, training=["a dog"], vocabulary=TOKENS[4:])
    assert {name: logs[f"val_{name}"] for name in expected} == expected
    assert set(logs) == {"loss", "val_loss", *(f"val_{name}" for name in expected)}


def test_the_loss_of_validation_is_the_mean_over_all_words_without_dropout():
    head = describing()
    features = np.random.default_rng(1).normal(0, 3, (3, 2, 3)).astype(np.float32)
    places = np.arange(3)
    validation, vocabulary = caption_validation(head, features, places, np.zeros(3, np.int64))
    losses = []
    for number, own in enumerate(CAPTIONS):
        for caption in own:
            words = vocabulary.encode(caption)
            given = {
                "features": features[number : number + 1],
                "words": np.array([[text.BEGIN, *words]], np.int32),
            }
            values = keras.ops.log_softmax(head(given, training=False)["logits"])[0].numpy()
            losses += [-values[step, word] for step, word in enumerate([*words, text.END])]
    assert len(losses) == 4 + 3 + 3 + 5
    assert validation.measure()["loss"] == pytest.approx(np.mean(losses), rel=1e-5)
    assert validation.measure()["loss"] == pytest.approx(np.mean(losses), rel=1e-5)


def test_validation_sees_what_the_network_has_learnt_since():
    head = describing()
    features = np.ones((3, 2, 3), np.float32)
    validation, vocabulary = caption_validation(head, features, np.arange(3), np.zeros(3, np.int64))
    before = validation.measure()
    bias = head.get_layer("classes").bias
    bias.assign(np.where(np.arange(len(TOKENS)) == text.END, 50.0, bias.numpy()))
    after = validation.measure()
    assert (after["mean_length"], after["vocabulary_used"]) == (0, 0)
    assert before["mean_length"] > 0
    assert after["loss"] > before["loss"]
