"""Scores of captions against several references an item, in Python.

The scores are those of the COCO evaluation: BLEU-1..4, ROUGE-L and CIDEr-D. Candidates are one
caption an item, references one or more an item. A caption is a list of tokens, or a string of
tokens with spaces between them; only `summary` takes captions as they were written.

A candidate without tokens scores 0. A reference without tokens matches nothing, but still counts
among the references of its item.
"""

from __future__ import annotations

import collections
import dataclasses
import importlib.util
import math
import shutil
from collections.abc import Iterable, Mapping, Sequence

import numpy as np

from lrcn.data import text
from lrcn.errors import UserError
from lrcn.scoring.ptb import ptb_tokenise

Caption = str | Sequence[str]
Tokens = tuple[str, ...]

LONGEST = 4  # tokens in an n-gram
BETA = 1.2  # weight of recall in ROUGE-L
SIGMA = 6.0  # width of CIDEr-D's penalty of length differences, in tokens
COLLAPSED = 0.5  # share of items with one caption from which on the network says nothing
# Keep the quotients of BLEU defined where nothing matches or nothing could; the first is so much
# smaller that no match still gives about nothing.
_TINY, _SMALL = 1e-15, 1e-9


def bleu(
    candidates: Sequence[Caption], references: Sequence[Sequence[Caption]]
) -> tuple[float, ...]:
    """Returns BLEU-1, BLEU-2, BLEU-3 and BLEU-4 of a whole set.

    Matches and lengths are summed over the set before they are divided. The reference length of an
    item is the one closest to the candidate's, of two equally close ones the shorter. A set
    whose captions have all fewer than n tokens has no n-gram that could match; its BLEU-n is small
    even if every caption is right.

    Args:
        candidates: [items].
        references: [items], one or more each.
    """
    candidates, references = _checked(candidates, references)
    matched, made = np.zeros(LONGEST), np.zeros(LONGEST)
    length = wanted = 0
    for candidate, own in zip(candidates, references, strict=True):
        length += len(candidate)
        wanted += min((abs(len(one) - len(candidate)), len(one)) for one in own)[1]
        for n, (counts, best) in enumerate(zip(_ngrams(candidate), _most(own), strict=True)):
            matched[n] += sum(min(count, best[gram]) for gram, count in counts.items())
            made[n] += sum(counts.values())
    precisions = np.cumprod((matched + _TINY) / (made + _SMALL))
    ratio = (length + _TINY) / (wanted + _SMALL)
    penalty = math.exp(min(0.0, 1 - 1 / ratio))
    return tuple(float(penalty * p ** (1 / (n + 1))) for n, p in enumerate(precisions))


def rouge_l(candidates: Sequence[Caption], references: Sequence[Sequence[Caption]]) -> float:
    """Returns the mean ROUGE-L over items; see `rouge_l_items`."""
    return float(rouge_l_items(candidates, references).mean())


def rouge_l_items(
    candidates: Sequence[Caption], references: Sequence[Sequence[Caption]]
) -> np.ndarray:
    """Returns ROUGE-L of each item [items].

    It is the F-measure of the longest common subsequence. The best precision and the best recall
    are taken separately, so they may come from two references.

    Args:
        candidates: [items].
        references: [items], one or more each.
    """
    candidates, references = _checked(candidates, references)
    return np.array([_f_measure(*pair) for pair in zip(candidates, references, strict=True)])


def cider(candidates: Sequence[Caption], references: Sequence[Sequence[Caption]]) -> float:
    """Returns the mean CIDEr-D over items, 0 to 10; see `cider_items`."""
    return float(cider_items(candidates, references).mean())


def cider_items(
    candidates: Sequence[Caption], references: Sequence[Sequence[Caption]]
) -> np.ndarray:
    """Returns CIDEr-D of each item [items], 0 to 10.

    It is ten times the cosine between the n-gram counts of candidate and reference, weighted by
    inverse document frequency and clipped at the reference's, times a penalty of the difference in
    length; the mean over references and n = 1..4. A document is all references of an item of
    this very set, so the score of an item depends on the others. With one item every n-gram is in
    every document, all weights are 0, and CIDEr is 0 by definition, however good the caption.

    Args:
        candidates: [items].
        references: [items], one or more each.
    """
    candidates, references = _checked(candidates, references)
    counted = [[_ngrams(one) for one in own] for own in references]
    documents = collections.Counter()
    for own in counted:
        documents.update({gram for grams in own for counts in grams for gram in counts})
    rarest = math.log(len(candidates))
    weights = {gram: rarest - math.log(number) for gram, number in documents.items()}
    scores = []
    for candidate, own in zip(candidates, counted, strict=True):
        made = _Weighted.of(_ngrams(candidate), weights, rarest)
        wanted = [_Weighted.of(grams, weights, rarest) for grams in own]
        scores.append(sum(map(made.similarity, wanted)) / len(wanted))
    return 10 * np.array(scores)


def meteor_available() -> str | None:
    """Returns why METEOR cannot be had here and what mends it, in one line, or None if it can."""
    if importlib.util.find_spec("pycocoevalcap") is None:
        return "METEOR needs pycocoevalcap: pip install 'lrcn[meteor]'"
    if shutil.which("java") is None:
        return "METEOR needs Java, such as Debian's default-jre-headless, on the PATH"
    return None


def meteor(candidates: Sequence[Caption], references: Sequence[Sequence[Caption]]) -> float:
    """Returns METEOR 1.5 of a set through pycocoevalcap and Java.

    Args:
        candidates: [items].
        references: [items], one or more each.

    Raises:
        UserError: One of the two is missing, or Java failed.
    """
    candidates, references = _checked(candidates, references)
    reason = meteor_available()
    if reason is not None:
        raise _no_meteor(reason)
    from pycocoevalcap.meteor.meteor import Meteor  # noqa: PLC0415 (optional)

    scorer = Meteor()
    try:
        with scorer.meteor_p:  # ends Java, and closes what it wrote to
            score, _ = scorer.compute_score(
                {item: [" ".join(one) for one in own] for item, own in enumerate(references)},
                {item: [" ".join(one)] for item, one in enumerate(candidates)},
            )
    except (OSError, ValueError) as error:  # Java ended early, or wrote no number
        if scorer.lock.locked():
            scorer.lock.release()  # its destructor would wait for ever
        raise _no_meteor("Java ended before it had scored all captions") from error
    return float(score)


def known(captions: Iterable[str]) -> frozenset[Tokens]:
    """Returns captions as `summary` compares them; made once, it serves many calls.

    Args:
        captions: As they were written.
    """
    return frozenset(tuple(ptb_tokenise(one)) for one in captions)


def summary(
    candidates: Sequence[str],
    references: Sequence[Sequence[str]],
    *,
    training: Iterable[str] | frozenset[Tokens] | None = None,
    vocabulary: Iterable[str] | None = None,
) -> dict[str, float | int]:
    """Returns the metrics of a split under the names of `metrics.json`.

    With one item `cider` is 0 by definition (see `cider_items`).

    Args:
        candidates: A caption an item, as it was written.
        references: One or more captions an item, as they were written.
        training: The captions of the training split, or `known` of them; adds `copied`, the share
            of items whose caption stands word for word among them.
        vocabulary: The words a model can write; adds `vocabulary_used`, the share of them that
            stand in any candidate.

    Raises:
        UserError: There is no item, an item has no reference, or the numbers differ.
    """
    _check(candidates, references)
    made, wanted = tokenised(candidates, references)
    numbers = collections.Counter(made)
    values = {f"bleu_{n}": score for n, score in enumerate(bleu(made, wanted), start=1)}
    values |= {
        "rouge_l": rouge_l(made, wanted),
        "cider": cider(made, wanted),
        "exact": _share(map(is_exact, made, wanted)),
        "distinct_captions": len(numbers),
        "most_frequent_share": max(numbers.values()) / len(made),
        "mean_length": float(np.mean([len(one) for one in made])),
        "items": len(made),
    }
    if training is not None:
        training = training if isinstance(training, frozenset) else known(training)
        values["copied"] = _share(one and one in training for one in made)
    if vocabulary is not None:
        # By the words that a model writes: tokens of the scores would be others (do n't).
        used = {word for caption in candidates for word in text.tokenise(caption)}
        values["vocabulary_used"] = _share(word in used for word in set(vocabulary))
    return values


def is_exact(candidate: Tokens, references: Sequence[Tokens]) -> bool:
    """Tells whether a caption is one of its references; one without a word is none."""
    return bool(candidate) and candidate in references


def tokenised(
    candidates: Sequence[str], references: Sequence[Sequence[str]]
) -> tuple[list[Tokens], list[list[Tokens]]]:
    """Returns captions as they were written as the tokens that are scored."""
    return [tuple(ptb_tokenise(one)) for one in candidates], [
        [tuple(ptb_tokenise(one)) for one in own] for own in references
    ]


def remarks(values: Mapping[str, float]) -> list[str]:
    """Returns what a reader of the metrics has to know, a sentence each.

    Args:
        values: What `summary` returned.
    """
    found, items = [], int(values["items"])
    if items == 1:
        found.append("one item: CIDEr is 0 by definition, since every word is in every document")
    elif values["most_frequent_share"] > COLLAPSED:
        share = round(values["most_frequent_share"] * items)
        one = "a caption without a word" if values.get("mean_length") == 0 else "one caption"
        found.append(
            f"{one} serves {share} of {items} items: the network hardly looks at them; "
            "train longer, with a larger optimizer.learning_rate, or on more captions"
        )
    return found


def _ngrams(tokens: Tokens) -> list[dict[Tokens, int]]:
    return [
        collections.Counter(zip(*(tokens[start:] for start in range(n)), strict=False))
        for n in range(1, LONGEST + 1)
    ]


def _most(captions: Sequence[Tokens]) -> list[dict[Tokens, int]]:
    most = [collections.Counter() for _ in range(LONGEST)]
    for caption in captions:
        for best, counts in zip(most, _ngrams(caption), strict=True):
            best |= counts  # the larger count of each, in place
    return most


def _f_measure(candidate: Tokens, references: Sequence[Tokens]) -> float:
    common = [_common_length(candidate, reference) for reference in references]
    if not max(common):
        return 0.0
    precision = max(common) / len(candidate)
    recall = max(
        length / len(one) for length, one in zip(common, references, strict=True) if length
    )
    return (1 + BETA**2) * precision * recall / (recall + BETA**2 * precision)


def _common_length(first: Tokens, second: Tokens) -> int:
    # Bit i of a row is 0 where the table of common lengths grows at token i of `first`; one
    # addition moves a whole row on (Hyyro 2004), which keeps very long captions cheap too.
    places = collections.defaultdict(int)
    for place, token in enumerate(first):
        places[token] |= 1 << place
    everything = (1 << len(first)) - 1
    row = everything
    for token in second:
        found = row & places.get(token, 0)
        row = ((row + found) | (row - found)) & everything
    return len(first) - row.bit_count()


@dataclasses.dataclass(frozen=True)
class _Weighted:
    """A caption as CIDEr sees it: weighted n-gram counts, their norms by n, its length."""

    counts: list[dict[Tokens, float]]
    norms: list[float]
    length: int

    @classmethod
    def of(
        cls, ngrams: list[dict[Tokens, int]], weights: dict[Tokens, float], rarest: float
    ) -> _Weighted:
        counts = [
            {gram: count * weights.get(gram, rarest) for gram, count in grams.items()}
            for grams in ngrams
        ]
        norms = [math.sqrt(sum(value * value for value in own.values())) for own in counts]
        # The published scorer counts 2-grams: a caption of one token is as long as an empty one.
        return cls(counts, norms, sum(ngrams[1].values()))

    def similarity(self, reference: _Weighted) -> float:
        gap = (self.length - reference.length) / SIGMA
        cosines = (self._cosine(reference, n) for n in range(LONGEST))
        return math.exp(-gap * gap / 2) * sum(cosines) / LONGEST

    def _cosine(self, reference: _Weighted, n: int) -> float:
        mine, other = self.counts[n], reference.counts[n]
        product = sum(min(mine[gram], other[gram]) * other[gram] for gram in mine if gram in other)
        return product / (self.norms[n] * reference.norms[n]) if product else 0.0


def _share(truths: Iterable[object]) -> float:
    values = [bool(truth) for truth in truths]
    return sum(values) / len(values) if values else 0.0


def _checked(
    candidates: Sequence[Caption], references: Sequence[Sequence[Caption]]
) -> tuple[list[Tokens], list[list[Tokens]]]:
    _check(candidates, references)
    return [_tokens(one) for one in candidates], [
        [_tokens(one) for one in own] for own in references
    ]


def _tokens(caption: Caption) -> Tokens:
    return tuple(caption.split() if isinstance(caption, str) else caption)


def _check(candidates: Sequence, references: Sequence[Sequence]) -> None:
    if len(candidates) != len(references):
        raise UserError(
            "Captions and references do not belong together",
            where="scores",
            received=f"{len(candidates)} captions, references of {len(references)} items",
            expected="one caption for each item",
            remedy="Give a caption and the references of every item, in the same order",
        )
    if not len(candidates):
        raise UserError(
            "There is nothing to score",
            where="scores",
            received="0 captions",
            expected="at least one item with a caption and references",
            remedy="Choose a split that has items",
        )
    bare = [number for number, own in enumerate(references) if not len(own)]
    if bare:
        named = ", ".join(map(str, bare[:5])) + (", ..." if len(bare) > 5 else "")
        raise UserError(
            "Items without a reference cannot be scored",
            where="scores",
            received=f"no reference for {len(bare)} of {len(references)} items: {named}",
            expected="at least one reference an item",
            remedy="Leave these items out, or give them captions",
        )


def _no_meteor(reason: str) -> UserError:
    return UserError(
        "METEOR cannot be computed",
        where="scores",
        received=reason,
        expected="pycocoevalcap and Java",
        remedy="Mend that, or do without METEOR",
    )
