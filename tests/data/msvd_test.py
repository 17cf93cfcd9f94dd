import json
import pathlib

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lrcn import errors
from lrcn.data import lines, msvd
from lrcn.data.limits import Limits

REAL = pathlib.Path(__file__).parents[3] / "shared" / "data" / "msvd_mini"
CLIPS = [
    {"file": "a-_b_1_10.mp4", "split": "train", "captions": ["a man runs", "he runs"]},
    {"file": "a-_b_20_31.mp4", "split": "train", "captions": ["a man falls"]},
    {"file": "c_0_5.avi", "split": "test", "captions": ["a cat"]},
]


@pytest.fixture
def videos(tmp_path):
    folder = tmp_path / "videos"
    folder.mkdir()
    for clip in CLIPS:
        (folder / clip["file"]).write_bytes(b"")
    return folder


@pytest.fixture
def captions(tmp_path):
    """The file of captions, and a function that writes it with one clip changed."""
    file = tmp_path / "captions.json"

    def write(number=0, **changes):
        clips = [dict(clip) for clip in CLIPS]
        clips[number].update(changes)
        file.write_text(json.dumps(clips))
        return file

    write()
    return write


@pytest.fixture
def sentences(tmp_path):
    """Sentences of two splits, with the mapping."""
    (tmp_path / "train.txt").write_text("vid1\ta man runs\nvid2\ta man falls\nvid1\the runs\n")
    (tmp_path / "test.txt").write_text("vid3\ta cat\n")
    (tmp_path / "mapping.txt").write_text("a-_b_1_10 vid1\na-_b_20_31 vid2\nvid3 c_0_5.avi\n")
    files = {split: tmp_path / f"{split}.txt" for split in ("train", "test")}
    return {"captions": files, "mapping": tmp_path / "mapping.txt"}


def test_clips_of_one_video_are_one_group(videos, captions):
    found = msvd.msvd(videos, captions())
    assert {name: len(split.items) for name, split in found.splits.items()} == {
        "train": 2,
        "test": 1,
    }
    first, second = found.splits["train"].items
    assert first.captions == ("a man runs", "he runs")
    assert (first.id, first.kind, first.labels) == ("a-_b_1_10.mp4", "video", ())
    assert first.group == second.group == "a-_b"
    assert found.splits["test"].items[0].group == "c"
    assert first.where.endswith("captions.json: [0].file")


def test_sentences_are_read_with_a_mapping(videos, captions, sentences):
    read, expected = msvd.msvd(videos, **sentences), msvd.msvd(videos, captions())
    for split in ("train", "test"):
        for item, other in zip(read.splits[split].items, expected.splits[split].items, strict=True):
            assert (item.id, item.path, item.group) == (other.id, other.path, other.group)
            assert item.captions == other.captions


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"file": None}, r"captions\.json: \[0\]\.file: no captions of clips. Received: nothing"),
        ({"split": "dev"}, r"\[0\]\.split: .*Received: 'dev'.*train, val, test"),
        ({"captions": "a man"}, r"\[0\]\.captions: "),
        ({"captions": ["a man", 3]}, r"\[0\]\.captions: "),
        ({"captions": []}, r"\[0\]\.file: named without a caption"),
        ({"captions": ["a man", "."]}, r"\[0\]\.captions\[1\]: caption without a word"),
        ({"captions": ["a man", "..."]}, r"\[0\]\.captions\[1\]: caption without a word"),
        ({"captions": ["a " * 10_000]}, r"\[0\]\.captions\[0\]: .*10000 words"),
        ({"file": "none_1_2.mp4"}, r"\[0\]\.file: no such .*Correct dataset\.videos"),
        ({"file": "a-_b_20_31.mp4"}, r"\[1\]\.file: named twice in train"),
        ({"file": "c_0_5.avi"}, r"\[2\]\.file: named in two splits"),
    ],
)
def test_mistakes_in_captions_name_their_place(videos, captions, changes, message):
    with pytest.raises(errors.UserError, match=message):
        msvd.msvd(videos, captions(**changes))


@pytest.mark.parametrize("text", ["{}", "[]", "[3]", "[", "3"])
def test_another_json_is_refused(videos, tmp_path, text):
    (tmp_path / "other.json").write_text(text)
    with pytest.raises(errors.UserError, match=r"other\.json:.*(no captions of clips|not JSON)"):
        msvd.msvd(videos, tmp_path / "other.json")


@pytest.mark.parametrize(
    ("name", "lines", "message"),
    [
        ("test.txt", "vid9\ta cat\n", r"test\.txt:1: video without a name.*vid9"),
        ("test.txt", "vid3 a cat\n", r"test\.txt:1: line without a caption"),
        ("test.txt", "vid3\t\n", r"test\.txt:1: caption without a word"),
        ("test.txt", "vid1\ta cat\n", r"test\.txt:1: named in two splits"),
        ("mapping.txt", "a vid1\nb vid1\n", r"mapping\.txt:2: no line of a mapping"),
        ("mapping.txt", "a b\n", r"mapping\.txt:1: no line of a mapping"),
        ("mapping.txt", "x_1_2 vid1\n", r"train\.txt:1: no such image, video"),
    ],
)
def test_mistakes_in_sentences_name_their_line(videos, sentences, tmp_path, name, lines, message):
    (tmp_path / name).write_text(lines)
    with pytest.raises(errors.UserError, match=message):
        msvd.msvd(videos, **sentences)


def test_keys_that_do_not_fit_are_named(videos, captions, sentences, tmp_path):
    with pytest.raises(errors.UserError, match=r"dataset\.mapping: sentences tell numbers"):
        msvd.msvd(videos, sentences["captions"])
    with pytest.raises(errors.UserError, match=r"dataset\.mapping: the JSON of captions needs no"):
        msvd.msvd(videos, captions(), mapping=sentences["mapping"])
    with pytest.raises(errors.UserError, match=r"dataset\.captions: no such split"):
        msvd.msvd(videos, {"dev": tmp_path / "test.txt"}, mapping=sentences["mapping"])
    with pytest.raises(errors.UserError, match=r"dataset\.videos: no such folder"):
        msvd.msvd(tmp_path / "none", captions())


@pytest.mark.real
def test_the_small_part_of_msvd():
    if not REAL.is_dir():
        pytest.skip(f"{REAL} is absent")
    found = msvd.msvd(REAL / "videos", REAL / "captions.json")
    items = {name: split.items for name, split in found.splits.items()}
    assert {name: len(some) for name, some in items.items()} == {"train": 57, "val": 6}
    assert sum(len(item.captions) for some in items.values() for item in some) == 2566
    groups = {name: {item.group for item in some} for name, some in items.items()}
    assert len(groups["train"] | groups["val"]) == 60
    assert not groups["train"] & groups["val"]


KEYS = ["file", "split", "captions"]

values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.sampled_from(KEYS) | st.text(max_size=4), inner, max_size=4)
    ),
    max_leaves=12,
)

near = st.lists(
    st.fixed_dictionaries(
        {
            "file": st.sampled_from(["a.mp4", "../a.mp4", "/a.mp4", "\ud800"]) | values,
            "split": st.sampled_from(["train", "val", "test", "all"]) | values,
            "captions": st.lists(st.text(max_size=9), max_size=3) | values,
        }
    ),
    max_size=3,
)


@settings(deadline=None, max_examples=150)
@given(near | values)
def test_any_json_is_items_of_the_folder_or_errors(tmp_path_factory, value):
    folder = tmp_path_factory.mktemp("any")
    (folder / "a.mp4").write_bytes(b"")
    file = folder / "any.json"
    file.write_text(json.dumps(value))
    try:
        found = msvd.msvd(folder, file, on_error="keep")
    except errors.UserError as error:
        assert str(file) in error.where and lines.is_name(str(error))
        return
    for split in found.splits.values():
        for item in split.items:
            if item.problem is None:
                assert pathlib.Path(item.path) == folder / "a.mp4" and item.captions
            else:
                assert str(file) in item.problem.where and lines.is_name(str(item.problem))


@pytest.mark.parametrize("name", ["../c_0_5.avi", "/c_0_5.avi"])
def test_names_that_lead_out_of_the_folder(videos, captions, tmp_path, name):
    with pytest.raises(errors.UserError, match="name leads out of its folder.*dataset.videos"):
        msvd.msvd(videos, captions(2, file=name))
    (tmp_path / "sentences").write_text("vid1\ta cat\n")
    (tmp_path / "mapping").write_text(f"{name} vid1\n")
    with pytest.raises(errors.UserError, match="sentences:1: name leads out of its folder"):
        msvd.msvd(videos, {"train": tmp_path / "sentences"}, mapping=tmp_path / "mapping")


def test_limits_of_captions(videos, captions, tmp_path):
    file = captions()
    with pytest.raises(errors.UserError, match=r"limits\.file_bytes"):
        msvd.msvd(videos, file, limits=Limits(file_bytes=10))
    with pytest.raises(errors.UserError, match=r"captions\[0\]: .*limits\.caption_words"):
        msvd.msvd(videos, file, limits=Limits(caption_words=2))
    (tmp_path / "sentences").write_text("vid1\ta cat\n")
    (tmp_path / "mapping").write_text("c_0_5 vid1\n")
    given = {"captions": {"train": tmp_path / "sentences"}, "mapping": tmp_path / "mapping"}
    assert msvd.msvd(videos, **given, limits=Limits(line_bytes=11)).splits["train"].items
    for most in (10, 11):
        (tmp_path / "sentences").write_text("vid1\ta cat" + "\n" * (most == 10) + "s" * (most - 10))
        with pytest.raises(errors.UserError, match=r"limits\.line_bytes"):
            msvd.msvd(videos, **given, limits=Limits(line_bytes=10))
