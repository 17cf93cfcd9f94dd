import numpy as np
import pytest
import tensorflow as tf

from lrcn import errors
from lrcn.data import augment, clips, dataset, epochs, records

VIEW = augment.View((24, 32))
THREE = clips.ClipMode("rand_clips", 3, 2)


def training(
    record_set,
    mode=THREE,
    *,
    short_videos="error",
    multi_label=False,
    class_weights=None,
    **changes,
):
    chosen = epochs.Clips(record_set, mode, short_videos=short_videos)
    targets = dataset.Targets(record_set, 3, multi_label, class_weights)
    arguments = {"view": VIEW, "batch_size": 2, "seed": 5, "first_epoch": 0, "epochs": 1}
    return dataset.training_clips(chosen, targets=targets, **{**arguments, **changes})


def read(frames):
    """Items and frame numbers of flat frames, from the middle pixel."""
    middle = np.asarray(frames)[:, :, 12, 16].astype(float)
    return np.rint(middle[:, 0, 0] / 10).astype(int), np.rint(middle[..., 1] / 5).astype(int)


def test_an_epoch_shows_the_chosen_frames_with_their_labels(write_records):
    record_set = write_records(shards=2)
    batches, steps = training(record_set)
    rows = epochs.Clips(record_set, THREE).epoch(5, 0)
    seen = list(batches.as_numpy_iterator())
    assert steps == len(seen) == 3
    items, frames = read(np.concatenate([batch[0] for batch in seen]))
    labels = np.concatenate([batch[1] for batch in seen])
    np.testing.assert_array_equal(items, rows.item)
    np.testing.assert_array_equal(frames, rows.frames)
    np.testing.assert_array_equal(labels, rows.item % 3)
    assert seen[0][0].dtype == np.uint8
    assert seen[0][1].dtype == np.int32
    assert sorted(items) == [0, 0, 1, 1, 2, 2]


def test_epochs_differ_and_do_not_depend_on_where_one_starts(write_records):
    record_set = write_records()
    whole = list(training(record_set, epochs=4)[0].as_numpy_iterator())
    later = list(training(record_set, first_epoch=2, epochs=4)[0].as_numpy_iterator())
    assert len(whole) == 12
    for expected, batch in zip(whole[6:], later, strict=True):
        np.testing.assert_array_equal(batch[0], expected[0])
    first, second = (np.concatenate([b[0] for b in whole[i : i + 3]]) for i in (0, 3))
    assert (first != second).any()


def test_batches_do_not_straddle_epochs(write_records):
    record_set = write_records((6, 8, 7, 9, 6))
    batches, steps = training(record_set, mode=clips.ClipMode("rand_frames", 2), epochs=2)
    assert steps == 3
    assert [len(batch[1]) for batch in batches] == [2, 2, 1, 2, 2, 1]


def test_tensorflows_own_seed_and_threads_change_nothing(write_records):
    record_set = write_records()
    view = augment.View((8, 8), "random", mirror=True)
    seen = []
    for seed, threads in ((1, 1), (2, 4)):
        tf.random.set_seed(seed)
        batches, _ = training(record_set, view=view, epochs=2)
        options = tf.data.Options()
        options.threading.private_threadpool_size = threads
        seen.append([batch[0] for batch in batches.with_options(options).as_numpy_iterator()])
    for one, other in zip(*seen, strict=True):
        np.testing.assert_array_equal(one, other)


def test_one_crop_and_flip_for_all_frames_of_a_clip(write_records):
    def gradient(item, index, height, width):
        rows, columns = np.mgrid[:height, :width]
        return np.stack([4 * rows, 4 * columns, 0 * rows], -1).astype(np.uint8)

    record_set = write_records(frame=gradient)
    view = augment.View((10, 10), "random", mirror=True)
    batches, _ = training(record_set, view=view, batch_size=6)
    frames = next(batches.as_numpy_iterator())[0].astype(int)
    assert np.abs(frames - frames[:, :1]).max() <= 2
    assert len({tuple(clip[0, 0, 0]) for clip in frames}) > 1


def test_several_labels_become_multi_hot_and_classes_weigh(write_records):
    record_set = write_records(labels=[(0, 2), (1,), (2,)])
    batches, _ = training(record_set, multi_label=True, class_weights=[1.0, 2.0, 3.0], batch_size=6)
    frames, labels, weights = next(batches.as_numpy_iterator())
    items, _ = read(frames)
    hot = np.array([[1, 0, 1], [0, 1, 0], [0, 0, 1]], np.float32)
    np.testing.assert_array_equal(labels, hot[items])
    np.testing.assert_array_equal(weights, np.array([2.0, 2.0, 3.0], np.float32)[items])


def test_balanced_weights_average_to_one(write_records):
    record_set = write_records((4, 4, 4, 4), labels=[(0,), (0,), (0,), (2,)])
    weights = dataset.balanced_weights(record_set, 4)
    np.testing.assert_allclose(weights, [4 / 6, 0, 2, 0])


def test_images_are_one_frame_whatever_the_mode(write_records):
    record_set = write_records((1, 1, 1), kind="image")
    batches, steps = training(record_set)
    assert steps == 2
    assert next(batches.as_numpy_iterator())[0].shape == (2, 1, 24, 32, 3)


def test_stored_frames_come_once_each_in_order(write_records):
    record_set = write_records(shards=2)
    batches = dataset.stored_frames(record_set, [1, 2], view=VIEW, batch_size=4)
    frames = np.concatenate(list(batches.as_numpy_iterator()))
    items, numbers = read(frames[:, None])
    np.testing.assert_array_equal(items, [1] * 8 + [2] * 7)
    np.testing.assert_array_equal(numbers[:, 0], [*range(8), *range(7)])


def test_the_frames_that_are_wanted_come_alone(write_records):
    record_set = write_records(shards=2)
    wanted = [np.array([1, 4]), np.array([], np.int64), np.array([0])]
    batches = dataset.stored_frames(record_set, [2, 1, 0], wanted, view=VIEW, batch_size=2)
    seen = [read(frames[:, None]) for frames in batches.as_numpy_iterator()]
    assert [items.tolist() for items, _ in seen] == [[2, 2], [0]]
    assert [numbers[:, 0].tolist() for _, numbers in seen] == [[1, 4], [0]]


@pytest.mark.parametrize("crop", ["centre", "ten"])
def test_jpegs_are_decoded_as_stored_frames_are(write_records, crop):
    record_set = write_records((4,))
    view = augment.View((8, 8), crop)
    batches = dataset.stored_frames(record_set, [0], view=view, batch_size=30)
    stored = np.concatenate(list(batches.as_numpy_iterator()))
    (text,) = record_set.serialized().as_numpy_iterator()
    jpegs = records.parse_example(text)["frames"].numpy().tolist()
    decode = dataset.decoder(view)
    np.testing.assert_array_equal(np.concatenate([decode(jpegs[:1]), decode(jpegs[1:])]), stored)
    assert len(stored) == 4 * (10 if crop == "ten" else 1)


def test_stored_clips_are_shown_as_they_are(write_records):
    tables = [np.array([[0, 2, 4]]), np.array([[1, 1, 3], [2, 4, 6]]), np.array([[0, 1, 2]])]
    record_set = write_records(clips=tables, mode=THREE)
    rows = epochs.Clips(record_set, None).every()
    np.testing.assert_array_equal(rows.item, [0, 1, 1, 2])
    np.testing.assert_array_equal(rows.frames, np.concatenate(tables))
    again, steps = training(record_set, mode=None)
    assert steps == 2
    assert sorted(read(np.concatenate([b[0] for b in again.as_numpy_iterator()]))[0]) == [
        0,
        1,
        1,
        2,
    ]
    training(record_set, mode=THREE)


def test_another_mode_for_stored_clips_names_both(write_records):
    record_set = write_records(clips=[np.array([[0, 1, 2]])] * 3, mode=THREE)
    with pytest.raises(errors.UserError, match=r"iterative\(.*=4.*tail=drop\).*rand_clips\(.*=3"):
        training(record_set, mode=clips.ClipMode("iterative", 4, 0))


def test_every_short_video_is_named_and_may_loop_or_be_skipped(write_records):
    record_set = write_records((2, 8, 3))
    mode = clips.ClipMode("rand_clips", 5, 1)
    with pytest.raises(errors.UserError, match=r"video 0 \(2 frames\), video 2 \(3.*loop"):
        training(record_set, mode=mode)
    looped, _ = training(record_set, mode=mode, short_videos="loop", batch_size=3)
    items, frames = read(next(looped.as_numpy_iterator())[0])
    np.testing.assert_array_equal(frames[items == 0], [[0, 1, 0, 1, 0]])
    kept = epochs.Clips(record_set, mode, short_videos="skip").every()
    assert kept.item.tolist() == [1]


def test_records_of_every_frame_need_a_mode(write_records):
    with pytest.raises(errors.UserError, match="clipframe_mode.*every frame"):
        training(write_records(), mode=None)


@pytest.mark.parametrize(
    ("labels", "message"),
    [
        ([(0,), (), (1,)], "video 1.*labels .*one label"),
        ([(0,), (1,), (3,)], "video 2.*0 to 2, the model has 3 classes"),
        ([(0,), (1, 2), (1,)], "video 1.*one label"),
    ],
)
def test_labels_that_cannot_be_trained_on_are_named(write_records, labels, message):
    with pytest.raises(errors.UserError, match=message):
        training(write_records(labels=labels, classes=4))


def test_ten_crops_are_refused_in_training(write_records):
    with pytest.raises(errors.UserError, match="augment.train"):
        training(write_records(), view=augment.View((8, 8), "ten"))


def test_a_flipped_byte_is_met_before_training(write_records):
    record_set = write_records()
    content = bytearray(record_set.shards[0].read_bytes())
    content[len(content) // 2] ^= 1
    record_set.shards[0].write_bytes(content)
    with pytest.raises(errors.UserError, match=r"data\.train\.tfrecord.*video 1"):
        training(record_set)


def test_waiting_counts_the_consumers_time_only():
    counter = tf.Variable(0.0, dtype=tf.float64)
    slow = tf.data.Dataset.range(3).map(
        lambda i: tf.numpy_function(lambda x: __import__("time").sleep(0.05) or x, [i], tf.int64)
    )
    assert [int(value) for value in dataset.waiting(slow, counter)] == [0, 1, 2]
    assert 0.15 <= float(counter) < 2.0


def test_of_many_short_videos_the_first_are_named(write_records):
    with pytest.raises(errors.UserError) as caught:
        training(write_records((2,) * 8), mode=THREE)
    told = str(caught.value)
    assert "video 0 (2 frames), " in told
    assert "video 4 (2 frames) and 3 more. Expected" in told
    assert "video 5" not in told


def test_modes_that_nobody_asked_for(write_records):
    every = write_records()
    assert epochs.training_mode(every) == clips.ClipMode("rand_clips", 16, 1)
    assert epochs.training_mode(every, num_frames=8).num_frames_per_clip == 8
    asked = epochs.training_mode(every, "iterative", num_frames=4, offset_or_num=0, tail="drop")
    assert asked == clips.ClipMode("iterative", 4, 0)
    assert epochs.evaluation_mode(every, THREE) == clips.ClipMode("iterative", 3, -1, "align")
    assert epochs.evaluation_mode(every, asked) == asked
    own = write_records(clips=[np.array([[0, 1, 2]])] * 3, mode=THREE, name="data.clips")
    assert epochs.training_mode(own) is None
    assert epochs.evaluation_mode(own, None) is None
    with pytest.raises(errors.UserError, match="another mode"):
        training(own, mode=epochs.training_mode(own, num_frames=2))


def test_nothing_is_tuned_in_a_thread_that_an_end_would_wait_for(write_records):
    record_set = write_records()
    batches, _ = training(record_set)
    of_frames = dataset.stored_frames(record_set, range(3), view=VIEW, batch_size=2)
    counter = tf.Variable(0.0, dtype=tf.float64)
    fitted = dataset.waiting(batches.map(lambda *parts: parts), counter)
    for made in (record_set.serialized(), batches, of_frames, fitted):
        assert made.options().autotune.enabled is False
    assert fitted.options().threading.private_threadpool_size is not None
