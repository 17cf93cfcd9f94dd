import dataclasses
import json
import logging

import av
import numpy as np
import pytest
from PIL import Image

from lrcn import errors
from lrcn.data import augment, clips, lists, video
from lrcn.inference import answers, evaluate, predict, windows
from lrcn.models import networks

from . import conftest

NAMES = ("red", "green", "blue")


def _predictor(model, world, **changes):
    own = {field.name for field in dataclasses.fields(answers.Labels)}
    told = {"labels": NAMES} | {key: value for key, value in changes.items() if key in own}
    shown = {"mode": world.mode, "view": world.view, "reading": world.reading}
    shown |= {key: value for key, value in changes.items() if key not in own}
    head = networks.head(model)
    return predict.Predictor(networks.backbone(model), answers.Labels(head, **told), **shown)


def _path(world, name):
    return str(world.folder / "media" / name)


@pytest.fixture(scope="module")
def frame_folder(world):
    return conftest.write_folder(world.folder / "frames" / "f", conftest.frames_of(11, 5))


@pytest.fixture(scope="module")
def picture(world):
    path = world.folder / "pictures" / "p.png"
    path.parent.mkdir()
    Image.fromarray(conftest.frames_of(1, 9, (50, 60))[0]).save(path)
    return path


@pytest.mark.parametrize("pooling", ["avg", "max", "last"])
@pytest.mark.parametrize("crop", ["squash", "centre", "ten"])
def test_a_prediction_equals_the_evaluation_of_the_item(model, world, tmp_path, pooling, crop):
    protocol = {
        "view": augment.View((16, 16), crop),
        "pooling_frames": pooling,
        "pooling_clips": pooling,
        "batch_size": 4,
    }
    path = conftest.store(tmp_path / "records", world.items[2:])
    evaluate.evaluate(model, path, mode=world.mode, label_names=NAMES, folder=tmp_path, **protocol)
    expected = json.loads((tmp_path / "predictions.jsonl").read_text())
    (line,) = _predictor(model, world, **protocol).predict(_path(world, "v2.mp4"))
    for key in ("label", "probability", "top"):
        assert line[key] == expected[key]


@pytest.mark.parametrize("kind", ["frames", "image"])
def test_folders_and_images_go_the_way_of_evaluation(
    model, world, frame_folder, picture, tmp_path, kind
):
    media = {"frames": frame_folder, "image": picture}[kind]
    item = lists.Item("x", str(media), kind, labels=(0,))
    path = conftest.store(tmp_path / "records", [item])
    evaluate.evaluate(model, path, mode=world.mode, view=world.view, batch_size=8, folder=tmp_path)
    expected = json.loads((tmp_path / "predictions.jsonl").read_text())
    (line,) = _predictor(model, world, labels=()).predict(str(media))
    assert line["top"] == expected["top"]
    assert bool(line["windows"]) == (kind == "frames")


def test_random_modes_agree_with_evaluation_by_the_same_seed(model, world, tmp_path):
    mode = clips.ClipMode("rand_frames", 4)
    path = conftest.store(tmp_path / "records", world.items)
    evaluate.evaluate(
        model, path, mode=mode, view=world.view, seed=5, label_names=NAMES, folder=tmp_path
    )
    lines = (tmp_path / "predictions.jsonl").read_text().splitlines()
    assert len(lines) == 3
    predictor = _predictor(model, world, mode=mode, seed=5)
    for place, expected in enumerate(map(json.loads, lines)):
        found = next(predictor.predict(_path(world, f"v{place}.mp4")))
        assert found["top"] == expected["top"]


def test_windows_have_their_times_in_seconds(model, world):
    (line,) = _predictor(model, world).predict(_path(world, "v0.mp4"))  # 11 frames at 10 a second
    times = [(window["start"], window["end"]) for window in line["windows"]]
    assert times == [(0.0, 0.4), (0.2, 0.6), (0.4, 0.8), (0.6, 1.0), (0.7, 1.1)]
    assert all(window["label"] in NAMES for window in line["windows"])
    assert list(line) == ["id", "path", "label", "probability", "top", "windows"]
    json.dumps(line)


def test_times_of_a_folder_count_25_frames_a_second(model, world, frame_folder):
    reading = dataclasses.replace(world.reading, frame_step=2)
    (line,) = _predictor(model, world, reading=reading).predict(str(frame_folder))
    assert [(w["start"], w["end"]) for w in line["windows"]] == [(0.0, 0.32), (0.16, 0.48)]


def test_how_many_frames_go_through_the_network_at_once_changes_nothing(model, world, monkeypatch):
    whole = next(_predictor(model, world, batch_size=2).predict(_path(world, "v2.mp4")))
    monkeypatch.setattr(predict.clips_of_features, "_FRAMES", 3)
    parts = next(_predictor(model, world, batch_size=2).predict(_path(world, "v2.mp4")))
    assert parts == whole


@pytest.mark.parametrize("kind", ["video", "frames"])
def test_windows_are_scored_by_each_frame_once(world, frame_folder, kind):
    item = world.items[2] if kind == "video" else lists.Item("f", str(frame_folder), kind)
    count = 17 if kind == "video" else 11
    seen = []

    def score(jpegs, table):
        assert table.max() == count - 1
        seen.extend(jpegs)
        return np.ones((len(table), 2))

    scored = windows.scored(item, windows.Plan(world.mode, world.reading), score)
    assert len(seen) == count  # although windows of four frames overlap by two
    assert len(scored.values) == len(scored.start)


def test_a_long_video_is_read_no_further_than_it_is_scored(world, monkeypatch):
    monkeypatch.setattr(windows, "_WAITING", 2)
    passed = []
    decode = windows.containers.decode

    def watched(path, visit, **options):
        return decode(path, lambda *frame: (passed.append(1), visit(*frame)), **options)

    monkeypatch.setattr(windows.containers, "decode", watched)

    def score(jpegs, table):
        for taken, _ in enumerate(jpegs, start=1):
            assert len(passed) <= taken + 3
        return np.ones((len(table), 2))

    windows.scored(world.items[2], windows.Plan(world.mode, world.reading), score)
    assert len(passed) == 17


@pytest.mark.parametrize("gap", [0, 2])
def test_windows_beside_each_other_are_those_of_an_evaluation(model, world, tmp_path, gap):
    mode = clips.ClipMode("iterative", 4, gap, "drop")
    path = conftest.store(tmp_path / "records", world.items[2:])
    shown = {"mode": mode, "view": world.view, "batch_size": 1}
    evaluate.evaluate(model, path, label_names=NAMES, folder=tmp_path, **shown)
    expected = json.loads((tmp_path / "predictions.jsonl").read_text())
    (line,) = _predictor(model, world, **shown).predict(_path(world, "v2.mp4"))
    assert len(line["windows"]) == len(expected["windows"]) > 2
    assert line["top"] == expected["top"]


def test_short_videos_are_looped(model, world):
    mode = clips.evaluation_mode(8)
    (line,) = _predictor(model, world, mode=mode).predict(_path(world, "v1.mp4"))
    assert len(line["windows"]) == 1
    assert (line["windows"][0]["start"], line["windows"][0]["end"]) == (0.0, 0.4)
    strict = _predictor(model, world, mode=mode, short_videos="error")
    with pytest.raises(errors.UserError, match=r"v1\.mp4.*shorter than one clip"):
        list(strict.predict(_path(world, "v1.mp4")))


def test_frames_can_be_resampled(model, world):
    reading = dataclasses.replace(world.reading, fps=5.0)
    (line,) = _predictor(model, world, reading=reading).predict(_path(world, "v2.mp4"))
    assert line["windows"][0]["start"] == 0.0
    assert line["windows"][0]["end"] == pytest.approx(0.7, abs=0.11)


def test_top_k_bounds_top(model, world):
    (line,) = _predictor(model, world, top_k=2).predict(_path(world, "v0.mp4"))
    assert len(line["top"]) == 2
    assert line["top"][0] == {"label": line["label"], "probability": line["probability"]}


def test_multi_label_probabilities_are_independent(multi_label_model, world):
    (line,) = _predictor(multi_label_model, world).predict(_path(world, "v0.mp4"))
    assert sum(entry["probability"] for entry in line["top"]) != pytest.approx(1.0, abs=1e-3)


def test_globs_lists_and_repeats_name_each_item_once(world, frame_folder, picture):
    items = predict.find([_path(world, "*.mp4"), _path(world, "v1.mp4"), str(frame_folder)])
    assert [item.id.rpartition("/")[2] for item in items] == ["v0.mp4", "v1.mp4", "v2.mp4", "f"]
    assert [item.kind for item in items] == ["video"] * 3 + ["frames"]
    assert predict.find(str(picture))[0].kind == "image"


def test_ids_are_as_written_and_paths_absolute(world, monkeypatch):
    monkeypatch.chdir(world.folder)
    (item,) = predict.find("media/v0.mp4")
    assert (item.id, item.path) == ("media/v0.mp4", _path(world, "v0.mp4"))


def test_a_name_with_the_signs_of_a_glob_is_a_name(world, tmp_path):
    odd = tmp_path / "v[0]*.mp4"
    odd.write_bytes((world.folder / "media" / "v0.mp4").read_bytes())
    assert predict.find(str(odd))[0].path == str(odd)


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ("gone.mp4", "input: no such image, video or folder of frames.*gone.mp4"),
        ("gone*.mp4", r"input: no file matches.*gone\*\.mp4"),
        ([], "nothing to predict"),
        ("notes.txt", r"notes\.txt: neither an image nor a video"),
        (".", r"a folder of videos.*Give a glob: 'input=.*/\*\.mp4'"),
    ],
)
def test_inputs_that_are_not_there_are_named(tmp_path, monkeypatch, given, message):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "notes.txt").write_text("x")
    (tmp_path / "film.mp4").write_bytes(b"")
    with pytest.raises(errors.UserError, match=message):
        predict.find(given)


@pytest.mark.parametrize(("file", "inner"), [("1.jpg", "*"), ("film.AVI", r"*/*.AVI")])
def test_a_folder_of_folders_is_told_what_to_give(tmp_path, file, inner):
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
        (tmp_path / name / file).write_bytes(b"")
    with pytest.raises(errors.UserError) as caught:
        predict.find(str(tmp_path))
    told = "a folder of folders. Received: a/, b/. Expected: a folder of frames. Give a glob: "
    assert told + f"'input={tmp_path}/{inner}'" in str(caught.value)
    assert len(predict.find(f"{tmp_path}/{inner}")) == 2


def test_an_unreadable_input_ends_in_its_one_message(model, world, tmp_path):
    broken = tmp_path / "broken.mp4"
    broken.write_bytes((world.folder / "media" / "v2.mp4").read_bytes()[:700])
    with pytest.raises(errors.UserError, match=r"broken\.mp4"):
        list(_predictor(model, world).predict(str(broken)))


@pytest.mark.parametrize("frames", [4, 5])
def test_a_fault_after_the_last_window_is_told(model, world, monkeypatch, frames):
    decode = windows.containers.decode

    def broken(path, visit, **options):
        decode(path, visit, **options)
        raise errors.UserError(
            "cut", where=path, received="less", expected="more", remedy="Copy it again"
        )

    monkeypatch.setattr(windows.containers, "decode", broken)
    monkeypatch.setattr(
        predict.clips_of_features, "_FRAMES", frames
    )  # 16 frames are shown, the last one is not
    predictor = _predictor(model, world, mode=clips.ClipMode("iterative", 4, 0), batch_size=2)
    with pytest.raises(errors.UserError, match=r"v2\.mp4.*cut"):
        list(predictor.predict(_path(world, "v2.mp4")))


def test_one_unreadable_input_of_several_leaves_the_others(model, world, tmp_path, caplog):
    broken = tmp_path / "broken.mp4"
    broken.write_bytes(b"nothing")
    given = [_path(world, "v0.mp4"), str(broken), _path(world, "v1.mp4")]
    lines = []
    with caplog.at_level(logging.ERROR), pytest.raises(errors.UserError, match="1 of 3 inputs"):
        lines.extend(_predictor(model, world).predict(given))
    (record,) = caplog.records
    assert "broken.mp4" in record.getMessage()
    assert "\n" not in record.getMessage()


def test_an_overlay_has_every_frame_and_the_rate_of_its_video(model, world, tmp_path):
    out = tmp_path / "out.mp4"
    (line,) = _predictor(model, world).predict(_path(world, "v2.mp4"), overlay_path=str(out))
    with av.open(str(out)) as container:
        stream = container.streams.video[0]
        frames = [frame.to_ndarray(format="rgb24") for frame in container.decode(stream)]
        assert stream.average_rate == 10
    assert len(frames) == 17
    assert line["windows"]


def test_folders_and_images_have_overlays_too(model, world, frame_folder, picture, tmp_path):
    for media, count in ((frame_folder, 11), (picture, 50)):
        out = tmp_path / "out.mp4"
        list(_predictor(model, world).predict(str(media), overlay_path=str(out)))
        with av.open(str(out)) as container:
            assert sum(1 for _ in container.decode(video=0)) == count


def test_an_overlay_of_several_inputs_is_refused_before_any_work(model, world, tmp_path):
    predictor = _predictor(model, world)
    with pytest.raises(errors.UserError, match="overlay: one annotated video shows one input"):
        next(predictor.predict(_path(world, "*.mp4"), overlay_path=str(tmp_path / "o.mp4")))
    with pytest.raises(errors.UserError, match="overlay"):
        next(predictor.predict(_path(world, "v0.mp4"), overlay_path=str(tmp_path / "o.gif")))


def test_frames_keep_their_own_size_if_none_is_stored(model, world):
    (line,) = _predictor(model, world, reading=video.Reading()).predict(_path(world, "v0.mp4"))
    assert line["label"] in NAMES
