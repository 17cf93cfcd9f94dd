"""Draws coloured shapes on textured backgrounds, antialiased, with NumPy alone."""

from __future__ import annotations

import dataclasses
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


def picture(background: np.ndarray, figures: Sequence[Figure]) -> np.ndarray:
    """Draws figures over a background.

    Args:
        background: `[height, width, 3] float32` from 0 to 255.
        figures: Drawn in order, later ones over earlier ones.

    Returns:
        `[height, width, 3] uint8`.
    """
    canvas = background.copy()
    for figure in figures:
        rows, columns = (_window(centre, figure.radius) for centre in (figure.y, figure.x))
        window = canvas[rows, columns]
        cover = _cover(figure, rows.start, columns.start, window.shape[:2])[..., None]
        window += (np.float32(COLOURS[figure.colour]) - window) * cover
    return np.clip(np.rint(canvas), 0, 255).astype(np.uint8)


def background(rng: np.random.Generator, size: int) -> np.ndarray:
    """Draws a textured background of two dull colours.

    Args:
        rng: Source of kind, colours and pattern.
        size: Height and width in pixels.

    Returns:
        `[size, size, 3] float32` from 0 to 255.
    """
    pattern = _PATTERNS[TEXTURES[rng.integers(len(TEXTURES))]](rng, size)
    light = rng.uniform(25, 55)
    first, second = light + rng.uniform(-12, 12, [2, 3])
    blend = first + (second - first + rng.uniform(-20, 20)) * pattern[..., None]
    return (blend + rng.normal(0, 3, [size, size, 1])).astype(np.float32)


def _window(centre: float, radius: float) -> slice:
    """Returns the pixels that a figure can touch along one axis."""
    return slice(max(int(centre - radius) - 1, 0), max(int(centre + radius) + 2, 0))


def _cover(figure: Figure, top: int, left: int, shape: tuple[int, int]) -> np.ndarray:
    """Returns the share of each pixel that the figure covers, `[height, width] float32`."""
    # In single precision, and squares instead of roots: a data set is thousands of frames.
    rows, columns = (
        np.float32(first - centre)
        + (np.arange(length * SUPERSAMPLING, dtype=np.float32) + 0.5) / SUPERSAMPLING
        for first, length, centre in zip((top, left), shape, (figure.y, figure.x), strict=True)
    )
    down, right = rows[:, np.newaxis], columns[np.newaxis]
    edge = np.float32(figure.radius)
    if (outline := OUTLINES[figure.outline]) is not None:
        edge = edge * outline(np.arctan2(down, right) - np.float32(figure.angle))
    inside = (down * down + right * right < edge * edge).view(np.uint8)
    wide = shape[1] * SUPERSAMPLING
    counts = inside.reshape(shape[0], SUPERSAMPLING, wide).sum(axis=1, dtype=np.uint8)
    counts = counts.reshape(*shape, SUPERSAMPLING).sum(axis=2, dtype=np.uint8)
    return counts.astype(np.float32) / np.float32(SUPERSAMPLING**2)


def _polygon(angle: np.ndarray, corners: int) -> np.ndarray:
    half = np.pi / corners
    return np.cos(half) / np.cos(angle % (2 * half) - half)


def _cross(angle: np.ndarray, arm: float = 0.36) -> np.ndarray:
    folded = np.pi / 4 - np.abs(angle % (np.pi / 2) - np.pi / 4)
    end, side = 1 / np.cos(folded), arm / np.maximum(np.sin(folded), 1e-9)
    return np.minimum(end, side) / np.hypot(1, arm)


OUTLINES = {
    "circle": None,
    "square": lambda angle: _polygon(angle, 4),
    "triangle": lambda angle: _polygon(angle, 3),
    "cross": _cross,
}
"""Distance from the centre to the edge by angle, in radii of the circle about the shape.

None is 1 at every angle.
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
