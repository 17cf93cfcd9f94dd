import dataclasses
import io
import json

import pytest
import rich.console

from lrcn import errors
from lrcn.data import findings


def test_a_parted_group_is_one_finding():
    seen = {
        "train": [findings.Seen("a", group="ann"), findings.Seen("b", group="bob")],
        "test": [
            findings.Seen("c", group="ann"),
            findings.Seen("d", group="ann"),
            findings.Seen("e"),
        ],
    }
    (finding,) = findings.leakage(seen)
    assert finding.received == "group ann in train (1 items), test (2 items)"
    assert findings.leakage({"train": seen["train"], "test": []}) == []


def test_a_finding_is_the_line_of_its_error():
    error = errors.UserError(
        "no frames", where="list:3", received=0, expected="1\nor more", remedy="Fill it"
    )
    finding = findings.Finding.of(error)
    assert str(finding) == str(error)
    assert finding.received == "0"


FOUND = [
    findings.Finding("data.train:3", "no [such] file " + "x" * 150, "a [b]", "c", "Mend it"),
    findings.Finding("data.test:1", "cut short", "3 frames", "4 frames", "Replace it"),
]


def shown(terminal):
    console = rich.console.Console(file=io.StringIO(), force_terminal=terminal, width=80)
    findings.show(FOUND, console)
    return console.file.getvalue()


def test_off_a_terminal_each_finding_is_one_whole_line():
    assert shown(False).splitlines() == [str(finding) for finding in FOUND]


def test_on_a_terminal_findings_are_a_table():
    text = shown(True)
    assert "findings: 2" in text
    assert "cut short" in text


def test_the_report_is_json(tmp_path):
    findings.write_report(FOUND, tmp_path / "new" / "report.json")
    report = json.loads((tmp_path / "new" / "report.json").read_text())
    assert report["count"] == 2
    assert report["findings"][1] == {
        "where": "data.test:1",
        "what": "cut short",
        "received": "3 frames",
        "expected": "4 frames",
        "remedy": "Replace it",
    }


def test_findings_can_be_compared_and_are_plain():
    parts = ("where", "what", "received", "expected", "remedy")
    assert findings.Finding(*parts) == findings.Finding(*parts)
    with pytest.raises(dataclasses.FrozenInstanceError):
        findings.Finding(*parts).where = "c"
