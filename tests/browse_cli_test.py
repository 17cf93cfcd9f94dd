"""`lrcn browse` as users type it."""

import pathlib

import numpy as np
import pytest
from PIL import Image

from lrcn import cli
from lrcn.models import backbones

EXAMPLES = pathlib.Path(__file__).parent / "examples"
SMALL = [
    *("dataset.train=12", "dataset.val=8", "dataset.test=0", "dataset.size=24"),
    *("dataset.num_frames=6", "clipframe_mode.num_frames_per_clip=4"),
    "backbone.image_size=[16,16]",
]
PICTURES = {"clips.png", "data.png", "input.png"}


@pytest.fixture(autouse=True)
def elsewhere(tmp_path, monkeypatch, cache):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("LRCN_CACHE", str(cache))


@pytest.fixture(scope="module")
def cache(tmp_path_factory):
    return tmp_path_factory.mktemp("cache")


def run(capsys, *arguments):
    code = cli.main([str(argument) for argument in arguments])
    out, err = capsys.readouterr()
    return code, out, err


def pictures(folder):
    return {path.name for path in pathlib.Path(folder).iterdir()}


def of_examples(*names):
    files = ",".join(f"'{EXAMPLES / name}'" for name in names)
    return ["dataset=lists", f"dataset.input_files=[{files}]"]


def test_the_embedded_data_set(capsys):
    code, out, err = run(capsys, "browse", *SMALL, "augment=crop_mirror", "items=3", "seed=4")
    assert code == 0, err
    assert pictures("browse") == PICTURES
    lines = [line.split() for line in out.splitlines()]
    assert lines[4][:11] == ["train", "12", "8", "of", "8", "6", "/", "6", "/", "6", "0"]
    assert "1: red" in out and "3: blue" in out
    assert "results: browse\n" in err
    command = "next: lrcn train " + " ".join(f"'{t}'" if "[" in t else t for t in SMALL)
    assert f"{command} augment=crop_mirror seed=4\n" in err


def test_the_sign_of_flow_is_seen(capsys):
    given = ["modality=flow", "backbone=mobilenet", "items=8", "output_folder=flow"]
    given = [text for text in SMALL if not text.startswith("backbone")] + given
    code, out, err = run(capsys, "browse", *given, "backbone.image_size=[32,32]")
    assert code == 0, err
    assert "1: x" in out and "3: magnitude" in out
    with Image.open("flow/clips.png") as picture:
        pixels = np.asarray(picture.convert("RGB")).astype(int)
    saturation = pixels.max(axis=2) - pixels.min(axis=2)
    assert (saturation[300:] > 60).any()
    code, _, err = run(capsys, "browse", *given, "backbone.image_size=[32,32]", "split=val")
    assert code == 0, err


@pytest.mark.parametrize(
    ("given", "told", "following"),
    [
        (
            [
                *of_examples("videos.train", "videos.val"),
                f"dataset.labels='{EXAMPLES / 'labels.txt'}'",
                "clipframe_mode.num_frames_per_clip=8",
            ],
            "left (4)",
            "lrcn train dataset=lists",
        ),
        (of_examples("captions.train"), "12", "workflow=imgdesc_step"),
        (
            [*of_examples("captions.train"), "workflow=imgdesc_state", "items=1"],
            "12",
            "workflow=imgdesc_state raw_image_shape=null\n",
        ),
        (
            [*of_examples("images.train"), f"dataset.labels='{EXAMPLES / 'labels.txt'}'"],
            "right (3)",
            "lrcn train",
        ),
    ],
    ids=["videos", "captions", "state", "images"],
)
def test_the_examples(capsys, given, told, following):
    code, out, err = run(capsys, "browse", *given, "raw_image_shape=null", "output_folder=a b")
    assert code == 0, err
    assert pictures("a b") == PICTURES
    assert told in out
    assert following in err


@pytest.mark.slow
def test_a_run_is_shown_what_it_was_trained_on(capsys, tmp_path):
    folder = tmp_path / "run"
    given = [*SMALL, "workflow.units=4", "callbacks=minimal", "epochs=1", "augment=crop_mirror"]
    code, _, err = run(capsys, "train", *given, "seed=7", f"hydra.run.dir={folder}")
    assert code == 0, err
    code, out, err = run(capsys, "browse", f"run={folder}", "output_folder=of_run")
    assert code == 0, err
    assert f"next: lrcn evaluate run={folder}\n" in err
    code, other, err = run(capsys, "browse", *SMALL, "augment=crop_mirror", "seed=7")
    assert code == 0, err
    assert out.splitlines()[1:] == other.splitlines()[1:]
    for name in ("clips.png", "data.png"):
        with Image.open(f"of_run/{name}") as one, Image.open(f"browse/{name}") as two:
            np.testing.assert_array_equal(np.asarray(one), np.asarray(two))
    code, out, err = run(capsys, "browse", f"run={folder}", "augment=none", "backbone.layer=null")
    assert (code, out) == (2, "")
    assert "augment: a run is shown its own data in its own way" in err
    assert f"Received: run={folder} and augment, backbone.layer" in err


@pytest.mark.parametrize(
    ("given", "code", "told"),
    [
        (["items=0"], 1, "items: not a value of this key. Received: 0. Expected: from 1 to 100."),
        (["split=tset"], 1, "split: not a value of this key. Received: tset."),
        ([*SMALL, "split=test"], 1, "split: the data set has no such split. Received: test."),
        (["clipframe_mode=none"], 1, "clipframe_mode: training needs clips. Received: none."),
        (["augment=auto"], 2, "augment: only evaluate and predict take it from a run."),
        (["dataset=auto"], 2, "dataset: only evaluate"),
        (["dataset=records"], 1, "dataset: no records are given."),
        (["dataset=records", "dataset.train=a.tfrecord"], 1, "a.tfrecord.size: no such records."),
        (["dataset=lists"], 1, "dataset.input_files: a value is needed."),
        (["run=nowhere"], 1, "run: no such run directory. Received: "),
        (["backbone.weights=no.h5"], 1, "backbone.weights: no such file. Received: no.h5."),
        (
            [*SMALL, "backbone.weights=picture.png"],
            1,
            "backbone.weights=picture.png: This is not a weights file.",
        ),
        (["output_folder=picture.png"], 1, "output_folder: results cannot be written."),
        (["backbone.image_size=[8]"], 1, "backbone.image_size: not a value of this key."),
        (
            [*SMALL, "clipframe_mode.num_frames_per_clip=7"],
            1,
            "train.tfrecord: videos are shorter than a clip.",
        ),
        (["optimizer.learning_rate=1"], 2, "unknown key 'optimizer.learning_rate'"),
    ],
    ids=lambda value: " ".join(value)[-40:] if isinstance(value, list) else "",
)
def test_what_does_not_fit_is_one_clear_message(capsys, given, code, told):
    Image.new("RGB", (4, 4)).save("picture.png")
    result, out, err = run(capsys, "browse", *given)
    assert (result, out) == (code, "")
    error = [line for line in err.splitlines() if line.startswith("error: ")]
    assert len(error) == 1
    assert told in error[0]
    assert "Traceback" not in err


def test_the_contract_in_a_weights_file_is_what_is_drawn(capsys):
    mean = {"channel_order": "bgr", "scale": 1.0, "mean": [40.0] * 3, "std": [1.0] * 3}
    model = backbones.build("small", image_size=(16, 16), contract=mean)
    model.save("small.keras")
    code, out, err = run(capsys, "browse", *SMALL, "items=2", "backbone.weights=small.keras")
    assert code == 0, err
    (red,) = [line.split() for line in out.splitlines() if line.startswith(" 3: red")]
    assert float(red[-1]) > 100  # the network's own contract ends at 1
