"""Imported networks say what Caffe's formulas say of the same files, to 1e-5."""

import keras
import numpy as np
import pytest
import safetensors.numpy

from lrcn.models import backbones, networks
from lrcn.models.foreign import importing

BGR = (103.939, 116.779, 123.68)
DENSE = ("fc6", "fc7", "fc8")
BGR_OF_LRCN = (103.939, 116.779, 128.68)


def frames(size, count=1, seed=1):
    return np.random.default_rng(seed).integers(0, 256, (count, size, size, 3), "uint8")


def assert_equal(received, expected, *, atol=1e-5):
    """Both are about 1, so that 1e-5 says something."""
    assert 0.1 < np.abs(expected).max() < 50
    np.testing.assert_allclose(received, expected, rtol=1e-5, atol=atol)


@pytest.fixture(scope="module")
def alexnet(generated):
    return generated.weights_of(generated.ALEXNET, maps=6, fc6=4096, fc7=4096, fc8=1000)


@pytest.fixture(scope="module")
def logits(generated, alexnet):
    """What Caffe says of the first frame with the same weights in both networks."""
    image = generated.caffe_image(frames(227)[0], BGR)
    return {
        name: generated.cnn(table, alexnet, image, DENSE)
        for name, table in (("alexnet", generated.ALEXNET), ("caffenet", generated.CAFFENET))
    }


@pytest.mark.parametrize("axes", ["keras", "caffe"])
def test_bvlc_alexnet(generated, alexnet, logits, tmp_path, axes):
    file = generated.bvlc_alexnet(tmp_path / "bvlc_alexnet.npy", alexnet, axes=axes)

    found = importing.load(file)

    received = found.model.predict(frames(227), verbose=0)[0]
    assert_equal(received, logits["alexnet"])
    assert (found.backbone, found.layer, found.is_whole) == ("alexnet", "fc8", False)
    assert ("TensorFlow" if axes == "keras" else "Caffe") in found.told[0]
    # Norm and pool in the other order, which no shape tells.
    assert np.abs(received - logits["caffenet"]).max() > 1e-2


@pytest.mark.parametrize("v1", [False, True])
def test_caffenet(generated, alexnet, logits, tmp_path, v1):
    content = generated.field(1, "CaffeNet")
    how = {"v1": v1, "packed": not v1, "legacy": v1}
    content += generated.convolution_layers(generated.CAFFENET, alexnet, **how)
    for name in DENSE:
        content += generated.layer(name, "InnerProduct", alexnet[name], **how)
    file = tmp_path / "net.caffemodel"
    file.write_bytes(content)

    found = importing.load(file)

    received = found.model.predict(frames(227), verbose=0)[0]
    assert_equal(received, logits["caffenet"])
    assert np.abs(received - logits["alexnet"]).max() > 1e-2
    assert (found.backbone, found.layer) == ("caffenet", "fc8")


def test_lrcn(generated, tmp_path):
    rng = np.random.default_rng(3)
    weights = generated.weights_of(generated.HYBRID, maps=6, fc6=4096)
    units, classes, time = 256, 101, 2
    own = rng.normal(0, 0.02, (4 * units, 4096)).astype("float32")
    hidden = rng.normal(0, 0.05, (4 * units, units)).astype("float32")
    bias = rng.normal(0, 0.5, 4 * units).astype("float32")
    last = [
        rng.normal(0, 0.3, (classes, units)).astype("float32"),
        rng.normal(0, 0.1, classes).astype("float32"),
    ]
    content = generated.field(1, "lrcn") + generated.layer("data", "Python")
    content += generated.convolution_layers(generated.HYBRID, weights)
    content += generated.layer("fc6", "InnerProduct", weights["fc6"])
    content += generated.layer("lstm1", "LSTM", [own, bias, hidden])
    content += generated.layer("fc8-final", "InnerProduct", last)
    file = tmp_path / "lrcn.caffemodel"
    file.write_bytes(content)
    clip = frames(227, count=time)

    found = importing.load(file)

    features = [
        generated.cnn(
            generated.HYBRID, weights, generated.caffe_image(frame, BGR_OF_LRCN), ("fc6",)
        )
        for frame in clip
    ]
    cont = np.array([[0], [1]])
    states = generated.lstm(np.stack(features)[:, None], cont, own, bias, hidden)[:, 0]
    expected = states @ last[0].T + last[1]
    found.model.save(tmp_path / "lrcn.keras")
    model = keras.models.load_model(tmp_path / "lrcn.keras")
    received = model.predict(clip[None], verbose=0)
    assert_equal(received["logits"][0], expected)
    odds = np.exp(expected)
    mean = (odds / odds.sum(1, keepdims=True)).mean(0)
    assert_equal(received["probabilities"][0] * 10, mean * 10)
    assert (found.backbone, found.layer, found.is_whole) == ("hybrid", "fc6", True)
    assert model.count_params() == 65_421_285  # as the paper's
    assert backbones.contract_of(model)["mean"] == list(BGR_OF_LRCN)
    assert networks.head(model).get_layer("classes").units == classes


def torch_names(table, dense):
    """The names that torchvision has for the layers of a VGG."""
    names, place = {}, 0
    for name, *_, then in table:
        names[name] = f"features.{place}"
        place += 2 + len(then)
    return {**names, **{name: f"classifier.{3 * index}" for index, name in enumerate(dense)}}


def test_vgg16_of_torchvision(generated, tmp_path):
    weights = generated.weights_of(generated.VGG16, maps=2, fc6=4096, fc7=4096, fc8=1000)
    stored = {}
    for name, theirs in torch_names(generated.VGG16, DENSE).items():
        stored[f"{theirs}.weight"], stored[f"{theirs}.bias"] = weights[name]
    assert "features.28.weight" in stored
    file = tmp_path / "vgg16.safetensors"
    safetensors.numpy.save_file(stored, file)
    frame = frames(64)

    found = importing.load(file, image_size=(64, 64))

    scaled = frame[0] / 255 - [0.485, 0.456, 0.406]
    image = (scaled / [0.229, 0.224, 0.225]).transpose(2, 0, 1)
    expected = generated.cnn(generated.VGG16, weights, image, DENSE)
    # Sixteen layers of float32 round by more than 1e-5 where an output is near zero.
    received = found.model.predict(frame, verbose=0)[0]
    assert_equal(received, expected, atol=1e-5 * np.abs(expected).max())
    assert (found.backbone, found.layer) == ("vgg16", "fc8")
