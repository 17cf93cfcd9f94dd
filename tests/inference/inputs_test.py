import numpy as np
import pytest
from PIL import Image

from lrcn.inference import browse, inputs, strips
from lrcn.models import backbones


def shown_of(count, *, seed=0, time=3):
    rng = np.random.default_rng(seed)
    frames = rng.integers(0, 256, (count, time, 12, 14, 3)).astype(np.uint8)
    return [
        strips.Strip(own, tuple(range(time)), "id", f"$x_{at}$ " * 9)
        for at, own in enumerate(frames)
    ]


@pytest.mark.parametrize("modality", ["rgb", "flow", "difference"])
@pytest.mark.parametrize("count", [1, 6])
def test_the_numbers_are_those_of_all_strips(tmp_path, modality, count):
    layer = backbones.input_contract("caffenet", modality=modality)
    shown = shown_of(count)
    values = [np.asarray(layer(own.frames[own.places])) for own in shown]
    path = tmp_path / "input.png"
    told = inputs.draw(path, shown, values, contract=layer.contract(), title="title")
    assert told == browse.channels(np.concatenate(values), layer.contract())
    with Image.open(path) as picture:
        assert picture.width == 1950
        rows = min(count, inputs.MOST_ROWS)
        assert picture.height == pytest.approx((3.9 + 2.25 * rows) * 130, abs=2)


def test_little_motion_is_drawn_strongly():
    layer = backbones.input_contract("small", modality="flow")
    still = [np.asarray(layer(np.full((2, 8, 8, 3), 130, np.uint8)))]
    assert inputs._span(still, layer.contract()) == pytest.approx(128 / 127.5 / 8)
    assert inputs._span(still, {**layer.contract(), "modality": "rgb"}) == pytest.approx(
        128 / 127.5
    )


@pytest.mark.parametrize(
    ("value", "span", "expected"),
    [(-12.34, 151, "−12.3"), (-0.5, 1, "−0.500"), (-0.0001, 1, "0.000"), (0.04, 151, "0.0")],
)
def test_numbers_have_as_many_digits_as_tell_something(value, span, expected):
    assert inputs._number(value, span) == expected
