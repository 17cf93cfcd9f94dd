"""Clips as strips of frames, as a network sees them, with what they are to be learnt as."""

from __future__ import annotations

import dataclasses
import math
import os
from collections.abc import Sequence

import numpy as np
from PIL import Image, ImageDraw

from lrcn.inference import colours, lettering, plots, wrapping

MOST_FRAMES = 8  # of a clip; more would be too small to see

# All lengths are in pixels of the file.
_WIDTH = 1976
_EDGE = 28
_NARROWEST, _WIDEST, _WIDEST_ID = 170, 390, 300  # of the text beside a strip
_GUTTER = 26
_FRAME_GAP = 6
_LARGEST = 240  # height and width of a frame
_ROW_GAP = 26
_WHEEL = 132
_STILL = 0.25  # pixels a frame: the mean of what moves each its own way has no direction
_CUT = "…/"
_OUTLINE = (208, 213, 219)
_RULE = (226, 230, 235)
_INK = (16, 35, 58)

_TITLE = lettering.Style(25, "#10233a", "bold")
_SUBTITLE = lettering.Style(16, "#5c6670", most_lines=4)
_ID = lettering.Style(15, "#5c6670", most_lines=2)
_LABEL = lettering.Style(19, "#10233a", "bold", most_lines=5)
_FACT = lettering.Style(15, "#5c6670", most_lines=2)
_MARK = lettering.Style(15, "#b4560c", "bold")
_NUMBER = lettering.Style(13, "#5c6670")


@dataclasses.dataclass(frozen=True)
class Strip:
    """A clip of an item.

    Attributes:
        frames: [time, height, width, 3] uint8, as the network sees them.
        numbers: The place of each frame in its video; none for an image.
        id: Of the item.
        learnt: What the clip is to be learnt as: its class or a caption.
        facts: What else is to be told, a line each.
        mirrored: Whether left and right are exchanged.
    """

    frames: np.ndarray
    numbers: tuple[int, ...]
    id: str
    learnt: str
    facts: tuple[str, ...] = ()
    mirrored: bool = False

    @property
    def places(self) -> list[int]:
        """The places of the frames that are drawn: all, or an even spread from first to last."""
        count = len(self.frames)
        places = np.linspace(0, count - 1, min(MOST_FRAMES, count))
        return [int(place) for place in np.rint(places)]


def draw(
    path: str | os.PathLike,
    strips: Sequence[Strip],
    *,
    title: str,
    subtitle: str = "",
    is_flow: bool = False,
) -> None:
    """Draws a strip a row, or two of short clips; optical flow as colours with their wheel.

    Args:
        path: The PNG to write, at most 2000 pixels wide.
        strips: One or more.
        title: Above all.
        subtitle: Below it.
        is_flow: Whether frames are images of optical flow. Then each has an arrow for the mean
            motion of what moves.
    """
    look = _Flow.of(strips) if is_flow else _Plain()
    with plots.any_script():
        sheet = _Sheet.of(strips, look)
        top, lines = _head(title, subtitle, sheet.width, look)
        cells = [_cell(strip, sheet, look) for strip in strips]
        rows = [cells[at : at + sheet.columns] for at in range(0, len(cells), sheet.columns)]
        heights = [max(cell.height for cell in row) for row in rows]
        height = top + sum(heights) + _ROW_GAP * len(rows)
        canvas = Image.new("RGB", (sheet.width, height), "white")
        look.head(canvas)
        for row, row_height in zip(rows, heights, strict=True):
            ImageDraw.Draw(canvas).line(
                [(_EDGE, top - _ROW_GAP // 2), (sheet.width - _EDGE, top - _ROW_GAP // 2)], _RULE
            )
            for column, cell in enumerate(row):
                lines += cell.put(canvas, _EDGE + column * (sheet.cell + _GUTTER), top)
            top += row_height + _ROW_GAP
    lettering.save(canvas, lines, path)


class _Plain:
    """Frames as they are."""

    room = 0

    def picture(self, frame: np.ndarray, size: tuple[int, int]) -> Image.Image:
        return resized(frame, size)

    def number(self, number: str, frame: np.ndarray) -> str:
        return number

    def head(self, canvas: Image.Image) -> None:
        """Needs no legend."""

    def legend(self, width: int) -> list[lettering.Line]:
        return []


@dataclasses.dataclass(frozen=True)
class _Flow:
    """Optical flow as colours.

    Attributes:
        fastest: Speed of the full colour, in pixels a frame.
    """

    fastest: float
    room = 330

    @classmethod
    def of(cls, strips: Sequence[Strip]) -> _Flow:
        seen = [colours.motion(strip.frames[strip.places][:, ::2, ::2]) for strip in strips]
        return cls(colours.fastest(np.concatenate([part.reshape(-1, 2) for part in seen])))

    def picture(self, frame: np.ndarray, size: tuple[int, int]) -> Image.Image:
        moved = colours.motion(frame)
        picture = resized(colours.paint(moved, fastest=self.fastest), size)
        _arrow(picture, colours.mean_motion(moved), self.fastest)
        return picture

    def number(self, number: str, frame: np.ndarray) -> str:
        speed = math.hypot(*colours.mean_motion(colours.motion(frame)))
        told = f"{speed:.1f}" if speed else f"< {colours.MOVING:g}"
        return f"{number}: {told} px".lstrip(": ")

    def head(self, canvas: Image.Image) -> None:
        canvas.paste(Image.fromarray(colours.wheel(_WHEEL)), self._corner(canvas.width))

    def legend(self, width: int) -> list[lettering.Line]:
        left, top = self._corner(width)
        middle = left + _WHEEL / 2
        sides = [
            (middle - lettering.text_width("up", _NUMBER) / 2, top - 19, "up"),
            (middle - lettering.text_width("down", _NUMBER) / 2, top + _WHEEL + 2, "down"),
            (left + _WHEEL + 6, top + _WHEEL / 2 - 9, "right"),
            (left - 6 - lettering.text_width("left", _NUMBER), top + _WHEEL / 2 - 9, "left"),
        ]
        told = f"rim: {self.fastest:.1f} pixels a frame"
        sides.append((middle - lettering.text_width(told, _NUMBER) / 2, top + _WHEEL + 21, told))
        return [lettering.Line(text, _NUMBER, across, down) for across, down, text in sides]

    def _corner(self, width: int) -> tuple[int, int]:
        return width - _EDGE - 60 - _WHEEL, _EDGE + 12


@dataclasses.dataclass(frozen=True)
class _Sheet:
    """How wide the sheet is, how many clips stand side by side and how large a frame may be."""

    columns: int
    cell: int
    frame: int
    text: int

    @classmethod
    def of(cls, strips: Sequence[Strip], look: _Plain | _Flow) -> _Sheet:
        most = max(len(strip.places) for strip in strips)
        columns = 1 if most > 2 else min(2, len(strips))
        text = math.ceil(min(max(map(_text_width, strips)), _WIDEST))
        text = max(text, _NARROWEST)
        room = (_WIDTH - 2 * _EDGE - _GUTTER) // (2 if most <= 2 else 1)
        frame = (room - text - _GUTTER - _FRAME_GAP * (most - 1)) // most
        frame = min(frame, _LARGEST)
        cell = text + _GUTTER + most * frame + _FRAME_GAP * (most - 1)
        return cls(columns, cell, frame, text)

    @property
    def width(self) -> int:
        return 2 * _EDGE + self.columns * (self.cell + _GUTTER) - _GUTTER


@dataclasses.dataclass(frozen=True)
class _Cell:
    left: int  # of the first picture
    pictures: list[Image.Image]
    lines: list[lettering.Line]

    @property
    def height(self) -> int:
        below = _NUMBER.line_height + 4
        tallest = max(picture.height for picture in self.pictures)
        return max(tallest + below, math.ceil(lettering.end(self.lines)))

    def put(self, canvas: Image.Image, left: int, top: int) -> list[lettering.Line]:
        """Pastes the pictures and returns the lines where they stand on the canvas."""
        across = left + self.left
        for picture in self.pictures:
            canvas.paste(picture, (across, top))
            corner = (across + picture.width - 1, top + picture.height - 1)
            ImageDraw.Draw(canvas).rectangle([(across, top), corner], outline=_OUTLINE)
            across += picture.width + _FRAME_GAP
        return [
            dataclasses.replace(line, left=left + line.left, top=top + line.top)
            for line in self.lines
        ]


def _head(
    title: str, subtitle: str, width: int, look: _Plain | _Flow
) -> tuple[int, list[lettering.Line]]:
    """Returns where the first row begins, and the lines above it."""
    room = width - 2 * _EDGE - look.room
    lines = lettering.wrapped(title, _TITLE, room, top=0)
    if subtitle:
        lines += lettering.wrapped(subtitle, _SUBTITLE, room, top=lettering.end(lines) + 4)
    lines = [
        dataclasses.replace(line, left=line.left + _EDGE, top=line.top + _EDGE - 6)
        for line in lines
    ]
    lines += look.legend(width)
    return math.ceil(lettering.end(lines)) + _ROW_GAP + 4, lines


def _cell(strip: Strip, sheet: _Sheet, look: _Plain | _Flow) -> _Cell:
    lines = lettering.wrapped(strip.learnt, _LABEL, sheet.text, top=0)
    lines += lettering.wrapped(_short_id(strip.id), _ID, sheet.text, top=lettering.end(lines) + 4)
    for fact in strip.facts:
        lines += lettering.wrapped(fact, _FACT, sheet.text, top=lettering.end(lines) + 3)
    if strip.mirrored:
        lines.append(lettering.Line("⇄ mirrored", _MARK, 0, lettering.end(lines) + 3))
    first = sheet.text + _GUTTER
    pictures, across = [], first
    for place in strip.places:
        frame = strip.frames[place]
        pictures.append(look.picture(frame, (sheet.frame, _LARGEST)))
        number = str(strip.numbers[place]) if strip.numbers else ""
        text = look.number(number, frame)
        left = across + (pictures[-1].width - lettering.text_width(text, _NUMBER)) / 2
        lines.append(lettering.Line(text, _NUMBER, left, pictures[-1].height + 4))
        across += pictures[-1].width + _FRAME_GAP
    return _Cell(first, pictures, lines)


def _text_width(strip: Strip) -> float:
    """Returns the width that the text of a strip has where nothing is wrapped, in pixels."""
    texts = [(strip.learnt, _LABEL), (_short_id(strip.id), _ID)]
    texts += [(fact, _FACT) for fact in strip.facts]
    return max(lettering.text_width(wrapping.printable(text), style) for text, style in texts)


def _short_id(name: str) -> str:
    """Returns an id without its first folders if it is too long: ids differ at their ends."""
    text = wrapping.printable(name)
    while lettering.text_width(text, _ID) > _WIDEST_ID:
        _, slash, rest = text.removeprefix(_CUT).partition("/")
        if not slash:
            break
        text = _CUT + rest
    return text


def resized(frame: np.ndarray, size: tuple[int, int]) -> Image.Image:
    """Returns a frame as large as fits into width and height; enlarged, its pixels stay visible."""
    picture = Image.fromarray(np.asarray(frame))
    factor = min(size[0] / picture.width, size[1] / picture.height)
    target = (max(round(picture.width * factor), 1), max(round(picture.height * factor), 1))
    how = Image.Resampling.NEAREST if factor > 1 else Image.Resampling.LANCZOS
    return picture.resize(target, how)


def _arrow(picture: Image.Image, moved: tuple[float, float], fastest: float) -> None:
    """Draws an arrow about the middle of a picture, longer for what is faster."""
    speed = math.hypot(*moved)
    side = min(picture.size)
    if speed < _STILL:
        return
    length = side * (0.14 + 0.3 * min(speed / fastest, 1))
    x, y = moved[0] / speed, moved[1] / speed
    middle = (picture.width / 2, picture.height / 2)
    tail = (middle[0] - x * length / 2, middle[1] - y * length / 2)
    tip = (middle[0] + x * length / 2, middle[1] + y * length / 2)
    head = max(side * 0.07, 5)
    wings = [
        (tip[0] - head * (x - 0.6 * side_of * y), tip[1] - head * (y + 0.6 * side_of * x))
        for side_of in (1, -1)
    ]
    drawing = ImageDraw.Draw(picture)
    for colour, width in (((255, 255, 255), 7), (_INK, 3)):
        drawing.line([tail, tip], fill=colour, width=width)
        drawing.line([wings[0], tip, wings[1]], fill=colour, width=width, joint="curve")
