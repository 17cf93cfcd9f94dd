import dataclasses
import hashlib
import os
import threading
import time

import numpy as np
import PIL.Image
import pytest

from lrcn import errors
from lrcn.data import clips, images, lists, packing, records, serialize

EVERY = serialize.StoreOptions(mode=None, num_threads=2)


def with_mode(name, frames=4, number=1, tail="drop", **options):
    mode = clips.ClipMode(name, frames, number, tail)
    return dataclasses.replace(EVERY, mode=mode, **options)


def catalog(file, label_names=(), on_error="stop"):
    items = lists.read_list(file, label_names=label_names, on_error=on_error)
    labels = [label for item in items for label in item.labels]
    return lists.Catalog(
        {file.name: lists.Split(file.name, items, str(file))},
        tuple(label_names),
        len(label_names) or max(labels, default=-1) + 1,
        any(len(item.labels) > 1 for item in items),
    )


@pytest.fixture
def folders(tmp_path, make_frames):
    """A list of six folders with 6, 7, ... 11 frames."""
    for index in range(6):
        make_frames(tmp_path / f"clip{index}", 6 + index, height=16, width=24)
    file = tmp_path / "data.train"
    file.write_text("".join(f"clip{index} {index % 3}\n" for index in range(6)))
    return file


def examples(path):
    record_set = records.open_records(path)
    parsed = [records.parse_example(text) for text in record_set.serialized()]
    return [{key: value.numpy() for key, value in example.items()} for example in parsed]


def digest(folder):
    files = sorted(folder.glob("*.tfrecord*"))
    return [(file.name, hashlib.sha256(file.read_bytes()).hexdigest()) for file in files]


def told(call):
    with pytest.raises(errors.UserError) as caught:
        call()
    assert "\n" not in str(caught.value)
    return str(caught.value)


def test_every_frame_is_stored(folders, tmp_path):
    (report,) = serialize.serialize(catalog(folders), tmp_path / "out", options=EVERY)
    assert (report.name, report.items, report.clips, report.frames) == ("data.train", 6, 0, 51)
    assert report.path == tmp_path / "out" / "data.train.tfrecord"
    metadata = records.read_metadata(report.path)
    assert metadata.type == "video" and metadata.clipframe_mode is None
    assert metadata.frames_per_clip is None and metadata.clip_counts == ()
    assert metadata.frame_counts == (6, 7, 8, 9, 10, 11)
    assert metadata.frame_shape == (16, 24, 3) and metadata.raw_image_shape is None
    assert metadata.ids == tuple(f"clip{index}" for index in range(6))
    assert metadata.labels == ((0,), (1,), (2,)) * 2 and metadata.num_classes == 3
    for index, example in enumerate(examples(report.path)):
        sources = lists.frame_files(tmp_path / f"clip{index}")
        assert example["frames"].tolist() == [source.read_bytes() for source in sources]
        assert example["path"].decode() == str(tmp_path / f"clip{index}")


@pytest.mark.parametrize(
    "options",
    [
        with_mode("rand_frames"),
        with_mode("rand_clips", number=3),
        with_mode("iterative", number=-2, tail="align"),
        with_mode("iterative", number=1),
    ],
)
def test_stored_clips_are_those_of_the_mode(folders, tmp_path, options):
    (report,) = serialize.serialize(catalog(folders), tmp_path / "out", options=options)
    metadata, found = records.read_metadata(report.path), examples(report.path)
    assert metadata.clipframe_mode == options.mode and metadata.frames_per_clip == 4
    for index, example in enumerate(found):
        chosen = clips.choose(options.mode, 6 + index, np.random.default_rng([0, index]))
        sources = lists.frame_files(tmp_path / f"clip{index}")
        expected = [[sources[frame].read_bytes() for frame in clip] for clip in chosen]
        assert example["frames"][example["clips"]].tolist() == expected
        assert len(example["frames"]) == len(np.unique(chosen)) == metadata.frame_counts[index]
        assert metadata.clip_counts[index] == len(chosen)
    assert report.clips == sum(metadata.clip_counts)


def test_threads_change_nothing(folders, tmp_path, make_video):
    for index in range(3):
        make_video(tmp_path / f"v{index}.mp4", 10 + index)
    with folders.open("a") as file:
        file.write("".join(f"v{index}.mp4 1\n" for index in range(3)))
    options = with_mode("rand_clips", number=2, seed=7, image_shape=(16, 20, 3), shards=2)
    for threads, ahead in ((1, 1), (4, 1), (3, 500)):
        changed = dataclasses.replace(options, num_threads=threads, num_items_per_thread=ahead)
        serialize.serialize(catalog(folders), tmp_path / f"out{threads}", options=changed)
    assert digest(tmp_path / "out1") == digest(tmp_path / "out4") == digest(tmp_path / "out3")
    other = dataclasses.replace(options, seed=8)
    serialize.serialize(catalog(folders), tmp_path / "other", options=other)
    assert digest(tmp_path / "other")[0] != digest(tmp_path / "out1")[0]


def test_shuffled_items_keep_their_clips_and_are_listed(folders, tmp_path):
    options = with_mode("rand_clips", number=2, seed=3)
    plain, mixed = tmp_path / "plain", tmp_path / "mixed"
    serialize.serialize(catalog(folders), plain, options=options)
    shuffled = dataclasses.replace(options, shuffle=True)
    serialize.serialize(catalog(folders), mixed, options=shuffled)
    one = {example["id"]: example for example in examples(plain / "data.train")}
    two = examples(mixed / "data.train")
    assert [example["id"] for example in two] != list(one)
    assert all((one[e["id"]]["clips"] == e["clips"]).all() for e in two)
    assert all((one[e["id"]]["frames"] == e["frames"]).all() for e in two)
    again = lists.read_list(mixed / "data.train.shuffled")
    assert [item.path.encode() for item in again] == [example["path"] for example in two]
    assert [list(item.labels) for item in again] == [e["labels"].tolist() for e in two]
    assert records.read_metadata(mixed / "data.train").shuffled
    assert not (plain / "data.train.shuffled").exists()


def test_shards_hold_equally_many_in_order(folders, tmp_path):
    options = dataclasses.replace(EVERY, shards=4)
    (report,) = serialize.serialize(catalog(folders), tmp_path / "out", options=options)
    record_set = records.open_records(report.path)
    assert [shard.records for shard in record_set.metadata.shards] == [1, 2, 1, 2]
    assert [example["id"].decode() for example in examples(report.path)] == [
        f"clip{index}" for index in range(6)
    ]
    assert report.bytes == sum(shard.stat().st_size for shard in record_set.shards)
    assert records.verify(report.path) == []
    more = dataclasses.replace(EVERY, shards=7)
    message = told(lambda: serialize.serialize(catalog(folders), tmp_path / "o2", options=more))
    assert "shards: more shards than items. Received: 7" in message


def test_images_are_one_frame_whatever_the_mode(tmp_path):
    for index in range(3):
        PIL.Image.new("RGB", (20 + index, 10), (50 * index, 0, 0)).save(tmp_path / f"{index}.png")
    file = tmp_path / "data.test"
    file.write_text(
        "0.png\ta black picture\n1.png\ta dark one\n1.png\ta red one\n2.png\tmore red\n"
    )
    (report,) = serialize.serialize(
        catalog(file), tmp_path / "out", options=with_mode("rand_clips", 16)
    )
    metadata = records.read_metadata(report.path)
    assert metadata.type == "image" and metadata.frames_per_clip is None
    assert metadata.frame_counts == (1, 1, 1) and metadata.frame_shape is None
    assert metadata.num_classes == 0
    assert examples(report.path)[1]["captions"].tolist() == [b"a dark one", b"a red one"]


def test_label_names_and_several_labels(folders, tmp_path):
    folders.write_text("clip0 b a\nclip1 2\n")
    data = catalog(folders, label_names=("a", "b", "c"))
    (report,) = serialize.serialize(data, tmp_path / "out", options=EVERY)
    first, second = examples(report.path)
    assert first["labels"].tolist() == [1, 0] and first["label_text"].tolist() == [b"b", b"a"]
    assert second["label_text"].tolist() == [b"c"]
    metadata = records.read_metadata(report.path)
    assert metadata.multi_label and metadata.label_names == ("a", "b", "c")


def test_short_videos_are_all_named(folders, tmp_path):
    options = with_mode("rand_clips", 8)
    message = told(lambda: serialize.serialize(catalog(folders), tmp_path / "o", options=options))
    assert "2 videos are shorter than one clip" in message and "short_videos=loop" in message
    assert f"{folders}:1: {tmp_path / 'clip0'} (6 frames)" in message
    assert f"{folders}:2: {tmp_path / 'clip1'} (7 frames)" in message
    assert not (tmp_path / "o").exists()


def test_of_many_short_videos_the_first_are_named(folders, tmp_path):
    options = with_mode("rand_clips", 12)
    message = told(lambda: serialize.serialize(catalog(folders), tmp_path / "o", options=options))
    assert "6 videos are shorter than one clip" in message
    assert f"{tmp_path / 'clip4'} (10 frames) and 1 more. Expected" in message
    assert "clip5" not in message


def test_short_videos_loop_or_are_skipped(folders, tmp_path):
    loop = with_mode("iterative", 8, 0, short_videos="loop")
    (report,) = serialize.serialize(catalog(folders), tmp_path / "loop", options=loop)
    first = examples(report.path)[0]
    assert first["clips"].tolist() == [[0, 1, 2, 3, 4, 5, 0, 1]] and first["frame_count"] == 6
    skip = dataclasses.replace(loop, short_videos="skip")
    (report,) = serialize.serialize(catalog(folders), tmp_path / "skip", options=skip)
    assert report.items == 4 and [name for name, _ in report.skipped] == ["clip0", "clip1"]
    assert "Received: 7 frames" in report.skipped[1][1]
    assert "skip" not in report.skipped[1][1] and "Set short_videos=loop" in report.skipped[1][1]
    assert records.read_metadata(report.path).skipped == report.skipped


def test_a_bad_item_stops_or_is_skipped_with_its_reason(folders, tmp_path):
    (tmp_path / "clip2" / "3.jpg").write_bytes(b"broken")
    with folders.open("a") as file:
        file.write("none.mp4 1\n")
    message = told(lambda: catalog(folders))
    assert f"{folders}:7: no such image" in message
    data = catalog(folders, on_error="keep")
    assert f"{folders}:7" in told(
        lambda: serialize.serialize(data, tmp_path / "out", options=EVERY)
    )
    skip = dataclasses.replace(EVERY, on_error="skip")
    (report,) = serialize.serialize(data, tmp_path / "out", options=skip)
    assert report.items == 5 and [name for name, _ in report.skipped] == ["clip2", "none.mp4"]
    assert "3.jpg" in report.skipped[0][1] and "on_error" not in report.skipped[0][1]
    assert report.skipped[0][1].endswith("Replace the file or leave it out.")
    assert records.read_metadata(report.path).skipped == report.skipped
    message = told(lambda: serialize.serialize(data, tmp_path / "x", options=EVERY))
    assert f"{folders}:7" in message and not (tmp_path / "x").exists()


def test_what_is_skipped_is_told_in_the_order_of_the_lines(folders, tmp_path):
    folders.write_text("clip0 x\nclip1 1\nclip0 -1\nclip0 2\nnone0 1\nclip2 0\nnone1 1\nclip0 1\n")
    options = dataclasses.replace(EVERY, on_error="skip", shuffle=True)
    data = catalog(folders, on_error="keep")
    (report,) = serialize.serialize(data, tmp_path / "out", options=options)
    lines = [int(reason.removeprefix(f"{folders}:").split(":")[0]) for _, reason in report.skipped]
    assert lines == [1, 3, 5, 7, 8]
    assert sorted(records.read_metadata(report.path).ids) == ["clip0", "clip1", "clip2"]


def test_nothing_is_left_under_a_final_name(folders, tmp_path):
    (tmp_path / "clip4" / "3.jpg").write_bytes(b"broken")
    options = dataclasses.replace(EVERY, shards=2)
    message = told(lambda: serialize.serialize(catalog(folders), tmp_path / "out", options=options))
    assert f"{folders}:5: {tmp_path / 'clip4' / '3.jpg'}: image cannot be read" in message
    # The first shard is whole, and may be of use if the fault passes.
    assert [path.name for path in (tmp_path / "out").iterdir()] == [
        ".data.train.tfrecord.unfinished"
    ]


def test_an_error_leaves_no_new_folder_and_every_old_one(folders, tmp_path):
    (tmp_path / "clip4" / "3.jpg").write_bytes(b"broken")
    options = dataclasses.replace(EVERY, shuffle=True)
    (tmp_path / "old").mkdir()
    for name in ("new/deep", "old", "old/deep"):
        told(
            lambda name=name: serialize.serialize(
                catalog(folders), tmp_path / name, options=options
            )
        )
    assert not (tmp_path / "new").exists()
    assert list((tmp_path / "old").iterdir()) == []


def test_an_error_keeps_the_splits_that_are_done(folders, tmp_path):
    whole = catalog(folders)
    (tmp_path / "clip0 b").mkdir()
    (tmp_path / "clip0 b" / "1.jpg").write_bytes(b"broken")
    (tmp_path / "data.val").write_text("clip0 b\t0\n")
    both = {**whole.splits, **catalog(tmp_path / "data.val").splits}
    data = dataclasses.replace(whole, splits=both)
    told(lambda: serialize.serialize(data, tmp_path / "out", options=EVERY))
    assert records.verify(tmp_path / "out" / "data.train.tfrecord") == []
    assert not (tmp_path / "out" / "data.val.tfrecord").exists()


def test_a_failed_overwrite_leaves_the_old_records(folders, tmp_path, monkeypatch):
    (report,) = serialize.serialize(catalog(folders), tmp_path / "out", options=EVERY)
    before = digest(tmp_path / "out")

    def interrupt(self, index):
        raise KeyboardInterrupt

    monkeypatch.setattr(packing.Packer, "__call__", interrupt)
    options = with_mode("rand_clips", overwrite=True)
    with pytest.raises(KeyboardInterrupt):
        serialize.serialize(catalog(folders), tmp_path / "out", options=options)
    assert digest(tmp_path / "out") == before and records.verify(report.path) == []
    assert not [path for path in (tmp_path / "out").iterdir() if ".tmp" in path.name]


@pytest.mark.parametrize("change", ["written anew", "added"])
def test_records_of_frames_that_changed_are_refused(folders, tmp_path, change):
    def run():
        return serialize.serialize(catalog(folders), tmp_path / "out", options=EVERY)[0]

    assert not run().reused and run().reused
    frame = tmp_path / "clip2" / "8.jpg"
    if change == "added":
        (tmp_path / "clip2" / "9.jpg").write_bytes(frame.read_bytes())
    else:
        os.utime(frame, ns=(0, frame.stat().st_mtime_ns + 10**9))
    assert "records that differ in source" in told(run)


def test_equal_records_are_reused_and_others_refused(folders, tmp_path):
    out = tmp_path / "out"
    serialize.serialize(catalog(folders), out, options=EVERY)
    stamp = (out / "data.train.tfrecord").stat().st_mtime_ns
    faster = dataclasses.replace(EVERY, num_threads=1, seed=5, on_error="skip")
    (report,) = serialize.serialize(catalog(folders), out, options=faster)
    assert report.reused and report.frames == 51
    assert (out / "data.train.tfrecord").stat().st_mtime_ns == stamp
    other = dataclasses.replace(EVERY, image_shape=(8, 8, 3), frame_step=2)
    message = told(lambda: serialize.serialize(catalog(folders), out, options=other))
    assert "output folder already holds other records" in message
    assert "raw_image_shape, frame_step" in message and "overwrite=true" in message
    folders.write_text("clip0 2\n")
    message = told(lambda: serialize.serialize(catalog(folders), out, options=EVERY))
    assert "source" in message
    (report,) = serialize.serialize(
        catalog(folders), out, options=dataclasses.replace(other, overwrite=True)
    )
    assert not report.reused and report.frames == 3


def test_what_a_killed_process_left_beside_equal_records_is_removed(folders, tmp_path):
    out = tmp_path / "out"
    serialize.serialize(catalog(folders), out, options=EVERY)
    before = sorted(path.name for path in out.iterdir())
    for name in (".data.train.tfrecord.unfinished", ".data.val.tfrecord.unfinished"):
        (out / name).mkdir()
        (out / name / "00000.0.tfrecord").write_bytes(b"half")
    (report,) = serialize.serialize(catalog(folders), out, options=EVERY)
    assert report.reused
    left = {path.name for path in out.iterdir()}
    assert left == {*before, ".data.val.tfrecord.unfinished"}  # that one may be continued


def test_equal_records_are_reused_where_nothing_can_be_written(folders, tmp_path, monkeypatch):
    serialize.serialize(catalog(folders), tmp_path / "out", options=EVERY)
    monkeypatch.setattr(serialize.claim, "alone", lambda folder: pytest.fail("it was written to"))
    assert serialize.serialize(catalog(folders), tmp_path / "out", options=EVERY)[0].reused


def test_equal_records_are_reused_beside_a_lock_of_another_user(folders, tmp_path, monkeypatch):
    out = tmp_path / "out"
    serialize.serialize(catalog(folders), out, options=EVERY)
    (out / ".lrcn.lock").write_text("{}")

    def denied(path, **_):
        raise PermissionError(13, "Permission denied", str(path))

    with monkeypatch.context() as patch:
        patch.setattr(serialize.claim.files, "locked", denied)
        assert serialize.serialize(catalog(folders), out, options=EVERY)[0].reused
    # Whose lock it is removes it on the way.
    assert serialize.serialize(catalog(folders), out, options=EVERY)[0].reused
    assert not (out / ".lrcn.lock").exists()


def test_a_second_serialization_into_the_folder_is_refused(folders, tmp_path):
    with serialize.claim.alone(tmp_path / "out"):
        message = told(
            lambda: serialize.serialize(catalog(folders), tmp_path / "out", options=EVERY)
        )
        assert "another process is serializing into this folder" in message
        assert f"process {os.getpid()} on " in message
        assert [path.name for path in (tmp_path / "out").iterdir()] == [".lrcn.lock"]


def test_unfinished_and_foreign_records_are_refused(folders, tmp_path):
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "data.train.tfrecord").write_bytes(b"of someone else")
    message = told(lambda: serialize.serialize(catalog(folders), tmp_path / "out", options=EVERY))
    assert "already holds other records" in message and ".size is missing" in message


def test_overwriting_leaves_no_stale_shards(folders, tmp_path):
    out = tmp_path / "out"
    sharded = dataclasses.replace(EVERY, shards=3, shuffle=True)
    serialize.serialize(catalog(folders), out, options=sharded)
    serialize.serialize(catalog(folders), out, options=dataclasses.replace(EVERY, overwrite=True))
    names = {path.name for path in out.iterdir()}
    metadata = {"dataset_info.json", "features.json"}
    assert names == {"data.train.tfrecord", "data.train.tfrecord.size"} | metadata


def test_items_in_flight_are_bounded(monkeypatch, tmp_path, paint):
    state, lock = {"now": 0, "most": 0}, threading.Lock()
    items = tuple(
        lists.Item(str(index), str(index), "array", load=lambda: [paint(0)]) for index in range(60)
    )
    pack = packing.Packer.__call__

    def counted(self, index):
        with lock:
            state["now"] += 1
        if index == 0:
            time.sleep(0.3)  # the first holds up the writer while the others could run away
        return pack(self, index)

    def taken(self):
        with lock:
            state["most"] = max(state["most"], state["now"])
            state["now"] -= 1
        return dataclasses.replace(self, record=b"")

    monkeypatch.setattr(packing.Packer, "__call__", counted)
    monkeypatch.setattr(packing.Packed, "without_record", taken)
    data = lists.Catalog({"x": lists.Split("x", items, "test")}, (), 0, False)
    options = dataclasses.replace(EVERY, num_threads=3, num_items_per_thread=4)
    (report,) = serialize.serialize(data, tmp_path / "out", options=options)
    assert report.items == 60 and state["most"] <= 12


def test_fps_and_step_reach_the_metadata(tmp_path, make_video):
    make_video(tmp_path / "v.mp4", 20, rate=20)
    (tmp_path / "data.val").write_text("v.mp4 0\n")
    options = dataclasses.replace(EVERY, fps=10, frame_step=2, image_shape=(12, 16, 3))
    (report,) = serialize.serialize(catalog(tmp_path / "data.val"), tmp_path, options=options)
    metadata = records.read_metadata(report.path)
    assert (report.frames, metadata.fps, metadata.frame_step) == (5, 10, 2)
    assert metadata.frame_shape == metadata.raw_image_shape == (12, 16, 3)
    assert images.decode(examples(report.path)[0]["frames"][0]).shape == (12, 16, 3)


def test_two_items_with_one_id(tmp_path, paint):
    one = lists.Item("same", "a", "array", load=lambda: [paint(0)])
    data = lists.Catalog({"x": lists.Split("x", (one, one), "a test")}, (), 0, False)
    message = told(lambda: serialize.serialize(data, tmp_path / "out", options=EVERY))
    assert "a test: two items with one id. Received: same" in message


def test_a_folder_that_cannot_be_written(folders, tmp_path):
    (tmp_path / "file").write_text("")
    message = told(
        lambda: serialize.serialize(catalog(folders), tmp_path / "file" / "out", options=EVERY)
    )
    assert "records cannot be written" in message and "output_folder" in message


def test_everything_skipped_is_an_error(folders, tmp_path):
    options = with_mode("rand_clips", 100, short_videos="skip")
    message = told(lambda: serialize.serialize(catalog(folders), tmp_path / "o", options=options))
    assert "no item is left to store" in message and "clip0" in message
    assert not (tmp_path / "o").exists()


@pytest.mark.parametrize(
    ("values", "key"),
    [
        ({"num_threads": 0}, "num_threads"),
        ({"num_items_per_thread": 0}, "num_items_per_thread"),
        ({"shards": 0}, "shards"),
        ({"on_error": "ignore"}, "on_error"),
        ({"short_videos": "pad"}, "short_videos"),
    ],
)
def test_bad_options_name_the_key(values, key):
    with pytest.raises(errors.UserError, match=key):
        serialize.StoreOptions(mode=None, **values)


@pytest.mark.parametrize("kind", ["array", "video", "frames"])
def test_threads_give_up_a_long_item_when_there_is_an_error(
    tmp_path, paint, make_video, make_frames, monkeypatch, kind
):
    begun, most = threading.Event(), 400
    path = tmp_path / "long"
    if kind == "video":
        make_video(path.with_suffix(".mp4"), most, height=16, width=16)
    if kind == "frames":
        make_frames(path, most, height=8, width=8)
    frames = [paint(index, height=8, width=8) for index in range(most)]
    long = lists.Item(
        *("long", str(path) + (".mp4" if kind == "video" else ""), kind), load=lambda: frames
    )
    encoded, encode, copy = [], images.jpeg_from_array, images.jpeg_from_file

    def slow(function):
        def slowly(*arguments, **options):
            encoded.append(1)
            begun.set()
            time.sleep(0.01)
            return function(*arguments, **options)

        return slowly

    def fail():
        begun.wait()
        raise errors.UserError("bad", where="x", received="x", expected="y", remedy="Mend it")

    monkeypatch.setattr(images, "jpeg_from_array", slow(encode))
    monkeypatch.setattr(images, "jpeg_from_file", slow(copy))
    bad = lists.Item("bad", "bad", "array", load=fail)
    data = lists.Catalog({"x": lists.Split("x", (bad, long), "test")}, (), 0, False)
    message = told(lambda: serialize.serialize(data, tmp_path / "out", options=EVERY))
    assert "Mend it" in message and 0 < len(encoded) < most / 2
