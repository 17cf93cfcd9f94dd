"""Renders the small images, frame folders and videos of the example lists beside this file.

A coloured disc moves to the left or to the right over a background; images show it on the left or
on the right. Run it again to change them: `python tests/examples/render.py`.
"""

from __future__ import annotations

import pathlib

import av
import numpy as np
import PIL.Image
import PIL.ImageDraw

HERE = pathlib.Path(__file__).parent
HEIGHT, WIDTH, FRAMES, CLASSES = 48, 64, 20, ("left", "right")
COLOURS = {"red": (220, 50, 40), "green": (50, 190, 70), "blue": (50, 80, 220)}


def scene(rng: np.random.Generator, *, x: float, y: float, colour: str) -> np.ndarray:
    """Draws a disc at `x, y` (0 to 1) on a soft background, `[48, 64, 3] uint8`."""
    shade = np.linspace(*rng.integers(60, 160, 2), WIDTH)[None, :, None]
    canvas = np.broadcast_to(shade, (HEIGHT, WIDTH, 3)).astype(np.uint8)
    image = PIL.Image.fromarray(canvas)
    column, row, radius = 10 + x * (WIDTH - 20), 10 + y * (HEIGHT - 20), 8
    box = (column - radius, row - radius, column + radius, row + radius)
    PIL.ImageDraw.Draw(image).ellipse(box, fill=COLOURS[colour])
    return np.asarray(image)


def motion(seed: int, direction: str) -> list[np.ndarray]:
    """Draws the frames of a disc that moves in a direction."""
    rng = np.random.default_rng(seed)
    height, background = rng.uniform(), int(rng.integers(1000))
    colour = str(rng.choice(list(COLOURS)))
    path = np.linspace(0, 1, FRAMES) if direction == "right" else np.linspace(1, 0, FRAMES)
    return [scene(np.random.default_rng(background), x=x, y=height, colour=colour) for x in path]


def write_video(path: pathlib.Path, frames: list[np.ndarray]) -> None:
    """Encodes frames at 10 frames per second."""
    path.parent.mkdir(exist_ok=True)
    with av.open(str(path), "w") as container:
        stream = container.add_stream("mpeg4" if path.suffix == ".avi" else "libx264", rate=10)
        stream.height, stream.width, stream.pix_fmt = HEIGHT, WIDTH, "yuv420p"
        for frame in frames:
            container.mux(stream.encode(av.VideoFrame.from_ndarray(frame)))
        container.mux(stream.encode())


def write_images() -> tuple[list[str], list[str]]:
    """Writes six images; returns the lines of their labels and of their captions."""
    labels, captions = [], []
    (HERE / "images").mkdir(exist_ok=True)
    for index, colour in enumerate([*COLOURS, *COLOURS]):
        side = CLASSES[index // 3]
        x, y = (0.1 if side == "left" else 0.9), (index % 3) / 2
        image = PIL.Image.fromarray(scene(np.random.default_rng(index), x=x, y=y, colour=colour))
        name = f"images/{colour}_{side}.jpg"
        image.save(HERE / name, quality=85)
        labels.append(f"{name} {side}")
        captions.append(f"{name}#0\ta {colour} disc on the {side}")
        captions.append(f"{name}#1\tthe disc on the {side} is {colour}")
    return labels, captions


def write_folders() -> list[str]:
    """Writes two folders of frames; returns the lines of their list."""
    lines = []
    for index, direction in enumerate(CLASSES):
        folder = HERE / "folders" / f"disc {direction}"
        folder.mkdir(parents=True, exist_ok=True)
        for number, frame in enumerate(motion(100 + index, direction), start=1):
            PIL.Image.fromarray(frame).save(folder / f"{number}.jpg", quality=80)
        lines.append(f"folders/disc {direction} {index}")
    return lines


def write_videos(split: str, count: int, first_seed: int) -> list[str]:
    """Writes videos of both classes; returns the lines of their list."""
    lines = []
    for index in range(count):
        direction, suffix = CLASSES[index % 2], "avi" if index == 3 else "mp4"
        name = f"videos/{split}_{direction}_{index // 2}.{suffix}"
        write_video(HERE / name, motion(first_seed + index, direction))
        lines.append(f"{name} {direction}")
    return lines


def main() -> None:
    """Writes all media and lists."""
    labels, captions = write_images()
    lists = {
        "labels.txt": list(CLASSES),
        "images.train": ["# path label", *labels],
        "captions.train": ["# path#number<TAB>caption", *captions],
        "folders.train": ["# a folder of frames, then its label", *write_folders()],
        "videos.train": ["# path label", *write_videos("train", 8, 200)],
        "videos.val": ["# path label", *write_videos("val", 4, 300)],
    }
    for name, lines in lists.items():
        (HERE / name).write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")


if __name__ == "__main__":
    main()
