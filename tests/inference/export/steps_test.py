import keras
import numpy as np
import pytest
import tensorflow as tf

from lrcn.inference.export import steps
from lrcn.models import networks, recurrent

from .conftest import classifier


@pytest.mark.parametrize("time", [None, 6, 1])
def test_steps_in_place_give_what_a_scan_gives(time):
    keras.utils.set_random_seed(0)
    layer = recurrent.LSTM(4, return_sequences=True, return_state=True)
    values = np.random.default_rng(0).normal(size=(3, time or 5, 2)).astype(np.float32)
    wanted = layer(values)
    layer.steps = steps.in_place
    signature = [tf.TensorSpec([None, time, 2])]
    found = tf.function(lambda given: layer(given), input_signature=signature)(values)
    for one, other in zip(wanted, found, strict=True):
        np.testing.assert_allclose(one, other, atol=1e-6)


def test_a_network_goes_on_as_before_after_the_block():
    model = classifier()
    (layer,) = (own for own in networks.head(model).layers if isinstance(own, recurrent.LSTM))
    with steps.plain(model):
        assert layer.steps is steps.in_place
    assert layer.steps is recurrent.scanned
