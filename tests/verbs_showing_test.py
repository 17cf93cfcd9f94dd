"""What is shown of names that strangers chose."""

import json
import logging
import warnings

import pytest

from lrcn import cli, verbs
from lrcn.errors import UserError
from lrcn.verbs import data, showing

HOSTILE = "a\x1b]0;title\x07b\x9b31m"


def test_tables_and_texts_show_escapes(capsys):
    showing.show(f"skipped {HOSTILE}")
    showing.show_table([HOSTILE, "count"], [[HOSTILE, "1"]], title=f"{HOSTILE}: what there is")
    out = capsys.readouterr().out
    assert not set(out) & set("\x1b\x07\x9b")
    assert out.count(r"a\x1b]0;title\x07b\x9b31m") == 4


@pytest.mark.parametrize("text", [HOSTILE, "half \udcff", "\x7f\x00", "é 日本 \n", "plain"])
def test_json_stays_json(capsys, text):
    showing.show_json({"id": text})
    out = capsys.readouterr().out
    assert json.loads(out) == {"id": text}
    assert not set(out) & set("\x1b\x07\x9b\x7f\udcff") and out.count("\n") == 1
    assert ("é" in out) == ("é" in text)


def test_logs_of_a_command_show_escapes(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    name = f"{HOSTILE}.txt"
    for folder in ("left", "right"):
        (tmp_path / "root" / folder).mkdir(parents=True)
        (tmp_path / "root" / folder / "a.jpg").write_bytes(b"")
    (tmp_path / "data.train").write_text(f"{name}\t0\nmissing\t1\n")
    (tmp_path / name).write_bytes(b"")
    assert cli.main(["check", "dataset.input_files=[data.train]"]) == 1
    out, err = capsys.readouterr()
    assert r"a\x1b]0;title\x07b\x9b31m.txt" in out
    assert not set(out + err) & set("\x1b\x07\x9b")


def test_every_handler_of_logs_shows_escapes():
    import hydra
    import yaml

    from lrcn import help as help_lib

    assert hydra.__version__
    for file in (help_lib.conf_folder() / "hydra").rglob("*.yaml"):
        values = yaml.safe_load(file.read_text())
        for name, formatter in values["formatters"].items():
            assert formatter["()"] == "lrcn.errors.Visible", f"{file}: {name}"
        for handler in values["handlers"].values():
            assert handler["formatter"] in values["formatters"]


def test_pillow_tells_nothing_by_itself(monkeypatch):
    def check(settings):
        warnings.warn_explicit("Corrupt EXIF data", UserWarning, "a.py", 1, module="PIL.Tiff")
        with pytest.raises(DeprecationWarning):
            warnings.warn_explicit("other", DeprecationWarning, "a.py", 1, module="lrcn.data")
        return 0

    monkeypatch.setitem(verbs._VERBS, "check", check)
    assert verbs.run("check", None, folder=None, origin=None) == 0
    assert data.log.isEnabledFor(logging.CRITICAL)


def test_a_backend_that_is_not_installed_is_told(monkeypatch):
    monkeypatch.setenv("KERAS_BACKEND", "no_such_backend")
    with pytest.raises(UserError, match=r"KERAS_BACKEND: .* Received: no_such_backend"):
        showing.start_tensorflow()
