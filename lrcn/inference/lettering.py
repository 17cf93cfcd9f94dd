"""Lines of text on a picture: measured, wrapped and placed by the pixel."""

from __future__ import annotations

import dataclasses
import functools
import os
from collections.abc import Sequence

import numpy as np
from matplotlib import figure as figure_lib
from matplotlib import font_manager, transforms
from matplotlib.backends import backend_agg
from PIL import Image

from lrcn.inference import plots, wrapping


@dataclasses.dataclass(frozen=True)
class Style:
    """How text looks; its size is in pixels of the file."""

    size: int
    colour: str
    weight: str = "normal"
    most_lines: int = 3

    @functools.cached_property
    def font(self) -> font_manager.FontProperties:
        """The font in the size that has these pixels."""
        return font_manager.FontProperties(size=self.size * 72 / plots.DPI, weight=self.weight)

    @property
    def line_height(self) -> int:
        """From one line to the next, in pixels."""
        return round(self.size * 1.32)


@dataclasses.dataclass(frozen=True)
class Line:
    """A line of text, its place in pixels from the upper left corner of what it belongs to."""

    text: str
    style: Style
    left: float
    top: float


def wrapped(text: str, style: Style, room: float, *, top: float, left: float = 0) -> list[Line]:
    """Returns text as lines below each other that are no wider than `room`, in pixels.

    Args:
        text: Any text; what does not fit in the style's most lines ends in an ellipsis.
        style: How it looks.
        room: How far to the right it may go.
        top: Of the first line.
        left: Of each line.
    """
    measure = functools.partial(text_width, style=style)
    text = wrapping.printable(text)
    parts = wrapping.wrap(text, width=measure, room=room - left, most=style.most_lines)
    return [
        Line(part, style, left, top + number * style.line_height)
        for number, part in enumerate(parts)
    ]


def end(lines: Sequence[Line]) -> float:
    """Returns where the lowest of some lines ends, in pixels."""
    return max((line.top + line.style.line_height for line in lines), default=0)


def text_width(text: str, style: Style) -> float:
    """Returns how wide a line is, in pixels."""
    return _renderer().get_text_width_height_descent(text, style.font, False)[0]


@functools.cache
def _renderer() -> backend_agg.RendererAgg:
    """Returns what figures are drawn with, since nothing else measures text as they have it."""
    return backend_agg.FigureCanvasAgg(figure_lib.Figure(dpi=plots.DPI)).get_renderer()


def save(canvas: Image.Image, lines: Sequence[Line], path: str | os.PathLike) -> None:
    """Writes a picture with lines of text on it as a PNG.

    Args:
        canvas: The picture.
        lines: Placed from its upper left corner.
        path: The PNG to write.
    """
    # Half a pixel more: what inches lose by rounding must not cost a row of pixels.
    size = [(side + 0.5) / plots.DPI for side in canvas.size]
    figure = figure_lib.Figure(figsize=size, dpi=plots.DPI, facecolor="white")
    figure.figimage(np.asarray(canvas), origin="upper")
    for line in lines:
        figure.text(
            line.left,
            canvas.height - line.top - line.style.size,
            line.text,
            fontproperties=line.style.font,
            color=line.style.colour,
            va="baseline",
            transform=transforms.IdentityTransform(),
            parse_math=False,
        )
    plots.save(figure, path)
