import pathlib

import numpy as np
import PIL.Image
import pytest

from lrcn import errors
from lrcn.data import folders, lines

REAL = pathlib.Path(__file__).parents[3] / "shared" / "data" / "weizmann4" / "videos"


def write_image(path):
    path.parent.mkdir(parents=True, exist_ok=True)
    PIL.Image.fromarray(np.zeros([4, 6, 3], np.uint8)).save(path)


@pytest.fixture
def persons(tmp_path):
    """Two classes, five persons, two images of each person and class."""
    for name in ("wave", "bend"):
        for person in ("ann", "bob", "eve", "ida", "tom"):
            for take in (1, 2):
                write_image(tmp_path / name / f"{person}_{take}.jpg")
    return tmp_path


def test_classes_are_the_sorted_folder_names(persons):
    found = folders.folder(persons, fractions=(1, 0, 0))
    assert found.label_names == ("bend", "wave")
    assert found.num_classes == 2
    assert list(found.splits) == ["train"]
    items = found.splits["train"].items
    assert [item.id for item in items[:2]] == ["bend/ann_1.jpg", "bend/ann_2.jpg"]
    assert {item.labels for item in items[:10]} == {(0,)}
    assert all(pathlib.Path(item.path).is_file() for item in items)


def test_items_are_videos_images_and_folders_of_frames_at_any_depth(tmp_path, caplog):
    write_image(tmp_path / "run" / "photo.PNG")
    write_image(tmp_path / "run" / "frames" / "10.jpg")
    write_image(tmp_path / "run" / "day" / "clip" / "1.jpg")
    (tmp_path / "run" / "day" / "film.avi").write_bytes(b"")
    (tmp_path / "run" / "notes.txt").write_text("no item")
    (tmp_path / "run" / ".hidden.jpg").write_bytes(b"")
    (tmp_path / "index.csv").write_text("not a class")
    items = folders.folder(tmp_path, fractions=(1, 0, 0)).splits["train"].items
    assert {item.id: item.kind for item in items} == {
        "run/photo.PNG": "image",
        "run/frames": "frames",
        "run/day/clip": "frames",
        "run/day/film.avi": "video",
    }
    assert "notes.txt" in caplog.text


def kinds(root, **options):
    items = folders.folder(root, fractions=(1, 0, 0), **options).splits["train"].items
    return {item.id: item.kind for item in items}


def empty(*paths):
    for path in paths:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"")


@pytest.mark.parametrize("frame_format", ["jpg", "jpeg", "JPG"])
def test_jpg_and_jpeg_are_one_format_of_frames(tmp_path, frame_format):
    empty(tmp_path / "run" / "a" / "1.jpg", tmp_path / "run" / "b" / "1.JPEG")
    assert kinds(tmp_path, frame_format=frame_format) == {"run/a": "frames", "run/b": "frames"}


def test_frames_may_have_the_suffix_of_videos(tmp_path):
    empty(tmp_path / "run" / "a" / "1.gif", tmp_path / "run" / "a" / "2.gif")
    assert kinds(tmp_path, frame_format="gif") == {"run/a": "frames"}


@pytest.mark.parametrize("poster", ["poster.jpg", "1.jpg", "film1.jpg", "poster.png"])
def test_a_poster_does_not_hide_the_videos_beside_it(tmp_path, caplog, poster):
    folder = tmp_path / "run" / "takes"
    empty(folder / "film1.mp4", folder / "film2.mp4", folder / poster)
    assert kinds(tmp_path) == {"run/takes/film1.mp4": "video", "run/takes/film2.mp4": "video"}
    assert f"images beside videos: {poster}" in caplog.text


def test_a_picture_of_each_video_is_no_series_of_frames(tmp_path):
    folder = tmp_path / "run" / "takes"
    for number in (1, 2, 3):
        empty(folder / f"film{number}.mp4", folder / f"film{number}.jpg")
    assert set(kinds(tmp_path).values()) == {"video"} and len(kinds(tmp_path)) == 3


def test_a_folder_of_videos_and_of_frames_is_refused(tmp_path):
    folder = tmp_path / "run" / "takes"
    empty(folder / "film.mp4", *(folder / f"{number}.jpg" for number in (1, 2, 10)))
    with pytest.raises(errors.UserError) as caught:
        kinds(tmp_path)
    assert f"{folder}: a folder of videos and of frames" in str(caught.value)
    assert "Received: a video film, and 1.jpg to 10.jpg" in str(caught.value)


def test_groups_are_never_parted_and_every_split_has_its_share(persons):
    found = folders.folder(persons, groups=r"/([a-z]+)_", fractions=(0.6, 0.2, 0.2))
    groups = {name: {item.group for item in split.items} for name, split in found.splits.items()}
    assert {name: len(some) for name, some in groups.items()} == {"train": 3, "val": 1, "test": 1}
    assert set.union(*groups.values()) == {"ann", "bob", "eve", "ida", "tom"}
    for split in found.splits.values():
        labels = [item.labels[0] for item in split.items]
        assert labels.count(0) == labels.count(1)


def test_the_parting_is_repeatable_and_follows_the_seed(persons):
    def ids(seed):
        found = folders.folder(persons, seed=seed)
        return [tuple(item.id for item in split.items) for split in found.splits.values()]

    assert ids(3) == ids(3)
    assert len({tuple(ids(seed)) for seed in range(5)}) > 1


def test_named_groups_fill_their_split_alone(persons):
    found = folders.folder(
        persons, groups=r"/([a-z]+)_", fractions=(1, 0, 0), test_groups=["eve"], val_groups=["bob"]
    )
    groups = {name: {item.group for item in split.items} for name, split in found.splits.items()}
    assert groups == {"train": {"ann", "ida", "tom"}, "val": {"bob"}, "test": {"eve"}}


def test_what_named_groups_leave_is_parted_by_the_other_fractions(persons):
    found = folders.folder(
        persons, groups=r"/([a-z]+)_", fractions=(0.7, 0.15, 0.15), test_groups=["eve"]
    )
    counts = {name: len(split.items) for name, split in found.splits.items()}
    assert counts == {"train": 12, "val": 4, "test": 4}


def test_a_pattern_without_a_group_takes_its_whole_match(persons):
    found = folders.folder(persons, groups=r"(?<=/)[a-z]+(?=_)", fractions=(1, 0, 0))
    assert {item.group for item in found.splits["train"].items} == {
        "ann",
        "bob",
        "eve",
        "ida",
        "tom",
    }


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"groups": "("}, r"dataset\.groups: no regular expression"),
        ({"groups": "x(y)"}, r"dataset\.groups: the pattern .* 'bend/ann_1.jpg'"),
        ({"fractions": (0.5, 0.5)}, r"dataset\.fractions"),
        ({"fractions": (0.5, 0.2, 0.2)}, r"dataset\.fractions"),
        ({"fractions": (1.2, -0.2, 0)}, r"dataset\.fractions"),
        ({"test_groups": ["evi"]}, r"dataset\.test_groups: no item .*such as eve"),
        ({"val_groups": ["eve"], "test_groups": ["eve"]}, r"two splits.*eve"),
        (
            {"val_groups": ["ann", "bob"], "test_groups": ["eve", "ida"], "fractions": (0, 1, 0)},
            "left",
        ),
        ({"test_groups": ["ann", "bob", "eve", "ida"]}, "too few groups.*1 for train, val"),
    ],
)
def test_mistakes_name_their_key(persons, changes, message):
    with pytest.raises(errors.UserError, match=message):
        folders.folder(persons, **{"groups": r"/([a-z]+)_"} | changes)


def test_a_class_must_not_be_empty(persons):
    (persons / "walk").mkdir()
    with pytest.raises(errors.UserError, match="walk: class folder without items.*empty folder"):
        folders.folder(persons)
    (persons / "walk" / "notes.txt").write_text("no item")
    with pytest.raises(errors.UserError, match="walk: class folder.*such as notes.txt"):
        folders.folder(persons)


def test_a_class_needs_something_to_learn_from(persons):
    write_image(persons / "walk" / "eve_1.jpg")
    with pytest.raises(errors.UserError, match="no train item of walk"):
        folders.folder(persons, groups=r"/([a-z]+)_", fractions=(1, 0, 0), test_groups=["eve"])


def test_folders_of_splits_are_not_taken_for_classes(tmp_path):
    for name in ("train", "test"):
        write_image(tmp_path / name / "cat" / "1.png")
    with pytest.raises(errors.UserError, match="splits, not classes.*dataset=lists"):
        folders.folder(tmp_path)


def test_a_folder_without_classes_or_none_at_all_is_an_error(tmp_path):
    with pytest.raises(errors.UserError, match="no folder of a class"):
        folders.folder(tmp_path)
    with pytest.raises(errors.UserError, match=r"dataset\.root: no such folder"):
        folders.folder(tmp_path / "missing")


@pytest.mark.real
def test_one_person_of_weizmann4_can_be_left_out():
    if not REAL.is_dir():
        pytest.skip(f"{REAL} is absent")
    found = folders.folder(REAL, groups=r"/([a-z]+)_", fractions=(1, 0, 0), test_groups=["daria"])
    assert {name: len(split.items) for name, split in found.splits.items()} == {
        "train": 32,
        "test": 4,
    }
    assert found.label_names == ("bend", "pjump", "wave1", "wave2")


def test_a_link_back_to_its_own_folder_is_refused(tmp_path):
    write_image(tmp_path / "left" / "a.png")
    (tmp_path / "left" / "again").symlink_to(tmp_path / "left", target_is_directory=True)
    with pytest.raises(errors.UserError, match="again: a link leads back to a folder"):
        folders.folder(tmp_path)


@pytest.mark.parametrize("name", ["a\nb.png", "a\tb.png", "a\x1b[31m.png", "a\udcff.png"])
def test_names_of_more_than_a_line_of_text_are_refused(tmp_path, name):
    write_image(tmp_path / "left" / "a.png")
    (tmp_path / "left" / "a.png").rename(tmp_path / "left" / name)
    with pytest.raises(errors.UserError, match="no name of a file should have") as caught:
        folders.folder(tmp_path)
    assert lines.is_name(str(caught.value))
