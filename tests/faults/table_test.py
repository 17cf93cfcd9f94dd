"""The table of faults in the README is the one of the tests, and each of its tests is there."""

import ast
import importlib.util
import pathlib
import sys

import pytest

import faults
from faults import table

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent
ELSEWHERE = [row for subject in faults.SUBJECTS for row in subject.elsewhere]


def test_the_readme_holds_the_table_of_the_tests():
    text = table.README.read_text(encoding="utf-8")
    wanted = table.replaced(text, table.rendered(faults.SUBJECTS))
    assert text == wanted, f"the table in README.md is out of date: run `{table.COMMAND}`"


@pytest.mark.parametrize("row", ELSEWHERE, ids=lambda row: row.test.rpartition("::")[2])
def test_a_test_that_stands_elsewhere_is_there(row):
    file, _, name = row.test.partition("::")
    module = ast.parse((ROOT / file).read_text(encoding="utf-8"))
    assert name in {node.name for node in module.body if isinstance(node, ast.FunctionDef)}


def test_a_readme_without_the_marks_is_refused():
    with pytest.raises(ValueError, match="README.md lacks <!-- fault table"):
        table.replaced("text", "rows")
    with pytest.raises(ValueError, match="README.md lacks <!-- end"):
        table.replaced(f"text {table.BEGIN}", "rows")


def test_the_script_writes_the_table(monkeypatch, tmp_path, capsys):
    stale = tmp_path / "README.md"
    stale.write_text(f"before\n{table.BEGIN}\nstale row\n{table.END}\nafter\n")
    monkeypatch.setattr(table, "README", stale)
    monkeypatch.setattr(sys, "path", list(sys.path))
    spec = importlib.util.spec_from_file_location("fault_table", ROOT / "scripts/fault_table.py")
    script = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(script)
    assert script.main() == 0
    count = sum(len(subject.faults) for subject in faults.SUBJECTS)
    assert capsys.readouterr().out.startswith(f"README.md: {count} bad inputs, ")
    text = stale.read_text()
    assert "| empty list | what a line should hold (1) | `lists-empty` |" in text
    assert text.startswith("before\n") and text.endswith("\nafter\n") and "stale row" not in text


def test_only_what_stands_between_the_marks_is_replaced():
    text = f"before\n{table.BEGIN}\nold\n{table.END}\nafter\n"
    assert table.replaced(text, "new\n") == f"before\n{table.BEGIN}\n\nnew\n\n{table.END}\nafter\n"


def test_a_bar_in_a_cell_does_not_end_it():
    assert table._cell("a|b") == "a\\|b"
