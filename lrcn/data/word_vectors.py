"""Word vectors from text files, as the first weights of an embedding."""

from __future__ import annotations

import codecs
import os
from collections.abc import Iterable, Iterator, Sequence

import numpy as np

from lrcn import errors
from lrcn.data import bounded, lines, text
from lrcn.data.limits import Limits


def read_vectors(
    path: str | os.PathLike,
    vocabulary: text.Vocabulary,
    *,
    seed: int,
    width: int | None = None,
    limits: Limits = Limits(),
) -> tuple[np.ndarray, tuple[str, ...]]:
    """Reads the vectors of a vocabulary's words from a GloVe or word2vec text file.

    The file is read as a stream, and each row goes where its word's id says, whatever the order of
    the file. Words are matched as they are written; of a word that stands twice the first counts.
    Words that the file lacks, and the special tokens unless it has them, are drawn from a normal
    distribution as wide as the vectors that were found.

    Args:
        path: Lines `word number ...` (GloVe), after a line `count width` in word2vec's format.
        vocabulary: The words; row i is the vector of id i.
        seed: Of the vectors that are drawn.
        width: Of the network's word vectors, so that a file of others is refused at its first
            line; None takes any.
        limits: `line_bytes` bounds each line, so that no file of another kind is read into memory
            in search of one. The file may be larger than memory.

    Returns:
        The matrix `[size, width] float32`, zero for padding, and the words that the file lacks.

    Raises:
        UserError: If the file cannot be read, is cut off, has vectors of another width or a value
            that is no finite number, or has none of the words.
    """
    wanted = {
        token.encode(): number
        for number, token in enumerate(vocabulary.tokens)
        if number != text.PADDING
    }
    found: dict[int, np.ndarray] = {}
    for where, word, values in _rows_of(path, limits):
        require_width(len(values), width or len(values))
        number = wanted.get(word)
        if number is not None and number not in found:
            found[number] = _numbers(values, where)
    if not any(number >= len(text.SPECIAL) for number in found):
        raise errors.UserError(
            "no word of the vocabulary has a vector",
            where=path,
            received=f"none of {vocabulary.size - len(text.SPECIAL)} words",
            expected="vectors of lower-case words of the captions' language",
            remedy="Give another file of vectors, or leave the key out to learn them",
        )
    return _filled(found, vocabulary, seed)


def require_width(found: int, width: int) -> None:
    """Raises a `UserError` if word vectors have another width than the network's."""
    if found != width:
        raise errors.UserError(
            "word vectors of another width than the network has",
            where="workflow.embedding",
            received=width,
            expected=f"{found}, as in workflow.word_vectors",
            remedy=f"Set workflow.embedding={found}",
        )


def _filled(
    found: dict[int, np.ndarray], vocabulary: text.Vocabulary, seed: int
) -> tuple[np.ndarray, tuple[str, ...]]:
    """Returns the matrix with vectors for the words that have none, and their names."""
    known = np.stack(list(found.values()))
    drawn = np.random.default_rng(seed).normal(
        scale=known.std(dtype=np.float64), size=(vocabulary.size, known.shape[1])
    )
    matrix = drawn.astype(np.float32)
    matrix[list(found)] = known
    matrix[text.PADDING] = 0
    words = range(len(text.SPECIAL), vocabulary.size)
    return matrix, tuple(vocabulary.tokens[number] for number in words if number not in found)


def _rows_of(path: str | os.PathLike, limits: Limits) -> Iterator[tuple[str, bytes, list[bytes]]]:
    try:
        stream = bounded.lines(path, what="file of word vectors", limits=limits, whole=False)
        yield from _rows(stream, path)
    except OSError as error:
        raise errors.UserError(
            "word vectors cannot be read",
            where=path,
            received=lines.reason(error),
            expected="a text file with lines `word number ...`",
            remedy="Correct the path; it is relative to the working directory",
        ) from error


def _rows(
    stream: Iterable[bytes], path: str | os.PathLike
) -> Iterator[tuple[str, bytes, list[bytes]]]:
    """Yields place, word and values of each line, all of one width.

    They stay bytes, since published files hold words that are not UTF-8, which no caption holds,
    and since most lines are of words that nobody asked for.
    """
    width, announced, rows = 0, None, 0
    for number, line in enumerate(stream, start=1):
        where = f"{path}:{number}"
        fields = (line.removeprefix(codecs.BOM_UTF8) if number == 1 else line).split()
        if number == 1 and _is_header(fields):
            announced, width = int(fields[0]), int(fields[1])
            continue
        if not fields:
            continue
        if not width:
            width = _first_width(fields, where)
        _check_width(fields, width, where)
        rows += 1
        yield where, b" ".join(fields[:-width]), fields[-width:]
    if announced not in (None, rows):
        raise errors.UserError(
            "file of word vectors is cut off, or its first line is wrong",
            where=path,
            received=f"{rows} words",
            expected=f"{announced} words, as its first line says",
            remedy="Fetch the file again",
        )


def _is_header(fields: Sequence[bytes]) -> bool:
    """Tells word2vec's first line, `count width`."""
    are_numbers = all(field.isdigit() and len(field) < 19 for field in fields)
    return len(fields) == 2 and are_numbers and int(fields[1]) > 0


def _first_width(fields: Sequence[bytes], where: str) -> int:
    """Returns the width of a file without a header; a word there holds no space."""
    width = len(fields) - 1
    if not width:
        raise _wrong_width(0, "a word and its numbers", where)
    _numbers(fields[1:], where)
    return width


def _check_width(fields: Sequence[bytes], width: int, where: str) -> None:
    extra = len(fields) - width
    # GloVe has words with spaces, such as `. . .`; a number there is one too many.
    if extra < 1 or (extra > 1 and _is_number(fields[extra - 1])):
        raise _wrong_width(len(fields) - 1, f"a word and {width} numbers", where)


def _wrong_width(received: int, expected: str, where: str) -> errors.UserError:
    return errors.UserError(
        "word vector of another width",
        where=where,
        received=f"{received} numbers",
        expected=expected,
        remedy="Give a text file of word vectors as GloVe or word2vec write it, unpacked and whole",
    )


def _is_number(field: bytes) -> bool:
    try:
        float(field)
    except ValueError:
        return False
    return True


def _numbers(values: Sequence[bytes], where: str) -> np.ndarray:
    if all(map(_is_number, values)):
        with np.errstate(over="ignore"):
            vector = np.array([float(value) for value in values], np.float32)
        if np.isfinite(vector).all():
            return vector
    raise errors.UserError(
        "word vector with a value that is no finite number",
        where=where,
        received=ascii(b" ".join(values).decode(errors="replace")[:60]),
        expected="finite numbers after the word",
        remedy="Give a text file of word vectors as GloVe or word2vec write it",
    )
