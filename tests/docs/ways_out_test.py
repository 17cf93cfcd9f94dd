"""`docs/pages/ways-out.md`: its commands are run, and its tables hold what is written."""

import json
import pathlib
import re
import shlex

import pytest

from lrcn import help, settings

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent
PAGE = ROOT / "docs" / "pages" / "ways-out.md"


@pytest.fixture(scope="module")
def made(blocks, tmp_path_factory):
    """The folder in which the commands of the page were run, and what they printed."""
    for name in ("onnx", "onnxruntime", "tf2onnx"):
        pytest.importorskip(name, reason="needs the extra onnx")
    folder = tmp_path_factory.mktemp("ways-out")
    (folder / "tests").symlink_to(ROOT / "tests")
    return folder, blocks.run(PAGE, folder, ROOT)


def first_cells(heading):
    text = PAGE.read_text(encoding="utf-8").partition(f"## {heading}\n")[2].partition("\n## ")[0]
    return re.findall(r"^\| `?([^`|]+?)`? \|", text, re.MULTILINE)[1:]


def test_commands_that_serve_use_keys_that_there_are(blocks):
    (block,) = [block for block in blocks.of_page(PAGE) if block.language == "console"]
    for command in map(shlex.split, block.text.splitlines()):
        assert command[:2] == ["lrcn", "demo"]
        keys = {override.partition("=")[0] for override in command[2:]}
        assert keys <= set(help.known_keys("demo", "x")[1])
    assert "demo" in settings.VERBS


@pytest.mark.extras
def test_what_comes_out(made):
    run = made[0] / "outputs" / "first"
    assert "<html" in (run / "report.html").read_text(encoding="utf-8")
    contracts = [
        json.loads(file.read_text(encoding="utf-8"))
        for file in made[0].glob("outputs/*/export/*/contract.json")
    ]
    assert {own["format"] for own in contracts} == {"saved_model", "onnx", "litert"}
    told = first_cells("Export")
    for own in contracts:
        absent = {"captions" if own["task"] == "classes" else "labels"}
        absent |= set() if "time" in own["inputs"][0]["shape"] else {"windows"}
        assert list(own) == [key for key in told if key not in absent]
    assert re.search(r"^answer: (left|right) 0?\.\d+", made[1], re.MULTILINE)


@pytest.mark.extras
def test_the_card_has_its_sections(made):
    card = (made[0] / "outputs" / "first" / "MODEL_CARD.md").read_text(encoding="utf-8")
    assert re.findall(r"^## (.+)$", card, re.MULTILINE) == first_cells("Model card")
