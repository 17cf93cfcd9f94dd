"""Optical flow as colours: the hue tells where a point goes, its strength how fast.

What stands still is white; the wheel shows which colour goes where. All functions take motion as a
viewer sees it: x to the right and y down, in pixels a frame.
"""

from __future__ import annotations

import numpy as np
from matplotlib import colors

from lrcn.data import modality

_CUT_BELOW = 2  # grey levels: JPEG and resizing take what is cut off the end by as much
MOVING = 0.5  # pixels a frame: what JPEG and resizing make of a still point is slower
_STILL = 0.1  # as fast as what a still point becomes by mirroring: 255 - 128 is 1/16 pixel
FASTEST = (255 - modality.CENTRE) / modality.SCALE
"""Pixels a frame: the most that an image can hold of x or y, to the right or down."""


def motion(frames: np.ndarray) -> np.ndarray:
    """Returns the motion that flow images hold.

    Args:
        frames: [..., 3] uint8: x, y and magnitude, times 16, plus 128.

    Returns:
        [..., 2] float32, pixels a frame to the right and down.
    """
    return (frames[..., :2].astype(np.float32) - modality.CENTRE) / modality.SCALE


def paint(moved: np.ndarray, *, fastest: float) -> np.ndarray:
    """Returns colours of motion: red to the right, green up, cyan to the left, violet down.

    Args:
        moved: [..., 2] float, pixels a frame to the right and down.
        fastest: The speed that has the full colour, in pixels a frame, 1 or more; the slower, the
            paler.

    Returns:
        [..., 3] uint8.
    """
    x, y = moved[..., 0], moved[..., 1]
    hue = (np.arctan2(-y, x) / (2 * np.pi)) % 1.0
    # The root keeps what is slow from fading beside what is fast.
    strength = np.sqrt(np.clip((_speed(moved) - _STILL) / (fastest - _STILL), 0, 1))
    painted = colors.hsv_to_rgb(np.stack([hue, strength, np.ones_like(hue)], axis=-1))
    return np.rint(painted * 255).astype(np.uint8)


def fastest(moved: np.ndarray) -> float:
    """Returns the speed to give the full colour: of all points that move, few are faster.

    Args:
        moved: [..., 2] float, pixels a frame.

    Returns:
        From 1 pixel a frame to the 7.9 that an image can hold of x or y.
    """
    speed = _speed(moved)
    moving = speed[speed > MOVING]
    if not moving.size:
        return 1.0
    return float(np.clip(np.percentile(moving, 90), 1.0, FASTEST))


def share_at_limit(frames: np.ndarray) -> float:
    """Returns the share of the moving points whose motion is cut, as an image holds no more.

    Args:
        frames: [..., 3] uint8: x, y and magnitude, times 16, plus 128.
    """
    points = frames.reshape(-1, 3)
    points = points[_speed(motion(points)) > MOVING]
    is_cut = ((points <= _CUT_BELOW) | (points >= 255 - _CUT_BELOW)).any(axis=1)
    return float(is_cut.mean()) if is_cut.size else 0.0


def mean_motion(moved: np.ndarray) -> tuple[float, float]:
    """Returns the mean motion of the points of an image that move, in pixels to the right and down.

    Args:
        moved: [height, width, 2] float, pixels a frame.

    Returns:
        x and y, zero if nothing moves half a pixel.
    """
    moving = moved[_speed(moved) > MOVING]
    if not moving.size:
        return 0.0, 0.0
    x, y = moving.mean(axis=0)
    return float(x), float(y)


def wheel(size: int) -> np.ndarray:
    """Returns a disc in which each point has the colour of what moves there from the middle.

    Args:
        size: Height and width in pixels. The rim has the full colour.

    Returns:
        [size, size, 3] uint8, white around the disc.
    """
    across = np.linspace(-FASTEST, FASTEST, size)
    moved = np.stack(np.meshgrid(across, across), axis=-1)
    painted = paint(moved, fastest=FASTEST)
    painted[_speed(moved) > FASTEST] = 255
    return painted


def disagreement(frames: np.ndarray) -> float:
    """Returns how far the magnitudes of flow images are from the lengths of x and y, on average.

    Args:
        frames: [..., 3] uint8 flow images.

    Returns:
        Pixels a frame; near 0 where the channels are what they are taken for. Points that are too
        fast for an image count for nothing.
    """
    inside = ((frames > 0) & (frames < 255)).all(axis=-1)
    if not inside.any():
        return 0.0
    kept = frames[inside]
    magnitude = (kept[:, 2].astype(np.float32) - modality.CENTRE) / modality.SCALE
    return float(np.abs(magnitude - _speed(motion(kept))).mean())


def _speed(moved: np.ndarray) -> np.ndarray:
    return np.hypot(moved[..., 0], moved[..., 1])
