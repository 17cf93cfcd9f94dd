"""Small media, rendered when a test asks for them, and processes that end where a test wants."""

import dataclasses
import fractions
import os

import av
import numpy as np
import PIL.Image
import pytest

from lrcn.data import clips, journal, lists, packing, serialize

ASKED = serialize.StoreOptions(
    mode=clips.ClipMode("rand_clips", 4, 2),
    num_threads=1,
    shuffle=True,
    shards=2,
    on_error="skip",
    seed=5,
)


def make(data, folder, index, **changes):
    """Makes a shard by options that draw, shuffle and skip."""
    options = dataclasses.replace(ASKED, **changes)
    return serialize.serialize(data, folder, options=options, shard_index=index)


CHANGING = ("replace", "fsync", "unlink", "rmdir", "mkdir", "truncate")


def painted(index, *, height=48, width=64):
    """Returns a smooth frame whose green tells its number."""
    frame = np.zeros((height, width, 3), np.uint8)
    frame[..., 0] = np.linspace(0, 255, width).astype(np.uint8)
    frame[..., 1] = 5 * index % 256
    frame[: height // 3, : width // 3] = 255
    return frame


@pytest.fixture(scope="session")
def paint():
    return painted


@pytest.fixture(scope="session")
def make_video():
    """Returns a function that writes a video of `painted` frames and returns its path."""

    def make(path, num_frames=20, *, codec="libx264", rate=25, stamps=None, rotation=None, **size):
        path.parent.mkdir(parents=True, exist_ok=True)
        with av.open(str(path), "w") as container:
            stream = container.add_stream(codec, rate=rate)
            first = painted(0, **size)
            stream.height, stream.width = first.shape[:2]
            stream.pix_fmt, stream.bit_rate = "yuv420p", 4_000_000
            if rotation is not None:
                stream.set_display_rotation(rotation)
            if stamps is not None:
                stream.codec_context.time_base = fractions.Fraction(1, 1000)
            for index in range(num_frames):
                frame = av.VideoFrame.from_ndarray(painted(index, **size))
                if stamps is not None:
                    frame.pts, frame.time_base = stamps[index], fractions.Fraction(1, 1000)
                container.mux(stream.encode(frame))
            container.mux(stream.encode())
        return path

    return make


@pytest.fixture(scope="session")
def make_frames():
    """Returns a function that writes a folder of `painted` JPEG frames and returns its path."""

    def make(folder, num_frames=20, *, name="{}.jpg", first=1, **size):
        folder.mkdir(parents=True, exist_ok=True)
        for index in range(num_frames):
            image = PIL.Image.fromarray(painted(index, **size))
            image.save(folder / name.format(index + first), quality=90)
        return folder

    return make


@pytest.fixture
def data(tmp_path, make_frames):
    """Seven folders of frames, one broken, and a second split."""
    for index in range(7):
        make_frames(tmp_path / f"clip{index}", 5 + index, height=8, width=12)
    (tmp_path / "clip2" / "3.jpg").write_bytes(b"broken")
    items = tuple(
        lists.Item(f"clip{index}", str(tmp_path / f"clip{index}"), "frames", (index % 3,))
        for index in range(7)
    )
    splits = {
        "data.train": lists.Split("data.train", items, "test"),
        "data.val": lists.Split("data.val", items[5:], "test"),
    }
    return lists.Catalog(splits, ("a", "b", "c"), 3, False)


class Killed(BaseException):
    """The end of a process; nothing that it would do afterwards has an effect."""


class Life:
    """Lets a process end at a given step of those that change files or make records."""

    def __init__(self, monkeypatch, last):
        self.steps, self.last = 0, last
        for name in CHANGING:
            monkeypatch.setattr(os, name, self.step(getattr(os, name)))
        monkeypatch.setattr(packing.Packer, "__call__", self.step(packing.Packer.__call__))
        append = journal.append

        def torn(path, commit):
            self.count(lambda: path.open("ab").close() or tear(path, append, commit))
            append(path, commit)

        monkeypatch.setattr(journal, "append", torn)

    def step(self, function):
        def counted(*arguments, **options):
            self.count()
            return function(*arguments, **options)

        return counted

    def count(self, ending=lambda: None):
        self.steps += 1
        if self.steps == self.last:
            ending()
        if self.steps >= self.last:
            raise Killed


def tear(path, append, commit):
    """Writes a line by half, as a process that is killed may."""
    before = path.stat().st_size
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(os, "fsync", lambda _: None)
        append(path, commit)
    with path.open("rb+") as file:
        file.truncate(before + (file.seek(0, os.SEEK_END) - before) // 2)


def ends_at(run, last):
    """Runs until a step; tells whether it came to its end before."""
    with pytest.MonkeyPatch.context() as patch:
        life = Life(patch, last)
        try:
            run()
        except Killed:
            return False, life.steps
    return True, life.steps


@pytest.fixture(scope="session")
def lives():
    """Returns a function that runs another until a step; see `ends_at`."""
    return ends_at
