import dataclasses
import fcntl
import os
import pathlib
import threading
import time

import hydra
import pytest

from lrcn import cache, config, cores, datasets, help, settings
from lrcn.data import packing, part
from lrcn.errors import UserError

EXAMPLES = pathlib.Path(__file__).parent / "examples"
SHAPES = settings.MovingShapes(
    source="moving_shapes",
    kind="auto",
    train=3,
    val=2,
    test=0,
    size=24,
    num_frames=4,
    seed=0,
    frame_step=1,
    fps=None,
)
OPTIONS = {"image_shape": (24, 32, 3), "num_threads": 1, "seed": 0}


@pytest.fixture
def stored(tmp_path, monkeypatch):
    """The folders that were serialized into a cache of this test, with an empty serializer."""
    monkeypatch.setenv("LRCN_CACHE", str(tmp_path / "cache"))
    folders = []

    def serialize(catalog, folder, **options):
        folder.mkdir(parents=True)
        folders.append(folder)

    monkeypatch.setattr(cache.serialize, "serialize", serialize)
    monkeypatch.setattr(cache.known, "write", lambda folder, keys, **_: None)
    return folders


@pytest.fixture
def lists(tmp_path, make_picture):
    """Two lists of images in a folder, as settings."""
    for name in ("a.jpg", "b.jpg", "c.jpg"):
        make_picture(tmp_path / name)
    (tmp_path / "data.train").write_text("a.jpg 0\nb.jpg 1\n")
    (tmp_path / "data.val").write_text("c.jpg 1\n")
    return settings.Lists(
        source="lists",
        input_files=(str(tmp_path / "data.train"), str(tmp_path / "data.val")),
        path_prepend_folder=None,
        labels=None,
        frame_format="jpg",
        frame_step=1,
        fps=None,
    )


@pytest.fixture
def make_picture():
    content = (EXAMPLES / "images" / "red_left.jpg").read_bytes()
    return lambda path: path.write_bytes(content)


def folder_of(dataset, **changes):
    paths = datasets.records_of(dataset, **{**OPTIONS, **changes})
    (folder,) = {path.parent for path in paths.values()}
    return folder


def test_the_cache_is_where_the_environment_says(monkeypatch):
    monkeypatch.setenv("HOME", "/home/someone")
    monkeypatch.delenv("LRCN_CACHE", raising=False)
    monkeypatch.delenv("XDG_CACHE_HOME", raising=False)
    assert cache.folder() == pathlib.Path("/home/someone/.cache/lrcn")
    monkeypatch.setenv("XDG_CACHE_HOME", "/caches")
    assert cache.folder() == pathlib.Path("/caches/lrcn")
    monkeypatch.setenv("LRCN_CACHE", "~/videos")
    assert cache.folder() == pathlib.Path("/home/someone/videos")


def test_a_cache_that_is_a_file_is_named_by_its_variable(stored, lists, monkeypatch, tmp_path):
    (tmp_path / "taken").touch()
    monkeypatch.setenv("LRCN_CACHE", str(tmp_path / "taken"))
    with pytest.raises(UserError, match=r"^LRCN_CACHE: .* Received: .*taken/records: ") as raised:
        datasets.records_of(lists, **OPTIONS)
    assert "environment variable LRCN_CACHE" in raised.value.remedy


def test_the_same_data_asked_again_is_found(stored, lists, caplog):
    caplog.set_level("INFO")
    for dataset in (SHAPES, lists):
        folders = {folder_of(dataset), folder_of(dataset), folder_of(dataset, num_threads=2)}
        assert len(folders) == 1
    assert len(stored) == 2
    assert caplog.text.count("serialized before") == 4


@pytest.mark.parametrize(
    "change",
    [
        {"train": 4},
        {"val": 3},
        {"test": 1},
        {"kind": "stills"},
        {"size": 32},
        {"num_frames": 5},
        {"seed": 1},
        {"frame_step": 2},
    ],
    ids=str,
)
def test_other_rendered_data_has_another_key(stored, change):
    assert folder_of(SHAPES) != folder_of(dataclasses.replace(SHAPES, **change))
    assert len(stored) == 2


def test_rendered_frames_have_the_size_asked_for_whatever_is_stored_of_others(stored):
    assert folder_of(SHAPES, image_shape=(48, 64, 3)) == folder_of(SHAPES)
    assert folder_of(dataclasses.replace(SHAPES, kind="motion"), image_shape=None).is_dir()


@pytest.mark.parametrize(
    "change", [{"frame_step": 2}, {"fps": 5.0}, {"labels": str(EXAMPLES / "labels.txt")}], ids=str
)
def test_other_options_have_another_key(stored, lists, change):
    assert folder_of(lists) != folder_of(dataclasses.replace(lists, **change))


def test_another_stored_size_has_another_key(stored, lists):
    shapes = [None, (24, 32, 3), (32, 24, 3)]
    assert len({folder_of(lists, image_shape=shape) for shape in shapes}) == 3


def test_other_items_labels_and_files_have_another_key(stored, lists, tmp_path):
    folders = [folder_of(lists)]
    (tmp_path / "data.val").write_text("c.jpg 0\n")
    folders.append(folder_of(lists))
    (tmp_path / "data.val").write_text("c.jpg 0\nb.jpg 0\n")
    folders.append(folder_of(lists))
    with (tmp_path / "c.jpg").open("ab") as file:
        file.write(b"more")
    folders.append(folder_of(lists))
    os.utime(tmp_path / "a.jpg", ns=(1, 1))
    folders.append(folder_of(lists))
    assert len(set(folders)) == 5


def test_the_role_is_the_last_part_of_the_name(stored, lists):
    paths = datasets.records_of(lists, **OPTIONS)
    assert {role: path.name for role, path in paths.items()} == {
        "train": "data.train.tfrecord",
        "val": "data.val.tfrecord",
    }
    paths = datasets.records_of(SHAPES, **OPTIONS)
    assert {role: path.name for role, path in paths.items()} == {
        "train": "train.tfrecord",
        "val": "val.tfrecord",
    }


def test_a_serialization_that_fails_leaves_nothing_in_the_cache(tmp_path, stored, monkeypatch):
    def half(catalog, folder, **_):
        folder.mkdir(parents=True)
        (folder / "train.tfrecord").write_text("half")
        raise KeyboardInterrupt

    monkeypatch.setattr(cache.serialize, "serialize", half)
    with pytest.raises(KeyboardInterrupt):
        folder_of(SHAPES)
    assert list((tmp_path / "cache" / "records").iterdir()) == []


def test_another_process_that_was_faster_is_right(tmp_path, stored, monkeypatch):
    final = folder_of(SHAPES)
    final.rmdir()

    def raced(catalog, folder, **_):
        folder.mkdir()
        (folder / "mine").touch()
        final.mkdir()
        (final / "theirs").touch()

    monkeypatch.setattr(cache.serialize, "serialize", raced)
    assert folder_of(SHAPES) == final
    assert [path.name for path in final.iterdir()] == ["theirs"]
    assert list(final.parent.iterdir()) == [final]


@pytest.fixture
def killed(tmp_path, monkeypatch):
    """The folder in which a killed process has left one finished split and half of another."""
    monkeypatch.setenv("LRCN_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(part, "_SECONDS_BETWEEN_COMMITS", 0.0)
    pack, count = packing.Packer.__call__, []

    def interrupt(packer, place):
        count.append(place)
        if len(count) == 5:
            raise KeyboardInterrupt
        return pack(packer, place)

    with monkeypatch.context() as patch:
        patch.setattr(packing.Packer, "__call__", interrupt)
        with pytest.raises(KeyboardInterrupt):
            folder_of(SHAPES)
    (folder,) = (tmp_path / "cache" / "records").iterdir()
    assert folder.name.startswith(".moving_shapes-") and folder.name.endswith(".unfinished")
    return folder


def content(folder):
    return {file.name: file.read_bytes() if file.is_file() else None for file in folder.iterdir()}


def test_a_killed_serialization_is_continued_in_the_cache(killed, tmp_path, monkeypatch):
    read, pack = [], packing.Packer.__call__

    def noted(packer, place):
        read.append(place)
        return pack(packer, place)

    monkeypatch.setattr(packing.Packer, "__call__", noted)
    folder = folder_of(SHAPES)
    assert len(read) < 5 and list(folder.parent.iterdir()) == [folder]
    monkeypatch.setenv("LRCN_CACHE", str(tmp_path / "other"))
    assert content(folder) == content(folder_of(SHAPES))


def fail_from(monkeypatch, first):
    """Lets every item from the `first` that is read on be at fault."""
    fault, count = UserError("bad", where="x", received="x", expected="y", remedy="Mend it"), []
    pack = packing.Packer.__call__

    def faulty(packer, place):
        count.append(place)
        is_good = len(count) < first
        return pack(packer, place) if is_good else packing.Packed(packer.items[place], fault=fault)

    monkeypatch.setattr(packing.Packer, "__call__", faulty)
    with pytest.raises(UserError, match="Mend it"):
        folder_of(SHAPES)


def test_a_faulty_item_leaves_what_is_safe_in_the_cache(killed, monkeypatch):
    before = content(killed)
    with monkeypatch.context() as patch:
        fail_from(patch, 1)
    assert list(killed.parent.iterdir()) == [killed]
    assert {name for name, data in before.items() if data is not None} <= set(content(killed))


def test_a_faulty_item_before_anything_is_safe_leaves_nothing(tmp_path, monkeypatch):
    monkeypatch.setenv("LRCN_CACHE", str(tmp_path / "cache"))
    fail_from(monkeypatch, 1)
    assert list((tmp_path / "cache" / "records").iterdir()) == []


def test_a_full_cache_names_its_variable(tmp_path, monkeypatch):
    monkeypatch.setenv("LRCN_CACHE", str(tmp_path / "cache"))

    def full(packer, place):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(packing.Packer, "__call__", full)
    with pytest.raises(UserError, match="No space left.*LRCN_CACHE to another folder") as caught:
        folder_of(SHAPES)
    assert "output_folder" not in str(caught.value)


def test_who_wants_the_same_waits_for_the_first(tmp_path, monkeypatch, caplog):
    monkeypatch.setenv("LRCN_CACHE", str(tmp_path / "cache"))
    caplog.set_level("INFO")
    begun, found = threading.Barrier(2, timeout=60), []
    serialize = cache.serialize.serialize

    def slow(*arguments, **options):
        begun.wait()
        while "waiting for process" not in caplog.text:
            time.sleep(0.01)
        return serialize(*arguments, **options)

    monkeypatch.setattr(cache.serialize, "serialize", slow)
    first = threading.Thread(target=lambda: found.append(folder_of(SHAPES)))
    first.start()
    begun.wait()
    found.append(folder_of(SHAPES))  # a second serialization would wait at the barrier for ever
    first.join()
    assert found[0] == found[1] and list(found[0].parent.iterdir()) == [found[0]]
    assert f"data: waiting for process {os.getpid()} on " in caplog.text
    assert caplog.text.count("serializing into") == 1
    assert "(serialized before)" in caplog.text


def test_without_locks_nobody_shares_a_folder(tmp_path, monkeypatch):
    monkeypatch.setenv("LRCN_CACHE", str(tmp_path / "cache"))
    seen, serialize = [], cache.serialize.serialize

    def refuse(*_):
        raise OSError(38, "Function not implemented")

    def noted(catalog, folder, **options):
        seen.append(folder.name)
        if len(seen) == 1:
            folder_of(SHAPES)  # another process, at the same time
        return serialize(catalog, folder, **options)

    monkeypatch.setattr(fcntl, "flock", refuse)
    monkeypatch.setattr(cache.serialize, "serialize", noted)
    folder = folder_of(SHAPES)
    assert len(set(seen)) == 2 and list(folder.parent.iterdir()) == [folder]


def test_a_cache_that_cannot_be_written_is_told(tmp_path, monkeypatch):
    (tmp_path / "cache").write_text("a file")
    monkeypatch.setenv("LRCN_CACHE", str(tmp_path / "cache"))
    with pytest.raises(UserError, match="LRCN_CACHE: the folder of records"):
        folder_of(SHAPES)


def test_ready_records_are_taken_as_they_are(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    dataset = settings.Records("records", "a.tfrecord", None, "/b/test.tfrecord")
    assert datasets.records_of(dataset, **OPTIONS) == {
        "train": tmp_path / "a.tfrecord",
        "test": pathlib.Path("/b/test.tfrecord"),
    }
    with pytest.raises(UserError, match="holds no items to read"):
        datasets.catalog_of(dataset)


def test_records_go_beside_the_list_unless_told(lists, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert datasets.output_folder(lists, None) == tmp_path
    assert datasets.output_folder(lists, "there") == tmp_path / "there"
    assert datasets.output_folder(SHAPES, "there") == tmp_path / "there"
    apart = dataclasses.replace(lists, input_files=("/a/data.train", "/b/data.val"))
    for dataset in (apart, SHAPES):
        with pytest.raises(UserError, match="output_folder: a folder for the records is needed"):
            datasets.output_folder(dataset, None)


@pytest.mark.parametrize(
    ("overrides", "threads"),
    [
        (["dataset=moving_shapes", "output_folder=x"], 1),
        (["dataset=moving_shapes", "output_folder=x", "num_threads=3"], 3),
        (["dataset.input_files=[a.train]"], cores.taken()),
        (["dataset.input_files=[a.train]", "num_threads=3"], 3),
    ],
)
def test_what_is_rendered_is_stored_by_one_thread_unless_more_are_asked_for(overrides, threads):
    config.register_resolvers(job_folder=str, hydra_folder=str)
    with hydra.initialize_config_dir(str(help.conf_folder()), version_base="1.3"):
        given = config.typed("serialize", hydra.compose("serialize", overrides))
    assert datasets.store_options(given).num_threads == threads
