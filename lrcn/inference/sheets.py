"""A sheet of pictures with the captions that a network gave them, to judge results by eye."""

from __future__ import annotations

import dataclasses
import math
import os
from collections.abc import Sequence

import numpy as np
from PIL import Image

from lrcn import errors
from lrcn.data import text as text_lib
from lrcn.inference import lettering, plots, wrapping

# All lengths are in pixels of the file.
_EDGE = 28
_GUTTER = 24
_ROW_GAP = 34
_INDENT = 14
_FRAME_GAP = 4
_WIDEST = 1976
STRIP_FRAMES = 5  # of a video; more would be too small to see
_MOST_ITEMS = 100
_MOST_REFERENCES = 3
_MATTE = (238, 240, 243)


@dataclasses.dataclass(frozen=True)
class Shown:
    """One item of a sheet.

    Attributes:
        frames: [height, width, 3] uint8 each; one for an image, those of a video in their order.
        caption: What the network says.
        log_probability: Of the caption, or what `score` names.
        references: What people say.
        is_right: Whether the caption is one of them.
        score: What the number is.
        right: What is told of a caption that is right.
        ranked: What the item's place in the sheet comes from, such as "CIDEr 0.52".
    """

    frames: Sequence[np.ndarray]
    caption: str
    log_probability: float
    references: tuple[str, ...]
    is_right: bool
    score: str = "log-probability"
    right: str = "equal to a reference"
    ranked: str = ""


_TITLE = lettering.Style(24, "#10233a", "bold")
_CAPTION = lettering.Style(19, "#10233a", "bold", most_lines=6)
_SMALL = lettering.Style(15, "#5c6670")
_MARKED = lettering.Style(15, "#1a7a3f", "bold")
_REFERENCE = lettering.Style(16, "#5c6670")


@dataclasses.dataclass(frozen=True)
class _Cell:
    pictures: list[Image.Image]
    lines: list[lettering.Line]

    @property
    def picture_size(self) -> tuple[int, int]:
        gaps = _FRAME_GAP * (len(self.pictures) - 1)
        width = sum(picture.width for picture in self.pictures) + gaps
        return width, max(picture.height for picture in self.pictures)

    @property
    def text_height(self) -> int:
        return math.ceil(lettering.end(self.lines))


def choose(scores: Sequence[float], *, count: int = 24) -> list[int]:
    """Returns which items a sheet shows: an even spread of ranks from the best to the worst.

    Args:
        scores: One for each item, a higher one is better.
        count: The most items; a single one is that of the middle rank.

    Returns:
        Indices into `scores`, best first; among equals the earlier item first.

    Raises:
        UserError: If there is no item, or `count` is out of range.
    """
    _check_count(len(scores), 1, None)
    _check_count(count, 1, _MOST_ITEMS)
    ranked = sorted(range(len(scores)), key=lambda item: _worse(scores[item]))
    if count == 1:
        return [ranked[(len(ranked) - 1) // 2]]
    places = np.linspace(0, len(ranked) - 1, min(count, len(ranked)))
    return [ranked[int(place)] for place in np.rint(places)]


def _worse(score: float) -> float:
    return math.inf if math.isnan(score) else -score


def heading(count: int, total: int, *, score: str) -> str:
    """Tells how `choose` chose, such as "24 of 113 items, from the best to the worst CIDEr".

    Args:
        count: How many items are shown.
        total: How many there are.
        score: The name of what they are ranked by.
    """
    items = f"{total} item{'s' * (total != 1)}"
    if total == 1:
        return items
    if count == 1:
        return f"1 of {items}, the middle one by {score}"
    shown = items if count == total else f"{count} of {items}"
    return f"{shown}, from the best to the worst {score}"


def captions(path: str | os.PathLike, shown: Sequence[Shown], *, title: str) -> None:
    """Draws items in a grid: picture, caption, its log-probability and up to three references.

    Args:
        path: The PNG to write, at most 2000 pixels wide.
        shown: In the order of reading. Of a video, five frames spread over its time are drawn.
        title: Above the grid.

    Raises:
        UserError: If there is no item, there are too many, or one has no frame.
    """
    _check_count(len(shown), 1, _MOST_ITEMS)
    _check_frames(shown)
    grid = _Grid.of(shown)
    with plots.any_script():
        cells = [_cell(item, grid) for item in shown]
        lines = lettering.wrapped(title, _TITLE, grid.width - 2 * _EDGE, top=_EDGE)
    rows = [cells[first : first + grid.columns] for first in range(0, len(cells), grid.columns)]
    tops = [math.ceil(lettering.end(lines)) + _EDGE - 8]
    for row in rows:
        tops.append(tops[-1] + _picture_height(row) + _text_height(row) + _ROW_GAP)
    canvas = Image.new("RGB", (grid.width, tops[-1]), "white")
    lines = [dataclasses.replace(line, left=line.left + _EDGE) for line in lines]
    for row, top in zip(rows, tops[:-1], strict=True):
        lines += _place(canvas, row, top, grid.cell)
    lettering.save(canvas, lines, path)


@dataclasses.dataclass(frozen=True)
class _Grid:
    """How many columns there are, how wide a cell is and how high a picture may be."""

    columns: int
    cell: int
    highest: int

    @classmethod
    def of(cls, shown: Sequence[Shown]) -> _Grid:
        has_strips = any(len(item.frames) > 1 for item in shown)
        most, highest = (2, 300) if has_strips else (4, 346)
        rows = -(-len(shown) // most)
        cell = (_WIDEST - 2 * _EDGE - (most - 1) * _GUTTER) // most
        # Rows of equal length, where the last one would have a single item.
        return cls(-(-len(shown) // rows), cell, highest)

    @property
    def width(self) -> int:
        return 2 * _EDGE + self.columns * (self.cell + _GUTTER) - _GUTTER


def _cell(item: Shown, grid: _Grid) -> _Cell:
    lines = lettering.wrapped(wrapping.caption(item.caption), _CAPTION, grid.cell, top=10)
    lines += _facts(item, grid.cell, top=lettering.end(lines) + 4)
    for number, reference in enumerate(_references(item)):
        top = lettering.end(lines) + (5 if number else 9)
        lines.append(lettering.Line("–", _REFERENCE, 0, top))
        lines += lettering.wrapped(reference, _REFERENCE, grid.cell, top=top, left=_INDENT)
    return _Cell(_fitted(item.frames, grid), lines)


def _references(item: Shown) -> list[str]:
    """Returns the first references, what equals the caption before others."""
    words = text_lib.tokenise(item.caption)
    ranked = sorted(item.references, key=lambda reference: text_lib.tokenise(reference) != words)
    return list(dict.fromkeys(map(wrapping.caption, ranked)))[:_MOST_REFERENCES]


def _facts(item: Shown, room: float, *, top: float) -> list[lettering.Line]:
    value = f"{item.log_probability:.2f}".replace("-", "−")
    text = f"{item.ranked}  {item.score} {value}".strip()
    lines = [lettering.Line(text, _SMALL, 0, top)]
    if item.is_right:
        mark, left = f"✓ {item.right}", lettering.text_width(text, _SMALL) + _INDENT
        if left + lettering.text_width(mark, _MARKED) > room:
            left, top = 0, lettering.end(lines)
        lines.append(lettering.Line(mark, _MARKED, left, top))
    return lines


def _fitted(frames: Sequence[np.ndarray], grid: _Grid) -> list[Image.Image]:
    """Returns frames spread over time in the size that they have side by side in a cell."""
    places = np.linspace(0, len(frames) - 1, min(STRIP_FRAMES, len(frames)))
    chosen = [Image.fromarray(np.asarray(frames[int(place)])) for place in np.rint(places)]
    room = (grid.cell - _FRAME_GAP * (len(chosen) - 1)) // len(chosen)
    return [_resized(frame, room, grid.highest) for frame in chosen]


def _resized(frame: Image.Image, width: int, height: int) -> Image.Image:
    factor = min(width / frame.width, height / frame.height)
    size = (max(round(frame.width * factor), 1), max(round(frame.height * factor), 1))
    return frame.resize(size, Image.Resampling.LANCZOS)


def _picture_height(row: Sequence[_Cell]) -> int:
    return max(cell.picture_size[1] for cell in row)


def _text_height(row: Sequence[_Cell]) -> int:
    return max(cell.text_height for cell in row)


def _place(canvas: Image.Image, row: Sequence[_Cell], top: int, width: int) -> list[lettering.Line]:
    """Pastes the pictures of a row and returns its lines where they stand on the canvas.

    Mattes of one size make pictures of any shape line up.
    """
    height = _picture_height(row)
    lines = []
    for column, cell in enumerate(row):
        left = _EDGE + column * (width + _GUTTER)
        canvas.paste(_MATTE, (left, top, left + width, top + height))
        across = left + (width - cell.picture_size[0]) // 2
        for picture in cell.pictures:
            canvas.paste(picture, (across, top + (height - picture.height) // 2))
            across += picture.width + _FRAME_GAP
        lines += [
            dataclasses.replace(line, left=left + line.left, top=top + height + line.top)
            for line in cell.lines
        ]
    return lines


def _check_count(count: int, least: int, most: int | None) -> None:
    if count < least or (most is not None and count > most):
        raise errors.UserError(
            "this number of items cannot be shown" if count else "there is no item to show",
            where="sheet of captions",
            received=f"{count} items",
            expected=f"{least} to {most}" if most else f"{least} or more",
            remedy="Show a part of a large set, and items of one that is not empty",
        )


def _check_frames(shown: Sequence[Shown]) -> None:
    for number, item in enumerate(shown, start=1):
        if not len(item.frames):
            raise errors.UserError(
                "an item without a frame",
                where=f"sheet of captions, item {number}",
                received=f"the caption {wrapping.printable(item.caption)!r} alone",
                expected="one frame of an image, or those of a video",
                remedy="Check that the item can be read",
            )
