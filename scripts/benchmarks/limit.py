"""What this machine can do at all: products of matrices, memory, bare decoding and encoding."""

from __future__ import annotations

import pathlib
import tempfile
import time

from benchmarks import measuring, scenes, turns


def measure(size: measuring.Size) -> list[measuring.Measure]:
    """Measures the limits, which have no targets: other parts are compared with them."""
    found = {}
    with turns.Contestant("limit:products", side=size.of(3072, 64)).started() as turn:
        found |= turn()
    found["memory, GB/s copied"] = bandwidth(size.of(2**28, 2**16))
    with tempfile.TemporaryDirectory() as temporary:
        found |= media(pathlib.Path(temporary), size.of(240, 8))
    return [measuring.Measure(name, value, "", None, True, {}) for name, value in found.items()]


def products(side: int) -> turns.Turn:
    """Returns a turn that measures matrix products of TensorFlow in GFLOP/s, by type.

    Args:
        side: Rows and columns of the matrices.
    """
    import tensorflow as tf

    product = tf.function(tf.linalg.matmul)
    factors = {}
    for name in ("float32", "bfloat16"):
        factors[name] = [tf.cast(tf.random.normal([side, side]), name) for _ in range(2)]
        product(*factors[name])

    def rate(name: str) -> float:
        return 2 * side**3 / fastest(lambda: product(*factors[name]).numpy()) / 1e9

    def turn() -> dict[str, float]:
        return {f"{name} matmul, GFLOP/s": rate(name) for name in factors}

    return turn


def fastest(work, times: int = 6) -> float:
    """Returns the fewest seconds that some work takes."""
    seconds = []
    for _ in range(times):
        began = time.perf_counter()
        work()
        seconds.append(time.perf_counter() - began)
    return min(seconds)


def bandwidth(count: int) -> float:
    """Returns how many GB a second are read and written when an array of bytes is copied."""
    import numpy as np

    source, target = np.ones(count, np.uint8), np.zeros(count, np.uint8)
    return 2 * count / fastest(lambda: np.copyto(target, source)) / 1e9


def media(folder: pathlib.Path, frames: int) -> dict[str, float]:
    """Returns frames a second of bare decoding and encoding in one thread."""
    import av
    from PIL import Image

    shown = list(scenes.scene(0, frames))
    video = scenes.write_video(folder / "scene.mp4", iter(shown))
    jpegs = scenes.write_folder(folder / "scene", iter(shown))

    def decode() -> None:
        with av.open(str(video)) as container:
            container.streams.video[0].codec_context.thread_count = 1
            for frame in container.decode(video=0):
                frame.to_ndarray(format="rgb24")

    def open_jpegs() -> None:
        for file in sorted(jpegs.iterdir()):
            with Image.open(file) as image:
                image.convert("RGB")

    def encode() -> None:
        for frame in shown:
            scenes.encode_jpeg(Image.fromarray(frame))

    works = {"H.264 decoding": decode, "JPEG decoding": open_jpegs, "JPEG encoding": encode}
    return {f"{name}, frames/s": frames / fastest(work, 3) for name, work in works.items()}
