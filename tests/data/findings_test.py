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


def test_one_content_with_two_labels_is_a_finding_and_with_one_is_told(caplog):
    seen = {
        "train": [
            findings.Seen("a", digest="1", labels=(0,)),
            findings.Seen("b", digest="1", labels=(1,)),
            findings.Seen("c", digest="2", labels=(1, 2)),
            findings.Seen("d", digest="2", labels=(2, 1)),
            findings.Seen("e"),
            findings.Seen("f"),
        ],
        "test": [findings.Seen("g", digest="3", labels=(0,))],
    }
    with caplog.at_level("INFO"):
        (finding,) = findings.contradictions(seen)
    assert (finding.where, finding.received) == ("b", "labels 1 in train")
    assert finding.expected == "labels 0, as a"
    assert "1 items of train have the content of another one, such as d and c" in caplog.text
