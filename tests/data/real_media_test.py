"""Real media beside the checkout: they decode, and are stored as they are where they may be."""

import pathlib

import pytest

from lrcn.data import containers, lists, records, serialize

DATA = pathlib.Path(__file__).parents[3] / "shared" / "data"
pytestmark = [
    pytest.mark.real,
    pytest.mark.skipif(not DATA.is_dir(), reason="needs the real data beside the checkout"),
]


def test_folders_of_frames_are_copied(tmp_path):
    folders = sorted(path for path in (DATA / "frames_sample").iterdir() if path.is_dir())
    file = tmp_path / "data.train"
    file.write_text("".join(f"{path} {label}\n" for label, path in enumerate(folders)))
    data = lists.Catalog(
        {"data.train": lists.Split("data.train", lists.read_list(file), str(file))}, (), 2, False
    )
    options = serialize.StoreOptions(mode=None, image_shape=(240, 320, 3))
    (report,) = serialize.serialize(data, tmp_path, options=options)
    record_set = records.open_records(report.path)
    assert record_set.metadata.frame_counts == (15, 20)
    for folder, text in zip(folders, record_set.serialized(), strict=True):
        stored = records.parse_example(text)["frames"].numpy().tolist()
        assert stored == [path.read_bytes() for path in sorted(folder.glob("*.jpg"))]


@pytest.mark.parametrize(
    "pattern",
    ["ucf101_5/videos/*/*_g01_c01.mp4", "weizmann4/videos/*/*.avi", "msvd_mini/videos/*"],
)
def test_videos_decode_as_their_packets_promise(pattern):
    for path in sorted(DATA.glob(pattern))[:6]:
        timeline = containers.decode(path)
        assert timeline == containers.planned(path) and len(timeline.times) >= 42
        assert len(timeline.kept(fps=timeline.rate)) == len(timeline.times)
