import pathlib

import pytest

from lrcn import errors
from lrcn.data import ucf

REAL = pathlib.Path(__file__).parents[3] / "shared" / "data" / "ucf101_5"
CLASSES = ("Archery", "Biking", "Lunges")


def clip(name, group, take=1):
    return f"{name}/v_{name}_g{group:02d}_c{take:02d}"


@pytest.fixture
def official(tmp_path):
    """Official lists of three classes with groups 1 to 6; group 1 is the test of split 1."""
    lists = tmp_path / "lists"
    lists.mkdir()
    lines = [f"{number} {name}\n" for number, name in enumerate(CLASSES, start=1)]
    (lists / "classInd.txt").write_text("".join(lines))
    for split in (1, 2):
        train = [(name, group) for name in CLASSES for group in range(1, 7) if group != split]
        rows = [f"{clip(*pair)}.avi {CLASSES.index(pair[0]) + 1}\n" for pair in train]
        (lists / f"trainlist{split:02d}.txt").write_text("".join(rows))
        rows = [f"{clip(name, split)}.avi\n" for name in CLASSES]
        (lists / f"testlist{split:02d}.txt").write_text("".join(rows))
    return lists


@pytest.fixture
def videos(tmp_path):
    folder = tmp_path / "videos"
    for name in CLASSES:
        for group in range(1, 7):
            file = folder / f"{clip(name, group)}.mp4"
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_bytes(b"")
    return folder


def groups(catalog):
    return {
        name: sorted({item.group for item in split.items if item.group.startswith("Biking")})
        for name, split in catalog.splits.items()
    }


def test_the_last_groups_of_the_training_list_are_val(videos, official):
    found = ucf.ucf101(videos, official, split=1, val_groups=2)
    assert groups(found) == {
        "train": ["Biking/g02", "Biking/g03", "Biking/g04"],
        "val": ["Biking/g05", "Biking/g06"],
        "test": ["Biking/g01"],
    }
    assert found.label_names == CLASSES
    assert found.num_classes == 3
    item = found.splits["test"].items[1]
    assert (item.id, item.labels, item.kind) == ("Biking/v_Biking_g01_c01", (1,), "video")
    assert item.path == str(videos / f"{clip('Biking', 1)}.mp4")
    assert item.where == f"{official / 'testlist01.txt'}:2"


def test_the_split_is_the_one_asked_for_and_val_can_be_left_out(videos, official):
    found = ucf.ucf101(videos, official, split=2, val_groups=0)
    assert list(found.splits) == ["train", "test"]
    assert groups(found)["test"] == ["Biking/g02"]


def test_classes_keep_the_official_order(videos, official):
    found = ucf.ucf101(videos, official, classes=["Lunges", "Archery"], val_groups=1)
    assert found.label_names == ("Archery", "Lunges")
    assert {item.labels for item in found.splits["val"].items} == {(0,), (1,)}


def test_videos_may_lie_anywhere_or_be_folders_of_frames(videos, official):
    (videos / f"{clip('Lunges', 3)}.mp4").rename(videos / "v_Lunges_g03_c01.avi")
    (videos / f"{clip('Lunges', 4)}.mp4").unlink()
    (videos / "frames" / "v_Lunges_g04_c01").mkdir(parents=True)
    found = ucf.ucf101(videos, official, val_groups=0)
    kinds = {item.id: item.kind for item in found.splits["train"].items if "Lunges" in item.id}
    assert kinds["Lunges/v_Lunges_g03_c01"] == "video"
    assert kinds["Lunges/v_Lunges_g04_c01"] == "frames"


def test_missing_videos_are_named(videos, official):
    (videos / f"{clip('Lunges', 3)}.mp4").unlink()
    with pytest.raises(errors.UserError, match="1 of 18 listed .*v_Lunges_g03_c01") as caught:
        ucf.ucf101(videos, official)
    assert "trainlist01.txt:" in caught.value.where


def test_classes_that_are_not_on_disk_are_named_with_the_remedy(videos, official):
    for file in (videos / "Biking").iterdir():
        file.unlink()
    with pytest.raises(errors.UserError, match="1 of 3 classes.*Biking") as caught:
        ucf.ucf101(videos, official)
    assert caught.value.remedy == "Set dataset.classes=[Archery,Lunges]"
    assert ucf.ucf101(videos, official, classes=["Lunges"], val_groups=1).num_classes == 1


def test_two_videos_of_one_stem_are_refused(videos, official):
    (videos / "v_Biking_g02_c01.avi").write_bytes(b"")
    with pytest.raises(errors.UserError, match="two videos of one name"):
        ucf.ucf101(videos, official)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"split": 4}, r"dataset\.split.*4"),
        ({"classes": ["Bikng"]}, r"dataset\.classes: unknown class.*Bikng.*Biking"),
        ({"classes": ["LUNGES"]}, r"dataset\.classes: unknown class.*such as Lunges"),
        ({"classes": "Lunges"}, r"dataset\.classes"),
        ({"classes": []}, r"dataset\.classes"),
        ({"val_groups": 5}, r"dataset\.val_groups.*less than 5"),
        ({"val_groups": -1}, r"dataset\.val_groups"),
    ],
)
def test_mistakes_name_their_key(videos, official, changes, message):
    with pytest.raises(errors.UserError, match=message):
        ucf.ucf101(videos, official, **changes)


def test_missing_folders_and_bad_lists_are_errors(videos, official, tmp_path):
    with pytest.raises(errors.UserError, match=r"dataset\.videos: no such folder"):
        ucf.ucf101(tmp_path / "none", official)
    with pytest.raises(errors.UserError, match="classInd.txt: no such official list"):
        ucf.ucf101(videos, tmp_path)
    (official / "testlist01.txt").write_bytes(b"Archery/film.avi\nBiking/caf\xe9.avi\n")
    with pytest.raises(errors.UserError, match=r"testlist01\.txt:2: line is not UTF-8"):
        ucf.ucf101(videos, official)
    (official / "testlist01.txt").write_text("Biking/film.avi\n")
    with pytest.raises(errors.UserError, match=r"testlist01\.txt:1: no line of a UCF101 list"):
        ucf.ucf101(videos, official)
    (official / "classInd.txt").write_text("1 Archery\n3 Biking\n")
    with pytest.raises(errors.UserError, match=r"classInd\.txt:2"):
        ucf.ucf101(videos, official)


@pytest.mark.real
@pytest.mark.parametrize(("split", "counts"), [(1, (453, 193)), (2, (464, 182)), (3, (479, 167))])
def test_the_official_splits_restricted_to_five_classes(split, counts):
    if not REAL.is_dir():
        pytest.skip(f"{REAL} is absent")
    classes = ["BodyWeightSquats", "BoxingPunchingBag", "JugglingBalls", "JumpingJack", "Lunges"]
    found = ucf.ucf101(
        REAL / "videos", REAL / "ucfTrainTestlist", split=split, classes=classes, val_groups=4
    )
    train, val, test = (found.splits[name].items for name in ("train", "val", "test"))
    assert (len(train) + len(val), len(test)) == counts
    assert len({item.group for item in val}) == 4 * len(classes)
    assert not {item.group for item in train} & {item.group for item in (*val, *test)}
