"""The benchmarks run and do their sums. How fast anything is, is measured by them and not here."""

import importlib
import importlib.util
import itertools
import json
import pathlib
import shutil
import sys
import threading
import time

import keras
import numpy as np
import pytest

SCRIPTS = pathlib.Path(__file__).resolve().parent.parent / "scripts"
PARTS = ["limit", "train", "predict", "serialize", "input", "caption", "startup", "soak", "scale"]


@pytest.fixture
def benchmark(monkeypatch):
    """The door as a module."""
    monkeypatch.setattr(sys, "path", [str(SCRIPTS), *sys.path])
    spec = importlib.util.spec_from_file_location("benchmark", SCRIPTS / "benchmark.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    yield module
    for name in [name for name in sys.modules if name.partition(".")[0] == "benchmarks"]:
        del sys.modules[name]


@pytest.fixture
def part(benchmark):
    """Returns a part by its name."""
    return lambda name: importlib.import_module(f"benchmarks.{name}")


@pytest.fixture
def tiny(part):
    return part("measuring").Size(tiny=True, rounds=1)


def measured(part, value, target=1.0, at_least=True):
    return part("measuring").Measure("speed", value, "times", target, at_least, {"load": 0.5})


@pytest.mark.parametrize(
    ("arguments", "code", "told_as"),
    [
        (["limit"], 1, ("MISSED", False, 0.5)),
        (["startup"], 0, ("reached", True, 2.0)),
        (["limit", "--tiny"], 0, ("", True, None)),  # tells nothing of speed
    ],
)
def test_a_target_that_is_missed_is_told(
    benchmark, part, monkeypatch, capsys, tmp_path, arguments, code, told_as
):
    monkeypatch.setattr(part("limit"), "measure", lambda size: [measured(part, 0.5)])
    monkeypatch.setattr(part("startup"), "measure", lambda size: [measured(part, 2.0)])
    file = tmp_path / "speed.json"
    assert benchmark.main([*arguments, "--json", str(file)]) == code
    table, _, report = capsys.readouterr().out.rstrip("\n").rpartition("\n")
    (told,) = json.loads(report)
    assert json.loads(file.read_text()) == [told]
    word, *expected = told_as
    assert [told["reached"], told["of_target"]] == expected
    assert [each in table for each in ("reached", "MISSED")] == [
        word == "reached",
        word == "MISSED",
    ]


def test_a_bound_from_above_is_turned_round(part):
    slow = measured(part, 3.0, target=2.0, at_least=False)
    assert (slow.reached, slow.of_target) == (False, pytest.approx(2 / 3))
    assert measured(part, 3.0, target=None).reached


def test_all_is_every_part_but_the_long_ones(benchmark):
    assert list(benchmark.PARTS) == PARTS
    assert benchmark.chosen(["all"]) == PARTS[:-2]
    assert benchmark.chosen(["soak", "limit"]) == ["limit", "soak"]
    assert benchmark.chosen(["scale", "all"]) == [*PARTS[:-2], "scale"]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [(["tarin"], "unknown part tarin"), (["all", "--rounds", "0"], "--rounds is 1 or more")],
)
def test_what_is_not_known_is_refused(benchmark, capsys, arguments, message):
    with pytest.raises(SystemExit) as stopped:
        benchmark.main(arguments)
    assert stopped.value.code == 2
    assert message in capsys.readouterr().err


@pytest.mark.parametrize(("name", "module"), [("train", "torch"), ("soak", "psutil")])
def test_what_is_not_installed_is_told(part, tiny, monkeypatch, name, module):
    monkeypatch.setitem(sys.modules, module, None)
    with pytest.raises(SystemExit, match=rf"{module}.*Expected: pip install 'lrcn\[bench\]'"):
        part(name).measure(tiny)


def test_contestants_take_turns_in_an_order_that_is_turned_round(part):
    turns, order = part("turns"), []

    def turn(name):
        return lambda: order.append(name) or {"rate": float(len(order))}

    found = turns.alternate({"a": turn("a"), "b": turn("b")}, 2)
    assert order == ["a", "b", "b", "a", "a", "b"]
    assert found == {"a": [{"rate": 4.0}, {"rate": 5.0}], "b": [{"rate": 3.0}, {"rate": 6.0}]}
    assert turns.ratios(found, "b", "a") == [0.75, 1.2]
    assert turns.median(found["a"]) == 4.5


@pytest.fixture
def contestant(part, monkeypatch, tmp_path):
    """A process of its own, made by functions that need no TensorFlow."""
    turns = part("turns")
    package = tmp_path / "benchmarks"
    package.mkdir()
    shutil.copy(SCRIPTS / "benchmarks" / "turns.py", package)
    (package / "__init__.py").touch()
    (package / "made.py").write_text(
        "def counting(first):\n"
        "    found = [first]\n"
        "    def turn():\n"
        "        print('noise')\n"
        "        found.append(found[-1] + 1)\n"
        "        return {'rate': found[-1]}\n"
        "    return turn\n"
        "def failing():\n"
        "    raise OSError('nothing works')\n"
    )
    monkeypatch.setattr(turns, "SCRIPTS", tmp_path)
    return turns.Contestant


def test_a_contestant_is_a_process_of_its_own(contestant):
    with contestant("made:counting", first=4).started() as turn:
        assert [turn(), turn()] == [{"rate": 5}, {"rate": 6}]


def test_a_contestant_that_fails_is_told(contestant):
    with (
        contestant("made:failing").started() as turn,
        pytest.raises(RuntimeError, match="made:failing failed:[^$]*nothing works"),
    ):
        turn()


def test_limits_are_told_without_a_target(part, tiny, tmp_path):
    limit = part("limit")
    found = limit.products(16)() | limit.media(tmp_path, 4)
    assert len(found) == 5 and all(value > 0 for value in found.values())
    assert limit.bandwidth(2**10) > 0


def test_training_is_compared_turn_by_turn(part, tiny):
    train = part("train")
    operations = train.training_operations(67)
    products = {"float32 matmul, GFLOP/s": 40 * operations / 1e9}
    found = {
        "lrcn": [{"rate": 10.0, "wait": 0.01}, {"rate": 20.0, "wait": 0.03}],
        "PyTorch": [{"rate": 5.0}, {"rate": 20.0}],
        "plain Keras": [{"rate": 1.0}, {"rate": 2.0}],
        "matmul": [products, products],
    }
    times, share, wait = train.compared(found, "float32", tiny)
    assert (times.value, times.target, times.reached) == (1.5, 1.25, True)
    assert (share.value, share.reached) == (pytest.approx(15 / 40), False)
    assert (wait.value, wait.at_least, wait.reached) == (0.02, False, True)
    (keras,) = train.against_keras(found, tiny)
    assert (keras.value, keras.reached) == (10.0, True)
    assert keras.details["at the matmul peak"] == pytest.approx(40 / 1.5, abs=0.01)


def test_an_epoch_is_trained_as_by_the_command(part, tiny, tmp_path, fresh_policy):
    train = part("train")
    media = train.Media(tmp_path, tiny)
    training = part("trained").Training(media.arguments("float32"), str(tmp_path / "run"))
    settings = training.settings
    assert (settings.workflow.name, settings.backbone.name) == ("lstm", "caffenet")
    assert (settings.augment.train, settings.optimizer.name) == ("random", "sgd")
    rows = [training.epoch(), training.epoch()]
    assert all(row["rate"] > 0 and 0 <= row["wait"] <= 1 for row in rows)
    history = (tmp_path / "run" / "history.csv").read_text().splitlines()
    assert [line.split(",")[0] for line in history] == ["epoch", "1", "2"]


def test_cached_features_and_arrays_are_trained_alike(part, tmp_path, fresh_policy):
    kept = part("cached").kept(str(tmp_path), 2)()
    assert set(kept) == {"rate", "wait", "with checkpoints"}
    assert min(kept["rate"], part("cached").arrays(2)()["rate"]) > 0


@pytest.fixture
def fresh_policy():
    import keras

    yield
    keras.utils.clear_session()
    keras.config.set_dtype_policy("float32")


def test_features_are_compared_with_predict(part, tmp_path, fresh_policy):
    turn = part("used").extracting(str(tmp_path), 4, 32)
    found = [turn(), turn()]  # the second time they are computed anew
    assert all(0 <= row["difference"] < 1e-4 and row["network"] > 0 for row in found)


@pytest.mark.parametrize("name", ["images", "copies", "videos", "flow"])
def test_serializing_stores_what_the_bare_loop_works_through(part, tiny, name):
    measure = getattr(part("serialize"), f"measure_{name}")(tiny)
    assert measure.details["frames"] == (120 if name == "images" else 240)
    ours, bare = measure.details["frames/s"], measure.details["bare frames/s"]
    if name == "copies":
        assert (measure.value, measure.target) == (ours, 5000)
    else:
        value = round(measure.value, 3)
        assert measure.details["lowest"] <= value <= measure.details["highest"]
    assert ours > 0 and bare > 0


def test_first_step_is_told_by_its_checkpoint(part, tiny, monkeypatch):
    startup = part("startup")
    monkeypatch.setattr(startup.measuring, "lrcn_command", lambda: [sys.executable, "-c", "0"])
    with pytest.raises(RuntimeError, match="lrcn train ended before its first step"):
        startup.first_step(tiny)
    code = (
        "import pathlib, sys, time\n"
        "run = pathlib.Path(sys.argv[-1].partition('=')[2], 'checkpoints')\n"
        "run.mkdir(parents=True)\n"
        "(run / 'last.keras').touch()\n"
        "time.sleep(60)\n"
    )
    monkeypatch.setattr(startup.measuring, "lrcn_command", lambda: [sys.executable, "-c", code])
    began = time.perf_counter()
    assert 0 < startup.first_step(tiny) <= time.perf_counter() - began


def test_help_is_shown(part):
    measure = part("startup").measure_help(["--help"], 1)
    assert (measure.name, measure.target) == ("lrcn --help", 0.5) and measure.value > 0


def test_captions_are_compared(part, tiny):
    measures = part("caption").measure(tiny)
    assert [measure.name for measure in measures] == [
        "step: greedy, of model.predict a word",
        "step: beam of 5, of greedy",
        "encoder: greedy, of model.predict a word",
        "encoder: beam of 5, of greedy",
    ]
    assert [measure.target for measure in measures] == [25, 0.2, 25, 0.2]
    assert all(measure.value > 0 for measure in measures)


def test_other_captions_are_refused(part, tiny, monkeypatch):
    monkeypatch.setattr(
        part("caption_keras"),
        "padded",
        lambda model, features, length: np.zeros((len(features), length), np.int32),
    )
    with pytest.raises(RuntimeError, match="padded and greedy captions agree in 0%"):
        part("caption").measure(tiny)


def plain_training(part, data):
    """Returns a tiny training that waits for its turns, of batches of a generator."""
    model = keras.Sequential([keras.Input((3,)), keras.layers.Dense(1)])
    model.compile("sgd", "mse")
    training = part("train_keras").Turns(frames=4)
    training.start(model, data, steps=2)
    return training


def batches(seen):
    """Yields batches for ever, and notes each."""
    while True:
        seen.append(len(seen))
        yield np.zeros((2, 3), np.float32), np.zeros((2, 1), np.float32)


def test_plain_keras_waits_for_its_turn(part):
    seen = []
    training = plain_training(part, batches(seen))
    assert all(training.turn()["rate"] > 0 for _ in range(20))
    assert 40 <= len(seen) < 80  # what is prefetched comes on top, not what other turns train


def test_plain_keras_that_failed_is_told(part, monkeypatch):
    monkeypatch.setattr(threading, "excepthook", lambda failure: None)

    def broken():
        yield from itertools.islice(batches([]), 3)
        raise OSError("no frames")

    training = plain_training(part, broken())
    with pytest.raises(RuntimeError, match="plain Keras has ended"):
        for _ in range(3):
            training.turn()


@pytest.fixture
def soak(part):
    return part("soak")


def look(soak, done, *, memory=0.0, handles=5, threads=8):
    return soak.Look(done, 7e8 + memory, handles, threads)


def slopes(soak, looks):
    return soak.measures_of("soak", looks, total=100, unit="KB/step", size=2**10, target=2.0)


def test_soak_lays_a_line_through_the_second_half(soak):
    warming = [look(soak, done, memory=1e6 * done, handles=done) for done in range(50)]
    flat = [look(soak, done, memory=1024.0 * done, threads=8 + done % 3) for done in range(50, 100)]
    drawn = [look(soak, 100, memory=5e7, handles=9)]
    memory, handles, threads = slopes(soak, [*warming, *flat, *drawn])
    assert memory.value == pytest.approx(1.0) and memory.unit == "KB/step" and memory.reached
    assert (handles.value, threads.value) == (0, 0) and handles.reached and threads.reached


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


def test_soak_asks_for_what_there_is(soak, part, tiny, monkeypatch):
    seen = []

    def noted(arguments, done):
        seen.append(arguments)
        assert done() == 0
        total = 12 if "-m" in arguments else 2000
        return [look(soak, total * share / 20) for share in range(20)]

    monkeypatch.setattr(soak, "watched", noted)
    measures = soak.measure(part("measuring").Size())
    assert [measure.unit for measure in measures[::3]] == ["KB/step", "KB/step", "MB/job"]
    assert all(measure.reached for measure in measures)
    for arguments, trains in zip(seen, (True, False, True), strict=True):
        given = [text for text in arguments[1:] if text != "-m"]
        given = [text for text in given if not text.startswith(("hydra.", "seed="))]
        asked = part("trained").settings_of(given)
        assert asked.trains_backbone is trains and asked.callbacks.patience is None
        if "-m" not in arguments:
            assert asked.dataset.train // asked.batch_size * asked.epochs == 2000
    assert seen[-1].count("-m") == 1 and "seed=0,1,2,3,4,5,6,7,8,9,10,11" in seen[-1]


def test_growth_is_a_slope_of_the_larger_half(part):
    scale = part("scale")
    found = [{"seconds": value} for value in (50.0, 50.0, 100.0, 1000.0)]
    straight = scale.grown("training", (1, 10, 100, 1000), found, "seconds", 1.15)
    assert straight.value == pytest.approx(1) and straight.reached
    assert straight.details == {"1": 50, "10": 50, "100": 100, "1000": 1000}
    square = scale.grown(
        "training", (1, 10), [{"seconds": 1.0}, {"seconds": 100.0}], "seconds", 1.15
    )
    assert square.value == pytest.approx(2) and not square.reached


def test_a_size_is_measured_in_time_and_memory(part, tmp_path, fresh_policy):
    found = part("scaled").serializing(str(tmp_path), 3)()
    assert set(found) == {"seconds", "bytes"} and min(found.values()) > 0
    assert (tmp_path / "train.tfrecord.size").exists()


@pytest.mark.extras
def test_every_part_runs(benchmark, part, capsys):
    pytest.importorskip("torch", reason="PyTorch is part of the extra bench")
    assert benchmark.main(["all", "--tiny"]) == 0
    told = json.loads(capsys.readouterr().out.rstrip("\n").rpartition("\n")[2])
    assert len({measure["name"] for measure in told}) == len(told) > 30
    assert all(np.isfinite(measure["value"]) for measure in told)
