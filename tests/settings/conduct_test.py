import dataclasses

import pytest

from lrcn import settings
from lrcn.settings import conduct


@pytest.mark.parametrize(
    "key",
    [
        *("num_threads", "evaluate", "limits", "limits.frames", "strategy", "strategy.count"),
        *("strategy@strategy", "callbacks.save_seconds"),
    ],
)
def test_how_a_training_is_carried_out(key):
    assert settings.is_of_conduct(key)


@pytest.mark.parametrize(
    "key", ["seed", "epochs", "callbacks", "callbacks.patience", "optimizer.name", "limitsx"]
)
def test_what_a_training_learns(key):
    assert not settings.is_of_conduct(key)


def test_the_keys_are_those_of_a_training():
    own = {field.name for field in dataclasses.fields(settings.TrainSettings)}
    own |= {f"callbacks.{field.name}" for field in dataclasses.fields(settings.Callbacks)}
    assert set(conduct._KEYS) <= own
