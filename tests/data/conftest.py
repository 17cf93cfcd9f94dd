"""Small media, rendered when a test asks for them."""

import fractions

import av
import numpy as np
import PIL.Image
import pytest


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
