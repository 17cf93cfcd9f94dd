import pathlib

import pytest

from lrcn import errors
from lrcn.data import flickr
from lrcn.data.limits import Limits

REAL = pathlib.Path(__file__).parents[3] / "shared" / "data" / "flickr8k_mini"
TOKENS = (
    *("a.jpg#0\tA dog runs .", "a.jpg#1\ta brown  dog", "b.jpg#0\ttwo men", "c.jpg#0\ta tree"),
    "spare.jpg#0\t",
)


@pytest.fixture
def files(tmp_path):
    """Arguments for a set of three images, with captions of a fourth that no split names."""
    (tmp_path / "images").mkdir()
    for name in ("a", "b", "c"):
        (tmp_path / "images" / f"{name}.jpg").write_bytes(b"")
    write(tmp_path / "tokens.txt", *TOKENS)
    write(tmp_path / "train.txt", "b.jpg", "", "a.jpg")
    write(tmp_path / "val.txt", "c.jpg")
    return {
        "images": tmp_path / "images",
        "captions": tmp_path / "tokens.txt",
        "train": tmp_path / "train.txt",
        "val": tmp_path / "val.txt",
    }


def write(file, *lines):
    file.write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")


def test_images_have_all_their_captions_in_the_order_of_the_lists(files):
    found = flickr.flickr(**files)
    assert list(found.splits) == ["train", "val"]
    second = found.splits["train"].items[1]
    assert [item.id for item in found.splits["train"].items] == ["b.jpg", "a.jpg"]
    assert second.captions == ("A dog runs .", "a brown dog")
    assert (second.kind, second.labels) == ("image", ())
    assert second.path == str(files["images"] / "a.jpg")
    assert second.where == f"{files['train']}:3"
    assert (found.num_classes, found.label_names, found.multi_label) == (0, (), False)


def test_a_list_that_is_null_leaves_its_split_out(files):
    assert list(flickr.flickr(**{**files, "val": None}).splits) == ["train"]
    with pytest.raises(errors.UserError, match=r"dataset\.train: no split is named"):
        flickr.flickr(files["images"], files["captions"])


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"captions": TOKENS[:3]}, r"val\.txt:1: named without a caption.*c\.jpg"),
        ({"captions": (*TOKENS, "c.jpg#1\t .")}, r"tokens\.txt:6: caption without a word"),
        ({"captions": (*TOKENS, "c.jpg#1\t...")}, r"tokens\.txt:6: caption without a word"),
        ({"captions": (*TOKENS, f"c.jpg#1\t{'a ' * 10_000}")}, r"tokens\.txt:6:.*10000 words"),
        ({"captions": (*TOKENS, "a.jpg#1\ta cat")}, r"tokens\.txt:6: two captions of one number"),
        ({"captions": (*TOKENS, "a cat")}, r"tokens\.txt:6: line without a caption"),
        ({"train": ("a.jpg", "d.jpg")}, r"train\.txt:2: no such image.*Correct dataset\.images"),
        ({"train": ("a.jpg", "a.jpg")}, r"train\.txt:2: named twice in train"),
        (
            {"train": ("a.jpg", "./a.jpg"), "captions": (*TOKENS, "./a.jpg#0\ta dog")},
            r"train\.txt:2: named twice in train.*\./a\.jpg, also at .*train\.txt:1",
        ),
        ({"val": ("c.jpg", "a.jpg")}, r"val\.txt:2: named in two splits.*train\.txt:3, in train"),
        ({"val": ("", "# none")}, r"names no item.*val"),
    ],
)
def test_mistakes_name_their_line(files, change, message):
    for key, lines in change.items():
        write(files[key], *lines)
    with pytest.raises(errors.UserError, match=message):
        flickr.flickr(**files)


def test_bad_items_can_be_kept_with_their_problems(files):
    write(files["val"], "c.jpg", "d.jpg", "a.jpg")
    with pytest.raises(errors.UserError, match="1 more of this kind"):
        flickr.flickr(**files)
    items = flickr.flickr(**files, on_error="keep").splits["val"].items
    assert [bool(item.problem) for item in items] == [False, True, True]
    assert [item.where for item in items] == [f"{files['val']}:{line}" for line in (1, 2, 3)]


@pytest.mark.parametrize("key", ["captions", "train"])
def test_text_that_is_not_utf8_is_told_with_its_line(files, key):
    files[key].write_bytes(b"a.jpg\ta dog\n" + b"b.jpg\tcaf\xe9\n")
    with pytest.raises(errors.UserError, match=rf"{files[key].name}:2: line is not UTF-8"):
        flickr.flickr(**files)


def test_missing_files_and_folders_are_told(files, tmp_path):
    for key in ("captions", "train"):
        with pytest.raises(errors.UserError, match="none: no such text file"):
            flickr.flickr(**{**files, key: tmp_path / "none"})
    with pytest.raises(errors.UserError, match=r"dataset\.images: no such folder"):
        flickr.flickr(**{**files, "images": tmp_path / "none"})


@pytest.mark.real
def test_the_small_part_of_flickr8k():
    if not REAL.is_dir():
        pytest.skip(f"{REAL} is absent")
    found = flickr.flickr(
        REAL / "images",
        REAL / "Flickr8k.token.txt",
        train=REAL / "train_images.txt",
        val=REAL / "dev_images.txt",
    )
    assert {name: len(split.items) for name, split in found.splits.items()} == {
        "train": 753,
        "val": 113,
    }
    for split in found.splits.values():
        assert {len(item.captions) for item in split.items} == {5}


@pytest.mark.parametrize("name", ["../a.jpg", "/a.jpg"])
def test_names_that_lead_out_of_the_folder(tmp_path, name):
    (tmp_path / "images").mkdir()
    (tmp_path / "a.jpg").write_bytes(b"")
    (tmp_path / "tokens").write_text(f"{name}#0\ta dog\n")
    (tmp_path / "names").write_text(f"{name}\n")
    given = {"captions": tmp_path / "tokens", "train": tmp_path / "names"}
    with pytest.raises(errors.UserError, match="names:1: name leads out of its folder"):
        flickr.flickr(tmp_path / "images", **given)


def test_limits_of_captions(tmp_path):
    (tmp_path / "a.jpg").write_bytes(b"")
    (tmp_path / "tokens").write_text("a.jpg#0\ta dog\n")
    (tmp_path / "names").write_text("a.jpg\n")
    given = {"captions": tmp_path / "tokens", "train": tmp_path / "names"}
    for key, value in (("line_bytes", 13), ("file_bytes", 13), ("caption_words", 1)):
        with pytest.raises(errors.UserError, match=rf"tokens.*limits\.{key}"):
            flickr.flickr(tmp_path, **given, limits=Limits(**{key: value}))
        assert flickr.flickr(tmp_path, **given, limits=Limits(**{key: value + 1}))
