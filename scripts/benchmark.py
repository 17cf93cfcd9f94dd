"""Measures how fast the software is against what this machine can do at all.

    python scripts/benchmark.py                         everything, about five minutes on 2 cores
    python scripts/benchmark.py help serialize_images   some of it
    python scripts/benchmark.py --json speed.json       also into a file

Each measure is a ratio of two times of the same run, or seconds of a command, so the numbers of
different machines can be compared. A table goes to stdout, then the same as one line of JSON.
"""

from __future__ import annotations

import argparse
import concurrent.futures
import csv
import dataclasses
import io
import json
import os
import pathlib
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent))
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

_HEIGHT, _WIDTH = 240, 320
_QUALITY = 95
_ROUNDS = 3


@dataclasses.dataclass(frozen=True)
class Measure:
    """One number with its target and what it was made from.

    Attributes:
        name: What was measured.
        value: The number.
        unit: "seconds" or "share".
        target: The bound of the number.
        at_least: Whether the bound is a lower one.
        details: Numbers behind it.
    """

    name: str
    value: float
    unit: str
    target: float
    at_least: bool
    details: dict[str, float]

    @property
    def reached(self) -> bool:
        """Whether the number is on the right side of its target."""
        return self.value >= self.target if self.at_least else self.value <= self.target


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs the named benchmarks and prints their measures.

    Returns:
        0, or 1 if a target was missed.
    """
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("names", nargs="*", metavar="NAME", help=" | ".join(BENCHMARKS))
    parser.add_argument("--json", type=pathlib.Path, metavar="FILE", help="write the JSON here too")
    given = parser.parse_args(arguments)
    if unknown := [name for name in given.names if name not in BENCHMARKS]:
        parser.error(f"unknown benchmark {', '.join(unknown)}; there are {', '.join(BENCHMARKS)}")
    # A training under way is a process of its own, which an exit ends and a bare signal does not.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    if (load := os.getloadavg()[0]) > 0.25 * (os.cpu_count() or 1):
        sys.stderr.write(f"others are at work here (load {load:.1f}): expect worse ratios\n")
    measures: list[Measure] = []
    for name in given.names or BENCHMARKS:
        sys.stderr.write(f"{name} ...\n")
        measures += BENCHMARKS[name]()
    return tell(measures, given.json)


def tell(measures: Sequence[Measure], file: pathlib.Path | None) -> int:
    """Prints measures as a table and as JSON, and returns 0, or 1 if a target was missed."""
    report = [{**dataclasses.asdict(measure), "reached": measure.reached} for measure in measures]
    print_table(measures)
    print(json.dumps(report))
    if file:
        file.write_text(json.dumps(report, indent=2) + "\n", encoding="utf-8")
    return 0 if all(measure.reached for measure in measures) else 1


def print_table(measures: Sequence[Measure]) -> None:
    """Prints a row a measure."""
    from rich import console, table

    report = table.Table()
    for column in ("measure", "value", "target", "", "from"):
        report.add_column(column, justify="right" if column in ("value", "target") else "left")
    for measure in measures:
        sign = ">=" if measure.at_least else "<="
        report.add_row(
            measure.name,
            f"{measure.value:.3f} {measure.unit}",
            f"{sign} {measure.target:g}",
            "reached" if measure.reached else "MISSED",
            ", ".join(f"{key} {value:g}" for key, value in measure.details.items()),
        )
    console.Console(width=None if sys.stdout.isatty() else 200).print(report)


def lrcn_command() -> list[str]:
    """Returns the installed command beside this Python, else the package of the checkout."""
    installed = pathlib.Path(sys.executable).parent / "lrcn"
    code = "import sys; from lrcn import cli; sys.exit(cli.main())"
    return [str(installed)] if installed.exists() else [sys.executable, "-c", code]


def run(arguments: Sequence[str]) -> float:
    """Runs `lrcn` with the checkout's package and returns the seconds it took.

    Raises:
        RuntimeError: If it failed; holds what it wrote to stderr.
    """
    checkout = str(pathlib.Path(__file__).resolve().parent.parent)
    began = time.perf_counter()
    done = subprocess.run(
        [*lrcn_command(), *arguments],
        capture_output=True,
        text=True,
        env={**os.environ, "PYTHONPATH": checkout},
        check=False,
    )
    seconds = time.perf_counter() - began
    if done.returncode:
        raise RuntimeError(f"lrcn {' '.join(arguments)} failed:\n{done.stderr}")
    return seconds


def measure_help() -> list[Measure]:
    """Measures the seconds until help is shown, the fastest of several calls."""
    measures = []
    for arguments in (["--help"], ["train", "--help"]):
        seconds = sorted(run(arguments) for _ in range(7))
        measures.append(
            Measure(
                name=f"lrcn {' '.join(arguments)}",
                value=seconds[0],
                unit="seconds",
                target=0.5,
                at_least=False,
                details={"median": round(seconds[3], 3), "slowest": round(seconds[-1], 3)},
            )
        )
    return measures


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


def serialized_share(name: str, target: float, items: list[pathlib.Path], bare: Callable) -> list:
    """Compares the serializer with a bare loop on the same items, each the fastest of some rounds.

    Args:
        name: What is stored.
        target: The share of the bare loop's speed to reach.
        items: Folders of frames or video files.
        bare: From one item to its number of frames, each decoded, resized and encoded.
    """
    from lrcn.data import catalog, serialize

    folder = items[0].parent
    listed = folder / "data.train"
    listed.write_text("".join(f"{item.name} 0\n" for item in items), encoding="utf-8")
    options = serialize.StoreOptions(
        mode=None, image_shape=(_HEIGHT, _WIDTH, 3), overwrite=True, quality=_QUALITY
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
    details = {
        "frames": frames,
        "frames/s": round(frames / min(ours), 1),
        "bare frames/s": round(frames / min(theirs), 1),
    }
    return [Measure(name, min(theirs) / min(ours), "share", target, True, details)]


def measure_serialize_images() -> list[Measure]:
    """Stores folders of 640x480 JPEGs at 320x240; the bare loop is Pillow in two threads."""
    from PIL import Image

    def bare(folder: pathlib.Path) -> int:
        files = sorted(folder.iterdir())
        for file in files:
            with Image.open(file) as image:
                small = image.convert("RGB").resize((_WIDTH, _HEIGHT), Image.BILINEAR)
            encode_jpeg(small)
        return len(files)

    with tempfile.TemporaryDirectory() as temporary:
        folders = []
        for index in range(24):
            folder = pathlib.Path(temporary, f"v{index}")
            folder.mkdir()
            for number, frame in enumerate(scene(index, 25, 2 * _HEIGHT, 2 * _WIDTH), start=1):
                Image.fromarray(frame).save(folder / f"{number:04d}.jpg", quality=_QUALITY)
            folders.append(folder)
        name = "serialize JPEG folders with a resize, of bare Pillow"
        return serialized_share(name, 0.85, folders, bare)


def measure_serialize_videos() -> list[Measure]:
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
        for index in range(16):
            files.append(pathlib.Path(temporary, f"v{index}.mp4"))
            write_video(files[-1], scene(index, 120, _HEIGHT, _WIDTH))
        name = "serialize videos, of bare PyAV decode and encode"
        return serialized_share(name, 0.80, files, bare)


def write_video(file: pathlib.Path, frames: Iterator) -> None:
    """Writes frames as H.264, 25 a second."""
    import av

    with av.open(str(file), "w") as container:
        stream = container.add_stream("libx264", rate=25)
        stream.height, stream.width, stream.pix_fmt = _HEIGHT, _WIDTH, "yuv420p"
        for frame in frames:
            container.mux(stream.encode(av.VideoFrame.from_ndarray(frame, format="rgb24")))
        container.mux(stream.encode())


def matmul_peak() -> float:
    """Returns the most float32 operations per second that a matrix product of TensorFlow makes."""
    import tensorflow as tf

    best = 0.0
    for size in (2048, 3072, 4096):
        a, b = tf.random.normal([2, size, size])
        product = tf.function(tf.linalg.matmul)
        product(a, b)
        for _ in range(6):
            began = time.perf_counter()
            product(a, b).numpy()
            best = max(best, 2 * size**3 / (time.perf_counter() - began))
    return best


def operations(layer) -> float:
    """Returns the multiplications and additions of a layer's forward pass for one frame."""
    import keras
    import numpy as np

    if isinstance(layer, keras.layers.Conv2D):
        _, height, width, _ = layer.output.shape
        return 2 * np.prod(layer.kernel.shape) * height * width
    if isinstance(layer, keras.layers.Dense):
        return 2 * np.prod(layer.kernel.shape)
    if isinstance(layer, keras.layers.LSTM):
        return 2 * (np.prod(layer.cell.kernel.shape) + np.prod(layer.cell.recurrent_kernel.shape))
    return 0


def training_operations() -> float:
    """Returns the operations of a training step of caffenet and LSTM for one frame.

    A backward pass makes two products where the forward pass makes one, but none for the gradient
    of the frames.
    """
    from lrcn.models import activity, backbones, networks

    backbone = backbones.build("caffenet", layer="fc6", trainable=True)
    model = activity.lstm(backbone, num_classes=8)
    forward = [
        operations(layer) for part in (backbone, networks.head(model)) for layer in part.layers
    ]
    first = next(count for count in forward if count)
    return 3 * sum(forward) - first


def measure_train() -> list[Measure]:
    """Trains caffenet and LSTM by the command, on 227x227 crops; the last epoch counts."""
    from lrcn.data import lists, serialize

    peaks = [matmul_peak()]
    with tempfile.TemporaryDirectory() as temporary:
        items = tuple(
            lists.Item(
                id=str(index),
                path=f"scene {index}",
                kind="array",
                labels=(index % 8,),
                load=lambda index=index: scene(index, 20, _HEIGHT, _WIDTH),
            )
            for index in range(48)
        )
        catalog = lists.Catalog({"train": lists.Split("train", items, "scenes")}, (), 8, False)
        (report,) = serialize.serialize(
            catalog, temporary, options=serialize.StoreOptions(mode=None)
        )
        folder = pathlib.Path(temporary, "run")
        run(
            [
                "train",
                "workflow=lstm",
                "backbone=caffenet",
                "backbone.image_size=[227,227]",
                "augment=crop_mirror",
                "optimizer=sgd",
                "optimizer.learning_rate=0.001",
                "dataset=records",
                f"dataset.train={report.path}",
                "callbacks=minimal",
                "epochs=2",
                "batch_size=16",
                f"hydra.run.dir={folder}",
            ]
        )
        with (folder / "history.csv").open(newline="", encoding="utf-8") as history:
            row = list(csv.DictReader(history))[-1]
    peaks.append(matmul_peak())
    rate = float(row["frames_per_second"]) * float(training_operations())
    details = {
        "GFLOP/s": round(rate / 1e9, 1),
        "matmul GFLOP/s": round(max(peaks) / 1e9, 1),
        "frames/s": float(row["frames_per_second"]),
    }
    return [
        Measure(
            "train caffenet + LSTM, of matmul peak", rate / max(peaks), "share", 0.65, True, details
        ),
        Measure("train, time waiting for data", float(row["data_wait"]), "share", 0.03, False, {}),
    ]


BENCHMARKS: dict[str, Callable[[], list[Measure]]] = {
    "help": measure_help,
    "serialize_images": measure_serialize_images,
    "serialize_videos": measure_serialize_videos,
    "train": measure_train,
}

if __name__ == "__main__":
    sys.exit(main())
