import pytest

from lrcn import files, runs, states
from lrcn.errors import UserError


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
