"""Videos and folders of frames that all parts measure on, made by arithmetic."""

from __future__ import annotations

import io
import pathlib
from collections.abc import Callable, Iterator

HEIGHT, WIDTH = 240, 320  # pixels of stored frames
QUALITY = 95  # of JPEGs, as records have it


def scene(seed: int, count: int, height: int = HEIGHT, width: int = WIDTH) -> Iterator:
    """Yields frames [height, width, 3] uint8 of a textured scene that the camera pans over.

    The texture has detail of all sizes and some sensor noise, so JPEGs are as large as a camera's.
    """
    import numpy as np
    from PIL import Image

    rng = np.random.default_rng(seed)
    steps = min(count, 200)  # then the camera pans back, so that a long video needs no more room
    size = (width + 4 * steps, height + 2 * steps)
    canvas = np.zeros((size[1], size[0], 3), np.float32)
    for cells, weight in ((4, 0.45), (16, 0.25), (64, 0.2), (160, 0.1)):
        noise = rng.integers(0, 256, (cells, cells, 3), dtype=np.uint8)
        canvas += weight * np.asarray(Image.fromarray(noise).resize(size, Image.BICUBIC))
    grain = rng.normal(0, 3, (height, width, 3)).astype(np.float32)
    for index in range(count):
        place = index % (2 * steps)
        place = min(place, 2 * steps - 1 - place)
        top, left = 2 * place, 4 * place
        shown = canvas[top : top + height, left : left + width] + np.roll(grain, 7 * index, 1)
        yield np.clip(shown, 0, 255).astype(np.uint8)


def encode_jpeg(image) -> bytes:
    """Returns a Pillow image as a JPEG of the quality that records have."""
    encoded = io.BytesIO()
    image.save(encoded, "JPEG", quality=QUALITY)
    return encoded.getvalue()


def write_folder(folder: pathlib.Path, frames: Iterator) -> pathlib.Path:
    """Writes frames as `0001.jpg`, `0002.jpg`, ... and returns the folder."""
    from PIL import Image

    folder.mkdir(parents=True)
    for number, frame in enumerate(frames, start=1):
        (folder / f"{number:04d}.jpg").write_bytes(encode_jpeg(Image.fromarray(frame)))
    return folder


def write_video(file: pathlib.Path, frames: Iterator) -> pathlib.Path:
    """Writes frames as H.264, 25 a second, and returns the file."""
    import av

    with av.open(str(file), "w") as container:
        stream = container.add_stream("libx264", rate=25)
        stream.pix_fmt = "yuv420p"
        for index, frame in enumerate(frames):
            if not index:
                stream.height, stream.width = frame.shape[:2]
            container.mux(stream.encode(av.VideoFrame.from_ndarray(frame, format="rgb24")))
        container.mux(stream.encode())
    return file


def write_list(folder: pathlib.Path, items: list[pathlib.Path], classes: int) -> pathlib.Path:
    """Writes a list of items in a folder, labelled in turn, and returns the file."""
    listed = folder / "data.train"
    lines = (f"{item.name} {index % classes}\n" for index, item in enumerate(items))
    listed.write_text("".join(lines), encoding="utf-8")
    return listed


def store(
    folder: pathlib.Path,
    split: str,
    items: int,
    frames_of: Callable[[int], Iterator],
    *,
    shape: tuple[int, int] = (HEIGHT, WIDTH),
    classes: int = 2,
) -> pathlib.Path:
    """Stores items that are made on the way as records of one split and returns their path.

    Args:
        folder: Where they are kept.
        split: Name of the split.
        items: How many there are, labelled in turn.
        frames_of: From the number of an item to its frames [height, width, 3] uint8.
        shape: Height and width of a frame.
        classes: How many there are.
    """
    from lrcn.data import lists, serialize

    made = tuple(
        lists.Item(
            id=f"{index:07d}",
            path=f"item {index}",
            kind="array",
            labels=(index % classes,),
            load=lambda index=index: frames_of(index),
        )
        for index in range(items)
    )
    known = lists.Catalog({split: lists.Split(split, made, "items")}, (), classes, False)
    options = serialize.StoreOptions(mode=None, image_shape=(*shape, 3))
    (report,) = serialize.serialize(known, folder, options=options)
    return report.path


def plain(frames: int, side: int) -> Callable[[int], Iterator]:
    """Returns what makes so many frames of one grey for an item, which cost next to nothing."""
    import numpy as np

    return lambda index: iter(np.full((frames, side, side, 3), index % 256, np.uint8))
