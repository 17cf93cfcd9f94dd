"""The scripts beside the package do what their first lines promise."""

import csv
import importlib.util
import json
import pathlib
import subprocess
import sys

import hydra
import numpy as np
import pytest

from lrcn import cli, config, files, help, runs, settings
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


@pytest.fixture
def benchmark(monkeypatch):
    """The benchmarks as a module: they are measured elsewhere, here only their parts are tried."""
    monkeypatch.setattr(sys, "path", [str(SCRIPTS), *sys.path])
    return loaded("benchmark", monkeypatch)


@pytest.fixture
def benchmark_captions(benchmark, monkeypatch):
    return loaded("benchmark_captions", monkeypatch)


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


def test_benchmark_of_the_help_prints_a_table_and_json(benchmark, capsys, tmp_path):
    file = tmp_path / "speed.json"
    code = benchmark.main(["help", "--json", str(file)])
    table, _, report = capsys.readouterr().out.rstrip("\n").rpartition("\n")
    measures = json.loads(report)
    assert [measure["name"] for measure in measures] == ["lrcn --help", "lrcn train --help"]
    assert all(measure["value"] > 0 and measure["target"] == 0.5 for measure in measures)
    assert all(measure["name"] in table for measure in measures)
    assert code == int(not all(measure["reached"] for measure in measures))
    assert json.loads(file.read_text()) == measures


def test_benchmark_refuses_what_it_does_not_know(benchmark, capsys):
    with pytest.raises(SystemExit) as stopped:
        benchmark.main(["hlep"])
    assert stopped.value.code == 2
    assert "unknown benchmark hlep" in capsys.readouterr().err


def look(soak, done, *, memory=0.0, handles=5, threads=8):
    return soak.Look(done, 7e8 + memory, handles, threads)


def slopes(soak, looks):
    return soak.measures_of("soak", looks, total=100, unit="KB/step", size=2**10, target=2.0)


@pytest.fixture
def soak(benchmark):
    return benchmark.benchmark_soak


def test_soak_lays_a_line_through_the_second_half(soak):
    warming = [look(soak, done, memory=1e6 * done, handles=done) for done in range(50)]
    flat = [look(soak, done, memory=1024.0 * done, threads=8 + done % 3) for done in range(50, 100)]
    drawn = [look(soak, 100, memory=5e7, handles=9)]
    memory, handles, threads = slopes(soak, [*warming, *flat, *drawn])
    assert memory.value == pytest.approx(1.0) and memory.unit == "KB/step" and memory.reached
    assert (handles.value, threads.value) == (0, 0) and handles.reached and threads.reached
    assert json.loads(json.dumps([measure.reached for measure in (memory, handles)])) == [True] * 2


def test_soak_tells_what_grows(soak):
    grown = [
        look(soak, done, memory=3072.0 * done, handles=done // 10, threads=done // 20)
        for done in range(100)
    ]
    memory, handles, threads = slopes(soak, grown)
    assert memory.value == pytest.approx(3.0) and not memory.reached
    assert (handles.details, threads.details) == ({"middle": 5, "end": 8}, {"middle": 2, "end": 4})
    assert not handles.reached and not threads.reached


def test_soak_refuses_a_line_through_two_points(soak):
    with pytest.raises(RuntimeError, match="2 looks at the second half are too few"):
        slopes(soak, [look(soak, 60), look(soak, 80)])


def test_soak_looks_at_a_command_and_tells_why_it_failed(soak, monkeypatch):
    monkeypatch.setattr(soak, "_EVERY", 0.01)
    looks = soak.watched(["--help"], lambda: 1.0)
    assert max(taken.memory for taken in looks) > 2**20
    assert all(taken.handles >= 1 and taken.threads >= 1 for taken in looks)
    with pytest.raises(RuntimeError, match="lrcn trian failed:\nerror: VERB: no such verb"):
        soak.watched(["trian"], lambda: 0.0)


def test_soak_says_what_it_needs(soak, monkeypatch):
    monkeypatch.setitem(sys.modules, "psutil", None)
    with pytest.raises(SystemExit, match=r"psutil.*Expected: pip install 'lrcn\[bench\]'"):
        soak.measure_soak()


def test_soak_asks_for_what_there_is_and_only_if_it_is_named(benchmark, soak, monkeypatch):
    seen = []

    def noted(arguments, done):
        seen.append(arguments)
        assert done() == 0
        total = 12 if "-m" in arguments else 2000
        return [look(soak, total * share / 20) for share in range(20)]

    monkeypatch.setattr(soak, "watched", noted)
    measures = benchmark.BENCHMARKS["soak"]()
    assert [measure.unit for measure in measures[::3]] == ["KB/step", "KB/step", "MB/job"]
    assert all(measure.reached for measure in measures)
    config.register_resolvers(job_folder=str, hydra_folder=str)
    for arguments, trains in zip(seen, (True, False, True), strict=True):
        verb, *overrides = [text for text in arguments if text != "-m"]
        overrides = [text for text in overrides if not text.startswith(("hydra.", "seed="))]
        with hydra.initialize_config_dir(str(help.conf_folder()), version_base="1.3"):
            asked = config.typed(verb, hydra.compose(verb, overrides))
        assert asked.trains_backbone is trains and asked.callbacks.patience is None
        if "-m" not in arguments:
            assert asked.dataset.train // asked.batch_size * asked.epochs == 2000
    assert seen[-1].count("-m") == 1 and "seed=0,1,2,3,4,5,6,7,8,9,10,11" in seen[-1]
    ran = []
    monkeypatch.setattr(
        benchmark,
        "BENCHMARKS",
        {name: lambda name=name: ran.append(name) or [] for name in benchmark.BENCHMARKS},
    )
    benchmark.main([])
    assert ran and "soak" not in ran


def test_benchmark_of_the_training_asks_for_what_there_is(benchmark, monkeypatch):
    seen = []

    def noted(arguments):
        seen.append(arguments)
        folder = pathlib.Path(arguments[-1].removeprefix("hydra.run.dir="))
        folder.mkdir()
        row = {"frames_per_second": 10.0, "data_wait": 0.01}
        with (folder / "history.csv").open("w", newline="") as file:
            writer = csv.DictWriter(file, row)
            writer.writeheader()
            writer.writerow(row)
        return 1.0

    monkeypatch.setattr(benchmark.measuring, "run_lrcn", noted)
    monkeypatch.setattr(benchmark, "matmul_peak", lambda: 1e12)
    monkeypatch.setattr(benchmark.benchmark_serialize, "HEIGHT", 24)
    monkeypatch.setattr(benchmark.benchmark_serialize, "WIDTH", 32)
    share, wait = benchmark.measure_train()
    assert share.value == pytest.approx(10 * benchmark.training_operations() / 1e12)
    assert (wait.value, wait.at_least, wait.reached) == (0.01, False, True)
    ((verb, *overrides),) = seen
    config.register_resolvers(job_folder=str, hydra_folder=str)
    with hydra.initialize_config_dir(str(help.conf_folder()), version_base="1.3"):
        asked = config.typed(verb, hydra.compose(verb, overrides[:-1]))
    assert (asked.backbone.name, asked.backbone.image_size) == ("caffenet", (227, 227))
    assert (asked.workflow.name, asked.augment.train) == ("lstm", "random")


@pytest.mark.parametrize("name", ["serialize_images", "serialize_videos", "serialize_flow"])
def test_benchmark_of_serializing_stores_what_the_bare_loop_works_through(
    benchmark, monkeypatch, name
):
    parts = benchmark.benchmark_serialize
    monkeypatch.setattr(parts, "HEIGHT", 24)
    monkeypatch.setattr(parts, "WIDTH", 32)
    monkeypatch.setattr(parts, "_ROUNDS", 1)
    monkeypatch.setattr(parts, "_ITEMS", 2)
    (measure,) = benchmark.BENCHMARKS[name]()
    assert measure.details["frames"] == {"serialize_images": 50}.get(name, 240)
    speeds = measure.details["frames/s"], measure.details["bare frames/s"]
    assert measure.value == pytest.approx(speeds[0] / speeds[1], rel=0.01)


def test_benchmark_of_captions_prints_a_table_and_json(
    benchmark_captions, monkeypatch, capsys, tmp_path
):
    monkeypatch.setattr(benchmark_captions, "_FASTER", 0.0)
    monkeypatch.setattr(benchmark_captions, "_BEAM", 0.0)
    file = tmp_path / "speed.json"
    assert benchmark_captions.main(["--tiny", "--rounds", "1", "--json", str(file)]) == 0
    table, _, report = capsys.readouterr().out.rstrip("\n").rpartition("\n")
    measures = json.loads(report)
    assert [measure["name"] for measure in measures] == [
        "step: greedy, of model.predict a word",
        "step: beam of 5, of greedy",
        "encoder: greedy, of model.predict a word",
        "encoder: beam of 5, of greedy",
    ]
    assert all(measure["value"] > 0 and measure["reached"] for measure in measures)
    assert all(measure["name"] in table for measure in measures)
    assert json.loads(file.read_text()) == measures


@pytest.mark.parametrize(
    ("rates", "reached"),
    [
        ({"greedy": 200, "growing": 10, "padded": 8, "beam": 40}, [True, True]),
        ({"greedy": 200, "growing": 8, "padded": 11, "beam": 30}, [False, False]),
    ],
)
def test_benchmark_of_captions_tells_missed_targets(
    benchmark_captions, monkeypatch, capsys, rates, reached
):
    def alternating(work, rounds):
        return {name: rates.get(name, 1) for name in work}

    monkeypatch.setattr(benchmark_captions, "alternating", alternating)
    monkeypatch.setattr(benchmark_captions, "first_seconds", lambda *_: {"greedy": 9, "beam": 9})
    code = benchmark_captions.main(["step", "--tiny"])
    table, _, report = capsys.readouterr().out.rstrip("\n").rpartition("\n")
    assert [measure["reached"] for measure in json.loads(report)] == reached
    assert (code, "MISSED" in table) == (int(not all(reached)), not all(reached))


def test_benchmark_of_captions_refuses_other_captions(benchmark_captions, monkeypatch):
    def wrong(head, features, length):
        return np.zeros((len(features), length), np.int32)

    monkeypatch.setattr(benchmark_captions, "padded", wrong)
    with pytest.raises(RuntimeError, match="padded and greedy captions agree in 0%"):
        benchmark_captions.main(["step", "--tiny"])


@pytest.mark.parametrize(
    ("arguments", "message"),
    [(["stpe"], "unknown design stpe"), (["--rounds", "0"], "--rounds is 1 or more")],
)
def test_benchmark_of_captions_refuses_what_it_does_not_know(
    benchmark_captions, capsys, arguments, message
):
    with pytest.raises(SystemExit) as stopped:
        benchmark_captions.main(arguments)
    assert stopped.value.code == 2
    assert message in capsys.readouterr().err


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
