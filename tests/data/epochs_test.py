"""Which clips an epoch shows, and as what they are to be learnt."""

import collections

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from lrcn import errors
from lrcn.data import clips, epochs

COUNTS = (6, 8, 7)
MODE = clips.ClipMode("rand_frames", 3)
PER_VIDEO = clips.ClipMode("iterative", 3, 0)


@pytest.fixture
def record_set(write_records):
    return write_records(COUNTS)


def owners(targets):
    """The item of each target, as they are counted over all items."""
    return np.repeat(np.arange(len(targets)), targets)


def test_without_targets_an_item_is_its_own(record_set):
    rows = epochs.Clips(record_set, PER_VIDEO).epoch(0, 0)
    np.testing.assert_array_equal(rows.target, rows.item)
    assert collections.Counter(rows.item.tolist()) == {0: 2, 1: 2, 2: 2}


@settings(
    max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(
    targets=st.lists(st.integers(1, 4), min_size=3, max_size=3),
    seed=st.integers(0, 9),
    epoch=st.integers(0, 9),
    mode=st.sampled_from([MODE, PER_VIDEO]),
)
def test_every_clip_is_shown_once_with_each_target_of_its_item(
    record_set, targets, seed, epoch, mode
):
    chosen = epochs.Clips(record_set, mode, targets=targets)
    rows = chosen.epoch(seed, epoch)
    np.testing.assert_array_equal(owners(targets)[rows.target], rows.item)
    pairs = list(zip(rows.item.tolist(), rows.clip.tolist(), rows.target.tolist(), strict=True))
    each = 1 if mode == MODE else 2
    assert len(set(pairs)) == len(pairs) == each * sum(targets)
    assert collections.Counter(rows.target.tolist()) == dict.fromkeys(range(sum(targets)), each)
    again = epochs.Clips(record_set, mode, targets=targets).epoch(seed, epoch)
    for name in ("item", "clip", "frames", "draw", "target"):
        np.testing.assert_array_equal(getattr(again, name), getattr(rows, name))


def test_each_epoch_has_an_order_and_frames_of_its_own(record_set):
    chosen = epochs.Clips(record_set, MODE, targets=[3, 3, 3])
    first, second = chosen.epoch(5, 0), chosen.epoch(5, 1)
    assert first.target.tolist() != second.target.tolist()
    assert sorted(first.target) == sorted(second.target)
    by_target = [rows.frames[np.argsort(rows.target)].tolist() for rows in (first, second)]
    assert by_target[0] != by_target[1]
    assert chosen.epoch(6, 0).target.tolist() != first.target.tolist()


def test_targets_change_nothing_about_the_clips_themselves(record_set):
    plain = epochs.Clips(record_set, MODE).epoch(2, 3)
    told = epochs.Clips(record_set, MODE, targets=[2, 1, 3]).epoch(2, 3)
    frames = dict(zip(plain.item.tolist(), plain.frames.tolist(), strict=True))
    assert [frames[item] for item in told.item.tolist()] == told.frames.tolist()


def test_an_evaluation_shows_a_clip_once_however_many_targets_it_has(record_set):
    chosen = epochs.Clips(record_set, PER_VIDEO, targets=[4, 1, 2])
    assert chosen.every().item.tolist() == [0, 0, 1, 1, 2, 2]


def test_items_that_are_skipped_keep_the_places_of_the_others(write_records):
    record_set = write_records((6, 2, 7))
    chosen = epochs.Clips(record_set, MODE, short_videos="skip", targets=[2, 3, 2])
    assert sorted(chosen.epoch(0, 0).target) == [0, 1, 5, 6]


def test_the_default_mode_can_be_another(write_records):
    every = write_records((20,))
    assert epochs.training_mode(every) == clips.ClipMode("rand_clips")
    assert epochs.training_mode(every, default="rand_frames") == clips.ClipMode("rand_frames")
    asked = epochs.training_mode(every, "iterative", num_frames=4, default="rand_frames")
    assert asked == clips.ClipMode("iterative", 4)
    with pytest.raises(errors.UserError, match=r"clip_offset_or_num: .*Received: 3\."):
        epochs.training_mode(every, offset_or_num=3, default="rand_frames")
    many = epochs.training_mode(every, "rand_clips", offset_or_num=3, default="rand_frames")
    assert many == clips.ClipMode("rand_clips", 16, 3)
