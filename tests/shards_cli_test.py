"""`lrcn serialize` as an array of processes, and the command that merges what they made."""

import pathlib
import signal
import subprocess
import sys
import time

import pytest

from lrcn import cli
from lrcn.data import packing

EXAMPLES = pathlib.Path(__file__).parent / "examples"
LISTS = f"dataset.input_files=[{EXAMPLES}/videos.train,{EXAMPLES}/videos.val]"
KEYS = [
    *("serialize", LISTS, f"dataset.labels={EXAMPLES}/labels.txt", "do_shuffle=true"),
    *("raw_image_shape=[24,32,3]", "clipframe_mode.num_frames_per_clip=4", "num_threads=1"),
]
TINY = [
    *("backbone.image_size=[16,16]", "workflow.units=4", "batch_size=4", "callbacks=minimal"),
    "epochs=1",
]


def content(folder):
    return {file.name: file.read_bytes() for file in folder.iterdir()}


def test_an_array_of_processes_makes_what_one_makes(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    folder = tmp_path / "many" / "r"
    merge = ["serialize", f"output_folder={folder}", "merge=true"]

    def shard(index):
        array = [f"shard_index={index}", "shard_count=3", f"output_folder={folder}"]
        assert cli.main([*KEYS, *array]) == 0
        return capsys.readouterr()

    told = shard(2)
    assert "videos.val.tfrecord-00002-of-00003" in told.out
    assert "2 of 3 shards are not there yet: shard_index 0, 1" in told.err
    assert "1 of 3 shards are not there yet: shard_index 1" in shard(0).err
    assert cli.main(merge) == 1
    assert "with shard_index=1, shard_count=3, and merge again" in capsys.readouterr().err
    command = f"lrcn serialize output_folder={folder} merge=true"
    assert f"next: {command}" in shard(1).err
    training = ["train", "dataset=records", f"dataset.train={folder}/videos.train.tfrecord"]
    training += [f"dataset.val={folder}/videos.val.tfrecord", *TINY, "hydra.run.dir=run"]
    assert cli.main(training) == 1
    assert "not merged. Received: videos.train.tfrecord-00000-of-00003.shard" in (
        error := capsys.readouterr().err
    )
    assert f"`{command}`" in error
    assert cli.main(merge) == 0
    first = capsys.readouterr()
    assert "next: lrcn train dataset=records" in first.err and "there already" not in first.out
    assert cli.main([*KEYS, "shards=3", f"output_folder={tmp_path}/one/r"]) == 0
    assert content(folder) == content(tmp_path / "one" / "r")
    capsys.readouterr()
    assert cli.main(merge) == 0
    again = capsys.readouterr()
    assert "there is nothing to merge" in again.err and again.out.count("there already") == 2
    assert "all shards are merged already" in shard(0).err
    assert content(folder) == content(tmp_path / "one" / "r")
    assert cli.main(training) == 0


def test_an_interrupted_shard_says_how_to_go_on(tmp_path, monkeypatch, capsys):
    def interrupt(packer, place):
        raise KeyboardInterrupt

    monkeypatch.setattr(packing.Packer, "__call__", interrupt)
    array = ["shard_index=0", "shard_count=2", f"output_folder={tmp_path}/r"]
    assert cli.main([*KEYS, *array]) == 130
    assert "interrupted; go on with: the same command" in capsys.readouterr().err
    assert not (tmp_path / "r").exists()


@pytest.mark.parametrize("key", ["dataset=moving_shapes", LISTS, "shard_count=2", "seed=1"])
def test_a_merge_takes_no_other_keys(tmp_path, capsys, key):
    assert cli.main(["serialize", "merge=true", f"output_folder={tmp_path}", key]) == 2
    error = capsys.readouterr().err
    assert "a merge takes everything from the shards" in error and key.partition("=")[0] in error


SHAPES = [
    *("serialize", "dataset=moving_shapes", "dataset.train=160", "dataset.val=8", "dataset.test=0"),
    *("dataset.size=32", "do_shuffle=true", "num_threads=1"),
]


def begin(folder, index):
    """Starts the process of a shard of rendered videos."""
    array = [f"output_folder={folder}", f"shard_index={index}", "shard_count=2"]
    with (folder.parent / f"{index}.log").open("a") as log:
        command = [sys.executable, "-m", "lrcn", *SHAPES, *array]
        return subprocess.Popen(command, cwd=folder.parent, stdout=log, stderr=log)


@pytest.mark.slow
def test_processes_side_by_side_of_which_one_is_killed(tmp_path):
    folder = tmp_path / "many" / "r"
    folder.parent.mkdir()
    with begin(folder, 0) as other, begin(folder, 1) as killed:
        begun = folder / ".train.tfrecord-00001-of-00002.unfinished" / "00000.0.tfrecord"
        while killed.poll() is None and not begun.exists():
            time.sleep(0.002)
        killed.kill()
    codes, log = (other.returncode, killed.returncode), (folder.parent / "1.log").read_text()
    assert codes == (0, -signal.SIGKILL), log
    assert not (folder / "train.tfrecord-00001-of-00002.shard").exists()
    with begin(folder, 1) as again:
        assert again.wait() == 0, log
    assert cli.main(["serialize", f"output_folder={folder}", "merge=true"]) == 0
    assert cli.main([*SHAPES, "shards=2", f"output_folder={tmp_path}/one/r"]) == 0
    assert content(folder) == content(tmp_path / "one" / "r")
