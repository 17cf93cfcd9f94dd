import numpy as np
import pytest

from lrcn.data import motions

FRAMES = 16
STARTS = 1500


@pytest.fixture(scope="module")
def tracks():
    """Tracks of every motion from starts of its own, [motion, start, frame, (x, y, size)]."""
    rng = np.random.default_rng(3)
    return np.stack(
        [
            [
                motions.track(motion, motions.draw_start(rng), num_frames=FRAMES)
                for _ in range(STARTS)
            ]
            for motion in motions.MOTIONS
        ]
    )


def distance_of_distributions(first, second):
    """Kolmogorov-Smirnov statistic of two samples."""
    values = np.sort(np.concatenate([first, second]))
    shares = [
        np.searchsorted(np.sort(sample), values, side="right") / len(sample)
        for sample in (first, second)
    ]
    return np.abs(shares[0] - shares[1]).max()


@pytest.mark.parametrize("frame", [0, 7, FRAMES - 1])
def test_each_motion_has_the_same_places_and_sizes_at_each_frame(tracks, frame):
    x, y, size = np.moveaxis(tracks[:, :, frame], -1, 0)
    seen = {
        "x": x,
        "y": y,
        "size": size,
        "radius": np.hypot(x, y),
        "diagonal": x + y,
        "product": x * y,
    }
    limit = 1.95 * np.sqrt(2 / STARTS) * 1.25
    for name, values in seen.items():
        for motion, sample in zip(motions.MOTIONS, values, strict=True):
            rest = values[motions.MOTIONS.index(motion) - 1]
            assert distance_of_distributions(sample, rest) < limit, (name, motion)


def test_shapes_stay_in_the_disc_and_sizes_in_their_range(tracks):
    assert np.hypot(tracks[..., 0], tracks[..., 1]).max() <= 1 + 1e-9
    assert tracks[..., 2].min() >= 0 and tracks[..., 2].max() < 1


def test_the_nearest_single_frames_do_not_tell_the_class(tracks):
    """A nearest-neighbour probe on the exact state of single frames is at chance."""
    states = tracks[:, :, ::5].reshape(len(motions.MOTIONS), -1, 3)
    half = STARTS // 2 * len(range(0, FRAMES, 5))
    known = states[:, :half:4].reshape(-1, 3)
    labels = np.repeat(np.arange(len(motions.MOTIONS)), len(states[0, :half:4]))
    asked = states[:, half::8]
    nearest = [
        labels[np.argmin(((known - state) ** 2).sum(axis=1))] for state in asked.reshape(-1, 3)
    ]
    truth = np.repeat(np.arange(len(motions.MOTIONS)), asked.shape[1])
    assert abs(np.mean(np.array(nearest) == truth) - 1 / 8) < 0.025


@pytest.mark.parametrize(
    ("motion", "axis", "sign"),
    [
        ("left", 0, -1),
        ("right", 0, 1),
        ("up", 1, -1),
        ("down", 1, 1),
        ("grow", 2, 1),
        ("shrink", 2, -1),
    ],
)
def test_a_motion_changes_its_own_coordinate_in_its_own_direction(tracks, motion, axis, sign):
    steps = np.diff(tracks[motions.MOTIONS.index(motion)], axis=1)
    others = [other for other in range(3) if other != axis]
    assert np.abs(steps[..., others]).max() == 0
    assert np.median(np.sign(steps[..., axis]), axis=1).mean() * sign > 0.97


@pytest.mark.parametrize(("motion", "sign"), [("clockwise", 1), ("counter-clockwise", -1)])
def test_turning_keeps_the_distance_and_turns_one_way(tracks, motion, sign):
    x, y, size = np.moveaxis(tracks[motions.MOTIONS.index(motion)], -1, 0)
    radius = np.hypot(x, y)
    np.testing.assert_allclose(radius, np.repeat(radius[:, :1], FRAMES, axis=1))
    # On the screen, where y goes down, a clockwise turn has a positive cross product.
    assert (sign * (x[:, :-1] * y[:, 1:] - y[:, :-1] * x[:, 1:]) > 0).all()
    assert np.ptp(size, axis=1).max() == 0


def test_a_motion_reversed_in_time_is_its_opposite():
    start = motions.Start(x=0.2, y=-0.3, size=0.4, pace=1.1)
    for motion, opposite in zip(motions.MOTIONS[::2], motions.MOTIONS[1::2], strict=True):
        there = motions.track(motion, start, num_frames=FRAMES)
        end = motions.Start(*there[-1], pace=start.pace)
        back = motions.track(opposite, end, num_frames=FRAMES)
        np.testing.assert_allclose(back[::-1], there, atol=1e-9)


def test_an_unknown_motion_is_an_error():
    with pytest.raises(KeyError):
        motions.track("sideways", motions.Start(0, 0, 0, 1), num_frames=2)
