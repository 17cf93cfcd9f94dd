import keras
import numpy as np
import pytest

from lrcn.errors import UserError
from lrcn.inference import gradcam
from lrcn.models import activity, backbones, layers


def clip(time=3, size=8):
    return np.random.default_rng(0).integers(0, 256, (time, size, size, 3), dtype=np.uint8)


def network(features, frames, *, classes=2):
    backbone = keras.Model(frames, features, name="tiny")
    return activity.singleframe(
        backbone, num_classes=classes, dropout=0.0, multi_label=classes == 1
    )


def seen(size=8):
    frames = keras.Input((size, size, 3), dtype="uint8", name="frame")
    return frames, layers.InputContract(size, size, scale=1 / 255, name="input_contract")(frames)


def test_heat_of_a_linear_network_is_what_its_weights_say():
    frames, values = seen()
    maps = keras.layers.Conv2D(4, 1, name="conv")(values)
    model = network(keras.layers.GlobalAveragePooling2D()(maps), frames)
    shown = clip()
    kernel, bias = model.get_layer("backbone").layer.get_layer("conv").get_weights()
    told = model.get_layer("head").get_layer("classes").get_weights()[0]
    for label in (0, 1):
        wanted = (shown / 255 @ kernel[0, 0] + bias) @ told[:, label]
        wanted = np.maximum(wanted, 0)
        found = gradcam.Looking(model).heat(shown, label)
        np.testing.assert_allclose(found, wanted / wanted.max(), atol=1e-5)
        assert found.max() == pytest.approx(1)


def test_heat_is_where_the_only_thing_is():
    frames, values = seen()
    maps = keras.layers.Conv2D(1, 1, use_bias=False, kernel_initializer="ones")(values)
    model = network(keras.layers.GlobalMaxPooling2D()(maps), frames, classes=1)
    model.get_layer("head").get_layer("classes").set_weights([np.ones((1, 1)), np.zeros(1)])
    shown = np.zeros((2, 8, 8, 3), np.uint8)
    shown[0, 2, 5] = 200
    found = gradcam.Looking(model).heat(shown, 0)
    assert np.unravel_index(found.argmax(), found.shape) == (0, 2, 5)
    assert found.sum() == pytest.approx(1)


def test_nothing_speaks_for_a_class_that_all_speaks_against():
    frames, values = seen()
    maps = keras.layers.Conv2D(1, 1, use_bias=False, kernel_initializer="ones")(values)
    model = network(keras.layers.GlobalAveragePooling2D()(maps), frames, classes=1)
    model.get_layer("head").get_layer("classes").set_weights([-np.ones((1, 1)), np.zeros(1)])
    assert not gradcam.Looking(model).heat(clip(), 0).any()


@pytest.mark.parametrize("name", ["small", "mobilenet"])
def test_every_frame_of_an_lstm_has_its_heat(name):
    size = (32, 48)
    options = {"alpha": 0.25} if name == "mobilenet" else {}
    backbone = backbones.build(name, image_size=size, **options)
    model = activity.lstm(backbone, num_classes=3, units=4)
    shown = np.random.default_rng(1).integers(0, 256, (5, *size, 3), dtype=np.uint8)
    found = gradcam.Looking(model).heat(shown, 2)
    assert found.shape == (5, *size)
    assert np.isfinite(found).all()
    assert found.min() >= 0
    assert found.max() <= 1 + 1e-6


def test_a_network_without_maps_is_told():
    frames, values = seen()
    model = network(keras.layers.Flatten()(values), frames)
    with pytest.raises(UserError, match="no maps"):
        gradcam.Looking(model).heat(clip(), 0)
