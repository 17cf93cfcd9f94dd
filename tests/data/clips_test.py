import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lrcn import errors
from lrcn.data import clips, lines


@pytest.mark.parametrize(
    ("n", "starts"),
    [
        (16, [0, 0]),
        (17, [0, 1, 1]),
        (24, [0, 8, 8]),
        (25, [0, 8, 9, 9]),
        (29, [0, 8, 13, 13]),
        (100, [*range(0, 81, 8), 84, 84]),
    ],
)
def test_starts_of_the_papers_protocol(n, starts):
    chosen = clips.choose(clips.evaluation_mode(16), n, None)
    assert chosen[:, 0].tolist() == starts
    assert (np.diff(chosen, axis=1) == 1).all()


@given(n=st.integers(16, 400))
@settings(deadline=None, max_examples=30)
def test_protocol_has_a_clip_for_every_eight_frames_and_sees_every_frame(n):
    chosen = clips.choose(clips.evaluation_mode(16), n, None)
    assert chosen.shape == (-(-n // 8), 16)
    assert set(chosen.ravel().tolist()) == set(range(n))


@given(n=st.integers(1, 60), frames=st.integers(1, 20), gap=st.integers(-19, 12))
@settings(deadline=None, max_examples=60)
def test_iterative_drop_is_align_without_overrun(n, frames, gap):
    if frames + gap < 1 or n < frames:
        return
    dropped = clips.iterative(n, num_frames=frames, offset=gap, tail="drop")
    aligned = clips.iterative(n, num_frames=frames, offset=gap, tail="align")
    assert dropped[:, 0].tolist() == list(range(0, n - frames + 1, frames + gap))
    assert (aligned[: len(dropped)] == dropped).all()
    assert (aligned[len(dropped) :, 0] == n - frames).all()
    assert len(aligned) == len(range(0, n, frames + gap))


def test_gap_between_clips():
    chosen = clips.iterative(15, num_frames=3, offset=1)
    assert chosen.tolist() == [[0, 1, 2], [4, 5, 6], [8, 9, 10], [12, 13, 14]]


@given(n=st.integers(1, 50), frames=st.integers(1, 50), seed=st.integers(0, 99))
@settings(deadline=None, max_examples=60)
def test_rand_frames_are_distinct_and_in_order(n, frames, seed):
    if n < frames:
        return
    chosen = clips.rand_frames(n, np.random.default_rng(seed), num_frames=frames)
    assert chosen.shape == (1, frames) and chosen.dtype == np.int64
    assert (np.diff(chosen[0]) > 0).all() and chosen[0, 0] >= 0 and chosen[0, -1] < n


@given(
    n=st.integers(1, 40),
    frames=st.integers(1, 40),
    count=st.integers(1, 30),
    seed=st.integers(0, 9),
)
@settings(deadline=None, max_examples=60)
def test_rand_clips_are_distinct_while_there_are_enough(n, frames, count, seed):
    if n < frames:
        return
    rng = np.random.default_rng(seed)
    chosen = clips.rand_clips(n, rng, num_frames=frames, num_clips=count)
    assert chosen.shape == (count, frames)
    assert (np.diff(chosen, axis=1) == 1).all() and chosen.min() >= 0 and chosen.max() < n
    assert len(set(chosen[:, 0].tolist())) == min(count, n - frames + 1)


def test_every_start_is_drawn_about_equally_often():
    mode = clips.ClipMode("rand_clips", 4, 1)
    drawn = [clips.choose(mode, 8, np.random.default_rng(i))[0, 0] for i in range(500)]
    assert np.bincount(drawn, minlength=5).min() > 60


@pytest.mark.parametrize("name", clips.NAMES)
def test_a_seed_gives_the_same_clips(name):
    mode = clips.ClipMode(name, 4, 2)
    one, two = (clips.choose(mode, 30, np.random.default_rng([1, 2])) for _ in range(2))
    assert (one == two).all()


@pytest.mark.parametrize(
    ("mode", "count"),
    [
        (clips.ClipMode("rand_frames", 5), 1),
        (clips.ClipMode("rand_clips", 5, 3), 3),
        (clips.ClipMode("iterative", 5, 0), 1),
        (clips.ClipMode("iterative", 5, -3, "align"), 3),
    ],
)
def test_short_videos_loop(mode, count):
    chosen = clips.choose(mode, 3, np.random.default_rng(0), short_videos="loop")
    assert chosen.tolist() == [[0, 1, 2, 0, 1]] * count


@pytest.mark.parametrize("policy", ["error", "skip"])
def test_short_videos_are_told(policy):
    with pytest.raises(clips.ShortVideo, match="Received: 3 frames. Expected: at least 16 frames"):
        clips.choose(clips.ClipMode("iterative"), 3, None, short_videos=policy)


def test_no_frame_at_all_cannot_loop():
    with pytest.raises(clips.ShortVideo, match="0 frames"):
        clips.choose(clips.ClipMode("iterative"), 0, None, short_videos="loop")


@pytest.mark.parametrize(
    ("values", "key"),
    [
        (("random",), "clipframe_mode"),
        (("rand_clips", 0), "num_frames_per_clip"),
        (("rand_clips", 2.0), "num_frames_per_clip"),
        (("rand_clips", True), "num_frames_per_clip"),
        (("rand_clips", 16, 0), "clip_offset_or_num"),
        (("iterative", 16, -16), "clip_offset_or_num"),
        (("iterative", 16, 0, "pad"), "clipframe_mode.tail"),
    ],
)
def test_bad_modes_name_the_key(values, key):
    with pytest.raises(errors.UserError, match=key):
        clips.ClipMode(*values)


def test_any_overlap_short_of_the_whole_clip_is_allowed():
    mode = clips.ClipMode("iterative", 16, -15)
    assert clips.choose(mode, 18, None)[:, 0].tolist() == [0, 1, 2]


def test_unknown_policy_for_short_videos():
    with pytest.raises(errors.UserError, match="short_videos.*repeat"):
        clips.choose(clips.ClipMode("iterative"), 20, None, short_videos="repeat")


@given(
    n=st.integers(0, 60),
    frames=st.integers(1, 30),
    number=st.integers(-29, 30),
    name=st.sampled_from(["rand_frames", "rand_clips", "iterative"]),
    tail=st.sampled_from(["drop", "align"]),
    short_videos=st.sampled_from(clips.SHORT_VIDEOS),
    seed=st.integers(0, 9),
)
@settings(deadline=None, max_examples=300)
def test_every_mode_gives_frames_that_are_there_or_an_error(
    n, frames, number, name, tail, short_videos, seed
):
    options = {"tail": tail} if name == "iterative" else {}
    try:
        mode = clips.ClipMode(name, frames, number, **options)
        rng = np.random.default_rng(seed)
        chosen = clips.choose(mode, n, rng, short_videos=short_videos)
    except errors.UserError as error:
        assert lines.is_name(str(error))
        return
    assert chosen.ndim == 2 and chosen.shape[1] == frames and len(chosen)
    assert chosen.min() >= 0 and chosen.max() < n
    assert n >= frames or short_videos == "loop"
