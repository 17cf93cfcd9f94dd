"""The LSTM that multiplies its inputs at once is Keras's own up to rounding, forward and back."""

import keras
import numpy as np
import pytest
import tensorflow as tf
from keras import ops

from lrcn.models import recurrent

ROUNDING = 1e-5


def made(kind, **options):
    layer = kind(5, return_sequences=True, return_state=True, **options)
    layer.build((None, None, 7))
    rng = np.random.default_rng(0)
    layer.set_weights([rng.normal(size=weight.shape) for weight in layer.weights])
    return layer


@pytest.fixture
def sequence():
    return tf.constant(np.random.default_rng(1).normal(size=(3, 4, 7)).astype(np.float32))


def gradients(layer, sequence, **options):
    with tf.GradientTape() as tape:
        tape.watch(sequence)
        outputs = layer(sequence, **options)
        loss = sum(ops.sum(ops.square(output)) for output in outputs)
    variables = [weight.value for weight in layer.trainable_weights]
    return outputs, tape.gradient(loss, [sequence, *variables])


@pytest.mark.parametrize(
    "options", [{}, {"use_bias": False}, {"go_backwards": True}, {"dropout": 0.5}]
)
def test_outputs_states_and_gradients_are_those_of_keras(sequence, options):
    (ours, own), (theirs, other) = (
        gradients(made(kind, **options), sequence) for kind in (recurrent.LSTM, keras.layers.LSTM)
    )
    assert ours[0].shape == (3, 4, 5)
    for one, two in zip((*ours, *own), (*theirs, *other), strict=True):
        np.testing.assert_allclose(one, two, rtol=ROUNDING, atol=ROUNDING)


def test_first_states_and_masks_count(sequence):
    layers = [made(kind) for kind in (recurrent.LSTM, keras.layers.LSTM)]
    states = [tf.ones((3, 5)), -tf.ones((3, 5))]
    mask = tf.constant([[True, True, False, False]] * 3)
    for options in ({"initial_state": states}, {"mask": mask}):
        ours, theirs = (layer(sequence, **options) for layer in layers)
        for one, two in zip(ours, theirs, strict=True):
            np.testing.assert_allclose(one, two, rtol=ROUNDING, atol=ROUNDING)


def test_the_inputs_are_multiplied_once_for_all_steps(sequence):
    layer = made(recurrent.LSTM)
    graph = tf.function(lambda given: layer(given)[0]).get_concrete_function(sequence).graph
    products = [node for node in graph.get_operations() if node.type in ("MatMul", "BatchMatMulV2")]
    assert len(products) == 1  # that of the states stands in the loop


def test_a_saved_network_keeps_it(tmp_path):
    inputs = keras.Input((None, 7))
    model = keras.Model(inputs, recurrent.LSTM(5, name="lstm")(inputs))
    model.save(tmp_path / "model.keras")
    again = keras.models.load_model(tmp_path / "model.keras")
    assert type(again.get_layer("lstm")) is recurrent.LSTM
    assert [weight.path for weight in again.weights] == [
        "lstm/lstm_cell/kernel",
        "lstm/lstm_cell/recurrent_kernel",
        "lstm/lstm_cell/bias",
    ]
    given = np.ones((2, 3, 7), np.float32)
    np.testing.assert_array_equal(model(given), again(given))
