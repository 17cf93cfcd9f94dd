import keras
import numpy as np
import pytest

from lrcn import litert
from lrcn.models import backbones


@pytest.fixture(scope="module")
def mobilenet():
    keras.utils.set_random_seed(0)
    built = backbones.build("mobilenet", image_size=(32, 32), trainable=False, alpha=0.25)
    for weight in built.weights:
        if "kernel" in weight.path:  # as drawn, and without training, nothing comes through
            weight.assign(4 * weight)
    return built


def test_features_equal_those_of_keras(mobilenet):
    frames = np.random.default_rng(0).integers(0, 256, (5, 32, 32, 3), dtype=np.uint8)
    forward = litert.forward(mobilenet)
    expected = mobilenet(frames, training=False).numpy()
    assert np.abs(expected).max() > 0.1
    np.testing.assert_allclose(forward(frames), expected, rtol=1e-4, atol=1e-4)
    np.testing.assert_array_equal(forward(frames[3:]), forward(frames)[3:])


def test_what_gains_nothing_stays_in_keras(mobilenet):
    assert litert.serves(mobilenet)
    assert not litert.serves(backbones.build("small", trainable=False))


def test_half_precision_stays_in_keras():
    keras.config.set_dtype_policy("mixed_bfloat16")
    try:
        half = backbones.build("mobilenet", image_size=(32, 32), trainable=False, alpha=0.25)
    finally:
        keras.config.set_dtype_policy("float32")
    assert not litert.serves(half)


def test_a_gpu_is_faster(mobilenet, monkeypatch):
    monkeypatch.setattr(litert.tf.config, "list_physical_devices", lambda kind: [kind])
    assert not litert.serves(mobilenet)
