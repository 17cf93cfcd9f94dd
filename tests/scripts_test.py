"""The scripts beside the package do what their first lines promise."""

import importlib.util
import pathlib
import subprocess
import sys

import numpy as np
import pytest

from lrcn import cli, files, runs, settings
from lrcn.inference import probabilities

SCRIPTS = pathlib.Path(__file__).resolve().parent.parent / "scripts"


def script(name, *arguments, **keywords):
    command = [sys.executable, str(SCRIPTS / f"{name}.py"), *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, **keywords)


def loaded(name, monkeypatch):
    spec = importlib.util.spec_from_file_location(name, SCRIPTS / f"{name}.py")
    module = importlib.util.module_from_spec(spec)
    monkeypatch.setitem(sys.modules, name, module)
    spec.loader.exec_module(module)
    return module


def test_every_verb_has_a_script():
    assert {path.stem for path in SCRIPTS.glob("*.py")} >= set(settings.VERBS)


@pytest.mark.parametrize("verb", sorted(settings.VERBS))
def test_a_verb_and_its_script_give_the_same_help(capsys, tmp_path, verb):
    assert cli.main([verb, "--help"]) == 0
    done = script(verb, "--help", cwd=tmp_path)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout == capsys.readouterr().out


def test_a_script_passes_exit_codes_on(tmp_path):
    done = script("train", "workflow=lsmt", cwd=tmp_path)
    assert (done.returncode, done.stdout) == (2, "")
    assert "no such member of workflow 'lsmt'" in done.stderr


def write_job(folder, *, workflow, split, seed, right, done=True):
    """A finished job of a sweep: each video is named with its group, and right or wrong."""
    run = runs.RunDirectory(folder / f"{workflow}-{split}-{seed}")
    run.write_config({"workflow": {"name": workflow}, "dataset": {"split": split}, "seed": seed})
    videos = [(group, clip, hit) for group, hits in right.items() for clip, hit in enumerate(hits)]
    predicted = probabilities.Predicted(
        tuple(f"v_Lunges_g{group:02}_c{clip:02}" for group, clip, _ in videos),
        tuple(f"g{group:02}" for group, _, _ in videos),
        ((0,),) * len(videos),
        ("a", "b"),
        np.array([[hit, 1 - hit] for _, _, hit in videos], float),
    )
    text = probabilities.to_csv(predicted)
    files.write_text(run.evaluation("test") / "probabilities.csv", text)
    if done:
        run.mark_done()


def test_compare_does_the_sums_one_would_do_by_hand(tmp_path):
    # Two splits, two seeds, two groups of two videos in each split. From lstm to singleframe each
    # group of split 1 gains 1/2; in split 2 the same jobs come in the other order of seeds.
    always, never, half = (1, 1), (0, 0), (1, 0)
    for seed in (0, 1):
        write_job(tmp_path, workflow="lstm", split=1, seed=seed, right={1: half, 2: half})
        write_job(
            tmp_path, workflow="singleframe", split=1, seed=seed, right={1: always, 2: always}
        )
    write_job(tmp_path, workflow="lstm", split=2, seed=0, right={3: always, 4: always})
    write_job(tmp_path, workflow="lstm", split=2, seed=1, right={3: never, 4: always})
    write_job(tmp_path, workflow="singleframe", split=2, seed=0, right={3: never, 4: always})
    write_job(tmp_path, workflow="singleframe", split=2, seed=1, right={3: always, 4: always})
    write_job(tmp_path, workflow="lstm", split=2, seed=9, right={3: never, 4: never}, done=False)
    done = script("compare", tmp_path)
    assert done.returncode == 0, done.stderr
    # lstm by seed: .5 and .5, then 1 and .5. Means over splits: .75 and .5, so .625 +- .25/sqrt(2).
    assert done.stdout.splitlines() == [
        "| | 1 | 2 | mean |",
        "|---|---|---|---|",
        "| lstm | 0.500 ± 0.000 | 0.750 ± 0.354 | 0.625 ± 0.177 |",
        "| singleframe | 1.000 ± 0.000 | 0.750 ± 0.354 | 0.875 ± 0.177 |",
        "",
        # (-.5 -.5 + 0 + 0) / 4 over the four groups. All four draws fall on split 1 once in 16
        # times and on split 2 as often, both more often than 1 in 40: the interval has both ends.
        "lstm minus singleframe: -0.250 [-0.500, +0.000] (95 %, 8 videos in 4 groups)",
    ]


def test_compare_takes_other_keys(tmp_path):
    for seed in (0, 1):
        write_job(tmp_path, workflow="lstm", split=1, seed=seed, right={1: (1, 1), 2: (1, 0)})
    done = script("compare", tmp_path, "--by", "seed")
    assert done.returncode == 0, done.stderr
    assert "0 minus 1: +0.000 [+0.000, +0.000] (95 %, 4 videos in 2 groups)" in done.stdout


def test_compare_tells_which_run_was_not_evaluated(tmp_path):
    write_job(tmp_path, workflow="lstm", split=1, seed=0, right={1: (1, 1)})
    done = script("compare", tmp_path, "--split", "val")
    assert (done.returncode, done.stdout) == (1, "")
    assert f"Evaluate it: lrcn evaluate run={tmp_path}/lstm-1-0 split=val" in done.stderr


STREAM_JOBS = {  # the probability of the true class of two videos, by split, workflow and modality
    (1, "singleframe", "rgb"): (0.6, 0.4),
    (1, "singleframe", "flow"): (0.3, 0.8),
    (1, "lstm", "rgb"): (0.6, 0.6),
    (1, "lstm", "flow"): (0.46, 0.7),
    (2, "singleframe", "rgb"): (0.1, 0.1),
    (2, "singleframe", "flow"): (0.2, 0.6),
    (2, "lstm", "rgb"): (0.9, 0.1),
    (2, "lstm", "flow"): (0.8, 0.8),
}


def write_streams(folder, *, seeds=(0,)):
    """Sweeps of RGB and of flow in folders of their own; the second seed knows nothing.

    Runs of RGB are older than modalities. Group g holds a video of each split, h1 and h2 the other.
    """
    for (split, workflow, modality), shares in STREAM_JOBS.items():
        for seed in seeds:
            run = runs.RunDirectory(folder / modality / f"{workflow}-{split}-{seed}")
            config = {"workflow": {"name": workflow}, "dataset": {"split": split}, "seed": seed}
            if modality != "rgb":
                config |= {"modality": {"name": "auto"}, "shown": {"modality": modality}}
            run.write_config(config)
            values = np.array([[p, 1 - p] if seed == 0 else [0, 1] for p in shares], float)
            predicted = probabilities.Predicted(
                (f"{split}/a", f"{split}/b"), ("g", f"h{split}"), ((0,), (0,)), ("x", "y"), values
            )
            text = probabilities.to_csv(predicted)
            files.write_text(run.evaluation("test") / "probabilities.csv", text)
            run.mark_done()


def test_two_streams_are_laid_out_like_the_papers_table(tmp_path):
    write_streams(tmp_path)
    done = script("two_streams", tmp_path / "rgb", tmp_path / "flow")
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.split("\n\n")[0].splitlines() == [
        "| | RGB | flow | 1/2, 1/2 | 1/3, 2/3 |",
        "|---|---|---|---|---|",
        # Of both videos at 1/2: .45 and .6; at 1/3: .4 and .67.
        "| single frame, split 1 | 0.500 | 0.500 | 0.500 | 0.500 |",
        # .53 and .65; .507 and .67
        "| LSTM, split 1 | 1.000 | 0.500 | 1.000 | 1.000 |",
        # .15 and .35; .17 and .43
        "| single frame, split 2 | 0.000 | 0.500 | 0.000 | 0.000 |",
        # .85 and .45; .83 and .57
        "| LSTM, split 2 | 0.500 | 1.000 | 0.500 | 1.000 |",
        "| single frame, mean of 2 splits | 0.250 | 0.500 | 0.250 | 0.250 |",
        "| LSTM, mean of 2 splits | 0.750 | 0.750 | 0.750 | 1.000 |",
    ]


def test_two_streams_tell_how_sure_their_differences_are(tmp_path):
    write_streams(tmp_path)
    done = script("two_streams", tmp_path / "rgb", tmp_path / "flow")
    lines = done.stdout.split("\n\n")[1].splitlines()
    assert [line.partition(" [")[0] for line in lines] == [
        "* RGB: LSTM minus single frame: +0.500",
        "* flow: LSTM minus single frame: +0.250",
        "* 1/2, 1/2: LSTM minus single frame: +0.500",
        "* 1/3, 2/3: LSTM minus single frame: +0.750",
        "* single frame: flow minus RGB: +0.250",
        "* single frame: 1/2, 1/2 minus flow: -0.250",
        "* single frame: 1/3, 2/3 minus flow: -0.250",
        "* LSTM: flow minus RGB: +0.000",
        "* LSTM: 1/2, 1/2 minus flow: +0.000",
        "* LSTM: 1/3, 2/3 minus flow: +0.250",
    ]
    # From single frame to LSTM, flow wins a video of g, of two: three draws of g alone or of none.
    assert lines[1].endswith("[+0.000, +0.500] (95 %, 4 videos in 3 groups)")


def test_two_streams_give_mean_and_spread_over_seeds(tmp_path):
    write_streams(tmp_path, seeds=(0, 1))
    done = script("two_streams", tmp_path)  # one folder may hold both sweeps
    assert done.returncode == 0, done.stderr
    assert "| LSTM, split 1 | 0.500 ± 0.707 | 0.250 ± 0.354 |" in done.stdout
    assert "| LSTM, mean of 2 splits | 0.375 ± 0.530 |" in done.stdout
    assert "* RGB: LSTM minus single frame: +0.250 [" in done.stdout


def test_two_streams_tell_what_is_missing(tmp_path):
    write_streams(tmp_path)
    folder = tmp_path / "flow" / "lstm-2-0"
    (folder / "DONE").unlink()
    done = script("two_streams", tmp_path)
    assert (done.returncode, done.stdout) == (1, "")
    told = (
        f"error: {tmp_path}: finished runs are missing. Received: none of lstm flow split 2 seed 0."
    )
    assert done.stderr.startswith(told)
    runs.RunDirectory(folder).mark_done()
    (folder / "evaluation" / "test" / "probabilities.csv").unlink()
    done = script("two_streams", tmp_path)
    assert f"Evaluate it: lrcn evaluate run={folder} split=test" in done.stderr
    done = script("two_streams", tmp_path / "rgb", tmp_path / "rgb")
    assert "two runs of one setting and seed" in done.stderr
    done = script("two_streams", tmp_path / "nowhere")
    assert "no such folder" in done.stderr


@pytest.fixture(scope="module")
def described(tmp_path_factory):
    """A run that describes images, without a test split."""
    folder = tmp_path_factory.mktemp("described")
    tiny = [
        *("workflow=imgdesc_step", "workflow.units=4", "workflow.embedding=3", "epochs=1"),
        *("dataset.train=12", "dataset.val=4", "dataset.test=0", "dataset.size=24"),
        *("backbone.image_size=[16,16]", "backbone.trainable=false", "callbacks=minimal"),
    ]
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("LRCN_CACHE", str(tmp_path_factory.mktemp("cache")))
        assert cli.main(["train", *tiny, f"hydra.run.dir={folder}"]) == 0
        yield folder


@pytest.fixture
def caption_baselines(monkeypatch):
    monkeypatch.setattr(sys, "path", list(sys.path))
    return loaded("caption_baselines", monkeypatch)


@pytest.mark.parametrize("split", ["train", "val"])
def test_caption_baselines_are_a_table(caption_baselines, described, capsys, split):
    capsys.readouterr()
    assert caption_baselines.main([str(described), "--split", split]) == 0
    out, err = capsys.readouterr()
    head, _, *rows = [line.strip("| ").split(" | ") for line in out.splitlines()]
    assert head == ["bleu_1", "bleu_4", "rouge_l", "cider"]
    scores = {name: [float(value) for value in values] for name, *values in rows}
    assert list(scores) == ["nearest training item", "most frequent caption"]
    assert all(0 <= value <= 10 for values in scores.values() for value in values)
    assert err.startswith("most frequent caption, ")
    # Nothing is nearer to a training item than itself, and its captions are its references.
    assert (scores["nearest training item"][:3] == [1, 1, 1]) is (split == "train")


def test_caption_baselines_tell_mistakes_in_a_line(caption_baselines, described, capsys):
    for arguments, message in (
        ([described, "--split", "test"], "split: the data set has no such split. Received: test."),
        (["nowhere"], "run: no such run directory"),
    ):
        capsys.readouterr()
        assert caption_baselines.main([str(argument) for argument in arguments]) == 1
        out, err = capsys.readouterr()
        assert (out, len(err.splitlines())) == ("", 1)
        assert err.startswith(f"error: {message}")
