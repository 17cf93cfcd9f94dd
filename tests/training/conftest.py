"""Tiny trainings."""

import dataclasses

import pytest

from lrcn import settings as settings_lib

BASE = settings_lib.TrainSettings(
    workflow=settings_lib.LstmWorkflow("lstm", 6, 1, 0.2, 0.5, "every_step"),
    clipframe_mode=settings_lib.ClipframeMode("auto", 4),
    pooling=settings_lib.Pooling("avg", "avg"),
    dataset=settings_lib.Records("records", None, None, None),
    backbone=settings_lib.Backbone(
        name="small", weights=None, layer=None, trainable=None, image_size=(16, 16)
    ),
    augment=settings_lib.Augment("none", "squash", "squash", False),
    optimizer=settings_lib.Optimizer("adam", 0.01, 0.0, 1.0, 5.0),
    schedule=settings_lib.Schedule("constant", 0),
    callbacks=settings_lib.Callbacks("video_accuracy", None, 0.0, False),
    name="train",
    epochs=2,
    batch_size=2,
    precision="float32",
    seed=3,
    resume=None,
    init=None,
    class_weights=None,
    short_videos="error",
    raw_image_shape=None,
    num_threads=2,
    evaluate=(),
    traceback=False,
)


@pytest.fixture
def make_settings(write_records):
    """Returns settings of a tiny training on two tiny splits, with changes by dotted key."""
    train = write_records((6, 7, 5, 8, 6), name="train")
    val = write_records((9, 6, 5), name="val")
    dataset = settings_lib.Records("records", str(train.path), str(val.path), None)

    def make(**changes):
        settings = dataclasses.replace(BASE, dataset=dataset)
        for key, value in changes.items():
            group, _, name = key.partition("__")
            if name:
                value = dataclasses.replace(getattr(settings, group), **{name: value})
            settings = dataclasses.replace(settings, **{group: value})
        return settings

    return make
