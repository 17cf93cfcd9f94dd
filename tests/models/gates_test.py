import keras
import numpy as np
import pytest

from lrcn.models import gates

UNITS, VALUES, CONSTANT, TIME = 4, 3, 5, 6


@pytest.fixture
def lstm():
    keras.utils.set_random_seed(0)
    layer = keras.layers.LSTM(
        UNITS, return_sequences=True, return_state=True, bias_initializer="random_normal"
    )
    layer.build((None, None, VALUES + CONSTANT))
    return layer


@pytest.mark.parametrize("unroll", [False, True])
def test_a_constant_worked_out_once_equals_the_layer_that_sees_it_at_every_step(lstm, unroll):
    rng = np.random.default_rng(0)
    values = rng.normal(size=(2, TIME, VALUES)).astype("float32")
    constant = rng.normal(size=(2, CONSTANT)).astype("float32")
    first = [rng.normal(size=(2, UNITS)).astype("float32") for _ in range(2)]
    repeated = np.repeat(constant[:, None], TIME, axis=1)
    expected = lstm(np.concatenate([values, repeated], axis=-1), initial_state=first)
    share = gates.ConstantGates(lstm)(constant)
    assert share.shape == (2, 4 * UNITS)
    found = gates.GatedLSTM(lstm, unroll=unroll)([values, share], initial_state=first)
    for one, other in zip(found, expected, strict=True):
        np.testing.assert_allclose(one, other, atol=1e-6)


def test_the_weights_are_those_of_the_layer(lstm):
    share = gates.ConstantGates(lstm)
    steps = gates.GatedLSTM(lstm, unroll=False)
    state = np.zeros((1, UNITS), "float32")
    constant = np.ones((1, CONSTANT), "float32")
    values = np.ones((1, 2, VALUES), "float32")
    before = np.asarray(steps([values, share(constant)], initial_state=[state, state])[0])
    lstm.set_weights([2 * weight for weight in lstm.get_weights()])
    after = np.asarray(steps([values, share(constant)], initial_state=[state, state])[0])
    assert np.abs(after - before).max() > 0.01
    assert {id(weight) for weight in steps.trainable_weights} == {
        id(weight) for weight in lstm.trainable_weights
    }
