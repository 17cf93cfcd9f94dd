import pytest

from lrcn.inference import sweeps
from lrcn.report import sweep


def job(folder, seed, units, *, status="DONE", reason="", **metrics):
    overrides = {"epochs": "2", "workflow.units": str(units), "seed": str(seed)}
    return sweeps.Job(folder / f"seed={seed},u={units}", overrides, status, metrics, reason)


@pytest.fixture
def folder(tmp_path):
    jobs = [
        job(tmp_path, 0, 4, video_accuracy=0.5, test_video_accuracy=0.4, test_videos=20),
        job(tmp_path, 1, 4, video_accuracy=0.7, test_video_accuracy=0.6, test_videos=20),
        job(tmp_path, 0, 8, video_accuracy=0.9, test_video_accuracy=0.8, test_videos=20),
        job(tmp_path, 1, 8, status="FAILED", reason="loss: it is NaN"),
    ]
    sweeps.write_summary(tmp_path, jobs)
    return tmp_path


def test_what_was_written_is_read(folder):
    jobs = sweep.read(folder)
    assert [own.status for own in jobs] == ["DONE", "DONE", "DONE", "FAILED"]
    assert jobs[0].overrides == {"epochs": "2", "workflow.units": "8", "seed": "0"}
    assert jobs[0].metrics == {
        "video_accuracy": 0.9,
        "test_video_accuracy": 0.8,
        "test_videos": 20,
    }
    assert jobs[3].reason == "loss: it is NaN" and not jobs[3].metrics


def test_the_page_tells_jobs_seeds_failures_and_what_is_common(folder, parse, self_contained):
    page = parse(sweep.page(folder, folder / "report.html"))
    self_contained(page)
    assert {"settings", "seeds", "jobs", "failed", "same"} <= page.ids
    assert "which differ in workflow.units, seed; judged by video accuracy" in page.text
    assert "0.6000 ± 0.1414" in page.text  # of the two seeds of 4 units
    assert "3 done" in page.text and "loss: it is NaN" in page.text
    assert "workflow.units=8, seed=1" in page.text
    assert "± 0.0000" not in page.text  # how many videos there are has no spread
    assert len(page.all("table")) == 4


def test_a_report_of_a_run_is_linked_relatively(folder, parse):
    (folder / "seed=0,u=8").mkdir()
    (folder / "seed=0,u=8" / "report.html").write_text("its page")
    page = parse(sweep.page(folder, folder / "report.html"))
    assert [u for u in page.urls if not u.startswith("#")] == ["./seed%3D0%2Cu%3D8/report.html"]
    elsewhere = parse(sweep.page(folder, folder / "pages" / "report.html"))
    assert not [u for u in elsewhere.urls if not u.startswith("#")]


def test_the_verb_writes_into_the_sweep(folder, capsys):
    from lrcn import cli

    assert cli.main(["report", f"run={folder}"]) == 0
    assert (folder / "report.html").exists()
    assert f"results: {folder / 'report.html'}" in capsys.readouterr().err


def test_one_setting_alone_has_no_seeds(tmp_path, parse):
    sweeps.write_summary(tmp_path, [job(tmp_path, 0, 4, cider=0.3)])
    page = parse(sweep.page(tmp_path, tmp_path / "report.html"))
    assert "seeds" not in page.ids and "failed" not in page.ids
