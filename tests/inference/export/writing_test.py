import json
import logging
import subprocess
import sys

import keras
import numpy as np
import pytest

from lrcn import runs
from lrcn.errors import UserError
from lrcn.inference.export import comparing, contract, example, litert, writing

from .conftest import SHOWN, WORDS, captioner, classifier

# Whoever takes an export away has neither of them.
ALONE = """
import runpy, sys
sys.modules["keras"] = sys.modules["lrcn"] = sys.modules["tf_keras"] = None
sys.argv = sys.argv[1:]
runpy.run_path(sys.argv[0], run_name="__main__")
"""


def alone(folder, *arguments):
    """Runs the example of an export in a process that can import neither lrcn nor Keras."""
    command = [sys.executable, "-c", ALONE, str(folder / "example.py"), *map(str, arguments)]
    done = subprocess.run(command, capture_output=True, text=True, cwd=folder)
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.mark.parametrize("format", ["saved_model", "litert"])
def test_an_export_stands_alone(format, exportable, export_settings, tmp_path):
    run = exportable("run", classifier(labels=("left", "right", "up")))
    folder = run.path / "export" / format
    exported = writing.export(export_settings(run.path, format), folder)
    assert exported.compared.difference < 1e-5 and exported.megabytes > 0
    frames = np.random.default_rng(1).integers(0, 256, (6, 40, 48, 3), np.uint8)
    np.save(tmp_path / "frames.npy", frames)
    (told,) = alone(folder, tmp_path / "frames.npy").splitlines()
    (row,) = example.load(folder)(frames[np.newaxis])["probabilities"]
    assert told == f"{('left', 'right', 'up')[row.argmax()]} {row.max():.4f}"


def test_captions_are_told_as_predict_tells_them(exportable, export_settings, tmp_path):
    run = exportable("run", captioner("step"), "workflow=imgdesc_step", mode=None, labels=())
    folder = tmp_path / "exported"
    writing.export(export_settings(run.path, "litert"), folder)
    told = contract_of(folder)
    assert [output["name"] for output in told["outputs"]] == ["words", "log_probability"]
    assert told["captions"]["search"] == {"name": "greedy", "max_length": 5}
    assert told["inputs"][0]["shape"] == ["batch", "height", "width", 3]
    (caption,) = alone(folder).splitlines()
    assert set(caption.replace("-", " - ").split()) <= {*WORDS, "t-shirt"}
    ids = [WORDS.index(word) + 4 for word in ("a", "t", "-", "shirt")]
    assert example.captions(folder, {"words": np.array([[*ids, 2, 0]])}) == ["a t-shirt"]


def contract_of(folder):
    return json.loads((folder / contract.FILE).read_text())


def test_the_contract_tells_all_of_a_clip(exportable, export_settings, tmp_path):
    run = exportable("run", classifier(labels=("left", "right", "up")))
    writing.export(export_settings(run.path, "saved_model", time="fixed"), tmp_path / "e")
    told = contract_of(tmp_path / "e")
    assert told["inputs"][0]["shape"] == ["batch", 4, "height", "width", 3]
    assert told["frames"]["resized_to"] == [24, 32] and told["frames"]["count"] == 4
    assert told["windows"] == {
        **{"name": "iterative", "num_frames_per_clip": 4, "clip_offset_or_num": -2},
        **{"tail": "align", "pooled_by": "avg"},
    }
    assert told["source"]["run"] == "run" and len(told["source"]["sha256"]) == 64
    assert str(tmp_path) not in json.dumps(told)
    assert (tmp_path / "e" / "labels.txt").read_text() == "left\nright\nup\n"
    with pytest.raises(
        ValueError, match=r"uint8 \[1, 5, 24, 32, 3\]\. Expected: uint8 \[batch, 4,"
    ):
        example.load(tmp_path / "e")(np.zeros((1, 5, 24, 32, 3), np.uint8))


def test_an_earlier_export_is_replaced_as_a_whole(exportable, export_settings, tmp_path):
    run = exportable("run", classifier())
    folder = tmp_path / "e"
    writing.export(export_settings(run.path, "litert"), folder)
    writing.export(export_settings(run.path, "saved_model"), folder)
    assert contract_of(folder)["format"] == "saved_model"
    assert not (folder / "model.tflite").exists()
    assert [path.name for path in tmp_path.iterdir() if path.name.startswith(".")] == []


def test_what_is_not_equal_is_not_kept(exportable, export_settings, tmp_path, monkeypatch):
    run = exportable("run", classifier())
    other = comparing.Compared(2e-4, (1, 4, 24, 32, 3), 1.0, 1.0)
    monkeypatch.setattr(comparing, "compare", lambda *_, **__: other)
    with pytest.raises(UserError, match=r"not give what Keras gives.*difference of 0.0002"):
        writing.export(export_settings(run.path, "litert"), tmp_path / "e")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["run"]


def test_a_full_disk_is_no_fault_of_the_format(exportable, export_settings, tmp_path, monkeypatch):
    def full(function, folder):
        raise OSError(28, "No space left on device", str(folder / litert.FILE))

    run = exportable("run", classifier())
    monkeypatch.setattr(litert, "write", full)
    with pytest.raises(UserError, match="cannot be written.*No space left") as caught:
        writing.export(export_settings(run.path, "litert"), tmp_path / "e")
    assert "format=" not in str(caught.value) and ".tmp" not in str(caught.value)


@pytest.mark.parametrize(
    ("given", "says"),
    [
        ({"search": {"name": "beam"}}, "search: the run tells classes"),
        ({"augment": {"name": "ten_crop", "evaluate": "ten"}}, "augment: an export sees one crop"),
    ],
)
def test_what_an_export_cannot_do_is_told(given, says, exportable, export_settings, tmp_path):
    run = exportable("run", classifier())
    with pytest.raises(UserError, match=says):
        writing.export(export_settings(run.path, "litert", **given), tmp_path / "e")


def test_drawn_captions_are_refused(exportable, export_settings, tmp_path):
    run = exportable("run", captioner("step"), "workflow=imgdesc_step", mode=None, labels=())
    draws = {"name": "sample", "samples": 2, "temperature": 1.0, "max_length": None}
    with pytest.raises(UserError, match="search: an export draws no captions"):
        writing.export(export_settings(run.path, "litert", search=draws), tmp_path / "e")


def test_another_backend_is_refused(exportable, export_settings, tmp_path, monkeypatch):
    run = exportable("run", classifier())
    monkeypatch.setattr(keras.config, "backend", lambda: "jax")
    with pytest.raises(UserError, match=r"KERAS_BACKEND: only TensorFlow.*Received: jax"):
        writing.export(export_settings(run.path, "litert"), tmp_path / "e")


@pytest.mark.parametrize("failure", [None, "the disk is full"])
def test_a_run_that_is_not_done_is_exported_as_it_is(
    failure, exportable, export_settings, tmp_path, caplog
):
    run = exportable("run", classifier(), done=False)
    run.state_file.write_text('{"epoch": 7, "best_epoch": 5}')
    if failure:
        run.mark_failed(UserError(failure, where="w", received="r", expected="e", remedy="r"))
    with caplog.at_level(logging.WARNING):
        writing.export(export_settings(run.path, "saved_model"), tmp_path / "e")
    (line,) = (r.getMessage() for r in caplog.records if r.name == writing.__name__)
    state = f"failed: w: {failure}" if failure else "was stopped before its end"
    assert line.startswith(f"export: The run {state}")
    assert line.endswith("It is exported as it is after epoch 5")


def test_flow_is_told_apart_from_colours(exportable, export_settings, tmp_path):
    run = exportable("run", classifier())
    shown = runs.Shown(**{**SHOWN, "mode": run.read_shown().mode, "modality": "flow"})
    run.write_shown(shown)
    writing.export(export_settings(run.path, "saved_model"), tmp_path / "e")
    assert "optical flow" in contract_of(tmp_path / "e")["inputs"][0]["meaning"]
