import os
import pathlib
import shutil

import pytest

from lrcn import errors
from lrcn.data import check, lists, serialize, sources, video


def item_of(path, **options):
    return lists.Item(path.name, str(path), lists.kind_of(path), (0,), **options)


def append(path):
    with path.open("ab") as file:
        file.write(b"more")


def touch(path):
    status = path.stat()
    os.utime(path, ns=(status.st_atime_ns, status.st_mtime_ns + 1))


def replace(path):
    """Another file of the same bytes, size and times under the same name."""
    other = path.with_name("other")
    shutil.copy2(path, other)
    os.replace(other, path)


CHANGES = {"append": append, "touch": touch, "replace": replace, "unlink": lambda p: p.unlink()}


@pytest.mark.parametrize("change", CHANGES)
def test_a_file_that_changes_while_it_is_read_is_refused(tmp_path, make_video, change):
    path = make_video(tmp_path / "a.mp4", 6)
    where = {"where": "a.train:3"}
    refused = pytest.raises(errors.UserError, match="changed while it was read")
    with refused as caught, sources.unchanged(item_of(path, **where)):
        CHANGES[change](path)
    assert caught.value.where == f"a.train:3: {path}"
    assert ("no longer there" in caught.value.received) == (change == "unlink")
    if change != "unlink":
        with sources.unchanged(item_of(path)):
            assert path.read_bytes()


def test_a_frame_that_changes_counts(tmp_path, make_frames):
    folder = tmp_path / "frames"
    make_frames(folder, 4)
    first = sorted(folder.iterdir())[0]
    for change in (append, pathlib.Path.unlink):
        refused = pytest.raises(errors.UserError, match="changed while it was read")
        with refused, sources.unchanged(item_of(folder)):
            change(first)


def test_a_change_explains_what_did_not_decode(tmp_path, make_video):
    path = make_video(tmp_path / "a.mp4", 6)
    cut = errors.UserError("cut short", where=path, received=1, expected=2, remedy="Replace it")
    refused = pytest.raises(errors.UserError, match="changed while")
    with refused as caught, sources.unchanged(item_of(path)):
        append(path)
        raise cut
    assert caught.value.__cause__ is cut
    with pytest.raises(errors.UserError, match="cut short"), sources.unchanged(item_of(path)):
        raise cut


def test_what_was_never_there_is_told_by_who_reads_it(tmp_path):
    item = lists.Item("a", str(tmp_path / "a.mp4"), "video")
    with pytest.raises(FileNotFoundError), sources.unchanged(item):
        raise FileNotFoundError(2, "gone", item.path)


def changing(monkeypatch, path, change):
    """Lets a file change while the reader chooses among its frames."""
    real = video._READERS[lists.kind_of(path)]

    def read(item, reading, choose):
        if item.path == str(path) and path.exists():
            CHANGES[change](path)
        return real(item, reading, choose)

    monkeypatch.setitem(video._READERS, lists.kind_of(path), read)


@pytest.mark.parametrize("change", ["touch", "unlink"])
def test_serialize_stops_at_it_or_skips_it(tmp_path, make_video, monkeypatch, change):
    paths = [make_video(tmp_path / f"{name}.mp4", 6) for name in "ab"]
    items = tuple(item_of(path, where=f"a.train:{n}") for n, path in enumerate(paths, 1))
    catalog = lists.Catalog({"a.train": lists.Split("a.train", items, "a.train")}, (), 1, False)
    changing(monkeypatch, paths[1], change)
    options = {"mode": None, "num_threads": 2, "image_shape": (16, 16, 3)}
    with pytest.raises(errors.UserError, match=r"a.train:2: .*b\.mp4: changed while it was read"):
        serialize.serialize(catalog, tmp_path / "r", options=serialize.StoreOptions(**options))
    assert not (tmp_path / "r").exists()
    if change == "unlink":
        make_video(paths[1], 6)
    (report,) = serialize.serialize(
        catalog, tmp_path / "r", options=serialize.StoreOptions(**options, on_error="skip")
    )
    assert report.items == 1
    ((name, why),) = report.skipped
    assert name == "b.mp4" and "changed while it was read" in why


def test_check_finds_it(tmp_path, make_video, monkeypatch):
    path = make_video(tmp_path / "a.mp4", 6)
    real = video.count_frames

    def count(item, **options):
        touch(path)
        return real(item, **options)

    monkeypatch.setattr(check.video, "count_frames", count)
    catalog = lists.Catalog({"a": lists.Split("a", (item_of(path),), "a")}, (), 1, False)
    (finding,) = check.media(catalog)
    assert finding.what == "changed while it was read"
    assert str(path) in finding.where
