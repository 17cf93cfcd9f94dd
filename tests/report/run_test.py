import json
import shutil

import pytest

from lrcn import files, runs
from lrcn.report import classes

pytest.importorskip("tensorflow")

SECTIONS = {"curves", "confusion", "classes", "items", "settings", "cost"}
VALUES = [[0.9, 0.1], [0.4, 0.6], [0.2, 0.8]]


def test_the_page_of_a_run_holds_everything_and_needs_nothing(shapes, report, self_contained):
    code, page, err = report(shapes.path, "items=3")
    assert code == 0, err
    self_contained(page)
    assert page.ids >= SECTIONS
    contents = {a["href"] for a in page.all("a") if a["href"].startswith("#")}
    assert {href[1:] for href in contents} <= page.ids
    found = classes.read(shapes, "test")
    told = classes.headline(found)
    assert f"{100 * told.value:.1f} % video accuracy on test" in page.text
    assert "16 videos" in page.text and "always saying" in page.text
    assert "config.json" in page.text and '"num_frames_per_clip": 4' in page.text
    assert "parameters" in page.text and "size of best.keras" in page.text
    shown = min(3, int(found.is_right.sum())) + min(3, int((~found.is_right).sum()))
    assert len(page.all("article")) == shown
    # Of each: what moves, 6 frames in time and 4 of the window with heat; all with words.
    assert len(page.all("img")) == shown * (1 + 6 + 4)
    assert all(own.get("alt") for own in page.all("img"))
    assert len(page.all("source")) == shown  # a still for who wants no motion
    assert "next: lrcn demo run=" in err and "page.html" in err


def test_by_default_the_page_stands_in_the_run(shapes, tmp_path, capsys):
    from lrcn import cli

    run = runs.RunDirectory(shutil.copytree(shapes.path, tmp_path / "run"))
    (run.path / "MODEL_CARD.md").unlink()
    assert cli.main(["report", f"run={run.path}", "items=1"]) == 0
    assert "The run is done." in (run.path / "MODEL_CARD.md").read_text()
    assert (run.path / "report.html").read_text("utf-8").startswith("<!doctype html>")
    assert f"results: {run.path / 'report.html'}" in capsys.readouterr().err


def test_a_split_that_was_not_evaluated_is(shapes, report, tmp_path):
    run = runs.RunDirectory(shutil.copytree(shapes.path, tmp_path / "run"))
    shutil.rmtree(run.evaluation("test"))
    code, page, err = report(run.path, "split=val", "items=1")
    assert code == 0, err
    assert (run.evaluation("val") / "metrics.json").exists()
    assert "The run was evaluated on val for this page." in page.text
    assert "video accuracy on val" in page.text


def test_a_network_that_came_after_its_evaluation_is_told(shapes, report, tmp_path):
    run = runs.RunDirectory(shutil.copytree(shapes.path, tmp_path / "run"))
    assert "earlier checkpoint" not in report(run.path, "items=1")[1].text
    file = run.evaluation("test") / "protocol.json"
    file.write_text(json.dumps({**json.loads(file.read_text()), "checkpoint_sha256": "0" * 64}))
    assert "is of an earlier checkpoint" in report(run.path, "items=1")[1].text


@pytest.mark.parametrize("spoilt", ["gone", "changed"])
def test_without_the_records_the_page_says_why_there_are_no_pictures(
    shapes, report, tmp_path, spoilt
):
    run = runs.RunDirectory(shutil.copytree(shapes.path, tmp_path / "run"))
    file = run.evaluation("test") / "protocol.json"
    other = {"records": "/nowhere/a.tfrecord"} if spoilt == "gone" else {"digest": "0"}
    file.write_text(json.dumps({**json.loads(file.read_text()), **other}))
    code, page, err = report(run.path)
    assert code == 0, err
    assert not page.all("img") and page.all("article")
    reason = "/nowhere/a.tfrecord" if spoilt == "gone" else "changed since the evaluation"
    assert "No pictures here: " in page.text and reason in page.text
    assert "report: no pictures: " in err


@pytest.mark.parametrize("state", ["failed", "training", "stopped"])
def test_a_run_that_is_not_done_says_so_on_top(write_run, report, state):
    run = write_run("run", values=VALUES, done=False)
    run.history_file.write_text("epoch,loss,accuracy\n1,2.0,0.1\n2,1.0,0.5\n")
    if state == "failed":
        (run.path / "FAILED").write_text("loss: it is NaN\n")
    if state == "training":
        with files.locked(run.path / files.LOCK, waiting=lambda: None):
            code, page, err = report(run.path)
    else:
        code, page, err = report(run.path)
    assert code == 0, err
    (told,) = [a for a in page.all("p") if a.get("class", "").startswith("state")]
    assert told["class"] == f"state {state}"
    begin = page.text.partition("Curves")[2][:600]
    words = {"failed": "loss: it is NaN", "training": "still training", "stopped": "was stopped"}
    assert words[state] in begin
    assert "report: The run" in err
    assert {"curves", "classes"} <= page.ids


def test_a_run_without_an_evaluation_is_shown_without(write_run, report):
    run = write_run("run", values=VALUES, done=False, splits=())
    run.history_file.write_text("epoch,loss\n1,2.0\n")
    code, page, err = report(run.path)
    assert code == 0, err
    assert "Nothing was evaluated for this page, as the state of the run is: stopped." in page.text
    assert "curves" in page.ids and "items" not in page.ids


def test_a_done_run_that_cannot_be_evaluated_says_why(write_run, report):
    run = write_run("run", values=VALUES, splits=())
    run.history_file.write_text("epoch,loss\n1,2.0\n")
    code, page, err = report(run.path)
    assert code == 0, err
    assert "could not be evaluated for this page" in page.text and "no checkpoint" in page.text


def test_many_classes_fit_into_a_page(write_run, report, self_contained):
    import numpy as np

    names = tuple(f"class {index}" for index in range(101))
    values = np.eye(101)[[*range(101), 5]]
    run = write_run("run", values=values, truth=[*range(101), 6], names=names)
    code, page, err = report(run.path)
    assert code == 0, err
    self_contained(page)
    (matrix,) = [a for a in page.all("svg") if a.get("class") == "matrix"]
    assert matrix["aria-label"] == "Confusion matrix of 101 classes"
    cells = [a for a in page.all("rect") if a.get("class") == "cell"]
    assert len(cells) == 102
    assert len(page.source) < 400_000


def test_the_best_figure_is_told_over_the_seeds_that_ran(write_run, report):
    for seed, second in ((0, [0.7, 0.3]), (1, [0.2, 0.8])):
        own = write_run(f"s{seed}", f"seed={seed}", values=[[0.9, 0.1], second], truth=[0, 1])
    code, page, _ = report(own.path)
    assert code == 0
    assert "over 2 seeds: 75.0 % ± 35.4 %, mean and standard deviation" in page.text


@pytest.mark.parametrize(
    ("name", "says"),
    [("my.val", "a report is a page for a browser"), ("mine.html", "the file is no report")],
)
def test_a_report_writes_over_no_file_that_is_none(write_run, tmp_path, capsys, name, says):
    from lrcn import cli

    own = write_run("run", values=[[0.9, 0.1]])
    file = tmp_path / name
    file.write_text("a.mp4 0\n")
    assert cli.main(["report", f"run={own.path}", f"output={file}"]) == 1
    assert f"output: {says}" in capsys.readouterr().err
    assert file.read_text() == "a.mp4 0\n"


def test_a_report_is_made_again_in_its_place(write_run, report):
    own = write_run("run", values=[[0.9, 0.1]])
    assert report(own.path)[0] == 0
    assert report(own.path)[0] == 0


def test_figures_of_the_split_that_chose_the_epoch_are_told_as_such(write_run, report):
    own = write_run("run", values=[[0.9, 0.1]], splits=("val", "test"))
    assert "has chosen the epoch" in report(own.path, "split=val")[1].text
    assert "has chosen the epoch" not in report(own.path, "split=test")[1].text
