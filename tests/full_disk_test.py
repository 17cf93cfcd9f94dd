"""Commands on a disk that really gets full: exit code 1, one message, and nothing half there."""

import json
import os
import pathlib
import resource
import shutil
import subprocess
import sys
import zipfile

import av
import numpy as np
import pytest

ROOT = pathlib.Path(__file__).resolve().parent.parent
EXAMPLES = ROOT / "tests" / "examples"
LISTS = f"dataset.input_files=[{EXAMPLES}/videos.train,{EXAMPLES}/videos.val]"
LABELS = f"dataset.labels={EXAMPLES}/labels.txt"
SERIALIZE = ["serialize", LISTS, LABELS, "clipframe_mode=none"]
TINY = [
    *("dataset.train=4", "dataset.val=4", "dataset.test=0", "dataset.size=24"),
    *("dataset.num_frames=6", "clipframe_mode.num_frames_per_clip=3"),
    *("backbone.image_size=[16,16]", "epochs=1"),
]
VIDEO = EXAMPLES / "videos" / "val_left_0.mp4"
COMMAND = [sys.executable, "-m", "lrcn"]
TOO_LARGE = "cannot be written. Received: File too large."
FULL = "cannot be written. Received: No space left on device."
# In a name space of its own, so that nobody else sees the mount.
IN_SPACE = ["unshare", "--user", "--map-root-user", "--mount", "sh", "-c"]

pytestmark = pytest.mark.slow


def lrcn(arguments, *, folder, cache, limit=None, shell=None, output=subprocess.PIPE):
    """Runs a command as a user does; `limit` is in bytes a file, `shell` what is done around it."""
    environment = {**os.environ, "LRCN_CACHE": str(cache), "PYTHONPATH": str(ROOT)}
    environment["PYTHONDONTWRITEBYTECODE"] = "1"
    command = [*COMMAND, *map(str, arguments)]
    if shell is not None:
        command = [*IN_SPACE, shell, "sh", *command]

    def bounded():
        if limit is not None:
            resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit))

    return subprocess.run(
        command,
        cwd=folder,
        env=environment,
        stdout=output,
        stderr=subprocess.PIPE,
        text=True,
        preexec_fn=bounded,
        check=False,
    )


@pytest.fixture(scope="module")
def cache(tmp_path_factory):
    return tmp_path_factory.mktemp("cache")


@pytest.fixture(scope="module")
def trained(tmp_path_factory, cache):
    folder = tmp_path_factory.mktemp("trained")
    arguments = ["train", *TINY, "workflow.units=4", "hydra.run.dir=run"]
    done = lrcn(arguments, folder=folder, cache=cache)
    assert done.returncode == 0, done.stderr
    return folder / "run"


@pytest.fixture(scope="module")
def small_disk(tmp_path_factory):
    """Returns shell code that mounts a small disk on a folder and lists it after the command."""
    if shutil.which("unshare") is None:
        pytest.skip("needs unshare of util-linux")
    folder = tmp_path_factory.mktemp("probe")
    mount = f"mount -t tmpfs -o size=64k none {folder}"
    probed = subprocess.run([*IN_SPACE, mount], capture_output=True, check=False)
    if probed.returncode:
        pytest.skip(f"this user may not mount a tmpfs: {probed.stderr.decode().strip()}")

    def code(size, folder):
        folder.mkdir(exist_ok=True)
        return (
            f"mount -t tmpfs -o size={size} none '{folder}' || exit 99; cd '{folder}'; "
            f"\"$@\"; code=$?; cd /; tar -C '{folder}' -cf '{folder}.tar' . ; exit $code"
        )

    return code


def left_on(disk):
    """Unpacks what a command left on a small disk."""
    target = disk.with_name("left")
    shutil.unpack_archive(f"{disk}.tar", target, filter="data")
    return target


def check_told(done, expected):
    assert done.returncode == 1, done.stderr
    errors = [line for line in done.stderr.splitlines() if line.startswith("error: ")]
    assert len(errors) == 1, done.stderr
    assert expected in errors[0]
    assert ".tmp" not in errors[0]
    for sign in ("Traceback", "bug in lrcn", "Logging error", "Exception ignored"):
        assert sign not in done.stderr


def names(folder):
    return sorted(path.name for path in folder.rglob("*") if path.is_file())


def test_serialize_under_a_limit_of_file_size(tmp_path, cache):
    done = lrcn([*SERIALIZE, "output_folder=r"], folder=tmp_path, cache=cache, limit=100_000)
    assert done.returncode == 1
    assert "File too large" in done.stderr and "Traceback" not in done.stderr
    assert names(tmp_path) == []


def test_serialize_on_a_full_disk(tmp_path, cache, small_disk):
    disk = tmp_path / "disk"
    done = lrcn(
        [*SERIALIZE, f"output_folder={disk}/r"],
        folder=tmp_path,
        cache=cache,
        shell=small_disk("300k", disk),
    )
    assert done.returncode == 1, done.stderr
    assert "No space left on device" in done.stderr and "Traceback" not in done.stderr
    assert not [name for name in names(left_on(disk)) if not name.endswith((".size", ".tfrecord"))]


def test_train_under_a_limit_of_file_size(tmp_path, cache, trained):
    arguments = ["train", *TINY, "callbacks=minimal", "hydra.run.dir=run"]
    done = lrcn(arguments, folder=tmp_path, cache=cache, limit=40_000)
    check_told(done, f"best.keras: {TOO_LARGE}")
    run = tmp_path / "run"
    assert "cannot be written" in (run / "FAILED").read_text().splitlines()[0]
    assert not list((run / "checkpoints").glob(".*"))
    done = lrcn(arguments, folder=tmp_path, cache=cache)
    assert done.returncode == 0, done.stderr
    assert (run / "DONE").exists() and not (run / "FAILED").exists()


def test_train_on_a_full_disk(tmp_path, cache, trained, small_disk):
    disk = tmp_path / "disk"
    done = lrcn(
        ["train", *TINY, "workflow.units=256", f"hydra.run.dir={disk}/run"],
        folder=tmp_path,
        cache=cache,
        shell=small_disk("400k", disk),
    )
    check_told(done, FULL)
    run = left_on(disk) / "run"
    json.loads((run / "config.json").read_text())
    assert not [name for name in names(run) if name.startswith(".")]
    for checkpoint in run.rglob("*.keras"):
        assert zipfile.ZipFile(checkpoint).testzip() is None


def test_a_disk_without_any_room_from_the_start(tmp_path, cache, trained, small_disk):
    disk = tmp_path / "disk"
    code = small_disk("64k", disk).replace('"$@"', 'head -c 70000 /dev/zero > full 2>&1; "$@"')
    done = lrcn(
        ["train", *TINY, f"hydra.run.dir={disk}/run"], folder=tmp_path, cache=cache, shell=code
    )
    check_told(done, "No space left on device")
    assert not [name for name in names(left_on(disk)) if name.endswith((".json", ".keras"))]


def test_an_overlay_under_a_limit_of_file_size(tmp_path, cache, trained):
    arguments = ["predict", f"run={trained}", "input=large.avi", "overlay=out.mp4"]
    noise = np.random.default_rng(0).integers(0, 256, (24, 240, 320, 3), np.uint8)
    with av.open(str(tmp_path / "large.avi"), "w") as container:
        stream = container.add_stream("mjpeg", rate=8)
        stream.height, stream.width, stream.pix_fmt = 240, 320, "yuvj420p"
        for frame in noise:
            container.mux(stream.encode(av.VideoFrame.from_ndarray(frame, format="rgb24")))
        container.mux(stream.encode())
    done = lrcn(arguments, folder=tmp_path, cache=cache, limit=400_000)
    check_told(done, f"out.mp4: {TOO_LARGE}")
    assert names(tmp_path) == ["large.avi"]
    done = lrcn(arguments, folder=tmp_path, cache=cache, limit=2_000)
    check_told(done, f": {TOO_LARGE}")  # there is no room to unpack the checkpoint
    assert "no model" not in done.stderr


def test_an_overlay_on_a_full_disk_keeps_the_one_before(tmp_path, cache, trained, small_disk):
    disk = tmp_path / "disk"
    arguments = ["predict", f"run={trained}", f"input={VIDEO}", f"overlay={disk}/out.mp4"]
    code = small_disk("120k", disk)
    keep = f"cp out.mp4 '{tmp_path}/before.mp4'"
    fill = f'"$@" || exit 98; head -c 200000 /dev/zero > full 2>&1; {keep}; "$@"'
    done = lrcn(arguments, folder=tmp_path, cache=cache, shell=code.replace('"$@"', fill))
    check_told(done, f"out.mp4: {FULL}")
    left = left_on(disk)
    assert names(left) == ["full", "out.mp4"]
    assert (left / "out.mp4").read_bytes() == (tmp_path / "before.mp4").read_bytes()


def test_evaluate_in_a_folder_of_a_read_only_file_system(tmp_path, cache, trained, small_disk):
    disk = tmp_path / "disk"
    code = small_disk("4m", disk).replace(
        '"$@"', f"cp -r '{trained}' run; mount -o remount,ro '{disk}'; \"$@\""
    )
    done = lrcn(["evaluate", f"run={disk}/run"], folder=tmp_path, cache=cache, shell=code)
    check_told(done, f"run: results cannot be written. Received: {disk}/run/evaluation: Read-only")
    code = code.replace("; exit $code", "; mount -o remount,rw . ; exit $code")
    arguments = ["train", *TINY, "workflow.units=4", f"hydra.run.dir={disk}/run", "epochs=2"]
    done = lrcn(arguments, folder=tmp_path, cache=cache, shell=code)
    check_told(done, "Read-only file system")


@pytest.mark.skipif(os.geteuid() == 0, reason="rights do not count for root")
def test_evaluate_without_the_right_to_write(tmp_path, cache, trained):
    run = tmp_path / "run"
    shutil.copytree(trained, run)
    run.chmod(0o500)
    done = lrcn(["evaluate", f"run={run}"], folder=tmp_path, cache=cache)
    run.chmod(0o700)
    check_told(done, "run: results cannot be written")
    assert "Permission denied" in done.stderr


@pytest.mark.skipif(not pathlib.Path("/dev/full").exists(), reason="no /dev/full")
def test_results_that_cannot_be_shown(tmp_path, cache, trained):
    with pathlib.Path("/dev/full").open("w") as full:
        done = lrcn(["evaluate", f"run={trained}"], folder=tmp_path, cache=cache, output=full)
    check_told(done, f"stdout: {FULL}")
