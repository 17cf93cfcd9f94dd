"""Every format has every network: what its own runtime gives is what Keras gives."""

import importlib
import json

import keras
import numpy as np
import pytest

from lrcn.data import augment
from lrcn.inference.export import comparing, contract, example, graph, precision
from lrcn.models import activity, backbones
from lrcn.scoring import describer

from .conftest import captioner, classifier

NETWORKS = {
    "lstm": lambda: (classifier(layers=2, pooling="max"), {}),
    "lstm-fixed": lambda: (classifier(multi_label=True), {"time": 4}),
    "caffenet": lambda: (classifier(caffenet()), of_size(39)),  # grouped convolutions, LRN
    "mobilenet": lambda: (classifier(mobilenet()), of_size(32)),
    "own-size": lambda: (classifier(), {"stored": None}),
    "step": lambda: (captioner("step"), {"of_images": True, "find": greedy()}),
    "state": lambda: (captioner("state", 2), {"of_images": True, "find": greedy()}),
    "first_input": lambda: (captioner("first_input"), {"find": greedy()}),
    "encoder": lambda: (captioner("encoder"), {"find": greedy(), "time": 4}),
    "stack-beam": lambda: (captioner("stack", 2), {"find": beam()}),
}
CASES = [  # TensorFlow's own format needs no translation, so two are enough
    *(("saved_model", name) for name in ("lstm", "step")),
    *(("litert", name) for name in NETWORKS),
    *(pytest.param("onnx", name, marks=pytest.mark.extras) for name in NETWORKS),
]


def caffenet():
    return backbones.build("caffenet", image_size=(39, 39), layer="fc6")


def mobilenet():
    backbone = backbones.build("mobilenet", image_size=(32, 32), alpha=0.25)
    for weight in backbone.weights:
        if "kernel" in weight.path:  # as drawn, and without training, nothing comes through
            weight.assign(4 * weight)
    return backbone


def of_size(size):
    return {"view": augment.View((size, size), "fit"), "time": 2}


def greedy():
    return describer.searcher("greedy", max_length=5)


def beam():
    return describer.searcher("beam", max_length=5, width=3, length_penalty=0.5)


def written(network, format, folder):
    if format == "onnx":
        pytest.importorskip("tf2onnx", reason="the extra `onnx` is not installed")
    module = importlib.import_module(f"lrcn.inference.export.{format}")
    function = graph.traced(network, variables=module.HAS_VARIABLES)
    module.write(function, folder)
    told = {"format": format, "file": module.FILE, "inputs": [contract._input(network, "rgb")]}
    (folder / "contract.json").write_text(json.dumps(told))
    return example.load(folder), graph.running(function)


def tells_frames_apart(own, shape):
    """Whether an answer depends on what is seen at all, so that there is something to compare."""
    frames = np.random.default_rng(1).integers(0, 256, shape, np.uint8)
    frames[:, 0] //= 8
    first, *others = own(frames)["frame_probabilities"][0]
    return np.abs(first - others).max() > 1e-3


@pytest.mark.filterwarnings("ignore")  # of the converters
@pytest.mark.parametrize(("format", "name"), CASES)
def test_an_export_gives_what_keras_gives(format, name, network, tmp_path):
    model, options = NETWORKS[name]()
    asked = network(model, **options)
    own, traced = written(asked, format, tmp_path)
    count = asked.time or 4
    compared = comparing.compare(own, traced, asked, count=count)
    assert compared.difference < 1e-5
    if asked.find is None:
        assert tells_frames_apart(own, compared.shape)
    leading = (1,) if asked.of_images else (1, count)
    assert compared.shape == (*leading, *compared.shape[-3:])


@pytest.mark.filterwarnings("ignore")
def test_an_image_of_a_classifier_is_one_frame(network, tmp_path):
    asked = network(classifier(), of_images=True)
    own, _ = written(asked, "litert", tmp_path)
    found = own(np.zeros((2, 24, 32, 3), np.uint8))
    assert found.keys() == {"probabilities"} and found["probabilities"].shape == (2, 3)


@pytest.mark.filterwarnings("ignore")
def test_frames_have_probabilities_of_their_own(network, tmp_path):
    own, _ = written(network(classifier()), "litert", tmp_path)
    frames = np.random.default_rng(0).integers(0, 256, (2, 5, 30, 50, 3), np.uint8)
    found = own(frames)
    assert found["frame_probabilities"].shape == (2, 5, 3)
    np.testing.assert_allclose(
        found["frame_probabilities"].mean(axis=1), found["probabilities"], atol=1e-6
    )


def test_what_was_trained_in_half_precision_is_exported_in_float32():
    keras.config.set_dtype_policy("mixed_bfloat16")
    try:
        model = activity.lstm(backbones.build("small", image_size=(16, 16)), num_classes=3, units=4)
    finally:
        keras.config.set_dtype_policy("float32")
    backbone = precision.whole(model).get_layer("backbone").layer
    assert model.get_layer("backbone").layer.layers[-1].compute_dtype == "bfloat16"
    assert {layer.compute_dtype for layer in backbone.layers} == {"float32"}
    for one, other in zip(precision.whole(model).weights, model.weights, strict=True):
        assert one.path == other.path
        np.testing.assert_array_equal(one, other)


def test_a_network_in_float32_is_taken_as_it_is():
    model = classifier()
    assert precision.whole(model) is model
