"""A first answer of each run, before anybody waits for it."""

from __future__ import annotations

import pathlib
import tempfile

import av
import numpy as np

from lrcn.data import images, lists
from lrcn.page import answers

_RATE = 25
_SIZE = (48, 64)


def warm(network: answers.Network) -> None:
    """Has a run answer about grey pictures, so that everything is compiled.

    Args:
        network: The run.
    """
    with tempfile.TemporaryDirectory(prefix="lrcn-page-") as folder:
        item = _image(folder) if network.predictor.of_images else _video(folder, network)
        network.tell(item)


def _image(folder: str) -> lists.Item:
    path = pathlib.Path(folder, "grey.jpg")
    path.write_bytes(images.jpeg_from_array(np.full((*_SIZE, 3), 128, np.uint8))[0])
    return lists.Item(path.name, str(path), "image")


def _video(folder: str, network: answers.Network) -> lists.Item:
    path = pathlib.Path(folder, "grey.mp4")
    frames = network.predictor.mode.num_frames_per_clip * network.predictor.reading.frame_step
    grey = av.VideoFrame.from_ndarray(np.full((*_SIZE, 3), 128, np.uint8), format="rgb24")
    with av.open(str(path), "w") as container:
        stream = container.add_stream("mpeg4", rate=_RATE)
        stream.height, stream.width = _SIZE
        stream.pix_fmt = "yuv420p"
        for _ in range(frames + 1):
            container.mux(stream.encode(grey))
        container.mux(stream.encode())
    return lists.Item(path.name, str(path), "video")
