import json

import pytest

from lrcn import provenance
from lrcn.inference.card import facts


def data(digest="d1"):
    return {"train": {"digest": digest}}


@pytest.fixture
def seeds(write_run):
    """Three seeds of one setting, and beside them what is none of them."""

    def write(name, seed, accuracy, *overrides, digest="d1", done=True):
        own = write_run(name, f"seed={seed}", *overrides, values=[[0.9, 0.1]], done=done)
        provenance.write(own, data(digest))
        own.write_metrics({"video_accuracy": accuracy, "videos": 4})
        return own

    first = write("a", 0, 0.5)
    write("b", 1, 0.7)
    write("c", 2, 0.9)
    write("other rate", 3, 0.1, "optimizer.learning_rate=7")
    write("other data", 4, 0.1, digest="d2")
    write("not done", 5, 0.1, done=False)
    return first


def test_the_spread_is_that_of_like_runs_of_other_seeds(seeds):
    known = facts.of_run(seeds)
    assert known.seeds == (0, 1, 2)
    spread = known.spread[""]["video_accuracy"]
    assert spread.own == 0.5
    assert sorted(spread.values) == [0.5, 0.7, 0.9]
    assert spread.mean == pytest.approx(0.7)
    assert spread.deviation == pytest.approx(0.2)
    assert known.spread["test"]["video_accuracy"].values == (1.0, 1.0, 1.0)


def test_a_run_alone_has_no_spread(write_run):
    known = facts.of_run(write_run("alone", values=[[0.9, 0.1]]))
    assert known.seeds == (0,)
    assert known.spread["test"]["video_accuracy"].deviation is None
    assert known.data == {}


def test_a_damaged_run_beside_it_tells_nothing(seeds):
    (seeds.path.parent / "b" / "data.json").write_text("{")
    assert facts.of_run(seeds).seeds == (0, 2)


def test_the_state_is_that_of_the_marks(write_run):
    own = write_run("own", values=[[0.9, 0.1]], done=False)
    assert facts.of_run(own).state == "not finished"
    own.mark_failed(MemoryError("no room"))
    assert facts.of_run(own).state == "failed: MemoryError: no room"
    own.mark_done()
    assert facts.of_run(own).state == "done"


def test_what_was_measured_with_another_checkpoint_is_stale(write_run):
    own = write_run("own", values=[[0.9, 0.1]], splits=("val", "test"))
    own.best.parent.mkdir()
    own.best.write_bytes(b"weights")
    for split, digest in (("val", "of another"), ("test", None)):
        told = {"checkpoint": "best", "checkpoint_sha256": digest}
        told = {key: value for key, value in told.items() if value}
        (own.evaluation(split) / "protocol.json").write_text(json.dumps(told))
    assert facts.of_run(own).stale == {"val"}
