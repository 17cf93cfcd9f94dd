import io

import numpy as np
import pytest
import tensorflow as tf
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from lrcn import errors
from lrcn.data import augment


def coordinates(frames, height, width):
    """Frames whose first two channels are the pixel's own row and column."""
    rows, columns = np.mgrid[:height, :width]
    picture = np.stack([rows, columns, np.zeros_like(rows)], -1).astype(np.uint8)
    return np.stack([picture] * frames)


def jpeg(picture):
    buffer = io.BytesIO()
    Image.fromarray(picture).save(buffer, "JPEG", quality=95)
    return buffer.getvalue()


def test_centre_offset_of_the_paper():
    assert augment.centre_offset((240, 320), (227, 227)) == (6, 46)


def test_ten_crop_boxes_of_the_paper():
    offsets = augment.ten_offsets((240, 320), (227, 227))
    assert offsets == [(0, 0), (0, 93), (13, 0), (13, 93), (6, 46)]


def test_ten_crops_are_those_boxes_and_their_mirrors():
    frames = coordinates(2, 40, 50)
    view = augment.View((30, 20), "ten")
    crops = augment.apply(tf.constant(frames), view).numpy()
    assert crops.shape == (10, 2, 30, 20, 3)
    boxes = augment.ten_offsets((40, 50), (30, 20))
    for crop, mirrored, (top, left) in zip(crops[:5], crops[5:], boxes, strict=True):
        np.testing.assert_array_equal(crop, frames[:, top : top + 30, left : left + 20])
        np.testing.assert_array_equal(mirrored, crop[:, :, ::-1])


@pytest.mark.parametrize("crop", ["fit", "centre", "squash", "random"])
def test_frames_of_the_input_size_pass_untouched(crop):
    frames = np.random.default_rng(0).integers(0, 255, (3, 16, 20, 3), dtype=np.uint8)
    view = augment.View((16, 20), crop)
    seen = augment.apply(tf.constant(frames), view, tf.constant([0.7, 0.2, 0.1], tf.float64))
    np.testing.assert_array_equal(seen.numpy(), frames)


def test_random_crop_covers_every_position():
    frames = coordinates(1, 12, 11)
    view = augment.View((10, 10), "random")
    places = set()
    for draw in augment.draws(np.random.default_rng(0), 200):
        seen = augment.apply(tf.constant(frames), view, tf.constant(draw)).numpy()
        places.add(tuple(seen[0, 0, 0, :2]))
    assert places == {(top, left) for top in range(3) for left in range(2)}


@settings(deadline=None, max_examples=25)
@given(st.floats(0, 1, exclude_max=True), st.floats(0, 1, exclude_max=True), st.booleans())
def test_one_crop_and_one_mirror_for_the_whole_clip(top, left, flip):
    frames = coordinates(4, 24, 32)
    view = augment.View((20, 20), "random", mirror=True)
    draw = tf.constant([top, left, 0.1 if flip else 0.9], tf.float64)
    seen = augment.apply(tf.constant(frames), view, draw).numpy()
    expected = frames[:, int(top * 5) : int(top * 5) + 20, int(left * 13) : int(left * 13) + 20]
    np.testing.assert_array_equal(seen, expected[:, :, ::-1] if flip else expected)


def test_smaller_frames_are_enlarged_until_the_crop_fits():
    frames = np.full((2, 10, 15, 3), 77, np.uint8)
    seen = augment.apply(tf.constant(frames), augment.View((20, 20)))
    assert seen.shape == (2, 20, 20, 3)
    assert set(np.unique(seen)) == {77}


def test_fit_takes_the_largest_middle_of_the_inputs_shape():
    columns = np.arange(40, dtype=np.uint8)[None, None, :, None] * np.ones((1, 20, 1, 3), np.uint8)
    seen = augment.apply(tf.constant(columns), augment.View((10, 10), "fit")).numpy()
    assert seen.shape == (1, 10, 10, 3)
    # 20x40 becomes 10x20, of which columns 5 to 14 are seen: old columns 10 to 29.
    np.testing.assert_allclose(seen[0, 0, :, 0], np.arange(10.5, 30, 2), atol=1)
    grown = augment.apply(tf.constant(columns), augment.View((40, 40), "fit")).numpy()
    assert grown.shape == (1, 40, 40, 3)
    assert 9 <= grown[0, 0, 0, 0] <= 11


def test_squash_keeps_the_whole_frame():
    frames = np.zeros((1, 20, 40, 3), np.uint8)
    frames[:, :, 20:] = 200
    seen = augment.apply(tf.constant(frames), augment.View((10, 10), "squash")).numpy()
    assert seen[0, :, :4].max() < 10
    assert seen[0, :, 6:].min() > 190


def test_decoding_gives_pillows_pixels_alone_and_in_a_pipeline():
    rng = np.random.default_rng(1)
    picture = np.asarray(
        Image.fromarray(rng.integers(0, 255, (6, 8, 3), np.uint8)).resize((40, 30))
    )
    jpegs = np.array([jpeg(picture)] * 3, object)
    expected = np.stack([np.asarray(Image.open(io.BytesIO(data))) for data in jpegs])[
        :, 5:25, 10:30
    ]
    view = augment.View((20, 20))

    def decoded(strings):
        return augment.decode(strings, view, tf.zeros([3], tf.float64))

    np.testing.assert_array_equal(decoded(tf.constant(jpegs)).numpy(), expected)
    dataset = tf.data.Dataset.from_tensors(tf.constant(jpegs)).map(decoded)
    np.testing.assert_array_equal(next(iter(dataset)).numpy(), expected)


def test_frames_of_several_sizes_in_one_clip_and_ten_crops():
    jpegs = tf.constant([jpeg(coordinates(1, 30, 40)[0]), jpeg(coordinates(1, 44, 36)[0])])
    draw = tf.zeros([3], tf.float64)
    assert augment.decode(jpegs, augment.View((20, 20)), draw).shape == (2, 20, 20, 3)
    assert augment.decode(jpegs, augment.View((20, 20), "ten"), draw).shape == (10, 2, 20, 20, 3)


def test_unknown_crop_is_named():
    with pytest.raises(errors.UserError, match="augment.crop.*corner.*one of fit, centre"):
        augment.View((10, 10), "corner")


def test_only_random_views_are_random():
    assert augment.View((8, 8), "random").is_random
    assert augment.View((8, 8), "centre", mirror=True).is_random
    assert not augment.View((8, 8), "ten").is_random


def test_a_mirrored_flow_image_negates_x():
    frames = np.random.default_rng(0).integers(0, 256, (2, 6, 8, 3), dtype=np.uint8)
    heads = tf.constant([0.0, 0.0, 0.0], tf.float64)
    seen = {
        kind: augment.apply(
            tf.constant(frames), augment.View((6, 8), mirror=True, modality=kind), heads
        ).numpy()
        for kind in ("rgb", "flow", "difference")
    }
    np.testing.assert_array_equal(seen["rgb"], frames[:, :, ::-1])
    np.testing.assert_array_equal(seen["difference"], frames[:, :, ::-1])
    np.testing.assert_array_equal(seen["flow"][..., 0], 255 - frames[:, :, ::-1, 0])
    np.testing.assert_array_equal(seen["flow"][..., 1:], frames[:, :, ::-1, 1:])


@given(st.integers(0, 2**32 - 1))
@settings(max_examples=10, deadline=None)
def test_mirroring_flow_twice_changes_nothing(seed):
    frames = np.random.default_rng(seed).integers(0, 256, (1, 5, 4, 3), dtype=np.uint8)
    view = augment.View((5, 4), mirror=True, modality="flow")
    heads = tf.constant([0.0, 0.0, 0.0], tf.float64)
    once = augment.apply(tf.constant(frames), view, heads)
    np.testing.assert_array_equal(augment.apply(once, view, heads).numpy(), frames)


def test_ten_crops_of_flow_negate_x_in_their_mirrors():
    frames = np.random.default_rng(0).integers(0, 256, (1, 8, 9, 3), dtype=np.uint8)
    crops = augment.apply(tf.constant(frames), augment.View((6, 5), "ten", modality="flow")).numpy()
    np.testing.assert_array_equal(crops[5:, ..., 0], 255 - crops[:5, ..., ::-1, 0])
    np.testing.assert_array_equal(crops[5:, ..., 1:], crops[:5, ..., ::-1, 1:])
