import os
import pathlib
import signal
import subprocess
import sys

import pytest

from lrcn import cli, naming, quoting


def run(capsys, *arguments):
    code = cli.main(list(arguments))
    out, err = capsys.readouterr()
    return code, out, err


def test_without_a_verb_the_overview_and_exit_code_2(capsys):
    code, out, err = run(capsys)
    assert (code, err) == (2, "")
    assert out.startswith("usage: lrcn VERB")


def test_version(capsys):
    code, out, _ = run(capsys, "--version")
    assert code == 0
    assert out.startswith("lrcn ")


def test_the_package_is_the_command_too():
    command = [sys.executable, "-m", "lrcn", "trian"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)  # noqa: S603
    assert done.returncode == 2
    assert "no such verb 'trian'" in done.stderr


EXAMPLES = pathlib.Path(__file__).parent / "examples"


@pytest.mark.parametrize(
    ("arguments", "code"),
    [
        (
            [
                *("serialize", "do_serialize=false", "output_folder=r"),
                f"dataset.input_files=['{EXAMPLES / 'videos.train'}']",
                f"dataset.labels='{EXAMPLES / 'labels.txt'}'",
            ],
            0,
        ),
        (["train", "-m", "workflow=lstm,singleframe", "epochs=0"], 1),  # a table of failed jobs
    ],
    ids=["text", "table"],
)
def test_whoever_reads_the_results_may_have_enough_of_them(arguments, code, tmp_path):
    command = [sys.executable, "-m", "lrcn", *arguments]
    with subprocess.Popen(  # noqa: S603
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, cwd=tmp_path
    ) as process:
        process.stdout.close()
        told = process.stderr.read()
    assert process.returncode == code, told
    assert "bug" not in told and "Traceback" not in told


def test_a_crash_of_a_library_says_where(tmp_path):
    code = (
        "import faulthandler, sys\n"
        "from lrcn import cli, help\n"
        "help.overview = faulthandler._sigsegv\n"
        "sys.exit(cli.main(['--help']))"
    )
    ended = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert ended.returncode == -signal.SIGSEGV
    assert "Fatal Python error: Segmentation fault" in ended.stderr
    assert "_dispatch" in ended.stderr


def test_an_unknown_verb_names_the_nearest(capsys):
    code, out, err = run(capsys, "trian")
    assert (code, out) == (2, "")
    assert err.count("\n") == 1
    assert "no such verb 'trian'; did you mean 'train'" in err


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (["train", "workflow=lsmt"], "no such member of workflow 'lsmt'; did you mean 'lstm'"),
        (
            ["train", "backbone=vgg16", "backbone.alpha=1"],
            "backbone.alpha: unknown key 'backbone.alpha' (backbone=vgg16). Received: "
            "backbone.alpha=1. Expected: keys here: image_size, layer",
        ),
        (
            ["train", "epoch=3"],
            "epoch: unknown key 'epoch'; did you mean 'epochs'? Received: epoch=3. Expected: keys",
        ),
        (["train", "+backbone.alpha=.5"], "unknown key 'backbone.alpha' (backbone=small)"),
        (
            ["evaluate", "run=x", "dataset.val=a.tfrecord"],
            "dataset.val: unknown key 'dataset.val' (dataset=auto). Received: "
            "dataset.val=a.tfrecord. Expected: no key of its own. Leave it out, or choose a member "
            "that has it: dataset=flickr | dataset=records.",
        ),
        (
            ["train", "workflow=lstm,singleframe"],
            "workflow: several values without -m. Received: workflow=lstm,singleframe. Expected: "
            "one value, or a sweep over several. Run a job for each value with `lrcn train -m ...`",
        ),
        (
            ["train", "dataset=lists", "dataset.input_files=a.train,b.val"],
            "put a list in brackets: 'dataset.input_files=[a.train,b.val]', or put one value",
        ),
        (["predict", "run=x", "input=a, b.mp4"], """in quotes: 'input="a, b.mp4"'."""),
        (
            ["train", "optimizer.learning_rate=choice(0.1,0.2)"],
            "optimizer.learning_rate: a search without -m. Received: "
            "optimizer.learning_rate=choice(0.1,0.2). Expected: a value, or a sweep. Add -m: `lrcn",
        ),
        (
            ["train", "-m", "optimizer.learning_rate=interval(0.1,0.2)"],
            "hydra/sweeper: only a search by Optuna takes intervals and the like",
        ),
        (
            ["train", "hydra/launcher=joblib"],
            "hydra/launcher: this starts the jobs of a sweep, and the command is none. Received: "
            "hydra/launcher=joblib. Expected: -m, and several values of some key. Add -m",
        ),
        (["train", "epochs=1", "hydra.sweeper.n_trials=9"], "hydra.sweeper.n_trials: this starts"),
        (
            ["train", "-m", "epochs=1,2", "hydra/sweeper/sampler=tpe"],
            "hydra/sweeper/sampler: a sampler, and nothing that searches by it",
        ),
        (
            ["train", "-m", "epochs=1,2", "hydra.sweeper.max_batch=2"],
            "hydra/sweeper=basic has no key 'max_batch'; did you mean 'max_batch_size'?",
        ),
        (
            ["train", "-m", "epochs=1,2", "hydra.launcher.n_jobs=2"],
            "hydra/launcher=basic has no key 'n_jobs'. Received: hydra.launcher.n_jobs=2. "
            "Expected: none: it has no keys. ",
        ),
        (["train", "+nothing=1"], "unknown key 'nothing'"),
        (["train", "workflow=null"], "workflow"),
        (["train", "optimizer={a: 1}"], "no such member of optimizer '{a: 1}'"),
        (["train", "dataset.input=[a(b]"], "could not be read"),
        (["train", "epochs"], "epochs: the command line could not be read"),
        (["train", "dataset=[a]"], "command line: In 'train': Could not load 'dataset/a'"),
    ],
)
def test_usage_errors_are_one_line_and_exit_code_2(
    capsys, tmp_path, monkeypatch, arguments, expected
):
    monkeypatch.chdir(tmp_path)
    code, out, err = run(capsys, *arguments)
    assert code == 2, err
    assert out == ""
    assert expected in err
    assert err.count("\n") == 1
    assert "Received: " in err and "Expected: " in err
    assert "Traceback" not in err


def test_a_missing_value_is_exit_code_1_and_leaves_nothing(capsys, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    code, out, err = run(capsys, "evaluate")
    assert (code, out) == (1, "")
    assert err.startswith("error: run: a value is needed")
    assert list(tmp_path.iterdir()) == []


def test_job_folders_are_flat_stable_and_short():
    assert naming.job_folder("pooling=avg,workflow=lstm") == "pooling=avg,workflow=lstm"
    nested = naming.job_folder("dataset.train=/data/a b.tfrecord,note=a b,workflow=lstm")
    assert nested.startswith("note=a_b,workflow=lstm-")
    assert nested == naming.job_folder("dataset.train=/data/a b.tfrecord,note=a b,workflow=lstm")
    assert nested != naming.job_folder("dataset.train=/data/a_b.tfrecord,note=a b,workflow=lstm")
    assert len(naming.job_folder("a=" + "b" * 300)) <= 110
    shared = naming.job_folder(
        "dataset.classes=[a,b],epochs=3,workflow=lstm", {"dataset.classes", "epochs"}
    )
    assert shared.startswith("workflow=lstm-")
    assert shared != naming.job_folder("dataset.classes=[a,b],epochs=4,workflow=lstm", {"epochs"})
    assert naming.job_folder("") == "defaults"


@pytest.mark.parametrize(
    ("override", "expected"),
    [
        ("a=1,2", True),
        ("a=[1,2]", False),
        ("a=[1],[2]", True),
        ("a='x,y'", False),
        ("a=range(1,3)", True),
        ("a=tag(log,interval(1e-4,1e-1))", True),
        ("a=shuffle(1,2)", True),
        ("+a.b={c:1,d:2}", False),
    ],
)
def test_what_is_swept(override, expected):
    assert cli._sweeps(override) is expected


def test_hydra_keeps_off_a_finished_run(tmp_path):
    assert naming.hydra_folder(str(tmp_path)) == ".hydra"
    (tmp_path / "DONE").touch()
    assert naming.hydra_folder(str(tmp_path)) is None


def test_hydra_keeps_off_a_folder_that_is_no_runs(tmp_path):
    assert naming.log_file(str(tmp_path), "train") == str(tmp_path / "train.log")
    (tmp_path / "train.log").touch()
    assert naming.hydra_folder(str(tmp_path)) == ".hydra"
    (tmp_path / "photo.jpg").touch()
    assert naming.hydra_folder(str(tmp_path)) is None
    assert naming.log_file(str(tmp_path), "train") == os.devnull


def test_a_sweep_may_be_asked_for_after_a_key(capsys, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    code, out, _ = run(capsys, "train", "epochs=0", "-m", "workflow=lstm,singleframe")
    assert code == 1
    assert "2 jobs" in out
    assert len(list((tmp_path / "multirun" / "train").glob("*/FAILED"))) == 2


def test_a_configuration_of_ones_own_that_is_no_yaml_is_named(capsys, tmp_path):
    (tmp_path / "experiment").mkdir()
    (tmp_path / "experiment" / "own.yaml").write_text("epochs: 1\nepochs: 2\n")
    code, out, err = run(capsys, "train", f"--config-dir={tmp_path}", "experiment=own")
    assert (code, out) == (1, "")
    assert err.startswith(f"error: {tmp_path}/experiment/own.yaml:2: not valid YAML. Received: ")
    assert "duplicate key epochs" in err


def read_by_hydra(text):
    from hydra.core.override_parser.overrides_parser import OverridesParser

    (override,) = OverridesParser.create().parse_overrides([quoting.quoted(text, cli._is_readable)])
    assert not override.is_sweep_override()
    return override.value()


@pytest.mark.parametrize(
    "name",
    [
        "a b (1), x=2",
        "workflow=lstm",
        'with "quotes"',
        "recü",
        "x\\y #1",
        'a\\"b',
        "a (b)\\",
        "\\ü\\\\",
    ],
)
def test_paths_that_exist_need_no_quotes_for_hydra(tmp_path, name):
    path = tmp_path / name
    path.mkdir()
    assert read_by_hydra(f"run={path}") == str(path)


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("output_folder", "recü"),
        ("output_folder", "my (x)"),
        ("output_folder", "lr=0.1"),
        ("overlay", "größe [1].mp4"),
        ("report", "it's.json"),
        ("input", "clips (1)/*.avi"),
        ("input", "écran/*.mp4"),
        ("hydra.run.dir", "läufe/a~b"),
        ("+hydra.sweep.dir", "a#b"),
        ("name", "läufe 1"),
        ("run", "läufe/1"),
        ("dataset.labels", "имена.txt"),
    ],
)
def test_names_of_what_is_not_there_yet_need_no_quotes_for_hydra(key, value):
    assert read_by_hydra(f"{key}={value}") == value


@pytest.mark.parametrize(
    ("given", "corrected"),
    [
        ("run=my (x)", """'run="my (x)"'"""),
        ("run=a,ü", """'run="a,ü"'"""),
        ("dataset.input_files=[ä.train,'b.val']", """'dataset.input_files=["ä.train","b.val"]'"""),
        ("run='a", """'run="'"'"'a"'"""),
    ],
)
def test_an_argument_that_cannot_be_read_is_shown_corrected(capsys, given, corrected):
    code, _, err = run(capsys, "evaluate", given)
    assert code == 2
    assert f"could not be read. Received: {given}. " in err
    assert err.endswith(f"inside the shell's: {corrected}.\n")
    assert "Exception" not in err


def test_a_key_that_a_launcher_of_ones_own_lacks_is_told(capsys, tmp_path):
    (tmp_path / "hydra/launcher").mkdir(parents=True)
    target = "hydra._internal.core_plugins.basic_launcher.BasicLauncher"
    (tmp_path / "hydra/launcher/mine.yaml").write_text(f"_target_: {target}\n")
    given = ("-m", f"--config-dir={tmp_path}", "hydra/launcher=mine", "seed=0,1")
    code, _, err = run(capsys, "train", *given, "hydra.launcher.jobs=2")
    assert code == 2 and "hydra/launcher=mine has no key 'jobs'. Received: " in err
    assert "Expected: a key of hydra/launcher=mine, which `--cfg hydra` shows. " in err


def test_a_list_that_the_shell_cut_is_told(capsys):
    code, _, err = run(capsys, "predict", "run=x", "input=[a.mp4,", "b.mp4]")
    assert code == 2 and "could not be read. Received: input=[a.mp4,. " in err
    assert "A space ends an argument: write input=[VALUE,VALUE] without any, or put all" in err


def test_a_path_without_its_key_is_told(capsys, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "my run").mkdir()
    code, _, err = run(capsys, "evaluate", "my run")
    assert code == 2 and err.endswith("Write KEY='my run', such as run= or input=.\n")


@pytest.mark.parametrize(
    "text",
    [
        "run=a,b",
        "x=[1,2]",
        "y='a b'",
        "run=/no such (folder)",
        "-m",
        "-cd=ü",
        "--config-dir=ü",
        "~ü=1",
    ],
)
def test_other_overrides_are_left_as_they_are(text):
    assert quoting.quoted(text, cli._is_readable) == text


def test_a_folder_that_cannot_be_made_is_a_user_error(capsys, tmp_path):
    (tmp_path / "file").touch()
    code, out, err = run(capsys, "train", f"hydra.run.dir={tmp_path}/file/run")
    assert (code, out) == (1, "")
    assert err.startswith("error: hydra.run.dir: the folder of the results cannot be written to.")
    assert "Traceback" not in err


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ("[a,b/c]", ["a", "b/c"]),
        ("[x/*modality=rgb*,x/*modality=flow*]", ["x/*modality=rgb*", "x/*modality=flow*"]),
        ("[x/m=rgb,seed=0,x/m=flow,seed=0]", ["x/m=rgb,seed=0", "x/m=flow,seed=0"]),
        ("[[x/m=rgb, x/m=flow],[y z]]", [["x/m=rgb", "x/m=flow"], ["y z"]]),
        ("['x/m=rgb,seed=0',b]", ["x/m=rgb,seed=0", "b"]),
        ("x/*m=rgb*", "x/*m=rgb*"),
    ],
)
def test_runs_are_read_as_the_folders_of_sweeps_are_named(given, expected):
    from hydra.core.override_parser.overrides_parser import OverridesParser

    text = quoting.quoted(f"runs={given}", cli._is_readable)
    (override,) = OverridesParser.create().parse_overrides([text])
    value = override.value()

    def plain(item):
        if isinstance(item, list):
            return [plain(own) for own in item]
        return getattr(item, "text", item)

    assert plain(value) == expected
    if given[0] == "[":  # `demo` takes several runs by the key of one
        assert quoting.quoted(f"run={given}", cli._is_readable) == text.replace("runs=", "run=")


@pytest.mark.parametrize(
    ("raised", "told"),
    [
        (
            PermissionError(13, "Permission denied", "/data/a.train"),
            "error: /data/a.train: the system refuses a file or folder. Received: Permission",
        ),
        (MemoryError("Unable to allocate 9 GiB"), "Received: Unable to allocate 9 GiB."),
        (RecursionError("too deep"), "error: this is a bug in lrcn"),
    ],
    ids=["rights", "memory", "recursion"],
)
@pytest.mark.parametrize("verb", ["browse", "train"])
def test_a_fault_of_the_machine_is_no_bug(capsys, tmp_path, monkeypatch, verb, raised, told):
    from lrcn import verbs

    def fail(*arguments, **options):
        raise raised

    monkeypatch.setattr(verbs, "run", fail)
    code, out, err = run(capsys, verb, f"hydra.run.dir={tmp_path}/run")
    assert (code, out) == (1, "")
    assert told in err
    is_bug = isinstance(raised, RecursionError)
    assert ("Traceback" in err) == is_bug
    assert err.count("error: ") == 1
    if verb == "train":  # where it was raised is for the log
        log = (tmp_path / "run" / "train.log").read_text()
        assert "Traceback" in log and type(raised).__name__ in log
        assert (tmp_path / "run" / "FAILED").exists()


def test_a_mark_that_cannot_be_written_does_not_hide_the_error(capsys, tmp_path, monkeypatch):
    from lrcn import files, verbs

    def full(*arguments, **options):
        raise OSError(28, "No space left on device")

    def fail(*arguments, **options):
        raise FileNotFoundError(2, "gone", "/data/v.mp4")

    monkeypatch.setattr(verbs, "run", fail)
    monkeypatch.setattr(files.os, "fsync", full)
    code, _, err = run(capsys, "train", f"hydra.run.dir={tmp_path}/run")
    assert code == 1
    first, second = err.splitlines()
    assert first.startswith("error: /data/v.mp4: the system refuses a file or folder.")
    assert second.startswith(f"the failure is not marked: {tmp_path}/run/FAILED: cannot be written")
    assert sorted(path.name for path in (tmp_path / "run").iterdir()) == [".hydra", "train.log"]


def test_a_log_that_cannot_be_written_is_told_once(capsys, tmp_path):
    (tmp_path / "run" / "train.log").mkdir(parents=True)
    code, _, err = run(capsys, "train", "epochs=0", f"hydra.run.dir={tmp_path}/run")
    assert code == 1
    assert err.count("warning: the log ends here") == 1
    assert err.count("error: epochs") == 1
    assert "Logging error" not in err and "Traceback" not in err


def test_a_sweep_that_hydra_cannot_go_on_with_has_its_summary(capsys, tmp_path, monkeypatch):
    folder = tmp_path / "sweep"
    folder.mkdir()
    (
        folder / naming.job_folder("epochs=0,seed=1", {"epochs"})
    ).touch()  # where the second job wants its folder
    given = ["train", "-m", "epochs=0", "seed=0,1", f"hydra.sweep.dir={folder}"]
    code, _, err = run(capsys, *given)
    assert code == 1
    assert "error: hydra.run.dir: the folder of the results cannot be written to." in err
    assert (folder / "summary.csv").read_text().count("FAILED") == 1
    assert "Traceback" not in err


def test_what_all_jobs_of_a_sweep_do_wrong_is_told_once(capsys, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    code, _, err = run(capsys, "train", "-m", "seed=0,1,2", "epochs=0")
    assert code == 1
    told = "epochs: not a value of this key"
    assert err.count(f"error: {told}. Received: 0. ") == 1
    assert err.count(f"error: {told}, as in a job before\n") == 2
    assert err.count("FAILED seed=") == 1 and err.count("Received: ") == 2
    logs = sorted(tmp_path.glob("multirun/train/*/train.log"))
    assert len(logs) == 3 and all("Received: 0." in log.read_text() for log in logs)
