"""A trained model on files, folders of frames and globs: a line for each, and annotated videos.

An item goes the way of evaluation: to JPEG frames of the stored size, through the same decoding and
the same view into the same CNN, each frame once, and its windows through the same head. Reading,
decoding and the network go on at the same time.
"""

from __future__ import annotations

import collections
import dataclasses
import functools
import glob
import itertools
import logging
import os
import pathlib
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any

import keras
import numpy as np

from lrcn import errors, litert
from lrcn.data import (
    augment,
    containers,
    dataset,
    frames,
    images,
    lists,
    ordered,
    sources,
    video,
)
from lrcn.data import clips as clips_lib
from lrcn.data.limits import Limits
from lrcn.inference import answers, overlay, windows
from lrcn.scoring import clips as clips_of_features

log = logging.getLogger(__name__)

_AHEAD = 2  # batches of frames that are decoded ahead of it
_IMAGE_SECONDS = 2


@dataclasses.dataclass(frozen=True)
class Predictor:
    """A model with all that is needed to show it an item as in its training.

    Attributes:
        backbone: The CNN, from frames [batch, height, width, 3] uint8 to [batch, features].
        answer: How the head is asked, and what a line tells of its answer.
        mode: How windows are cut from videos and folders of frames.
        view: What part of a frame is seen; ten crops are averaged, or their captions compete.
        reading: Stored size of frames, step, rate and the suffix of frames in folders.
        batch_size: Windows in a batch.
        short_videos: "loop" or "error".
        seed: Of random modes.
        of_images: Whether the model describes images: a folder is then many of them, no video.
    """

    backbone: keras.Model
    answer: answers.Answer
    mode: clips_lib.ClipMode
    view: augment.View
    reading: video.Reading = dataclasses.field(default_factory=video.Reading)
    batch_size: int = 8
    short_videos: str = "loop"
    seed: int = 0
    of_images: bool = False

    def predict(
        self, inputs: str | os.PathLike | Sequence[str], *, overlay_path: str | None = None
    ) -> Iterator[dict[str, Any]]:
        """Yields a line for each input, as the answer has it.

        An input that cannot be read is logged and does not keep the others from being predicted.

        Args:
            inputs: A video, an image, a folder of frames, a glob, or several of them.
            overlay_path: An mp4 to draw the labels of the only input on.

        Raises:
            errors.UserError: If an input does not exist, before any is read; at the end, if one
                could not be read.
        """
        items = find(inputs, frame_format=self.reading.frame_format)
        if self.of_images:
            _refuse_folders(items, self.reading.frame_format)
        if overlay_path is not None:
            overlay.check_target(overlay_path)
            _require_one(items)
        failures = []
        for item in items:
            try:
                line = self.predict_item(item)
                if overlay_path is not None:
                    write_overlay(overlay_path, item, line, self.reading)
            except errors.UserError as error:
                if len(items) == 1:
                    raise
                log.error("error: %s", error)
                failures.append(item.id)
                continue
            yield line
        if failures:
            raise errors.UserError(
                f"{len(failures)} of {len(items)} inputs could not be predicted, told above",
                where="input",
                received=errors.few(failures),
                expected="inputs that decode as a whole",
                remedy="Mend or leave out what is named; the other lines are complete",
            )

    def predict_item(self, item: lists.Item) -> dict[str, Any]:
        """Returns the line of one item.

        Raises:
            errors.UserError: If the item is missing, cut short or does not decode.
        """
        return self.answer.line(item, windows.scored(item, self._plan(), self._score))

    def _plan(self) -> windows.Plan:
        return windows.Plan(self.mode, self.reading, self.short_videos, self.seed)

    @functools.cached_property
    def _forward(self) -> Callable[[np.ndarray], np.ndarray]:
        return litert.forward(self.backbone)

    @functools.cached_property
    def _decode(self) -> Callable[[Sequence[bytes]], np.ndarray]:
        return dataset.decoder(self.view)

    def _score(self, jpegs: Iterable[bytes], table: np.ndarray) -> np.ndarray:
        """Returns what is said of windows, [windows, ...], of the frames that they show."""
        crops = augment.TEN if self.view.crop == "ten" else 1
        shown = clips_of_features.Shown([table], crops=crops)
        most = clips_of_features.frames_at_once(self.batch_size, table.shape[1])

        def produce(put: Callable[[np.ndarray], None]) -> None:
            left = iter(jpegs)
            while part := list(itertools.islice(left, max(most // crops, 1))):
                put(self._decode(part))

        with ordered.ahead(produce, most=_AHEAD) as frames:
            batches = clips_of_features.Batches(frames, self._forward, shown, self.batch_size)
            values = self.answer.score(batches)
            collections.deque(frames, maxlen=0)  # so that a fault after the last window is met
        return values


def find(
    inputs: str | os.PathLike | Sequence[str], *, frame_format: str = "jpg"
) -> list[lists.Item]:
    """Returns the items that paths and globs name, each once.

    Args:
        inputs: A path, a glob, or several of them; relative to the working directory.
        frame_format: Suffix of the frames in folders.

    Raises:
        errors.UserError: If a path does not exist, a glob matches nothing, or a file is neither
            an image nor a video.
    """
    given = [inputs] if isinstance(inputs, str | os.PathLike) else inputs
    paths = dict.fromkeys(path for text in given for path in _matches(str(text)))
    if not paths:
        raise errors.UserError(
            "there is nothing to predict",
            where="input",
            received="[]",
            expected="a video, an image, a folder of frames, a glob, or several of them",
            remedy="Set input=VIDEO",
        )
    return [_item(path, frame_format) for path in paths]


def _matches(text: str) -> list[str]:
    path = os.path.expanduser(text)  # noqa: PTH111 - a glob is no path
    if os.path.exists(path):  # noqa: PTH110 - a name may hold the signs of a glob
        return [path]
    found = sorted(glob.glob(path, recursive=True), key=lists.natural_key)
    if not found:
        is_glob = glob.has_magic(path)
        raise errors.UserError(
            "no file matches" if is_glob else "no such image, video or folder of frames",
            where="input",
            received=text,
            expected="an existing path, or a glob that matches one",
            remedy="Correct it; paths are relative to the working directory",
        )
    return found


def _item(path: str, frame_format: str) -> lists.Item:
    absolute = pathlib.Path(path).absolute()
    kind = lists.kind_of(absolute, frame_format)
    if kind == "frames":
        _refuse_folder_of_videos(absolute)
        _refuse_folder_of_folders(absolute, frame_format)
    return lists.Item(id=path, path=str(absolute), kind=kind)


def _refuse_folder_of_videos(folder: pathlib.Path) -> None:
    suffixes = {file.suffix.lower().lstrip(".") for file in folder.iterdir()}
    videos = suffixes.intersection(lists.VIDEO_SUFFIXES)
    if videos and not suffixes.intersection(lists.IMAGE_SUFFIXES):
        raise errors.UserError(
            "a folder of videos",
            where=folder,
            received=f"files of .{', .'.join(sorted(videos))}",
            expected="a folder of frames",
            remedy=f"Give a glob: 'input={folder}/*.{min(videos)}'",
        )


def _refuse_folder_of_folders(folder: pathlib.Path, frame_format: str) -> None:
    if frames.names(folder, frame_format):
        return
    inner = [entry for entry in folder.iterdir() if entry.is_dir() and entry.name[0] != "."]
    inner = sorted(inner, key=lambda entry: lists.natural_key(entry.name))
    suffixes = {file.suffix for entry in inner for file in entry.iterdir()}
    videos = sorted(s for s in suffixes if s.lower().lstrip(".") in lists.VIDEO_SUFFIXES)
    of_frames = any(frames.names(entry, frame_format) for entry in inner)
    if of_frames or videos:
        glob_of = "*" if of_frames else f"*/*{videos[0]}"
        raise errors.UserError(
            "a folder of folders",
            where=folder,
            received=errors.few([f"{entry.name}/" for entry in inner]),
            expected="a folder of frames",
            remedy=f"Give a glob: 'input={folder}/{glob_of}'",
        )


def _refuse_folders(items: Sequence[lists.Item], frame_format: str) -> None:
    for item in items:
        if item.kind == "frames":
            raise errors.UserError(
                "the run describes images, and a folder would be one video",
                where=item.path,
                received="a folder",
                expected="images, each of which is described",
                remedy=f"Give a glob: 'input={item.id.rstrip('/')}/*.{frame_format}'",
            )


def _require_one(items: Sequence[lists.Item]) -> None:
    if len(items) > 1:
        raise errors.UserError(
            "one annotated video shows one input",
            where="overlay",
            received=f"{len(items)} inputs",
            expected="1",
            remedy="Leave overlay out, or call predict for each input.",
        )


def write_overlay(
    path: str | os.PathLike, item: lists.Item, line: dict[str, Any], reading: video.Reading
) -> None:
    """Draws a prediction on every frame of its item, in the item's own size and rate.

    Args:
        path: The mp4 to write.
        item: What was predicted.
        line: Its line.
        reading: The suffix of frames in folders, and the limits.
    """
    if item.kind == "video":
        _annotate_video(path, item, line, reading.limits)
        return
    repeats, fps = 1, windows.FOLDER_RATE
    names = [item.path]
    if item.kind == "frames":
        names = lists.frame_files(item.path, reading.frame_format, limits=reading.limits)
    else:
        repeats = round(_IMAGE_SECONDS * fps)
    unchanged = sources.unchanged(item, reading.frame_format)
    with overlay.writing(path, line, fps=fps) as writer, unchanged:
        for name in names:
            rgb = images.rgb_from_file(name, limits=reading.limits)
            for _ in range(repeats):
                writer.add(rgb)


def _annotate_video(
    path: str | os.PathLike, item: lists.Item, line: dict[str, Any], limits: Limits
) -> None:
    timeline = containers.planned(item.path, limits=limits)
    rgb = containers.RgbConverter()
    times = np.asarray(timeline.times) - timeline.times[0]
    fps = timeline.rate or windows.FOLDER_RATE
    with overlay.writing(path, line, fps=fps) as writer, sources.unchanged(item):

        def visit(index, frame):
            writer.add(rgb(frame), float(times[min(index, len(times) - 1)]))

        containers.decode(item.path, visit, limits=limits)
