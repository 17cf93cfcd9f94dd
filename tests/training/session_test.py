import csv
import dataclasses
import json

import keras
import numpy as np
import pytest

from lrcn import errors, runs
from lrcn import settings as settings_lib
from lrcn.data import records
from lrcn.models import activity, description, networks
from lrcn.training import assembly, checkpoints, feeds, session, tasks


@pytest.fixture
def run(tmp_path):
    return runs.RunDirectory(tmp_path / "run")


def frozen(make_settings, **changes):
    return make_settings(backbone__trainable=False, **changes)


def arrays(run):
    """Everything in `last.keras` that decides how a run goes on."""
    model, state = checkpoints.load(run.last)
    values = {f"weight {w.path}": w.numpy() for w in model.weights}
    values |= {f"optimizer {i}": v.numpy() for i, v in enumerate(model.optimizer.variables)}
    values |= {f"seed {i}": v.numpy() for i, v in enumerate(checkpoints._seed_variables(model))}
    return values, state


def assert_same(run, other):
    expected, state = arrays(run)
    values, other_state = arrays(other)
    assert values.keys() == expected.keys()
    assert any(key.startswith("seed") for key in values)
    for key, value in values.items():
        np.testing.assert_array_equal(value, expected[key], err_msg=key)
    volatile = {"seconds", "clips_per_second", "frames_per_second", "data_wait"}
    for row, other_row in zip(state.history, other_state.history, strict=True):
        assert {k: v for k, v in row.items() if k not in volatile} == {
            k: v for k, v in other_row.items() if k not in volatile
        }
    assert (state.best, state.best_epoch, state.wait) == (
        other_state.best,
        other_state.best_epoch,
        other_state.wait,
    )


@pytest.mark.parametrize("trainable", [True, False])
def test_a_training_leaves_what_it_promises(make_settings, run, trainable):
    settings = make_settings(backbone__trainable=trainable, callbacks__tensorboard=True)
    metrics = session.train(settings, run)
    assert set(metrics) == {
        *("video_accuracy", "video_top5", "clip_accuracy", "loss", "videos", "epoch"),
    }
    assert metrics["videos"] == 3
    assert run.read_metrics() == metrics
    assert run.read_labels() == ("0", "1", "2")
    rows = list(csv.DictReader(run.history_file.read_text().splitlines()))
    assert [row["epoch"] for row in rows] == ["1", "2"]
    assert {"loss", "accuracy", "val_loss", "val_video_accuracy", "learning_rate"} <= set(rows[0])
    assert all(0 <= float(row["data_wait"]) <= 1 for row in rows)
    assert list(run.tensorboard.iterdir())
    assert json.loads(run.state_file.read_text())["epoch"] == 2
    model = keras.models.load_model(run.best)
    outputs = model.predict(np.zeros((1, 4, 16, 16, 3), np.uint8), verbose=0)
    assert outputs["probabilities"].shape == (1, 3)


@pytest.mark.parametrize("trainable", [True, False])
def test_going_on_equals_never_having_stopped(make_settings, tmp_path, trainable):
    settings = make_settings(backbone__trainable=trainable, augment__mirror=trainable, epochs=4)
    straight, halved = runs.RunDirectory(tmp_path / "a"), runs.RunDirectory(tmp_path / "b")
    session.train(settings, straight)
    session.train(dataclasses.replace(settings, epochs=1), halved)
    session.train(dataclasses.replace(settings, epochs=3), halved)
    session.train(settings, halved)
    assert_same(straight, halved)


def test_resume_goes_on_from_another_run(make_settings, tmp_path):
    first, second = runs.RunDirectory(tmp_path / "a"), runs.RunDirectory(tmp_path / "b")
    session.train(frozen(make_settings, epochs=1), first)
    session.train(frozen(make_settings, epochs=2, resume=str(first.path)), second)
    _, state = checkpoints.load(second.last)
    assert [row["epoch"] for row in state.history] == [1, 2]
    with pytest.raises(errors.UserError, match="resume.*no checkpoint"):
        missing = runs.RunDirectory(tmp_path / "c")
        session.train(frozen(make_settings, resume=str(tmp_path / "none")), missing)


def test_init_copies_weights_only(make_settings, tmp_path, caplog):
    first, second = runs.RunDirectory(tmp_path / "a"), runs.RunDirectory(tmp_path / "b")
    session.train(make_settings(epochs=1), first)
    settings = make_settings(init=str(first.path), workflow__units=7)
    network = tasks.of(settings, {"train": settings.dataset.train}).build()
    copied = assembly.start_from(network, settings.init)
    source = keras.models.load_model(first.best)
    np.testing.assert_array_equal(
        networks.backbone(network).weights[0].numpy(), networks.backbone(source).weights[0].numpy()
    )
    assert any("conv1" in path for path in copied)
    assert not any("lstm1" in path for path in copied)
    caplog.set_level("INFO")
    session.train(settings, second)
    assert "new: lstm1/lstm_cell/kernel" in caplog.text
    assert checkpoints.load(second.last)[1].epoch == 2


def test_features_train_the_head_as_frames_do(make_settings, tmp_path, monkeypatch):
    settings = frozen(make_settings, epochs=2, workflow__dropout_in=0.0, workflow__dropout_out=0.0)
    quick, slow = runs.RunDirectory(tmp_path / "a"), runs.RunDirectory(tmp_path / "b")
    session.train(settings, quick)
    monkeypatch.setattr(feeds.features, "serves", lambda *_: False)
    session.train(settings, slow)
    expected, values = arrays(slow)[0], arrays(quick)[0]
    for key in expected:
        np.testing.assert_allclose(values[key], expected[key], rtol=1e-3, atol=1e-5, err_msg=key)


def test_the_second_run_computes_no_features(make_settings, tmp_path, monkeypatch):
    session.train(frozen(make_settings), runs.RunDirectory(tmp_path / "a"))
    monkeypatch.setattr(feeds.features, "_compute", None)
    changed = frozen(make_settings, workflow__units=5, epochs=1)
    session.train(changed, runs.RunDirectory(tmp_path / "b"))


def test_early_stopping_is_remembered(make_settings, run, caplog):
    settings = frozen(make_settings, epochs=9, callbacks__patience=2, optimizer__learning_rate=1e-9)
    settings = dataclasses.replace(
        settings, callbacks=dataclasses.replace(settings.callbacks, min_delta=0.5, monitor="loss")
    )
    session.train(settings, run)
    assert checkpoints.load(run.last)[1].epoch == 3
    caplog.set_level("INFO")
    session.train(settings, run)
    assert "stopped at epoch 3" in caplog.text
    assert checkpoints.load(run.last)[1].epoch == 3


def test_other_classes_are_refused_and_the_run_keeps_its_own(make_settings, write_records, run):
    session.train(frozen(make_settings, epochs=1), run)
    labels, config = run.read_labels(), run.config_file.read_text()
    four = write_records((5, 5, 5, 5), name="four.train", classes=4)
    other = settings_lib.Records("records", str(four.path), None, None)
    with pytest.raises(errors.UserError, match="0, 1, 2, 3.*Expected: 0, 1, 2. .*init="):
        session.train(frozen(make_settings, dataset=other), run)
    assert run.read_labels() == labels
    assert run.config_file.read_text() == config


def test_other_videos_of_the_same_classes_are_refused(make_settings, write_records, run):
    session.train(frozen(make_settings, epochs=1), run)
    others = write_records((9, 9, 9), name="others.train")
    other = dataclasses.replace(make_settings().dataset, train=str(others.path))
    with pytest.raises(errors.UserError, match=r"dataset\.train: .*other records.*others.*init="):
        session.train(frozen(make_settings, epochs=2, dataset=other), run)
    alone = dataclasses.replace(make_settings().dataset, val=None)
    with pytest.raises(errors.UserError, match=r"dataset\.val: .*Received: none"):
        session.train(frozen(make_settings, epochs=2, dataset=alone), run)
    assert checkpoints.load(run.last)[1].epoch == 1


def test_classes_in_another_order_are_other_classes(make_settings, write_records, run):
    def named(*names):
        record_set = write_records((5, 5, 5), name=f"{names[0]}.train")
        metadata = dataclasses.replace(record_set.metadata, label_names=names)
        records.write_metadata(record_set.path, metadata)
        return settings_lib.Records("records", str(record_set.path), None, None)

    session.train(frozen(make_settings, epochs=1, dataset=named("left", "right", "up")), run)
    assert activity.labels(keras.models.load_model(run.best)) == ("left", "right", "up")
    with pytest.raises(errors.UserError, match="right, left, up.*Expected: left, right, up"):
        session.train(frozen(make_settings, dataset=named("right", "left", "up")), run)


def test_a_longer_cosine_goes_on_falling(make_settings, run):
    cosine = {"schedule": settings_lib.Schedule("cosine", 0)}
    session.train(frozen(make_settings, epochs=1, **cosine), run)
    session.train(frozen(make_settings, epochs=4, **cosine), run)
    _, state = checkpoints.load(run.last)
    rates = [row["learning_rate"] for row in state.history]
    assert len(rates) == 4
    assert rates[0] < 1e-9  # the end of its own schedule
    assert rates[1] == pytest.approx(0.01 * 0.5, rel=1e-3)  # half way, as if it had been 4 epochs
    assert rates[1] > rates[2] > rates[3]


def test_a_metric_that_is_not_measured_cannot_be_monitored(make_settings, run):
    settings = frozen(make_settings, callbacks__monitor="video_map")
    with pytest.raises(errors.UserError, match="callbacks.monitor.*video_map.*video_accuracy"):
        session.train(settings, run)
    assert not run.last.exists()


def test_without_validation_the_last_epoch_is_the_best(make_settings, run):
    settings = frozen(make_settings)
    alone = dataclasses.replace(settings.dataset, val=None)
    assert session.train(dataclasses.replace(settings, dataset=alone), run) == {"epoch": 2}
    assert run.best.exists()


def test_nothing_to_train_on(make_settings, run):
    settings = make_settings()
    none = dataclasses.replace(settings.dataset, train=None)
    with pytest.raises(errors.UserError, match="dataset.train"):
        session.train(dataclasses.replace(settings, dataset=none), run)


@pytest.mark.parametrize("precision", ["mixed_bfloat16", "mixed_float16"])
def test_other_precisions_train_and_load(make_settings, run, precision):
    try:
        session.train(make_settings(precision=precision, epochs=1), run)
    finally:
        keras.config.set_dtype_policy("float32")
    assert checkpoints.load(run.last)[1].epoch == 1


def test_captions_train_and_are_found_again_in_other_precisions(caption_settings, run):
    try:
        written = session.train(caption_settings("pooling", precision="mixed_bfloat16"), run)
    finally:
        keras.config.set_dtype_policy("float32")
    network, state = checkpoints.load(run.last)
    assert state.epoch == written["epoch"]
    rng = np.random.default_rng(0)
    width = networks.head(network).inputs[0].shape[-1]
    words = keras.ops.convert_to_tensor(rng.integers(1, 6, (2, 4)), "int32")
    features = keras.ops.convert_to_tensor(rng.normal(size=(2, 4, width)), "float32")
    expected = networks.head(network)({"features": features, "words": words})["logits"]
    given, step = description.encoder(network)(features), description.step(network)
    for place in range(words.shape[1]):
        found, *given = step([words[:, place : place + 1], *given])
        np.testing.assert_allclose(found, expected[:, place], atol=1e-5)


def test_several_labels_per_video(write_records, make_settings, run):
    many = write_records((5, 6, 7), labels=[(0, 1), (1,), (2, 0)], name="many.train")
    both = settings_lib.Records("records", str(many.path), str(many.path), None)
    settings = make_settings(
        dataset=both, class_weights="balanced", callbacks__monitor="video_map", epochs=1
    )
    assert 0 <= session.train(settings, run)["video_map"] <= 1


@pytest.mark.parametrize(
    ("workflow", "changes"),
    [
        ("step", {}),  # on features
        ("pooling", {"backbone__trainable": True, "augment__mirror": True}),  # on frames
        ("encdec", {"search": settings_lib.Sample("sample", 3, 1.0, None)}),
    ],
    ids=["features", "frames", "drawn captions"],
)
def test_captions_that_go_on_equal_those_that_never_stopped(
    caption_settings, tmp_path, workflow, changes
):
    settings = caption_settings(workflow, epochs=4, **changes)
    straight, halved = runs.RunDirectory(tmp_path / "a"), runs.RunDirectory(tmp_path / "b")
    metrics = session.train(settings, straight)
    session.train(dataclasses.replace(settings, epochs=2), halved)
    session.train(settings, halved)
    assert_same(straight, halved)
    assert halved.read_metrics() == metrics
