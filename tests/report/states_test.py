import pytest

from lrcn import files, runs
from lrcn.errors import UserError
from lrcn.report import states


@pytest.fixture
def run(tmp_path):
    run = runs.RunDirectory(tmp_path / "my run")
    run.write_config({})
    return run


def test_states_are_told_apart(run):
    stopped = states.state(run)
    assert stopped.name == "stopped" and f"lrcn train 'resume={run.path}'" in stopped.remedy
    with files.locked(run.path / files.LOCK, waiting=lambda: None):
        training = states.state(run)
    assert training.name == "training" and "process" in training.told
    run.mark_done()
    assert states.state(run).is_done
    (run.path / "FAILED").write_text("epochs: no\nmore\n")
    failed = states.state(run)
    assert failed.name == "failed" and failed.told == "The run failed: epochs: no"


def test_a_run_without_an_epoch_has_nothing_to_show(run):
    with pytest.raises(UserError, match="no epoch is over"):
        states.require_something(run, states.state(run))
    run.history_file.write_text("epoch\n1\n")
    states.require_something(run, states.state(run))


def test_the_cost_is_read_from_history_and_log(run):
    (run.path / "train.log").write_text(
        "2026-01-01 10:00:00,500 INFO a\n2026-01-01 10:01:00,000 INFO b\n  more of it\n"
        "2026-01-01 10:20:00,000 INFO lrcn.training.callbacks: epoch 2/2: loss 1\n"
        "2026-01-08 10:20:00,000 INFO asked again\n"
    )
    history = [{"epoch": 1.0, "seconds": 30.0}, {"epoch": 2.0, "seconds": 90.0}]
    facts = {fact.name: fact for fact in states.cost(run, history, parameters="12")}
    assert facts["parameters"].value == "12"
    assert facts["epochs"].value == "2"
    assert facts["training steps in all"].value == "2.0 min in 2 epochs"
    assert facts["from its start to the end of its last epoch"].value == "20.0 min"
    assert "not recorded" in facts["machine"].value
    bare = {fact.name for fact in states.cost(run, [], parameters=None)}
    assert "training steps in all" not in bare and "parameters" not in bare
