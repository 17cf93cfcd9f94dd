import numpy as np

from lrcn.page import courses, pictures


def course(seconds, *values):
    labels = tuple("abcdef"[: len(values)])
    return courses.Course(np.asarray(seconds, float), labels, np.asarray(values, float))


def test_a_class_has_one_colour_in_all_answers():
    found = pictures.colours([["left", "right"], ["right", "up"]])
    assert found == {"left": 1, "right": 2, "up": 3}
    many = pictures.colours([[str(number) for number in range(pictures.COLOURS + 2)]])
    assert list(many.values())[-3:] == [pictures.COLOURS, 0, 0]


def test_lines_stand_at_their_times_and_the_likeliest_is_drawn_last():
    lines = pictures.curves(course([0, 1, 4], [1, 0.5, 0], [0, 0.5, 1]), 5)
    assert lines == [
        ("b", "0.0,100.0 200.0,50.0 800.0,0.0"),
        ("a", "0.0,0.0 200.0,50.0 800.0,100.0"),
    ]


def test_what_no_window_shows_stays_empty():
    ((_, points),) = pictures.curves(course([2, 3], [0.25, 0.5]), 10)
    assert points == "200.0,75.0 300.0,50.0"


def test_one_frame_is_a_short_level_line_at_its_time():
    assert pictures.curves(course([0], [0.25]), 4) == [("a", "0.0,75.0 20.0,75.0")]
    assert pictures.curves(course([2], [0.25]), 4) == [("a", "500.0,75.0 520.0,75.0")]
    assert pictures.curves(course([4], [0.25]), 4) == [("a", "980.0,75.0 1000.0,75.0")]


def test_long_videos_have_a_bounded_number_of_points():
    values = np.linspace(0, 1, 5000)
    ((_, points),) = pictures.curves(course(np.arange(5000), values), 5000)
    assert len(points.split()) == 600
    assert points.endswith("999.8,0.0")


def test_ticks_are_as_exact_as_the_length_asks_for():
    assert pictures.ticks(3) == ["0.0 s", "1.5 s", "3.0 s"]
    assert pictures.ticks(90) == ["0 s", "45 s", "90 s"]


def test_a_picture_is_held_by_its_address():
    assert pictures.embedded(b"abc") == "data:image/jpeg;base64,YWJj"
