"""Storing videos and folders of frames, beside bare loops on the same items.

Every bare loop is what one would write without the records, in two threads.
"""

from __future__ import annotations

import concurrent.futures
import itertools
import pathlib
import statistics
import tempfile
import time
from collections.abc import Callable

from benchmarks import measuring, scenes

_ITEMS = 16
_SMALL = (24, 32)  # height and width of tiny frames
_COPIED = 5000.0  # frames a second whose bytes are taken as they are


def measure(size: measuring.Size) -> list[measuring.Measure]:
    """Stores folders of JPEGs with and without a resize, videos, and their optical flow."""
    parts = (measure_images, measure_copies, measure_videos, measure_flow)
    return [part(size) for part in parts]


def serialized_share(
    name: str,
    target: float,
    size: measuring.Size,
    items: list[pathlib.Path],
    bare: Callable[[pathlib.Path], int],
    *,
    modality: str = "rgb",
) -> measuring.Measure:
    """Compares the serializer with a bare loop on the same items, the median of alternating rounds.

    Args:
        name: What is stored.
        target: The share of the bare loop's speed to reach.
        size: How much is measured.
        items: Folders of frames or video files.
        bare: From one item to the number of frames that it worked through.
        modality: What frames are stored as.
    """
    from lrcn.data import catalog, serialize
    from lrcn.data import modality as modality_lib

    folder = items[0].parent
    listed = scenes.write_list(folder, items, 1)
    options = serialize.StoreOptions(
        mode=None,
        image_shape=(*shape_of(size), 3),
        overwrite=True,
        quality=scenes.QUALITY,
        modality=modality_lib.Modality(modality),
    )
    ours, theirs = [], []
    with concurrent.futures.ThreadPoolExecutor(2) as threads:
        for _ in range(size.rounds):
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
    return measuring.Measure(name, statistics.median(shares), "share", target, True, details)


def shape_of(size: measuring.Size) -> tuple[int, int]:
    """Returns height and width of stored frames."""
    return size.of((scenes.HEIGHT, scenes.WIDTH), _SMALL)


def items_of(size: measuring.Size) -> range:
    """Returns the numbers of the items."""
    return range(size.of(_ITEMS, 2))


def measure_images(size: measuring.Size) -> measuring.Measure:
    """Stores folders of JPEGs at half their size; the bare loop is Pillow in two threads."""
    from PIL import Image

    height, width = shape_of(size)

    def bare(folder: pathlib.Path) -> int:
        files = sorted(folder.iterdir())
        for file in files:
            with Image.open(file) as image:
                small = image.convert("RGB").resize((width, height), Image.BILINEAR)
            scenes.encode_jpeg(small)
        return len(files)

    with tempfile.TemporaryDirectory() as temporary:
        folders = [
            scenes.write_folder(
                pathlib.Path(temporary, f"v{index}"), scenes.scene(index, 60, 2 * height, 2 * width)
            )
            for index in items_of(size)
        ]
        name = "serialize JPEG folders with a resize, of bare Pillow"
        return serialized_share(name, 0.90, size, folders, bare)


def measure_copies(size: measuring.Size) -> measuring.Measure:
    """Stores folders of JPEGs that have the stored size; the bare loop reads their bytes."""
    height, width = shape_of(size)

    def bare(folder: pathlib.Path) -> int:
        return sum(bool(file.read_bytes()) for file in folder.iterdir())

    with tempfile.TemporaryDirectory() as temporary:
        folders = [
            scenes.write_folder(
                pathlib.Path(temporary, f"v{index}"), scenes.scene(index, 120, height, width)
            )
            for index in items_of(size)
        ]
        name = "serialize JPEG folders byte by byte"
        share = serialized_share(name, 1.0, size, folders, bare)
    rate = share.details["frames/s"]
    return measuring.Measure(name, rate, "frames/s", _COPIED, True, share.details)


def measure_videos(size: measuring.Size) -> measuring.Measure:
    """Stores H.264 videos; the bare loop is PyAV's decoder and Pillow in two threads."""
    import av

    def bare(file: pathlib.Path) -> int:
        count = 0
        with av.open(str(file)) as container:
            container.streams.video[0].codec_context.thread_count = 1
            for frame in container.decode(video=0):
                scenes.encode_jpeg(frame.to_image())
                count += 1
        return count

    with tempfile.TemporaryDirectory() as temporary:
        files = videos(pathlib.Path(temporary), size)
        name = "serialize videos, of bare PyAV decode and encode"
        return serialized_share(name, 0.85, size, files, bare)


def measure_flow(size: measuring.Size) -> measuring.Measure:
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
        for file in videos(pathlib.Path(temporary), size):
            with av.open(str(file)) as container:
                greys[file] = [
                    frame.to_ndarray(format="gray") for frame in container.decode(video=0)
                ]
        name = "serialize optical flow, of bare OpenCV calls without decoding or encoding"
        return serialized_share(name, 0.80, size, list(greys), bare, modality="flow")


def videos(folder: pathlib.Path, size: measuring.Size) -> list[pathlib.Path]:
    """Writes videos of 120 frames and returns them."""
    height, width = shape_of(size)
    return [
        scenes.write_video(folder / f"v{index}.mp4", scenes.scene(index, 120, height, width))
        for index in items_of(size)
    ]
