import colorsys

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lrcn.data import modality
from lrcn.inference import colours


def hue(x, y, fastest=8.0):
    red, green, blue = colours.paint(np.array([x, y], float), fastest=fastest) / 255
    return colorsys.rgb_to_hsv(red, green, blue)[0]


def apart(one, other):
    """Degrees between two hues, 0 to 180."""
    turn = abs(one - other) % 1.0
    return 360 * min(turn, 1 - turn)


@pytest.mark.parametrize(
    ("moved", "degrees"), [((4, 0), 0), ((0, -4), 90), ((-4, 0), 180), ((0, 4), 270)]
)
def test_each_side_has_its_own_hue(moved, degrees):
    assert 360 * hue(*moved) % 360 == pytest.approx(degrees, abs=1)


@given(
    st.floats(0, 2 * np.pi),
    st.floats(1, 8),
)
def test_opposite_motions_have_opposite_hues(angle, speed):
    x, y = speed * np.cos(angle), speed * np.sin(angle)
    assert apart(hue(x, y), hue(-x, -y)) == pytest.approx(180, abs=3)


def test_what_stands_still_is_white_even_after_mirroring():
    still = np.full((2, 3, 3), modality.CENTRE, np.uint8)
    mirrored = np.concatenate([255 - still[..., :1], still[..., 1:]], axis=-1)
    for frame in (still, mirrored):
        painted = colours.paint(colours.motion(frame), fastest=1.0)
        np.testing.assert_array_equal(painted, 255)


def test_what_is_faster_is_stronger():
    moved = np.stack([np.linspace(0.2, 9, 20), np.zeros(20)], axis=-1)
    green = colours.paint(moved, fastest=5.0)[:, 1].astype(int)
    assert (np.diff(green) <= 0).all() and green[0] > green[5] > green[10]
    assert (green[moved[:, 0] >= 5] == 0).all()


def test_motion_is_what_was_encoded():
    flow = np.zeros((4, 5, 2), np.float32)
    flow[1, 2] = (3.0, -2.5)
    np.testing.assert_array_equal(colours.motion(modality.encode(flow)), flow)


def test_the_wheel_shows_where_things_go():
    wheel = colours.wheel(101)
    assert wheel[50, 95].tolist() == pytest.approx([255, 0, 0], abs=25)  # right: red
    assert wheel[50, 5].tolist() == pytest.approx([0, 255, 255], abs=25)  # left: cyan
    up, down = wheel[5, 50].astype(int), wheel[95, 50].astype(int)
    assert up.argmax() == 1 and up[2] < 30
    assert down.argmax() == 2 and down[1] < 30
    assert (wheel[50, 50] == 255).all() and (wheel[0, 0] == 255).all()


def test_the_mean_motion_is_that_of_what_moves():
    moved = np.zeros((10, 10, 2), np.float32)
    moved[:2, :5] = (-3, 1)
    moved[5:] = 0.2  # too slow to be more than noise
    assert colours.mean_motion(moved) == pytest.approx((-3, 1))
    assert colours.mean_motion(np.zeros((4, 4, 2))) == (0.0, 0.0)


def test_the_full_colour_is_for_the_fast_of_what_moves():
    moved = np.zeros((100, 100, 2), np.float32)
    assert colours.fastest(moved) == 1.0
    moved[:10, :, 0] = 3
    assert colours.fastest(moved) == pytest.approx(3)
    moved[:10, :, 1] = 40
    assert colours.fastest(moved) == pytest.approx(127 / 16)


def test_channels_in_the_wrong_order_disagree_with_the_magnitude():
    rng = np.random.default_rng(0)
    frames = modality.encode(rng.normal(0, 2, (20, 20, 2)).astype(np.float32))
    assert colours.disagreement(frames) < 0.1
    assert colours.disagreement(frames[..., ::-1]) > 1
    assert colours.disagreement(np.full((2, 2, 3), 255, np.uint8)) == 0.0


def test_the_share_of_what_moves_that_an_image_cannot_hold():
    flow = np.zeros((2, 4, 2), np.float32)
    flow[0, :, 0] = (9, -9, 3, 0.25)  # pixels a frame; the last one stands still
    frames = modality.encode(flow)[None]
    assert colours.share_at_limit(frames) == pytest.approx(2 / 3)
    assert colours.share_at_limit(modality.encode(np.zeros((2, 2, 2), np.float32))) == 0
