"""Small media, rendered when a test asks for them."""

import fractions
import json

import av
import numpy as np
import PIL.Image
import pytest

from lrcn import files


def painted(index, *, height=48, width=64):
    """Returns a smooth frame whose green tells its number."""
    frame = np.zeros((height, width, 3), np.uint8)
    frame[..., 0] = np.linspace(0, 255, width).astype(np.uint8)
    frame[..., 1] = 5 * index % 256
    frame[: height // 3, : width // 3] = 255
    return frame


@pytest.fixture(scope="session")
def paint():
    return painted


@pytest.fixture(scope="session")
def make_video():
    """Returns a function that writes a video of `painted` frames and returns its path."""

    def make(path, num_frames=20, *, codec="libx264", rate=25, stamps=None, rotation=None, **size):
        path.parent.mkdir(parents=True, exist_ok=True)
        with av.open(str(path), "w") as container:
            stream = container.add_stream(codec, rate=rate)
            first = painted(0, **size)
            stream.height, stream.width = first.shape[:2]
            stream.pix_fmt, stream.bit_rate = "yuv420p", 4_000_000
            if rotation is not None:
                stream.set_display_rotation(rotation)
            if stamps is not None:
                stream.codec_context.time_base = fractions.Fraction(1, 1000)
            for index in range(num_frames):
                frame = av.VideoFrame.from_ndarray(painted(index, **size))
                if stamps is not None:
                    frame.pts, frame.time_base = stamps[index], fractions.Fraction(1, 1000)
                container.mux(stream.encode(frame))
            container.mux(stream.encode())
        return path

    return make


@pytest.fixture(scope="session")
def make_frames():
    """Returns a function that writes a folder of `painted` JPEG frames and returns its path."""

    def make(folder, num_frames=20, *, name="{}.jpg", first=1, **size):
        folder.mkdir(parents=True, exist_ok=True)
        for index in range(num_frames):
            image = PIL.Image.fromarray(painted(index, **size))
            image.save(folder / name.format(index + first), quality=90)
        return folder

    return make


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
