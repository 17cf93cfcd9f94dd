import numpy as np
import pytest

from lrcn.data import drawing


def plain(size=40, value=0.0):
    return drawing.Background(np.full([size, size, 3], value, np.float32))


def cover(figure, size=40):
    """Area of a white figure on black, in pixels."""
    return drawing.picture(plain(size), [figure]).astype(float)[..., 0].sum() / 250


@pytest.mark.parametrize(
    ("outline", "area"),
    [
        ("circle", np.pi),
        ("square", 2.0),
        ("triangle", 3 * np.sqrt(3) / 4),
        ("cross", 4 * (2 * 0.36 - 0.36**2) / (1 + 0.36**2)),
    ],
)
@pytest.mark.parametrize("angle", [0.0, 0.7])
def test_a_figure_has_the_area_of_its_geometry_in_any_orientation(outline, area, angle):
    figure = drawing.Figure(outline, "white", x=19.3, y=20.8, radius=12.0, angle=angle)
    assert cover(figure) == pytest.approx(area * 12**2, rel=0.01)


def test_a_figure_lies_where_it_is_placed_and_keeps_to_its_radius():
    picture = drawing.picture(
        plain(), [drawing.Figure("circle", "red", x=30.0, y=10.0, radius=5.0, angle=0.0)]
    )
    rows, columns = np.nonzero(picture[..., 0])
    assert (rows.min(), rows.max()) == (5, 14)
    assert (columns.min(), columns.max()) == (25, 34)
    assert tuple(picture[10, 30]) == drawing.COLOURS["red"]


def test_a_figure_partly_or_wholly_outside_is_cut():
    half = drawing.Figure("circle", "white", x=0.0, y=20.0, radius=8.0, angle=0.0)
    assert cover(half) == pytest.approx(np.pi * 64 / 2, rel=0.02)
    for x, y in [(-30.0, 20.0), (80.0, 20.0), (20.0, -30.0), (20.0, 80.0)]:
        outside = drawing.Figure("circle", "white", x=x, y=y, radius=8.0, angle=0.0)
        assert cover(outside) == 0


def test_later_figures_cover_earlier_ones_and_the_background_is_kept():
    background = plain(value=10)
    figures = [
        drawing.Figure("square", colour, x=20.0, y=20.0, radius=9.0, angle=0.0)
        for colour in ("red", "blue")
    ]
    picture = drawing.picture(background, figures)
    assert tuple(picture[20, 20]) == drawing.COLOURS["blue"]
    assert (background.values == 10).all() and (background.pixels == 10).all()
    assert picture.dtype == np.uint8


@pytest.mark.parametrize("seed", range(8))
def test_backgrounds_are_textured_dull_and_repeatable(seed):
    picture = drawing.background(np.random.default_rng(seed), 32).values
    assert picture.shape == (32, 32, 3)
    assert picture.dtype == np.float32
    assert picture.std(axis=(0, 1)).min() > 1
    # Every colour of a shape stands out from every background.
    distances = [
        np.abs(picture - np.float32(colour)).max(axis=-1).min()
        for colour in drawing.COLOURS.values()
    ]
    assert min(distances) > 40
    again = drawing.background(np.random.default_rng(seed), 32)
    np.testing.assert_array_equal(picture, again.values)


def test_what_is_outside_of_all_figures_is_as_without_them():
    background = drawing.background(np.random.default_rng(3), 40)
    figures = [
        drawing.Figure("triangle", "red", x=8.0, y=9.0, radius=5.0, angle=0.3),
        drawing.Figure("cross", "blue", x=30.5, y=21.0, radius=6.0, angle=0.0),
    ]
    picture, alone = drawing.picture(background, figures), background.pixels
    touched = np.zeros([40, 40], bool)
    for figure in figures:
        rows, columns = np.mgrid[:40, :40] + 0.5
        touched |= np.hypot(rows - figure.y, columns - figure.x) < figure.radius + 1
        np.testing.assert_array_equal(
            picture[int(figure.y), int(figure.x)], drawing.COLOURS[figure.colour]
        )
    np.testing.assert_array_equal(picture[~touched], alone[~touched])
    assert (picture[touched] != alone[touched]).any()
