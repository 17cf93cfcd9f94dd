import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lrcn.data import augment, epochs
from lrcn.data import clips as clips_lib
from lrcn.scoring import clips


class Middle:
    """A CNN whose features are the middle pixel, which tells item and frame."""

    def __init__(self):
        self.seen = []

    def __call__(self, frames):
        self.seen.append(len(frames))
        return frames[:, frames.shape[1] // 2, frames.shape[2] // 2].astype(np.float32)


def test_records_show_every_clip_in_order(write_records):
    record_set = write_records(shards=3)
    mode = clips_lib.ClipMode("iterative", 4, -2, "align")
    cnn = Middle()
    batches = clips.of_records(
        epochs.Clips(record_set, mode), cnn, view=augment.View((24, 32)), batch_size=4
    )
    seen = list(batches)
    tables = [clips_lib.choose(mode, count, None) for count in (6, 8, 7)]
    features = np.concatenate([batch["features"] for batch in seen])
    items = np.concatenate([batch["item"] for batch in seen])
    np.testing.assert_array_equal(np.rint(features[..., 1] / 5), np.concatenate(tables))
    np.testing.assert_array_equal(np.rint(features[:, 0, 0] / 10), items)
    numbers = np.concatenate([batch["clip"] for batch in seen])
    np.testing.assert_array_equal(numbers, np.concatenate([range(len(t)) for t in tables]))
    assert [len(batch["item"]) for batch in seen] == [4, 4, len(items) - 8]
    assert cnn.seen == [16, 5]  # 6 + 8 + 7 frames, as many at once as a batch of clips has


def test_a_pass_over_records_can_be_repeated(write_records):
    chosen = epochs.Clips(write_records(), clips_lib.ClipMode("rand_frames", 3))
    batches = clips.of_records(chosen, Middle(), view=augment.View((24, 32)), batch_size=2)
    for one, other in zip(batches, batches, strict=True):
        np.testing.assert_array_equal(one["features"], other["features"])


def test_ten_crops_share_item_and_clip(write_records):
    chosen = epochs.Clips(write_records((4, 4)), clips_lib.ClipMode("iterative", 4, 0))
    view = augment.View((8, 8), "ten")
    seen = list(clips.of_records(chosen, Middle(), view=view, batch_size=7))
    assert [len(batch["item"]) for batch in seen] == [7, 7, 6]
    items = np.concatenate([batch["item"] for batch in seen])
    np.testing.assert_array_equal(items, np.repeat([0, 1], 10))
    assert seen[0]["features"].shape == (7, 4, 3)


def test_short_videos_may_be_left_out(write_records):
    mode = clips_lib.ClipMode("rand_clips", 5, 1)
    chosen = epochs.Clips(write_records((2, 8, 3)), mode, short_videos="skip")
    batches = clips.of_records(chosen, Middle(), view=augment.View((24, 32)), batch_size=3)
    assert [batch["item"].tolist() for batch in batches] == [[1]]


def frames_of(shown, size):
    """Batches of `size` frames [frames, 2]: item and frame, with the crop in the fraction."""
    rows = [
        [item, frame + crop / 16]
        for item, wanted in zip(shown.items, shown.wanted, strict=True)
        for frame in wanted
        for crop in range(shown.crops)
    ]
    rows = np.array(rows, np.float32).reshape(-1, 2)
    return [rows[start : start + size] for start in range(0, len(rows), size)]


@st.composite
def shown(draw):
    tables = [
        draw(st.lists(st.lists(st.integers(0, 30), min_size=3, max_size=3), min_size=0, max_size=9))
        for _ in range(draw(st.integers(1, 4)))
    ]
    return clips.Shown(
        [np.array(table, np.int64).reshape(-1, 3) for table in tables],
        items=range(5, 5 + len(tables)),
        crops=draw(st.sampled_from([1, 2, 10])),
    )


@given(shown(), st.integers(1, 7), st.integers(1, 12))
def test_every_clip_is_shown_by_the_frames_of_its_table(shown, size, at_once):
    seen = []

    def forward(frames):
        seen.extend(map(tuple, frames))
        return 2 * frames

    batches = clips.Batches(frames_of(shown, at_once), forward, shown, size)
    found = list(batches)
    assert len(found) == len(batches)
    assert [len(batch["item"]) for batch in found[:-1]] == [size] * (len(found) - 1)
    assert len(seen) == len(set(seen)) == sum(map(len, frames_of(shown, 1)))  # once
    rows = [
        (item, clip, [[2 * item, 2 * (frame + crop / 16)] for frame in table])
        for item, own in zip(shown.items, shown.tables, strict=True)
        for clip, table in enumerate(own)
        for crop in range(shown.crops)
    ]
    assert sum(len(batch["item"]) for batch in found) == len(rows) == shown.clips
    flat = [
        (int(item), int(clip), features.tolist())
        for batch in found
        for item, clip, features in zip(
            batch["item"], batch["clip"], batch["features"], strict=True
        )
    ]
    assert flat == rows


def test_few_features_of_a_long_video_are_held(monkeypatch):
    table = np.arange(0, 10_000, 2)[:, None] + np.arange(4)
    shown = clips.Shown([table])
    held, concatenate = [], np.concatenate

    def watched(parts):
        joined = concatenate(parts)
        held.append(len(joined))
        return joined

    monkeypatch.setattr(clips.np, "concatenate", watched)
    batches = clips.Batches(frames_of(shown, 16), lambda frames: frames, shown, 8)
    assert sum(len(batch["item"]) for batch in batches) == 5000
    assert 10 < max(held) < 50


def test_half_precision_becomes_single():
    shown = clips.Shown([np.array([[0, 1]])])
    batches = clips.Batches(frames_of(shown, 2), lambda f: f.astype(np.float16), shown, 4)
    (batch,) = batches
    assert batch["features"].dtype == np.float32


def test_streams_are_cut_anew():
    parts = [np.arange(3), np.arange(3, 4), np.arange(4, 9)]
    cut = list(clips.regrouped(parts, [2, 0, 5, 2]))
    assert [part.tolist() for part in cut] == [[0, 1], [], [2, 3, 4, 5, 6], [7, 8]]


def test_a_stream_that_ends_too_soon_is_no_shorter_result():
    with pytest.raises(RuntimeError):
        list(clips.regrouped([np.arange(3)], [2, 2]))
