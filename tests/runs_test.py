import dataclasses
import json
import os

import hypothesis
import pytest
from hypothesis import strategies as st

from lrcn import cli, runs
from lrcn.data import limits
from lrcn.errors import UserError

SHOWN = runs.Shown(
    mode={"name": "rand_clips", "num_frames_per_clip": 4},
    frame_shape=(24, 32, 3),
    frame_step=2,
    fps=None,
    quality=95,
)


@pytest.fixture
def run(tmp_path):
    return runs.RunDirectory(tmp_path / "run")


def write(path, content):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(content)


def test_the_names_are_those_of_the_contract(run):
    assert runs.RunDirectory(str(run.path)) == run
    assert {
        file.relative_to(run.path).as_posix()
        for file in (
            *(run.config_file, run.last, run.best, run.state_file, run.history_file),
            *(run.labels_file, run.metrics_file, run.curves_file, run.tensorboard),
            run.evaluation("test"),
        )
    } == {
        *("config.json", "checkpoints/last.keras", "checkpoints/best.keras", "state.json"),
        *("history.csv", "labels.txt", "metrics.json", "curves.png", "tensorboard"),
        "evaluation/test",
    }


def test_naming_files_writes_none(run):
    assert not run.is_done and run.failure is None
    assert not run.path.exists()


def test_marks_exclude_each_other(run):
    run.mark_failed(MemoryError("out of memory"))
    assert (run.is_done, run.failure) == (False, "MemoryError: out of memory")
    run.mark_done()
    assert (run.is_done, run.failure) == (True, None)
    run.clear_marks()
    assert (run.is_done, run.failure) == (False, None)
    assert list(run.path.iterdir()) == []


def test_a_bug_keeps_its_traceback_and_a_user_error_its_message(run):
    try:
        raise ValueError("lost")
    except ValueError as error:
        run.mark_failed(error)
    assert run.failure == "ValueError: lost"
    assert "in test_a_bug_keeps" in (run.path / "FAILED").read_text()
    ours = UserError("too short", where="a.mp4", received=3, expected="4 frames", remedy="Loop it")
    run.mark_failed(ours)
    assert (run.path / "FAILED").read_text() == f"{ours}\n"
    assert run.failure == str(ours)


def test_a_run_is_begun_by_its_first_checkpoint(run):
    run.write_config({"epochs": 3})
    assert not run.is_begun
    write(run.last, "last")
    assert run.is_begun
    run.config_file.unlink()
    assert not run.is_begun


def test_how_items_were_shown_comes_back_beside_the_settings(run):
    run.write_config({"epochs": 3})
    run.write_shown(SHOWN)
    assert run.read_config()["epochs"] == 3
    known = run.read_shown()
    assert tuple(known.frame_shape) == SHOWN.frame_shape
    assert (known.mode, known.frame_step, known.fps, known.quality) == (SHOWN.mode, 2, None, 95)


def test_labels_keep_their_order(run):
    run.write_labels(("wave", "Übung", "bend over"))
    assert run.read_labels() == ("wave", "Übung", "bend over")


@hypothesis.settings(max_examples=25, deadline=None)  # every file is synced to the disk
@hypothesis.example(["a\u2028b", "\x85c", "d\x0ce", "f\rg", ""])
@hypothesis.given(st.lists(st.text(st.characters(exclude_characters="\n", codec="utf-8"))))
def test_labels_come_back_whatever_they_hold(tmp_path_factory, names):
    run = runs.RunDirectory(tmp_path_factory.mktemp("run"))
    run.write_labels(tuple(names))
    assert run.read_labels() == tuple(name.removesuffix("\r") for name in names)


def test_labels_that_another_system_has_written_are_read(run):
    run.path.mkdir()
    run.labels_file.write_bytes(b"left\r\nright")
    assert run.read_labels() == ("left", "right")


@pytest.mark.parametrize(
    ("make", "read", "expected"),
    [
        (lambda run: None, "read_config", "no run here: config.json is missing"),
        (lambda run: run.write_config({}), "read_shown", "the run never got to its data"),
        (lambda run: None, "checkpoint", "no such run directory"),
        (lambda run: run.mark_failed(OSError("x")), "checkpoint", "the run has no checkpoint"),
        (lambda run: write(run.path / "photo.jpg", ""), "checkpoint", "no run here: config.json"),
        (lambda run: run.write_config({"colour": 1}), "read_settings", "config.json: colour: "),
        (
            lambda run: write(run.config_file, "[1]"),
            "read_config",
            "not valid JSON. Received: a list",
        ),
        (
            lambda run: run.write_config({}) or run.config_file.write_bytes(b"\xff"),
            "read_config",
            "not valid JSON",
        ),
        (lambda run: run.write_config({"shown": {"x": 1}}), "read_shown", "{'x': 1}"),
        (
            lambda run: run.write_config({"shown": [1]}),
            "read_shown",
            r"items were shown.*\[1\]",
        ),
        (lambda run: write(run.config_file, '{"epochs": 3,\n}'), "read_config", "config.json:2: "),
    ],
)
def test_what_is_missing_is_named(run, make, read, expected):
    make(run)
    with pytest.raises(UserError, match=expected) as raised:
        getattr(run, read)()
    assert str(run.path) in str(raised.value)


def test_the_checkpoint_to_use_is_the_best(run):
    run.write_config({})
    write(run.last, "last")
    with pytest.raises(UserError, match="best.keras"):
        run.checkpoint()
    write(run.best, "best")
    assert run.checkpoint() == run.best


def test_checkpoints_are_copied_whole_and_the_source_stays(run, tmp_path):
    target = runs.RunDirectory(tmp_path / "other")
    with pytest.raises(UserError, match="resume: the run has no checkpoint to go on from"):
        run.copy_checkpoints(target)
    assert not target.path.exists()
    write(run.last, "last")
    run.copy_checkpoints(target)
    assert target.last.read_text() == "last" and not target.best.exists()
    write(run.best, "best")
    run.copy_checkpoints(target)
    assert (target.last.read_text(), target.best.read_text()) == ("last", "best")
    assert (run.last.read_text(), run.best.read_text()) == ("last", "best")


def test_a_copy_that_fails_leaves_no_last_checkpoint(run, tmp_path, monkeypatch):
    target = runs.RunDirectory(tmp_path / "other")
    write(run.last, "last")
    write(run.best, "best")

    def full(source, path):
        path.write_text("be")
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(runs.shutil, "copyfile", full)
    with pytest.raises(UserError, match="best.keras: cannot be written.*No space"):
        run.copy_checkpoints(target)
    assert list(target.last.parent.iterdir()) == []


def test_metrics_come_back(run):
    run.write_metrics({"video_accuracy": 0.75, "videos": 4})
    assert run.read_metrics() == json.loads(run.metrics_file.read_text())
    assert run.read_metrics() == {"video_accuracy": 0.75, "videos": 4}


@pytest.mark.parametrize(
    "content", [b"", b"[]", b"3", b"null", b"\xff\xfe", b"[" * 100_000, b'{"a": ' + b"9" * 5000]
)
def test_json_that_is_none_of_ours_is_a_user_error(run, content):
    run.path.mkdir()
    run.metrics_file.write_bytes(content)
    with pytest.raises(UserError, match="not valid JSON"):
        run.read_metrics()


def test_a_pipe_is_not_waited_for_and_a_large_file_is_not_read(run):
    run.path.mkdir()
    os.mkfifo(run.metrics_file)
    with pytest.raises(UserError, match="Received: a named pipe, not a file"):
        run.read_metrics()
    run.metrics_file.unlink()
    run.metrics_file.write_text("{}" + " " * 100)
    with pytest.raises(UserError, match="limits.file_bytes"):
        runs.read_json(run.metrics_file, limits=limits.Limits(file_bytes=50))


@pytest.mark.parametrize(
    "shown",
    [
        3,
        ["x"],
        {"mode": None},
        {"_target_": "os.system"},
        {"mode": {"name": "evil"}},
        {"mode": {"_target_": "x"}},
        {"mode": 3},
        {"frame_shape": [0, 1, 3]},
        {"frame_shape": "abc"},
        {"frame_shape": [10**12, 1, 3]},
        {"frame_step": 0},
        {"frame_step": "2"},
        {"fps": "x"},
        {"fps": -1},
        {"quality": True},
        {"modality": "sound"},
        {"flow_method": "dis"},
    ],
)
def test_how_items_were_shown_by_a_stranger_is_a_user_error(run, shown):
    whole = json.loads(json.dumps(dataclasses.asdict(SHOWN)))
    run.write_config({"shown": whole})
    assert run.read_shown().frame_step == 2
    is_change = isinstance(shown, dict) and shown != {"mode": None}
    run.write_config({"shown": {**whole, **shown} if is_change else shown})
    with pytest.raises(UserError, match="how items were shown to the network cannot be read"):
        run.read_shown()


def test_labels_that_are_no_text_are_a_user_error(run):
    run.path.mkdir()
    with pytest.raises(UserError, match="the names of the classes cannot be read"):
        run.read_labels()
    run.labels_file.write_bytes(b"\xff\xfe")
    with pytest.raises(UserError, match="the names of the classes cannot be read"):
        run.read_labels()


@pytest.mark.parametrize(
    "name",
    [
        *(".hydra", ".hydra/overrides.yaml", "train.log", "checkpoints", "checkpoints/last.keras"),
        *("tensorboard", "tensorboard/train", "evaluation", "evaluation/test", "config.json"),
        "evaluation/test/metrics.json",
    ],
)
def test_a_run_with_a_link_in_it_is_not_ones_own(run, tmp_path, name):
    write(run.path / "labels.txt", "a\n")
    (run.path / name).parent.mkdir(parents=True, exist_ok=True)
    run.require_own()
    (run.path / name).symlink_to(tmp_path / "theirs")
    assert run.has_links
    with pytest.raises(UserError, match="holds a link") as raised:
        run.require_own()
    assert raised.value.where == str(run.path / name)


def test_a_run_may_be_reached_by_a_link(run, tmp_path):
    runs.RunDirectory(tmp_path / "none").require_own()
    write(run.path / "labels.txt", "a\n")
    (tmp_path / "link").symlink_to(run.path)
    runs.RunDirectory(tmp_path / "link").require_own()


VERBS_THAT_WRITE = [
    ["train", "hydra.run.dir=run"],
    ["train", "resume=run"],
    ["evaluate", "run=run"],
    ["retrieve", "run=run"],
]


@pytest.mark.parametrize("command", VERBS_THAT_WRITE, ids=" ".join)
def test_nothing_is_written_through_links_of_a_run(capsys, tmp_path, monkeypatch, command):
    monkeypatch.chdir(tmp_path)
    stored = {
        "overrides": [],
        "epochs": 1,
        "callbacks": {"patience": None},
        "dataset": {"source": "moving_shapes"},
    }
    write(tmp_path / "run" / "config.json", json.dumps(stored))
    for name in ("log", "overrides", "events/a", "results/a"):
        write(tmp_path / "theirs" / name, "precious")
    (tmp_path / "run" / ".hydra").mkdir()
    (tmp_path / "run" / "train.log").symlink_to("../theirs/log")
    (tmp_path / "run" / ".hydra" / "overrides.yaml").symlink_to("../../theirs/overrides")
    (tmp_path / "run" / "tensorboard").symlink_to("../theirs/events")
    (tmp_path / "run" / "evaluation").symlink_to("../theirs/results")

    def found():
        files = [file for file in tmp_path.rglob("*") if file.is_file()]
        return {file: file.read_text() for file in files}

    before = found()
    assert cli.main(command) == 1
    err = capsys.readouterr().err
    assert "holds a link" in err and "Traceback" not in err
    assert found() == before


def test_files_of_strangers_are_read_only_within_limits(run):
    few = dataclasses.replace(limits.Limits(), file_bytes=10)
    write(run.labels_file, "a\n" * 6)
    with pytest.raises(UserError, match="file_bytes"):
        run.read_labels(limits=few)
    run.labels_file.unlink()
    os.mkfifo(run.labels_file)
    with pytest.raises(UserError, match="the names of the classes cannot be read"):
        run.read_labels()


def test_a_mark_of_a_stranger_is_read_only_within_limits(run):
    (run.path).mkdir()
    (run.path / "FAILED").write_bytes(b"\xff" + b"x" * 10**6)
    assert run.failure.startswith("\ufffdx") and len(run.failure) < 10**5
    (run.path / "FAILED").unlink()
    os.mkfifo(run.path / "FAILED")
    assert "a named pipe" in run.failure
