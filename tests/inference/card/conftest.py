import json

import pytest

from lrcn import provenance

PROTOCOL = {
    "records": "/records/test.tfrecord",
    "digest": "0123456789abcdef",
    "checkpoint": "best",
    "clips": "iterative(num_frames_per_clip=16, clip_offset_or_num=-8, tail=align)",
    "view": {"size": [64, 64], "crop": "fit"},
    "short_videos": "error",
    "seed": 0,
    "pooling": {"frames": "avg", "clips": "avg"},
}


def split_of(**values):
    own = {"records": "/r/train.tfrecord", "digest": "d1", "source": "mine", "source_sha256": "0"}
    own |= {"type": "video", "items": 8, "frames": 80, "classes": 2, "skipped": 0}
    return {**own, "groups": ["ann", "bob"], **values}


@pytest.fixture
def split():
    return split_of


@pytest.fixture
def measured(write_run):
    """Writes a run of a seed that was evaluated on test."""

    def write(
        name, *overrides, seed=0, accuracy=0.5, protocol=None, data=None, done=True, **others
    ):
        options = {"values": [[0.9, 0.1], [0.2, 0.8]], **others}
        own = write_run(name, f"seed={seed}", *overrides, done=done, **options)
        known = {"train": split_of(), "val": split_of(digest="d2")} if data is None else data
        provenance.write(own, known)
        own.write_metrics({"video_accuracy": accuracy, "videos": 4})
        folder = own.evaluation("test")
        (folder / "metrics.json").write_text(json.dumps({"video_accuracy": accuracy}))
        (folder / "protocol.json").write_text(
            json.dumps({**PROTOCOL, "seed": seed, **(protocol or {})})
        )
        return own

    return write
