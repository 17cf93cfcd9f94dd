import dataclasses

import av
import numpy as np
import PIL.Image

from lrcn.data import catalog, check, modality, shapes
from lrcn.data import lists as list_files


def write_image(path, value=0):
    path.parent.mkdir(parents=True, exist_ok=True)
    grain = np.random.default_rng(value).integers(0, 256, [32, 40, 3], dtype=np.uint8)
    PIL.Image.fromarray(grain).save(path)
    return path


def write_video(path, value=0, frames=12):
    rng = np.random.default_rng(value)
    path.parent.mkdir(parents=True, exist_ok=True)
    with av.open(str(path), "w") as container:
        stream = container.add_stream("mpeg4", rate=10)
        stream.width, stream.height, stream.pix_fmt = 48, 32, "yuv420p"
        for _ in range(frames):
            picture = rng.integers(0, 256, [32, 48, 3], dtype=np.uint8)
            container.mux(stream.encode(av.VideoFrame.from_ndarray(picture, format="rgb24")))
        container.mux(stream.encode())
    return path


def cut(path, share=0.6):
    data = path.read_bytes()
    path.write_bytes(data[: int(len(data) * share)])
    return path


def write_list(folder, name, *lines):
    file = folder / name
    file.write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")
    return file


def items_of(**paths):
    """A catalog of one split per keyword, of images."""
    splits = {
        split: list_files.Split(
            split,
            tuple(
                list_files.Item(path.name, str(path), "image", (0,), where=f"{split}:{n}")
                for n, path in enumerate(some, start=1)
            ),
            split,
        )
        for split, some in paths.items()
    }
    return list_files.Catalog(splits, (), 1, False)


def test_all_faulty_lines_of_all_lists_are_found(tmp_path):
    write_image(tmp_path / "a.jpg")
    write_image(tmp_path / "b.jpg", 1)
    train = write_list(tmp_path, "data.train", "a.jpg 0", "gone.jpg 1", "b.jpg", "a.jpg x")
    test = write_list(tmp_path, "data.test", "b.jpg 0", "lost.jpg 1")
    findings, found = check.lists([train, test, tmp_path / "data.none"])
    places = [finding.where.rpartition("/")[2] for finding in findings]
    assert sorted(places) == [
        "data.none",
        "data.test:2",
        "data.train:2",
        "data.train:3",
        "data.train:4",
    ]
    ids = {name: [item.id for item in split.items] for name, split in found.splits.items()}
    assert ids == {"data.train": ["a.jpg"], "data.test": ["b.jpg"]}


def test_a_missing_file_of_labels_is_one_finding(tmp_path):
    write_image(tmp_path / "a.jpg")
    train = write_list(tmp_path, "data.train", "a.jpg 0")
    findings, found = check.lists(train, labels=tmp_path / "names.txt")
    assert [finding.where for finding in findings] == [str(tmp_path / "names.txt")]
    assert found.num_classes == 1


def test_lists_of_one_name_are_a_finding_and_both_are_read(tmp_path):
    files = []
    for folder in (tmp_path / "a", tmp_path / "b"):
        write_image(folder / "1.jpg")
        files.append(write_list(folder, "data", "1.jpg 0"))
    found, read = check.lists(files)
    assert [finding.what for finding in found] == ["two lists of one name"]
    assert [len(split.items) for split in read.splits.values()] == [1, 1]


def test_faultless_media_have_no_findings(tmp_path):
    write_image(tmp_path / "a.jpg")
    write_image(tmp_path / "b.png", 1)
    write_image(tmp_path / "film" / "1.jpg", 2)
    write_video(tmp_path / "c.mp4", 3)
    file = write_list(tmp_path, "data.train", "a.jpg 0", "b.png 0", "film 1", "c.mp4 1")
    assert check.media(catalog.lists(file)) == []


def test_every_broken_file_is_found_and_nothing_else(tmp_path):
    write_image(tmp_path / "good.jpg")
    cut(write_image(tmp_path / "cut.jpg", 1))
    cut(write_image(tmp_path / "cut.png", 2))
    (tmp_path / "empty.jpg").write_bytes(b"")
    (tmp_path / "text.jpg").write_text("no picture")
    write_video(tmp_path / "good.mp4", 3)
    cut(write_video(tmp_path / "cut.avi", 4))
    cut(write_video(tmp_path / "cut.mp4", 5))
    for number in (1, 2, 4):
        write_image(tmp_path / "gap" / f"{number}.jpg", number)
    for number in (1, 2, 3):
        write_image(tmp_path / "film" / f"{number}.jpg", number + 4)
    cut(tmp_path / "film" / "2.jpg")
    (tmp_path / "nothing").mkdir()
    names = sorted(path.name for path in tmp_path.iterdir())
    before = {path: path.read_bytes() for path in tmp_path.rglob("*.*") if path.is_file()}
    file = write_list(tmp_path, "data.train", *(f"{name} 0" for name in names))
    findings = check.media(catalog.lists(file))
    broken = [
        names[int(finding.where.split("data.train:")[1].split(":")[0]) - 1] for finding in findings
    ]
    assert sorted(broken) == [name for name in names if not name.startswith("good")]
    assert all(finding.what for finding in findings)
    assert before == {path: path.read_bytes() for path in before}


def test_what_has_one_frame_is_found_where_motion_is_wanted(tmp_path):
    write_video(tmp_path / "one.mp4", 1, frames=1)
    write_video(tmp_path / "two.mp4", 2, frames=2)
    write_image(tmp_path / "folder" / "1.jpg", 3)
    write_image(tmp_path / "still.jpg", 4)
    lines = ["one.mp4 0", "two.mp4 0", "folder 0", "still.jpg 0"]
    one = catalog.lists(write_list(tmp_path, "a.train", *lines))
    assert check.media(one) == []
    found = check.media(one, modality=modality.Modality("flow"))
    assert [(own.where.split(":")[1], own.what) for own in found] == [
        (number, "one frame shows no motion") for number in "134"
    ]


def test_problems_of_lines_are_kept(tmp_path):
    write_image(tmp_path / "a.jpg")
    file = write_list(tmp_path, "data.train", "a.jpg 0", "gone.jpg 1")
    (finding,) = check.media(catalog.lists(file, on_error="keep"))
    assert "data.train:2" in finding.where


def test_rendered_items_are_checked_too():
    assert check.media(shapes.moving_shapes(train=3, val=2, test=2, size=24, num_frames=3)) == []
    item = list_files.Item("x", "x", "array", (0,), load=lambda: [np.zeros([4, 4], np.uint8)])
    split = list_files.Split("train", (item,), "")
    (finding,) = check.media(list_files.Catalog({"train": split}, (), 1, False))
    assert finding.received == "uint8 [4, 4]"


def test_one_file_in_two_splits_is_found_under_any_name(tmp_path):
    first, other = write_image(tmp_path / "a.png"), write_image(tmp_path / "b.png", 1)
    detour = tmp_path / "folder" / ".." / "a.png"
    (tmp_path / "folder").mkdir()
    (finding,) = check.media(items_of(train=[first, other], test=[detour]))
    assert (finding.where, finding.what) == ("test:1", "same file in two splits")
    assert "train (train:1)" in finding.received


def test_one_file_under_two_spellings_is_found(tmp_path):
    for number, name in enumerate("ab"):
        write_image(tmp_path / f"{name}.jpg", number)
    train = write_list(tmp_path, "data.train", "a.jpg 0", "b.jpg 1", "./a.jpg 0")
    test = write_list(tmp_path, "data.test", f"{tmp_path}/./b.jpg 1")
    found, read = check.lists([train, test])
    (twice,), (leaked,) = found, check.media(read)
    assert (twice.where, twice.what) == (f"{train}:3", "two items with one id")
    assert f"{train}:1" in twice.remedy
    assert (leaked.where, leaked.what) == (f"{test}:1", "same file in two splits")
    assert f"data.train ({train}:2)" in leaked.received


def test_one_content_in_two_splits_is_found(tmp_path):
    first, other = write_image(tmp_path / "a.png"), write_image(tmp_path / "b.png", 1)
    copy = tmp_path / "copy.png"
    copy.write_bytes(first.read_bytes())
    (finding,) = check.media(items_of(train=[first, other], val=[copy]))
    assert (finding.where, finding.what) == ("val:1", "same content in two splits")


def test_one_content_twice_in_one_split_is_no_leak(tmp_path):
    first = write_image(tmp_path / "a.png")
    copy = tmp_path / "copy.png"
    copy.write_bytes(first.read_bytes())
    assert check.media(items_of(train=[first, copy])) == []


def test_a_random_split_that_parts_groups_is_found(tmp_path):
    from lrcn.data import folders

    for name in ("bend", "wave"):
        for person in range(6):
            for take in range(3):
                path = tmp_path / name / f"p{person}_{take}.png"
                write_image(path, hash((name, person, take)) % 2**31)
    grouped = folders.folder(tmp_path, groups=r"/(p\d)_")
    assert check.media(grouped) == []
    random = folders.folder(tmp_path)
    parted = {
        split: dataclasses.replace(
            held,
            items=tuple(
                dataclasses.replace(item, group=item.id.split("/")[1][:2]) for item in held.items
            ),
        )
        for split, held in random.splits.items()
    }
    findings = check.media(dataclasses.replace(random, splits=parted))
    assert {finding.what for finding in findings} == {"one group in several splits"}


def test_one_content_with_two_labels_in_one_split_is_found(tmp_path):
    first = write_image(tmp_path / "a.png")
    (tmp_path / "copy.png").write_bytes(first.read_bytes())
    file = write_list(tmp_path, "data.train", "a.png 0", "copy.png 1")
    (finding,) = check.media(catalog.lists(file))
    assert finding.where == f"{file}:2"
    assert finding.what == "same content as another item, with other labels"


def test_a_decoder_that_fails_in_its_own_way_is_one_finding(tmp_path, monkeypatch):
    for number in range(3):
        write_image(tmp_path / f"{number}.png", number)
    file = write_list(tmp_path, "data.train", "0.png 0", "1.png 0", "2.png 0")

    def failing(path, **options):
        if path.endswith("1.png"):
            raise RuntimeError("the decoder is lost")

    monkeypatch.setattr("lrcn.data.images.jpeg_from_file", failing)
    (finding,) = check.media(catalog.lists(file))
    assert finding.where == f"{file}:2" and "RuntimeError: the decoder is lost" in finding.received
