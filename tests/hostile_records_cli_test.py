"""Records of strangers by the command line: one line that names file, record and item, exit 1."""

import pytest

from lrcn import cli


def forged(write_records, forge, change):
    for name in ("train", "val"):
        written = write_records((8, 8, 8), name=name)
    forge(written, lambda number, feature: change(feature) if number == 1 else None)
    return written, [
        "dataset=records",
        f"dataset.train={written.path.with_name('train.tfrecord')}",
        f"dataset.val={written.path}",
    ]


def garbage(feature):
    feature["frames"].bytes_list.value[3] = b"no picture"


def claim(feature):
    data = bytearray(feature["frames"].bytes_list.value[3])
    at = data.index(b"\xff\xc0") + 5
    data[at : at + 4] = b"\xff\xdc\xff\xdc"
    feature["frames"].bytes_list.value[3] = bytes(data)


SMALL = ["workflow=singleframe", "epochs=1", "batch_size=2", "backbone.image_size=[32,32]"]
SMALL += ["callbacks.tensorboard=false", "clipframe_mode=rand_clips"]
SMALL += ["clipframe_mode.num_frames_per_clip=8"]


@pytest.mark.parametrize(
    ("change", "reason"),
    [(garbage, "frame 3 is no JPEG"), (claim, "frame 3 is larger than the limit")],
)
@pytest.mark.parametrize("trainable", ["true", "false"])
def test_training(capfd, tmp_path, write_records, forge, change, reason, trainable):
    written, keys = forged(write_records, forge, change)
    run = tmp_path / "run"
    command = ["train", *keys, *SMALL, f"backbone.trainable={trainable}", f"hydra.run.dir={run}"]
    assert cli.main(command) == 1
    told = capfd.readouterr().err
    (line,) = [line for line in told.splitlines() if line.startswith("error: ")]
    assert line.startswith(f"error: {written.shards[0]}#1 (item video 1): {reason}")
    assert "a bug in lrcn" not in told
    assert (run / "FAILED").read_text().startswith(f"{written.shards[0]}#1 (item video 1)")


def test_checking_and_browsing(capfd, tmp_path, write_records, forge):
    written, keys = forged(write_records, forge, garbage)
    assert cli.main(["check", *keys]) == 1
    out, _ = capfd.readouterr()
    (line,) = [line for line in out.splitlines() if "no JPEG" in line]
    assert line.startswith(f"{written.shards[0]}#1 (item video 1): frame 3 is no JPEG")
    command = ["browse", *keys, "split=val", f"output_folder={tmp_path / 'sheets'}", "items=3"]
    assert cli.main([*command, "clipframe_mode.num_frames_per_clip=8"]) == 1
    assert f"error: {written.shards[0]}#1 (item video 1): frame 3 is no JPEG" in (
        capfd.readouterr().err
    )


def test_a_data_set_that_is_not_there_is_a_finding(capsys, tmp_path):
    report = tmp_path / "report.json"
    command = ["check", "dataset=folder", f"dataset.root={tmp_path / 'none'}", f"report={report}"]
    assert cli.main(command) == 1
    out, _ = capsys.readouterr()
    assert str(tmp_path / "none") in out and '"count": 1' in report.read_text()
