import pytest

from lrcn import runs
from lrcn.report import cost


@pytest.fixture
def run(tmp_path):
    run = runs.RunDirectory(tmp_path / "my run")
    run.write_config({})
    return run


def test_the_cost_is_read_from_history_and_log(run):
    (run.path / "train.log").write_text(
        "2026-01-01 10:00:00,500 INFO a\n2026-01-01 10:01:00,000 INFO b\n  more of it\n"
        "2026-01-01 10:20:00,000 INFO lrcn.training.callbacks: epoch 2/2: loss 1\n"
        "2026-01-08 10:20:00,000 INFO asked again\n"
    )
    history = [{"epoch": 1.0, "seconds": 30.0}, {"epoch": 2.0, "seconds": 90.0}]
    facts = {fact.name: fact for fact in cost.of_run(run, history, parameters="12")}
    assert facts["parameters"].value == "12"
    assert facts["epochs"].value == "2"
    assert facts["training steps in all"].value == "2.0 min in 2 epochs"
    assert facts["from its start to the end of its last epoch"].value == "20.0 min"
    assert "not recorded" in facts["machine"].value
    bare = {fact.name for fact in cost.of_run(run, [], parameters=None)}
    assert "training steps in all" not in bare and "parameters" not in bare
