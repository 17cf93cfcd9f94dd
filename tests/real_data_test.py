"""Real videos beside the checkout, from their folders to a result, as a user types it."""

import json
import pathlib

import pytest

from lrcn import cli, runs
from lrcn.data import records

DATA = pathlib.Path(__file__).parents[2] / "shared" / "data"
PERSONS = {"daria", "denis", "eli", "ido", "ira", "lena", "lyova", "moshe", "shahar"}
GESTURES = ("bend", "pjump", "wave1", "wave2")
SMALL = [
    *("backbone.image_size=[32,32]", "raw_image_shape=[36,45,3]", "workflow.units=8"),
    *("clipframe_mode.num_frames_per_clip=4", "callbacks.tensorboard=false", "epochs=2"),
]

pytestmark = [
    pytest.mark.real,
    pytest.mark.slow,
    pytest.mark.skipif(not DATA.is_dir(), reason="needs the real data beside the checkout"),
]


@pytest.fixture(scope="module")
def cache(tmp_path_factory):
    return tmp_path_factory.mktemp("cache")


@pytest.fixture(scope="module")
def trained(tmp_path_factory, cache):
    """A run that left one person out."""
    folder = tmp_path_factory.mktemp("run")
    arguments = [
        *("dataset=folder", f"dataset.root={DATA}/weizmann4/videos", "dataset.frame_step=4"),
        *(r"dataset.groups='/([a-z]+)_'", "dataset.test_groups=[daria]", "evaluate=[test]"),
    ]
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("LRCN_CACHE", str(cache))
        assert cli.main(["train", *arguments, *SMALL, f"hydra.run.dir={folder}"]) == 0
    return runs.RunDirectory(folder)


def test_one_person_is_left_out_and_nobody_stands_on_two_sides(trained, cache):
    stored = {
        path.name.removesuffix(".tfrecord.size"): records.read_metadata(path.with_suffix(""))
        for path in cache.rglob("*.tfrecord.size")
    }
    assert stored.keys() == {"train", "val", "test"}
    persons = {
        split: {pathlib.PurePath(item).stem.partition("_")[0] for item in metadata.ids}
        for split, metadata in stored.items()
    }
    assert {split: set(metadata.groups) for split, metadata in stored.items()} == persons
    assert persons["test"] == {"daria"}
    assert sorted(stored["test"].ids) == [f"{name}/daria_{name}.avi" for name in GESTURES]
    assert set.union(*persons.values()) == PERSONS
    assert sum(map(len, persons.values())) == len(PERSONS)
    assert sum(metadata.items for metadata in stored.values()) == 36
    assert all(metadata.label_names == GESTURES for metadata in stored.values())


def test_the_person_left_out_is_evaluated(trained):
    folder = trained.evaluation("test")
    metrics = json.loads((folder / "metrics.json").read_text())
    assert metrics["videos"] == 4 and 0 <= metrics["video_accuracy"] <= 1
    lines = [json.loads(line) for line in (folder / "predictions.jsonl").read_text().splitlines()]
    assert {line["truth"][0] for line in lines} == set(GESTURES)
    right = sum(line["label"] in line["truth"] for line in lines)
    assert metrics["video_accuracy"] == pytest.approx(right / 4)
    assert trained.is_done


def test_folders_of_frames_serialize_and_are_labelled(trained, tmp_path, capsys):
    folders = sorted(path for path in (DATA / "frames_sample").iterdir() if path.is_dir())
    (tmp_path / "data.test").write_text("".join(f"{path} {i}\n" for i, path in enumerate(folders)))
    arguments = [f"dataset.input_files={tmp_path}/data.test", "clipframe_mode=none"]
    assert cli.main(["serialize", *arguments, f"output_folder={tmp_path}/records"]) == 0
    metadata = records.read_metadata(tmp_path / "records" / "data.test.tfrecord")
    assert (metadata.items, metadata.frame_counts) == (2, (15, 20))
    capsys.readouterr()
    code = cli.main(["predict", f"run={trained.path}", f"input={DATA}/frames_sample/*", "top_k=4"])
    out, err = capsys.readouterr()
    assert code == 0, err
    lines = [json.loads(line) for line in out.splitlines()]
    assert [pathlib.Path(line["path"]).name for line in lines] == [path.name for path in folders]
    for line in lines:
        assert {one["label"] for one in line["top"]} == set(GESTURES)
        assert sum(one["probability"] for one in line["top"]) == pytest.approx(1, abs=1e-4)
        assert line["label"] == line["top"][0]["label"]


def test_a_run_of_real_videos_has_its_report_and_its_card(trained, tmp_path):
    page = tmp_path / "page.html"
    assert cli.main(["report", f"run={trained.path}", "items=1", f"output={page}"]) == 0
    told = page.read_text("utf-8")
    assert "Where it looks for" in told
    assert told.count("<article") in (1, 2)  # the surest right one and the surest wrong one
    card = (trained.path / "MODEL_CARD.md").read_text("utf-8")
    assert "Tells 4 classes of videos apart" in card
    assert "`test`, 4 items:" in card
    assert "shares" not in card and "share " not in card.partition("finds least")[0]
