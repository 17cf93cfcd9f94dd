import html

import pytest

from lrcn.inference import sweeps
from lrcn.report import captions, sweep

pytest.importorskip("tensorflow")

EVIL = "\"><img src=x onerror=alert(1)><script>alert(2)</script>' onload=alert(3) </style>{{7*7}}"


def require_harmless(page, self_contained):
    self_contained(page)
    assert len(page.all("style")) == 1
    assert "alert(2)" in page.text and "{{7*7}}" in page.text  # it is there, as text
    assert html.escape("<script>alert(2)") in page.source.replace("&#34;", "&quot;")
    (policy,) = [a["content"] for a in page.all("meta") if "http-equiv" in a]
    assert "default-src 'none'" in policy and "script-src 'sha256-" in policy
    assert "unsafe-inline'; script" not in policy.partition("script-src")[2]


def test_names_of_strangers_stay_text(write_run, report, self_contained):
    run = write_run(
        "run",
        values=[[0.9, 0.1], [0.4, 0.6], [0.3, 0.7]],
        ids=[EVIL, "b", "c"],
        truth=[0, 0, 1],
        names=(EVIL + "1", EVIL + "2"),
        done=False,
    )
    config = run.read_config()
    run.write_config({**config, "overrides": [EVIL], "name": EVIL})
    (run.path / "FAILED").write_text(EVIL)
    run.history_file.write_text("epoch,loss,a_accuracy\n1,1,2\n")
    code, page, err = report(run.path)
    assert code == 0, err
    require_harmless(page, self_contained)


def test_captions_of_strangers_stay_text(write_captioner, report, self_contained):
    line = {"id": EVIL, "caption": EVIL, "log_probability": -1, "references": [EVIL, "a dog"]}
    other = {"id": "b", "caption": "a dog", "log_probability": -1, "references": ["a dog"]}
    found = [{"caption": EVIL, "score": 1, "right": True}]
    run = write_captioner([line, other], retrieval=[{"id": EVIL, "rank": 1, "found": found}])
    code, page, err = report(run.path)
    assert code == 0, err
    require_harmless(page, self_contained)
    assert captions.shown(run, "test", 3).best[0].caption in ("a dog", EVIL)


def test_reasons_and_folders_of_a_sweep_stay_text(tmp_path, parse, self_contained):
    job = sweeps.Job(tmp_path / "a", {"name": EVIL, "seed": "0"}, "FAILED", {}, EVIL)
    done = sweeps.Job(tmp_path / "javascript:alert(1)", {"name": "b"}, "DONE", {"cider": 0.5})
    sweeps.write_summary(tmp_path, [job, done])
    page = parse(sweep.page(tmp_path, tmp_path / "report.html"))
    require_harmless(page, self_contained)
