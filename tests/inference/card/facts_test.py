import json
import os

import pytest

from lrcn.errors import UserError
from lrcn.inference.card import facts


@pytest.fixture
def seeds(measured, split):
    """Three seeds of one setting, and beside them what is none of them."""
    first = measured("a", seed=0, accuracy=0.5)
    measured("b", seed=1, accuracy=0.7)
    measured("c", seed=2, accuracy=0.9)
    measured("other rate", "optimizer.learning_rate=7", seed=3, accuracy=0.1)
    measured("other data", seed=4, accuracy=0.1, data={"train": split(digest="other")})
    measured("not done", seed=5, accuracy=0.1, done=False)
    return first


def test_the_spread_is_that_of_like_runs_of_other_seeds(seeds):
    known = facts.of_run(seeds)
    assert known.seeds == (0, 1, 2)
    for found in (known.validation, known.evaluated["test"]):
        spread = found.metrics["video_accuracy"]
        assert spread.own == 0.5
        assert sorted(spread.values) == [0.5, 0.7, 0.9]
        assert spread.mean == pytest.approx(0.7)
        assert spread.deviation == pytest.approx(0.2)


@pytest.mark.parametrize(
    "otherwise",
    [
        {"digest": "other records"},
        {"view": {"size": [64, 64], "crop": "ten"}},
        {"pooling": {"frames": "last", "clips": "avg"}},
        {"checkpoint": "last"},
    ],
    ids=lambda changed: next(iter(changed)),
)
def test_a_seed_that_was_measured_otherwise_is_left_out(measured, otherwise):
    first = measured("a", seed=0, accuracy=0.5)
    measured("b", seed=1, accuracy=0.7)
    measured("c", seed=2, accuracy=0.9, protocol=otherwise)
    found = facts.of_run(first).evaluated["test"]
    assert found.metrics["video_accuracy"].values == (0.5, 0.7)
    assert found.left_out == 1
    assert facts.of_run(first).validation.metrics["video_accuracy"].values == (0.5, 0.7, 0.9)


def test_other_paths_and_seeds_of_one_protocol_are_alike(measured):
    first = measured("a", seed=0)
    measured("b", seed=1, protocol={"records": "/elsewhere", "checkpoint_sha256": "1" * 64})
    assert facts.of_run(first).evaluated["test"].left_out == 0


def test_a_seed_whose_training_went_on_is_left_out(measured):
    first = measured("a", seed=0)
    other = measured("b", seed=1)
    other.best.parent.mkdir()
    other.best.write_bytes(b"newer")
    os.utime(other.evaluation("test") / "protocol.json", (1, 1))
    assert facts.of_run(first).evaluated["test"].left_out == 1


def test_a_run_alone_has_no_spread(measured):
    known = facts.of_run(measured("alone", data={}))
    assert known.seeds == (0,)
    assert known.evaluated["test"].metrics["video_accuracy"].deviation is None
    assert known.data == {}


@pytest.mark.parametrize("spoilt", ["data.json", "config.json", "evaluation/test/protocol.json"])
@pytest.mark.parametrize("content", ["{", "{}", '{"train": {}}', "[1]"])
def test_what_is_wrong_with_a_run_beside_it_says_nothing_of_this_one(seeds, spoilt, content):
    (seeds.path.parent / "b" / spoilt).write_text(content)
    known = facts.of_run(seeds)
    assert known.evaluated["test"].metrics["video_accuracy"].values == (0.5, 0.9)


def test_a_folder_that_is_closed_to_us_says_nothing(seeds, monkeypatch):
    from lrcn import runs

    def closed(run):
        if run.path != seeds.path:
            raise PermissionError(13, "Permission denied", str(run.path / "DONE"))
        return True

    monkeypatch.setattr(runs.RunDirectory, "is_done", property(closed))
    assert facts.of_run(seeds).seeds == (0,)


@pytest.mark.parametrize("spoilt", ["data.json", "evaluation/test/protocol.json"])
def test_a_file_of_its_own_that_is_damaged_is_told(seeds, spoilt):
    (seeds.path / spoilt).write_text('{"train": {}}')
    with pytest.raises(UserError, match=spoilt.rpartition("/")[2]):
        facts.of_run(seeds)


def test_what_was_measured_with_another_checkpoint_is_stale(measured):
    own = measured("own", protocol={"checkpoint_sha256": "of another"})
    assert not facts.of_run(own).evaluated["test"].is_stale  # nobody can tell any more
    own.best.parent.mkdir()
    own.best.write_bytes(b"weights")
    assert facts.of_run(own).evaluated["test"].is_stale
    file = own.evaluation("test") / "protocol.json"
    told = json.loads(file.read_text())
    del told["checkpoint_sha256"]
    file.write_text(json.dumps(told))
    assert not facts.of_run(own).evaluated["test"].is_stale
