"""A trained run in use as a contestant, each turn beside its bare loops."""

from __future__ import annotations

import itertools
import pathlib
import shutil
import time
from collections.abc import Callable

import numpy as np

from benchmarks import scenes, turns

_LENGTH, _CLIPS = 16, 8  # frames of a clip, clips of a batch
_BATCH = 64  # frames of a batch of the CNN alone
_ALPHA = 0.75  # of the MobileNet that features are computed by, the one of the README's results
_ITEMS = 4  # videos that features are computed of


def timed(work: Callable[[], object]) -> float:
    """Returns the seconds that some work takes."""
    began = time.perf_counter()
    work()
    return time.perf_counter() - began


def in_turns(works: dict[str, Callable[[], object]]) -> Callable[[], dict[str, float]]:
    """Returns what times all works, the order turned round each time."""
    orders = itertools.cycle([list(works), list(reversed(works))])
    return lambda: {name: timed(works[name]) for name in next(orders)}


def predicting(run: str, video: str) -> turns.Turn:
    """Returns a turn that predicts, decodes and passes forward, in frames per second of each."""
    import av
    import tensorflow as tf

    import lrcn
    from lrcn import settings as settings_lib

    opened = lrcn.load(run)
    mode = settings_lib.ClipframeMode("iterative", _LENGTH, 0, "drop")
    predictor = opened.predictor(clipframe_mode=mode)
    height, width = opened.contract["height"], opened.contract["width"]
    clips = tf.constant(np.full((_CLIPS, _LENGTH, height, width, 3), 100, np.uint8))
    forward = tf.function(lambda frames: opened.model(frames, training=False)["probabilities"])

    def decode() -> int:
        with av.open(video) as container:
            stream = container.streams.video[0]
            stream.thread_type = "AUTO"
            return sum(
                frame.to_ndarray(format="rgb24") is not None for frame in container.decode(stream)
            )

    count = decode()
    batches = -(-count // (_CLIPS * _LENGTH))
    seconds = in_turns(
        {
            "predict": lambda: list(predictor.predict(video)),
            "decode": decode,
            "forward": lambda: [forward(clips).numpy() for _ in range(batches)],
        }
    )
    frames = {"predict": count, "decode": count, "forward": batches * _CLIPS * _LENGTH}

    def turn() -> dict[str, float]:
        return {name: frames[name] / took for name, took in seconds().items()}

    return turn


def evaluating(run: str, folder: str, frames: int) -> turns.Turn:
    """Returns a turn that tells the seconds of a frame in an evaluation and in a forward pass.

    What an evaluation takes for few videos is taken off what it takes for many, so that opening the
    run and drawing pictures do not count.

    Args:
        run: The run directory.
        folder: Where records are kept.
        frames: Of a video.
    """
    import tensorflow as tf

    import lrcn
    from lrcn import evaluation
    from lrcn import settings as settings_lib
    from lrcn.models import networks

    numbers = {"few": 2, "many": 6}
    stored = {
        name: scenes.store(
            pathlib.Path(folder, name), "test", number, lambda index: scenes.scene(index, frames)
        )
        for name, number in numbers.items()
    }
    opened = lrcn.load(run)
    backbone = networks.backbone(opened.model)
    forward = tf.function(lambda given: backbone(given, training=False))
    batch = tf.constant(np.full((_BATCH, *backbone.input_shape[1:]), 100, np.uint8))
    more = frames * (numbers["many"] - numbers["few"])

    def evaluate(name: str) -> None:
        path = str(stored[name])
        dataset = settings_lib.Records("records", None, None, path)
        mode = settings_lib.ClipframeMode("iterative", _LENGTH, -_LENGTH // 2, "align")
        evaluation.of_run(
            settings_lib.EvaluateSettings(run, dataset=dataset, clipframe_mode=mode, split="test")
        )

    seconds = in_turns(
        {
            "few": lambda: evaluate("few"),
            "many": lambda: evaluate("many"),
            "forward": lambda: [forward(batch).numpy() for _ in range(-(-more // _BATCH))],
        }
    )

    def turn() -> dict[str, float]:
        took = seconds()
        passed = -(-more // _BATCH) * _BATCH
        return {
            "evaluate": (took["many"] - took["few"]) / more,
            "forward": took["forward"] / passed,
        }

    return turn


def extracting(folder: str, frames: int, side: int) -> turns.Turn:
    """Returns a turn that computes features both ways, in frames per second.

    The network alone is given the same frames in memory as `Model.predict`; the whole, from records
    to kept features, tells what decoding and keeping add.

    Args:
        folder: Where records are kept.
        frames: Of all videos.
        side: Height and width of the network's input.
    """
    import keras

    from lrcn import litert
    from lrcn.data import augment, dataset, records
    from lrcn.models import backbones
    from lrcn.training import features

    keras.utils.set_random_seed(0)
    path = scenes.store(
        pathlib.Path(folder), "test", _ITEMS, lambda index: scenes.scene(index, frames // _ITEMS)
    )
    record_set = records.open_records(path)
    backbone = backbones.build(
        "mobilenet",
        layer=backbones.default_layer("mobilenet", "lstm"),
        trainable=False,
        alpha=_ALPHA,
        image_size=(side, side),
    )
    view = augment.View((side, side))
    decoded = dataset.stored_frames(record_set, range(_ITEMS), view=view, batch_size=_BATCH)
    given = np.concatenate(list(decoded.as_numpy_iterator()))
    kept = features.folder_of(record_set, backbone, view)
    forward, found = litert.forward(backbone), {}

    def whole() -> None:
        found["whole"] = np.array(features.extract(record_set, backbone, view=view).values)

    def network() -> None:
        parts = range(0, len(given), _BATCH)
        found["network"] = np.concatenate([forward(given[at : at + _BATCH]) for at in parts])

    def theirs() -> None:
        found["predict"] = backbone.predict(given, verbose=0)

    seconds = in_turns({"whole": whole, "network": network, "predict": theirs})

    def turn() -> dict[str, float]:
        shutil.rmtree(kept, ignore_errors=True)
        rates = {name: len(given) / took for name, took in seconds().items()}
        ours = np.stack([found["whole"], found["network"]])
        difference = np.abs(ours - found["predict"]).max()
        return {**rates, "difference": float(difference / np.abs(found["predict"]).max())}

    return turn
