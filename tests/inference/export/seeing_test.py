import numpy as np
import pytest
import tensorflow as tf

from lrcn.data import augment, images
from lrcn.inference.export import seeing

NOISE = np.random.default_rng(0).integers(0, 256, (2, 60, 80, 3), np.uint8)
OF_ANY_SIZE = [tf.TensorSpec([None, None, None, 3], tf.uint8)]


def shown(frames, view, stored):
    @tf.function(input_signature=OF_ANY_SIZE)
    def see(given):
        return seeing.seen(given, view, stored)

    return see(frames).numpy()


@pytest.mark.parametrize("crop", ["fit", "centre", "squash"])
@pytest.mark.parametrize("size", [(45, 33), (60, 60), (70, 64)])
@pytest.mark.parametrize("is_told", [True, False])
def test_stored_frames_are_seen_as_in_training(crop, size, is_told):
    view = augment.View(size, crop)
    found = shown(NOISE, view, (60, 80) if is_told else None)
    apart = np.abs(found - augment.apply(tf.constant(NOISE), view).numpy().astype(np.float32))
    # Sums of three are taken in another order here and there, so a half may be rounded otherwise.
    assert apart.max() <= 1 and (apart > 0).mean() < 1e-3


def test_frames_of_the_input_size_pass_untouched():
    view = augment.View((60, 80), "fit")
    np.testing.assert_array_equal(shown(NOISE, view, None), NOISE)
    np.testing.assert_array_equal(shown(NOISE, view, (60, 80)), NOISE)


@pytest.mark.parametrize("given", [(60, 80), (31, 90), (25, 20)])
def test_frames_of_other_sizes_are_resized_as_they_would_be_stored(given):
    rows, columns = given
    frames = NOISE[:, :rows].repeat(2, axis=2)[:, :, :columns]
    view = augment.View((30, 40), "squash")
    wanted = np.stack([images.resized(frame, (30, 40)) for frame in frames])
    apart = np.abs(shown(frames, view, (30, 40)) - wanted.astype(np.float32))
    assert apart.max() <= 1  # Pillow rounds rows and columns, each by itself


def test_halves_of_covering_sizes_are_rounded_as_in_training():
    view = augment.View((24, 24), "fit")
    for height in range(1, 60):
        target, _ = seeing._placed(tf.constant((height, 37)), view)
        factor = max(24 / height, 24 / 37)
        wanted = [max(round(side * factor), 24) for side in (height, 37)]
        np.testing.assert_array_equal(target, wanted)
