import dataclasses
import json
import os

import hypothesis
import pytest
from hypothesis import strategies

from lrcn import errors
from lrcn.data import clips, limits, metadata, records

JSON = strategies.recursive(
    strategies.none()
    | strategies.booleans()
    | strategies.integers()
    | strategies.integers(-(2**70), 2**70)
    | strategies.floats()
    | strategies.text(strategies.characters()),
    lambda inner: (
        strategies.lists(inner, max_size=4)
        | strategies.dictionaries(strategies.text(max_size=8), inner, max_size=4)
    ),
    max_leaves=8,
)
PLAIN = strategies.characters(exclude_categories=("Cc", "Cs", "Zl", "Zp"))
NAMES = strategies.text(PLAIN, max_size=12)
SETTINGS = hypothesis.settings(
    max_examples=150,
    deadline=None,
    suppress_health_check=[hypothesis.HealthCheck.function_scoped_fixture],
)


@pytest.fixture
def size(write_records):
    return records.size_path(write_records(shards=2).path)


def values_of(size):
    return json.loads(size.read_text())


@pytest.fixture
def whole(size):
    return values_of(size)


def told(size, values, **options):
    text = values if isinstance(values, str) else json.dumps(values)
    size.write_text(text, errors="surrogatepass")
    with pytest.raises(errors.UserError) as caught:
        metadata.read_metadata(size, **options)
    assert caught.value.where.startswith(str(size))
    return str(caught.value)


@hypothesis.given(JSON)
@SETTINGS
def test_any_json_is_refused_in_one_line(size, value):
    assert "\n" not in told(size, json.dumps(value))


FIELDS = [field.name for field in dataclasses.fields(metadata.Metadata)]


@hypothesis.given(strategies.sampled_from(FIELDS), JSON)
@SETTINGS
def test_any_value_of_any_key_gives_metadata_or_a_user_error(size, whole, key, value):
    size.write_text(json.dumps({**whole, key: value}))
    try:
        found = metadata.read_metadata(size)
    except errors.UserError as error:
        assert error.where.startswith(str(size)) and len(str(error)) < 2000
    else:
        assert isinstance(found, metadata.Metadata)


@strategies.composite
def metadatas(draw):
    items = draw(strategies.integers(0, 4))
    mode = draw(
        strategies.none()
        | strategies.builds(
            clips.ClipMode,
            strategies.sampled_from(["rand_clips", "rand_frames"]),
            strategies.integers(1, 40),
            strategies.integers(1, 9),
            strategies.sampled_from(clips.TAILS),
        )
    )

    def each(kind):
        return tuple(draw(strategies.lists(kind, min_size=items, max_size=items)))

    modality = draw(strategies.sampled_from(["rgb", "flow", "difference"]))
    shape = draw(strategies.none() | strategies.just((24, 32, 3)))
    return metadata.Metadata(
        items=items,
        type=draw(strategies.sampled_from(["image", "video"])),
        frames_per_clip=mode and mode.num_frames_per_clip,
        clips_per_item=None,
        frame_shape=shape,
        num_classes=7,
        multi_label=draw(strategies.booleans()),
        label_names=draw(strategies.just(()) | strategies.tuples(*[NAMES] * 7)),
        clipframe_mode=mode,
        raw_image_shape=shape,
        frame_step=draw(strategies.integers(1, 9)),
        fps=draw(strategies.none() | strategies.floats(0.01, 200)),
        frame_format="jpg",
        short_videos="loop",
        quality=95,
        shuffled=False,
        seed=draw(strategies.integers(0, 2**40)),
        shards=(metadata.Shard("data.train.tfrecord", items, 100_000, "0" * 64),),
        skipped=tuple(draw(strategies.lists(strategies.tuples(NAMES, NAMES), max_size=2))),
        source=metadata.Source(draw(NAMES), "0"),
        ids=tuple(draw(strategies.lists(NAMES, min_size=items, max_size=items, unique=True))),
        groups=each(NAMES),
        labels=each(strategies.lists(strategies.integers(0, 6), max_size=3).map(tuple)),
        frame_counts=each(strategies.integers(0, 500)),
        clip_counts=each(strategies.integers(0, 9)) if mode else (),
        modality=modality,
        flow_method="dis" if modality == "flow" else None,
    )


@hypothesis.given(metadatas())
@SETTINGS
def test_what_is_written_comes_back(tmp_path, written):
    metadata.write_metadata(tmp_path / "data.train", written)
    assert metadata.read_alone(tmp_path / "data.train") == written


@pytest.mark.parametrize(
    "name",
    ["../secret", "/etc/passwd", "..", ".", "", "a/b.tfrecord", "a\\b", "a\nb", "a\0b", 3, None],
)
def test_a_shard_is_a_file_of_the_same_folder(size, name):
    values = values_of(size)
    values["shards"][0]["name"] = name
    assert "bad value of shards" in told(size, values)


def test_a_shard_that_is_a_link_out_of_the_folder_is_refused(size, tmp_path):
    shard = size.with_name(values_of(size)["shards"][0]["name"])
    outside = tmp_path / "outside"
    shard.rename(outside)
    shard.symlink_to(outside)
    with pytest.raises(errors.UserError) as caught:
        metadata.read_metadata(size)
    message = str(caught.value)
    assert "file of the records lies elsewhere" in message and str(outside) in message


def test_records_may_be_links_into_one_folder(size, tmp_path):
    linked = tmp_path / "linked"
    linked.mkdir()
    for file in size.parent.iterdir():
        (linked / file.name).symlink_to(file)
    assert metadata.read_metadata(linked / size.name) == metadata.read_metadata(size)


def test_a_shard_that_is_no_file_is_missing(size):
    shard = size.with_name(values_of(size)["shards"][0]["name"])
    shard.unlink()
    os.mkfifo(shard)
    with pytest.raises(errors.UserError, match="file of the records is missing"):
        metadata.read_metadata(size)


def test_a_size_that_is_no_file_is_not_waited_for(size):
    size.unlink()
    os.mkfifo(size)
    with pytest.raises(errors.UserError, match="metadata cannot be read"):
        metadata.read_metadata(size)


@pytest.mark.parametrize(
    ("key", "value", "message"),
    [
        ("items", -1, "bad value of items"),
        ("items", True, "bad value of items"),
        ("items", 2**80, "bad value of items"),
        ("items", 3.0, "bad value of items"),
        ("type", "audio", "Expected: image | video"),
        ("label_names", ["a\nb", "c", "d"], "bad value of label_names"),
        ("label_names", ["a\u2028b", "c", "d"], "bad value of label_names"),
        ("label_names", ["\x1b[2J", "c", "d"], "bad value of label_names"),
        ("ids", ["a", "a", "b"], "id 'a' twice"),
        ("ids", ["a", "\ud800", "b"], "bad value of ids"),
        ("labels", [[0], [1], [-1]], "bad value of labels"),
        ("labels", [[0], [1], [3]], "label 3 of 'video 2'"),
        ("frame_counts", [6, 8, 2**31 - 1], "2,147,483,661 frames in files of"),
        ("frame_counts", [6, 8, 2**40], "bad value of frame_counts"),
        ("fps", float("nan"), "bad value of fps"),
        ("fps", float("inf"), "bad value of fps"),
        ("fps", 0, "bad value of fps"),
        ("quality", 0, "bad value of quality"),
        ("seed", -1, "bad value of seed"),
        ("frame_shape", [24, 32, 4], "bad value of frame_shape"),
        ("frame_shape", [65000, 65000, 3], "a stored frame is larger than the limit"),
        ("modality", "sound", "bad value of modality"),
        ("modality", "flow", "flow_method None of flow"),
        ("flow_method", "dis", "flow_method dis of rgb"),
        ("clipframe_mode", {"name": "rand_clips"}, "bad value of clipframe_mode"),
        ("source", {"name": "x"}, "bad value of source"),
        ("skipped", [["a"]], "bad value of skipped"),
    ],
)
def test_values_that_cannot_be(size, key, value, message):
    assert message in told(size, {**values_of(size), key: value})


MODE = {"name": "iterative", "num_frames_per_clip": 4, "clip_offset_or_num": 0, "tail": "drop"}


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"_target_": "os.system"}, "bad value of clipframe_mode"),
        ({"name": "all"}, "bad value of clipframe_mode"),
        ({"clip_offset_or_num": -4}, "clipframe_mode.clip_offset_or_num: value out of range"),
        ({"num_frames_per_clip": 5}, "frames_per_clip 4 and clips of 5 frames"),
    ],
)
def test_a_mode_that_cannot_be(size, change, message):
    values = {**values_of(size), "clipframe_mode": MODE, "frames_per_clip": 4}
    size.write_text(json.dumps(values))
    assert metadata.read_metadata(size).clipframe_mode == clips.ClipMode(**MODE)
    assert message in told(size, {**values, "clipframe_mode": {**MODE, **change}})


def test_clips_have_to_fit_into_the_files(size):
    values = {**values_of(size), "clipframe_mode": None, "frames_per_clip": 2**30}
    assert "clips of 3,221,225,472 frames" in told(size, {**values, "clip_counts": [1, 1, 1]})


def test_large_and_deep_json_is_refused(size):
    small = limits.Limits(file_bytes=100)
    assert "limits.file_bytes" in told(size, values_of(size), limits=small)
    assert "metadata cannot be read" in told(size, "[" * 200_000)
    assert "metadata cannot be read" in told(size, '{"format_version": ' + "9" * 5000 + "}")
    assert "another version" in told(size, '{"format_version": true}')
    assert "another version" in told(size, '{"format_version": "' + "x" * 5000 + '"}')


def test_longer_items_than_the_limit(size):
    message = told(size, values_of(size), limits=limits.Limits(frames=7))
    assert "an item is larger than the limit" in message and "limits.frames" in message


def test_all_files_of_records(size):
    stale = size.with_name("data.train.tfrecord-00007-of-00009")
    stale.touch()
    found = metadata.files_of(size)
    assert [file.name for file in found] == [
        "data.train.tfrecord-00000-of-00002",
        "data.train.tfrecord-00001-of-00002",
        stale.name,
    ]
