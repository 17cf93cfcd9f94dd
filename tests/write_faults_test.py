"""Every write of every verb fails once: one message, nothing half-written, and then it goes on."""

import contextlib
import csv
import errno
import importlib.util
import json
import os
import pathlib
import shutil
import zipfile

import av
import numpy as np
import pytest
from PIL import Image

from lrcn import cli, files, runs

EXAMPLES = pathlib.Path(__file__).parent / "examples"
LISTS = f"dataset.input_files=[{EXAMPLES}/videos.train,{EXAMPLES}/videos.val]"
DATA = [LISTS, f"dataset.labels={EXAMPLES}/labels.txt"]
TINY = [
    *("dataset.train=4", "dataset.val=4", "dataset.test=0", "dataset.size=24"),
    *("dataset.num_frames=6", "clipframe_mode.num_frames_per_clip=3", "callbacks=minimal"),
    *("backbone.image_size=[16,16]", "workflow.units=4", "epochs=1"),
]
CAPTIONS = [
    *("workflow=imgdesc_step", "workflow.embedding=5", "vocabulary.min_count=1"),
    "backbone.trainable=false",
]
_FILE = pathlib.Path(__file__).parent / "models" / "foreign" / "conftest.py"
_SPEC = importlib.util.spec_from_file_location("generated_weights", _FILE)
generated = importlib.util.module_from_spec(_SPEC)
_SPEC.loader.exec_module(generated)

# What is no result: what a time is in, and what ends where a run was cut.
STREAMS = {"train.log", "FAILED", "multirun.yaml", ".hydra"}


@pytest.fixture(autouse=True)
def elsewhere(tmp_path, monkeypatch, cache):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("LRCN_CACHE", str(cache))


@pytest.fixture(scope="module")
def cache(tmp_path_factory):
    return tmp_path_factory.mktemp("cache")


def trained(folder, cache, *arguments):
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("LRCN_CACHE", str(cache))
        assert cli.main(["train", *TINY, *arguments, f"hydra.run.dir={folder}"]) == 0
    return runs.RunDirectory(folder)


@pytest.fixture(scope="module")
def classes(tmp_path_factory, cache):
    return trained(tmp_path_factory.mktemp("run"), cache)


@pytest.fixture(scope="module")
def captions(tmp_path_factory, cache):
    return trained(tmp_path_factory.mktemp("captions"), cache, *CAPTIONS)


class Faults:
    """Lets one write of a command fail at the stage that is asked for.

    Args:
        number: Which of the files that are written, counted from 1; 0 for none.
        code: What the system says.
        stage: "write", "fsync" or "replace".
    """

    def __init__(self, number, code=errno.ENOSPC, stage="write"):
        self.number, self.stage = number, stage
        self.error = OSError(code, os.strerror(code))
        self.written, self.versions = [], []
        self._real = files.atomic_path
        self._armed = False

    @contextlib.contextmanager
    def atomic_path(self, path, **options):
        self.written.append(pathlib.Path(path))
        is_hit = len(self.written) == self.number
        with self._real(path, **options) as temporary:
            yield temporary
            if is_hit and self.stage == "write":
                raise self.error
            self._armed = is_hit
        self.versions.append((pathlib.Path(path).name, content_of(pathlib.Path(path))))

    def failing(self, real):
        def call(*arguments, **options):
            if self._armed:
                self._armed = False
                raise self.error
            return real(*arguments, **options)

        return call

    @contextlib.contextmanager
    def at_work(self):
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(files, "atomic_path", self.atomic_path)
            if self.stage != "write":
                patch.setattr(files.os, self.stage, self.failing(getattr(os, self.stage)))
            yield


def run(capsys, arguments, faults=None):
    with faults.at_work() if faults else contextlib.nullcontext():
        code = cli.main([str(argument) for argument in arguments])
    return code, *capsys.readouterr()


def results(folder):
    """The files below a folder but those that are streams, by relative path."""
    found = (path.relative_to(folder) for path in folder.rglob("*") if path.is_file())
    return sorted(path for path in found if not STREAMS.intersection(path.parts))


def content_of(file):
    """What a file tells, without times: raises if it is not whole."""
    match file.suffix:
        case ".keras":
            with zipfile.ZipFile(file) as archive:
                assert archive.testzip() is None
                return archive.getinfo("model.weights.h5").CRC
        case ".json":
            return json.loads(file.read_text())
        case ".csv":
            with file.open() as lines:
                rows = list(csv.DictReader(lines))
            timed = ("seconds", "second", "wait", "reason")
            return [{k: v for k, v in row.items() if not k.endswith(timed)} for row in rows]
        case ".png":
            with Image.open(file) as picture:
                return np.asarray(picture).shape[2]
        case ".md":  # a card tells how far the run got, so that each fault makes its own
            text = file.read_text()
            return text.startswith("# Model card: "), "\n## Licences\n" in text
        case ".mp4":
            with av.open(str(file)) as container:
                return sum(1 for _ in container.decode(video=0))
    return file.read_bytes()


def contents(folder):
    return {path: content_of(folder / path) for path in results(folder)}


def check_faults(
    capsys, arguments, *, folder, before=None, code=errno.ENOSPC, stage="write", again=(), few=False
):
    """Lets each write of a command fail in turn; returns the names of the files it writes.

    Args:
        capsys: What is told.
        arguments: The command, which writes into `folder`.
        folder: Where the results go.
        before: Gives the folder the state that the command finds.
        code: What the system says.
        stage: Where the write fails.
        again: What the command is given to come through afterwards.
        few: Whether only the first and the last write fail.
    """

    def anew():
        shutil.rmtree(folder, ignore_errors=True)
        if before is not None:
            before()

    run(capsys, arguments)  # the cache has the data from here on
    anew()
    counting = Faults(0)
    status, _, err = run(capsys, arguments, counting)
    assert status == 0, err
    expected = contents(folder)
    last = len(counting.written)
    for number in {1, last} if few else range(1, last + 1):
        path = counting.written[number - 1]
        anew()
        earlier = contents(folder) if folder.exists() else {}
        faults = Faults(number, code, stage)
        status, _, err = run(capsys, arguments, faults)
        told = [line for line in err.splitlines() if line.startswith("error: ")]
        assert status == 1, (path, err)
        assert len(told) == 1, (path, err)
        assert f"{faults.written[number - 1].name}: cannot be written. Received: " in told[0]
        assert os.strerror(code) in told[0]
        assert "Traceback" not in err and "bug" not in err
        # What is to be gone on with stands in a folder that says so, under no final name.
        found = {
            name: content
            for name, content in contents(folder).items()
            if not name.parts[0].endswith(".unfinished")
        }
        for name, content in found.items():
            is_whole = content == expected.get(name) or (name.name, content) in counting.versions
            assert is_whole or content == earlier.get(name), (path, name)
        assert not earlier.keys() - found.keys(), path
        assert not [name for name in found if ".tmp" in str(name)], path
        if found == earlier and number != last:
            continue  # as if nothing had been asked for
        status, _, err = run(capsys, [*arguments, *again])
        assert status == 0, (path, err)
        assert contents(folder) == expected, path
    return [path.name for path in counting.written]


@pytest.mark.parametrize(
    ("code", "stage"),
    [(errno.ENOSPC, "write"), (errno.EROFS, "replace"), (errno.EIO, "fsync")],
    ids=["write", "replace", "fsync"],
)
def test_serialize(capsys, tmp_path, code, stage):
    given = [*DATA, "do_shuffle=true", "shards=2", "raw_image_shape=[24,32,3]", "output_folder=r"]
    given += ["clipframe_mode=none"]
    written = check_faults(
        capsys, ["serialize", *given], folder=tmp_path / "r", code=code, stage=stage
    )
    assert {"videos.train.tfrecord.size", "videos.val.shuffled", "features.json"} <= set(written)


def test_serialize_keeps_what_another_split_has(capsys, tmp_path):
    alone = [f"dataset.input_files=[{EXAMPLES}/videos.val]", DATA[1], "output_folder=r"]
    given = ["serialize", "raw_image_shape=[24,32,3]", "clipframe_mode=none"]

    def before():
        assert cli.main([*given, *alone]) == 0

    check_faults(
        capsys,
        [*given, *DATA, "output_folder=r"],
        folder=tmp_path / "r",
        before=before,
    )


def test_serialize_of_a_shard(capsys, tmp_path):
    given = [*DATA, "raw_image_shape=[24,32,3]", "clipframe_mode=none", "output_folder=r"]
    array = ["serialize", *given, "shard_index=1", "shard_count=3"]
    written = check_faults(capsys, array, folder=tmp_path / "r")
    assert "videos.train.tfrecord-00001-of-00003.shard" in written


def test_check(capsys, tmp_path):
    arguments = ["check", *DATA, "report=out/findings.json"]
    assert check_faults(capsys, arguments, folder=tmp_path / "out") == ["findings.json"]


def test_browse(capsys, tmp_path):
    given = [text for text in TINY if text.startswith(("dataset", "clip", "backbone"))]
    arguments = ["browse", *given, "items=1", "output_folder=out"]
    written = check_faults(capsys, arguments, folder=tmp_path / "out")
    assert sorted(written) == ["clips.png", "data.png", "input.png"]


def test_evaluate(capsys, classes):
    arguments = ["evaluate", f"run={classes.path}"]
    written = check_faults(capsys, arguments, folder=classes.path / "evaluation")
    assert {"metrics.json", "predictions.jsonl", "confusion.png", "protocol.json"} <= set(written)


def test_evaluate_again_keeps_what_was_measured(capsys, classes):
    arguments = ["evaluate", f"run={classes.path}"]
    check_faults(
        capsys,
        arguments,
        folder=classes.path / "evaluation",
        before=lambda: cli.main(arguments),
        code=errno.EACCES,
        stage="replace",
        few=True,
    )


def test_predict(capsys, classes, tmp_path):
    video = EXAMPLES / "videos" / "val_left_0.mp4"
    arguments = ["predict", f"run={classes.path}", f"input={video}", "overlay=out/a.mp4"]
    assert check_faults(capsys, arguments, folder=tmp_path / "out") == ["a.mp4"]


@pytest.mark.slow
def test_descriptions_and_retrieval(capsys, captions):
    given = [f"run={captions.path}", "split=val"]
    folder = captions.path / "evaluation"
    written = check_faults(capsys, ["evaluate", *given, "search=greedy"], folder=folder, few=True)
    assert "coco_results.json" in written
    written = check_faults(capsys, ["retrieve", *given], folder=folder, few=True)
    assert {"retrieval.jsonl", "protocol.json"} <= set(written)


def test_fuse(capsys, write_run, tmp_path):
    values = np.array([[0.6, 0.4], [0.3, 0.7]] * 3)
    a = write_run("a", values=values, modality="rgb")
    b = write_run("b", values=values[::-1], modality="flow")
    arguments = ["fuse", f"runs=[{a.path},{b.path}]", "weights=[.5,.5]", "output_folder=out"]
    written = check_faults(capsys, arguments, folder=tmp_path / "out")
    assert written[:2] == ["fusion.json", "fusion.png"]
    assert written[-1] == "metrics.json"


def test_import(capsys, tmp_path):
    content = generated.field(1, "Tiny") + generated.layer("data", "Data", transform=b"")
    weights = generated.weights_of(generated.CAFFENET, maps=1, fc6=4096)
    content += generated.convolution_layers(generated.CAFFENET, weights)
    content += generated.layer("fc6", "InnerProduct", weights["fc6"])
    pathlib.Path("net.caffemodel").write_bytes(content)
    given = ["backbone=caffenet", "backbone.layer=fc6", "backbone.image_size=[67,67]"]
    arguments = ["import", "file=net.caffemodel", *given, "output=out/net.weights.h5"]
    run(capsys, arguments)  # builds the network for all that follow
    code, _, err = run(capsys, [*arguments, "overwrite=true"], Faults(1))
    assert (code, err.count("error: ")) == (1, 1)
    assert "out/net.weights.h5: cannot be written. Received: No space left on device." in err
    assert ".tmp" not in err
    assert [path.name for path in results(tmp_path / "out")] == ["net.weights.h5"]


@pytest.mark.slow
def test_train(capsys, tmp_path):
    # What an evaluation at the end writes is tried by `test_evaluate`.
    arguments = ["train", *TINY, f"hydra.run.dir={tmp_path}/run"]
    written = check_faults(capsys, arguments, folder=tmp_path / "run")
    assert {"config.json", "best.keras", "last.keras", "history.csv", "DONE"} <= set(written)


def sweep(*more):
    return ["train", "-m", "name=s", *TINY, "seed=0,1", *more]


@pytest.mark.slow
def test_a_sweep_ends_with_its_summary_whatever_job_fails(capsys, tmp_path):
    code, out, err = run(capsys, sweep(), Faults(3))
    assert code == 1
    rows = content_of(tmp_path / "multirun" / "s" / "summary.csv")
    assert [row["status"] for row in rows] == ["DONE", "FAILED"]
    assert "FAILED" in out and "1 of 2 jobs failed" in err
    assert "Traceback" not in err
    # Now both are done, so that only marks and the summary are written again.
    written = check_sweep(capsys, tmp_path)
    assert written == ["summary.csv", "summary.png", *["MODEL_CARD.md"] * 2]


def check_sweep(capsys, folder):
    counting = Faults(0)
    assert run(capsys, sweep(), counting)[0] == 0
    assert run(capsys, sweep(), counting := Faults(0))[0] == 0
    kept = contents(folder / "multirun")
    for number, path in enumerate(counting.written, start=1):
        code, out, err = run(capsys, sweep(), Faults(number))
        assert code == 1
        assert f"{path.name}: cannot be written. Received: No space left" in err
        assert "2 jobs by" in out  # the table needs no disk
        assert "Traceback" not in err
        assert run(capsys, sweep())[0] == 0
        assert contents(folder / "multirun") == kept
    return [path.name for path in counting.written if path.name != "DONE"]
