"""What a description network knows of words: their vectors, and which number stands for which."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import keras
import numpy as np

from lrcn.data import text, word_vectors
from lrcn.models import networks

OF_WORDS = ("embedding", "classes")  # the layers that have weights for each word


@keras.saving.register_keras_serializable(package="lrcn")
class Words(keras.layers.Embedding):
    """Word vectors that know their words and the design they serve, so that a saved model does.

    Args:
        input_dim: Size of the vocabulary.
        output_dim: Size of a vector.
        tokens: The word of each id, or none.
        max_length: The most words of a caption that it was trained on.
        design: The fields of the network's `Design`.
    """

    def __init__(
        self,
        input_dim: int,
        output_dim: int,
        *,
        tokens: Sequence[str] = (),
        max_length: int = 0,
        design: Mapping[str, Any] | None = None,
        **kwargs: Any,
    ):
        super().__init__(input_dim, output_dim, **kwargs)
        self.tokens = tuple(tokens)
        self.max_length = int(max_length)
        self.design = dict(design or {})

    def get_config(self) -> dict:
        """Returns the arguments that rebuild the layer."""
        own = {"tokens": list(self.tokens), "max_length": self.max_length}
        return {**super().get_config(), **own, "design": dict(self.design)}


def parts_of(model: keras.Model) -> dict[str, keras.layers.Layer]:
    """Returns the layers of a description network's head by name."""
    return {layer.name: layer for layer in networks.head(model).layers}


def tokens_of(model: keras.Model) -> tuple[str, ...]:
    """Returns the word of each id of a network."""
    return parts_of(model)["embedding"].tokens


def vocabulary_of(model: keras.Model) -> text.Vocabulary:
    """Returns the vocabulary that a network was trained with and saved."""
    words = parts_of(model)["embedding"]
    return text.Vocabulary(words.tokens, words.max_length)


def is_one(model: keras.Model) -> bool:
    """Tells whether a model is a description network."""
    names = {layer.name for layer in model.layers}
    return "head" in names and isinstance(parts_of(model).get("embedding"), Words)


def set_word_vectors(model: keras.Model, vectors: np.ndarray) -> None:
    """Gives a network its first word vectors.

    Args:
        model: A description network.
        vectors: [vocabulary, embedding] float32.

    Raises:
        UserError: They have another width than the network's.
    """
    weight = parts_of(model)["embedding"].embeddings
    word_vectors.require_width(vectors.shape[1], weight.shape[1])
    weight.assign(vectors)


def carry_words(
    source: keras.Model, target: keras.Model, *, layers: Sequence[str] = OF_WORDS
) -> tuple[list[str], list[str], list[str]]:
    """Copies what a network knows of each word to the same word of another one, in place.

    Args:
        source: A trained network.
        target: The one that takes the word vectors and the weights of the classifier.
        layers: What is carried of the two.

    Returns:
        The words that both know, those that are new, and the paths of the weights, if their
        sizes let them be carried.
    """
    old, parts = parts_of(source), parts_of(target)
    places = {token: place for place, token in enumerate(tokens_of(source))}
    tokens = tokens_of(target)
    known = [token for token in tokens if token in places]
    here = np.array([place for place, token in enumerate(tokens) if token in places], np.int64)
    there = np.array([places[token] for token in known], np.int64)
    carried = []
    for name in layers:
        pairs = list(zip(old[name].weights, parts[name].weights, strict=True))
        # The axis of words: rows of vectors, and the last one of the classifier's weights.
        axes = [0 if name == "embedding" else -1 for _ in pairs]
        if any(_without(a, x) != _without(b, x) for (a, b), x in zip(pairs, axes, strict=True)):
            continue
        for (given, taken), axis in zip(pairs, axes, strict=True):
            values = np.moveaxis(keras.ops.convert_to_numpy(taken).copy(), axis, 0)
            values[here] = np.moveaxis(keras.ops.convert_to_numpy(given), axis, 0)[there]
            taken.assign(np.moveaxis(values, 0, axis))
            carried.append(taken.path)
    return known, [token for token in tokens if token not in places], carried


def _without(weight: keras.Variable, axis: int) -> tuple[int, ...]:
    """Returns a weight's shape without the axis of words."""
    shape = list(weight.shape)
    del shape[axis]
    return tuple(shape)
