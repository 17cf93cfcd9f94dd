"""One size of a data set or network as a contestant: seconds and memory of a turn."""

from __future__ import annotations

import pathlib
import resource
import sys
import time
from collections.abc import Callable

import numpy as np

from benchmarks import scenes, trained, turns

_SIDE = 16  # pixels
_CLASSES = 4
_ROWS, _WORDS, _FEATURES = 32, 10, 256  # captions of a batch, words of each, numbers of an image


def peak() -> float:
    """Returns the most bytes that this process has had in memory."""
    used = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return float(used * (1 if sys.platform == "darwin" else 2**10))


def watched(work: Callable[[], object], base: float = 0.0) -> dict[str, float]:
    """Returns the seconds of some work, and the peak of memory above what was there before.

    Args:
        work: What is done.
        base: The peak when all libraries were loaded, in bytes.
    """
    began = time.perf_counter()
    work()
    return {"seconds": time.perf_counter() - began, "bytes": max(peak() - base, 1.0)}


def loaded(folder: str) -> float:
    """Loads what storing needs, by storing two items, and returns the peak of memory."""
    store(pathlib.Path(folder, "warm"), "train", 2)
    return peak()


def store(folder: pathlib.Path, split: str, items: int, frames: int = 1) -> pathlib.Path:
    """Stores items of small frames and returns their records."""
    made = scenes.plain(frames, _SIDE)
    return scenes.store(folder, split, items, made, shape=(_SIDE, _SIDE), classes=_CLASSES)


def arguments_of(path: pathlib.Path, length: int, batch: int) -> list[str]:
    """Returns the overrides of a training on clips of a length."""
    workflow = "singleframe" if length == 1 else "lstm"
    return [
        *(f"workflow={workflow}", "dataset=records", f"dataset.train={path}", "backbone=small"),
        *(f"backbone.image_size=[{_SIDE},{_SIDE}]", "callbacks=minimal", f"batch_size={batch}"),
        *("clipframe_mode=rand_clips", f"clipframe_mode.num_frames_per_clip={length}"),
    ]


def serializing(folder: str, items: int) -> turns.Turn:
    """Returns a turn that stores items."""
    base = loaded(folder)
    return lambda: watched(lambda: store(pathlib.Path(folder), "train", items), base)


def opening(folder: str, items: int) -> turns.Turn:
    """Returns a turn that opens records and sees that all of them are right, as a training does."""
    from lrcn.data import examples, records

    base = loaded(folder)
    path = store(pathlib.Path(folder), "train", items)
    return lambda: watched(lambda: examples.places(records.open_records(path)), base)


def training(folder: str, items: int, frames: int = 1) -> turns.Turn:
    """Returns a turn that trains an epoch on items, its second; a clip is a whole item."""
    base = loaded(folder)
    path = store(pathlib.Path(folder), "train", items, frames)
    arguments = arguments_of(path, frames, 64 if frames == 1 else 8)
    made = trained.Training(arguments, str(pathlib.Path(folder, "run")))
    made.epoch()
    return lambda: watched(made.epoch, base)


def evaluating(folder: str, items: int) -> turns.Turn:
    """Returns a turn that evaluates a run on items."""
    from lrcn import config, evaluation, runs
    from lrcn import settings as settings_lib
    from lrcn.training import session

    few = store(pathlib.Path(folder, "few"), "train", 64)
    path = store(pathlib.Path(folder), "test", items)
    run = runs.RunDirectory(pathlib.Path(folder, "run"))
    settings = trained.settings_of([*arguments_of(few, 1, 64), "epochs=1"])
    run.write_config({"overrides": [], **config.to_plain(settings)})
    session.train(settings, run)
    run.mark_done()
    dataset = settings_lib.Records("records", None, None, str(path))
    asked = settings_lib.EvaluateSettings(str(run.path), dataset=dataset, split="test")
    base = peak()
    return lambda: watched(lambda: evaluation.of_run(asked), base)


def classes(count: int) -> turns.Turn:
    """Returns a turn of training steps of an LSTM on features that tells so many classes."""
    import keras

    from lrcn.models import activity, networks

    keras.utils.set_random_seed(0)
    frame = keras.Input((1, 1, 3), dtype="uint8")
    flat = keras.layers.Flatten()(keras.layers.Rescaling(1 / 255)(frame))
    model = activity.lstm(
        keras.Model(frame, keras.layers.Dense(_FEATURES)(flat)), num_classes=count
    )
    head = networks.head(model)
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    head.compile("sgd", {"logits": loss})
    inputs = np.random.default_rng(0).normal(size=(_ROWS, 16, _FEATURES)).astype(np.float32)
    return steps(head, inputs, {"logits": np.zeros((_ROWS, 16), np.int32)})


def vocabulary(count: int) -> turns.Turn:
    """Returns a turn of training steps, and of a greedy search, of a head with so many words."""
    from benchmarks import caption
    from lrcn.models import networks
    from lrcn.scoring import losses

    sizes = caption.Sizes(features=_FEATURES, vocabulary=count, images=_ROWS)
    model = caption.network("step", sizes)
    head = networks.head(model)
    head.compile("sgd", {"logits": losses.next_word()})
    features = np.random.default_rng(0).normal(size=(_ROWS, 1, _FEATURES)).astype(np.float32)
    words = np.full((_ROWS, _WORDS), 5, np.int32)
    step = steps(head, {"features": features, "words": words}, {"logits": words})
    greedy = caption.described(head, _WORDS, "greedy")
    greedy(features)

    def turn() -> dict[str, float]:
        return {**step(), "greedy": watched(lambda: greedy(features))["seconds"]}

    return turn


def steps(head, inputs, targets, count: int = 5) -> turns.Turn:
    """Returns a turn of training steps on one batch, the first of which compiled them."""
    head.train_on_batch(inputs, targets)
    return lambda: watched(lambda: [head.train_on_batch(inputs, targets) for _ in range(count)])
