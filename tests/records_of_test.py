"""From the settings of a data set to records by split."""

import os

import numpy as np
import PIL.Image
import pytest

from lrcn import datasets, settings
from lrcn.data import images, records, serialize
from lrcn.data.limits import Limits
from lrcn.errors import UserError


@pytest.fixture(autouse=True)
def cache(tmp_path, monkeypatch):
    monkeypatch.setenv("LRCN_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache"


def lists_of(*files, **changes):
    """Returns the settings of list files."""
    keys = {"path_prepend_folder": None, "labels": None, "frame_format": "jpg"}
    keys |= {"frame_step": 1, "fps": None} | changes
    return settings.Lists(source="lists", input_files=tuple(map(str, files)), **keys)


def records_of(dataset, **changes):
    options = {"image_shape": None, "num_threads": 1, "seed": 0}
    return datasets.records_of(dataset, **options | changes)


def frames(folder, number=2, *, shade=0, suffix="png"):
    """Writes a folder of frames; those of other shades have the same size in bytes."""
    folder.mkdir(exist_ok=True)
    for index in range(number):
        picture = PIL.Image.fromarray(np.full((8, 8, 3), shade, np.uint8))
        picture.save(folder / f"{index + 1}.{suffix}")
    return folder


def a_list(folder, name, *lines):
    """Writes a list file and returns its path."""
    file = folder / name
    file.write_text("".join(f"{line}\n" for line in lines))
    return file


def test_two_lists_of_one_role_are_refused(tmp_path, cache):
    for name in ("a", "b", "c"):
        frames(tmp_path / name)
    files = [a_list(tmp_path, f"{name}.train", f"{name} 0") for name in ("a", "b")]
    files.append(a_list(tmp_path, "c.val", "c 0"))
    with pytest.raises(UserError) as caught:
        records_of(lists_of(*files, frame_format="png"))
    message = str(caught.value)
    assert message.startswith("dataset.input_files: two lists of one role")
    assert str(files[0]) in message and str(files[1]) in message and "train" in message
    assert not cache.exists()
    both = lists_of(files[0], files[2], frame_format="png")
    assert list(records_of(both)) == ["train", "val"]


def rewritten(file, shade):
    """Writes a frame of the same size in bytes anew, a second later."""
    before = file.stat()
    PIL.Image.fromarray(np.full((8, 8, 3), shade, np.uint8)).save(file)
    assert file.stat().st_size == before.st_size
    os.utime(file, ns=(before.st_atime_ns, before.st_mtime_ns + 10**9))


def test_changed_frames_are_serialized_anew(tmp_path):
    folder = frames(tmp_path / "a", suffix="bmp")
    dataset = lists_of(a_list(tmp_path, "x.train", "a 0"), frame_format="bmp")
    found = [records_of(dataset), records_of(dataset)]
    assert found[0] == found[1]
    rewritten(folder / "2.bmp", shade=9)
    found.append(records_of(dataset))
    (folder / "2.bmp").rename(folder / "3.bmp")
    (folder / "1.bmp").rename(folder / "2.bmp")
    found.append(records_of(dataset))
    (folder / "4.bmp").write_bytes((folder / "3.bmp").read_bytes())
    found.append(records_of(dataset))
    assert len({paths["train"] for paths in found}) == 4
    for index, (number, shade) in enumerate([(2, 0), (2, 0), (2, 9), (2, 9), (3, 9)]):
        stored = examples(found[index]["train"])[0]["frames"]
        assert len(stored) == number
        assert abs(int(images.decode(stored[-1])[0, 0, 0]) - shade) < 2


def test_another_format_of_frames_is_serialized_anew(tmp_path):
    frames(tmp_path / "a", suffix="bmp")
    frames(tmp_path / "a", 3, suffix="png")
    file = a_list(tmp_path, "x.train", "a 0")
    found = [records_of(lists_of(file, frame_format=suffix)) for suffix in ("bmp", "png")]
    assert [len(examples(paths["train"])[0]["frames"]) for paths in found] == [2, 3]


def examples(path):
    parsed = [records.parse_example(text) for text in records.open_records(path).serialized()]
    return [{key: value.numpy() for key, value in example.items()} for example in parsed]


def shapes(**changes):
    keys = {"kind": "auto", "train": 2, "val": 0, "test": 0, "size": 24, "num_frames": 2}
    keys |= {"seed": 0, "frame_step": 1, "fps": None} | changes
    return settings.MovingShapes(source="moving_shapes", **keys)


def test_rendered_videos_keep_their_size_however_they_are_stored(tmp_path):
    options = {
        "clipframe_mode": settings.ClipframeMode("none"),
        "output_folder": str(tmp_path),
        "raw_image_shape": (240, 320, 3),
        "num_threads": 1,
        "num_items_per_thread": 2,
        "do_shuffle": False,
        "do_serialize": True,
        "short_videos": "error",
        "on_error": "stop",
        "shards": 1,
        "overwrite": False,
        "seed": 0,
        "traceback": False,
    }
    asked = settings.SerializeSettings(dataset=shapes(), **options)
    catalog = datasets.catalog_of(asked.dataset)
    (report,) = serialize.serialize(catalog, tmp_path / "r", options=datasets.store_options(asked))
    paths = records_of(shapes(), image_shape=(240, 320, 3))
    for path in (report.path, paths["train"]):
        assert records.read_metadata(path).frame_shape == (24, 24, 3)


def ready(**changes):
    keys = {"train": None, "val": None, "test": None} | changes
    return settings.Records(source="records", **keys)


def test_records_without_any_file_are_refused():
    with pytest.raises(UserError, match=r"^dataset: no records are given.*dataset\.train=FILE"):
        records_of(ready())


def test_records_are_checked_by_as_many_threads_as_asked_for(monkeypatch):
    asked = []
    monkeypatch.setattr(
        datasets.check_lib, "records", lambda paths, **options: asked.append(options)
    )
    check = {"report": None, "seed": 0, "traceback": False}
    limits = Limits(record_bytes=5)
    datasets.findings(settings.CheckSettings(ready(val="a"), num_threads=7, limits=limits, **check))
    assert asked == [{"num_threads": 7, "limits": limits}]
