"""What a network says of the windows of an item, and the line that a user reads of it."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Protocol

import keras
import numpy as np

from lrcn.data import lists, text
from lrcn.inference import outputs, windows
from lrcn.scoring import describer as describer_lib
from lrcn.scoring import metrics


class Answer(Protocol):
    """How a network is asked."""

    def score(self, batches: Iterable[Mapping[str, Any]]) -> np.ndarray:
        """Returns what is said of each window, [windows, ...]."""

    def line(self, item: lists.Item, scored: windows.Scored) -> dict[str, Any]:
        """Returns the line of an item from what was said of its windows."""


@dataclasses.dataclass(frozen=True)
class Labels:
    """The class of an item.

    Attributes:
        model: The network after its CNN, from `features` to `logits` and `probabilities`.
        labels: Names of its classes; numbers are shown if there are none.
        pooling_frames: "avg", "last" or "max" over the frames of a window.
        pooling_clips: The same over the windows of a video.
        top_k: How many classes `top` holds.
    """

    model: keras.Model
    labels: Sequence[str]
    pooling_frames: str = "avg"
    pooling_clips: str = "avg"
    top_k: int = 5

    def score(self, batches: Iterable[Mapping[str, Any]]) -> np.ndarray:
        """Returns the probabilities of windows [windows, classes]."""
        return outputs.score(
            self.model,
            batches,
            pooling_frames=self.pooling_frames,
            multi_label=outputs.is_multi_label(self.model),
        ).probabilities

    def line(self, item: lists.Item, scored: windows.Scored) -> dict[str, Any]:
        """Returns `id, path, label, probability, top, windows`."""
        probabilities = metrics.pool(
            scored.values,
            self.pooling_clips,
            axis=0,
            renormalise=not outputs.is_multi_label(self.model),
        )
        names = outputs.class_names(self.labels, outputs.num_classes(self.model))
        line = outputs.line(
            id=item.id, path=item.path, probabilities=probabilities, names=names, top_k=self.top_k
        )
        said = [outputs.named(values, names) for values in scored.values]
        line["windows"] = [] if item.kind == "image" else _in_time(scored, said)
        return line


@dataclasses.dataclass(frozen=True)
class Captions:
    """The caption of an item.

    Attributes:
        describer: The network with its search.
        vocabulary: Its words.
    """

    describer: describer_lib.Describer
    vocabulary: text.Vocabulary

    def score(self, batches: Iterable[Mapping[str, Any]]) -> np.ndarray:
        """Returns the captions of windows, object [windows] of dicts."""
        written = describer_lib.write(self.describer, batches, self.vocabulary).of_clips()
        said = np.empty(len(written.captions), object)
        said[:] = [
            caption_of(*pair)
            for pair in zip(written.captions, written.log_probability, strict=True)
        ]
        return said

    def line(self, item: lists.Item, scored: windows.Scored) -> dict[str, Any]:
        """Returns `id, path, caption, log_probability`, and the windows if there are several."""
        best = max(scored.values, key=_likelihood)
        line = {"id": item.id, "path": item.path, **best}
        found = _in_time(scored, scored.values)
        return {**line, "windows": found} if len(found) > 1 else line


def caption_of(caption: str, log_probability: float) -> dict[str, Any]:
    """Returns a caption with its log-probability as lines have them."""
    return {"caption": caption, "log_probability": round(float(log_probability), outputs.DIGITS)}


def _likelihood(said: Mapping[str, Any]) -> float:
    return said["log_probability"]


def _in_time(scored: windows.Scored, said: Iterable[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Returns each window once, although an aligned tail may repeat the last one."""
    lines = {}
    for values, start, end in zip(said, scored.start, scored.end, strict=True):
        times = round(float(start), 3), round(float(end), 3)
        lines[times] = {"start": times[0], "end": times[1], **values}
    return list(lines.values())
