"""Which backbone a file is of, and which layer plays which part."""

import numpy as np
import pytest

from lrcn.errors import UserError
from lrcn.models.foreign import architectures, source

KINDS = {"norm": source.NORM, "pool": source.POOL}


def layer(name, *shape, kind=""):
    tensors = (source.Tensor(f"{name}[0]", np.zeros(shape, "float32")),) if shape else ()
    return source.Layer(name, kind, tensors)


def found(*layers, name="net", axes="caffe"):
    return source.Source("a file", name, layers, axes, source.BGR, "Caffe's usual")


def alexnet(*followers, name="net", size=11):
    then = (layer(each, kind=KINDS[each]) for each in followers)
    return found(layer("conv1", 96, 3, size, size), *then, layer("conv2", 256, 48, 5, 5), name=name)


@pytest.mark.parametrize(
    ("file", "expected"),
    [
        (alexnet("norm", "pool"), "alexnet"),
        (alexnet("pool", "norm"), "caffenet"),
        (alexnet("pool", "norm", name="AlexNet"), "caffenet"),  # the layers tell, not the name
        (alexnet(name="bvlc_alexnet"), "alexnet"),
        (alexnet(name="bvlc_reference_CaffeNet"), "caffenet"),
        (alexnet(size=7), "hybrid"),
        (alexnet("pool", "norm", size=7), "hybrid"),
        (found(layer("conv1", 11, 11, 3, 96), name="bvlc_alexnet", axes="keras"), "alexnet"),
        (found(layer("conv5_3", 512, 512, 3, 3)), "vgg16"),
        (found(layer("features.28", 512, 512, 3, 3)), "vgg16"),
    ],
)
def test_the_file_tells(file, expected):
    assert architectures.choose(file, None) == expected
    assert architectures.choose(file, expected) == expected


@pytest.mark.parametrize(
    ("file", "asked", "message"),
    [
        (alexnet("norm", "pool"), "caffenet", "then comes norm and then pool. Expected: alexnet"),
        (alexnet("pool", "norm"), "alexnet", "then comes pool and then norm. Expected: caffenet"),
        (alexnet(name="bvlc_alexnet"), "caffenet", "it is named bvlc_alexnet. Expected: alexnet"),
        (alexnet("pool", "norm"), "hybrid", "its first convolution is 11x11"),
        (found(layer("conv5_3", 512, 512, 3, 3)), "caffenet", "Expected: vgg16"),
        (alexnet(), "mobilenet", "no foreign weights are known for this backbone"),
    ],
)
def test_another_backbone_than_the_file_s_is_refused(file, asked, message):
    with pytest.raises(UserError, match=message):
        architectures.choose(file, asked)


def test_where_the_file_does_not_tell_it_is_asked_for():
    with pytest.raises(UserError, match="Expected: alexnet or caffenet. Name it, .*equal shapes"):
        architectures.choose(alexnet(), None)
    assert architectures.choose(alexnet(), "caffenet") == "caffenet"
    with pytest.raises(UserError, match="no layer conv1 or conv5_3"):
        architectures.choose(found(layer("ip1", 10, 10)), None)


@pytest.mark.parametrize(
    "file",
    [
        alexnet("norm", "pool", size=7),
        alexnet("pool"),
        found(layer("conv3_4", 256, 256, 3, 3), layer("conv5_3", 512, 512, 3, 3)),
    ],
)
def test_networks_that_no_backbone_is_equal_to(file):
    for asked in (None, "hybrid"):
        with pytest.raises(UserError, match="no backbone is equal to this network"):
            architectures.choose(file, asked)


@pytest.mark.parametrize(
    ("name", "architecture", "part", "matches"),
    [
        ("fc8-ucf101", "caffenet", "fc8", True),
        ("conv1_ft", "caffenet", "conv1", True),
        ("conv1_1", "caffenet", "conv1", False),
        ("conv1_1", "vgg16", "block1_conv1", True),
        ("conv12", "caffenet", "conv1", False),
        ("features.2", "vgg16", "block1_conv2", True),
        ("features.21", "vgg16", "block1_conv2", False),
        ("classifier.6", "vgg16", "predictions", True),
        ("relu_fc8", "caffenet", "fc8", False),
    ],
)
def test_names_in_the_wild(name, architecture, part, matches):
    file = found(layer(part), layer(name, 1, 1))
    chosen = architectures.layer_of(file, architecture, part)
    assert chosen is (file.layers[1] if matches else None)
