import io
import logging
import sys

from lrcn.data import progress


def test_lines_now_and_then_off_a_terminal(caplog, capsys, monkeypatch):
    clock = iter(range(0, 1000, 20))
    monkeypatch.setattr(progress.time, "monotonic", lambda: next(clock))
    caplog.set_level(logging.INFO)
    with progress.shown("serialize x", 5) as advance:
        for _ in range(5):
            advance()
    assert caplog.messages == ["serialize x: 2 of 5 items", "serialize x: 4 of 5 items"]
    assert capsys.readouterr() == ("", "")


def test_a_bar_on_a_terminal(monkeypatch, capsys):
    terminal = io.StringIO()
    monkeypatch.setattr(terminal, "isatty", lambda: True)
    monkeypatch.setattr(sys, "stderr", terminal)
    monkeypatch.setenv("TERM", "xterm")
    with progress.shown("serialize x", 2) as advance:
        advance()
        advance()
    assert "serialize x" in terminal.getvalue() and "2/2" in terminal.getvalue()
    assert capsys.readouterr().out == ""
