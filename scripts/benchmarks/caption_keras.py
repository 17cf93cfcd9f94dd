"""Captions in plain Keras, as one would write them: `model.predict` for one word at a time.

The same networks as those of `caption`, of Keras' own layers, with the weights of the others.
"""

from __future__ import annotations

import keras
import numpy as np
from keras import layers

from lrcn.data.text import BEGIN, PADDING, UNKNOWN


def network_of(
    head: keras.Model, *, reads_frames: bool, units: int, embedding: int, vocabulary: int
) -> keras.Model:
    """Returns a network from features [rows, frames, width] and words [rows, length] to logits.

    Args:
        head: The network of this project, whose weights are copied.
        reads_frames: Whether an LSTM reads the frames and hands its state over; else the only one
            stands beside every word.
        units: Of an LSTM.
        embedding: Of a word.
        vocabulary: Words.
    """
    seen = keras.Input((None, head.inputs[0].shape[-1]))
    words = keras.Input((None,), dtype="int32")
    vectors = layers.Embedding(vocabulary, embedding, name="embedding")(words)
    states = None
    if reads_frames:
        _, *states = layers.LSTM(units, return_state=True, name="reader1")(seen)
    else:
        beside = seen + keras.ops.zeros_like(vectors[..., :1])
        vectors = layers.Concatenate()([vectors, beside])
    outputs = layers.LSTM(units, return_sequences=True, name="lstm1")(vectors, initial_state=states)
    logits = layers.Dense(vocabulary, name="classes")(outputs)
    model = keras.Model([seen, words], logits)
    for name in ("embedding", "lstm1", "classes", *(["reader1"] if reads_frames else [])):
        model.get_layer(name).set_weights(head.get_layer(name).get_weights())
    return model


def growing(
    model: keras.Model, features: np.ndarray, length: int, batch: int | None = None
) -> np.ndarray:
    """Returns words [rows, length] of `model.predict` on captions that grow by a word.

    Args:
        model: As `network_of` returns it.
        features: [rows, frames, width].
        length: Words of a caption.
        batch: Rows that are described at a time; None is all.
    """
    found = []
    for start in range(0, len(features), batch or len(features)):
        part = features[start : start + (batch or len(features))]
        words = np.full((len(part), 1), BEGIN, np.int32)
        for _ in range(length):
            words = np.append(words, likeliest(model, part, words)[:, -1:], axis=1)
        found.append(words[:, 1:])
    return np.concatenate(found)


def padded(model: keras.Model, features: np.ndarray, length: int) -> np.ndarray:
    """Returns words [rows, length] of `model.predict` on captions of one length for all words."""
    words = np.full((len(features), length + 1), PADDING, np.int32)
    words[:, 0] = BEGIN
    for place in range(length):
        words[:, place + 1] = likeliest(model, features, words[:, :-1])[:, place]
    return words[:, 1:]


def likeliest(model: keras.Model, features: np.ndarray, words: np.ndarray) -> np.ndarray:
    """Returns the likeliest word after each, int32 [rows, length], of those that may be said."""
    logits = model.predict([features, words], batch_size=len(features), verbose=0)
    logits[..., [PADDING, BEGIN, UNKNOWN]] = -np.inf
    return logits.argmax(axis=-1).astype(np.int32)
