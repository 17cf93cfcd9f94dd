"""Training, beside PyTorch, plain Keras, the machine's own matrix products and arrays in memory."""

from __future__ import annotations

import contextlib
import pathlib
import statistics
import tempfile
from collections.abc import Mapping

from benchmarks import measuring, scenes, turns

_FRAMES = 20  # of each folder that a clip is cut from
_CLASSES = 8
_RATE, _PEAK = "rate", "{} matmul, GFLOP/s"
_TORCH = {"float32": 1.25, "bfloat16": 1.1}  # times the frames per second of PyTorch
_SHARE = {"float32": 0.70, "bfloat16": 0.50}  # of the products of matrices of the same type
_KERAS = 5.0  # times the frames per second of plain Keras
_WAIT, _CACHED_WAIT = 0.02, 0.10  # of the time
_ARRAYS = 0.90  # of the speed of arrays in memory


def measure(size: measuring.Size) -> list[measuring.Measure]:
    """Measures caffenet and LSTM in both precisions, then an LSTM on cached features."""
    measuring.require("torch")
    with tempfile.TemporaryDirectory() as temporary:
        media = Media(pathlib.Path(temporary), size)
        found = contest(media, size, "float32")
        measures = [*compared(found, "float32", size), *against_keras(found, size)]
        measures += compared(contest(media, size, "bfloat16"), "bfloat16", size)
    return [*measures, *measure_cached(size)]


class Media:
    """The same clips as folders of JPEGs and as records.

    Args:
        folder: Where they are kept.
        size: How much there is.
    """

    def __init__(self, folder: pathlib.Path, size: measuring.Size):
        from lrcn.data import catalog, serialize

        self.folder, self.root = folder, folder / "frames"
        height, width = size.of((scenes.HEIGHT, scenes.WIDTH), (72, 80))
        self.shape = {"batch": size.of(8, 2), "length": size.of(16, 3), "size": size.of(227, 67)}
        folders = [
            scenes.write_folder(
                self.root / f"v{index}", scenes.scene(index, _FRAMES, height, width)
            )
            for index in range(size.of(16, 2))
        ]
        listed = scenes.write_list(self.root, folders, _CLASSES)
        options = serialize.StoreOptions(mode=None, image_shape=(height, width, 3))
        (report,) = serialize.serialize(catalog.lists(listed), folder, options=options)
        self.records = report.path

    def arguments(self, precision: str) -> list[str]:
        """Returns the overrides of `lrcn train`."""
        side, length = self.shape["size"], self.shape["length"]
        return [
            *("workflow=lstm", "backbone=caffenet", f"backbone.image_size=[{side},{side}]"),
            *("augment=crop_mirror", "optimizer=sgd", "optimizer.learning_rate=0.001"),
            *("dataset=records", f"dataset.train={self.records}", "callbacks=minimal"),
            *("clipframe_mode=rand_clips", f"clipframe_mode.num_frames_per_clip={length}"),
            *(f"batch_size={self.shape['batch']}", f"precision={precision}"),
        ]


def contest(media: Media, size: measuring.Size, kind: str) -> dict[str, list[dict[str, float]]]:
    """Returns what trainings in a type and products of matrices measured, in turns."""
    precision = "float32" if kind == "float32" else "mixed_bfloat16"
    run = {"arguments": media.arguments(precision), "folder": str(media.folder / kind)}
    given = {"root": str(media.root), **media.shape}
    contestants = {
        "matmul": turns.Contestant("limit:products", side=size.of(3072, 64)),
        "lrcn": turns.Contestant("trained:lrcn", **run),
        "PyTorch": turns.Contestant("train_torch:epochs", half=kind == "bfloat16", **given),
    }
    if kind == "float32":
        contestants["plain Keras"] = turns.Contestant("train_keras:epochs", **given)
    return contested(contestants, size.rounds)


def contested(
    contestants: Mapping[str, turns.Contestant], rounds: int
) -> dict[str, list[dict[str, float]]]:
    """Returns what contestants measured in alternating turns."""
    with contextlib.ExitStack() as stack:
        started = {
            name: stack.enter_context(contestant.started())
            for name, contestant in contestants.items()
        }
        return turns.alternate(started, rounds)


def compared(
    found: Mapping[str, list[dict[str, float]]], kind: str, size: measuring.Size
) -> list[measuring.Measure]:
    """Returns how this project's training compares with PyTorch and with the machine's products."""
    operations = training_operations(size.of(227, 67))
    shares = [
        ours[_RATE] * operations / 1e9 / peak[_PEAK.format(kind)]
        for ours, peak in zip(found["lrcn"], found["matmul"], strict=True)
    ]
    times = turns.ratios(found, "lrcn", "PyTorch")
    rates = {
        f"{name} frames/s": round(turns.median(found[name]), 2)
        for name in found
        if name != "matmul"
    }
    rates |= {"matmul GFLOP/s": round(turns.median(found["matmul"], _PEAK.format(kind)), 1)}
    name = f"train caffenet + LSTM, {kind}"
    measures = [
        beside(f"{name}, of PyTorch", times, "times", _TORCH[kind], rates),
        beside(f"{name}, of matmul peak", shares, "share", _SHARE[kind], {}),
    ]
    if kind == "float32":
        wait = turns.median(found["lrcn"], "wait")
        measures.append(
            measuring.Measure(f"{name}, waiting for data", wait, "share", _WAIT, False, {})
        )
    return measures


def against_keras(
    found: Mapping[str, list[dict[str, float]]], size: measuring.Size
) -> list[measuring.Measure]:
    """Returns how this project's training compares with plain Keras.

    Beside it stands what a training would be that is as fast as the machine's own products.
    """
    times = turns.ratios(found, "lrcn", "plain Keras")
    most = turns.median(found["matmul"], _PEAK.format("float32")) * 1e9
    most /= training_operations(size.of(227, 67)) * turns.median(found["plain Keras"])
    name = "train caffenet + LSTM, float32, of plain Keras"
    return [beside(name, times, "times", _KERAS, {"at the matmul peak": round(most, 2)})]


def beside(
    name: str, ratios: list[float], unit: str, target: float | None, details: dict[str, float]
) -> measuring.Measure:
    """Returns the median of ratios that should be large."""
    spread = {"lowest": round(min(ratios), 3), "highest": round(max(ratios), 3)}
    value = statistics.median(ratios)
    return measuring.Measure(name, value, unit, target, True, {**details, **spread})


def training_operations(side: int) -> float:
    """Returns the operations of a training step of caffenet and LSTM for one frame.

    A backward pass makes two products where the forward pass makes one, but none for the gradient
    of the frames.

    Args:
        side: Height and width of a frame, in pixels.
    """
    from lrcn.models import activity, backbones, networks

    backbone = backbones.build("caffenet", layer="fc6", trainable=True, image_size=(side, side))
    model = activity.lstm(backbone, num_classes=_CLASSES)
    forward = [
        operations(layer) for part in (backbone, networks.head(model)) for layer in part.layers
    ]
    return float(3 * sum(forward) - next(count for count in forward if count))


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


def measure_cached(size: measuring.Size) -> list[measuring.Measure]:
    """Measures an LSTM on the kept features of a frozen CNN, beside the same in memory."""
    items = size.of(192, 4)
    with tempfile.TemporaryDirectory() as temporary:
        contestants = {
            "kept": turns.Contestant("cached:kept", folder=temporary, items=items),
            "in memory": turns.Contestant("cached:arrays", items=items),
        }
        found = contested(contestants, size.of(2 * size.rounds, 1))
    rates = {f"{name} frames/s": round(turns.median(found[name]), 1) for name in contestants}
    rates["with checkpoints frames/s"] = round(turns.median(found["kept"], "with checkpoints"), 1)
    shares = turns.ratios(found, "kept", "in memory")
    wait = turns.median(found["kept"], "wait")
    name = "train an LSTM on cached features"
    return [
        beside(f"{name}, of arrays in memory", shares, "share", _ARRAYS, rates),
        measuring.Measure(f"{name}, waiting for data", wait, "share", _CACHED_WAIT, False, {}),
    ]
