"""Captions as words and numbers: tokeniser, vocabulary and its file, batches of training pairs.

A training pair of a caption of n words has n + 1 steps: the input is the begin token and the words,
the target the words and the end token, so that ending is learnt from the whole sentence like any
other word. A caption that is too long loses its last words, never its end.
"""

from __future__ import annotations

import collections
import dataclasses
import functools
import json
import os
import re
import unicodedata
from collections.abc import Iterable, Mapping, Sequence

import numpy as np

from lrcn import errors, files
from lrcn.data import bounded, lines
from lrcn.data.limits import Limits

PADDING, BEGIN, END, UNKNOWN = range(4)
SPECIAL = ("<pad>", "<bos>", "<eos>", "<unk>")
FORMAT_VERSION = 1
# What `joined` replaces by what, one after the other.
JOINING = ((r"(?<=\w) (['’-]) (?=\w)", r"\1"), (r"(?<=\w) ([,;:.!?])(?= |$)", r"\1"))

_REBUILD = "Take the vocabulary.json of a run, or let `lrcn train` build a vocabulary anew"
# Runs of what is no letter, digit or underscore, or the unknown word as `decode` writes it.
_PIECES = re.compile(rf"((?:(?!{SPECIAL[UNKNOWN]})\W)+|{SPECIAL[UNKNOWN]})")


def tokenise(text: str) -> list[str]:
    """Parts a caption into lower-case words and punctuation, without one final full stop.

    Equal spellings of one character become one (NFC) and runs of blanks one space. Tokens joined by
    spaces give the same tokens again. The literal `<unk>` is one token, so that captions with
    unknown words can be kept as text; no caption gives the other special tokens.
    """
    text = unicodedata.normalize("NFC", " ".join(text.split()))
    text = unicodedata.normalize("NFC", text.lower())  # lowering may part what was composed
    tokens = [piece.strip() for piece in _PIECES.split(text) if piece.strip()]
    return tokens[:-1] if tokens[-1:] == ["."] else tokens


def check_caption(text: str, *, where: str, limits: Limits = Limits()) -> list[str]:
    """Returns the tokens of a caption that can be learnt from.

    Args:
        text: The caption.
        where: Its place, for the message.
        limits: More tokens than `caption_words` are taken for a mistake in the file.

    Raises:
        UserError: If no token has a letter or a digit, whatever the script, there are too many
            tokens, or the text is no valid Unicode.
    """
    tokens = tokenise(text)
    if not any(character.isalnum() for token in tokens for character in token):
        raise errors.UserError(
            "caption without a word",
            where=where,
            received=repr(text[:40]),
            expected="at least one word",
            remedy="Write the caption, or remove the line",
        )
    if len(tokens) > limits.caption_words:
        raise errors.UserError(
            "caption is too long to be one",
            where=where,
            received=f"{len(tokens)} words, from {' '.join(tokens[:5])!r} on",
            expected=f"at most {limits.caption_words} words",
            remedy="Check that line ends and quotes part the captions as they should, or raise "
            "limits.caption_words",
        )
    if not _encodes(text):
        raise errors.UserError(
            "caption with half a character",
            where=where,
            received=ascii(text[:40]),
            expected="text that UTF-8 can hold",
            remedy="Mend the \\uD800 to \\uDFFF escapes that stand without their other half",
        )
    return tokens


def _encodes(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def joined(text: str) -> str:
    """Returns tokens with spaces between them as they are written: `t - shirt` as `t-shirt`.

    Hyphens and apostrophes join the words about them, other marks the word before. The tokens stay
    the same, but people's captions, which the result is compared with, have no such spaces.
    """
    for pattern, replacement in JOINING:
        text = re.sub(pattern, replacement, text)
    return text


def sentence(text: str) -> str:
    """Returns words as a sentence: a capital first, a full stop at the end."""
    text = joined(text.strip().removesuffix(".").rstrip())
    return text[:1].upper() + text[1:] + "."


@dataclasses.dataclass(frozen=True)
class Vocabulary:
    """The words that captions are written with, by their numbers.

    Attributes:
        tokens: Token by id; the first four are `SPECIAL`.
        max_length: The most words that are kept of a caption, not counting begin and end.

    Raises:
        UserError: If a special token is missing or elsewhere, a token stands twice, is empty or no
            valid Unicode, or `max_length` is below 1.
    """

    tokens: tuple[str, ...]
    max_length: int

    def __post_init__(self):
        _check_number("vocabulary.max_length", self.max_length)
        _check_tokens(self.tokens)

    @classmethod
    def build(
        cls,
        captions: Iterable[str],
        *,
        min_count: int,
        max_size: int | None,
        max_length: int,
        extra_text: Iterable[str] = (),
    ) -> Vocabulary:
        """Counts words; the more frequent has the lower id, among equals the first by alphabet.

        Args:
            captions: Of the training split only; words of others would be learnt from what the
                result is judged by.
            min_count: Words that are rarer become the unknown token.
            max_size: The most words, not counting the four special tokens; None for all.
            max_length: See `Vocabulary`.
            extra_text: Further sentences whose words are counted.

        Raises:
            UserError: If a number is below 1, or no word is frequent enough.
        """
        _check_number("vocabulary.min_count", min_count)
        if max_size is not None:
            _check_number("vocabulary.max_size", max_size)
        counts = collections.Counter()
        for texts in (captions, extra_text):
            for text in texts:
                counts.update(tokenise(text))
        del counts[SPECIAL[UNKNOWN]]
        frequent = [word for word, count in counts.items() if count >= min_count]
        if not frequent:
            raise errors.UserError(
                "no word is frequent enough for the vocabulary",
                where="vocabulary.min_count",
                received=f"{min_count}, while the most frequent word stands "
                f"{max(counts.values(), default=0)} times in the captions",
                expected="captions of the training split that repeat words",
                remedy="Lower vocabulary.min_count, or train on items with captions",
            )
        frequent.sort(key=lambda word: (-counts[word], word))
        return cls((*SPECIAL, *frequent[:max_size]), max_length)

    @property
    def size(self) -> int:
        """The number of ids, special tokens included."""
        return len(self.tokens)

    @property
    def steps(self) -> int:
        """The steps of the longest training pair: all words and the end."""
        return self.max_length + 1

    @functools.cached_property
    def _ids(self) -> dict[str, int]:
        return {token: number for number, token in enumerate(self.tokens)}

    def id_of(self, token: str) -> int:
        """Returns the id of a token, that of the unknown token for a word that is not known."""
        return self._ids.get(token, UNKNOWN)

    def encode(self, caption: str) -> list[int]:
        """Returns the ids of the first `max_length` words, without begin and end."""
        return [self.id_of(token) for token in tokenise(caption)[: self.max_length]]

    def decode(self, ids: Iterable[int]) -> str:
        """Returns the words up to the first end, joined by spaces, without begin and padding.

        Raises:
            UserError: If an id is out of range: the vocabulary is another model's.
        """
        words = []
        for number in map(int, ids):
            if number == END:
                break
            if number not in (BEGIN, PADDING):
                words.append(_token(number, self.tokens, "vocabulary"))
        return " ".join(words)


def differences(stored: Vocabulary, new: Vocabulary) -> str:
    """Tells the first difference of `stored` from `new`; empty if they are equal."""
    if stored.max_length != new.max_length:
        return f"max_length is {stored.max_length}, not {new.max_length}"
    pairs = enumerate(zip(stored.tokens, new.tokens, strict=False))
    for number, (old, other) in pairs:
        if old != other:
            return f"word {number} is {old!r}, not {other!r}"
    return "" if stored.size == new.size else f"{stored.size} words, not {new.size}"


def batch(
    captions: Sequence[Sequence[int]], *, length: int
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Forms training pairs of equal length.

    Args:
        captions: Ids of words as `Vocabulary.encode` gives them.
        length: Steps of every pair, such as `Vocabulary.steps`; `length - 1` words are kept, so
            that the end always is.

    Returns:
        Inputs, targets and mask, `[captions, length] int32`; the mask is 1 up to the end token and
        0 on padding.
    """
    inputs, targets, mask = np.zeros((3, len(captions), length), np.int32)
    inputs[:], targets[:] = PADDING, PADDING
    for row, caption in enumerate(captions):
        words = caption[: length - 1]
        steps = len(words) + 1
        inputs[row, :steps] = [BEGIN, *words]
        targets[row, :steps] = [*words, END]
        mask[row, :steps] = 1
    return inputs, targets, mask


def words_of(
    indices: Iterable[int], vocabulary: Vocabulary | Sequence[str], *, where: str = "vocabulary"
) -> str:
    """Returns the caption that a list file of the earlier system holds as word indices.

    Args:
        indices: Of the words, with or without begin and end.
        vocabulary: The tokens that they count in, such as `sentences.read_tokens` returns.
        where: The line of the list, for the message.

    Raises:
        UserError: If an index is out of range.
    """
    tokens = vocabulary.tokens if isinstance(vocabulary, Vocabulary) else vocabulary
    marks = dict.fromkeys((SPECIAL[PADDING], SPECIAL[BEGIN], SPECIAL[END], "BOS", "EOS"), "")
    marks["UNK"] = SPECIAL[UNKNOWN]
    words = [_token(int(index), tokens, where) for index in indices]
    return " ".join(filter(None, (marks.get(word, word) for word in words)))


def _token(number: int, tokens: Sequence[str], where: str) -> str:
    # A negative one would silently count from the end.
    if not 0 <= number < len(tokens):
        raise errors.UserError(
            "word index out of range",
            where=where,
            received=number,
            expected=f"0 to {len(tokens) - 1}",
            remedy="Give the vocabulary that the indices were made with",
        )
    return tokens[number]


def to_json(vocabulary: Vocabulary) -> dict:
    """Returns a vocabulary as plain values for a JSON file or the configuration of a model."""
    return {
        "format_version": FORMAT_VERSION,
        "max_length": vocabulary.max_length,
        "tokens": list(vocabulary.tokens),
    }


def from_json(values: object, *, where: object) -> Vocabulary:
    """Returns the vocabulary that `to_json` gave `values` for.

    Raises:
        UserError: If it is none, of another version, or at fault as `Vocabulary` tells.
    """
    version = values.get("format_version") if isinstance(values, Mapping) else None
    if version != FORMAT_VERSION:
        raise errors.UserError(
            "no vocabulary, or one of another version",
            where=where,
            received=f"format_version {errors.shown(version)}",
            expected=FORMAT_VERSION,
            remedy=_REBUILD,
        )
    tokens, max_length = values.get("tokens"), values.get("max_length")
    listed = isinstance(tokens, list | tuple) and all(isinstance(token, str) for token in tokens)
    if not listed or type(max_length) is not int:
        raise errors.UserError(
            "vocabulary lacks its tokens or max_length",
            where=where,
            received=f"keys {', '.join(map(str, values))}",
            expected="tokens, a list of texts, and max_length, an integer",
            remedy=_REBUILD,
        )
    try:
        return Vocabulary(tuple(tokens), max_length)
    except errors.UserError as error:
        raise error.but(where=where) from None


def write_vocabulary(path: str | os.PathLike, vocabulary: Vocabulary) -> None:
    """Writes `vocabulary.json` as a whole or not at all."""
    files.write_json(path, to_json(vocabulary))


def read_vocabulary(path: str | os.PathLike, *, limits: Limits = Limits()) -> Vocabulary:
    """Reads what `write_vocabulary` wrote.

    Args:
        path: The file.
        limits: `file_bytes` bounds it.

    Raises:
        UserError: If it cannot be read or is too large, or as `from_json` tells.
    """
    try:
        data = bounded.read(path, what="vocabulary", limits=limits)
        values = bounded.parse_json(data)
    except (OSError, UnicodeDecodeError, json.JSONDecodeError, bounded.Misread) as error:
        raise errors.UserError(
            "vocabulary cannot be read",
            where=path,
            received=lines.reason(error),
            expected="the JSON of a vocabulary, UTF-8",
            remedy=_REBUILD,
        ) from error
    return from_json(values, where=path)


def _check_number(key: str, value: int) -> None:
    if value < 1:
        raise errors.UserError(
            "number of words is too small",
            where=key,
            received=value,
            expected="1 or more",
            remedy=f"Set {key} to a positive number",
        )


def _check_tokens(tokens: tuple[str, ...]) -> None:
    """Raises the first fault of tokens by id."""
    expected = f"{', '.join(SPECIAL)} as ids 0 to 3, then words, each once"
    if missing := [token for token in SPECIAL if token not in tokens]:
        what, received = f"vocabulary misses {', '.join(missing)}", f"{len(tokens)} other tokens"
    elif tokens[: len(SPECIAL)] != SPECIAL:
        what, received = "special tokens in another order", ", ".join(tokens[: len(SPECIAL)])
    elif faulty := [token for token in tokens if not token.strip() or not _encodes(token)]:
        what, received = "token that is no text", ascii(faulty[0])
    elif len(set(tokens)) < len(tokens):
        counts = collections.Counter(tokens)
        twice = next(token for token in tokens if counts[token] > 1)
        what, received = "token stands twice", repr(twice)
    else:
        return
    raise errors.UserError(
        what, where="vocabulary", received=received, expected=expected, remedy=_REBUILD
    )
