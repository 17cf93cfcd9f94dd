import csv
import io
import json

import pytest
from PIL import Image
from rich import console

from lrcn.inference import sweeps


def _job(root, name, overrides, *, metrics=None, failure=None, done=True, test=None):
    folder = root / name
    folder.mkdir(parents=True)
    (folder / "config.json").write_text(json.dumps({"overrides": overrides}))
    if metrics:
        (folder / "metrics.json").write_text(json.dumps(metrics))
    if test:
        (folder / "evaluation/test").mkdir(parents=True)
        (folder / "evaluation/test/metrics.json").write_text(json.dumps(test))
    if failure is not None:
        (folder / "FAILED").write_text(failure)
    elif done:
        (folder / "DONE").write_text("")


@pytest.fixture
def sweep(tmp_path):
    shared = ["epochs=2"]
    for seed, (lstm, single) in enumerate([(0.8, 0.6), (0.9, 0.5)]):
        _job(
            tmp_path,
            f"seed={seed},workflow=lstm",
            [*shared, "workflow=lstm", f"seed={seed}"],
            metrics={"video_accuracy": lstm, "loss": 1.0, "label": "x"},
            test={"video_accuracy": lstm - 0.1},
        )
        _job(
            tmp_path,
            f"seed={seed},workflow=singleframe",
            [*shared, "workflow=singleframe", f"seed={seed}"],
            metrics={"video_accuracy": single, "loss": 2.0},
        )
    _job(tmp_path, "bad", [*shared, "workflow=bad", "seed=0"], failure="loss is NaN. Lower\nmore")
    _job(tmp_path, "cut", [*shared, "workflow=cut", "+seed=0"], done=False)
    return tmp_path


def _read(root):
    """The jobs below a folder with the overrides that their `config.json` holds."""
    files = sorted(root.glob("*/config.json"))
    stored = [(file.parent, json.loads(file.read_text())["overrides"]) for file in files]
    return [sweeps.read_job(folder, overrides) for folder, overrides in stored]


def _printed(table):
    text = io.StringIO()
    console.Console(file=text, width=200).print(table)
    return text.getvalue()


def test_summary_csv_is_sorted_and_complete(sweep):
    jobs = _read(sweep)
    sweeps.write_summary(sweep, jobs)
    rows = list(csv.DictReader(io.StringIO((sweep / "summary.csv").read_text())))
    assert [row["video_accuracy"] for row in rows] == ["0.9", "0.8", "0.6", "0.5", "", ""]
    assert rows[0]["workflow"] == "lstm"
    assert rows[0]["seed"] == "1"
    assert rows[0]["epochs"] == "2"
    assert float(rows[0]["test_video_accuracy"]) == pytest.approx(0.8)
    assert rows[0]["run"] == "seed=1,workflow=lstm"
    assert "label" not in rows[0]
    failed = next(row for row in rows if row["status"] == "FAILED")
    assert failed["reason"] == "loss is NaN. Lower"
    assert [row["status"] for row in rows].count("unfinished") == 1
    with Image.open(sweep / "summary.png") as picture:
        picture.verify()


def test_settings_are_averaged_over_seeds(sweep):
    groups = sweeps.grouped(_read(sweep), "video_accuracy")
    assert groups[:2] == [("workflow=lstm", [0.8, 0.9]), ("workflow=singleframe", [0.6, 0.5])]
    assert {name for name, scores in groups[2:] if not scores} == {"workflow=bad", "workflow=cut"}


def test_table_shows_what_varies_and_what_failed(sweep):
    text = _printed(sweeps.table(_read(sweep)))
    assert text.index("0.9000") < text.index("0.8000") < text.index("0.5000")
    assert text.count("FAILED") == 1
    assert "loss is NaN" not in text  # a reason takes the room of the rest
    assert "epochs" not in text
    assert "6 jobs by video accuracy" in text


def test_seeds_table_gives_mean_and_spread(sweep):
    text = _printed(sweeps.seeds_table(_read(sweep)))
    assert "0.8500 ± 0.0707" in text
    assert "0.5500 ± 0.0707" in text
    assert "test video accuracy" in text
    assert "0.7500 ± 0.0707" in text


def test_no_seeds_table_without_repeats(tmp_path):
    _job(tmp_path, "a", ["pooling=avg"], metrics={"video_accuracy": 0.5})
    assert sweeps.seeds_table(_read(tmp_path)) is None


def test_a_job_that_broke_before_its_first_file_is_a_row_all_the_same(tmp_path):
    (tmp_path / "a").mkdir()
    (tmp_path / "a" / "FAILED").write_text("")
    job = sweeps.read_job(tmp_path / "a", ["pooling=last", "+a.b=[1,2]"])
    assert (job.status, job.reason) == ("FAILED", "")
    assert job.overrides == {"pooling": "last", "a.b": "[1,2]"}
    assert "FAILED" in _printed(sweeps.table([job]))


def test_a_request_that_was_refused_is_a_failed_row_though_the_run_is_done(tmp_path):
    _job(tmp_path, "a", ["x=1"], metrics={"video_accuracy": 0.5})
    job = sweeps.read_job(tmp_path / "a", ["x=1"], error=ValueError("another\nvalue"))
    assert (job.status, job.reason) == ("FAILED", "another value")
    assert sweeps.grouped([job], "video_accuracy") == [("x=1", [])]


def test_markup_in_an_override_is_shown_as_it_is(tmp_path):
    _job(tmp_path, "a", ["x=[/key]"], failure="bad")
    assert "[/key]" in _printed(sweeps.table(_read(tmp_path)))


def test_jobs_without_validation_are_sorted_by_what_they_were_evaluated_on(tmp_path):
    for seed, accuracy in enumerate([0.5, 0.9, 0.7]):
        test = {"video_accuracy": accuracy, "loss": 1.0}
        _job(tmp_path, f"{seed}", [f"seed={seed}"], metrics={"epoch": 3}, test=test)
    jobs = _read(tmp_path)
    assert sweeps.choose_metric(jobs) == "test_video_accuracy"
    sweeps.write_summary(tmp_path, jobs)
    rows = list(csv.DictReader(io.StringIO((tmp_path / "summary.csv").read_text())))
    assert [row["seed"] for row in rows] == ["1", "2", "0"]
    assert _printed(sweeps.seeds_table(jobs)).count("0.7000 ± 0.2000") == 1


def test_multi_label_sweeps_are_sorted_by_mean_average_precision(tmp_path):
    _job(tmp_path, "a", ["x=1"], metrics={"video_map": 0.5})
    assert sweeps.choose_metric(_read(tmp_path)) == "video_map"
