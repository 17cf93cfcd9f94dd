"""Fixtures that several rooms share."""

import hashlib
import io
import json
import sys

import absl.logging
import hydra
import numpy as np
import pytest
from PIL import Image

from lrcn import config, files, help, runs
from lrcn.data import records

# Abseil closes the stream it found when TensorFlow was imported, here one of pytest's own, as soon
# as logging is configured anew; it leaves the process's own alone.
absl.logging.get_absl_handler().python_handler.stream = sys.__stderr__


def jpeg(picture):
    buffer = io.BytesIO()
    Image.fromarray(picture).save(buffer, "JPEG", quality=95, subsampling=0)
    return buffer.getvalue()


def picture(item, frame, height, width):
    """A flat picture whose red tells the item and whose green tells the frame."""
    return np.full((height, width, 3), (10 * item, 5 * frame, 128), np.uint8)


@pytest.fixture
def write_records(tmp_path):
    """Writes tiny records of flat frames: red is ten times the item, green five times the frame."""
    tf = pytest.importorskip("tensorflow")

    def write(
        counts=(6, 8, 7),
        *,
        name="data.train",
        labels=None,
        clips=None,
        mode=None,
        size=(24, 32),
        shards=1,
        kind="video",
        classes=3,
        frame=picture,
        captions=None,
    ):
        labels = labels or [(item % classes,) for item in range(len(counts))]
        path = tmp_path / "records" / f"{name}.tfrecord"
        path.parent.mkdir(exist_ok=True)
        ids = [f"video {item}" for item in range(len(counts))]
        examples = [
            records.encode_example(
                id=ids[item],
                path=f"/videos/{item}.avi",
                frames=[jpeg(frame(item, index, *size)) for index in range(count)],
                clips=None if clips is None else clips[item],
                labels=labels[item],
                captions=() if captions is None else captions[item],
            )
            for item, count in enumerate(counts)
        ]
        parts = []
        for shard, own in enumerate(np.array_split(np.arange(len(counts)), shards)):
            file = path.with_name(records.shard_names(path, shards)[shard])
            with tf.io.TFRecordWriter(str(file)) as writer:
                for item in own:
                    writer.write(examples[item])
            content = file.read_bytes()
            digest = hashlib.sha256(content).hexdigest()
            parts.append(records.Shard(file.name, len(own), len(content), digest))
        metadata = records.Metadata(
            items=len(counts),
            type=kind,
            frames_per_clip=None if clips is None else len(clips[0][0]),
            clips_per_item=None,
            raw_image_shape=None,
            frame_shape=(*size, 3),
            num_classes=classes,
            multi_label=any(len(own) > 1 for own in labels),
            label_names=(),
            clipframe_mode=mode,
            frame_step=1,
            fps=None,
            frame_format="jpg",
            short_videos="error",
            quality=95,
            shuffled=False,
            seed=0,
            shards=tuple(parts),
            skipped=(),
            source=records.Source("test", "0"),
            ids=tuple(ids),
            groups=(),
            labels=tuple(tuple(own) for own in labels),
            frame_counts=tuple(counts),
            clip_counts=() if clips is None else tuple(len(table) for table in clips),
        )
        records.write_metadata(path, metadata)
        return records.open_records(path)

    return write


@pytest.fixture
def forge():
    """Returns a function that puts other bytes or examples into the first file of records.

    The `.size` is made to tell their length and checksum, as a stranger's would.
    """

    def with_bytes(record_set, content):
        shard, size = (
            record_set.shards[0],
            record_set.path.with_name(record_set.path.name + ".size"),
        )
        shard.write_bytes(content)
        values = json.loads(size.read_text())
        values["shards"][0] |= {"bytes": len(content), "checksum": files.checksum(shard)}
        size.write_text(json.dumps(values))

    def forge(record_set, change=None, *, content=None):
        if content is None:
            tf = pytest.importorskip("tensorflow")
            shard, examples = record_set.shards[0], []
            for number, raw in enumerate(tf.data.TFRecordDataset(str(shard)).as_numpy_iterator()):
                example = tf.train.Example.FromString(raw)
                changed = change(number, example.features.feature)
                examples.append(changed if changed is not None else example.SerializeToString())
            with tf.io.TFRecordWriter(str(shard)) as writer:
                for example in examples:
                    writer.write(example)
            content = shard.read_bytes()
        with_bytes(record_set, content)

    return forge


@pytest.fixture(scope="session")
def train_settings():
    """Composes the settings of `train` as plain values."""
    config.register_resolvers(job_folder=str, hydra_folder=str)

    def settings(*overrides):
        with hydra.initialize_config_dir(str(help.conf_folder()), version_base="1.3"):
            composed = hydra.compose("train", list(overrides))
        return config.to_plain(config.typed("train", composed))

    return settings


@pytest.fixture
def write_run(tmp_path, train_settings):
    """Writes the folder of a finished run with what it was evaluated to, without a network."""
    results = pytest.importorskip("lrcn.inference.results")
    from lrcn.inference import probabilities

    def write(
        name,
        *overrides,
        values,
        truth=None,
        ids=None,
        groups=None,
        names=("left", "right"),
        splits=("test",),
        modality="rgb",
        done=True,
    ):
        run = runs.RunDirectory(tmp_path / name)
        shown = {"modality": modality}
        run.write_config({**train_settings(*overrides), "shown": shown, "overrides": []})
        values = np.asarray(values, np.float64)
        truth = tuple((label,) for label in (truth or [0] * len(values)))
        ids = tuple(ids or [f"v{item}" for item in range(len(values))])
        predicted = probabilities.Predicted(
            ids, tuple(groups or [""] * len(ids)), truth, names, values
        )
        for split in splits:
            results.write(
                run.evaluation(split),
                {"video_accuracy": float(np.mean(values.argmax(axis=1) == predicted.labels))},
                predicted,
                labels=predicted.labels,
                paths=[f"/videos/{id}.avi" for id in ids],
                windows=[[] for _ in ids],
            )
        if done:
            run.mark_done()
        return run

    return write
