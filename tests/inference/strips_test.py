import numpy as np
import pytest
from PIL import Image

from lrcn.data import modality
from lrcn.inference import lettering, plots, strips

HARD = [
    "w" * 900,
    "a man in a very long hat " * 30,
    "日本の猫" * 9,
    "$x^ a_b \\frac{ %",
    "half \ud800 \x00",
]


def strip(frames, learnt="left", **changes):
    values = {"numbers": tuple(range(len(frames))), "id": "videos/a.mp4", **changes}
    return strips.Strip(np.asarray(frames, np.uint8), learnt=learnt, **values)


def flat(*levels, size=(20, 20)):
    return np.stack([np.full((*size, 3), level, np.uint8) for level in levels])


def drawn(folder, shown, **options):
    path = folder / "clips.png"
    strips.draw(path, shown, title="title", subtitle="subtitle", **options)
    with Image.open(path) as picture:
        return np.asarray(picture.convert("RGB")).astype(int)


def test_at_most_eight_frames_from_first_to_last():
    assert strip(flat(*range(16))).places == [0, 2, 4, 6, 9, 11, 13, 15]
    assert strip(flat(1, 2, 3)).places == [0, 1, 2]
    assert strip(flat(1)).places == [0]


def test_frames_are_drawn_as_they_are_and_in_their_order(tmp_path):
    levels = [10, 30, 50, 70]
    pixels = drawn(tmp_path, [strip(flat(*levels))])
    columns = [np.flatnonzero((pixels == level).all(axis=2).any(axis=0)) for level in levels]
    assert all(len(own) > 100 for own in columns)
    firsts = [own[0] for own in columns]
    assert firsts == sorted(firsts)


@pytest.mark.parametrize("text", HARD, ids=range(len(HARD)))
@pytest.mark.parametrize("time", [1, 16])
def test_text_stays_beside_its_frames(tmp_path, text, time):
    shown = strip(flat(*[90] * time), text, id=text, facts=(text,), mirrored=True)
    pixels = drawn(tmp_path, [shown, shown])
    assert pixels.shape[1] <= 2000
    with plots.any_script():
        room = strips._Sheet.of([shown, shown], strips._Plain())
    left = strips._EDGE + room.text + 1
    rule = (np.array(strips._RULE), np.array([255, 255, 255]))
    between = pixels[150:, left : left + strips._GUTTER - 2]
    is_empty = [(between == colour).all(axis=2) for colour in rule]
    assert (is_empty[0] | is_empty[1]).all()


def test_single_frames_stand_side_by_side(tmp_path):
    one = drawn(tmp_path, [strip(flat(9), numbers=())])
    two = drawn(tmp_path, [strip(flat(9), numbers=())] * 2)
    assert two.shape[1] > 1.7 * one.shape[1]
    assert two.shape[0] == one.shape[0]


def test_ids_lose_their_first_folders():
    text = strips._short_id("/a/very/long/path/of/many/folders/that/nobody/reads/name_01.avi")
    assert text.startswith("…/") and text.endswith("/name_01.avi")
    assert lettering.text_width(text, strips._ID) <= strips._WIDEST_ID
    assert strips._short_id("a/b.mp4") == "a/b.mp4"


@pytest.mark.parametrize(("x", "hue"), [(4, (255, 0, 0)), (-4, (0, 255, 255))])
def test_flow_is_drawn_as_colours(tmp_path, x, hue):
    flow = np.zeros((20, 20, 2), np.float32)
    flow[..., 0] = x
    frames = np.stack([modality.encode(flow)] * 3)
    pixels = drawn(tmp_path, [strip(frames)], is_flow=True)
    below = pixels[250:]  # the wheel stands above and has every colour
    assert (np.abs(below - hue) < 12).all(axis=2).sum() > 3000
    other = np.array([255, 0, 0]) if x < 0 else np.array([0, 255, 255])
    assert not (np.abs(below - other) < 12).all(axis=2).any()


@pytest.mark.parametrize(
    ("x", "told"), [(0.25, "7: < 0.5 px"), (0, "7: < 0.5 px"), (2, "7: 2.0 px")]
)
def test_slow_motion_is_told_as_slow(x, told):
    flow = np.zeros((8, 8, 2), np.float32)
    flow[..., 0] = x
    assert strips._Flow(4.0).number("7", modality.encode(flow)) == told


@pytest.mark.parametrize(
    ("moved", "axis", "side"), [((6, 0), 1, 1), ((-6, 0), 1, -1), ((0, 6), 0, 1)]
)
def test_the_arrow_points_where_things_go(moved, axis, side):
    picture = Image.new("RGB", (100, 100), "white")
    strips._arrow(picture, moved, 6.0)
    dark = np.argwhere((np.asarray(picture) == strips._INK).all(axis=2))
    along = dark[:, axis]
    across = np.array([np.ptp(dark[along == at, 1 - axis]) for at in np.unique(along)])
    wide = np.unique(along)[across > 6]
    assert len(wide) and (np.sign(wide - 50) == side).all()


def test_no_arrow_where_nothing_goes_anywhere():
    picture = Image.new("RGB", (100, 100), "white")
    strips._arrow(picture, (0.1, 0.1), 2.0)
    assert (np.asarray(picture) == 255).all()
