import math

import keras
import numpy as np
import pytest

from lrcn import errors
from lrcn.training import schedules


def rates(schedule, steps):
    return [float(schedule(step)) for step in steps]


def test_constant_is_a_number():
    assert schedules.build("constant", learning_rate=0.3, total_steps=10) == 0.3


def test_staircase_is_caffes_step_policy():
    schedule = schedules.build(
        "staircase", learning_rate=0.001, total_steps=30000, decay_steps=10000, decay_rate=0.1
    )
    steps = [0, 9999, 10000, 19999, 20000, 29999]
    expected = [0.001 * 0.1 ** (step // 10000) for step in steps]
    np.testing.assert_allclose(rates(schedule, steps), expected, rtol=1e-6)


def test_exponential_falls_at_every_step_and_differs_from_staircase():
    arguments = {"learning_rate": 1.0, "total_steps": 100, "decay_steps": 10, "decay_rate": 0.5}
    smooth = rates(schedules.build("exponential", **arguments), range(40))
    stairs = rates(schedules.build("staircase", **arguments), range(40))
    np.testing.assert_allclose(smooth, [0.5 ** (step / 10) for step in range(40)], rtol=1e-5)
    assert all(smooth[step] > smooth[step + 1] for step in range(39))
    assert all(smooth[step] < stairs[step] for step in range(40) if step % 10)


def test_cosine_ends_at_its_fraction():
    schedule = schedules.build("cosine", learning_rate=2.0, total_steps=50, final_rate=0.1)
    values = rates(schedule, [0, 25, 50])
    np.testing.assert_allclose(values, [2.0, 2 * (0.1 + 0.9 * 0.5), 0.2], rtol=1e-5)


@pytest.mark.parametrize("name", schedules.NAMES)
def test_warm_up_rises_then_the_schedule_begins(name):
    decay_steps = None if name == "cosine" else 20
    arguments = {"learning_rate": 0.8, "total_steps": 104, "decay_steps": decay_steps}
    warm = schedules.build(name, warmup_steps=4, **arguments)
    np.testing.assert_allclose(rates(warm, range(4)), [0.16, 0.32, 0.48, 0.64], rtol=1e-6)
    plain = schedules.build(name, **{**arguments, "total_steps": 100})
    for step in (0, 1, 19, 20, 57):
        expected = plain if isinstance(plain, float) else float(plain(step))
        assert math.isclose(float(warm(step + 4)), expected, rel_tol=1e-6)


@pytest.mark.parametrize("name", schedules.NAMES)
def test_schedules_survive_serialization(name):
    schedule = schedules.build(
        name, learning_rate=0.8, total_steps=104, decay_steps=20, warmup_steps=4
    )
    saved = keras.saving.serialize_keras_object(schedule)
    again = keras.saving.deserialize_keras_object(saved)
    assert rates(again, range(0, 60, 7)) == rates(schedule, range(0, 60, 7))


@pytest.mark.parametrize(
    ("name", "arguments", "key"),
    [
        ("linear", {}, "schedule:"),
        ("staircase", {}, "schedule.decay_steps"),
        ("exponential", {"decay_steps": 0}, "schedule.decay_steps"),
        ("cosine", {"warmup_steps": 10}, "schedule.warmup_steps"),
        ("constant", {"warmup_steps": -1}, "schedule.warmup_steps"),
    ],
)
def test_impossible_schedules_are_named(name, arguments, key):
    with pytest.raises(errors.UserError, match=key):
        schedules.build(name, learning_rate=0.1, total_steps=10, **arguments)
