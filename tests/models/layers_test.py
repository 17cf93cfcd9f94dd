"""Layers against arithmetic, published values and Keras's own layers."""

import keras
import numpy as np
import pytest
from keras import ops

from lrcn.errors import UserError
from lrcn.models import layers

CHANNELS = np.array([0.5, -1.5, 2, 3, -0.25, 10, 4], "float32").reshape(1, 1, 1, 7)
LRN_SMALL_ALPHA = [
    0.4999512555, -1.4996513446, 1.9995332521, 2.9948213868,
    -0.2495171062, 9.9812815877, 3.993050364,
]  # fmt: skip
LRN_LARGE_ALPHA = [
    0.3434448798, -0.7433376387, 0.9892988441, 0.4504280822,
    -0.0347162242, 1.419380753, 0.5978889881,
]  # fmt: skip


def numpy(tensor) -> np.ndarray:
    return ops.convert_to_numpy(tensor)


def rebuilt(layer):
    return keras.saving.deserialize_keras_object(keras.saving.serialize_keras_object(layer))


def test_contract_scales_subtracts_and_divides_in_channel_order():
    layer = layers.InputContract(
        1, 1, channel_order="bgr", scale=2.0, mean=(1, 2, 3), std=(1, 2, 4)
    )
    pixel = np.array([[[[10, 20, 30]]]], "uint8")  # red, green, blue

    np.testing.assert_allclose(numpy(layer(pixel)).ravel(), [59, 19, 4.25])


def test_contract_survives_serialization_without_weights():
    layer = layers.InputContract(4, 6, channel_order="bgr", mean=(103.939, 116.779, 123.68))

    copy = rebuilt(layer)

    assert copy.contract() == layer.contract()
    assert copy.contract()["height"] == 4 and copy.contract()["width"] == 6
    copy.build((None, 4, 6, 3))
    assert copy.count_params() == 0


def test_contract_refuses_an_unknown_channel_order():
    with pytest.raises(UserError, match="Received: grb. Expected: rgb or bgr"):
        layers.InputContract(1, 1, channel_order="grb")


def test_contract_under_bfloat16_rounds_only_its_result():
    layer = layers.InputContract(1, 1, mean=(103.939, 0, 0), dtype="mixed_bfloat16")

    outputs = layer(np.array([[[[104, 0, 0]]]], "uint8"))

    assert keras.backend.standardize_dtype(outputs.dtype) == "bfloat16"
    assert float(ops.cast(outputs, "float32")[0, 0, 0, 0]) == pytest.approx(0.061, rel=0.01)


def test_per_frame_equals_a_loop_over_frames():
    dense = keras.layers.Dense(3)
    frames = np.random.default_rng(0).normal(size=(2, 4, 5)).astype("float32")

    outputs = numpy(layers.PerFrame(dense)(frames))

    expected = np.stack([numpy(dense(frames[:, t])) for t in range(4)], axis=1)
    np.testing.assert_allclose(outputs, expected, rtol=1e-6, atol=1e-6)


def test_per_frame_knows_its_shape_without_a_clip_length():
    inputs = keras.Input((None, 8, 8, 3))
    outputs = layers.PerFrame(keras.layers.Conv2D(5, 3, strides=2, padding="same"))(inputs)

    assert outputs.shape == (None, None, 4, 4, 5)


def test_per_frame_keeps_a_frozen_layer_in_inference_mode():
    inner = keras.Sequential([keras.layers.BatchNormalization(), keras.layers.Dropout(0.9)])
    inner.trainable = False
    wrapped = layers.PerFrame(inner)
    frames = np.full((2, 3, 4), 5.0, "float32")
    first = numpy(wrapped(frames, training=False))
    statistics = [numpy(weight).copy() for weight in inner.weights]

    again = numpy(wrapped(frames, training=True))

    np.testing.assert_array_equal(again, first)
    for weight, before in zip(inner.weights, statistics, strict=True):
        np.testing.assert_array_equal(numpy(weight), before)


def test_per_frame_trains_a_layer_that_is_not_frozen():
    inner = keras.layers.BatchNormalization()
    wrapped = layers.PerFrame(inner)

    wrapped(np.full((2, 3, 4), 5.0, "float32"), training=True)

    assert numpy(inner.moving_mean)[0] > 0


@pytest.mark.parametrize("padding", ["same", "valid"])
@pytest.mark.parametrize("groups", [1, 2, 4])
@pytest.mark.parametrize("activation", ["relu", "softmax", None])
def test_grouped_convolution_equals_keras(groups, padding, activation):
    options = {"strides": 2, "padding": padding, "groups": groups, "activation": activation}
    ours, keras_own = layers.GroupedConv2D(8, 3, **options), keras.layers.Conv2D(8, 3, **options)
    maps = np.random.default_rng(1).normal(size=(2, 9, 9, 4)).astype("float32")
    ours.build(maps.shape)
    keras_own.build(maps.shape)
    ours.bias.assign(np.arange(8))
    keras_own.set_weights(ours.get_weights())

    np.testing.assert_allclose(numpy(ours(maps)), numpy(keras_own(maps)), atol=1e-5)


def test_grouped_convolution_equals_split_and_concatenate():
    layer = layers.GroupedConv2D(6, 3, groups=2)
    maps = np.random.default_rng(2).normal(size=(1, 5, 5, 4)).astype("float32")
    layer.build(maps.shape)
    layer.bias.assign(np.arange(6))
    kernel = numpy(layer.kernel)
    assert kernel.shape == (3, 3, 2, 6)

    halves = [numpy(ops.conv(maps[..., :2], kernel[..., :3])),
              numpy(ops.conv(maps[..., 2:], kernel[..., 3:]))]  # fmt: skip

    expected = np.concatenate(halves, axis=-1) + np.arange(6)
    np.testing.assert_allclose(numpy(layer(maps)), expected, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize(("alpha", "golden"), [(1e-4, LRN_SMALL_ALPHA), (0.5, LRN_LARGE_ALPHA)])
def test_lrn_golden(alpha, golden):
    outputs = layers.LocalResponseNormalization(5, alpha=alpha, beta=0.75, k=1.0)(CHANNELS)

    np.testing.assert_allclose(numpy(outputs).ravel(), golden, rtol=2e-6)


def test_lrn_gives_its_arguments_back():
    layer = layers.LocalResponseNormalization(3, alpha=0.5, beta=0.5, k=2.0)

    np.testing.assert_array_equal(numpy(rebuilt(layer)(CHANNELS)), numpy(layer(CHANNELS)))


@pytest.mark.parametrize(
    ("how", "renormalise", "expected"),
    [
        ("avg", True, [0.4, 0.6]),
        ("last", True, [0.1, 0.9]),
        ("max", True, [0.4375, 0.5625]),
        ("max", False, [0.7, 0.9]),
    ],
)
def test_pooling_over_time(how, renormalise, expected):
    probabilities = np.array([[[0.7, 0.3], [0.1, 0.9]]], "float32")
    layer = rebuilt(layers.TimePooling(how, renormalise=renormalise))

    np.testing.assert_allclose(numpy(layer(probabilities))[0], expected, rtol=1e-6)


def test_pooling_refuses_an_unknown_name():
    with pytest.raises(UserError, match="Received: mean. Expected: avg, last, max"):
        layers.TimePooling("mean")


@pytest.mark.parametrize("policy", ["mixed_bfloat16", "mixed_float16"])
def test_grouped_convolution_and_lrn_train_in_half_precision(policy):
    inputs = keras.Input((9, 9, 4))
    values = layers.GroupedConv2D(8, 3, groups=2, activation="relu", dtype=policy)(inputs)
    values = layers.LocalResponseNormalization(dtype=policy)(values)
    values = keras.layers.GlobalAveragePooling2D(dtype="float32")(values)
    model = keras.Model(inputs, values)
    model.compile(keras.optimizers.SGD(0.1), "mse")
    maps = np.random.default_rng(3).normal(size=(4, 9, 9, 4)).astype("float32")
    before = [weight.copy() for weight in model.get_weights()]

    history = model.fit(maps, np.zeros((4, 8), "float32"), verbose=0).history

    assert np.isfinite(history["loss"]).all()
    assert any((a != b).any() for a, b in zip(before, model.get_weights(), strict=True))


def test_spatial_moments_say_where_how_widely_and_how_much():
    responses = np.zeros((2, 5, 9, 1), np.float32)
    responses[0, 1, 6] = 10.0  # one place: row 1 of 5, column 6 of 9
    responses[1, 0, 0] = responses[1, 4, 8] = 10.0  # two opposite corners
    moments = keras.ops.convert_to_numpy(layers.SpatialMoments(sharpness=10.0)(responses))
    np.testing.assert_allclose(moments[0], [0.5, -0.5, 1e-3, 10 / 45], atol=1e-4)
    np.testing.assert_allclose(moments[1], [0.0, 0.0, np.sqrt(2), 20 / 45], atol=1e-4)


def test_spatial_moments_round_trip():
    layer = layers.SpatialMoments(sharpness=2.0)
    same = layers.SpatialMoments.from_config(layer.get_config())
    assert same.sharpness == 2.0
    assert same.compute_output_shape((None, 5, 9, 3)) == (None, 12)
