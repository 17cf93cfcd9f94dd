"""The tour: its own commands, in their order, in a folder that has the examples alone."""

import json
import pathlib

import pytest

from lrcn import help

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent
PAGE = ROOT / "docs" / "pages" / "index.md"


@pytest.mark.extras
def test_the_tour_runs_as_it_is(blocks, tmp_path):
    (tmp_path / "tests").symlink_to(ROOT / "tests")
    printed = blocks.run(PAGE, tmp_path, ROOT)
    lines = [json.loads(line) for line in printed.splitlines() if line.startswith("{")]
    assert [("caption" in line) for line in lines] == [False] * 5 + [True]
    for folder in ("first", "words", "rgb", "flow"):
        assert (tmp_path / "outputs" / folder / "DONE").exists()
    for file in (
        "labelled.mp4",
        "pictures/clips.png",
        "multirun/both/summary.csv",
        "outputs/first/report.html",
        "outputs/first/export/saved_model/contract.json",
    ):
        assert (tmp_path / file).stat().st_size


def test_the_tour_uses_verbs_that_there_are(blocks):
    verbs = {body[0] for kind, body in blocks.steps(PAGE) if kind == "lrcn"}
    assert verbs <= set(help.VERBS)
    assert {
        "check",
        "browse",
        "serialize",
        "train",
        "evaluate",
        "predict",
        "report",
        "export",
    } <= verbs
