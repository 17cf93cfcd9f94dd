import dataclasses

import numpy as np
import pytest

from lrcn import errors
from lrcn import settings as settings_lib
from lrcn.data import clips, epochs, references
from lrcn.data.text import BEGIN, END, PADDING
from lrcn.models import networks
from lrcn.training import feeds, tasks


def made(settings, *, first_epoch=0):
    paths = {split: getattr(settings.dataset, split) for split in ("train", "val")}
    task = tasks.of(settings, {split: path for split, path in paths.items() if path})
    network = task.build()
    return network, task.feed(network, first_epoch=first_epoch)


def batches(feed):
    return list(feed.training.as_numpy_iterator())


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
    assert feed.model is network
    assert {inputs.shape[1:] for inputs, _ in batches(feed)} == {(4, 16, 16, 3)}
    assert {inputs.dtype for inputs, _ in batches(feed)} == {np.dtype(np.uint8)}


@pytest.mark.parametrize("trainable", [True, False])
def test_validation_shows_every_clip_of_every_video_in_order(make_settings, trainable):
    _, feed = made(make_settings(backbone__trainable=trainable))
    shown = [(batch["item"], batch["clip"]) for batch in feed.validation]
    items, numbers = (np.concatenate(column).tolist() for column in zip(*shown, strict=True))
    # 9, 6 and 5 frames in clips of 4 that overlap by half, the last one aligned: ceil(n / 2).
    assert items == [0] * 5 + [1] * 3 + [2] * 3
    assert numbers == [*range(5), *range(3), *range(3)]


def test_without_validation_there_is_none(make_settings):
    settings = make_settings()
    alone = dataclasses.replace(settings.dataset, val=None)
    _, feed = made(dataclasses.replace(settings, dataset=alone))
    assert feed.validation is None


def test_short_videos_are_named_or_repeated(make_settings):
    settings = make_settings(clipframe_mode__num_frames_per_clip=7)
    with pytest.raises(errors.UserError, match=r"video 0 \(6 frames\).*short_videos=loop"):
        made(settings)
    _, feed = made(dataclasses.replace(settings, short_videos="loop"))
    assert (feed.clips, feed.num_frames) == (5, 7)


@pytest.mark.parametrize("modality", ["rgb", "flow"])
def test_training_and_evaluation_see_the_modality(modality):
    seen = feeds.views(settings_lib.Augment("own", "random", "fit", True), (8, 8), modality)
    assert [view.modality for view in seen] == [modality] * 2


def test_clips_to_train_on_are_the_records_own_unless_told(write_records):
    every = write_records((20, 20))
    mode = clips.ClipMode("iterative", 3, 0)
    own = write_records((6, 6), name="own.train", mode=mode, clips=[[[0, 1, 2], [3, 4, 5]]] * 2)

    def mode_of(record_set, *given):
        mode = settings_lib.ClipframeMode(*given)
        return feeds.training_mode(mode, record_set, describes=False)

    assert mode_of(every, "auto") == clips.ClipMode("rand_clips", 16, 1)
    assert mode_of(every, "auto", 4) == clips.ClipMode("rand_clips", 4, 1)
    assert mode_of(own, "auto") is None
    assert mode_of(every, "rand_frames", 5, 1) == clips.ClipMode("rand_frames", 5, 1)


def test_new_items_are_shown_as_those_of_the_training(make_settings, write_records):
    settings = make_settings()
    data = feeds.open_data({"train": settings.dataset.train})
    shown = feeds.shown(settings, data)
    assert shown.mode["name"] == "rand_clips" and shown.mode["num_frames_per_clip"] == 4
    assert (shown.frame_shape, shown.frame_step, shown.fps) == ((24, 32, 3), 1, None)
    images = write_records((1, 1, 1), name="images.train", kind="image")
    assert feeds.shown(settings, feeds.open_data({"train": images.path})).mode is None


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


def pairs_of(task, shown):
    """The captions that batches teach, with the first frame or feature vector of their clips."""
    found = []
    for inputs, targets, mask in shown:
        (clips_shown,) = (inputs[key] for key in ("frames", "features") if key in inputs)
        for row, words in enumerate(inputs["words"]):
            length = int(mask["logits"][row].sum())
            assert words[0] == BEGIN and targets["logits"][row][length - 1] == END
            assert words[1:length].tolist() == targets["logits"][row][: length - 1].tolist()
            for values in (words, targets["logits"][row], mask["logits"][row]):
                assert not values[length:].any()
            clip = np.asarray(clips_shown[row], np.float64)
            found.append((task.vocabulary.decode(targets["logits"][row]), clip))
    return found


def captions_of(task, shown):
    return [caption for caption, _ in pairs_of(task, shown)]


def told(settings, *, first_epoch=0):
    """The task of a training that learns captions, and what it is fed."""
    splits = {split: getattr(settings.dataset, split) for split in ("train", "val")}
    task = tasks.of(settings, splits)
    return task, task.feed(task.build(), first_epoch=first_epoch)


ALL = sorted(
    [
        *("a dog runs", "the dog is running in a", "a cat sleeps", "a cat sits on a dog"),
        *("a cat", "the cat sits", "the field is green", "two dogs"),
    ]
)


@pytest.mark.parametrize(
    ("workflow", "trainable"), [("step", True), ("step", False), ("pooling", False)]
)
def test_an_epoch_shows_every_caption_once_in_an_order_of_its_own(
    caption_settings, workflow, trainable
):
    settings = caption_settings(workflow, backbone__trainable=trainable, epochs=3)
    task, feed = told(settings)
    assert (feed.steps, feed.clips) == (3, 8)
    assert feed.num_frames == (1 if workflow == "step" else 4)
    shown = batches(feed)
    assert {*shown[0][0]} == {"words", "frames" if trainable else "features"}
    assert [len(inputs["words"]) for inputs, *_ in shown] == [3, 3, 2] * 3
    orders = [captions_of(task, shown[start : start + 3]) for start in (0, 3, 6)]
    assert [sorted(order) for order in orders] == [ALL] * 3
    assert orders[0] != orders[1] != orders[2] != orders[0]
    assert captions_of(task, batches(told(settings)[1])) == sum(orders, [])
    _, rest = told(settings, first_epoch=2)
    assert captions_of(task, batches(rest)) == orders[2]


def test_clips_of_videos_are_decoded_once_for_all_their_captions(caption_settings):
    settings = caption_settings("pooling", backbone__trainable=True, epochs=2, batch_size=2)
    task, feed = told(settings)
    assert (feed.steps, feed.clips, feed.num_frames) == (3, 5, 4)
    assert set(feed.model.input) == {"frames", "words", "owner"}
    stored = references.of_records(task.data.train)
    orders = []
    for epoch in np.array_split(np.array(batches(feed), object), 2):
        found = []
        for inputs, targets, mask in epoch:
            assert sorted(set(inputs["owner"])) == list(range(len(inputs["frames"])))
            assert len(inputs["owner"]) == len(inputs["words"]) == len(mask["logits"])
            for owner, ids in zip(inputs["owner"], targets["logits"], strict=True):
                item = round(inputs["frames"][owner][..., 0].mean() / 10)
                caption = task.vocabulary.decode(ids)
                assert task.vocabulary.encode(caption) in [
                    task.vocabulary.encode(own) for own in stored[item]
                ]
                found.append(caption)
        orders.append(found)
    assert sorted(orders[0]) == sorted(orders[1]) == ALL
    assert orders[0] != orders[1]


def test_frames_and_features_teach_the_same_captions_of_the_same_images(caption_settings):
    task, quick = told(caption_settings("step"))
    same, slow = told(caption_settings("step", backbone__trainable=True))
    of_features = pairs_of(task, batches(quick))
    of_frames = pairs_of(same, batches(slow))
    assert [caption for caption, _ in of_features] == [caption for caption, _ in of_frames]
    # Red tells the item and green the frame, so equal pictures have equal features and no others.
    frames = [clip.mean(axis=(1, 2)) for _, clip in of_frames]
    for place, (_, values) in enumerate(of_features):
        for other, (_, others) in enumerate(of_features):
            alike = np.allclose(values, others, atol=1e-6)
            assert alike is np.allclose(frames[place], frames[other], atol=2), (place, other)


def test_captions_belong_to_their_items(caption_settings):
    settings = caption_settings(backbone__trainable=True)
    task, feed = told(settings)
    items = {"two dogs": 4, "the field is green": 3, "a cat sleeps": 1, "a cat": 2}
    for caption, clip in pairs_of(task, batches(feed)):
        if caption in items:
            assert clip[..., 0].mean() == pytest.approx(10 * items[caption], abs=3)


def test_batches_are_as_long_as_their_longest_caption(caption_settings):
    task, feed = told(caption_settings(batch_size=1))
    lengths = {
        task.vocabulary.decode(targets["logits"][0]): inputs["words"].shape[1]
        for inputs, targets, _ in batches(feed)
    }
    assert lengths == {caption: len(caption.split()) + 1 for caption in ALL}


def test_the_loss_of_validation_sees_every_caption_and_its_search_every_item(caption_settings):
    task, feed = told(caption_settings("pooling"))
    shown = list(feed.validation_pairs.as_numpy_iterator())
    expected = ["a dog runs", "a <unk> runs", "the cat", "a dog", "a cat", "two <unk> <unk>"]
    assert sorted(captions_of(task, shown)) == sorted(expected)
    assert all(
        not (targets["logits"][mask["logits"] == 0] != PADDING).any() for _, targets, mask in shown
    )
    items = [np.asarray(batch["item"]).tolist() for batch in feed.validation]
    assert sum(items, []) == [0, 1, 2]  # a clip of scattered frames each


def test_captions_of_videos_are_of_scattered_frames_unless_told(caption_settings):
    settings = caption_settings("pooling")
    data = feeds.open_data({"train": settings.dataset.train})
    given = settings.clipframe_mode
    assert settings.describes
    mode = feeds.training_mode(given, data.train, describes=True)
    assert mode == clips.ClipMode("rand_frames", 4)
    given = dataclasses.replace(given, name="rand_clips")
    mode = feeds.training_mode(given, data.train, describes=True)
    assert mode == clips.ClipMode("rand_clips", 4)
