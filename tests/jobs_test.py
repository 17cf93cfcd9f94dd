import dataclasses
import pathlib
import pickle
import shlex
import signal
import sys
import types

import hydra
import pytest

from lrcn import config, help, jobs, naming, outcomes, runs, verbs
from lrcn.errors import UserError


def context(folder=pathlib.Path("run"), *, sweeper="basic", mode="MULTIRUN"):
    """Hydra's own settings of a job, as far as it looks at them."""
    chosen = {"hydra/sweeper": sweeper}
    runtime = {"output_dir": str(folder), "choices": chosen, "config_sources": []}
    return types.SimpleNamespace(
        mode=types.SimpleNamespace(name=mode),
        runtime=types.SimpleNamespace(**runtime),
        overrides=types.SimpleNamespace(task=["seed=3"]),
        job=types.SimpleNamespace(num=7),
    )


@pytest.fixture
def composed():
    naming.register([])
    with hydra.initialize_config_dir(str(help.conf_folder()), version_base="1.3"):
        return hydra.compose("train", ["num_threads=8", "seed=3"])


@pytest.fixture
def sweep(tmp_path):
    return outcomes.Outcomes.begun(tmp_path / "sweep")


def made(sweep, tmp_path, **options):
    own = context(tmp_path / "run", **options)
    return jobs.Job("train", [], context=lambda: own, outcomes=sweep, threads=2)


def test_a_job_arrives_in_another_process_with_what_it_needs(tmp_path, monkeypatch, sweep):
    monkeypatch.chdir(tmp_path)
    sent = pickle.dumps(jobs.Job("train", ["epochs"], context=context, outcomes=sweep))
    monkeypatch.chdir("/")
    registered = []
    monkeypatch.setattr(naming, "register", registered.append)
    arrived = pickle.loads(sent)
    assert pathlib.Path.cwd() == tmp_path
    assert registered == [["epochs"]]
    assert arrived._outcomes == sweep and arrived._context is context


def test_what_becomes_of_a_job_is_noted(composed, tmp_path, monkeypatch, sweep):
    given = []

    def run(verb, settings, *, folder, origin):
        given.append((verb, settings.num_threads, settings.seed, folder, origin.overrides))
        return 0

    monkeypatch.setattr(verbs, "run", run)
    job = made(sweep, tmp_path)
    assert job(composed) is None
    assert given == [("train", 2, 3, tmp_path / "run", ["seed=3"])]
    (noted,) = sweep.read()
    assert (noted.number, noted.overrides, noted.failure) == (7, ["seed=3"], None)


@pytest.mark.parametrize(("asked", "threads"), [(None, 2), (1, 1), (8, 2)])
def test_a_job_has_no_more_threads_than_cores(asked, threads):
    @dataclasses.dataclass(frozen=True)
    class Settings:
        num_threads: int | None

    assert jobs._sharing(Settings(asked), 2).num_threads == threads
    assert jobs._sharing(Settings(asked), None).num_threads == asked


def test_a_job_that_fails_raises_nothing(composed, tmp_path, monkeypatch, sweep):
    def fail(*_, **__):
        raise UserError("odd", where="a", received=1, expected=2, remedy="Mend it")

    monkeypatch.setattr(verbs, "run", fail)
    (tmp_path / "run").mkdir()
    assert made(sweep, tmp_path, sweeper="optuna")(composed) is None
    (noted,) = sweep.read()
    assert (noted.code, noted.failure) == (1, "a: odd. Received: 1. Expected: 2. Mend it.")
    assert runs.RunDirectory(tmp_path / "run").failure is not None


def test_a_search_is_told_the_metric_that_the_run_got_best_at(
    composed, tmp_path, monkeypatch, sweep
):
    def run(verb, settings, *, folder, origin):
        of = runs.RunDirectory(folder)
        of.write_config(config.to_plain(settings))
        of.write_metrics({"video_accuracy": 0.75, "loss": 0.5})
        return 0

    monkeypatch.setattr(verbs, "run", run)
    assert made(sweep, tmp_path, sweeper="optuna")(composed) == 0.75


@pytest.mark.parametrize("is_over", [False, True])
def test_a_signal_for_one_job_lets_the_others_go_on(
    composed, tmp_path, monkeypatch, sweep, is_over
):
    elsewhere = outcomes.Outcomes(sweep.folder, "another machine", 1, outlives=False)

    def leave(*_, **__):
        if is_over:
            (sweep.folder / "stop").touch()
        sys.exit(143)

    monkeypatch.setattr(verbs, "run", leave)
    before = signal.getsignal(signal.SIGTERM)
    job = made(elsewhere, tmp_path)
    if is_over:
        with pytest.raises(SystemExit):
            job(composed)
        with pytest.raises(SystemExit):  # nor does the next one begin
            job(composed)
    else:
        assert job(composed) is None
    (noted,) = sweep.read()
    assert noted.has_left and "its process ended before the job did" in noted.failure
    assert signal.getsignal(signal.SIGTERM) == before


def test_an_interrupted_training_tells_how_to_go_on_as_before(
    composed, tmp_path, monkeypatch, caplog
):
    def leave(verb, settings, *, folder, origin):
        runs.RunDirectory(folder).write_config(config.to_plain(settings))
        sys.exit(143)

    monkeypatch.setattr(verbs, "run", leave)
    own = context(tmp_path / "my run", mode="RUN")
    own.overrides.task = ["seed=3", "strategy=mirrored", "strategy.devices=2", "limits.layers=9"]
    with pytest.raises(SystemExit):
        jobs.Job("train", [], context=lambda: own)(composed)
    again = caplog.messages[-1].partition("go on with: ")[2]
    assert shlex.split(again) == [
        *("lrcn", "train", f"resume={tmp_path / 'my run'}"),
        *("strategy=mirrored", "strategy.devices=2", "limits.layers=9"),
    ]


def test_one_job_alone_keeps_its_code(composed, tmp_path, monkeypatch):
    monkeypatch.setattr(verbs, "run", lambda *_, **__: 1)
    job = jobs.Job("train", [], context=lambda: context(tmp_path / "run", mode="RUN"))
    job(composed)
    assert job.code == 1
