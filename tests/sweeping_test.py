import dataclasses
import os
import pathlib
import signal

import pytest

from lrcn import launching, outcomes, studies, sweeping, verbs


@pytest.fixture
def sweep(tmp_path):
    own = outcomes.Outcomes.begun(tmp_path / "sweep")
    return sweeping.Sweep(launching.Plan(is_elsewhere=True), own)


@pytest.mark.parametrize(
    ("number", "raised"), [(signal.SIGTERM, SystemExit), (signal.SIGINT, KeyboardInterrupt)]
)
def test_a_signal_stops_the_jobs_of_other_processes(sweep, number, raised):
    before = signal.getsignal(number)
    with pytest.raises(raised) as ended, sweep.stopping():
        os.kill(os.getpid(), number)
    assert getattr(ended.value, "code", 143) == 143
    assert sweep.outcomes.is_over
    assert signal.getsignal(number) == before


def test_a_sweep_ends_with_its_jobs_and_1_if_one_failed(sweep, monkeypatch):
    finished = []
    monkeypatch.setattr(
        verbs, "finish_sweep", lambda folder, jobs: finished.append((folder, jobs)) or 0
    )
    assert sweep.finish() == 0
    for number, code in enumerate((0, 2)):
        begun = sweep.outcomes.begin(number, pathlib.Path(f"run{number}"), [f"seed={number}"])
        sweep.outcomes.end(begun, code=code, error=ValueError("odd") if code else None)
    assert sweep.finish() == 1
    folder, (done, failed) = finished[-1]
    assert folder == sweep.folder
    assert done == (pathlib.Path("run0"), ["seed=0"], None)
    assert failed == (pathlib.Path("run1"), ["seed=1"], "odd")


def test_jobs_that_train_nothing_have_no_metrics_to_compare(sweep, monkeypatch, caplog):
    caplog.set_level("INFO", logger="lrcn")
    monkeypatch.setattr(verbs, "finish_sweep", None)
    serializing = dataclasses.replace(sweep, trains=False)
    for number, error in enumerate((None, ValueError("odd"))):
        begun = sweep.outcomes.begin(number, pathlib.Path("."), [f"shard_index={number}"])
        sweep.outcomes.end(begun, code=int(error is not None), error=error)
        assert serializing.finish() == number
    assert [record.getMessage() for record in caplog.records] == [
        "done: 1 of 1 jobs",
        "1 of 2 jobs failed: shard_index=1",
    ]


def test_a_search_that_finds_nothing_is_no_fault_of_its_sweeper(sweep):
    search = studies.Search(sweep.folder, ["a=choice(1,2)"], None, 2, "tpe")
    searching = sweeping.Sweep(sweep.plan, sweep.outcomes, search)
    error = ValueError("Record does not exist.")
    assert not searching.found_nothing(error)  # no job began
    begun = sweep.outcomes.begin(0, pathlib.Path("run"), [])
    assert not searching.found_nothing(error)
    sweep.outcomes.end(begun, code=1, error=ValueError("odd"))
    assert searching.found_nothing(error)
    assert not searching.found_nothing(RuntimeError("another"))
    assert not sweep.found_nothing(error)
