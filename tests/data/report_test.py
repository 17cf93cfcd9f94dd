import pathlib

from lrcn.data import report, serialize


def stored(**changed):
    values = {
        "name": "data.train",
        "path": pathlib.Path("/a/rather/long/folder/name/that/goes/on/and/on/data.train.tfrecord"),
        "items": 1200,
        "clips": 3,
        "frames": 45000,
        "bytes": 123456789,
        "skipped": (),
    }
    return serialize.Report(**{**values, **changed})


def test_nothing_is_wrapped_or_shortened_off_a_terminal():
    reason = "list:3: " + "a very long reason " * 30
    text = report.render([stored(skipped=(("[b]x.mp4", reason),)), stored(reused=True)])
    lines = text.splitlines()
    assert any(str(stored().path) in line and "123,456,789" in line for line in lines)
    assert "there already" in text
    assert lines[-1] == f"skipped [b]x.mp4 of data.train: {reason}"
    assert len(lines) == 5 and all(line == line.rstrip() or line == lines[-1] for line in lines)


def test_a_terminal_sets_the_width():
    text = report.render([stored()], width=70)
    assert max(len(line) for line in text.splitlines()) <= 70
