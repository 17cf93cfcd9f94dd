"""The worked examples of `docs/pages/adding`: their own blocks are what is run."""

import json
import pathlib
import shutil
import subprocess
import sys

import pytest

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent
PAGES = ROOT / "docs" / "pages" / "adding"
WORKED = ("backbone", "dataset", "workflow")


@pytest.fixture
def copy(tmp_path):
    """A copy of what a page works on."""
    for name in ("lrcn", "conf", "tests/examples"):
        shutil.copytree(ROOT / name, tmp_path / name, ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(ROOT / "pyproject.toml", tmp_path)
    return tmp_path


@pytest.fixture(params=WORKED)
def added(request, copy, blocks):
    """A page, its files and changes put into the copy."""
    page = PAGES / f"{request.param}.md"
    for block in blocks.of_page(page):
        if block.title:
            blocks.put(block, copy)
    return page


def test_every_example_is_run():
    assert {page.stem for page in PAGES.glob("*.md")} == {"index", *WORKED}


def test_the_blocks_of_a_page_fit_the_code(added, copy, blocks):
    changed = {block.title for block in blocks.of_page(added) if block.title}
    assert f"conf/{added.stem}" in {str(pathlib.PurePath(title).parent) for title in changed}
    for title in changed:
        text = (copy / title).read_text(encoding="utf-8")
        assert len(text.splitlines()) <= 400, title
        if title.endswith(".py"):
            compile(text, title, "exec")


@pytest.mark.extras
def test_what_a_page_adds_is_trained_evaluated_and_used(added, copy, blocks):
    verbs = [body[0] for kind, body in blocks.steps(added) if kind == "lrcn"]
    assert {"train", "evaluate", "predict"} <= set(verbs)
    printed = blocks.run(added, copy, copy)
    predicted = [json.loads(line) for line in printed.splitlines() if line.startswith("{")]
    assert len(predicted) == verbs.count("predict")
    assert all(0 < line["probability"] <= 1 for line in predicted)


@pytest.mark.extras
def test_what_a_page_adds_is_as_the_rest_is_written(added, copy):
    for command in (["check", "--quiet"], ["format", "--check", "--quiet"]):
        ruff = [sys.executable, "-m", "ruff", *command, "lrcn"]
        done = subprocess.run(ruff, cwd=copy, capture_output=True, text=True)
        assert done.returncode == 0, done.stdout
