"""The worked examples of `docs/pages/adding`: their own blocks are what is run."""

import importlib.util
import json
import os
import pathlib
import shlex
import shutil
import subprocess
import sys

import pytest

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent
PAGES = ROOT / "docs" / "pages" / "adding"
WORKED = ("backbone", "workflow", "dataset")
# Runs the steps of a page in one process, which imports TensorFlow once.
RUNNER = """
import json, sys
from lrcn import cli
for kind, body in json.loads(sys.argv[1]):
    if kind == "python":
        exec(compile(body, "the page", "exec"), {"__name__": "page"})
    elif code := cli.main(body):
        sys.exit(f"{code} of {body}")
"""

_spec = importlib.util.spec_from_file_location(
    "blocks", pathlib.Path(__file__).parent / "blocks.py"
)
blocks = importlib.util.module_from_spec(_spec)
sys.modules["blocks"] = blocks
_spec.loader.exec_module(blocks)


@pytest.fixture
def copy(tmp_path):
    """A copy of what a page works on."""
    for name in ("lrcn", "conf", "tests/examples"):
        shutil.copytree(ROOT / name, tmp_path / name, ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(ROOT / "pyproject.toml", tmp_path)
    return tmp_path


def steps(page):
    """Returns the commands and programs of a page in order."""
    for block in blocks.of_page(page):
        if block.language == "sh":
            commands = [shlex.split(line) for line in block.text.splitlines()]
            assert all(command[0] == "lrcn" for command in commands)
            yield from (["lrcn", command[1:]] for command in commands)
        elif block.language == "python" and not block.title:
            yield ["python", block.text]


@pytest.mark.parametrize("name", WORKED)
def test_the_blocks_of_a_page_fit_the_code(copy, name):
    titled = [block for block in blocks.of_page(PAGES / f"{name}.md") if block.title]
    for block in titled:
        blocks.put(block, copy)
    for file in {block.title for block in titled if block.title.endswith(".py")}:
        compile((copy / file).read_text(encoding="utf-8"), file, "exec")
        assert len((copy / file).read_text(encoding="utf-8").splitlines()) <= 400


def test_every_example_is_run():
    assert {page.stem for page in PAGES.glob("*.md")} == {"index", *WORKED}


@pytest.mark.extras
@pytest.mark.parametrize("name", WORKED)
def test_what_a_page_adds_is_trained_evaluated_and_used(copy, name):
    page = PAGES / f"{name}.md"
    for block in blocks.of_page(page):
        if block.title:
            blocks.put(block, copy)
    told = list(steps(page))
    verbs = [body[0] for kind, body in told if kind == "lrcn"]
    assert {"train", "evaluate", "predict"} <= set(verbs)
    environment = {**os.environ, "PYTHONPATH": str(copy), "LRCN_CACHE": str(copy / "cache")}
    done = subprocess.run(
        [sys.executable, "-c", RUNNER, json.dumps(told)],
        cwd=copy,
        env=environment,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr[-4000:]
    predicted = [json.loads(line) for line in done.stdout.splitlines() if line.startswith("{")]
    assert len(predicted) == verbs.count("predict")
    assert all(0 < line["probability"] <= 1 for line in predicted)
    lint = [sys.executable, "-m", "ruff", "check", "--quiet", "lrcn"]
    checked = subprocess.run(lint, cwd=copy, capture_output=True, text=True)
    assert checked.returncode == 0, checked.stdout
