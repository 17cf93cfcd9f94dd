"""Caption sets from the command line's keys to findings and records."""

import json
import pathlib

import pytest

from lrcn import cli, config, datasets, resuming, settings
from lrcn.data import records
from lrcn.errors import UserError

EXAMPLES = pathlib.Path(__file__).parent / "examples"


@pytest.fixture
def flickr(tmp_path):
    """Overrides for a set of two images in train and one in val."""
    (tmp_path / "images").mkdir()
    content = (EXAMPLES / "images" / "red_left.jpg").read_bytes()
    for name in ("a", "b", "c"):
        (tmp_path / "images" / f"{name}.jpg").write_bytes(content + name.encode())
    lines = [f"{name}.jpg#{k}\ta dog {name} {k}\n" for name in "abc" for k in range(2)]
    (tmp_path / "tokens.txt").write_text("".join(lines))
    (tmp_path / "train.txt").write_text("a.jpg\nb.jpg\n")
    (tmp_path / "val.txt").write_text("c.jpg\n")
    return [
        *("dataset=flickr", f"dataset.images={tmp_path}/images"),
        *(f"dataset.captions={tmp_path}/tokens.txt", f"dataset.train={tmp_path}/train.txt"),
        f"dataset.val={tmp_path}/val.txt",
    ]


def test_named_splits_become_records_with_all_captions(flickr, tmp_path, capsys):
    assert cli.main(["check", *flickr]) == 0
    folder = tmp_path / "records"
    assert cli.main(["serialize", *flickr, f"output_folder={folder}"]) == 0
    said = capsys.readouterr().err
    assert f"next: lrcn train dataset=records dataset.train={folder}/train.tfrecord" in said
    assert said.rstrip().endswith("workflow=imgdesc_step")
    stored = records.open_records(folder / "train.tfrecord").metadata
    assert (stored.items, stored.type, stored.ids) == (2, "image", ("a.jpg", "b.jpg"))
    assert (folder / "val.tfrecord").is_file()
    assert b"a dog c 1" in (folder / "val.tfrecord").read_bytes()


def test_check_lists_every_fault_and_serialize_can_skip_them(flickr, tmp_path, capsys):
    (tmp_path / "train.txt").write_text("a.jpg\nnone.jpg\nb.jpg\n")
    with (tmp_path / "tokens.txt").open("a") as file:
        file.write("b.jpg#2\t.\n")
    assert cli.main(["check", *flickr]) == 1
    printed = capsys.readouterr().out
    assert "train.txt:2: no such image" in printed
    assert "tokens.txt:7: caption without a word" in printed
    folder = tmp_path / "records"
    assert cli.main(["serialize", *flickr, f"output_folder={folder}"]) == 1
    assert not list(folder.rglob("*.tfrecord"))
    skipping = [*flickr, f"output_folder={folder}", "on_error=skip"]
    assert cli.main(["serialize", *skipping]) == 0
    stored = records.open_records(folder / "train.tfrecord").metadata
    assert stored.ids == ("a.jpg",)
    assert len(stored.skipped) == 2


def plain(**dataset):
    shared = {"frame_step": 1, "fps": None}
    own = {"report": None, "num_threads": 1, "seed": 0, "traceback": False}
    return {"dataset": {**shared, **dataset}, **own}


def test_a_path_for_all_splits_or_one_for_each():
    values = plain(source="coco", images="i", annotations={"train": "t.json"}, ids={"train": "t"})
    dataset = config.from_plain("check", values).dataset
    assert isinstance(dataset, settings.Coco)
    assert (dataset.images, dataset.annotations) == ("i", {"train": "t.json"})
    values["dataset"]["annotations"] = ["a.json", "b.json"]
    with pytest.raises(UserError, match=r"dataset\.annotations: not a value"):
        config.from_plain("check", values)


def test_paths_by_split_are_stored_absolute_and_given_again():
    values = plain(
        source="coco", images="i", annotations={"train": "t.json", "val": "v.json"}, ids=None
    )
    dataset = config.from_plain("check", values).dataset
    absolute = config._absolute(dataset)
    here = pathlib.Path.cwd()
    assert absolute.images == str(here / "i")
    assert absolute.annotations == {"train": f"{here}/t.json", "val": f"{here}/v.json"}
    stored = config.to_plain(settings.CheckSettings(absolute, None, 1, 0, False))
    assert config.stored_path(stored, "dataset.annotations.val") == f"{here}/v.json"
    assert config.stored_path(stored, "dataset.frame_step") is None
    known = config.stored_path(stored, "dataset.annotations")
    quoted = resuming._as_override(known)
    assert quoted == f"{{train: {json.dumps(known['train'])}, val: {json.dumps(known['val'])}}}"


def test_msvd_is_read_by_its_keys(tmp_path):
    (tmp_path / "a_1_2.mp4").write_bytes(b"")
    clips = [{"file": "a_1_2.mp4", "split": "val", "captions": ["a cat"]}]
    (tmp_path / "captions.json").write_text(json.dumps(clips))
    values = plain(
        source="msvd",
        videos=str(tmp_path),
        captions=str(tmp_path / "captions.json"),
        mapping=None,
    )
    found = datasets.catalog_of(config.from_plain("check", values).dataset)
    assert found.splits["val"].items[0].captions == ("a cat",)


def test_records_need_a_folder_of_their_own(flickr, capsys):
    assert cli.main(["serialize", *flickr]) == 1
    assert "output_folder" in capsys.readouterr().err
