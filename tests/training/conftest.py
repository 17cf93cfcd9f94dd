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

STEP = settings_lib.ImgdescStep(
    name="imgdesc_step",
    units=6,
    layers=1,
    embedding=5,
    dropout_in=0.1,
    dropout_out=0.2,
    factored=False,
)
STATE = settings_lib.ImgdescState(
    name="imgdesc_state",
    units=6,
    layers=1,
    embedding=5,
    dropout_in=0.1,
    dropout_out=0.2,
    conditioning="state",
)
VIDEOS = {
    "pooling": settings_lib.VideodescPooling(
        name="videodesc_pooling",
        units=6,
        layers=2,
        embedding=5,
        dropout_in=0.0,
        dropout_out=0.0,
        conditioning="step",
        factored=True,
    ),
    "encdec": settings_lib.VideodescEncdec(
        name="videodesc_encdec",
        units=6,
        layers=1,
        embedding=5,
        dropout_in=0.1,
        dropout_out=0.2,
        conditioning="encoder",
    ),
}
CAPTIONS = dataclasses.replace(
    BASE,
    workflow=STEP,
    backbone=dataclasses.replace(BASE.backbone, trainable=False),
    callbacks=settings_lib.Callbacks("cider", None, 0.0, False),
    batch_size=3,
    vocabulary=settings_lib.Vocabulary(min_count=1, max_length=6),
)
TRAIN_CAPTIONS = (
    ("A dog runs.", "the dog is running in a field"),
    ("a cat sleeps",),
    ("a cat sits on a dog", "a cat", "the cat sits"),
    ("the field is green",),
    ("two dogs",),
)
VAL_CAPTIONS = (("a dog runs", "a zebra runs"), ("the cat",), ("a dog", "a cat", "two zebras run"))


def _changed(settings, changes):
    """Returns settings with changes by dotted key, whose dot is written `__`."""
    for key, value in changes.items():
        group, _, name = key.partition("__")
        if name:
            value = dataclasses.replace(getattr(settings, group), **{name: value})
        settings = dataclasses.replace(settings, **{group: value})
    return settings


@pytest.fixture
def make_settings(write_records):
    """Returns settings of a tiny training on two tiny splits, with changes by dotted key."""
    train = write_records((6, 7, 5, 8, 6), name="train")
    val = write_records((9, 6, 5), name="val")
    dataset = settings_lib.Records("records", str(train.path), str(val.path), None)

    def make(**changes):
        return _changed(dataclasses.replace(BASE, dataset=dataset), changes)

    return make


@pytest.fixture
def caption_settings(write_records):
    """Returns settings of a tiny training that learns captions, with changes by dotted key.

    The workflow is given by name; "step" and "state" have records of images, others of videos.
    """
    written = {}

    def write(kind, captions, name):
        counts = (
            [1] * len(captions) if kind == "image" else [6 + i % 3 for i in range(len(captions))]
        )
        if (kind, name) not in written:
            record_set = write_records(counts, name=f"{kind}.{name}", kind=kind, captions=captions)
            written[kind, name] = str(record_set.path)
        return written[kind, name]

    def make(workflow="step", *, captions=TRAIN_CAPTIONS, **changes):
        own = {"step": STEP, "state": STATE, **VIDEOS}[workflow]
        kind = "video" if workflow in VIDEOS else "image"
        dataset = settings_lib.Records(
            "records",
            write(kind, captions, "train"),
            write(kind, VAL_CAPTIONS, "val"),
            None,
        )
        base = dataclasses.replace(CAPTIONS, dataset=dataset, workflow=own)
        return _changed(base, changes)

    return make
