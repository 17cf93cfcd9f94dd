"""Eight motions whose single frames are all alike, for the embedded data set.

A shape lives in the unit disc and has a size between 0 and 1. Where it is and how large it is at
frame 0 is drawn before its motion is known, uniformly over the disc and over the sizes; every
motion maps these two distributions onto themselves. So at each frame of each motion the shape is
uniform over the disc and over the sizes, and one frame carries no information on the class.

No motion can do so for ever without returning: if place or size only rose, its mean would rise
with it and betray the motion. Therefore straight movers go along a chord of the disc and enter
again at its other end, growing shapes start again small, and turning ones circle about the centre
of the disc, which needs no return at all. Circling was preferred to spinning about oneself since a
spin cannot be seen on a circle and hardly on a small square.
"""

from __future__ import annotations

import dataclasses

import numpy as np

MOTIONS = ("left", "right", "up", "down", "clockwise", "counter-clockwise", "grow", "shrink")
CHORD_STEP = 0.09
TURN_STEP = np.deg2rad(22.0)
SIZE_STEP = 0.1


@dataclasses.dataclass(frozen=True)
class Start:
    """Where a shape is at frame 0, how large it is, and how fast it will change.

    Attributes:
        x: Place from left to right, in radii of the disc.
        y: Place from top to bottom, in radii of the disc.
        size: Place in the range of sizes, 0 to 1.
        pace: Factor on the steps of all motions, about 1.
    """

    x: float
    y: float
    size: float
    pace: float


def draw_start(rng: np.random.Generator) -> Start:
    """Draws a start, uniform over the disc and over the sizes."""
    radius, angle = np.sqrt(rng.random()), rng.uniform(0, 2 * np.pi)
    return Start(
        x=float(radius * np.cos(angle)),
        y=float(radius * np.sin(angle)),
        size=float(rng.random()),
        pace=float(rng.uniform(0.75, 1.25)),
    )


def track(motion: str, start: Start, *, num_frames: int) -> np.ndarray:
    """Follows a shape through its motion.

    Args:
        motion: One of `MOTIONS`.
        start: State at frame 0.
        num_frames: Number of frames.

    Returns:
        `[num_frames, 3] float64`: x, y in radii of the disc (y downwards) and size from 0 to 1.

    Raises:
        KeyError: If there is no such motion.
    """
    steps = start.pace * np.arange(num_frames)
    x, y, size = (np.full(num_frames, value) for value in (start.x, start.y, start.size))
    x, y, size = _MOVES[motion](x, y, size, steps)
    return np.stack([x, y, size], axis=1)


def _along_chord(place: np.ndarray, other: np.ndarray, moved: np.ndarray) -> np.ndarray:
    """Moves on the chord at distance `other` from the centre, entering again at its far end."""
    half = np.sqrt(np.maximum(1 - other**2, 1e-12))
    return (place + moved + half) % (2 * half) - half


def _turned(x: np.ndarray, y: np.ndarray, angle: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Turns about the centre; positive angles are clockwise where y goes downwards."""
    return x * np.cos(angle) - y * np.sin(angle), x * np.sin(angle) + y * np.cos(angle)


_MOVES = {
    "left": lambda x, y, size, t: (_along_chord(x, y, -CHORD_STEP * t), y, size),
    "right": lambda x, y, size, t: (_along_chord(x, y, CHORD_STEP * t), y, size),
    "up": lambda x, y, size, t: (x, _along_chord(y, x, -CHORD_STEP * t), size),
    "down": lambda x, y, size, t: (x, _along_chord(y, x, CHORD_STEP * t), size),
    "clockwise": lambda x, y, size, t: (*_turned(x, y, TURN_STEP * t), size),
    "counter-clockwise": lambda x, y, size, t: (*_turned(x, y, -TURN_STEP * t), size),
    "grow": lambda x, y, size, t: (x, y, (size + SIZE_STEP * t) % 1),
    "shrink": lambda x, y, size, t: (x, y, (size - SIZE_STEP * t) % 1),
}
