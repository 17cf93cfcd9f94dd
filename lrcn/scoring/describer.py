"""A description network with a search, as one model from clips to captions."""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Iterable, Mapping
from typing import Any

import keras
import numpy as np

from lrcn.data.text import UNKNOWN, Vocabulary, joined
from lrcn.models import description
from lrcn.scoring import search


class Describer(keras.Model):
    """Maps clips of features to the word ids of captions, compiled as a whole.

    The outputs are a dict of `words` int32 [batch, length] and `log_probability` float32 [batch].

    Args:
        head: A description network after its CNN. Its weights are shared, so a describer that is
            made before a training knows its result.
        find: From a step decoder and what it begins with to captions, as `searcher` returns it.
    """

    def __init__(self, head: keras.Model, find: functools.partial):
        # Whatever the policy of the training is, log-probabilities are compared in full.
        super().__init__(name="describer", dtype="float32")
        self._encoder = description.encoder(head)
        self._step = description.step(head)
        self._find = find
        self._seed = find.keywords.get("seed")  # tracked, as a variable of this model
        self._first = None if self._seed is None else keras.ops.copy(self._seed.state.value)

    def restart(self) -> None:
        """Begins the draws of a random search anew, as if nothing had been described yet."""
        if self._seed is not None:
            self._seed.state.assign(self._first)

    def call(self, features):
        """Returns the captions of clips [batch, time, features]."""
        found = self._find(self._step, list(self._encoder(features)))
        return {"words": found.words, "log_probability": found.log_probability}


def searcher(name: str, *, max_length: int, seed: int = 0, **options: Any) -> functools.partial:
    """Returns a search by its name.

    Args:
        name: "greedy", "beam" or "sample".
        max_length: Most words of a caption.
        seed: Of `sample`.
        **options: `width` and `length_penalty` of "beam", `samples` and `temperature` of "sample".
    """
    ways = {"greedy": search.greedy, "beam": search.beam, "sample": search.sample}
    if name == "sample":
        options["seed"] = keras.random.SeedGenerator(seed)
    # One step more than words, for the end. A caption with a hole in it helps nobody.
    return functools.partial(
        ways[name], max_length=max_length + 1, silent=(UNKNOWN,), closing=True, **options
    )


@dataclasses.dataclass(frozen=True)
class Written:
    """A caption of each clip or item.

    Attributes:
        captions: As people write them.
        log_probability: float64, sum over words and end.
        item: int64, place of the item in the records.
        clip: int64, number of the clip within its item.
    """

    captions: tuple[str, ...]
    log_probability: np.ndarray
    item: np.ndarray
    clip: np.ndarray

    def of_clips(self) -> Written:
        """Returns the likeliest caption of each clip; its crops compete."""
        return self._best(np.stack([self.item, self.clip]))

    def of_items(self) -> Written:
        """Returns the likeliest caption of each item; its clips and crops compete."""
        return self._best(self.item[None])

    def _best(self, keys: np.ndarray) -> Written:
        order = np.lexsort((-self.log_probability, *keys[::-1]))
        sorted_keys = keys[:, order]
        is_first = np.any(np.diff(sorted_keys, prepend=-1) != 0, axis=0)
        best = order[is_first]
        return Written(
            tuple(self.captions[place] for place in best),
            self.log_probability[best],
            self.item[best],
            self.clip[best],
        )


def write(
    describer: Describer,
    batches: Iterable[Mapping[str, Any]],
    vocabulary: Vocabulary,
) -> Written:
    """Returns the caption of each clip; a random search draws the same for the same clips.

    Args:
        describer: The model.
        batches: Dicts of `item` [batch], `clip` [batch] and `features`.
        vocabulary: Its words.
    """
    describer.restart()
    words, scores, items, numbers = [], [], [], []
    for batch in batches:
        items.append(np.asarray(batch["item"]))
        numbers.append(np.asarray(batch["clip"]))
        found = describer.predict_on_batch(batch["features"])
        words.extend(found["words"])
        scores.append(np.asarray(found["log_probability"], np.float64))
    return Written(
        tuple(joined(vocabulary.decode(ids)) for ids in words),
        np.concatenate(scores),
        np.concatenate(items),
        np.concatenate(numbers),
    )
