"""Frames that other records hold already are copied, and only if nothing has changed."""

import dataclasses
import functools
import shutil

import pytest

from lrcn.data import known, lists, modality, packing, serialize, video

FLOW = serialize.StoreOptions(mode=None, num_threads=2, modality=modality.Modality("flow"))


@pytest.fixture
def videos(tmp_path, make_video, make_frames):
    make_frames(tmp_path / "c", 5)
    return [make_video(tmp_path / "a.mp4", 6), make_video(tmp_path / "b.mp4", 7), tmp_path / "c"]


def catalog(paths, labels=(0, 1, 2)):
    items = tuple(
        lists.Item(path.name, str(path), lists.kind_of(path), (label,))
        for path, label in zip(paths, labels, strict=False)
    )
    return lists.Catalog({"train": lists.Split("train", items, "test")}, (), 3, False)


def store(folder, one, options=FLOW, *, meanwhile=None):
    """Serializes as the cache does, and returns how many items were read from their files."""
    read = []

    def counted(item, *arguments):
        read.append(item.id)
        return video.read(item, *arguments)

    with pytest.MonkeyPatch.context() as patch:
        module = type("video", (), {"read": staticmethod(counted), "Frames": video.Frames})
        patch.setattr(packing, "video", module)
        keys = known.keys_of(one, options.reading())
        places = known.find(folder.parent, keys)
        serialize.serialize(one, folder, options=options, known=places)
    if meanwhile is not None:
        meanwhile()
    known.write(folder, keys)
    return sorted(read)


def content(folder):
    return (folder / "train.tfrecord").read_bytes()


def test_what_is_stored_already_is_not_read_again(videos, tmp_path):
    cache = tmp_path / "cache"
    assert store(cache / "1", catalog(videos[:2])) == ["a.mp4", "b.mp4"]
    # Other labels and another order are other records of the same frames.
    other = catalog([videos[2], videos[1], videos[0]])
    assert store(cache / "2", other) == ["c"]
    serialize.serialize(other, tmp_path / "alone", options=FLOW)
    assert content(cache / "2") == content(tmp_path / "alone")
    assert (cache / "2" / "train.tfrecord.size").read_bytes() == (
        tmp_path / "alone" / "train.tfrecord.size"
    ).read_bytes()


@pytest.mark.parametrize(
    "changed",
    [
        {"modality": modality.Modality()},
        {"modality": modality.Modality("difference")},
        {"frame_step": 2},
        {"image_shape": (24, 32, 3)},
        {"quality": 50},
    ],
)
def test_frames_read_otherwise_are_others(videos, tmp_path, changed):
    store(tmp_path / "cache" / "1", catalog(videos))
    options = dataclasses.replace(FLOW, **changed)
    assert store(tmp_path / "cache" / "2", catalog(videos), options) == ["a.mp4", "b.mp4", "c"]


def test_files_that_changed_are_read_anew(videos, tmp_path, make_video):
    store(tmp_path / "cache" / "1", catalog(videos))
    make_video(videos[0], 9)
    (videos[2] / "5.jpg").unlink()
    assert store(tmp_path / "cache" / "2", catalog(videos)) == ["a.mp4", "c"]


def test_a_file_that_changes_before_the_end_is_read_anew(videos, tmp_path, make_video):
    change = functools.partial(make_video, videos[0], 9)
    store(tmp_path / "cache" / "1", catalog(videos), meanwhile=change)
    assert store(tmp_path / "cache" / "2", catalog(videos)) == ["a.mp4"]


def test_damaged_and_unfinished_records_are_passed_over(videos, tmp_path):
    first = tmp_path / "cache" / "1"
    store(first, catalog(videos))
    damaged = bytearray(content(first))
    damaged[len(damaged) // 2] ^= 1
    (first / "train.tfrecord").write_bytes(damaged)
    assert store(tmp_path / "cache" / "2", catalog(videos)) == ["a.mp4", "b.mp4", "c"]
    shutil.rmtree(tmp_path / "cache" / "2")
    (first / "train.tfrecord.size").unlink()
    assert store(tmp_path / "cache" / "3", catalog(videos)) == ["a.mp4", "b.mp4", "c"]


def test_records_that_vanish_meanwhile_are_done_without(videos, tmp_path):
    store(tmp_path / "cache" / "1", catalog(videos))
    places = known.find(tmp_path / "cache", known.keys_of(catalog(videos), FLOW.reading()))
    assert len(places["train"]) == 3
    shutil.rmtree(tmp_path / "cache" / "1")
    serialize.serialize(catalog(videos), tmp_path / "out", options=FLOW, known=places)
    serialize.serialize(catalog(videos), tmp_path / "alone", options=FLOW)
    assert content(tmp_path / "out") == content(tmp_path / "alone")


def test_generated_items_are_never_known(tmp_path):
    from lrcn.data import shapes

    one = shapes.moving_shapes(train=2, val=0, test=0, size=24, num_frames=4)
    for folder in (tmp_path / "cache" / "1", tmp_path / "cache" / "2"):
        serialize.serialize(one, folder, options=FLOW)
        known.write(folder, known.keys_of(one, FLOW.reading()))
    found = known.find(tmp_path / "cache", known.keys_of(one, FLOW.reading()))
    assert found.keys() == {"train"} and not any(found.values())
