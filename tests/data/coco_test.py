import json
import pathlib

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lrcn import errors
from lrcn.data import coco, lines
from lrcn.data.limits import Limits


def content(*numbers, captions=2):
    """Annotations of images by number; caption ids are unique over all files."""
    return {
        "images": [{"id": number, "file_name": f"{number:03d}.jpg"} for number in numbers],
        "annotations": [
            {"id": 10 * number + k, "image_id": number, "caption": f"dog {number}\nof {k}."}
            for k in range(captions)
            for number in numbers
        ],
    }


def write(file, values):
    file.write_text(json.dumps(values), encoding="utf-8")
    return file


@pytest.fixture
def official(tmp_path):
    """Images 1 to 3 of train and 4 to 6 of val, each in a folder of their own."""
    for split, numbers in (("train", (1, 2, 3)), ("val", (4, 5, 6))):
        (tmp_path / split).mkdir()
        for number in numbers:
            (tmp_path / split / f"{number:03d}.jpg").write_bytes(b"")
        write(tmp_path / f"{split}.json", content(*numbers))
    return {
        "images": {split: tmp_path / split for split in ("train", "val")},
        "annotations": {split: tmp_path / f"{split}.json" for split in ("train", "val")},
    }


@pytest.fixture
def alone(official, tmp_path):
    """Train alone, with a list of ids of its images."""
    (tmp_path / "ids.txt").write_text("1\n2\n")
    return {
        "images": official["images"]["train"],
        "annotations": official["annotations"]["train"],
        "ids": {"train": tmp_path / "ids.txt"},
    }


def members(found):
    return {name: [item.id for item in split.items] for name, split in found.splits.items()}


def test_a_split_holds_all_images_of_its_annotations(official):
    found = coco.coco(**official)
    assert members(found) == {"train": ["1", "2", "3"], "val": ["4", "5", "6"]}
    item = found.splits["val"].items[0]
    assert item.captions == ("dog 4 of 0.", "dog 4 of 1.")
    assert item.path == str(official["images"]["val"] / "004.jpg")
    assert (item.kind, item.labels, found.num_classes) == ("image", (), 0)
    assert item.where == f"{official['annotations']['val']}: images[0]"


def test_lists_of_ids_share_out_the_annotations_anew(official, tmp_path):
    lists = {"train": "1\n2\n6\n", "val": "4\n", "test": "005.jpg\n"}
    ids = {split: tmp_path / f"{split}.txt" for split in lists}
    for split, file in ids.items():
        file.write_text(lists[split])
    found = coco.coco(**official, ids=ids)
    assert members(found) == {"train": ["1", "2", "6"], "val": ["4"], "test": ["5"]}
    assert pathlib.Path(found.splits["train"].items[2].path).parent.name == "val"
    del ids["train"]
    assert members(coco.coco(**official, ids=ids))["train"] == ["1", "2", "3"]


def test_one_file_of_annotations_needs_lists_of_ids(alone):
    assert members(coco.coco(**alone)) == {"train": ["1", "2"]}
    with pytest.raises(errors.UserError, match=r"dataset\.ids: no split is named") as caught:
        coco.coco(**{**alone, "ids": None})
    for way in ("ids={train: FILE, val: FILE}", "annotations={train: TRAIN.json, val: VAL.json}"):
        assert f"'dataset.{way}'" in str(caught.value)


def image(values, number=0, **changes):
    values["images"][number].update(changes)


def annotation(values, number=0, **changes):
    values["annotations"][number].update(changes)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda v: v.pop("images"), r"train\.json: annotations without a list of images"),
        (lambda v: v.pop("annotations"), "without a list of annotations. Received: images"),
        (lambda v: image(v, 1, id=1), r"images\[1\]: id stands twice.*images\[0\]"),
        (lambda v: image(v, 1, id=True), r"images\[1\]: no id"),
        (lambda v: image(v, file_name=None), r"images\[0\]: image without file_name"),
        (lambda v: annotation(v, 1, id=10), r"annotations\[1\]: id stands twice"),
        (lambda v: annotation(v, 1, image_id=9), r"annotations\[1\]: .*unknown image.*image_id 9"),
        (lambda v: annotation(v, 1, image_id=[1]), r"annotations\[1\]: no image_id"),
        (lambda v: annotation(v, caption=None), r"annotations\[0\]: annotation without a caption"),
        (lambda v: annotation(v, caption=" . "), r"annotations\[0\]: caption without a word"),
        (lambda v: annotation(v, caption="..."), r"annotations\[0\]: caption without a word"),
        (lambda v: annotation(v, caption="a " * 10_000), r"annotations\[0\]: .*10000 words"),
        (lambda v: annotation(v, caption="\ud800"), r"annotations\[0\]: .*(word|character)"),
        (lambda v: image(v, file_name="no.jpg"), "no such image"),
        (lambda v: v["annotations"].clear(), r"ids\.txt:1: named without a caption.*1 more"),
    ],
)
def test_mistakes_in_annotations_name_their_place(alone, change, message):
    values = content(1, 2, 3)
    change(values)
    write(alone["annotations"], values)
    with pytest.raises(errors.UserError, match=message):
        coco.coco(**alone)


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b'{"images": [],\n"annotations"}', r"train\.json:2: not JSON"),
        (b'{"images":\n\n"caf\xe9"}', r"train\.json:3: not UTF-8"),
        (b"[1]", r"annotations without a list of images. Received: list"),
        (b"[" * 100_000, r"train\.json: not JSON of this kind"),
    ],
)
def test_a_file_that_is_no_json_is_told(alone, data, message):
    alone["annotations"].write_bytes(data)
    with pytest.raises(errors.UserError, match=message):
        coco.coco(**alone)


@pytest.fixture
def alike(official):
    """Own files for each split, both of which number from 1."""
    values = content(1, 2)
    image(values, 0, file_name="004.jpg")
    image(values, 1, file_name="005.jpg")
    write(official["annotations"]["val"], values)
    return official


def test_files_of_two_splits_may_number_their_images_alike(alike):
    found = coco.coco(**alike)
    assert members(found) == {"train": ["1", "2", "3"], "val": ["1", "2"]}
    names = [pathlib.Path(item.path).name for item in found.splits["val"].items]
    assert names == ["004.jpg", "005.jpg"]
    assert found.splits["val"].items[0].captions == ("dog 1 of 0.", "dog 1 of 1.")


def test_a_list_names_an_image_whose_id_stands_in_two_files_by_its_file(alike, tmp_path):
    ids = {"test": tmp_path / "test.txt"}
    ids["test"].write_text("1\n")
    of_both = r"test\.txt:1: several.*001\.jpg \(.*train\.json: .*004\.jpg \(.*val\.json: "
    with pytest.raises(errors.UserError, match=of_both):
        coco.coco(**alike, ids=ids)
    ids = {"train": ids["test"], "val": tmp_path / "val.txt"}
    ids["train"].write_text("004.jpg\n")
    ids["val"].write_text("001.jpg\n")
    assert members(coco.coco(**alike, ids=ids)) == {"train": ["1"], "val": ["1"]}


def test_one_file_under_two_ids_is_refused(official):
    values = content(1, 2)
    image(values, 1, file_name="./001.jpg")
    write(official["annotations"]["train"], values)
    with pytest.raises(errors.UserError, match=r"images\[1\]: named twice in train.*images\[0\]"):
        coco.coco(**official)
    write(official["annotations"]["train"], content(1))
    values = content(7)
    image(values, file_name="./001.jpg")
    write(official["annotations"]["val"], values)
    both = {**official, "images": official["images"]["train"]}
    with pytest.raises(errors.UserError, match=r"val\.json: images\[0\]: named in two splits"):
        coco.coco(**both)


@pytest.mark.parametrize(
    ("lines", "message"),
    [
        ("1\n9\n", r"ids\.txt:2: the annotations do not know this image"),
        ("1\n001.jpg\n", r"ids\.txt:2: named twice in train"),
    ],
)
def test_mistakes_in_lists_of_ids_name_their_line(alone, lines, message):
    alone["ids"]["train"].write_text(lines)
    with pytest.raises(errors.UserError, match=message):
        coco.coco(**alone)


@pytest.fixture
def parted(alone, tmp_path):
    """Images whose file names hold folders: two of one basename, and one that is unique."""
    names = {1: "train/1.jpg", 2: "val/1.jpg", 3: "val/2.jpg"}
    values = content(*names)
    for index, name in enumerate(names.values()):
        image(values, index, file_name=name)
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_bytes(b"")
    write(alone["annotations"], values)
    return {**alone, "images": tmp_path}


@pytest.mark.parametrize(
    ("lines", "ids"),
    [
        ("val/1.jpg\ntrain/1.jpg\n", ["2", "1"]),
        ("2.jpg\n2\n", ["3", "2"]),
        ("val/2.jpg\n", ["3"]),
    ],
)
def test_lists_may_hold_file_names_with_or_without_folders(parted, lines, ids):
    parted["ids"]["train"].write_text(lines)
    assert members(coco.coco(**parted)) == {"train": ids}


def test_a_whole_file_name_goes_before_a_basename(parted):
    values = json.loads(parted["annotations"].read_text())
    image(values, 0, file_name="1.jpg")
    write(parted["annotations"], values)
    (parted["images"] / "1.jpg").write_bytes(b"")
    parted["ids"]["train"].write_text("1.jpg\n")
    assert members(coco.coco(**parted)) == {"train": ["1"]}


def test_a_name_of_two_images_is_refused(parted, official, tmp_path):
    parted["ids"]["train"].write_text("val/2.jpg\n1.jpg\n")
    several = r"ids\.txt:2: several images have this name.*train/1\.jpg \(id 1\) or val/1\.jpg"
    with pytest.raises(errors.UserError, match=several):
        coco.coco(**parted)
    kept = coco.coco(**parted, on_error="keep").splits["train"].items
    assert [bool(item.problem) for item in kept] == [False, True]
    values = content(4, 5)
    image(values, file_name="001.jpg")  # as an image of train is called, in another folder
    write(official["annotations"]["val"], values)
    write(official["annotations"]["train"], content(1))
    parted["ids"]["train"].write_text("001.jpg\n")
    with pytest.raises(errors.UserError, match=r"ids\.txt:1: several images.*id 1.*id 4"):
        coco.coco(**official, ids=parted["ids"])


def test_an_image_of_two_splits_is_refused(alone):
    ids = {**alone["ids"], "val": alone["ids"]["train"]}
    with pytest.raises(errors.UserError, match="named in two splits"):
        coco.coco(**{**alone, "ids": ids})


def test_keys_that_do_not_fit_are_named(official, alone, tmp_path):
    with pytest.raises(errors.UserError, match=r"dataset\.annotations: no such split.*dev"):
        coco.coco(alone["images"], {"dev": alone["annotations"]})
    with pytest.raises(errors.UserError, match=r"dataset\.ids: no such split.*dev"):
        coco.coco(**official, ids={"dev": tmp_path / "ids.txt"})
    with pytest.raises(errors.UserError, match=r"dataset\.images: folders of other splits"):
        coco.coco({"train": tmp_path}, official["annotations"])
    with pytest.raises(errors.UserError, match=r"dataset\.images\.val: no such folder"):
        coco.coco({**official["images"], "val": tmp_path / "none"}, official["annotations"])
    with pytest.raises(errors.UserError, match="none: captions cannot be read.*: no such file"):
        coco.coco(**{**alone, "annotations": tmp_path / "none"})


KEYS = ["images", "annotations", "id", "image_id", "file_name", "caption"]

values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.sampled_from(KEYS) | st.text(max_size=4), inner, max_size=4)
    ),
    max_leaves=12,
)

ids = st.integers(0, 3) | st.sampled_from(["1", "a", "\ud800", "\x1b]0;x\x07", 10**400]) | values
names = (
    st.sampled_from(["001.jpg", "../001.jpg", "/001.jpg", "a\0b.jpg", "\ud800", "a\n.jpg"]) | values
)
near = st.fixed_dictionaries(
    {
        "images": st.lists(st.fixed_dictionaries({"id": ids, "file_name": names}), max_size=3),
        "annotations": st.lists(
            st.fixed_dictionaries({"image_id": ids, "caption": st.text(max_size=9) | values}),
            max_size=3,
        ),
    }
)


@settings(deadline=None, max_examples=150)
@given(near | values)
def test_any_json_is_items_of_the_folder_or_errors(tmp_path_factory, value):
    folder = tmp_path_factory.mktemp("any")
    (folder / "001.jpg").write_bytes(b"")
    file = write(folder / "any.json", value)
    try:
        found = coco.coco(folder, {"train": file}, on_error="keep")
    except errors.UserError as error:
        assert str(file) in error.where and lines.is_name(str(error))
        return
    for item in found.splits["train"].items:
        if item.problem is None:
            assert pathlib.Path(item.path) == folder / "001.jpg" and item.captions
        else:
            assert str(file) in item.problem.where and lines.is_name(str(item.problem))


@pytest.mark.parametrize("name", ["../a.jpg", "/etc/a.jpg", "b/../../a.jpg", "b/.."])
def test_names_that_lead_out_of_the_folder(official, name):
    values = content(1, 2)
    image(values, 1, file_name=name)
    write(official["annotations"]["train"], values)
    with pytest.raises(errors.UserError) as caught:
        coco.coco(**official)
    assert "train.json: images[1]: name leads out of its folder" in str(caught.value)
    assert "a name below dataset.images" in str(caught.value)
    kept = coco.coco(**official, on_error="keep").splits["train"].items
    assert [item.problem is None for item in kept] == [True, False] and not kept[1].path


@pytest.mark.parametrize(
    "name", ["a\0.jpg", "\ud800.jpg", "a\n.jpg", "\x1b]0;x\x07.jpg", "\u202e.jpg"]
)
def test_names_with_characters_of_no_name(official, name):
    values = content(1)
    image(values, file_name=name)
    write(official["annotations"]["train"], values)
    with pytest.raises(errors.UserError, match="no name of a file should have") as caught:
        coco.coco(**official)
    assert lines.is_name(str(caught.value))


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        (b"[" * 100_000, "lists or objects within each other"),
        (b'{"images": [{"id": ' + b"9" * 5000 + b"}]}", "a number of thousands of digits"),
        (b'{"images": [], "images": [], "annotations": []}', "key 'images' twice"),
        (b'{"images": [{"id": NaN}]}', "NaN, which is no number"),
    ],
)
def test_json_beyond_what_is_read(official, text, reason):
    official["annotations"]["train"].write_bytes(text)
    with pytest.raises(errors.UserError, match="not JSON of this kind") as caught:
        coco.coco(**official)
    assert reason in str(caught.value) and "train.json" in str(caught.value)


def test_limits_of_annotations(official):
    size = official["annotations"]["train"].stat().st_size
    with pytest.raises(errors.UserError, match=r"file of captions is larger.*limits\.file_bytes"):
        coco.coco(**official, limits=Limits(file_bytes=size - 1))
    with pytest.raises(errors.UserError, match=r"annotations\[0\]: .*limits\.caption_words"):
        coco.coco(**official, limits=Limits(caption_words=3))
