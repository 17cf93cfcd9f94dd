"""What each run says of a file: a path in, plain values out."""

from __future__ import annotations

import dataclasses
import pathlib
import time
from collections.abc import Mapping, Sequence
from typing import Any

from lrcn import errors, runs, states
from lrcn import settings as settings_lib
from lrcn.data import lists
from lrcn.inference import predict, trained
from lrcn.models import networks
from lrcn.page import courses, looking

_WORKFLOWS = {
    "singleframe": "single frames",
    "lstm": "LSTM",
    "imgdesc_step": "describes images",
    "imgdesc_state": "describes images",
    "videodesc_pooling": "describes videos",
    "videodesc_encdec": "describes videos",
}
_POOLED = {"avg": "mean", "max": "highest", "last": "last"}


@dataclasses.dataclass(frozen=True)
class Told:
    """What a run says of a file.

    Attributes:
        line: What `lrcn predict` prints of it; empty if there is a problem.
        course: Probabilities of classes over time, of a video.
        words: The caption word by word, of a run that describes.
        basis: What the answer was made of, such as windows and how they were pooled.
        seconds: What it took.
        problem: Why there is no answer.
    """

    line: Mapping[str, Any] = dataclasses.field(default_factory=dict)
    course: courses.Course | None = None
    words: tuple[courses.Word, ...] = ()
    basis: str = ""
    seconds: float = 0.0
    problem: errors.UserError | None = None

    @property
    def spans(self) -> list[dict[str, Any]]:
        """The windows of a video with their captions, where the same one follows as one."""
        found: list[dict[str, Any]] = []
        for window in self.line.get("windows", ()):
            if found and found[-1]["caption"] == window.get("caption"):
                found[-1] = {**found[-1], "end": window["end"]}
            elif "caption" in window:
                found.append(dict(window))
        return found


@dataclasses.dataclass(frozen=True)
class Network:
    """A run that answers.

    Attributes:
        name: How it is called on the page.
        about: What it is, in a few words.
        notice: What somebody should know of it, such as that its training failed; else empty.
        predictor: What answers.
    """

    name: str
    about: str
    notice: str
    predictor: predict.Predictor = dataclasses.field(repr=False)

    @property
    def answer(self) -> courses.Labels | courses.Captions:
        """What answers for the predictor, and keeps what was said on the way."""
        return self.predictor.answer

    @property
    def describes(self) -> bool:
        """Whether it writes captions, and tells no classes."""
        return isinstance(self.answer, courses.Captions)

    def tell(self, item: lists.Item) -> Told:
        """Returns what the run says of an image or a video; a problem is part of it."""
        begun = time.monotonic()
        try:
            line = self.predictor.predict_item(item)
        except errors.UserError as error:
            return Told(problem=looking.named(error, item))
        given = {"line": line, "basis": self._basis(line, item)}
        if self.describes:
            given["words"] = self.answer.words(line)
        elif item.kind != "image":
            given["course"] = self.answer.course(line)
        return Told(**given, seconds=time.monotonic() - begun)

    def _basis(self, line: Mapping[str, Any], item: lists.Item) -> str:
        if item.kind == "image":
            return "one image"
        count, frames = len(line.get("windows") or [line]), self.predictor.mode.num_frames_per_clip
        if count == 1:
            return f"one window of {frames} frames"
        if self.describes:
            return f"the likeliest caption of {count} windows of {frames} frames"
        how = _POOLED[self.answer.inner.pooling_clips]
        return f"{how} of {count} windows of {frames} frames"


def opened(
    run: str,
    *,
    name: str,
    bounds: looking.Bounds,
    checkpoint: str = "best",
    search: settings_lib.Search | None = None,
    top_k: int = 5,
) -> Network:
    """Opens a run to be asked.

    Args:
        run: Its folder.
        name: How it is called on the page.
        bounds: The most that the run and what is dropped may ask for.
        checkpoint: "best" or "last".
        search: How captions are found, for a run that describes; others do without.
        top_k: Classes that are told.

    Raises:
        UserError: There is no such run, or it has no checkpoint.
    """
    own = trained.load(run, checkpoint=checkpoint, limits=bounds.limits)
    search = search if own.vocabulary is not None else None
    predictor = own.predictor(search=search, top_k=top_k, limits=bounds.of_decoding)
    if own.vocabulary is None:
        answer: Any = courses.Labels(predictor.answer, bounds.watch)
    else:
        answer = courses.Captions(predictor.answer, networks.head(own.model), bounds.watch)
    reading = dataclasses.replace(predictor.reading, watch=bounds.watch)
    predictor = dataclasses.replace(predictor, answer=answer, reading=reading)
    return Network(name, _about(own), notice_of(own.run), predictor)


def names_of(folders: Sequence[str]) -> list[str]:
    """Returns the names of runs: the last parts of their paths, as many as tell them apart."""
    paths = [pathlib.Path(folder).absolute().parts for folder in folders]
    depth = 1
    while depth < max(map(len, paths)) and len({path[-depth:] for path in paths}) < len(paths):
        depth += 1
    return ["/".join(path[-depth:]) for path in paths]


def notice_of(run: runs.RunDirectory) -> str:
    """Returns what somebody should know of a run that did not come to its end, else nothing."""
    found = states.state(run)
    return "" if found.is_done else found.told


def _about(own: trained.Trained) -> str:
    settings = own.settings
    told = [_WORKFLOWS[settings.workflow.name], settings.backbone.name]
    if own.shown.modality != "rgb":
        told.append({"flow": "optical flow"}.get(own.shown.modality, own.shown.modality))
    if own.vocabulary is None:
        told.append(f"{networks.head(own.model).get_layer('classes').units} classes")
    else:
        told.append(f"{own.vocabulary.size} words")
    return " · ".join(told)
