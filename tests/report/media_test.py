import base64
import io

import numpy as np
import pytest
from PIL import Image

from lrcn.report import media


def opened(uri):
    kind, _, data = uri.partition(",")
    assert kind == "data:image/webp;base64"
    return Image.open(io.BytesIO(base64.b64decode(data)))


def noise(count, height=120, width=160):
    return np.random.default_rng(0).integers(0, 256, (count, height, width, 3)).astype(np.uint8)


def test_a_still_is_the_frame_and_never_larger():
    frame = np.zeros((40, 60, 3), np.uint8)
    frame[:, :30] = (200, 30, 30)
    assert opened(media.still(frame, width=30)).size == (30, 20)
    same = np.asarray(opened(media.still(frame, width=100, quality=95)).convert("RGB"))
    assert same.shape == frame.shape
    assert np.abs(same[20, 10].astype(int) - (200, 30, 30)).max() < 12


def test_an_animation_moves_and_fits():
    frames = noise(50)
    picture = opened(media.animation(frames, at_most=10**9))
    assert (picture.n_frames, picture.size) == (32, (160, 120))
    assert picture.info["loop"] == 0
    most = 60_000
    small = media.animation(frames, at_most=most)
    assert len(base64.b64decode(small.partition(",")[2])) <= most
    assert 1 < opened(small).n_frames < 32


@pytest.mark.parametrize(
    ("length", "count", "places"),
    [(4, 8, [0, 1, 2, 3]), (16, 8, [1, 3, 5, 7, 9, 11, 13, 15]), (9, 3, [1, 4, 7]), (1, 1, [0])],
)
def test_a_spread_takes_the_middles_of_equal_parts(length, count, places):
    assert media.spread(length, count) == places


def test_heat_colours_its_place_alone():
    frame = np.full((4, 4, 3), 100, np.uint8)
    heat = np.zeros((4, 4), np.float32)
    heat[0, 0] = 1.0
    shown = media.heated(frame, heat).astype(int)
    assert np.ptp(shown[0, 0]) > 80  # a colour
    assert np.ptp(shown[3, 3]) == 0  # grey


def test_flow_is_shown_as_colours_and_rgb_as_it_is():
    frames = noise(2, 8, 8)
    assert media.seen(frames, "rgb") is frames
    still = np.full((2, 8, 8, 3), 128, np.uint8)
    assert (media.seen(still, "flow") == 255).all()  # what does not move is white
