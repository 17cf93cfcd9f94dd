import json
import pathlib

import hypothesis
import pytest
from hypothesis import strategies

from lrcn import cli, overriding, resuming
from lrcn.errors import UsageError, UserError

REFUSED = [
    "hydra.launcher._target_=os.system",
    "++hydra.sweeper._target_=os.system",
    "+x._target_=os.system",
    "+x={_target_: os.system}",
    "+hydra.launcher={_target_:subprocess.call,_args_:[ls]}",
    "+x=[{a: 1, _target_: os.system}]",
    "+x={'_target_': os.system}",
    '+x={"_target_": os.system}',
    "+hydra.callbacks.evil.path=x",
    "hydra.callbacks={evil: {}}",
    "hydra/callbacks=evil",
    "+hydra/callbacks@hydra.callbacks=evil",
    "hydra.job_logging.handlers.console.class=os.system",
    "++hydra.job_logging.handlers.x={'()': os.system}",
    "hydra.hydra_logging.root.level=INFO",
    "hydra/job_logging=evil",
    "hydra/hydra_logging=colorlog",
    "hydra/job_logging=run,evil",
    "hydra={job_logging: {}}",
    "--experimental-rerun=config.pickle",
    "experiment=../../../../proc/self/cwd/theirs/evil",
    "experiment='../evil'",
    "experiment=[../evil]",
    "experiment=ucf101_5,../evil",
    "experiment=/home/theirs/evil",
    "experiment='/home/theirs/evil'",
    "experiment=theirs/evil",
    "experiment=a\\..\\evil",
    "+experiment@_global_=../evil",
    "+theirs/group=../evil",
    "hydra/launcher=../evil",
    "+dataset@hydra=evil",
    "+dataset@_global_.hydra=evil",
    "+dataset@a:hydra.launcher=evil",
    "hydra.searchpath=[pkg://evil]",
    "hydra.searchpath=[file:///home/theirs]",
    "+hydra.job.env_set.LD_PRELOAD=evil.so",
    "hydra.sweeper.params={experiment: ../evil}",
    "+hydra.sweeper.params.experiment=../evil",
    "hydra.launcher=null",
    "hydra.launcher.ray._target_=os.system",
    "hydra.sweeper.custom_search_space=os.system",
    "hydra.sweeper.search_space={hydra.launcher.x: {type: categorical, choices: [a]}}",
    "hydra.sweeper.sampler._target_=os.system",
    "hydra/sweeper/sampler=../evil",
    "hydra/env=evil",
    "hydra/help=evil",
    "~hydra.callbacks",
]
HARMLESS = [
    "epochs=3",
    "hydra.run.dir=out",
    "hydra.sweep.dir=out",
    "hydra.sweep.subdir=a",
    "hydra/launcher=joblib",
    "hydra/sweeper=optuna",
    "hydra.launcher.n_jobs=2",
    "hydra.launcher.partition=gpu",
    "hydra.launcher.timeout_min=600",
    "hydra.launcher.setup=['module load python']",  # of one's own command line, and never stored
    "hydra.launcher.ray.remote.num_cpus=2",
    "hydra/launcher=submitit",
    "hydra/sweeper/sampler=random",
    "hydra.sweeper.sampler.seed=3",
    "hydra.sweeper.n_trials=10",
    "hydra/job_logging=console",
    "hydra/hydra_logging=disabled",
    "hydra.verbose=true",
    "+hydra.job.name=mine",
    "run=../outputs/first",
    "input=/data/../x.mp4",
    "resume=../a/b",
    "experiment=null",
    "workflow=singleframe,lstm",
    "debug=fast",
    "dataset.train=/data/my_target_/x.tfrecord",
    "dataset.ids={train: /data/_target_s}",
    "input=my _target_.mp4",
    "-m",
    "--config-dir=conf",
    "~augment",
    "name=hydra",
]


@pytest.mark.parametrize("override", REFUSED)
def test_overrides_that_run_code_end_with_a_message_and_exit_code_2(capsys, override, tmp_path):
    with pytest.raises(UsageError, match="this override is refused: it "):
        overriding.require_harmless(["epochs=1", override])
    mark = tmp_path / "run"
    code = cli.main(["train", f"hydra.run.dir={mark}", override])
    told = capsys.readouterr().err
    assert code == 2 and "this override is refused" in told and "Traceback" not in told
    assert not mark.exists()


@pytest.mark.parametrize("override", HARMLESS)
def test_others_pass(override):
    overriding.require_harmless([override])


def stored_run(folder, **changes):
    values = {
        "overrides": ["workflow=lstm"],
        "epochs": 3,
        "callbacks": {"patience": None},
        "workflow": {"name": "lstm"},
        "dataset": {"source": "moving_shapes"},
    }
    folder.mkdir(exist_ok=True)
    (folder / "config.json").write_text(json.dumps(values | changes))
    return f"resume={folder}"


def test_what_is_hydras_own_is_not_repeated(tmp_path):
    run = stored_run(
        tmp_path / "run",
        overrides=[
            "hydra.run.dir=/home/victim",
            "hydra/launcher=evil",
            "+hydra.job.env_set.LD_PRELOAD=evil.so",
            "hydra.searchpath=[evil]",
            "workflow=lstm",
        ],
    )
    assert resuming.continued([run]) == [
        "workflow=lstm",
        "epochs=3",
        "callbacks.patience=null",
        f'hydra.run.dir="{tmp_path / "run"}"',
        run,
    ]


@pytest.mark.parametrize(
    ("overrides", "message"),
    [
        (["+x._target_=os.system"], "an override that names code to run"),
        (["+x={_target_: os.system}"], "an override that names code to run"),
        (["name=${oc.env:SECRET}"], "a value that is filled in from elsewhere"),
        (["experiment=../../../../proc/self/cwd/theirs/evil"], "an override that names code"),
        (["+dataset@hydra.callbacks=lists"], "an override that names code"),
        (["experiment=evil"], "a member of a group that is not one of lrcn's"),
        (["workflow={name: lstm}"], "a member of a group that is not one of lrcn's"),
        (["+theirs/group=evil"], "a member of a group that is not one of lrcn's"),
        (["--config-dir=evil"], "what is no override"),
        (["-m"], "what is no override"),
        (["--experimental-rerun=x"], "what is no override"),
        (["no override"], "what is no override"),
        ([3], "what is no override"),
        ([["a=1"]], "what is no override"),
        ("epochs=3", "no list of overrides"),
        ({"epochs": 3}, "no list of overrides"),
    ],
)
def test_other_stored_overrides_are_refused(capsys, tmp_path, overrides, message):
    run = stored_run(tmp_path / "run", overrides=overrides)
    assert cli.main(["train", run]) == 1
    told = capsys.readouterr().err
    assert message in told and str(tmp_path / "run" / "config.json") in told
    assert "Traceback" not in told
    assert [file.name for file in (tmp_path / "run").iterdir()] == ["config.json"]


def test_a_strangers_member_is_not_read(capsys, tmp_path, monkeypatch):
    evil = "# @package _global_\nhydra: {callbacks: {a: {_target_: os.mkdir, path: run_by_it}}}\n"
    (tmp_path / "evil.yaml").write_text(evil)
    monkeypatch.chdir(tmp_path)
    member = "../../../../../../../../../../proc/self/cwd/evil"
    run = stored_run(tmp_path / "run", overrides=[f"experiment={member}"])
    assert cli.main(["train", run]) == 1
    assert cli.main(["train", f"experiment={member}"]) == 2
    assert sorted(file.name for file in tmp_path.iterdir()) == ["evil.yaml", "run"]
    assert "Traceback" not in capsys.readouterr().err


def test_members_of_a_folder_of_ones_own_are_repeated_by_their_plain_names(tmp_path):
    own = tmp_path / "conf"
    (own / "mine").mkdir(parents=True)
    plain = ["experiment=own", "mine=a", "workflow=lstm", "debug=null"]
    assert overriding.stored(plain, where="x", own_folder=str(own)) == plain
    for override in ("experiment=../own", "mine=../a", "mine=a/b", "mine=.."):
        with pytest.raises(UserError):
            overriding.stored([override], where="x", own_folder=str(own))
    overriding.require_harmless(["--config-dir=conf", "experiment=nested/own"])
    with pytest.raises(UsageError):
        overriding.require_harmless(["--config-dir=conf", "experiment=../own"])


@pytest.mark.parametrize(
    "changes",
    [
        {"dataset": {"source": "records", "train": "${oc.env:SECRET}"}},
        {"dataset": {"source": "records", "train": ["${oc.env:SECRET}"]}},
        {"epochs": "${oc.env:SECRET}"},
        {"callbacks": {"patience": {"a": "${oc.env:SECRET}"}}},
    ],
)
def test_stored_values_are_not_filled_in(tmp_path, changes):
    run = stored_run(tmp_path / "run", overrides=["dataset.train=x"], **changes)
    with pytest.raises(UserError):
        resuming.continued([run])


@pytest.mark.parametrize(
    "changes",
    [
        {"dataset": {}},
        {"dataset": {"source": "evil"}},
        {"dataset": {"source": ["records"]}},
        {"dataset": 3},
        {"dataset": {"source": "records"}},
    ],
)
def test_settings_that_do_not_fit_are_a_user_error(tmp_path, changes):
    run = stored_run(tmp_path / "run", overrides=["dataset.train=x"], **changes)
    with pytest.raises(UserError, match="do not fit its overrides"):
        resuming.continued([run])


@pytest.mark.parametrize("content", ["", "no JSON", "[]", "[" * 100_000, "\xff"])
def test_a_configuration_that_is_none_is_a_user_error(tmp_path, content):
    stored_run(tmp_path / "run")
    (tmp_path / "run" / "config.json").write_bytes(content.encode("latin1"))
    with pytest.raises(UserError, match="not valid JSON"):
        resuming.continued([f"resume={tmp_path / 'run'}"])


def test_a_folder_of_configuration_is_taken_over_only_if_it_is_the_users(tmp_path, monkeypatch):
    own = tmp_path / "conf"
    own.mkdir()
    (tmp_path / "runs").mkdir()
    run = stored_run(tmp_path / "runs" / "a", config_dir=str(own))
    assert f"--config-dir={own}" in resuming.continued([run])
    inside = tmp_path / "runs" / "a" / "conf"
    inside.mkdir()
    (tmp_path / "link").symlink_to(own)
    monkeypatch.chdir(tmp_path)
    for folder in (inside, "conf", tmp_path / "none", tmp_path / "link", 3, ["x"]):
        stored = folder if not isinstance(folder, pathlib.Path) else str(folder)
        run = stored_run(tmp_path / "runs" / "a", config_dir=stored)
        with pytest.raises(UserError, match="may not be yours"):
            resuming.continued([run])
        given = resuming.continued([run, "--config-dir=mine"])
        assert [part for part in given if part.startswith("--")] == ["--config-dir=mine"]


@hypothesis.given(
    strategies.lists(strategies.text() | strategies.integers() | strategies.none(), max_size=4)
)
@hypothesis.settings(max_examples=200, deadline=None)
def test_any_stored_overrides_are_repeated_as_they_are_or_refused(overrides):
    try:
        kept = overriding.stored(overrides, where="config.json")
    except UserError as error:
        assert error.where == "config.json"
    else:
        assert set(kept) <= set(overrides)
        overriding.require_harmless(kept)
        assert not any("${" in part or part.startswith("-") for part in kept)


def test_what_a_run_brings_along_is_composed_before_hydra_makes_objects_of_it(
    capsys, tmp_path, monkeypatch
):
    """A hole in what is refused by its text is no way in."""
    monkeypatch.chdir(tmp_path)
    run = stored_run(tmp_path / "run")
    evil = "+hydra.callbacks.a={_target_: os.mkdir, path: run_by_it}"
    monkeypatch.setattr(overriding, "stored", lambda *_, **__: [evil])
    assert cli.main(["train", run]) == 1
    told = capsys.readouterr().err
    assert "settings that name code to run" in told and "Traceback" not in told
    assert [file.name for file in tmp_path.iterdir()] == ["run"]


@pytest.mark.parametrize(
    "changes",
    [
        {"callbacks": {"a": {}}},
        {"launcher": {"_target_": "os.system"}},
        {"sweeper": {"_target_": "hydras.Evil"}},
        {"job_logging": {"handlers": {"a": {"class": "subprocess.Popen"}}}},
        {"job_logging": {"formatters": {"a": {"()": "os.system"}}}},
        {"hydra_logging": {"filters": {"a": {"()": "os.system"}}}},
    ],
    ids=str,
)
def test_composed_settings_of_hydra_name_no_code_of_others(changes):
    harmless = {
        "callbacks": {},
        "launcher": {"_target_": "hydra._internal.core_plugins.basic_launcher.BasicLauncher"},
        "sweeper": {"_target_": "hydra_plugins.hydra_optuna_sweeper.OptunaSweeper"},
        "job_logging": {"handlers": {"a": {"class": "lrcn.logs.RunLog"}, "b": {}}},
        "hydra_logging": None,
    }
    overriding.require_no_code(harmless, where="run")
    with pytest.raises(UserError, match="settings that name code to run"):
        overriding.require_no_code(harmless | changes, where="run")
