"""The example lists that the README uses."""

import pathlib

import pytest

from lrcn.data import catalog, clips, records, serialize

HERE = pathlib.Path(__file__).parent / "examples"


@pytest.mark.parametrize(
    ("name", "kind", "items", "labels"),
    [
        ("images.train", "image", 6, True),
        ("captions.train", "image", 6, False),
        ("folders.train", "video", 2, True),
        ("videos.train", "video", 8, True),
        ("videos.val", "video", 4, True),
    ],
)
def test_every_list_serializes(tmp_path, name, kind, items, labels):
    data = catalog.lists([HERE / name], labels=HERE / "labels.txt" if labels else None)
    mode = clips.ClipMode("rand_clips", 16, 1)
    options = serialize.StoreOptions(mode=mode, image_shape=(48, 64, 3), num_threads=1)
    (report,) = serialize.serialize(data, tmp_path, options=options)
    metadata = records.read_metadata(report.path)
    assert (metadata.type, metadata.items, metadata.skipped) == (kind, items, ())
    assert metadata.label_names == (("left", "right") if labels else ())
    assert {len(own) for own in metadata.labels} == ({1} if labels else {0})


def test_examples_are_small():
    assert sum(path.stat().st_size for path in HERE.rglob("*") if path.is_file()) < 200_000
