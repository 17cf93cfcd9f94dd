"""Describing images and videos by the commands as users type them, on tiny rendered data."""

import csv
import json
import pathlib

import av
import numpy as np
import pytest
from PIL import Image

import lrcn
from lrcn import cli, runs
from lrcn.data import text

SMALL = [
    *("dataset.train=12", "dataset.val=4", "dataset.test=0", "dataset.size=24"),
    *("dataset.num_frames=6", "backbone.image_size=[16,16]", "backbone.trainable=false"),
    *("workflow.units=6", "workflow.embedding=5", "vocabulary.min_count=1"),
    *("callbacks=minimal", "clipframe_mode.num_frames_per_clip=3", "epochs=2"),
]
BEAM = ["search=beam", "search.width=2"]

pytestmark = pytest.mark.slow


@pytest.fixture(autouse=True)
def elsewhere(tmp_path, monkeypatch, cache):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("LRCN_CACHE", str(cache))


@pytest.fixture(scope="module")
def cache(tmp_path_factory):
    return tmp_path_factory.mktemp("cache")


@pytest.fixture(scope="module")
def media(tmp_path_factory):
    """A picture and a video of 12 frames, 10 a second."""
    folder = tmp_path_factory.mktemp("media")
    frames = np.full((12, 32, 40, 3), 60, np.uint8)
    for index, frame in enumerate(frames):
        frame[8:20, index : index + 12] = (220, 40, 40)
    Image.fromarray(frames[0]).save(folder / "picture.png")
    with av.open(str(folder / "film.mp4"), "w") as container:
        stream = container.add_stream("libx264", rate=10)
        stream.height, stream.width, stream.pix_fmt = 32, 40, "yuv420p"
        for frame in frames:
            container.mux(stream.encode(av.VideoFrame.from_ndarray(frame, format="rgb24")))
        container.mux(stream.encode())
    return folder


def trained(tmp_path_factory, cache, *arguments):
    folder = tmp_path_factory.mktemp("run")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("LRCN_CACHE", str(cache))
        assert cli.main(["train", *SMALL, *arguments, f"hydra.run.dir={folder}"]) == 0
    return runs.RunDirectory(folder)


@pytest.fixture(scope="module")
def images(tmp_path_factory, cache):
    return trained(tmp_path_factory, cache, "workflow=imgdesc_step")


@pytest.fixture(scope="module")
def videos(tmp_path_factory, cache):
    return trained(tmp_path_factory, cache, "workflow=videodesc_encdec")


def run(capsys, *arguments):
    code = cli.main([str(argument) for argument in arguments])
    out, err = capsys.readouterr()
    return code, out, err


def content(file):
    return json.loads(pathlib.Path(file).read_text())


def rows(file):
    with pathlib.Path(file).open() as lines:
        return list(csv.DictReader(lines))


def test_a_run_directory_holds_everything(images):
    for name in (
        *("config.json", "checkpoints/best.keras", "checkpoints/last.keras", "history.csv"),
        *("state.json", "vocabulary.json", "metrics.json", "curves.png", "train.log", "DONE"),
        *("data.json", "MODEL_CARD.md"),
    ):
        assert (images.path / name).exists(), name
    assert not (images.path / "labels.txt").exists()
    history = rows(images.history_file)
    assert len(history) == 2
    assert {"loss", "val_loss", "val_cider", "val_exact", "val_bleu_4"} <= set(history[0])
    config = images.read_config()
    assert (config["batch_size"], config["callbacks"]["monitor"]) == (32, "cider")
    assert (config["dataset"]["kind"], config["schedule"]["name"]) == ("stills", "cosine")


def test_evaluate_searches_as_it_is_told(capsys, images):
    code, out, err = run(capsys, "evaluate", f"run={images.path}", *BEAM)
    assert code == 0, err
    assert "cider" in out
    assert f"next: lrcn predict run={images.path} input=IMAGE\n" in err
    assert f"or: lrcn retrieve run={images.path}" in err
    folder = images.evaluation("val")
    names = {path.name for path in folder.iterdir() if path.is_file()}
    assert names == {
        *("captions.png", "coco_results.json", "metrics.json", "predictions.jsonl"),
        "protocol.json",
    }
    protocol = content(folder / "protocol.json")
    expected = {"name": "beam", "width": 2, "length_penalty": 0.0, "max_length": 20}
    assert (protocol["search"], protocol["checkpoint"]) == (expected, "best")
    assert content(folder / "metrics.json")["items"] == 4


def test_predict_prints_a_line_for_each_picture_and_no_more(capsys, images, media):
    code, out, err = run(capsys, "predict", f"run={images.path}", f"input={media}/picture.png")
    assert (code, err) == (0, "")
    (line,) = map(json.loads, out.splitlines())
    assert list(line) == ["id", "path", "caption", "log_probability"]
    assert line["path"] == str(media / "picture.png")
    known = text.read_vocabulary(images.vocabulary_file).tokens[len(text.SPECIAL) :]
    assert set(line["caption"].split()) <= set(known)
    assert line["log_probability"] < 0
    opened = lrcn.load(images.path)
    assert opened.predict(str(media / "picture.png")) == [line]


def test_predict_searches_as_it_is_told(capsys, images, media):
    def found(*search):
        given = [f"run={images.path}", f"input={media}/picture.png", *search]
        code, out, err = run(capsys, "predict", *given, "search.max_length=1")
        assert (code, err) == (0, "")
        return json.loads(out)

    greedy = found("search=greedy")
    assert found("search=beam", "search.width=1") == greedy
    # As wide as the vocabulary it tries all captions of one word; a narrow one promises nothing.
    words = text.read_vocabulary(images.vocabulary_file).size
    best = found("search=beam", f"search.width={words}")
    assert best["log_probability"] >= greedy["log_probability"] - 1e-5
    assert {len(said["caption"].split()) for said in (greedy, best)} <= {0, 1}


def test_predict_writes_captions_on_videos(capsys, videos, media, tmp_path):
    arguments = ["predict", f"run={videos.path}", f"input={media}/film.mp4"]
    code, out, err = run(capsys, *arguments, "overlay=told.mp4")
    assert code == 0, err
    assert "annotated video: told.mp4" in err
    (line,) = map(json.loads, out.splitlines())
    assert list(line) == ["id", "path", "caption", "log_probability"]
    with av.open(str(tmp_path / "told.mp4")) as container:
        stream = container.streams.video[0]
        assert stream.average_rate == 10
        assert sum(1 for _ in container.decode(stream)) == 12
    assert run(capsys, *arguments) == (0, out, "")


def test_captions_are_ranked_by_pictures_and_the_reverse(capsys, images):
    code, out, err = run(capsys, "retrieve", f"run={images.path}", "split=train")
    assert code == 0, err
    assert "image_to_caption_r1" in out and "caption_to_image_median_rank" in out
    folder = images.evaluation("train") / "retrieval"
    assert {path.name for path in folder.iterdir()} == {
        *("metrics.json", "protocol.json", "retrieval.jsonl", "retrieval.png")
    }
    assert content(folder / "metrics.json")["images"] == 12
    assert f"results: {folder}" in err


def test_a_run_is_continued_and_keeps_its_words(capsys, videos):
    words = videos.vocabulary_file.read_bytes()
    code, _, err = run(capsys, "train", f"resume={videos.path}", "epochs=3")
    assert code == 0, err
    assert [row["epoch"] for row in rows(videos.history_file)] == ["1", "2", "3"]
    assert videos.vocabulary_file.read_bytes() == words
    assert videos.is_done
    code, _, err = run(
        capsys, "train", f"resume={videos.path}", "epochs=4", "vocabulary.max_size=3"
    )
    assert code == 1
    assert "vocabulary.max_size: the run in" in err and "Expected: null" in err
    assert videos.is_done


def test_a_describer_of_videos_starts_from_one_of_images(capsys, images):
    given = [*SMALL, "workflow=videodesc_pooling", "epochs=1", f"init={images.path}"]
    code, out, err = run(capsys, "train", *given, "hydra.run.dir=r", "evaluate=[train]")
    assert code == 0, err
    assert "/r: validation\n" in out and "/r: train\n" in out
    assert "next: lrcn predict " in err and "input=VIDEO" in err
    assert "init: words of both: " in err
    (matched,) = [line for line in err.splitlines() if line.startswith("init: matched: ")]
    for name in ("the CNN (all ", "lstm1/lstm_cell/kernel", "embedding/embeddings"):
        assert name in matched
    assert content("r/evaluation/train/metrics.json")["items"] == 12


def test_a_sweep_over_workflows_compares_them(capsys, tmp_path):
    both = "workflow=imgdesc_step,imgdesc_state"
    code, out, err = run(capsys, "train", "-m", *SMALL, both, "epochs=1", "name=s")
    assert code == 0, err
    table = rows(tmp_path / "multirun" / "s" / "summary.csv")
    assert [row["status"] for row in table] == ["DONE", "DONE"]
    assert len({row["run"] for row in table}) == 2
    assert (tmp_path / "multirun" / "s" / "summary.png").exists()
    assert "cider" in out
    one = tmp_path / "multirun" / "s" / table[0]["run"]
    assert one.name.startswith(f"workflow={content(one / 'config.json')['workflow']['name']}-")
    code, _, err = run(capsys, "train", f"resume={one}", "epochs=2")
    assert code == 0, err
    code, _, err = run(capsys, "train", f"resume={one}", "epochs=2", "workflow.embedding=6")
    assert code == 1 and "workflow.embedding: the run in" in err


def test_a_key_that_one_member_of_a_sweep_lacks_fails_its_job_alone(capsys, tmp_path):
    own = [text for text in SMALL if not text.startswith(("workflow.", "vocabulary."))]
    both = ["workflow=singleframe,imgdesc_step", "workflow.embedding=5", "epochs=1", "name=s"]
    code, _, err = run(capsys, "train", "-m", *own, *both)
    assert code == 1
    table = rows(tmp_path / "multirun" / "s" / "summary.csv")
    became = {row["workflow"]: row["status"] for row in table}
    assert became == {"singleframe": "FAILED", "imgdesc_step": "DONE"}
    assert "unknown key 'workflow.embedding' (workflow=singleframe)" in err


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (["train", "workflow=imgdesc_step", "search=beam", "search.width=0"], "search.width"),
        (["train", "search=greedy"], "search: the workflow has no use for it"),
        (["train", "workflow=imgdesc_step", "callbacks.monitor=video_map"], "callbacks.monitor"),
        (["train", "workflow=imgdesc_step", "vocabulary.file=none.json"], "none.json"),
        (["retrieve", "run=nowhere"], "run: no such run directory"),
        (["train", "workflow=imgdesc_step", "workflow.word_vectors=none.txt"], "none.txt"),
    ],
)
def test_mistakes_are_one_line_on_stderr(capsys, arguments, expected):
    takes_keys = arguments[0] == "train" and not {"search=beam", "search=greedy"} & set(arguments)
    small = SMALL if takes_keys else []
    code, out, err = run(capsys, arguments[0], *small, *arguments[1:])
    assert (code, out) == (1, "")
    (error,) = [line for line in err.splitlines() if line.startswith("error: ")]
    assert expected in error
    assert "Traceback" not in err
