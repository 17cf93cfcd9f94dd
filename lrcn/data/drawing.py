"""Draws coloured shapes on textured backgrounds, antialiased, with NumPy alone."""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Sequence

import numpy as np

COLOURS = {
    "red": (225, 35, 35),
    "green": (30, 190, 50),
    "blue": (45, 70, 240),
    "yellow": (245, 225, 40),
    "purple": (190, 50, 215),
    "white": (250, 250, 250),
}
TEXTURES = ("grain", "clouds", "stripes", "checks")
SUPERSAMPLING = 3
_ARM = 0.36  # half the width of a cross, in lengths of its arms


@dataclasses.dataclass(frozen=True)
class Figure:
    """One shape of a picture.

    Attributes:
        outline: Key of `OUTLINES`.
        colour: Key of `COLOURS`.
        x: Centre from the left, in pixels.
        y: Centre from the top, in pixels.
        radius: Of the circle about the shape, in pixels.
        angle: Orientation, in radians.
    """

    outline: str
    colour: str
    x: float
    y: float
    radius: float
    angle: float


@dataclasses.dataclass(frozen=True, eq=False)
class Background:
    """What is behind the shapes of a video.

    Attributes:
        values: `[height, width, 3] float32` from 0 to 255.
    """

    values: np.ndarray

    @functools.cached_property
    def pixels(self) -> np.ndarray:
        """The same as `[height, width, 3] uint8`: where there is no shape a frame is like it."""
        pixels = _rounded(self.values)
        pixels.setflags(write=False)
        return pixels


def picture(background: Background, figures: Sequence[Figure]) -> np.ndarray:
    """Draws figures over a background.

    Args:
        background: What is behind them.
        figures: Drawn in order, later ones over earlier ones.

    Returns:
        `[height, width, 3] uint8`.
    """
    pixels, canvas = background.pixels.copy(), background.values.copy()
    for figure in figures:
        rows, columns = (_window(centre, figure.radius) for centre in (figure.y, figure.x))
        window = canvas[rows, columns]
        cover = _cover(figure, rows.start, columns.start, window.shape[:2])[..., None]
        window += (np.float32(COLOURS[figure.colour]) - window) * cover
        pixels[rows, columns] = _rounded(window)
    return pixels


def background(rng: np.random.Generator, size: int) -> Background:
    """Draws a textured background of two dull colours.

    Args:
        rng: Source of kind, colours and pattern.
        size: Height and width in pixels.
    """
    pattern = _PATTERNS[TEXTURES[rng.integers(len(TEXTURES))]](rng, size)
    light = rng.uniform(25, 55)
    first, second = light + rng.uniform(-12, 12, [2, 3])
    blend = first + (second - first + rng.uniform(-20, 20)) * pattern[..., None]
    return Background((blend + rng.normal(0, 3, [size, size, 1])).astype(np.float32))


def _rounded(values: np.ndarray) -> np.ndarray:
    return np.clip(np.rint(values), 0, 255).astype(np.uint8)


def _window(centre: float, radius: float) -> slice:
    """Returns the pixels that a figure can touch along one axis."""
    return slice(max(int(centre - radius) - 1, 0), max(int(centre + radius) + 2, 0))


def _cover(figure: Figure, top: int, left: int, shape: tuple[int, int]) -> np.ndarray:
    """Returns the share of each pixel that the figure covers, `[height, width] float32`."""
    # In single precision and without angles or roots: a data set is thousands of frames.
    rows, columns = (
        (
            np.float32(first - centre)
            + (np.arange(length * SUPERSAMPLING, dtype=np.float32) + 0.5) / SUPERSAMPLING
        )
        / np.float32(figure.radius)
        for first, length, centre in zip((top, left), shape, (figure.y, figure.x), strict=True)
    )
    cosine, sine = np.float32(np.cos(figure.angle)), np.float32(np.sin(figure.angle))
    down, right = rows[:, np.newaxis], columns[np.newaxis]
    along, across = cosine * right + sine * down, cosine * down - sine * right
    inside = OUTLINES[figure.outline](along, across).view(np.uint8)
    # Strides, since NumPy is slow to sum along an axis of three.
    counts = sum(inside[first::SUPERSAMPLING] for first in range(SUPERSAMPLING))
    counts = sum(counts[:, first::SUPERSAMPLING] for first in range(SUPERSAMPLING))
    return counts.astype(np.float32) / np.float32(SUPERSAMPLING**2)


def _circle(along: np.ndarray, across: np.ndarray) -> np.ndarray:
    return along * along + across * across < 1


def _square(along: np.ndarray, across: np.ndarray) -> np.ndarray:
    return np.abs(along) + np.abs(across) < 1


def _triangle(along: np.ndarray, across: np.ndarray) -> np.ndarray:
    return (along + np.float32(np.sqrt(3)) * np.abs(across) < 1) & (along > -0.5)


def _cross(along: np.ndarray, across: np.ndarray) -> np.ndarray:
    along, across = np.abs(along), np.abs(across)
    end = np.float32(1 / np.hypot(1, _ARM))
    return (np.maximum(along, across) < end) & (np.minimum(along, across) < _ARM * end)


OUTLINES = {"circle": _circle, "square": _square, "triangle": _triangle, "cross": _cross}
"""Whether points are inside, by where they are from the centre, in radii of the circle about it.

A corner or the end of an arm is along the orientation of the figure.
"""


def _grain(rng: np.random.Generator, size: int) -> np.ndarray:
    return rng.random([size, size])


def _clouds(rng: np.random.Generator, size: int) -> np.ndarray:
    """Blends a coarse grid of random values, linearly between its points."""
    points = rng.integers(3, 8)
    grid = rng.random([points, points])
    places = np.linspace(0, points - 1, size)
    rows = np.stack([np.interp(places, np.arange(points), row) for row in grid])
    return np.stack([np.interp(places, np.arange(points), column) for column in rows.T], axis=1)


def _waves(rng: np.random.Generator, size: int, angle: float) -> np.ndarray:
    """Returns a wave of random length and phase across the picture, from -1 to 1."""
    rows, columns = np.mgrid[:size, :size] / size
    turns = rng.uniform(3, 8) * (columns * np.cos(angle) + rows * np.sin(angle))
    return np.sin(2 * np.pi * (turns + rng.random()))


def _stripes(rng: np.random.Generator, size: int) -> np.ndarray:
    return _waves(rng, size, rng.uniform(0, np.pi)) / 2 + 0.5


def _checks(rng: np.random.Generator, size: int) -> np.ndarray:
    angle = rng.uniform(0, np.pi)
    crossed = _waves(rng, size, angle) * _waves(rng, size, angle + np.pi / 2)
    return np.clip(crossed * 4, -1, 1) / 2 + 0.5


_PATTERNS = {"grain": _grain, "clouds": _clouds, "stripes": _stripes, "checks": _checks}
