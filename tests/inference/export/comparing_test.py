import numpy as np
import pytest

from lrcn.inference.export import comparing, graph

from .conftest import captioner, classifier

CASES = {
    "clips": ({}, {}),
    "several-may-be-true": ({"multi_label": True}, {}),
    "images": ({}, {"of_images": True}),
}


@pytest.mark.parametrize("name", ["probabilities", "frame_probabilities"])
def test_a_difference_of_any_output_counts(name, network):
    asked = network(classifier())
    keras = comparing.in_keras(asked)

    def off(frames):
        found = keras(frames)
        return {**found, name: found[name] + 0.01}

    assert comparing.compare(keras, keras, asked, count=3).difference == 0
    assert np.isclose(comparing.compare(off, keras, asked, count=3).difference, 0.01)


@pytest.mark.parametrize(("given", "options"), CASES.values(), ids=CASES)
def test_keras_gives_what_the_exported_function_gives(given, options, network):
    asked = network(classifier(**given), **options)
    frames = np.zeros((2, *(() if asked.of_images else (3,)), 24, 32, 3), np.uint8)
    wanted = graph.running(graph.traced(asked))(frames)
    found = comparing.in_keras(asked)(frames)
    assert wanted.keys() == found.keys()
    for name, values in wanted.items():
        np.testing.assert_allclose(found[name], values, atol=1e-5)


def test_captions_have_their_outputs(network, greedy):
    asked = network(captioner("step"), of_images=True, find=greedy)
    found = comparing.in_keras(asked)(np.zeros((1, 24, 32, 3), np.uint8))
    assert found.keys() == {"words", "log_probability"}


def test_other_words_shapes_and_numbers_that_are_none_are_no_small_difference():
    words, numbers = np.zeros((1, 3), np.int32), np.zeros((1, 3), np.float32)
    assert comparing._apart({"words": words}, {"words": words}) == 0
    assert comparing._apart({"words": words}, {"words": words + 1}) == np.inf
    assert comparing._apart({"words": words}, {"words": words[:, :2]}) == np.inf
    assert comparing._apart({"p": numbers}, {"p": numbers * np.nan}) == np.inf
    assert comparing._apart({"p": numbers * np.nan}, {"p": numbers}) == np.inf
    assert comparing._apart({"p": numbers - np.inf}, {"p": numbers - np.inf}) == np.inf


def test_outputs_that_are_missing_or_too_many_are_no_small_difference():
    one, two = {"p": np.zeros(3)}, {"p": np.zeros(3), "q": np.zeros(3)}
    assert comparing._apart(one, two) == comparing._apart(two, one) == np.inf
    assert comparing._apart(two, two) == 0
