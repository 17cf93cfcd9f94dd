import json
import pathlib

import pytest

from lrcn import errors
from lrcn.data import msvd

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
