"""Feeding a training with clips of JPEG frames, beside PyTorch's loader and a Python generator."""

from __future__ import annotations

import pathlib
import tempfile
import time

from benchmarks import measuring, train, trained, turns


def measure(size: measuring.Size) -> list[measuring.Measure]:
    """Measures frames a second without a network; there is no target, since waiting has one."""
    measuring.require("torch")
    with tempfile.TemporaryDirectory() as temporary:
        media = train.Media(pathlib.Path(temporary), size)
        given = {"root": str(media.root), **media.shape}
        contestants = {
            "lrcn": turns.Contestant("input:lrcn", arguments=media.arguments("float32")),
            "PyTorch": turns.Contestant("input:torch", **given),
            "generator": turns.Contestant("input:generator", **given),
        }
        found = train.contested(contestants, size.rounds + 2)
    rates = {f"{name} frames/s": round(turns.median(found[name]), 1) for name in found}
    return [
        train.beside(f"input, of {what}", turns.ratios(found, "lrcn", other), "times", None, rates)
        for other, what in (
            ("PyTorch", "a PyTorch loader with 2 workers"),
            ("generator", "a generator"),
        )
    ]


def lrcn(arguments: list[str]) -> turns.Turn:
    """Returns a turn that reads an epoch of clips as a training does."""
    import dataclasses

    from lrcn.data import dataset, epochs, records
    from lrcn.training import feeds

    settings = dataclasses.replace(trained.settings_of(arguments), epochs=1)
    record_set = records.open_records(settings.dataset.train)
    mode = feeds.training_mode(settings.clipframe_mode, record_set, describes=False)
    view, _ = feeds.views(settings.augment, settings.backbone.image_size, "rgb")
    clips, _ = dataset.training_clips(
        epochs.Clips(record_set, mode),
        targets=dataset.Targets(record_set, 8, multi_label=False),
        view=view,
        batch_size=settings.batch_size,
        seed=0,
        first_epoch=0,
        epochs=1,
    )
    return rate_of(dataset.threaded(clips, settings.num_threads))


def torch(root: str, batch: int, length: int, size: int) -> turns.Turn:
    """Returns a turn that reads an epoch of clips with a loader of two workers."""
    from benchmarks import train_torch

    return rate_of(train_torch.loader_of(root, batch, length, size))


def generator(root: str, batch: int, length: int, size: int) -> turns.Turn:
    """Returns a turn that reads an epoch of clips with a Python generator."""
    import itertools

    from benchmarks import train_keras

    clips = train_keras.clips_of(root, batch, length, size)
    steps = -(-sum(folder.is_dir() for folder in pathlib.Path(root).iterdir()) // batch)

    class Epoch:
        def __iter__(self):
            return itertools.islice(clips, steps)

    return rate_of(Epoch())


def rate_of(batches) -> turns.Turn:
    """Returns a turn that goes through batches of (clips, ...) once."""

    def turn() -> dict[str, float]:
        began, frames = time.perf_counter(), 0
        for clips, *_ in batches:
            frames += clips.shape[0] * clips.shape[1]
        return {"rate": frames / (time.perf_counter() - began)}

    return turn
