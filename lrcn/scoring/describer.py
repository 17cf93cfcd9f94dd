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
    """Maps clips of frames or of features to the word ids of captions, compiled as a whole.

    The outputs are a dict of `words` int32 [batch, length] and `log_probability` float32 [batch].

    Args:
        model: A description network, which takes frames, or its head, which takes features. Its
            weights are shared, so a describer that is made before a training knows its result.
        find: From a step decoder and what it begins with to captions, as `searcher` returns it.
    """

    def __init__(self, model: keras.Model, find: functools.partial):
        # Whatever the policy of the training is, log-probabilities are compared in full.
        super().__init__(name="describer", dtype="float32")
        names = {layer.name for layer in model.layers}
        self._backbone = model.get_layer("backbone") if "backbone" in names else None
        self._encoder = description.encoder(model)
        self._step = description.step(model)
        self._find = find
        self._seed = find.keywords.get("seed")  # tracked, as a variable of this model
        self._first = None if self._seed is None else keras.ops.copy(self._seed.state.value)

    def restart(self) -> None:
        """Begins the draws of a random search anew, as if nothing had been described yet."""
        if self._seed is not None:
            self._seed.state.assign(self._first)

    def call(self, clips):
        """Returns the captions of clips."""
        features = clips if self._backbone is None else self._backbone(clips)
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
        batches: Dicts of `item` [batch], `clip` [batch] and the input of the model.
        vocabulary: Its words.
    """
    describer.restart()
    words, scores, items, numbers = [], [], [], []
    for batch in batches:
        values = dict(batch)
        items.append(np.asarray(values.pop("item")))
        numbers.append(np.asarray(values.pop("clip")))
        (shown,) = values.values()
        found = describer.predict_on_batch(shown)
        words.extend(found["words"])
        scores.append(np.asarray(found["log_probability"], np.float64))
    return Written(
        tuple(joined(vocabulary.decode(ids)) for ids in words),
        np.concatenate(scores),
        np.concatenate(items),
        np.concatenate(numbers),
    )
