"""Trains on two logical CPUs: `python two_devices.py CONFIG.json RUN EPOCHS...`.

A process of its own, since TensorFlow looks at its devices once. It stops and goes on after each
of the given numbers of epochs.
"""

import dataclasses
import json
import pathlib
import sys

import tensorflow as tf


def main(config_file, folder, *epochs):
    (cpu,) = tf.config.list_physical_devices("CPU")
    tf.config.set_logical_device_configuration(cpu, [tf.config.LogicalDeviceConfiguration()] * 2)
    from lrcn import config, runs
    from lrcn.training import session

    settings = config.from_plain("train", json.loads(pathlib.Path(config_file).read_text()))
    for end in map(int, epochs):
        session.train(dataclasses.replace(settings, epochs=end), runs.RunDirectory(folder))


if __name__ == "__main__":
    main(*sys.argv[1:])
