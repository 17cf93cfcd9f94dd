import dataclasses

import numpy as np
import pytest

from lrcn import errors
from lrcn import settings as settings_lib
from lrcn.data import clips, epochs, records
from lrcn.models import networks
from lrcn.training import assembly, feeds


def renamed(record_set, **changes):
    """The same records with other metadata."""
    metadata = dataclasses.replace(record_set.metadata, **changes)
    records.write_metadata(record_set.path, metadata)
    return records.open_records(record_set.path)


def made(settings, *, first_epoch=0):
    paths = {split: getattr(settings.dataset, split) for split in ("train", "val")}
    data = feeds.open_data({split: path for split, path in paths.items() if path})
    network = assembly.build_network(
        settings, num_classes=data.num_classes, multi_label=data.multi_label
    )
    return network, feeds.make_feed(network, settings, data, first_epoch=first_epoch)


def batches(feed):
    return list(feed.training.as_numpy_iterator())


def test_classes_are_those_of_all_splits(write_records):
    train = write_records((5, 5), name="train", classes=2)
    val = write_records((5,), name="val", classes=4, labels=[(3, 1)])
    data = feeds.open_data({"train": train.path, "val": val.path})
    assert (data.num_classes, data.multi_label) == (4, True)
    assert data.label_names == ("0", "1", "2", "3")
    alone = feeds.open_data({"train": train.path})
    assert (alone.num_classes, alone.multi_label, alone.val) == (2, False, None)


def test_names_of_the_labels_must_agree(write_records):
    names = ("left", "right", "up")
    train = renamed(write_records(name="train"), label_names=names)
    val = renamed(write_records(name="val"), label_names=("up", "left", "right"))
    with pytest.raises(errors.UserError, match="train and val have other label names.*up, left"):
        feeds.open_data({"train": train.path, "val": val.path})
    same = renamed(val, label_names=names)
    assert feeds.open_data({"train": train.path, "val": same.path}).label_names == names


@pytest.mark.parametrize("paths", [{}, {"val": "val.tfrecord"}])
def test_nothing_to_train_on_is_named_before_anything_is_opened(paths):
    with pytest.raises(errors.UserError, match="dataset.train: there is nothing to train on"):
        feeds.open_data(paths)


@pytest.mark.parametrize("trainable", [True, False])
def test_an_epoch_shows_every_clip_once(make_settings, trainable):
    settings = make_settings(backbone__trainable=trainable, epochs=3)
    network, feed = made(settings)
    assert (feed.steps, feed.clips, feed.num_frames) == (3, 5, 4)
    shown = batches(feed)
    assert [len(inputs) for inputs, _ in shown] == [2, 2, 1] * 3
    labels = np.concatenate([targets["probabilities"] for _, targets in shown])
    for epoch in np.split(labels, 3):
        assert sorted(epoch) == [0, 0, 1, 1, 2]
    for inputs, targets in shown:
        assert inputs.shape[1] == 4
        every_step = np.repeat(targets["probabilities"][:, None], 4, axis=1)
        np.testing.assert_array_equal(targets["logits"], every_step)


@pytest.mark.parametrize("trainable", [True, False])
def test_a_feed_that_starts_later_goes_on_with_the_same_clips(make_settings, trainable):
    settings = make_settings(backbone__trainable=trainable, epochs=3)
    whole, rest = (batches(made(settings, first_epoch=first)[1]) for first in (0, 2))
    for (inputs, targets), (same, same_targets) in zip(whole[6:], rest, strict=True):
        assert targets["probabilities"].tolist() == same_targets["probabilities"].tolist()
        if trainable:  # features are of two networks that were drawn anew
            np.testing.assert_array_equal(inputs, same)


def test_a_frozen_cnn_is_replaced_by_its_features(make_settings):
    network, feed = made(make_settings(backbone__trainable=False))
    assert feed.key == "features"
    own, head = feed.model.trainable_variables, network.trainable_variables
    assert [id(variable) for variable in own] == [id(variable) for variable in head]
    size = networks.backbone(network).output_shape[-1]
    assert {inputs.shape[1:] for inputs, _ in batches(feed)} == {(4, size)}
    assert {batch["features"].shape[1:] for batch in feed.validation} == {(4, size)}


@pytest.mark.parametrize(
    "changes",
    [
        {"backbone__trainable": True},
        {"backbone__trainable": 1},
        {"backbone__trainable": False, "augment__mirror": True},
        {"backbone__trainable": False, "augment__train": "random"},
        {"backbone__trainable": False, "augment__evaluate": "ten"},
    ],
    ids=str,
)
def test_features_do_not_stand_for_frames_that_change(make_settings, monkeypatch, changes):
    monkeypatch.setattr(feeds.features, "extract", None)
    network, feed = made(make_settings(**changes))
    assert feed.key == "frames" and feed.model is network
    assert {inputs.shape[1:] for inputs, _ in batches(feed)} == {(4, 16, 16, 3)}
    assert {inputs.dtype for inputs, _ in batches(feed)} == {np.dtype(np.uint8)}


@pytest.mark.parametrize("trainable", [True, False])
def test_validation_shows_every_clip_of_every_video_in_order(make_settings, trainable):
    _, feed = made(make_settings(backbone__trainable=trainable))
    shown = [(batch["item"], batch["clip"]) for batch in feed.validation.as_numpy_iterator()]
    items, numbers = (np.concatenate(column).tolist() for column in zip(*shown, strict=True))
    # 9, 6 and 5 frames in clips of 4 that overlap by half, the last one aligned: ceil(n / 2).
    assert items == [0] * 5 + [1] * 3 + [2] * 3
    assert numbers == [*range(5), *range(3), *range(3)]
    assert feed.labels.tolist() == [0, 1, 2]


def test_without_validation_there_is_none(make_settings):
    settings = make_settings()
    alone = dataclasses.replace(settings.dataset, val=None)
    _, feed = made(dataclasses.replace(settings, dataset=alone))
    assert feed.validation is None and feed.labels is None


def test_short_videos_are_named_or_repeated(make_settings):
    settings = make_settings(clipframe_mode__num_frames_per_clip=7)
    with pytest.raises(errors.UserError, match=r"video 0 \(6 frames\).*short_videos=loop"):
        made(settings)
    _, feed = made(dataclasses.replace(settings, short_videos="loop"))
    assert (feed.clips, feed.num_frames) == (5, 7)


def test_clips_to_train_on_are_the_records_own_unless_told(write_records):
    every = write_records((20, 20))
    mode = clips.ClipMode("iterative", 3, 0)
    own = write_records((6, 6), name="own.train", mode=mode, clips=[[[0, 1, 2], [3, 4, 5]]] * 2)
    given = settings_lib.ClipframeMode
    assert feeds.training_mode(given("auto"), every) == clips.ClipMode("rand_clips", 16, 1)
    assert feeds.training_mode(given("auto", 4), every) == clips.ClipMode("rand_clips", 4, 1)
    assert feeds.training_mode(given("auto"), own) is None
    asked = given("rand_frames", 5, 1)
    assert feeds.training_mode(asked, every) == clips.ClipMode("rand_frames", 5, 1)


def test_new_items_are_shown_as_those_of_the_training(make_settings, write_records):
    settings = make_settings()
    data = feeds.open_data({"train": settings.dataset.train})
    shown = feeds.shown(settings, data)
    assert shown.mode["name"] == "rand_clips" and shown.mode["num_frames_per_clip"] == 4
    assert (shown.frame_shape, shown.frame_step, shown.fps) == ((24, 32, 3), 1, None)
    images = write_records((1, 1, 1), name="images.train", kind="image")
    assert feeds.shown(settings, feeds.open_data({"train": images.path})).mode is None


def test_rare_classes_weigh_more_only_when_asked(make_settings):
    settings = make_settings()
    data = feeds.open_data({"train": settings.dataset.train})
    assert feeds.class_weights(settings, data) is None
    weights = feeds.class_weights(dataclasses.replace(settings, class_weights="balanced"), data)
    assert weights[2] == pytest.approx(2 * weights[0])  # one video of class 2, two of the others
    assert weights[0] == weights[1]


@pytest.mark.parametrize("trainable", [True, False])
def test_the_clips_of_each_split_are_worked_out_once(make_settings, monkeypatch, trainable):
    seen = []

    class Counted(epochs.Clips):
        def __init__(self, record_set, *arguments, **options):
            seen.append(record_set.path.name)
            super().__init__(record_set, *arguments, **options)

    monkeypatch.setattr(epochs, "Clips", Counted)
    made(make_settings(backbone__trainable=trainable))
    assert seen == ["train.tfrecord", "val.tfrecord"]
