"""Where bad inputs are made: a folder of one's own, and good things that many of them spoil."""

from __future__ import annotations

import dataclasses
import functools
import pathlib
import shutil
from collections.abc import Iterable

import av
import numpy as np
import PIL.Image
import pytest

from lrcn import cli, runs

EXAMPLES = pathlib.Path(__file__).resolve().parent.parent / "examples"
VIDEO = EXAMPLES / "videos" / "val_left_0.mp4"
AVI = EXAMPLES / "videos" / "val_right_1.avi"
IMAGE = EXAMPLES / "images" / "red_left.jpg"
LABELS = f"dataset.labels={EXAMPLES}/labels.txt"

TINY = (
    *("backbone.image_size=[16,16]", "workflow.units=4", "batch_size=4", "callbacks=minimal"),
    *("clipframe_mode.num_frames_per_clip=4", "epochs=1"),
)
TINY_WORDS = (
    *("dataset.train=12", "dataset.val=4", "dataset.test=0", "dataset.size=24"),
    *("backbone.image_size=[16,16]", "backbone.trainable=false", "workflow.units=6"),
    *("workflow.embedding=5", "vocabulary.min_count=1", "callbacks=minimal", "epochs=1"),
)


@dataclasses.dataclass(frozen=True)
class Shared:
    """What takes seconds to make, made once when a fault first needs it; nobody may change it.

    Args:
        folder: Where it is kept.
    """

    folder: pathlib.Path

    @functools.cached_property
    def records(self) -> pathlib.Path:
        """The folder of `videos.train.tfrecord` and `videos.val.tfrecord`, every frame stored."""
        return self._serialized("records", "clipframe_mode=none")

    @functools.cached_property
    def flow_records(self) -> pathlib.Path:
        """The same as optical flow."""
        return self._serialized("flow", "clipframe_mode=none", "modality=flow")

    @functools.cached_property
    def clip_records(self) -> pathlib.Path:
        """The same with stored clips of 4 frames."""
        return self._serialized("clips", "clipframe_mode.num_frames_per_clip=4")

    @functools.cached_property
    def caption_records(self) -> pathlib.Path:
        """The folder of `captions.train.tfrecord`, images with captions."""
        return self._stored("captions", f"dataset.input_files={EXAMPLES}/captions.train")

    @functools.cached_property
    def video_caption_records(self) -> pathlib.Path:
        """The folder of `captions.train.tfrecord`, a video with a caption."""
        file = self.folder / "captions.train"
        file.write_text(f"{VIDEO}\ta disc moves to the left\n", encoding="utf-8")
        return self._stored("told", f"dataset.input_files={file}", "clipframe_mode=none")

    @functools.cached_property
    def run(self) -> pathlib.Path:
        """A finished run that classifies `records`."""
        return self._trained("run", *records_of(self.records), *TINY)

    @functools.cached_property
    def captioner(self) -> pathlib.Path:
        """A finished run that describes images."""
        return self._trained("captioner", "workflow=imgdesc_step", *TINY_WORDS)

    def _serialized(self, name: str, *arguments: str) -> pathlib.Path:
        files = ",".join(f"{EXAMPLES}/videos.{split}" for split in ("train", "val"))
        return self._stored(name, f"dataset.input_files=[{files}]", LABELS, *arguments)

    def _stored(self, name: str, *arguments: str) -> pathlib.Path:
        folder = self.folder / name
        shape = "raw_image_shape=[24,32,3]"
        _done("serialize", *arguments, shape, f"output_folder={folder}")
        return folder

    def _trained(self, name: str, *arguments: str) -> pathlib.Path:
        folder = self.folder / name
        with pytest.MonkeyPatch.context() as patch:
            patch.setenv("LRCN_CACHE", str(self.folder / "cache"))
            _done("train", *arguments, f"hydra.run.dir={folder}")
        return folder


def _done(*arguments: str) -> None:
    code = cli.main(list(arguments))
    assert code == 0, f"lrcn {' '.join(arguments)} ended with {code}"


def records_of(folder: pathlib.Path | str) -> list[str]:
    """Returns the overrides that train on records of videos in a folder."""
    splits = [f"dataset.{split}={folder}/videos.{split}.tfrecord" for split in ("train", "val")]
    return ["dataset=records", *splits]


@dataclasses.dataclass(frozen=True)
class World:
    """The working directory of a command that meets a bad input.

    Args:
        folder: The directory.
        shared: Good things to use or to copy and spoil.
        patch: Changes the environment for the test alone.
    """

    folder: pathlib.Path
    shared: Shared
    patch: pytest.MonkeyPatch

    def write(self, name: str, content: str | bytes) -> pathlib.Path:
        """Writes a file of the working directory."""
        path = self.folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content.encode() if isinstance(content, str) else content)
        return path

    def cut(self, source: pathlib.Path, name: str, share: float = 0.5) -> pathlib.Path:
        """Writes the beginning of a file."""
        content = source.read_bytes()
        return self.write(name, content[: int(len(content) * share)])

    def picture(self, name: str, height: int = 24, width: int = 32) -> pathlib.Path:
        """Writes a grey picture in the format of its suffix."""
        path = self.folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        PIL.Image.fromarray(np.full((height, width, 3), 128, np.uint8)).save(path)
        return path

    def frames(self, folder: str, numbers: Iterable[object], suffix: str = "jpg", **size: int):
        """Writes a folder of frames of these numbers."""
        for number in numbers:
            self.picture(f"{folder}/{number}.{suffix}", **size)

    def video(self, name: str, frames: int, height: int = 32, width: int = 48) -> pathlib.Path:
        """Writes a grey mp4."""
        path = self.folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        with av.open(str(path), "w") as container:
            stream = container.add_stream("libx264", rate=10)
            stream.height, stream.width, stream.pix_fmt = height, width, "yuv420p"
            grey = np.full((height, width, 3), 128, np.uint8)
            for _ in range(frames):
                container.mux(stream.encode(av.VideoFrame.from_ndarray(grey, format="rgb24")))
            container.mux(stream.encode())
        return path

    def copy(self, source: pathlib.Path, name: str) -> pathlib.Path:
        """Copies a file or a folder of what is shared, to be spoilt."""
        target = self.folder / name
        target.parent.mkdir(parents=True, exist_ok=True)
        if source.is_dir():
            shutil.copytree(source, target)
        else:
            shutil.copyfile(source, target)
        return target

    def own_run(self, name: str = "run") -> runs.RunDirectory:
        """Copies the finished run that classifies."""
        return runs.RunDirectory(self.copy(self.shared.run, name))
