import numpy as np

from lrcn.inference.export import comparing

from .conftest import classifier


def test_a_difference_of_any_output_counts(network):
    asked = network(classifier())
    keras = comparing.in_keras(asked)

    def off(frames):
        found = keras(frames)
        return {"probabilities": found["probabilities"] + 0.01, "frame_probabilities": 0}

    assert comparing.compare(keras, keras, asked, count=3).difference == 0
    assert np.isclose(comparing.compare(off, keras, asked, count=3).difference, 0.01)


def test_other_words_shapes_and_numbers_that_are_none_are_no_small_difference():
    words, numbers = np.zeros((1, 3), np.int32), np.zeros((1, 3), np.float32)
    assert comparing._apart({"words": words}, {"words": words}) == 0
    assert comparing._apart({"words": words}, {"words": words + 1}) == np.inf
    assert comparing._apart({"words": words}, {"words": words[:, :2]}) == np.inf
    assert comparing._apart({"p": numbers}, {"p": numbers * np.nan}) == np.inf
