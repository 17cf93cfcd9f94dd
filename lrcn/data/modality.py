"""What a stored frame shows: its colours, the motion since the frame before, or what changed.

Motion is stored as Donahue et al. 2015 (section 4) store optical flow: an image of x, y and
magnitude, that goes the way of any frame. Frame t of a video shows the motion from t - 1 to t; the
first repeats the second, so that frame t is the same moment in every modality and the streams of an
item share the draws of clips and crops.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable

import numpy as np

from lrcn import errors
from lrcn.data import images

NAMES = ("rgb", "flow", "difference")
METHODS = ("dis", "tvl1")
CENTRE = 128
"""What a still point is stored as, in the motion and difference images."""
SCALE = 16
"""Grey levels for each pixel of motion: 8 pixels a frame fill the range."""
_SMALLEST = 16  # pixels, height and width: some smaller frames end OpenCV's DIS and the process

Between = Callable[[np.ndarray, np.ndarray], np.ndarray]
"""From a frame and the one after it, [height, width, 3] uint8, to an image of that shape."""


@dataclasses.dataclass(frozen=True)
class Modality:
    """What frames are stored as.

    Attributes:
        name: `rgb`, `flow` (optical flow) or `difference` (of a frame and the one before).
        method: How flow is computed: `dis` (Kroeger et al. 2016) or `tvl1` (Zach et al. 2007); of
            no other modality.
    """

    name: str = "rgb"
    method: str | None = None

    def __post_init__(self):
        if self.name not in NAMES:
            raise errors.UserError(
                "unknown modality",
                where="modality",
                received=self.name,
                expected=" | ".join(NAMES),
                remedy="Set modality=flow, or another of them",
            )
        if self.name == "flow" and self.method is None:
            object.__setattr__(self, "method", METHODS[0])
        expected = METHODS if self.name == "flow" else (None,)
        if self.method not in expected:
            raise errors.UserError(
                f"modality {self.name} has no such method",
                where="modality.method",
                received=self.method,
                expected=" | ".join(map(str, expected)),
                remedy="Set modality=flow modality.method=dis, or leave the method out",
            )

    @property
    def told(self) -> str:
        """The name, with the method if there is one."""
        return self.name if self.method is None else f"{self.name} ({self.method})"

    @property
    def override(self) -> str:
        """The modality as a command line has it."""
        method = "" if self.method is None else f" modality.method={self.method}"
        return f"modality={self.name}{method}"

    @property
    def is_of_pairs(self) -> bool:
        """Whether an image is made of two frames, so that a video needs two at least."""
        return self.name != "rgb"


def require(received: Modality, expected: Modality, *, where: str, path: object) -> None:
    """Raises a `UserError` if records show something else than is asked for.

    Args:
        received: The modality of the records.
        expected: The modality that is asked for.
        where: The key that named the records.
        path: The records.
    """
    if received != expected:
        raise errors.UserError(
            "the records are of another modality",
            where=where,
            received=f"{received.told} in {path}",
            expected=expected.told,
            remedy=f"Give records that were serialized with {expected.override}",
        )


def pair(place: int) -> tuple[int, int]:
    """Returns the places of the two frames that make the image at `place`."""
    after = max(place, 1)
    return after - 1, after


def refuse_single(count: int, where: object) -> None:
    """Raises a `UserError` for an item of fewer than two frames."""
    if count < 2:
        raise errors.UserError(
            "one frame shows no motion" if count else "no frames show no motion",
            where=where,
            received=f"{count} frame" + ("s" if count != 1 else ""),
            expected="at least 2 frames, after dataset.fps and dataset.frame_step",
            remedy="Look at single frames with modality=rgb, and a run that was trained on it, "
            f"or leave the item out{images.CAN_SKIP}",
        )


def between(modality: Modality) -> Between:
    """Returns what makes an image of two frames; it is for one thread.

    Raises:
        UserError: OpenCV, or the method in it, is not installed.
    """
    if modality.name == "difference":
        return difference
    flow = _METHODS[modality.method](_opencv())

    def encoded(before: np.ndarray, after: np.ndarray) -> np.ndarray:
        return encode(flow(before, after))

    return encoded


def encode(flow: np.ndarray) -> np.ndarray:
    """Returns optical flow as an image: x, y and magnitude, times 16, plus 128, within 0..255.

    Args:
        flow: [height, width, 2] float32, pixels to the right and down.

    Returns:
        [height, width, 3] uint8 (Donahue et al. 2015, section 4, and the released code).

    Raises:
        UserError: OpenCV is not installed.
    """
    cv2 = _opencv()
    x, y = cv2.split(flow)
    # One call scales, shifts, rounds and bounds: in NumPy they take twice as long.
    channels = [
        cv2.addWeighted(channel, SCALE, channel, 0, CENTRE, dtype=cv2.CV_8U)
        for channel in (x, y, cv2.magnitude(x, y))
    ]
    return cv2.merge(channels)


def difference(before: np.ndarray, after: np.ndarray) -> np.ndarray:
    """Returns half of how much a frame is brighter than the one before, plus 128.

    Args:
        before: [height, width, 3] uint8.
        after: Of the same shape.

    Returns:
        [height, width, 3] uint8; half, since a difference has twice the range.
    """
    change = after.astype(np.int16) - before
    return np.clip(np.floor_divide(change + 1, 2) + CENTRE, 0, 255).astype(np.uint8)


def _opencv():
    """Returns OpenCV, told to leave threads to its callers, who work on one item each."""
    try:
        import cv2
    except ImportError as error:
        raise errors.UserError(
            "optical flow needs OpenCV",
            where="modality=flow",
            received=error,
            expected="opencv-python-headless",
            remedy="pip install opencv-python-headless",
        ) from error
    cv2.setNumThreads(1)
    return cv2


def _dis(cv2) -> Between:
    return _on_grey(cv2, cv2.DISOpticalFlow_create(cv2.DISOPTICAL_FLOW_PRESET_MEDIUM))


def _tvl1(cv2) -> Between:
    if not hasattr(cv2, "optflow"):
        raise errors.UserError(
            "this build of OpenCV has no TV-L1",
            where="modality.method",
            received=f"tvl1 with OpenCV {cv2.__version__}",
            expected="a build with the contributed modules",
            remedy="Use modality.method=dis, or: pip uninstall opencv-python-headless, "
            "pip install opencv-contrib-python-headless",
        )
    return _on_grey(cv2, cv2.optflow.DualTVL1OpticalFlow_create())


_METHODS = {"dis": _dis, "tvl1": _tvl1}


def _on_grey(cv2, method) -> Between:
    """Returns flow between frames of colours, [height, width, 2] float32 in pixels."""

    def flow(before: np.ndarray, after: np.ndarray) -> np.ndarray:
        height, width = before.shape[:2]
        if min(height, width) < _SMALLEST:
            raise errors.UserError(
                "frames are too small for optical flow",
                where="modality=flow",
                received=f"{height}x{width} pixels",
                expected=f"{_SMALLEST}x{_SMALLEST} pixels or more",
                remedy="Set raw_image_shape=[height,width,3], or use modality=difference",
            )
        greys = (cv2.cvtColor(frame, cv2.COLOR_RGB2GRAY) for frame in (before, after))
        return method.calc(*greys, None)

    return flow
