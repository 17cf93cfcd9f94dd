"""`lrcn fuse` as users type it: tiny real runs once, else the folders that runs leave."""

import json

import numpy as np
import pytest

from lrcn import cli, runs

TINY = [
    *("dataset.train=16", "dataset.val=8", "dataset.test=8", "dataset.size=24", "epochs=1"),
    *("dataset.num_frames=6", "clipframe_mode.num_frames_per_clip=4", "callbacks=minimal"),
    *("backbone.image_size=[16,16]", "batch_size=8"),
]
A = [[0.6, 0.4]] * 3 + [[0.4, 0.6]] * 3
B = [[0.45, 0.55]] * 3 + [[0.8, 0.2]] * 3


def run(capsys, *arguments):
    code = cli.main([str(argument) for argument in arguments])
    out, err = capsys.readouterr()
    return code, out, err


def rows_of(out):
    """The cells of each line of the printed tables."""
    return [[cell for cell in line.split("  ") if cell.strip()] for line in out.splitlines()]


@pytest.mark.slow
def test_two_tiny_runs_are_evaluated_and_fused(capsys, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("LRCN_CACHE", str(tmp_path / "cache"))
    sweep = ["-m", "name=s", "workflow=singleframe,lstm", "seed=0,1"]
    code, _, err = run(capsys, "train", *sweep, *TINY)
    assert code == 0, err
    # The folders hold commas and equals signs, which Hydra cannot read bare.
    given = "runs=[multirun/s/*workflow=singleframe*,multirun/s/*workflow=lstm*]"
    code, out, err = run(capsys, "fuse", given)
    assert code == 0, err
    assert err.count("fuse: evaluating multirun/s/seed=") == 8  # four runs on test and on val
    assert "fuse: chosen on val: " in err
    assert out.startswith("fused on test: 8 items")
    assert "over 8 items without groups" in out
    assert "video_accuracy of 2 seeds" in out
    (file,) = (tmp_path / "multirun").rglob("fusion.json")
    assert f"results: {file.parent.relative_to(tmp_path)}" in err
    assert f"picture: {file.parent.relative_to(tmp_path)}/fusion.png" in err
    report = json.loads(file.read_text())
    assert [own["seed"] for own in report["streams"][0]["runs"]] == [0, 1]
    # What was saved is what the run itself would say: its metrics from its probabilities.
    for own in report["streams"][1]["runs"]:
        folder = runs.RunDirectory(own["run"]).evaluation("test")
        lines = (folder / "probabilities.csv").read_text().splitlines()[1:]
        cells = [line.split(",") for line in lines]
        right = [np.argmax(np.array(cell[3:], float)) == int(cell[2]) for cell in cells]
        metrics = json.loads((folder / "metrics.json").read_text())
        assert np.mean(right) == metrics["video_accuracy"]
    code, again, err = run(capsys, "fuse", given, "weights=[.25,.75]", "split=val")
    assert code == 0, err
    assert "evaluating" not in err
    assert again.startswith("fused on val: 8 items")


def test_saved_probabilities_need_no_network(capsys, write_run, tmp_path):
    both = {"splits": ("test", "val"), "groups": ["g"] * 3 + ["h"] * 3}
    a = write_run("a", values=A, modality="rgb", **both)
    b = write_run("b", values=B, modality="flow", **both)
    code, out, err = run(capsys, "fuse", f"runs=[{a.path},{b.path}]")
    assert code == 0, err
    lines = [[cell.strip() for cell in row] for row in rows_of(out)]
    assert ["rgb", "1", "0", "0.5000", "1.0000"] in [line[:5] for line in lines]
    assert ["1/3, 2/3 (paper)", "0.3333", "0.6667", "1.0000", "1.0000"] in [x[:5] for x in lines]
    assert ["1/2, 1/2", "flow", "+0.5000", "[+0.0000, +1.0000]"] in lines
    assert "over 2 groups" in out
    assert f"rgb: {a.path}" in err


def test_results_go_where_they_are_wanted(capsys, write_run, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    write_run("a", values=A)
    write_run("b", values=B)
    given = ("runs=[a,b]", "weights=[.5,.5]", "output_folder=out")
    assert run(capsys, "fuse", *given)[0] == 0
    assert json.loads((tmp_path / "out" / "fusion.json").read_text())["written"] == "given"
    assert not (tmp_path / "a" / "evaluation" / "test" / "fused").exists()


def test_where_val_is_reported_nothing_is_chosen(capsys, write_run):
    a, b = write_run("a", values=A, splits=("val",)), write_run("b", values=B, splits=("val",))
    code, out, err = run(capsys, "fuse", f"runs=[{a.path},{b.path}]", "split=val")
    assert code == 0, err
    assert "fuse: no free weights: val is reported, so nothing is chosen on it" in err
    assert "free" not in out


def test_without_val_nothing_is_chosen(capsys, write_run):
    a, b = write_run("a", values=A), write_run("b", values=B)
    code, out, err = run(capsys, "fuse", f"runs=[{a.path},{b.path}]")
    assert code == 0, err
    # These have no checkpoint to evaluate val with.
    assert "fuse: no free weights, which are chosen on val: " in err
    assert "free" not in out


SIX = {"values": A}
WRONG = {
    "other items": (
        [],
        {"values": A, "ids": [f"v{item}" for item in range(1, 7)]},
        "runs: the runs were evaluated on other items of test. Received: 1 missing in {b} (v0); "
        "1 missing in {a} (v6). Expected: the same items in {a} and {b}.",
    ),
    "other labels": (
        [],
        {"values": A, "truth": [0, 0, 0, 0, 0, 1]},
        "runs: the runs were told other labels of 1 items of test, such as v5. Received: 1 in {b}. "
        "Expected: 0 as in {a}.",
    ),
    "other classes": (
        [],
        {"values": A, "names": ("left", "up")},
        "runs: the runs tell other classes apart. Received: 'up' as number 1 in {b}.",
    ),
    "weights of another sum": (
        ["weights=[.5,.6]"],
        SIX,
        "weights: the weights do not sum to 1. Received: [0.5,0.6], of sum 1.1. Expected: weights "
        "of sum 1. Set weights=[0.4545455,0.5454545].",
    ),
    "a weight too many": (
        ["weights=[.5,.3,.2]"],
        SIX,
        "weights: not a weight for each stream. Received: 3 weights, [0.5,0.3,0.2], for 2 streams.",
    ),
    "a negative weight": (
        ["weights=[1.5,-.5]"],
        SIX,
        "weights: not a value of this key. Received: [1.5, -0.5]. Expected: from 0 to 1 | null.",
    ),
    "one run": (["runs=[{a}]"], SIX, "runs: there is one stream alone. Received: [{a}]."),
    "one run, with weights": (
        ["runs=[{a}]", "weights=[.5,.5]"],
        SIX,
        "runs: there is one stream alone. Received: [{a}].",
    ),
    "one run twice": (
        ["runs=[{a},{a}]"],
        SIX,
        "runs: a run is given twice. Received: {a}, by {a} and by {a}.",
    ),
    "no run": (["runs=[{a},nowhere]"], SIX, "runs: no such run. Received: nowhere."),
    "an unfinished run": (
        [],
        {"values": A, "done": False},
        "{b}: the run is not finished. Received: no mark DONE. Expected: a finished run.",
    ),
    "a folder that is a file": (
        ["output_folder={a}/config.json"],
        SIX,
        "output_folder: results cannot be written. Received: {a}/config.json: Not a directory",
    ),
    "a split without data": (["split=train"], SIX, "{a}: the run has no checkpoint."),
}


@pytest.mark.parametrize("case", WRONG)
def test_mistakes_are_one_line_on_stderr(capsys, write_run, case):
    arguments, second, message = WRONG[case]
    paths = {"a": write_run("a", **SIX).path, "b": write_run("b", **second).path}
    given = [text.format(**paths) for text in arguments]
    if not any(text.startswith("runs=") for text in given):
        given.append(f"runs=[{paths['a']},{paths['b']}]")
    code, out, err = run(capsys, "fuse", *given)
    assert (code, out) == (1, "")
    (line,) = (line for line in err.splitlines() if line.startswith("error: "))
    assert line.startswith(f"error: {message.format(**paths)}")
    assert "Traceback" not in err


def test_items_without_a_label_are_named(capsys, write_run):
    a, b = write_run("a", **SIX), write_run("b", **SIX)
    file = b.evaluation("test") / "probabilities.csv"
    file.write_text(file.read_text().replace("v5,,0,", "v5,,,"))
    code, _, err = run(capsys, "fuse", f"runs=[{a.path},{b.path}]")
    assert code == 1
    assert f"{file.parent}: there is nothing to measure by: items without a label" in err
    assert "Received: v5." in err


def test_val_of_other_items_chooses_nothing(capsys, write_run):
    both = {"splits": ("test", "val")}
    a, b = write_run("a", values=A, **both), write_run("b", values=B, **both)
    file = b.evaluation("val") / "probabilities.csv"
    file.write_text(file.read_text().replace("v0,", "w0,"))
    for more, free in ([], True), (["weights=[.5,.5]"], False):
        code, out, err = run(capsys, "fuse", f"runs=[{a.path},{b.path}]", *more)
        assert (code, "free" in out) == (0, False)
        assert ("no free weights, which are chosen on val: runs: the runs were evaluated on other "
                "items of val" in err) == free  # fmt: skip


def test_other_classes_are_refused_before_anything_is_evaluated(capsys, write_run):
    a, b = write_run("a", **SIX, splits=()), write_run("b", **SIX, splits=())
    a.write_labels(("left", "right"))
    b.write_labels(("left", "up"))
    code, _, err = run(capsys, "fuse", f"runs=[{a.path},{b.path}]", "split=test")
    assert code == 1
    assert f"runs: the runs tell other classes apart. Received: 'up' as number 1 in {b.path}" in err


def test_a_run_of_another_version_is_named(capsys, write_run):
    a, b = write_run("a", **SIX), write_run("b", **SIX)
    b.write_config({**b.read_config(), "colour": 1})
    code, _, err = run(capsys, "fuse", f"runs=[{a.path},{b.path}]")
    assert code == 2
    assert f"error: {b.config_file}: colour: " in err


def test_a_run_that_failed_is_told_with_its_reason(capsys, write_run):
    a, b = write_run("a", **SIX), write_run("b", **SIX, done=False)
    b.mark_failed(ValueError("loss is NaN"))
    code, _, err = run(capsys, "fuse", f"runs=[{a.path},{b.path}]")
    assert code == 1
    assert f"error: {b.path}: the run failed. Received: ValueError: loss is NaN." in err


def test_runs_without_brackets_are_told_how_to_write_them(capsys):
    code, _, err = run(capsys, "fuse", "runs=a,b")
    assert code == 2
    assert "put a list in brackets: 'runs=[a,b]'" in err
