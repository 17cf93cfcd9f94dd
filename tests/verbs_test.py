"""The commands as users type them, on tiny rendered data."""

import csv
import json
import os
import pathlib
import shutil
import subprocess
import sys

import keras
import numpy as np
import pytest

import lrcn
from lrcn import cli, runs
from lrcn.data import claim
from lrcn.models import activity

ROOT = pathlib.Path(__file__).resolve().parent.parent
EXAMPLES = ROOT / "tests" / "examples"
LISTS = f"dataset.input_files=[{EXAMPLES}/videos.train,{EXAMPLES}/videos.val]"
LABELS = f"dataset.labels={EXAMPLES}/labels.txt"
SMALL = [
    "backbone.image_size=[16,16]",
    "workflow.units=4",
    "batch_size=4",
    "callbacks.tensorboard=false",
    "epochs=2",
]

pytestmark = pytest.mark.slow


@pytest.fixture(autouse=True)
def elsewhere(tmp_path, monkeypatch, cache):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("LRCN_CACHE", str(cache))


@pytest.fixture(scope="module")
def cache(tmp_path_factory):
    return tmp_path_factory.mktemp("cache")


@pytest.fixture(scope="module")
def records(tmp_path_factory):
    folder = tmp_path_factory.mktemp("records")
    arguments = [LISTS, LABELS, "clipframe_mode=none", f"output_folder={folder}"]
    assert cli.main(["serialize", *arguments, "raw_image_shape=[24,32,3]"]) == 0
    train, val = (folder / f"videos.{split}.tfrecord" for split in ("train", "val"))
    return ["dataset=records", f"dataset.train={train}", f"dataset.val={val}"]


@pytest.fixture(scope="module")
def trained(tmp_path_factory, records):
    folder = tmp_path_factory.mktemp("run")
    assert cli.main(["train", *records, *SMALL, f"hydra.run.dir={folder}"]) == 0
    return runs.RunDirectory(folder)


def run(capsys, *arguments):
    code = cli.main([str(argument) for argument in arguments])
    out, err = capsys.readouterr()
    return code, out, err


def metrics_of(file):
    return json.loads(pathlib.Path(file).read_text())


def test_check_finds_nothing_wrong_with_the_examples(capsys):
    code, out, err = run(capsys, "check", LISTS, LABELS, "report=findings.json")
    assert (code, out) == (0, "")
    assert "next: lrcn" in err
    assert metrics_of("findings.json")["count"] == 0


def test_check_finds_a_video_in_two_splits(capsys, tmp_path):
    (tmp_path / "a.train").write_text(f"{EXAMPLES}/videos/val_left_0.mp4 0\n")
    (tmp_path / "a.val").write_text(f"{EXAMPLES}/videos/val_left_0.mp4 0\nmissing.mp4 1\n")
    code, out, _ = run(capsys, "check", "dataset.input_files=[a.train,a.val]")
    assert code == 1
    assert len(out.splitlines()) == 2
    assert "a.val:2" in out


def test_a_finished_run_stays_so_until_a_step_is_saved_anew(capsys, trained, tmp_path):
    folder = tmp_path / "run"
    shutil.copytree(trained.path, folder)
    config = (folder / "config.json").read_bytes()
    for name in ("last", "previous"):
        (folder / "checkpoints" / f"{name}.keras").write_bytes(b"broken")
    code, _, err = run(capsys, "train", f"resume={folder}", "epochs=5")
    assert code == 1 and "no checkpoint that can be read" in err
    assert (folder / "DONE").exists() and not (folder / "FAILED").exists()
    assert (folder / "config.json").read_bytes() == config


def test_a_report_is_not_written_over_a_list(capsys, tmp_path):
    (tmp_path / "a.val").write_text("a list")
    code, _, err = run(capsys, "check", LISTS, LABELS, "report=a.val")
    assert code == 1 and "a file that is no report would be lost" in err
    assert (tmp_path / "a.val").read_text() == "a list"
    for _ in range(2):
        assert run(capsys, "check", LISTS, LABELS, "report=a.json")[0] == 0


def test_two_trainings_in_one_folder_are_refused(capsys, records, tmp_path):
    folder = tmp_path / "run"
    folder.mkdir()
    command = ["train", *records, *SMALL, f"hydra.run.dir={folder}"]
    with claim.alone(folder):
        code, _, err = run(capsys, *command)
    assert code == 1
    assert f"another process is training in this folder. Received: process {os.getpid()}" in err
    assert not (folder / "FAILED").exists() and not (folder / "config.json").exists()
    assert run(capsys, *command)[0] == 0
    assert not (folder / ".lrcn.lock").exists()


def test_serialize_says_where_and_what_comes_next(capsys, tmp_path):
    code, out, err = run(capsys, "serialize", LISTS, LABELS, "output_folder=r")
    assert code == 0
    assert "videos.train.tfrecord" in out
    assert f"next: lrcn train dataset=records dataset.train={tmp_path}/r/videos.train" in err
    size = metrics_of("r/videos.train.tfrecord.size")
    assert (size["items"], size["frames_per_clip"], size["clips_per_item"]) == (8, 16, 1)
    assert not pathlib.Path("outputs").exists()


def test_a_file_that_is_not_there_is_told_before_anything_is_serialized(
    capsys, tmp_path, monkeypatch
):
    monkeypatch.setenv("LRCN_CACHE", str(tmp_path / "cache"))
    code, _, err = run(capsys, "train", LISTS, LABELS, "dataset=lists", "init=nowhere")
    assert code == 1
    assert f"init: no such file. Received: {tmp_path}/nowhere. Expected: an existing file" in err
    assert not (tmp_path / "cache").exists()


def test_serialize_can_only_shuffle(capsys):
    arguments = ["do_serialize=false", "do_shuffle=true", "output_folder=r"]
    code, out, _ = run(capsys, "serialize", LISTS, LABELS, *arguments)
    assert code == 0
    assert "videos.train: 8 items, 2 classes" in out
    assert [path.name for path in pathlib.Path("r").glob("*.train*")] == ["videos.train.shuffled"]


def test_a_run_directory_holds_everything(trained):
    for name in (
        "config.json",
        "checkpoints/best.keras",
        "checkpoints/last.keras",
        "history.csv",
        "state.json",
        "labels.txt",
        "metrics.json",
        "curves.png",
        "data.json",
        "MODEL_CARD.md",
        "train.log",
        "DONE",
        ".hydra/overrides.yaml",
    ):
        assert (trained.path / name).exists(), name
    assert trained.read_labels() == ("left", "right")
    with trained.history_file.open() as file:
        assert len(list(csv.DictReader(file))) == 2
    metrics = trained.read_metrics()
    assert metrics["videos"] == 4
    assert {"video_accuracy", "video_top5", "clip_accuracy", "loss"} <= metrics.keys()


def test_evaluate_equals_train(capsys, trained):
    code, out, err = run(capsys, "evaluate", f"run={trained.path}", "split=val", "batch_size=3")
    assert code == 0
    assert "video_accuracy" in out
    assert "next: lrcn predict" in err
    evaluated = metrics_of(trained.evaluation("val") / "metrics.json")
    for key in ("video_accuracy", "video_top5", "clip_accuracy", "loss", "videos"):
        assert evaluated[key] == pytest.approx(trained.read_metrics()[key], abs=1e-5)
    protocol = metrics_of(trained.evaluation("val") / "protocol.json")
    assert protocol["records"].endswith("videos.val.tfrecord")
    assert (protocol["checkpoint"], protocol["pooling"]["clips"]) == ("best", "avg")
    names = {path.name for path in trained.evaluation("val").iterdir()}
    assert {"per_class.csv", "confusion.csv", "confusion.png", "predictions.jsonl"} <= names


def test_evaluate_takes_overrides(capsys, trained):
    code, _, err = run(
        capsys,
        "evaluate",
        f"run={trained.path}",
        "pooling=last",
        "clipframe_mode=iterative",
        "clipframe_mode.num_frames_per_clip=4",
        "augment=ten_crop",
    )
    assert code == 0, err
    assert (trained.evaluation("val") / "metrics.json").exists()


def test_predict_agrees_with_evaluate(capsys, trained):
    assert run(capsys, "evaluate", f"run={trained.path}", "split=val")[0] == 0
    lines = (trained.evaluation("val") / "predictions.jsonl").read_text().splitlines()
    evaluated = {pathlib.Path(line["path"]).name: line for line in map(json.loads, lines)}
    code, out, _ = run(
        capsys, "predict", f"run={trained.path}", f"input={EXAMPLES}/videos/val_*.mp4", "top_k=2"
    )
    assert code == 0
    predicted = [json.loads(line) for line in out.splitlines()]
    assert len(predicted) == 3
    for line in predicted:
        same = evaluated[pathlib.Path(line["path"]).name]
        assert line["label"] == same["label"]
        assert line["probability"] == pytest.approx(same["probability"], abs=1e-5)
        assert len(line["top"]) == 2
        assert line["windows"][0]["start"] == 0


def test_predict_draws_and_python_gives_the_same(capsys, trained, tmp_path):
    video = EXAMPLES / "videos" / "val_right_0.mp4"
    code, out, _ = run(
        capsys, "predict", f"run={trained.path}", f"input={video}", "overlay=labelled.mp4"
    )
    assert code == 0
    assert (tmp_path / "labelled.mp4").stat().st_size > 1000
    own = tmp_path / "own.mp4"
    shutil.copyfile(video, own)
    for source in (own, video):
        code, _, err = run(
            capsys, "predict", f"run={trained.path}", f"input={source}", "overlay=own.mp4"
        )
        assert code == 1
        assert "overlay: this file is not an annotated video of ours" in err
        assert own.read_bytes() == video.read_bytes()
    again = ["predict", f"run={trained.path}", f"input={video}", "overlay=labelled.mp4"]
    assert run(capsys, *again)[0] == 0
    code, out, _ = run(capsys, *again)
    assert code == 0
    opened = lrcn.load(trained.path)
    assert opened.predict(str(video)) == [json.loads(out)]
    assert opened.labels == ("left", "right")
    assert activity.labels(keras.models.load_model(trained.best)) == ("left", "right")
    frames = np.zeros((1, 3, 16, 16, 3), np.uint8)
    assert opened.model(frames)["probabilities"].shape == (1, 2)
    folder = opened.predict(str(EXAMPLES / "folders" / "disc left"))
    assert folder[0]["label"] in ("left", "right")


def test_a_finished_run_is_repeated_continued_and_guarded(capsys, trained, records):
    again = ["train", *records, *SMALL, f"hydra.run.dir={trained.path}"]
    before = trained.last.stat().st_mtime_ns
    code, out, err = run(capsys, *again)
    assert code == 0
    assert "done before" in err
    assert f"{trained.read_metrics()['video_accuracy']:.4f}" in out
    assert trained.last.stat().st_mtime_ns == before

    code, _, err = run(capsys, *again, "workflow.units=5")
    assert code == 1
    assert "workflow.units: the run in" in err
    assert "Received: 5. Expected: 4" in err

    code, _, err = run(capsys, "train", f"resume={trained.path}", "epochs=3")
    assert code == 0, err
    assert len(trained.history_file.read_text().splitlines()) == 4
    assert trained.is_done


def test_a_refused_request_leaves_a_finished_run_as_it_is(capsys, trained, records):
    again = ["train", *records, *SMALL, f"hydra.run.dir={trained.path}"]
    epochs = trained.read_config()["epochs"]
    for refused in (["batch_size=3"], ["optimizer.clipnorm=-1"], [f"epochs={epochs - 1}"]):
        code, _, err = run(capsys, *again, f"epochs={epochs}", *refused)
        assert code == 1, refused
        assert "Received: " in err
        assert trained.is_done
        assert trained.failure is None


def test_a_finished_run_is_evaluated_on_what_is_asked_for_later(capsys, records, tmp_path):
    again = ["train", *records, *SMALL, "epochs=1", "hydra.run.dir=r"]
    assert run(capsys, *again)[0] == 0
    finished = runs.RunDirectory(tmp_path / "r")
    before = finished.last.stat().st_mtime_ns
    assert not finished.evaluation("val").exists()
    code, _, err = run(capsys, *again, "evaluate=[val]")
    assert code == 0, err
    (finished.evaluation("val") / "metrics.json").unlink()  # as if it had been cut off
    code, _, err = run(capsys, *again, "evaluate=[val]")
    assert code == 0, err
    assert (finished.evaluation("val") / "metrics.json").exists()
    assert finished.last.stat().st_mtime_ns == before
    assert finished.is_done


def test_a_run_is_resumed_from_another_folder(capsys, records, tmp_path, monkeypatch):
    paths = [text.partition("=")[2] for text in records[1:]]
    here = pathlib.Path(paths[0]).parent
    monkeypatch.chdir(here)
    relative = [f"dataset.{path.split('.')[-2]}={pathlib.Path(path).name}" for path in paths]
    given = ["dataset=records", *relative, *SMALL, "epochs=1", f"hydra.run.dir={tmp_path}/a (1)/r"]
    given[-1] = f"hydra.run.dir='{tmp_path}/a (1)/r'"
    code, _, err = run(capsys, "train", *given)
    assert code == 0, err
    monkeypatch.chdir(tmp_path)
    config_file = tmp_path / "a (1)" / "r" / "config.json"
    stored = json.loads(config_file.read_text())
    stored["strategy"] = {"name": "mirrored", "devices": None}
    config_file.write_text(json.dumps(stored))
    code, _, err = run(capsys, "train", "resume=a (1)/r", "epochs=2")
    assert code == 0, err
    assert "going on with strategy=single; it was strategy=mirrored" in err
    assert len((tmp_path / "a (1)" / "r" / "history.csv").read_text().splitlines()) == 3


def test_a_run_with_an_experiment_of_ones_own_is_resumed(capsys, records, tmp_path):
    (tmp_path / "mine" / "experiment").mkdir(parents=True)
    own = "# @package _global_\nepochs: 1\nbatch_size: 3\n"
    (tmp_path / "mine" / "experiment" / "own.yaml").write_text(own)
    flags, given = ["--config-dir", "mine"], ["experiment=own", "hydra.run.dir=r"]
    small = [text for text in SMALL if "epochs" not in text and "batch" not in text]
    code, _, err = run(capsys, "train", *flags, *records, *small, *given)
    assert code == 0, err
    code, _, err = run(capsys, "train", "resume=r", "epochs=2")
    assert code == 0, err
    code, _, err = run(capsys, "train", "resume=r", *flags, "epochs=3")
    assert code == 0, err
    settings = runs.RunDirectory(tmp_path / "r").read_config()
    assert (settings["epochs"], settings["batch_size"]) == (3, 3)
    assert len((tmp_path / "r" / "history.csv").read_text().splitlines()) == 4


def test_a_run_that_stopped_early_goes_on_with_more_patience(capsys, records, tmp_path):
    given = ["train", *records, *SMALL, "epochs=9", "callbacks.patience=1", "hydra.run.dir=r"]
    given += ["callbacks.monitor=loss", "callbacks.min_delta=1"]
    code, _, err = run(capsys, *given, "optimizer.learning_rate=1e-9")
    assert code == 0, err
    stopped = len((tmp_path / "r" / "history.csv").read_text().splitlines()) - 1
    assert stopped < 9
    code, _, err = run(capsys, "train", "resume=r", "callbacks.patience=null")
    assert code == 0, err
    assert len((tmp_path / "r" / "history.csv").read_text().splitlines()) == 10


def test_a_folder_with_files_of_its_own_is_no_place_for_a_run(capsys, records, tmp_path):
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "labels.txt").write_text("precious")
    code, _, err = run(capsys, "train", *records, *SMALL, "hydra.run.dir=mine")
    assert code == 1
    assert "hydra.run.dir: the folder holds files but no run" in err
    assert (tmp_path / "mine" / "labels.txt").read_text() == "precious"
    assert not (tmp_path / "mine" / "FAILED").exists()


def test_resume_into_another_folder(capsys, trained, records, tmp_path):
    epochs = trained.read_config()["epochs"] + 1
    arguments = [*records, *SMALL, f"epochs={epochs}", f"resume={trained.path}"]
    code, _, err = run(capsys, "train", *arguments, "hydra.run.dir=other")
    assert code == 0, err
    other = runs.RunDirectory(tmp_path / "other")
    assert len(other.history_file.read_text().splitlines()) == epochs + 1
    assert other.best.exists()


def test_init_takes_weights_only(capsys, trained, records, tmp_path):
    code, _, err = run(
        capsys, "train", *records, *SMALL, "epochs=1", f"init={trained.path}", "hydra.run.dir=new"
    )
    assert code == 0
    assert "matched" in err
    assert len((tmp_path / "new" / "history.csv").read_text().splitlines()) == 2


def test_a_sweep_goes_on_after_a_failure_and_repeats_only_what_is_not_done(
    capsys, records, tmp_path
):
    arguments = ["train", "-m", *records, *SMALL, "epochs=1", "name=s", "workflow.layers=1,2"]
    failing = "clipframe_mode.num_frames_per_clip=4,999"
    code, out, err = run(capsys, *arguments, failing)
    assert code == 1
    assert "FAILED" in out
    folder = tmp_path / "multirun" / "s"
    with (folder / "summary.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert sorted(row["status"] for row in rows) == ["DONE", "DONE", "FAILED", "FAILED"]
    assert (folder / "summary.png").exists()
    failed = next(folder / row["run"] for row in rows if row["status"] == "FAILED")
    told = (failed / "train.log").read_text()
    assert "videos are shorter than a clip" in told
    assert "Traceback" in told
    assert "Traceback" not in err
    assert "=" in failed.name
    assert "The run failed: " in (failed / "MODEL_CARD.md").read_text()
    done = [
        folder / row["run"] / "checkpoints/last.keras" for row in rows if row["status"] == "DONE"
    ]
    before = [path.stat().st_mtime_ns for path in done]
    code, _, err = run(capsys, *arguments, failing)
    assert code == 1
    assert err.count("done before") == 2
    assert [path.stat().st_mtime_ns for path in done] == before
    # A sweep in the same folder answers for its own jobs, and a job's folder is named as it is.
    code, out, err = run(capsys, *arguments, "clipframe_mode.num_frames_per_clip=4,5")
    assert code == 0, err
    assert "4 jobs" in out and "FAILED" not in out
    code, _, err = run(capsys, "evaluate", f"run={done[0].parent.parent}")
    assert code == 0, err


def test_train_on_lists_serializes_into_the_cache(capsys, cache):
    arguments = ["dataset=lists", LISTS, LABELS, *SMALL, "epochs=1", "raw_image_shape=[24,32,3]"]
    code, _, err = run(capsys, "train", *arguments, "hydra.run.dir=a", "evaluate=[val]")
    assert code == 0, err
    assert "data: serializing into" in err
    assert pathlib.Path("a/evaluation/val/metrics.json").exists()
    code, _, err = run(capsys, "train", *arguments, "hydra.run.dir=b", "seed=1")
    assert "serialized before" in err


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (["evaluate", "run=nowhere"], "run: no such run directory"),
        (["predict", "run={run}", "input=nothing.mp4"], "input: no such image, video or folder"),
        (["evaluate", "run={run}", "split=test"], "split: the data set has no such split"),
        (["train", "dataset=records", "dataset.train=none.tfrecord"], "none.tfrecord"),
        (["train", "dataset=records"], "dataset.train"),
        (["serialize", "dataset.input_files=none.train"], "none.train"),
        (["train", "resume=nowhere"], "nowhere"),
        (["train", "init=nowhere", "dataset.train=8", "dataset.val=0"], "nowhere"),
        (["train", "backbone.weights=nowhere.h5", "dataset.train=8"], "nowhere.h5"),
    ],
)
def test_mistakes_are_one_line_on_stderr(capsys, trained, arguments, expected):
    code, out, err = run(capsys, *(text.format(run=trained.path) for text in arguments))
    assert (code, out) == (1, "")
    errors = [line for line in err.splitlines() if line.startswith("error: ")]
    assert len(errors) == 1
    assert expected in errors[0]
    assert "Traceback" not in err


def test_traceback_on_demand(capsys):
    code, _, err = run(capsys, "evaluate", "run=nowhere", "traceback=true")
    assert code == 1
    assert "Traceback" in err


def test_scripts_are_the_verbs(trained):
    done = subprocess.run(
        [
            sys.executable,
            ROOT / "scripts" / "predict.py",
            f"run={trained.path}",
            f"input={EXAMPLES}/images/red_left.jpg",
        ],
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["label"] in ("left", "right")
    assert done.stderr == ""


def test_the_cards_of_a_sweep_tell_the_spread_of_its_seeds(capsys, records, tmp_path):
    arguments = [
        "train",
        "-m",
        *records,
        *SMALL,
        "epochs=1",
        "name=s",
        "seed=0,1",
        "evaluate=[val]",
    ]
    assert run(capsys, *arguments)[0] == 0
    cards = [path.read_text() for path in (tmp_path / "multirun" / "s").glob("*/MODEL_CARD.md")]
    assert len(cards) == 2
    for card in cards:
        assert "The run is done." in card
        assert card.count("mean ± standard deviation of 2 seeds") == 2
        rows = [line for line in card.splitlines() if line.startswith("| `video_accuracy` |")]
        assert len(rows) == 2
        assert all("±" in row for row in rows), rows
