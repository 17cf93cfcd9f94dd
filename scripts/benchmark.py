"""Measures how fast the software is against what this machine can do at all.

    python scripts/benchmark.py                         all but soak, about six minutes on 2 cores
    python scripts/benchmark.py help serialize_images   some of it
    python scripts/benchmark.py soak                    what grows in long runs, about two minutes
    python scripts/benchmark.py --json speed.json       also into a file

Each measure is a ratio of two times of the same run, or seconds of a command, so the numbers of
different machines can be compared. `soak` trains 2,000 steps on frames, 2,000 on features and a
sweep of 12 jobs, and tells by how much memory, file handles and threads grew. A table goes to
stdout, then the same as one line of JSON.
"""

from __future__ import annotations

import argparse
import csv
import os
import pathlib
import signal
import sys
import tempfile
import time
from collections.abc import Callable, Sequence

import benchmark_serialize
import benchmark_soak
import measuring

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent))
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")


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
    measures: list[measuring.Measure] = []
    for name in given.names or [name for name in BENCHMARKS if name not in LONG]:
        sys.stderr.write(f"{name} ...\n")
        measures += BENCHMARKS[name]()
    return measuring.tell(measures, given.json)


def measure_help() -> list[measuring.Measure]:
    """Measures the seconds until help is shown, the fastest of several calls."""
    measures = []
    for arguments in (["--help"], ["train", "--help"]):
        seconds = sorted(measuring.run_lrcn(arguments) for _ in range(7))
        measures.append(
            measuring.Measure(
                name=f"lrcn {' '.join(arguments)}",
                value=seconds[0],
                unit="seconds",
                target=0.5,
                at_least=False,
                details={"median": round(seconds[3], 3), "slowest": round(seconds[-1], 3)},
            )
        )
    return measures


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


def measure_train() -> list[measuring.Measure]:
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
                load=lambda index=index: benchmark_serialize.scene(
                    index, 20, benchmark_serialize.HEIGHT, benchmark_serialize.WIDTH
                ),
            )
            for index in range(48)
        )
        catalog = lists.Catalog({"train": lists.Split("train", items, "scenes")}, (), 8, False)
        (report,) = serialize.serialize(
            catalog, temporary, options=serialize.StoreOptions(mode=None)
        )
        folder = pathlib.Path(temporary, "run")
        measuring.run_lrcn(
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
        measuring.Measure(
            "train caffenet + LSTM, of matmul peak", rate / max(peaks), "share", 0.65, True, details
        ),
        measuring.Measure(
            "train, time waiting for data", float(row["data_wait"]), "share", 0.03, False, {}
        ),
    ]


BENCHMARKS: dict[str, Callable[[], list[measuring.Measure]]] = {
    "help": measure_help,
    **benchmark_serialize.BENCHMARKS,
    "train": measure_train,
    **benchmark_soak.BENCHMARKS,
}
LONG = set(benchmark_soak.BENCHMARKS)  # only when they are asked for

if __name__ == "__main__":
    sys.exit(main())
