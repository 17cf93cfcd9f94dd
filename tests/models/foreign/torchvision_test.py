"""Files of torchvision: the one that is read, and those that no backbone of ours is equal to."""

import numpy as np
import pytest
import safetensors.numpy
from hypothesis import given, settings
from hypothesis import strategies as st

from lrcn.errors import UserError
from lrcn.models.foreign import reading


def write(path, shapes, dtype="float32"):
    arrays = {name: np.zeros(shape, dtype) for name, shape in shapes.items()}
    safetensors.numpy.save_file(arrays, path)
    return path


VGG16 = {
    "features.0.weight": (64, 3, 3, 3),
    "features.0.bias": (64,),
    "classifier.6.bias": (1000,),
    "classifier.6.weight": (1000, 8),
    "head.weight": (2, 2),
}


def test_layers_come_in_the_order_of_the_network_weights_first(tmp_path):
    found = reading.read(write(tmp_path / "vgg16.bin", VGG16))
    names = [tensor.name for layer in found.layers for tensor in layer.tensors]
    first, last = ["features.0.weight", "features.0.bias"], ["classifier.6.weight"]
    assert names == [*first, *last, "classifier.6.bias", "head.weight"]
    assert found.contract["channel_order"] == "rgb"


@pytest.mark.parametrize(
    ("shapes", "reason"),
    [
        (
            {"features.0.weight": (64, 3, 11, 11), "features.3.weight": (192, 64, 5, 5)},
            "no local response normalisation, no groups, .*Received: torchvision's AlexNet",
        ),
        (
            {"conv1.weight": (64, 3, 7, 7), "layer1.0.conv1.weight": (64, 64, 1, 1)},
            "its stride is in the 3x3 convolution of a block and its epsilon is 1e-5.*ResNet50",
        ),
        (
            {**VGG16, "features.1.running_mean": (64,)},
            "only torchvision's VGG16 without batch normalisation",
        ),
        ({"a.weight": (1,)}, "Received: another network, whose first tensors are a.weight"),
    ],
)
def test_other_networks_are_refused_with_the_reason(tmp_path, shapes, reason):
    with pytest.raises(UserError, match=reason):
        reading.read(write(tmp_path / "net.safetensors", shapes))


@settings(max_examples=100, deadline=None)
@given(st.data())
def test_a_damaged_file_never_raises_anything_else(tmp_path_factory, data):
    file = write(tmp_path_factory.mktemp("damaged") / "vgg16.safetensors", VGG16)
    content = bytearray(file.read_bytes())
    if data.draw(st.booleans()):
        del content[data.draw(st.integers(1, len(content) - 1)) :]
    else:
        content[data.draw(st.integers(0, 300))] = data.draw(st.integers(0, 255))
    file.write_bytes(content)
    try:
        reading.read(file)
    except UserError as error:
        assert len(str(error).splitlines()) == 1


def test_a_file_cut_short(tmp_path):
    file = write(tmp_path / "vgg16.safetensors", VGG16)
    file.write_bytes(file.read_bytes()[:-1])
    with pytest.raises(UserError, match="vgg16.safetensors: not a safetensors file that can be"):
        reading.read(file)
