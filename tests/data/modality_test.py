import subprocess
import sys

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from lrcn import errors
from lrcn.data import lists, modality, serialize

FLOWS = arrays.arrays(np.float32, (3, 4, 2), elements=st.floats(-50, 50, width=32))
FRAMES = arrays.arrays(np.uint8, (2, 3, 3))


def texture(height=64, width=80):
    """A smooth random picture, in which motion can be seen."""
    rng = np.random.default_rng(0)
    rows, columns = np.mgrid[:height, :width]
    waves = [
        np.sin(rows * rng.uniform(-0.5, 0.5) + columns * rng.uniform(-0.5, 0.5) + phase)
        for phase in rng.uniform(0, 6, 12)
    ]
    grey = 127 + 100 * np.sum(waves, 0) / np.abs(np.sum(waves, 0)).max()
    return np.repeat(grey[..., None], 3, axis=2).astype(np.uint8)


def test_flow_is_stored_as_in_the_paper():
    flow = np.array([[[0, 0], [3, 4], [-1.5, 2]], [[9, 0], [-9, -9], [0.25, 0]]], np.float32)
    expected = [
        [[128, 128, 128], [176, 192, 208], [104, 160, 168]],
        [[255, 128, 255], [0, 0, 255], [132, 128, 132]],
    ]
    np.testing.assert_array_equal(modality.encode(flow), expected)


@given(FLOWS)
@settings(max_examples=60, deadline=None)
def test_stored_flow_is_within_half_a_grey_level_or_clipped(flow):
    image = modality.encode(flow).astype(np.float64)
    exact = np.concatenate([flow, np.hypot(flow[..., :1], flow[..., 1:])], axis=-1) * 16.0 + 128
    assert np.abs(image - np.clip(exact, 0, 255)).max() <= 0.5 + 1e-3
    assert image[..., 2].min() >= 128


@given(FRAMES, FRAMES)
@settings(max_examples=60, deadline=None)
def test_difference_is_half_of_the_change(before, after):
    image = modality.difference(before, after).astype(int)
    change = after.astype(int) - before
    assert np.abs(image - 128 - change / 2).max() <= 0.5
    assert (modality.difference(before, before) == 128).all()


@pytest.mark.parametrize("right, down", [(3, 0), (-3, 0), (0, 2), (0, -2), (2, -3)])
def test_flow_goes_to_the_right_and_down(right, down):
    before = texture()
    after = np.roll(before, (down, right), axis=(0, 1))
    image = modality.between(modality.Modality("flow"))(before, after)
    assert image.shape == before.shape and image.dtype == np.uint8
    x, y, magnitude = (np.median(image[12:-12, 12:-12], axis=(0, 1)) - 128.0) / 16
    assert (x, y) == (pytest.approx(right, abs=0.2), pytest.approx(down, abs=0.2))
    assert magnitude == pytest.approx(np.hypot(right, down), abs=0.3)


def test_flow_does_not_depend_on_what_was_seen_before():
    flow, before = modality.between(modality.Modality("flow")), texture()
    after = np.roll(before, 2, axis=1)
    first = flow(before, after)
    flow(after, before)
    np.testing.assert_array_equal(flow(before, after), first)


def test_the_first_place_repeats_the_second():
    assert [modality.pair(place) for place in range(4)] == [(0, 1), (0, 1), (1, 2), (2, 3)]


def test_only_flow_has_a_method():
    assert modality.Modality("flow").method == "dis"
    assert modality.Modality().method is modality.Modality("difference").method is None
    assert [modality.Modality(name).is_of_pairs for name in modality.NAMES] == [False, True, True]
    with pytest.raises(errors.UserError, match="modality rgb has no such method.*Received: dis"):
        modality.Modality("rgb", "dis")
    with pytest.raises(errors.UserError, match=r"Received: brox.*Expected: dis \| tvl1"):
        modality.Modality("flow", "brox")
    with pytest.raises(errors.UserError, match=r"unknown modality.*rgb \| flow \| difference"):
        modality.Modality("audio")


def test_tvl1_is_refused_by_a_build_without_it(monkeypatch):
    cv2 = pytest.importorskip("cv2")
    monkeypatch.delattr(cv2, "optflow", raising=False)
    with pytest.raises(errors.UserError, match=r"no TV-L1.*modality.method=dis.*contrib"):
        modality.between(modality.Modality("flow", "tvl1"))


def test_a_method_that_is_not_there_is_no_fault_of_an_item(tmp_path):
    item = lists.Item("a", "a", "array", (0,), load=lambda: iter([texture()] * 2))
    one = lists.Catalog({"train": lists.Split("train", (item,), "test")}, (), 1, False)
    options = serialize.StoreOptions(
        mode=None, on_error="skip", modality=modality.Modality("flow", "tvl1")
    )
    with pytest.raises(errors.UserError, match="^modality.method: this build of OpenCV has no"):
        serialize.serialize(one, tmp_path / "records", options=options)


def test_tvl1_is_used_where_the_build_has_it(monkeypatch):
    import types

    import cv2

    class Tvl1:
        def calc(self, before, after, flow):
            return np.full([*before.shape, 2], 0.5, np.float32)

    made = types.SimpleNamespace(DualTVL1OpticalFlow_create=Tvl1)
    monkeypatch.setattr(cv2, "optflow", made, raising=False)
    image = modality.between(modality.Modality("flow", "tvl1"))(texture(), texture())
    assert (image[..., :2] == 136).all() and (image[..., 2] == 139).all()


def test_no_opencv_is_told_with_its_remedy(monkeypatch):
    monkeypatch.setitem(sys.modules, "cv2", None)
    with pytest.raises(errors.UserError, match="needs OpenCV.*pip install opencv-python-headless"):
        modality.between(modality.Modality("flow"))


def test_opencv_is_loaded_only_for_flow():
    code = (
        "import sys; from lrcn.data import modality, video;"
        "modality.between(modality.Modality('difference')); assert 'cv2' not in sys.modules;"
        "modality.between(modality.Modality('flow')); assert 'cv2' in sys.modules"
    )
    assert subprocess.run([sys.executable, "-c", code], timeout=60).returncode == 0


@pytest.mark.parametrize("count", [0, 1])
def test_one_frame_shows_no_motion(count):
    with pytest.raises(errors.UserError, match=f"no motion.*{count} frame.*on_error=skip"):
        modality.refuse_single(count, "a.mp4")
    assert modality.refuse_single(2, "a.mp4") is None


def test_records_of_another_modality_are_refused():
    rgb, flow, slow = (modality.Modality(*own) for own in (("rgb",), ("flow",), ("flow", "tvl1")))
    assert modality.require(flow, flow, where="dataset.val", path="a") is None
    with pytest.raises(errors.UserError, match="dataset.val.*Received: rgb in a.*modality=flow"):
        modality.require(rgb, flow, where="dataset.val", path="a")
    with pytest.raises(errors.UserError, match=r"flow \(tvl1\) in a.*modality.method=dis"):
        modality.require(slow, flow, where="dataset.val", path="a")


@pytest.mark.parametrize("size", [(8, 8), (11, 40), (40, 15)])
def test_frames_that_are_too_small_are_told(size):
    frame = np.zeros((*size, 3), np.uint8)
    with pytest.raises(errors.UserError, match="too small for optical flow.*16x16 pixels"):
        modality.between(modality.Modality("flow"))(frame, frame)
