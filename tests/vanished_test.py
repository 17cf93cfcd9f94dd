"""What vanishes while a command is at work: one message that names it, and exit code 1."""

import pathlib
import shutil

import pytest

from lrcn import cli, datasets, runs
from lrcn.inference import windows
from lrcn.training import checkpoints

EXAMPLES = pathlib.Path(__file__).parent / "examples"
TINY = [
    *("clipframe_mode.num_frames_per_clip=3", "callbacks=minimal", "batch_size=2"),
    *("backbone.image_size=[16,16]", "workflow.units=4"),
]

pytestmark = pytest.mark.slow


@pytest.fixture(autouse=True)
def elsewhere(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("LRCN_CACHE", str(tmp_path / "cache"))


@pytest.fixture
def data(write_records):
    train = write_records((6, 7, 5, 8), name="train")
    val = write_records((6, 5), name="val")
    return ["dataset=records", f"dataset.train={train.path}", f"dataset.val={val.path}"]


def run(capsys, *arguments):
    code = cli.main([str(argument) for argument in arguments])
    out, err = capsys.readouterr()
    return code, out, err


def check_told(code, err, *expected):
    assert code == 1, err
    told = [line for line in err.splitlines() if line.startswith("error: ")]
    assert len(told) == 1, err
    for part in expected:
        assert part in told[0]
    assert "Traceback" not in err and "bug in lrcn" not in err


def after_the_first_epoch(monkeypatch, folder):
    real = checkpoints.save

    def save(*arguments):
        real(*arguments)
        shutil.rmtree(folder, ignore_errors=True)

    monkeypatch.setattr(checkpoints, "save", save)


def test_the_records_of_a_training(capsys, tmp_path, data, monkeypatch):
    after_the_first_epoch(monkeypatch, tmp_path / "records")
    code, _, err = run(capsys, "train", *data, *TINY, "epochs=3", "hydra.run.dir=run")
    check_told(code, err, "records")
    assert runs.RunDirectory("run").failure is not None
    assert runs.RunDirectory("run").last.exists()  # what was trained stays


def test_the_folder_of_a_run(capsys, tmp_path, data, monkeypatch):
    after_the_first_epoch(monkeypatch, tmp_path / "run")
    code, _, err = run(capsys, "train", *data, *TINY, "epochs=1", "hydra.run.dir=run")
    check_told(code, err, "run")
    assert not runs.RunDirectory("run").is_done


def test_what_predict_reads(capsys, tmp_path, data, monkeypatch):
    assert run(capsys, "train", *data, *TINY, "epochs=1", "hydra.run.dir=run")[0] == 0
    inputs = [tmp_path / "a.mp4", tmp_path / "b.mp4"]
    for path in inputs:
        shutil.copy(EXAMPLES / "videos" / "val_left_0.mp4", path)
    real = windows.scored

    def scored(item, *arguments):
        inputs[1].unlink(missing_ok=True)
        return real(item, *arguments)

    monkeypatch.setattr(windows, "scored", scored)
    code, out, err = run(capsys, "predict", "run=run", f"input=[{inputs[0]},{inputs[1]}]")
    assert code == 1
    assert out.count("\n") == 1 and "a.mp4" in out
    assert "b.mp4: video cannot be opened or decoded. Received: no such file" in err
    assert "1 of 2 inputs could not be predicted" in err
    assert "Traceback" not in err
    code, out, err = run(capsys, "predict", "run=run", f"input={inputs[0]}", "overlay=out/a.mp4")
    assert code == 0, err
    shutil.rmtree("run/checkpoints")
    code, out, err = run(capsys, "predict", "run=run", f"input={inputs[0]}")
    check_told(code, err, "run: the run has no checkpoint")


def test_the_records_of_an_evaluation(capsys, tmp_path, data, monkeypatch):
    assert run(capsys, "train", *data, *TINY, "epochs=1", "hydra.run.dir=run")[0] == 0
    real = datasets.records_of

    def records_of(*arguments, **options):
        paths = real(*arguments, **options)
        for path in paths.values():
            path.unlink()
        return paths

    monkeypatch.setattr(datasets, "records_of", records_of)
    code, out, err = run(capsys, "evaluate", "run=run", "split=val")
    check_told(code, err, "val.tfrecord")
    assert out == ""
    assert not (tmp_path / "run" / "evaluation" / "val" / "metrics.json").exists()
