"""Text files about captions: further sentences to learn words from, and tokens by index."""

from __future__ import annotations

import os
import pathlib
from collections.abc import Iterator

from lrcn import errors
from lrcn.data import lines, text
from lrcn.data.limits import Limits


def read_sentences(path: str | os.PathLike, *, limits: Limits = Limits()) -> Iterator[str]:
    """Yields the sentences of a file that has one a line, or `name<TAB>sentence` lines.

    Lines without a word are left out: they have nothing to count.

    Args:
        path: The file, UTF-8.
        limits: Bound the file and each line.

    Raises:
        UserError: If the file cannot be read, a line is not UTF-8, or no line holds a sentence.
    """
    empty = True
    for _, line in lines.read(path, limits=limits):
        name, tab, rest = line.partition("\t")
        sentence = rest if tab else name
        if text.tokenise(sentence):
            empty = False
            yield sentence.strip()
    if empty:
        raise errors.UserError(
            "no sentence in the file",
            where=path,
            received="only lines without a word",
            expected="a sentence a line, or name<TAB>sentence",
            remedy="Give another file, or leave the key out",
        )


def read_tokens(path: str | os.PathLike, *, limits: Limits = Limits()) -> tuple[str, ...]:
    """Returns tokens by index, from a `vocabulary.json` or a text file with a token a line.

    Args:
        path: The file, UTF-8.
        limits: Bound the file and each line.

    Raises:
        UserError: If the file cannot be read, or a line is not UTF-8, blank or there twice: each of
            these would shift the words of all captions without a word.
    """
    if pathlib.Path(path).suffix == ".json":
        return text.read_vocabulary(path, limits=limits).tokens
    places: dict[str, str] = {}
    for where, line in lines.read(path, limits=limits):
        token = line.strip()
        if not token or token in places:
            raise errors.UserError(
                "token stands twice" if token else "line without a token",
                where=where,
                received=f"{token!r}, first at {places[token]}" if token else "a blank line",
                expected="a token a line, each once; the line number less one is its index",
                remedy="Give the vocabulary file as it was when the captions were encoded",
            )
        places[token] = where
    return tuple(places)
