import numpy as np
import pytest
from PIL import Image

from lrcn.inference import fusion_plot
from lrcn.inference.fused import Measured

CURVE = [(w / 20, 0.5 + 0.3 * np.sin(np.pi * w / 20)) for w in range(21)]


def row(name, weight, how, accuracy=0.7):
    return Measured(name, (weight, 1 - weight), how, {"video_accuracy": accuracy}, None, (), ())


@pytest.mark.parametrize("first", ["rgb", "a$x^", "日本", "n" * 60])
def test_a_fusion_is_drawn_whatever_streams_are_called(tmp_path, first):
    rows = [row(first, 1, "alone"), row("flow", 0, "alone"), row("1/2, 1/2", 0.5, "paper")]
    rows += [row("1/3, 2/3", 1 / 3, "paper"), row("free", 0.4, "chosen on val")]
    curves = {"test": CURVE, "val": [(w, a - 0.1) for w, a in CURVE]}
    fusion_plot.draw(tmp_path / "f.png", curves, rows, reported="test")
    with Image.open(tmp_path / "f.png") as picture:
        assert picture.width > 800


def test_a_mark_stands_where_its_weight_is(tmp_path):
    ends = [row("rgb", 1, "alone", 0.5), row("flow", 0, "alone", 0.5)]
    pictures = []
    for weight in (0.25, 0.75):
        rows = [*ends, row("given", weight, "given", 0.7)]
        fusion_plot.draw(tmp_path / "f.png", {"test": CURVE}, rows, reported="test")
        pixels = np.asarray(Image.open(tmp_path / "f.png").convert("RGB"), int)
        orange = np.argwhere((pixels[..., 0] > 200) & (pixels[..., 2] < 60))
        columns, counts = np.unique(orange[:, 1] // 40, return_counts=True)
        pictures.append(set(columns[counts > 20] * 40))
    assert pictures[0] != pictures[1]
