"""Text parted into lines of a given width, whatever draws and measures it."""

from __future__ import annotations

import itertools
import unicodedata
from collections.abc import Callable, Iterator

from lrcn.data import text as text_lib

ELLIPSIS = "…"
_LONGEST_WORD = 500


def caption(words: str) -> str:
    """Returns a caption as a sentence in one line; a model may also say nothing at all."""
    return text_lib.sentence(printable(words)) if words.strip() else "(no words)"


def printable(text: str) -> str:
    """Returns text in one line, without the characters that no font can be asked for."""
    line = " ".join(text.split())
    return "".join("\ufffd" if _is_undrawable(character) else character for character in line)


def _is_undrawable(character: str) -> bool:
    # Control characters, and halves of characters that a list of captions may hold.
    return unicodedata.category(character) in ("Cc", "Cs")


def wrap(text: str, *, width: Callable[[str], float], room: float, most: int) -> list[str]:
    """Parts text at its blanks, and within words that are wider than a line.

    Args:
        text: One or more words.
        width: Measures a line.
        room: What a line may measure.
        most: The most lines; the last one ends in an ellipsis if the text has more.
    """
    lines = list(itertools.islice(_lines(text.split(), width, room), most + 1))
    if len(lines) <= most:
        return lines
    return [*lines[: most - 1], _cut(lines[most - 1], width, room)]


def _cut(line: str, width: Callable[[str], float], room: float) -> str:
    while line and width(line + ELLIPSIS) > room:
        line = line[:-1]
    return line.rstrip(" ,;:.") + ELLIPSIS


def _lines(words: list[str], width: Callable[[str], float], room: float) -> Iterator[str]:
    line = ""
    for word in itertools.chain.from_iterable(_parts(word, width, room) for word in words):
        longer = f"{line} {word}" if line else word
        if line and width(longer) > room:
            yield line
            longer = word
        line = longer
    if line:
        yield line


def _parts(word: str, width: Callable[[str], float], room: float) -> Iterator[str]:
    """Yields a word, or the pieces of one that no line has room for."""
    # Measuring takes as long as the text is; nothing that fits is as long as this.
    if len(word) <= _LONGEST_WORD and width(word) <= room:
        yield word
        return
    piece = ""
    for character in word:
        # An accent that stands alone belongs to the letter before it.
        if piece and not unicodedata.combining(character) and width(piece + character) > room:
            yield piece
            piece = ""
        piece += character
    yield piece
