"""What a network says of each frame or word, kept while it answers as `lrcn predict` has it."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any

import keras
import numpy as np

from lrcn.data import lists, text
from lrcn.inference import answers, outputs, windows


def _nobody() -> None:
    """Ends nothing."""


@dataclasses.dataclass(frozen=True)
class Course:
    """The probability of classes over time.

    Attributes:
        seconds: [frames], when each frame is shown.
        labels: The classes, the likeliest of the answer first.
        values: [classes, frames], the mean over all windows, and crops, that show the frame.
    """

    seconds: np.ndarray
    labels: tuple[str, ...]
    values: np.ndarray


@dataclasses.dataclass(frozen=True)
class Word:
    """A word of a caption.

    Attributes:
        text: As it is written, with the blank before it; empty for the end of the caption.
        probability: After the words before it.
    """

    text: str
    probability: float


@dataclasses.dataclass
class Labels:
    """An answer of classes that keeps what is said of every frame.

    Args:
        inner: What answers.
        watch: Called at each batch of windows; what it raises ends the answer.
    """

    inner: answers.Labels
    watch: Callable[[], None] = _nobody
    _probabilities: list[np.ndarray] = dataclasses.field(default_factory=list)
    _clips: list[np.ndarray] = dataclasses.field(default_factory=list)
    _scored: windows.Scored | None = None

    def score(self, batches: Iterable[Mapping[str, Any]]) -> np.ndarray:
        """Returns what the inner one does."""
        return self.inner.score(self._kept(batches))

    def line(self, item: lists.Item, scored: windows.Scored) -> dict[str, Any]:
        """Returns what the inner one does."""
        self._scored = scored
        return self.inner.line(item, scored)

    def _kept(self, batches: Iterable[Mapping[str, Any]]) -> Iterator[Mapping[str, Any]]:
        self._probabilities.clear()
        self._clips.clear()
        multi_label = outputs.is_multi_label(self.inner.model)
        for batch in batches:
            self.watch()
            # Once more than the inner one, which pools at once; the head is the small part.
            logits = self.inner.model.predict_on_batch(batch["features"])["logits"]
            values = outputs.of_logits(logits, multi_label=multi_label)
            self._probabilities.append(values.astype(np.float32))
            self._clips.append(np.asarray(batch["clip"]))
            yield batch

    def course(self, line: Mapping[str, Any]) -> Course:
        """Returns the probabilities over time of the classes that a line tells.

        Args:
            line: The one of the item that was answered last.
        """
        names = outputs.class_names(self.inner.labels, outputs.num_classes(self.inner.model))
        labels = tuple(entry["label"] for entry in line["top"])
        values = np.concatenate(self._probabilities)[..., [names.index(name) for name in labels]]
        times = self._scored.times[np.concatenate(self._clips)]  # [rows, time]
        seconds, place = np.unique(times.ravel(), return_inverse=True)
        sums = np.zeros([len(seconds), len(labels)])
        np.add.at(sums, place.ravel(), values.reshape(-1, len(labels)))
        counts = np.bincount(place.ravel())
        return Course(seconds, labels, (sums / counts[:, None]).T)


@dataclasses.dataclass
class Captions:
    """An answer of captions that keeps what the network saw.

    Args:
        inner: What answers.
        model: The network after its CNN, from `features` and `words` to `logits`.
        watch: Called at each batch of windows; what it raises ends the answer.
    """

    inner: answers.Captions
    model: keras.Model
    watch: Callable[[], None] = _nobody
    _batches: list[Mapping[str, Any]] = dataclasses.field(default_factory=list)
    _scored: windows.Scored | None = None

    def score(self, batches: Iterable[Mapping[str, Any]]) -> np.ndarray:
        """Returns what the inner one does."""
        self._batches.clear()
        return self.inner.score(self._kept(batches))

    def line(self, item: lists.Item, scored: windows.Scored) -> dict[str, Any]:
        """Returns what the inner one does."""
        self._scored = scored
        return self.inner.line(item, scored)

    def _kept(self, batches: Iterable[Mapping[str, Any]]) -> Iterator[Mapping[str, Any]]:
        for batch in batches:
            self.watch()
            self._batches.append(batch)
            yield batch

    def words(self, line: Mapping[str, Any]) -> tuple[Word, ...]:
        """Returns the caption of a line word by word, and its end.

        The network reads the caption once more; the product of all is the probability of the
        caption.

        Args:
            line: The one of the item that was answered last.
        """
        said = [one["log_probability"] for one in self._scored.values]
        window = int(np.argmax(said))
        features = np.concatenate(
            [batch["features"][np.asarray(batch["clip"]) == window] for batch in self._batches]
        )
        ids = self.inner.vocabulary.encode(line["caption"])
        logs = self._log_probabilities(features, ids)
        crop = np.argmin(np.abs(logs.sum(axis=1) - line["log_probability"]))  # the one that won
        pieces = written(line["caption"], [self.inner.vocabulary.tokens[number] for number in ids])
        return tuple(
            Word(piece, float(np.exp(log)))
            for piece, log in zip([*pieces, ""], logs[crop], strict=True)
        )

    def _log_probabilities(self, features: np.ndarray, ids: list[int]) -> np.ndarray:
        """Returns those of each word and of the end for each row, [rows, words + 1]."""
        words, targets, _ = text.batch([ids], length=len(ids) + 1)
        inputs = {"features": features, "words": np.repeat(words, len(features), axis=0)}
        logits = np.asarray(self.model.predict_on_batch(inputs)["logits"], np.float64)
        highest = logits.max(axis=-1, keepdims=True)
        logs = logits - highest - np.log(np.exp(logits - highest).sum(axis=-1, keepdims=True))
        return np.take_along_axis(logs, targets[..., None].astype(np.int64), axis=-1)[..., 0]


def written(caption: str, tokens: Iterable[str]) -> list[str]:
    """Parts a caption into its tokens, each with the blank before it where one is written.

    Args:
        caption: As people write it.
        tokens: Its words and marks.
    """
    pieces, place = [], 0
    for token in tokens:
        end = caption.index(token, place) + len(token)
        pieces.append(caption[place:end])
        place = end
    return pieces
