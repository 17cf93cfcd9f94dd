import dataclasses

import numpy as np
import pytest
import tensorflow as tf

from lrcn import errors
from lrcn.data import dataset, records
from lrcn.training import recognition, session


def renamed(record_set, **changes):
    """The same records with other metadata."""
    metadata = dataclasses.replace(record_set.metadata, **changes)
    records.write_metadata(record_set.path, metadata)
    return records.open_records(record_set.path)


def test_classes_are_those_of_all_splits(make_settings, write_records):
    train = write_records((5, 5), name="train", classes=2)
    val = write_records((5,), name="val", classes=4, labels=[(3, 1)])
    task = recognition.Recognition(make_settings(), {"train": train.path, "val": val.path})
    assert (task.num_classes, task.multi_label) == (4, True)
    assert task.label_names == ("0", "1", "2", "3")
    alone = recognition.Recognition(make_settings(), {"train": train.path})
    assert (alone.num_classes, alone.multi_label, alone.data.val) == (2, False, None)


def test_names_of_the_labels_must_agree(make_settings, write_records):
    names = ("left", "right", "up")
    train = renamed(write_records(name="train"), label_names=names)
    val = renamed(write_records(name="val"), label_names=("up", "left", "right"))
    with pytest.raises(errors.UserError, match="train and val have other label names.*up, left"):
        recognition.Recognition(make_settings(), {"train": train.path, "val": val.path})
    same = renamed(val, label_names=names)
    task = recognition.Recognition(make_settings(), {"train": train.path, "val": same.path})
    assert task.label_names == names


def test_labels_of_the_validation_videos_are_in_order(make_settings):
    settings = make_settings()
    paths = {"train": settings.dataset.train, "val": settings.dataset.val}
    assert recognition.Recognition(settings, paths).val_labels().tolist() == [0, 1, 2]


def test_rare_classes_weigh_more_only_when_asked(make_settings):
    settings = make_settings()
    paths = {"train": settings.dataset.train}
    assert recognition.Recognition(settings, paths).class_weights() is None
    balanced = dataclasses.replace(settings, class_weights="balanced")
    weights = recognition.Recognition(balanced, paths).class_weights()
    assert weights[2] == pytest.approx(2 * weights[0])  # one video of class 2, two of the others
    assert weights[0] == weights[1]


@pytest.mark.parametrize("loss", ["every_step", "pooled"])
def test_balanced_weights_reach_the_loss(make_settings, loss):
    settings = make_settings(
        backbone__trainable=False, class_weights="balanced", workflow__loss=loss
    )
    session.prepare(settings)
    path = settings.dataset.train
    task = recognition.Recognition(settings, {"train": path})
    feed = task.feed(task.build(), first_epoch=0)
    inputs, labels, weights = next(iter(feed.training))
    expected = np.array(dataset.balanced_weights(records.open_records(path), 3), np.float32)
    np.testing.assert_allclose(weights["probabilities"], expected[labels["probabilities"]])
    assert weights["logits"].shape == labels["logits"].shape == (2, 4)
    task.compile(feed.model, "sgd")
    zero = {key: tf.zeros_like(value) for key, value in weights.items()}
    assert feed.model.test_on_batch(inputs, labels, zero, return_dict=True)["loss"] == 0
