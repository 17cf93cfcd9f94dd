"""Flow and differences as users type them: serialize, train, evaluate, predict, resume."""

import json
import pathlib

import numpy as np
import pytest

from lrcn import cli, config, runs
from lrcn.data import clips, epochs, images, records
from lrcn.inference import trained
from lrcn.models import backbones, weights

EXAMPLES = pathlib.Path(__file__).parent / "examples"
LISTS = f"dataset.input_files=[{EXAMPLES}/videos.train,{EXAMPLES}/videos.val]"
LABELS = f"dataset.labels={EXAMPLES}/labels.txt"
SHAPE = "raw_image_shape=[24,32,3]"
SMALL = [
    *("backbone.image_size=[16,16]", "workflow.units=4", "batch_size=4", "callbacks=minimal"),
    *("epochs=1", "clipframe_mode.num_frames_per_clip=6"),
]

pytestmark = pytest.mark.slow


@pytest.fixture(autouse=True, scope="module")
def cache(tmp_path_factory):
    folder = tmp_path_factory.mktemp("cache")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("LRCN_CACHE", str(folder))
        yield folder


@pytest.fixture(scope="module")
def stored(tmp_path_factory):
    """Records of every modality, by its name."""
    found = {}
    for name in ("rgb", "flow", "difference"):
        folder = tmp_path_factory.mktemp(name)
        keys = [LISTS, LABELS, SHAPE, "clipframe_mode=none", f"output_folder={folder}"]
        assert cli.main(["serialize", *keys, f"modality={name}"]) == 0
        found[name] = folder
    return found


def given(folder, *splits):
    return [f"dataset.{split}={folder}/videos.{split}.tfrecord" for split in splits]


@pytest.fixture(scope="module")
def flow_run(tmp_path_factory, stored):
    folder = tmp_path_factory.mktemp("run")
    keys = ["dataset=records", *given(stored["flow"], "train", "val"), "augment=crop_mirror"]
    assert cli.main(["train", *keys, *SMALL, f"hydra.run.dir={folder}"]) == 0
    return runs.RunDirectory(folder)


def failed(capsys, *arguments):
    assert cli.main(list(arguments)) == 1
    return capsys.readouterr().err


def test_streams_have_equal_items_frames_clips_and_crops(stored):
    sets = [records.open_records(folder / "videos.train.tfrecord") for folder in stored.values()]
    rgb, flow, change = (one.metadata for one in sets)
    assert (rgb.modality, flow.modality, change.modality) == ("rgb", "flow", "difference")
    assert (rgb.flow_method, flow.flow_method, change.flow_method) == (None, "dis", None)
    assert rgb.ids == flow.ids == change.ids and rgb.labels == flow.labels
    assert rgb.frame_counts == flow.frame_counts == change.frame_counts == (20,) * 8
    mode = clips.ClipMode("rand_clips", 6, 1)
    for epoch in (0, 3):
        rows = [epochs.Clips(one, mode).epoch(7, epoch) for one in sets]
        for key in ("item", "frames", "draw"):
            for other in rows[1:]:
                np.testing.assert_array_equal(getattr(rows[0], key), getattr(other, key))


def test_stored_clips_of_streams_are_the_same(tmp_path):
    tables = []
    for name in ("rgb", "flow"):
        keys = [LISTS, LABELS, SHAPE, f"output_folder={tmp_path / name}", f"modality={name}"]
        more = ["clipframe_mode=rand_frames", "clipframe_mode.num_frames_per_clip=5"]
        assert cli.main(["serialize", *keys, *more]) == 0
        one = records.open_records(tmp_path / name / "videos.train.tfrecord")
        parsed = [records.parse_example(text) for text in one.serialized()]
        tables.append([example["clips"].numpy().tolist() for example in parsed])
    assert tables[0] == tables[1]


def test_flow_shows_which_way_the_disc_moves(tmp_path):
    keys = [LISTS, LABELS, "raw_image_shape=null", "clipframe_mode=none"]
    assert cli.main(["serialize", *keys, f"output_folder={tmp_path}", "modality=flow"]) == 0
    record_set = records.open_records(tmp_path / "videos.train.tfrecord")
    names = record_set.metadata.label_names
    for text, (label,) in zip(record_set.serialized(), record_set.metadata.labels, strict=True):
        jpegs = records.parse_example(text)["frames"].numpy()
        frames = np.stack([images.decode(jpeg) for jpeg in jpegs])
        to_the_right = frames[frames[..., 2] > 144].mean(axis=0)[0] > 128
        assert to_the_right == (names[label] == "right")


def test_settings_of_other_records_are_refused(stored, tmp_path, capsys):
    told = failed(
        capsys, "serialize", LISTS, LABELS, SHAPE, "clipframe_mode=none", "modality=rgb",
        f"output_folder={stored['flow']}",
    )  # fmt: skip
    assert "records that differ in modality, flow_method" in told and "overwrite=true" in told


def test_a_run_on_flow_knows_what_it_sees(flow_run):
    run = trained.load(flow_run.path)
    assert run.contract["modality"] == "flow"
    assert run.contract["mean"] == pytest.approx([128 / 127.5] * 3)
    assert run.view(None).modality == "flow"
    assert (run.shown.modality, run.shown.flow_method) == ("flow", "dis")
    model = weights.open_model(flow_run.last)
    assert backbones.contract_of(model)["modality"] == "flow"


def test_a_run_on_flow_predicts_what_it_evaluates(flow_run, capsys):
    assert cli.main(["evaluate", f"run={flow_run.path}"]) == 0
    file = flow_run.evaluation("val") / "predictions.jsonl"
    lines = [json.loads(line) for line in file.read_text().splitlines()]
    capsys.readouterr()
    assert cli.main(["predict", f"run={flow_run.path}", f"input={EXAMPLES}/videos/val_*"]) == 0
    said = {}
    for line in map(json.loads, capsys.readouterr().out.splitlines()):
        said[pathlib.Path(line["id"]).name] = line
    assert len(lines) == len(said) == 4
    for line in lines:
        one = said[pathlib.Path(line["id"]).name]
        assert one["label"] == line["label"]
        assert one["probability"] == pytest.approx(line["probability"], abs=1e-4)


def test_an_overlay_of_a_run_on_flow_shows_the_video(flow_run, tmp_path, capsys):
    video = EXAMPLES / "videos" / "val_left_0.mp4"
    out = tmp_path / "out.mp4"
    assert cli.main(["predict", f"run={flow_run.path}", f"input={video}", f"overlay={out}"]) == 0
    assert out.stat().st_size > 1000


def test_an_image_has_no_motion_to_predict(flow_run, capsys):
    image = EXAMPLES / "images" / "red_left.jpg"
    told = failed(capsys, "predict", f"run={flow_run.path}", f"input={image}")
    assert "one frame shows no motion" in told and "red_left.jpg" in told


@pytest.mark.parametrize("verb", ["evaluate", "train"])
def test_records_of_another_modality_are_refused(flow_run, stored, tmp_path, capsys, verb):
    if verb == "evaluate":
        keys = [f"run={flow_run.path}", "dataset=records", *given(stored["rgb"], "val")]
        told = failed(capsys, "evaluate", *keys)
        assert "dataset.val" in told and "Received: rgb in" in told and "Expected: flow" in told
        return
    mixed = [*given(stored["flow"], "train"), *given(stored["rgb"], "val")]
    told = failed(capsys, "train", "dataset=records", *mixed, *SMALL, f"hydra.run.dir={tmp_path}/a")
    assert "dataset.val" in told and "Expected: flow" in told
    own = [*given(stored["flow"], "train", "val"), "modality=rgb"]
    told = failed(capsys, "train", "dataset=records", *own, *SMALL, f"hydra.run.dir={tmp_path}/b")
    assert "dataset.train" in told and "Received: flow (dis) in" in told and "Expected: rgb" in told


def test_train_serializes_flow_on_the_way_into_a_place_of_its_own(cache, tmp_path):
    own = ["dataset.train=4", "dataset.val=2", "dataset.test=0", "dataset.size=24"]
    for name in ("rgb", "flow"):
        keys = [*own, "dataset.num_frames=6", *SMALL, f"hydra.run.dir={tmp_path / name}"]
        assert cli.main(["train", *keys, f"modality={name}"]) == 0
    found = sorted(path.name for path in (cache / "records").glob("moving_shapes-*"))
    assert len([name for name in found if name.startswith("moving_shapes-flow-")]) == 1
    assert config.from_plain("train", _plain(tmp_path / "rgb")).modality.name == "rgb"
    assert trained.load(tmp_path / "flow").contract["modality"] == "flow"
    assert trained.load(tmp_path / "rgb").contract["modality"] == "rgb"


def _plain(folder):
    stored = runs.RunDirectory(folder).read_config()
    return {key: value for key, value in stored.items() if key not in runs.NOT_SETTINGS}


def test_a_finished_run_refuses_another_modality(flow_run, stored, capsys):
    keys = ["dataset=records", *given(stored["flow"], "train", "val"), "augment=crop_mirror"]
    again = [*keys, *SMALL, f"hydra.run.dir={flow_run.path}"]
    told = failed(capsys, "train", *again, "modality=difference")
    assert "modality.name" in told and flow_run.is_done
    assert cli.main(["train", *again]) == 0


def test_a_one_frame_video_stops_or_is_skipped(tmp_path, capsys):
    import av

    path = tmp_path / "one.mp4"
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", rate=25)
        stream.height, stream.width, stream.pix_fmt = 24, 32, "yuv420p"
        frame = av.VideoFrame.from_ndarray(np.zeros([24, 32, 3], np.uint8))
        container.mux(stream.encode(frame))
        container.mux(stream.encode())
    (tmp_path / "data.train").write_text(f"{EXAMPLES}/videos/val_left_0.mp4 0\none.mp4 1\n")
    keys = [f"dataset.input_files={tmp_path}/data.train", SHAPE, "clipframe_mode=none"]
    told = failed(capsys, "serialize", *keys, "modality=flow")
    assert "data.train:2" in told and "one frame shows no motion" in told and "Expected" in told
    assert not list(tmp_path.glob("*.tfrecord*"))
    assert cli.main(["serialize", *keys, "modality=flow", "on_error=skip"]) == 0
    metadata = records.read_metadata(tmp_path / "data.train.tfrecord")
    assert metadata.items == 1 and "no motion" in metadata.skipped[0][1]


def test_modality_auto_needs_records(capsys):
    assert cli.main(["serialize", LISTS, "modality=auto"]) == 2
    assert "Leave modality out for rgb" in capsys.readouterr().err


def test_images_have_no_flow(tmp_path, capsys):
    keys = [f"dataset.input_files={EXAMPLES}/images.train", LABELS, f"output_folder={tmp_path}"]
    told = failed(capsys, "serialize", *keys, "modality=flow")
    assert "one frame shows no motion" in told and "images.train:" in told
