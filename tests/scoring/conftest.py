"""Tiny description networks, one of each conditioning."""

import keras
import numpy as np
import pytest

from lrcn.data import text
from lrcn.models import description, networks

TOKENS = (*text.SPECIAL, "a", "b", "c", "d", "e", "f")
DESIGNS = {
    "step": description.Design("step", 1, 6, 5),
    "factored": description.Design("step", 2, 6, 5, factored=True),
    "state": description.Design("state", 2, 6, 5),
    "first_input": description.Design("first_input", 1, 6, 5),
    "encoder": description.Design("encoder", 1, 6, 5),
    "stack": description.Design("stack", 2, 6, 5),
}
FEATURES, TIME, LONGEST = 7, 3, 5


def build(name):
    """Returns a network over frames [batch, time, 4, 4, 3] that says many different words."""
    keras.utils.set_random_seed(1)
    frames = keras.Input((4, 4, 3), dtype="uint8")
    values = keras.layers.Flatten()(keras.layers.Rescaling(1 / 255)(frames))
    values = keras.layers.Dense(FEATURES, kernel_initializer="glorot_normal")(values)
    backbone = keras.Model(frames, values, name="tiny")
    return description.build(
        backbone,
        DESIGNS[name],
        vocabulary_size=len(TOKENS),
        tokens=TOKENS,
        max_length=LONGEST,
        dropout_in=0.5,
        dropout_out=0.5,
        initializer="uniform_1.5",
    )


@pytest.fixture(scope="session")
def vocabulary():
    return text.Vocabulary(TOKENS, LONGEST)


@pytest.fixture(scope="session", params=DESIGNS)
def network(request):
    """A network of each conditioning."""
    return build(request.param)


@pytest.fixture(scope="session")
def stepwise():
    """A network that sees the frame vector at every step."""
    return build("step")


@pytest.fixture(scope="session")
def features():
    rng = np.random.default_rng(0)
    return rng.normal(size=(6, TIME, FEATURES)).astype(np.float32)


@pytest.fixture
def next_word():
    """Returns the log-probabilities of the word after each begun caption, by the training graph."""

    def of(network, features, words):
        head = networks.head(network)
        given = {"features": features, "words": np.asarray(words, np.int32)}
        logits = keras.ops.convert_to_numpy(head(given, training=False)["logits"])
        logits = logits.astype(np.float64)
        return logits - np.log(np.exp(logits).sum(axis=-1, keepdims=True))

    return of
