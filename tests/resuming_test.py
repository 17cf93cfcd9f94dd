import json

import pytest

from lrcn import resuming
from lrcn.errors import UserError


def test_resume_repeats_the_overrides_of_the_run(tmp_path):
    stored = {
        "overrides": ["epochs=3", "workflow=singleframe", "dataset.train=here.tfrecord"],
        "epochs": 4,
        "callbacks": {"patience": None},
        "dataset": {"source": "records", "train": "/data/here.tfrecord"},
    }
    (tmp_path / "config.json").write_text(json.dumps(stored))
    repeated = resuming.continued([f"resume={tmp_path}", "epochs=5"])
    assert repeated == [
        "workflow=singleframe",
        'dataset.train="/data/here.tfrecord"',
        "callbacks.patience=null",
        f'hydra.run.dir="{tmp_path}"',
        f"resume={tmp_path}",
        "epochs=5",
    ]
    assert resuming.continued(["epochs=5"]) == ["epochs=5"]


def test_a_run_that_was_lengthened_goes_on_as_long_as_it_was_asked_last(tmp_path):
    stored = {
        "overrides": ["epochs=3", "callbacks.patience=2"],
        "epochs": 40,
        "callbacks": {"patience": 7},
        "dataset": {"source": "moving_shapes"},
    }
    (tmp_path / "config.json").write_text(json.dumps(stored))
    assert resuming.continued([f"resume={tmp_path}"]) == [
        *("epochs=40", "callbacks.patience=7"),
        f'hydra.run.dir="{tmp_path}"',
        f"resume={tmp_path}",
    ]


def test_another_member_of_a_group_is_another_run(tmp_path):
    stored = {
        "overrides": ["workflow=lstm", "workflow.units=8"],
        "workflow": {"name": "lstm", "units": 8},
        "dataset": {"source": "moving_shapes"},
    }
    (tmp_path / "config.json").write_text(json.dumps(stored))
    with pytest.raises(UserError, match="workflow: .*Received: singleframe. Expected: lstm"):
        resuming.continued([f"resume={tmp_path}", "workflow=singleframe"])


@pytest.mark.parametrize(("before", "asked"), [("single", "mirrored"), ("hosts", "single")])
def test_a_run_may_go_on_with_another_strategy(tmp_path, before, asked):
    stored = {
        "overrides": [f"strategy={before}", "strategy.count=2", "seed=3"],
        "epochs": 40,
        "callbacks": {"patience": 7},
        "strategy": {"name": before},
        "dataset": {"source": "moving_shapes"},
    }
    (tmp_path / "config.json").write_text(json.dumps(stored))
    given = [f"resume={tmp_path}", f"strategy={asked}"]
    continued = resuming.continued(given)
    assert [o for o in continued if o.startswith("strategy")] == [f"strategy={asked}"]
    assert "seed=3" in continued


def test_the_limits_of_a_run_are_not_repeated(tmp_path):
    stored = {
        "overrides": [
            "limits.file_bytes=1e18",
            "++limits.layers=9",
            "+limits@limits=default",
            "seed=3",
        ],
        "epochs": 40,
        "callbacks": {"patience": 7},
        "limits": {"file_bytes": 10**18},
        "dataset": {"source": "moving_shapes"},
    }
    (tmp_path / "config.json").write_text(json.dumps(stored))
    run = f"resume={tmp_path}"
    assert resuming.continued([run])[0] == "seed=3"
    assert not any(part.lstrip("+").startswith("limits") for part in resuming.continued([run]))
    assert resuming.continued([run, "limits.layers=5"])[-1] == "limits.layers=5"
