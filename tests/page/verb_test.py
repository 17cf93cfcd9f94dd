"""`lrcn demo` up to the point where Gradio takes over."""

import json
import logging

import pytest

from lrcn import cli
from lrcn.data import lists
from lrcn.page import ports, serving

from . import conftest

TINY = (
    *("backbone.image_size=[16,16]", "workflow.units=4", "batch_size=4", "callbacks=minimal"),
    *("dataset.train=8", "dataset.val=4", "dataset.test=0", "dataset.size=24", "epochs=1"),
    "clipframe_mode.num_frames_per_clip=4",
)

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    folder = tmp_path_factory.mktemp("demo")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("LRCN_CACHE", str(folder / "cache"))
        assert cli.main(["train", *TINY, f"hydra.run.dir={folder / 'run'}"]) == 0
    return folder / "run"


@pytest.fixture
def served(monkeypatch):
    """Has the page end as soon as it could be opened, and keeps what it was given."""
    kept = {}

    def serve(networks, at, *, ready, **given):
        ready()
        kept.update(given, networks=networks, at=at)

    monkeypatch.setattr(ports, "require_gradio", lambda: None)
    monkeypatch.setattr(serving, "serve", serve)
    return kept


def test_the_page_answers_what_predict_prints(run, served, capsys):
    given = ("seconds=9", "upload_mb=3", "limits.image_pixels=99999", "top_k=2")
    assert cli.main(["demo", f"run={run}", "port=0", *given]) == 0
    err = capsys.readouterr().err
    assert f"page: {served['at'].address} (Ctrl-C ends it)" in err
    assert served["at"].own_name == "127.0.0.1" and "over the network" not in err
    bounds = served["bounds"]
    assert (bounds.seconds, bounds.limits.image_pixels) == (9, 99999)
    assert served["most_bytes"] == 3_000_000
    for path, kind in ((conftest.VIDEO, "video"), (conftest.IMAGE, "image")):
        assert cli.main(["predict", f"run={run}", f"input={path}", "top_k=2"]) == 0
        line = json.loads(capsys.readouterr().out)
        (network,) = served["networks"]
        assert network.tell(lists.Item(str(path), str(path), kind)).line == line
    assert network.about == "LSTM · small · 8 classes" and network.name == "run"
    assert network.predictor.reading.watch == bounds.watch


def test_who_may_come_and_a_run_that_did_not_end_are_told(run, served, capsys, caplog):
    done = run / "DONE"
    done.unlink()
    try:
        with caplog.at_level(logging.WARNING):
            assert cli.main(["demo", f"run={run}", "port=0", "host=0.0.0.0"]) == 0
    finally:
        done.touch()
    err = capsys.readouterr().err
    assert "over the network may open this page" in err
    assert f"{run}: The run was stopped before its end" in err


def test_no_run_and_a_search_that_nobody_makes_are_refused(run, served, capsys):
    assert cli.main(["demo", "run=[]"]) == 1
    assert "run: there is no run to be asked" in capsys.readouterr().err
    assert cli.main(["demo", f"run={run}", "port=0", "search=greedy"]) == 1
    assert "search: the run tells classes" in capsys.readouterr().err
    assert not served
