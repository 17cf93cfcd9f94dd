import numpy as np
import pytest

from lrcn.report import drawing

pytest.importorskip("tensorflow")
from lrcn.report import watching  # noqa: E402 - needs TensorFlow


def watched(count, *, window, heat=True, classes=6):
    rng = np.random.default_rng(0)
    frames = rng.integers(0, 256, (count, 20, 30, 3)).astype(np.uint8)
    values = rng.random((count, classes))
    window = np.array(window)
    hot = rng.random((len(window), 20, 30)).astype(np.float32) if heat else None
    return watching.Watched(np.arange(count), frames, values, window, hot, "" if heat else "no")


def drawn(own, **options):
    lines = drawing.series(own, "abcdef", 2, (5,))
    return drawing.pictures(own, lines, share=10**6, modality="rgb", **options)


def test_a_video_has_frames_at_the_middles_of_equal_parts():
    made = drawn(watched(80, window=range(16, 32)))
    assert [own.number for own in made.strip] == [4, 14, 24, 34, 44, 54, 64, 74]
    assert [own.number for own in made.heat] == [17, 19, 21, 23, 25, 27, 29, 31]
    assert made.window == (16, 31)
    start, length = made.chart.band
    inner = drawing.BOX.inner_right - drawing.BOX.left
    assert start == pytest.approx(drawing.BOX.left + inner * 16 / 80, abs=0.1)
    assert length == pytest.approx(inner * 16 / 80, abs=0.1)
    assert made.animation != made.still and made.is_small


def test_a_window_that_is_the_whole_video_is_not_shaded():
    made = drawn(watched(4, window=range(4)))
    assert made.chart.band is None
    assert [own.number for own in made.strip] == [0, 1, 2, 3]


def test_an_image_has_no_time():
    made = drawn(watched(1, window=[0]))
    assert made.chart is None and made.strip == () and made.animation == made.still
    assert len(made.heat) == 1


def test_without_heat_the_reason_is_told():
    made = drawn(watched(4, window=range(4), heat=False))
    assert made.heat == () and made.no_heat == "no"


def test_the_answer_comes_first_and_the_truth_is_always_there():
    own = watched(4, window=range(4))
    own.probabilities[:] = [0.5, 0.2, 0.1, 0.1, 0.1, 0.0]
    lines = drawing.series(own, "abcdef", 0, (5,))
    assert [line.name for line in lines] == ["a", "b", "c", "d", "f (true)"]
    assert [line.dashed for line in lines] == [False, False, False, False, True]
