"""Measures how fast videos and folders of frames are stored, of what a bare loop would take.

`python scripts/benchmark.py serialize_images serialize_videos serialize_flow` runs it. Every bare
loop is what one would write without the records, in two threads, on the same items.
"""

from __future__ import annotations

import concurrent.futures
import io
import itertools
import pathlib
import statistics
import tempfile
import time
from collections.abc import Callable, Iterator

import measuring

HEIGHT, WIDTH = 240, 320
_QUALITY = 95
_ROUNDS = 5
_ITEMS = 16


def scene(seed: int, count: int, height: int, width: int) -> Iterator:
    """Yields frames [height, width, 3] uint8 of a textured scene that the camera pans over.

    The texture has detail of all sizes and some sensor noise, so JPEGs are as large as a camera's.
    """
    import numpy as np
    from PIL import Image

    rng = np.random.default_rng(seed)
    size = (width + 4 * count, height + 2 * count)
    canvas = np.zeros((size[1], size[0], 3), np.float32)
    for cells, weight in ((4, 0.45), (16, 0.25), (64, 0.2), (160, 0.1)):
        noise = rng.integers(0, 256, (cells, cells, 3), dtype=np.uint8)
        canvas += weight * np.asarray(Image.fromarray(noise).resize(size, Image.BICUBIC))
    grain = rng.normal(0, 3, (height, width, 3)).astype(np.float32)
    for index in range(count):
        top, left = 2 * index, 4 * index
        shown = canvas[top : top + height, left : left + width] + np.roll(grain, 7 * index, 1)
        yield np.clip(shown, 0, 255).astype(np.uint8)


def encode_jpeg(image) -> bytes:
    """Returns a Pillow image as a JPEG of the quality that records have."""
    encoded = io.BytesIO()
    image.save(encoded, "JPEG", quality=_QUALITY)
    return encoded.getvalue()


def serialized_share(
    name: str,
    target: float,
    items: list[pathlib.Path],
    bare: Callable[[pathlib.Path], int],
    *,
    modality: str = "rgb",
) -> list[measuring.Measure]:
    """Compares the serializer with a bare loop on the same items, the median of alternating rounds.

    Args:
        name: What is stored.
        target: The share of the bare loop's speed to reach.
        items: Folders of frames or video files.
        bare: From one item to the number of frames that it worked through.
        modality: What frames are stored as.
    """
    from lrcn.data import catalog, serialize
    from lrcn.data import modality as modality_lib

    folder = items[0].parent
    listed = folder / "data.train"
    listed.write_text("".join(f"{item.name} 0\n" for item in items), encoding="utf-8")
    options = serialize.StoreOptions(
        mode=None,
        image_shape=(HEIGHT, WIDTH, 3),
        overwrite=True,
        quality=_QUALITY,
        modality=modality_lib.Modality(modality),
    )
    ours, theirs = [], []
    with concurrent.futures.ThreadPoolExecutor(2) as threads:
        for _ in range(_ROUNDS):
            began = time.perf_counter()
            frames = sum(threads.map(bare, items))
            theirs.append(time.perf_counter() - began)
            began = time.perf_counter()
            (report,) = serialize.serialize(
                catalog.lists(listed), folder / "records", options=options
            )
            ours.append(time.perf_counter() - began)
    if report.frames != frames:
        raise RuntimeError(f"stored {report.frames} frames of {frames}")
    # Each round by itself: what the machine is busy with changes from one to the next.
    shares = [bare / own for bare, own in zip(theirs, ours, strict=True)]
    details = {
        "frames": frames,
        "frames/s": round(frames / statistics.median(ours), 1),
        "bare frames/s": round(frames / statistics.median(theirs), 1),
        "lowest": round(min(shares), 3),
        "highest": round(max(shares), 3),
    }
    return [measuring.Measure(name, statistics.median(shares), "share", target, True, details)]


def measure_serialize_images() -> list[measuring.Measure]:
    """Stores folders of 640x480 JPEGs at 320x240; the bare loop is Pillow in two threads."""
    from PIL import Image

    def bare(folder: pathlib.Path) -> int:
        files = sorted(folder.iterdir())
        for file in files:
            with Image.open(file) as image:
                small = image.convert("RGB").resize((WIDTH, HEIGHT), Image.BILINEAR)
            encode_jpeg(small)
        return len(files)

    with tempfile.TemporaryDirectory() as temporary:
        folders = []
        for index in range(_ITEMS):
            folder = pathlib.Path(temporary, f"v{index}")
            folder.mkdir()
            for number, frame in enumerate(scene(index, 25, 2 * HEIGHT, 2 * WIDTH), start=1):
                Image.fromarray(frame).save(folder / f"{number:04d}.jpg", quality=_QUALITY)
            folders.append(folder)
        name = "serialize JPEG folders with a resize, of bare Pillow"
        return serialized_share(name, 0.85, folders, bare)


def measure_serialize_videos() -> list[measuring.Measure]:
    """Stores 320x240 H.264 videos; the bare loop is PyAV's decoder and Pillow in two threads."""
    import av

    def bare(file: pathlib.Path) -> int:
        count = 0
        with av.open(str(file)) as container:
            container.streams.video[0].codec_context.thread_count = 1
            for frame in container.decode(video=0):
                encode_jpeg(frame.to_image())
                count += 1
        return count

    with tempfile.TemporaryDirectory() as temporary:
        files = []
        for index in range(_ITEMS):
            files.append(pathlib.Path(temporary, f"v{index}.mp4"))
            write_video(files[-1], scene(index, 120, HEIGHT, WIDTH))
        name = "serialize videos, of bare PyAV decode and encode"
        return serialized_share(name, 0.80, files, bare)


def measure_serialize_flow() -> list[measuring.Measure]:
    """Stores videos as optical flow; the bare loop is OpenCV's calls alone, frames in memory."""
    import av
    import cv2

    cv2.setNumThreads(1)
    greys: dict[pathlib.Path, list] = {}

    def bare(file: pathlib.Path) -> int:
        flow = cv2.DISOpticalFlow_create(cv2.DISOPTICAL_FLOW_PRESET_MEDIUM)
        for before, after in itertools.pairwise(greys[file]):
            flow.calc(before, after, None)
        return len(greys[file])

    with tempfile.TemporaryDirectory() as temporary:
        for index in range(_ITEMS):
            file = pathlib.Path(temporary, f"v{index}.mp4")
            write_video(file, scene(index, 120, HEIGHT, WIDTH))
            with av.open(str(file)) as container:
                greys[file] = [
                    frame.to_ndarray(format="gray") for frame in container.decode(video=0)
                ]
        name = "serialize optical flow, of bare OpenCV calls without decoding or encoding"
        return serialized_share(name, 0.80, list(greys), bare, modality="flow")


def write_video(file: pathlib.Path, frames: Iterator) -> None:
    """Writes frames as H.264, 25 a second."""
    import av

    with av.open(str(file), "w") as container:
        stream = container.add_stream("libx264", rate=25)
        stream.height, stream.width, stream.pix_fmt = HEIGHT, WIDTH, "yuv420p"
        for frame in frames:
            container.mux(stream.encode(av.VideoFrame.from_ndarray(frame, format="rgb24")))
        container.mux(stream.encode())


BENCHMARKS: dict[str, Callable[[], list[measuring.Measure]]] = {
    "serialize_images": measure_serialize_images,
    "serialize_videos": measure_serialize_videos,
    "serialize_flow": measure_serialize_flow,
}
