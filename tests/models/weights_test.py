"""Weights files of every kind, what misfits, and carrying weights from model to model."""

import pathlib

import h5py
import keras
import numpy as np
import pytest

from lrcn.errors import UserError
from lrcn.models import activity, backbones, networks, weights

REAL = pathlib.Path(__file__).parents[3] / "shared/data/cnn_weights/mobilenet_v1_075_224.weights.h5"


def mobilenet(**options) -> keras.Model:
    return backbones.build("mobilenet", alpha=0.25, image_size=(32, 32), **options)


def application(**options) -> keras.Model:
    return keras.applications.MobileNet(
        alpha=0.25, input_shape=(32, 32, 3), weights=None, **options
    )


def assert_same_weights(model: keras.Model, source: keras.Model) -> None:
    assert model.weights
    for layer in model.layers:
        if layer.weights:
            stored = source.get_layer(layer.name).get_weights()
            for a, b in zip(layer.get_weights(), stored, strict=True):
                np.testing.assert_array_equal(a, b)


@pytest.mark.parametrize("top", [{"include_top": False}, {"include_top": True, "classes": 7}])
@pytest.mark.parametrize("suffix", [".weights.h5", ".keras"])
def test_file_with_or_without_its_classifier(tmp_path, top, suffix):
    source = application(**top)
    file = tmp_path / f"net{suffix}"
    source.save(file) if suffix == ".keras" else source.save_weights(file)

    assert_same_weights(mobilenet(weights=str(file)), source)


def test_file_without_layer_names_is_read_by_position(tmp_path):
    source = application(include_top=True, classes=7)
    file = tmp_path / "net.weights.h5"
    source.save_weights(file)
    with h5py.File(file, "r+") as stored:
        stored.visititems(lambda _, group: group.attrs.pop("name", None))

    assert_same_weights(mobilenet(weights=str(file)), source)


def test_file_of_keras_2(tmp_path):
    source = application(include_top=False)
    file = tmp_path / "net.h5"
    with h5py.File(file, "w") as stored:
        stored.attrs["layer_names"] = [layer.name.encode() for layer in source.layers]
        for layer in source.layers:
            group = stored.create_group(layer.name)
            names = [f"{layer.name}/{index}:0" for index in range(len(layer.weights))]
            group.attrs["weight_names"] = [name.encode() for name in names]
            for name, value in zip(names, layer.get_weights(), strict=True):
                group[name] = value

    assert_same_weights(mobilenet(weights=str(file)), source)


def test_whole_network_gives_its_backbone(tmp_path):
    source = activity.lstm(mobilenet(), num_classes=2, units=3)
    source.save(tmp_path / "best.keras")

    model = mobilenet(weights=str(tmp_path / "best.keras"))

    assert_same_weights(model, networks.backbone(source))


def test_first_misfit_names_tensor_and_both_shapes(tmp_path):
    file = tmp_path / "half.weights.h5"
    keras.applications.MobileNet(
        alpha=0.5, input_shape=(32, 32, 3), weights=None, include_top=False
    ).save_weights(file)
    model = mobilenet()
    before = model.get_weights()

    with pytest.raises(UserError) as caught:
        weights.load_backbone_weights(model, file)

    assert caught.value.where == f"backbone.weights={file}"
    assert "Tensor conv1/kernel does not fit" in caught.value.what
    assert caught.value.received == (3, 3, 3, 16) and caught.value.expected == (3, 3, 3, 8)
    for a, b in zip(model.get_weights(), before, strict=True):
        np.testing.assert_array_equal(a, b)


def test_misfit_late_in_the_file_changes_nothing(tmp_path):
    source = application(include_top=False)
    file = tmp_path / "net.weights.h5"
    source.save_weights(file)
    with h5py.File(file, "r+") as stored:
        del stored["layers/conv2d_13/vars/0"]
    model = mobilenet()
    before = model.get_weights()

    with pytest.raises(UserError, match="conv_pw_13/kernel .*Received: no such tensor"):
        weights.load_backbone_weights(model, file)

    for a, b in zip(model.get_weights(), before, strict=True):
        np.testing.assert_array_equal(a, b)


def test_another_architecture_is_refused(tmp_path):
    file = tmp_path / "small.weights.h5"
    backbones.build("small", image_size=(16, 16)).save_weights(file)

    with pytest.raises(UserError, match="Tensor conv1/kernel does not fit"):
        mobilenet(weights=str(file))


def test_what_is_no_weights_file(tmp_path):
    text = tmp_path / "text.weights.h5"
    text.write_text("no weights")
    empty = tmp_path / "empty.h5"
    h5py.File(empty, "w").close()

    with pytest.raises(UserError, match="backbone.weights=.*text.weights.h5: This is not"):
        mobilenet(weights=str(text))
    with pytest.raises(UserError, match="backbone.weights=.*empty.h5: This file holds no"):
        mobilenet(weights=str(empty))
    with pytest.raises(UserError, match="is not a weights file"):
        mobilenet(weights=str(broken_archive(tmp_path)))


def broken_archive(folder: pathlib.Path) -> pathlib.Path:
    path = folder / "broken.keras"
    path.write_bytes(b"PK\x03\x04 cut short")
    return path


@pytest.mark.real
@pytest.mark.skipif(not REAL.exists(), reason="the real weights are not beside the checkout")
def test_real_mobilenet_file_gives_the_features_of_keras():
    model = backbones.build("mobilenet", alpha=0.75, weights=str(REAL))
    whole = keras.applications.MobileNet(alpha=0.75, weights=None)
    whole.load_weights(REAL)
    maps = keras.Model(whole.input, whole.get_layer("conv_pw_13_relu").output)
    frames = np.random.default_rng(0).integers(0, 256, (1, 224, 224, 3), "uint8")

    expected = maps.predict(frames / 127.5 - 1, verbose=0).mean(axis=(1, 2))

    np.testing.assert_allclose(model.predict(frames, verbose=0), expected, atol=1e-4)


def test_carry_over_from_single_frame_to_lstm():
    options = {"image_size": (67, 67), "initializer": "gaussian_0.01"}
    source = activity.singleframe(
        backbones.build("caffenet", layer="fc7", **options), num_classes=3
    )
    target = activity.lstm(
        backbones.build("caffenet", layer="fc6", **options), num_classes=3, units=4
    )

    matched, unmatched = weights.carry_over(source, target)

    layers = [f"conv{index}" for index in range(1, 6)] + ["fc6"]
    assert matched == [f"{name}/{kind}" for name in layers for kind in ("kernel", "bias")]
    assert unmatched == [
        "lstm1/lstm_cell/kernel", "lstm1/lstm_cell/recurrent_kernel", "lstm1/lstm_cell/bias",
        "classes/kernel", "classes/bias",
    ]  # fmt: skip
    assert_same_weights(networks.backbone(target), networks.backbone(source))


def test_carry_over_from_a_saved_model_of_other_classes(tmp_path):
    backbone = backbones.build("small", image_size=(16, 16))
    source = activity.lstm(backbone, num_classes=3, units=4)
    source.save(tmp_path / "best.keras")
    target = activity.lstm(backbones.build("small", image_size=(16, 16)), num_classes=5, units=4)

    matched, unmatched = weights.carry_over(
        keras.models.load_model(tmp_path / "best.keras"), target
    )

    assert unmatched == ["classes/kernel", "classes/bias"]
    assert len(matched) == 10 + 3
    for a, b in zip(
        networks.head(target).get_layer("lstm1").get_weights(),
        networks.head(source).get_layer("lstm1").get_weights(),
        strict=True,
    ):
        np.testing.assert_array_equal(a, b)


def test_layers_that_are_left_keep_their_own_weights():
    networks_of = []
    for seed in (1, 2):
        keras.utils.set_random_seed(seed)
        backbone = backbones.build("small", image_size=(16, 16))
        networks_of.append(activity.lstm(backbone, num_classes=3, units=4))
    source, target = networks_of
    before = networks.head(target).get_layer("lstm1").get_weights()

    matched, unmatched = weights.carry_over(source, target, leave=("lstm1", "no such layer"))

    assert [path.split("/")[0] for path in unmatched] == ["lstm1"] * 3
    assert "classes/kernel" in matched and "conv1/kernel" in matched
    for now, own in zip(
        networks.head(target).get_layer("lstm1").get_weights(), before, strict=True
    ):
        np.testing.assert_array_equal(now, own)
    np.testing.assert_array_equal(
        networks.head(target).get_layer("classes").kernel,
        networks.head(source).get_layer("classes").kernel,
    )
