"""An LSTM on kept features, and the same `fit` on arrays that are in memory already."""

from __future__ import annotations

import pathlib
import statistics
import time

import numpy as np

from benchmarks import trained, turns

_FRAMES, _LENGTH, _BATCH = 24, 16, 8
_EPOCHS = 5  # of a turn, one after another


def both(folder: str, items: int) -> turns.Turn:
    """Returns a turn that trains an epoch both ways, the order turned round each time.

    Args:
        folder: Where records and features are kept.
        items: Videos.
    """
    import keras

    from lrcn.data import lists, serialize
    from lrcn.models import networks
    from lrcn.training import assembly

    def frames(index: int):
        return iter(np.full((_FRAMES, 32, 32, 3), index % 256, np.uint8))

    made = tuple(
        lists.Item(
            id=str(index),
            path=f"video {index}",
            kind="array",
            labels=(index % 8,),
            load=lambda index=index: frames(index),
        )
        for index in range(items)
    )
    known = lists.Catalog({"train": lists.Split("train", made, "videos")}, (), 8, False)
    options = serialize.StoreOptions(mode=None, image_shape=(32, 32, 3))
    (report,) = serialize.serialize(known, folder, options=options)
    training = trained.Training(
        [
            *("workflow=lstm", "backbone=mobilenet", "backbone.image_size=[32,32]"),
            *("backbone.trainable=false", "optimizer=sgd", "optimizer.learning_rate=0.001"),
            *("dataset=records", f"dataset.train={report.path}", "callbacks=minimal"),
            *("clipframe_mode=rand_clips", f"clipframe_mode.num_frames_per_clip={_LENGTH}"),
            f"batch_size={_BATCH}",
        ],
        str(pathlib.Path(folder, "run")),
    )
    head = networks.head(training.network)
    optimizer = assembly.optimizer_of(training.network, training.settings, steps_per_epoch=1)
    training.task.compile(head, optimizer)
    optimizer.build(training.network.trainable_variables)
    width = networks.backbone(training.network).output_shape[-1]
    values = np.random.default_rng(0).normal(size=(items, _LENGTH, width)).astype(np.float32)
    labels = np.arange(items) % 8
    targets = {"logits": np.repeat(labels[:, None], _LENGTH, 1), "probabilities": labels}

    class Clock(keras.callbacks.Callback):
        def on_epoch_begin(self, epoch, logs=None):
            self.began = time.monotonic()

        def on_epoch_end(self, epoch, logs=None):
            self.rates.append(items * _LENGTH / (time.monotonic() - self.began))

    clock, count = Clock(), 0

    def arrays() -> float:
        clock.rates = []
        head.fit(values, targets, batch_size=_BATCH, epochs=_EPOCHS, verbose=0, callbacks=[clock])
        return statistics.median(clock.rates)

    def turn() -> dict[str, float]:
        nonlocal count
        count += 1
        first = arrays() if count % 2 else None
        began = time.monotonic()
        kept = training.epoch(_EPOCHS)
        whole = _EPOCHS * items * _LENGTH / (time.monotonic() - began)
        found = {"kept": kept["rate"], "wait": kept["wait"], "with checkpoints": whole}
        return {**found, "arrays": first or arrays()}

    return turn
