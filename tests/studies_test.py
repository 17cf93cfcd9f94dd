"""The study of a search, without any training."""

import pathlib

import pytest

from lrcn import studies
from lrcn.errors import UserError

pytestmark = pytest.mark.extras
optuna = pytest.importorskip("optuna", reason="the extra optuna is not installed")
config = pytest.importorskip("hydra_plugins.hydra_optuna_sweeper.config")

SPACE = ["optimizer.learning_rate=tag(log,interval(1e-4,1e-1))", "pooling=choice(avg,last)"]


def sweeper(**changes):
    values = {"params": None, "n_trials": 5, "sampler": {"seed": None}, "storage": None}
    return {**values, "study_name": None, **changes}


def search(folder, *arguments, monitor=None, **changes):
    hydra = {
        "sweeper": sweeper(**changes),
        "sweep": {"dir": str(folder)},
        "runtime": {"choices": {"hydra/sweeper/sampler": "tpe"}},
    }
    folder.mkdir(exist_ok=True)
    return studies.of(hydra, arguments or [*SPACE, "epochs=2"], {"monitor": monitor})


def asked(study, *values):
    """Has trials come to an end with these values; None fails."""
    for value in values:
        trial = study.ask()
        trial.suggest_float("optimizer.learning_rate", 1e-4, 1e-1, log=True)
        if value is None:
            study.tell(trial, state=optuna.trial.TrialState.FAIL)
        else:
            study.tell(trial, value)


def opened(own):
    return optuna.load_study(study_name=own.study, storage=own.url)


def test_a_new_study_is_made_for_what_gets_better(tmp_path):
    own = search(tmp_path / "s")
    overrides, left = studies.prepared(own)
    assert left == 5
    assert f'hydra.sweeper.storage="sqlite:///{tmp_path}/s/study.db"' in overrides
    assert "hydra.sweeper.direction=maximize" in overrides
    assert "hydra.sweeper.sampler.seed=0" in overrides
    assert opened(own).direction.name == "MAXIMIZE"
    assert search(tmp_path / "t", monitor="loss").direction == "minimize"
    given = search(tmp_path / "u", *SPACE, "hydra.sweeper.direction=minimize")
    assert given.direction == "minimize"


def test_what_a_killed_process_left_is_taken_up_again(tmp_path):
    own = search(tmp_path / "s")
    studies.prepared(own)
    study = opened(own)
    asked(study, 0.5, None)
    cut = study.ask()
    rate = cut.suggest_float("optimizer.learning_rate", 1e-4, 1e-1, log=True)
    overrides, left = studies.prepared(own)
    assert left == 3  # a trial that failed is known to fail
    assert "hydra.sweeper.sampler.seed=3" in overrides  # no trial is drawn twice
    again = opened(own).ask()
    assert again.number == cut.number
    assert again.suggest_float("optimizer.learning_rate", 1e-4, 1e-1, log=True) == rate


def test_a_search_in_which_nothing_succeeded_gives_way_to_another(tmp_path):
    wrong = search(tmp_path / "s", "workflow.unitz=choice(64,128)", monitor="los")
    studies.prepared(wrong)
    asked(opened(wrong), None, None)
    own = search(tmp_path / "s")
    _, left = studies.prepared(own)
    assert left == 5 and not opened(own).trials
    asked(opened(own), 0.5)
    with pytest.raises(UserError, match="searches something else") as raised:
        studies.prepared(wrong)
    assert str(raised.value).count("callbacks.monitor") == 1


@pytest.mark.parametrize(
    ("changed", "where", "received", "expected"),
    [
        (["pooling=choice(avg,max)"], "pooling", "choice(avg, max)", "choice(avg, last)"),
        (["pooling=avg"], "pooling", "avg", "choice(avg, last)"),
        (["epochs=3"], "epochs", "3", "2"),
        (["workflow=lstm"], "workflow", "lstm", "nothing"),
    ],
)
def test_a_study_of_something_else_is_refused(tmp_path, changed, where, received, expected):
    own = search(tmp_path / "s")
    studies.prepared(own)
    asked(opened(own), 0.5)
    key = changed[0].partition("=")[0]
    kept = [text for text in [*SPACE, "epochs=2"] if not text.startswith(f"{key}=")]
    with pytest.raises(UserError, match="searches something else") as raised:
        studies.prepared(search(tmp_path / "s", *kept, *changed))
    told = raised.value
    assert (told.where, told.received, told.expected) == (where, received, expected)
    how = ("num_threads=1", "callbacks.save_seconds=60", "profile=true", "strategy=mirrored")
    same = search(tmp_path / "s", *SPACE, "epochs=2", *how, n_trials=9)
    assert studies.prepared(same)[1] == 8


@pytest.mark.parametrize(
    ("arguments", "what"),
    [
        (["epochs=2"], "a search needs a key to search"),
        (["epochs=interval(1"], "what is searched cannot be read"),
        (["epochs=interval(3,1)"], "what is searched cannot be read"),
    ],
)
def test_what_cannot_be_searched_is_told(tmp_path, arguments, what):
    with pytest.raises(UserError, match=what) as raised:
        search(tmp_path / "s", *arguments)
    assert "pooling=choice(avg,last)" in raised.value.expected


def test_a_search_is_of_trainings_and_has_trials(tmp_path):
    with pytest.raises(UserError, match="a search needs trials"):
        search(tmp_path / "s", n_trials=0)
    with pytest.raises(UserError, match="a search trains"):
        studies.of({}, SPACE, None)


@pytest.mark.parametrize(
    ("changes", "where", "remedy"),
    [
        ({"sampler": "cmaes"}, "hydra/sweeper/sampler", "tpe or random"),
        ({"storage": "redis://localhost"}, "hydra.sweeper.storage", "Leave it out"),
    ],
)
def test_what_reads_pickles_is_refused(tmp_path, changes, where, remedy):
    if "sampler" in changes:
        changes = {"sampler": {"_target_": config.CmaEsSamplerConfig._target_, "seed": None}}
    with pytest.raises(UserError, match="can run code") as raised:
        search(tmp_path / "s", **changes)
    assert raised.value.where == where and remedy in raised.value.remedy


def test_optuna_reads_pickles_nowhere_else():
    folder = pathlib.Path(optuna.__file__).parent
    found = {
        str(path.relative_to(folder))
        for path in folder.rglob("*.py")
        if "pickle" in path.read_text(encoding="utf-8").lower()
    }
    # Integrations are libraries that nobody asks for here.
    others = {name for name in found if not name.startswith("integration")}
    assert others == {"samplers/_cmaes.py", "storages/_redis.py"}


def test_a_study_that_cannot_be_read_is_told(tmp_path):
    own = search(tmp_path / "s")
    pathlib.Path(own.folder, "study.db").write_text("no database")
    with pytest.raises(UserError, match="the study cannot be read"):
        studies.prepared(own)


def test_the_best_is_told_with_its_values(tmp_path, write_run):
    own = search(tmp_path / "s", *SPACE)
    studies.prepared(own)
    assert studies.best(own) is None
    asked(opened(own), 0.5, 0.75, 0.25)
    write_run("s/a", values=[[1.0, 0.0]])
    run = studies.runs.RunDirectory(tmp_path / "s" / "a")
    run.write_config({**run.read_config(), "overrides": ["optimizer.learning_rate=1", "pooling=a"]})
    assert studies.jobs(own) == [(run.path, ["optimizer.learning_rate=1", "pooling=a"])]
    best = opened(own).best_trial.params["optimizer.learning_rate"]
    told = f"best of 3 trials: optimizer.learning_rate={best} (video_accuracy 0.7500)"
    assert studies.best(own) == told
