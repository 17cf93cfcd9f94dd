"""AlexNet and LSTM in plain Keras, as one would write and train them on folders of JPEGs.

The same network, batch, clips, crops, dropout and optimizer as `lrcn train workflow=lstm
backbone=caffenet augment=crop_mirror optimizer=sgd`.
"""

from __future__ import annotations

import pathlib
import queue
import random
import threading
import time
from collections.abc import Iterator

import keras
import numpy as np
import tensorflow as tf
from keras import layers
from PIL import Image

MEAN = (123.68, 116.779, 103.939)


def clips_of(root: str, batch: int, length: int, size: int):
    """Yields (clips [batch, time, size, size, 3] uint8, labels [batch, time]) for ever."""
    folders = [folder for folder in sorted(pathlib.Path(root).iterdir()) if folder.is_dir()]
    order = list(range(len(folders)))
    while True:
        random.shuffle(order)
        for first in range(0, len(order), batch):
            chosen = order[first : first + batch]
            clips = np.stack([clip_of(folders[index], length, size) for index in chosen])
            yield clips, np.repeat(np.array(chosen)[:, None] % 8, length, axis=1)


def clip_of(folder: pathlib.Path, length: int, size: int) -> np.ndarray:
    """Returns a random clip of a folder, cropped and mirrored at random as a whole."""
    files = sorted(folder.glob("*.jpg"))
    start = random.randint(0, len(files) - length)
    frames = [Image.open(file).convert("RGB") for file in files[start : start + length]]
    left = random.randint(0, frames[0].width - size)
    top = random.randint(0, frames[0].height - size)
    clip = np.stack(
        [np.asarray(frame.crop((left, top, left + size, top + size))) for frame in frames]
    )
    return clip[:, :, ::-1] if random.random() < 0.5 else clip


def normalization(maps):
    """Returns maps after local response normalization."""
    return tf.nn.local_response_normalization(maps, 2, 1.0, 1e-4 / 5, 0.75)


def network_of(size: int, length: int, classes: int = 8) -> keras.Model:
    """Returns CaffeNet up to fc6 over each frame, an LSTM, and a classifier at every step."""
    cnn = keras.Sequential(
        [
            keras.Input((size, size, 3)),
            layers.Rescaling(1.0, offset=[-value for value in MEAN]),
            layers.Conv2D(96, 11, strides=4, activation="relu"),
            layers.MaxPooling2D(3, 2),
            layers.Lambda(normalization),
            layers.Conv2D(256, 5, padding="same", groups=2, activation="relu"),
            layers.MaxPooling2D(3, 2),
            layers.Lambda(normalization),
            layers.Conv2D(384, 3, padding="same", activation="relu"),
            layers.Conv2D(384, 3, padding="same", groups=2, activation="relu"),
            layers.Conv2D(256, 3, padding="same", groups=2, activation="relu"),
            layers.MaxPooling2D(3, 2),
            layers.Flatten(),
            layers.Dense(4096, activation="relu"),
        ]
    )
    return keras.Sequential(
        [
            keras.Input((length, size, size, 3)),
            layers.TimeDistributed(cnn),
            layers.LSTM(256, return_sequences=True),
            layers.Dropout(0.5),
            layers.Dense(classes),
        ]
    )


class Turns(keras.callbacks.Callback):
    """Lets `fit` train an epoch for each turn.

    One `fit` trains them all, as one would call it. Called anew for each epoch it often took twice
    as long: the end of a data set waits for the thread that tunes it, which may sleep on.

    Args:
        frames: Of an epoch.
    """

    def __init__(self, frames: int):
        super().__init__()
        self._frames = frames
        self._begun: queue.Queue[None] = queue.Queue()
        self._rates: queue.Queue[float | None] = queue.Queue()

    def on_epoch_begin(self, epoch, logs=None):
        """Waits for the turn."""
        self._begun.get()
        self._began = time.perf_counter()

    def on_epoch_end(self, epoch, logs=None):
        """Tells the frames per second."""
        self._rates.put(self._frames / (time.perf_counter() - self._began))

    def start(self, model: keras.Model, data: Iterator, steps: int) -> None:
        """Starts a training that waits for its first turn."""

        def fit() -> None:
            try:
                model.fit(
                    data,
                    steps_per_epoch=steps,
                    epochs=10_000,
                    callbacks=[self],
                    shuffle=False,  # the generator does
                    verbose=0,
                )
            finally:
                self._rates.put(None)

        threading.Thread(target=fit, daemon=True).start()

    def turn(self) -> dict[str, float]:
        """Trains an epoch and returns frames per second.

        Raises:
            RuntimeError: The training has ended; what ended it is on stderr.
        """
        self._begun.put(None)
        rate = self._rates.get()
        if rate is None:
            raise RuntimeError("the training of plain Keras has ended")
        return {"rate": rate}


def epochs(root: str, batch: int, length: int, size: int):
    """Returns a turn that trains an epoch and returns frames per second.

    Args:
        root: Folder of folders of frames.
        batch: Clips in a batch.
        length: Frames of a clip.
        size: Height and width of the crops.
    """
    keras.utils.set_random_seed(0)
    model = network_of(size, length)
    model.compile(
        optimizer=keras.optimizers.SGD(0.001, momentum=0.9),
        loss=keras.losses.SparseCategoricalCrossentropy(from_logits=True),
        metrics=["accuracy"],
    )
    clips = sum(folder.is_dir() for folder in pathlib.Path(root).iterdir())
    training = Turns(clips * length)
    training.start(model, clips_of(root, batch, length, size), -(-clips // batch))
    return training.turn
