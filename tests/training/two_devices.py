"""Trains on two logical CPUs: `python two_devices.py CONFIG.json RUN [CONFIG.json RUN ...]`.

A process of its own, since TensorFlow looks at its devices once. Each run stops after its first
epoch and goes on.
"""

import dataclasses
import json
import pathlib
import sys

import tensorflow as tf


def main(*given):
    (cpu,) = tf.config.list_physical_devices("CPU")
    tf.config.set_logical_device_configuration(cpu, [tf.config.LogicalDeviceConfiguration()] * 2)
    from lrcn import config, runs
    from lrcn.training import session

    for config_file, folder in zip(given[::2], given[1::2], strict=True):
        settings = config.from_plain("train", json.loads(pathlib.Path(config_file).read_text()))
        for epochs in (1, settings.epochs):
            run = runs.RunDirectory(folder)
            session.train(dataclasses.replace(settings, epochs=epochs), run)


if __name__ == "__main__":
    main(*sys.argv[1:])
