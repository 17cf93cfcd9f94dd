import pytest

from lrcn.report import charts

BOX = charts.Box(width=100, height=50, left=10, top=5, right=10, bottom=5)


def test_points_stand_where_their_values_are():
    series = charts.Series("p", [0, 5, 10], [0, 1, 0.5])
    chart = charts.lines("p", [series], x_label="", box=BOX, x_range=(0, 10), y_range=(0, 1))
    assert chart.lines[0].points == "10.0,45.0 50.0,5.0 90.0,25.0"
    assert chart.lines[0].dots[1] == (50.0, 5.0, "p,  5: 1")
    assert [text for _, text in chart.y_ticks] == ["0", "0.5", "1"]


def test_values_far_apart_stand_by_powers():
    series = charts.Series("loss", [1, 2, 3], [100, 10, 1])
    chart = charts.lines("loss", [series], x_label="epoch")
    heights = [y for _, y, _ in chart.lines[0].dots]
    assert heights[1] - heights[0] == pytest.approx(heights[2] - heights[1], abs=0.02)
    assert {"1", "10", "100"} <= {text for _, text in chart.y_ticks}


def test_one_point_and_equal_values_have_a_place():
    chart = charts.lines("loss", [charts.Series("loss", [1], [0.0])], x_label="epoch")
    ((x, y, _),) = chart.lines[0].dots
    assert chart.box.left <= x <= chart.box.inner_right
    assert chart.box.top <= y <= chart.box.inner_bottom


def test_a_band_covers_whole_frames():
    series = charts.Series("p", [0, 9], [0, 1])
    chart = charts.lines("p", [series], x_label="", box=BOX, x_range=(-0.5, 9.5), band=(0, 4))
    assert chart.band == (10.0, 40.0)


def test_ticks_leave_room_for_the_name_of_the_axis():
    series = charts.Series("p", list(range(200)), [0.5] * 200)
    chart = charts.lines("p", [series], x_label="frame")
    assert max(place for place, _ in chart.x_ticks) < chart.box.inner_right - 35
    assert not chart.lines[0].dots  # of 200 points none is drawn by itself


def test_bars_are_means_and_their_jobs():
    first, second, failed = charts.bars([("a", [0.8, 0.6]), ("b", [0.5]), ("c", [])], full=1.0)
    assert (first.share, first.dots) == (pytest.approx(0.7), (0.8, 0.6))
    assert first.text == "0.7000 ± 0.1414"
    assert (second.text, second.dots) == ("0.5000", ())
    assert (failed.share, failed.text) == (0.0, "failed")


def test_bars_of_scores_above_one_fill_the_axis():
    first, second = charts.bars([("a", [4.0]), ("b", [2.0])])
    assert (first.share, second.share) == (1.0, 0.5)
