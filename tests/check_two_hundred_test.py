"""`lrcn check` of 200 items of which some are broken: it finds these and no others."""

import json
import os
import stat
import struct
import zlib

import av
import numpy as np
import PIL.Image
import pytest

from lrcn import cli

GOOD = 180


def grain(number, height=24, width=32):
    return np.random.default_rng(number).integers(0, 256, [height, width, 3], dtype=np.uint8)


def image(path, number=0, **options):
    path.parent.mkdir(parents=True, exist_ok=True)
    PIL.Image.fromarray(grain(number)).save(path, **options)
    return path


def video(path, number=0, *, codec="mpeg4", frames=8):
    with av.open(str(path), "w") as container:
        stream = container.add_stream(codec, rate=10)
        stream.width, stream.height, stream.pix_fmt = 48, 32, "yuv420p"
        for index in range(frames):
            picture = av.VideoFrame.from_ndarray(grain(100 * number + index, 32, 48))
            container.mux(stream.encode(picture))
        container.mux(stream.encode())
    return path


def sound(path):
    """A file of the video's kind with sound alone."""
    with av.open(str(path), "w") as container:
        stream = container.add_stream("aac", rate=8000)
        samples = np.zeros([1, 1024], np.float32)
        for _ in range(4):
            frame = av.AudioFrame.from_ndarray(samples, format="fltp", layout="mono")
            frame.sample_rate = 8000
            container.mux(stream.encode(frame))
        container.mux(stream.encode())


def cut(path, share=0.5):
    data = path.read_bytes()
    path.write_bytes(data[: int(len(data) * share)])


def chunk(kind, data):
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def png(width, height, rows=b""):
    """A PNG whose header tells any size."""
    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    data = chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b"")
    return b"\x89PNG\r\n\x1a\n" + data


def png_with_another_checksum(path):
    data = bytearray(image(path, 3).read_bytes())
    data[data.index(b"IDAT") + 40] ^= 0xFF
    path.write_bytes(data)


def garbage_in_the_middle(path):
    data = bytearray(video(path, 5, codec="libvpx", frames=12).read_bytes())
    middle = len(data) // 2
    data[middle : middle + 2000] = os.urandom(2000)
    path.write_bytes(data)


def frames(folder, numbers=(1, 2, 3, 4)):
    for number in numbers:
        image(folder / f"{number}.jpg", 40 + number)
    return folder


def empty_frame(folder):
    frames(folder)
    (folder / "2.jpg").write_bytes(b"")


# By name of the file: what makes it, and words of the reason that has to be told. A kind that is
# found from now on is one line more.
BROKEN = {
    "cut.jpg": (lambda path: cut(image(path, 1)), "image cannot be read or decoded"),
    "text.jpg": (lambda path: path.write_text("no picture"), "no image"),
    "empty.png": (lambda path: path.write_bytes(b""), "no image"),
    "crc.png": (png_with_another_checksum, "image cannot be read or decoded"),
    "bomb.png": (lambda path: path.write_bytes(png(60_000, 60_000)), "60"),
    "zero.png": (lambda path: path.write_bytes(png(0, 0)), "image cannot be read or decoded"),
    "cut.png": (lambda path: cut(image(path, 2)), "image cannot be read or decoded"),
    "page.jpg": (lambda path: path.write_text("<!DOCTYPE html><html></html>"), "no image"),
    "cut.mp4": (lambda path: cut(video(path, 1)), "video cannot be opened or decoded"),
    "cut.avi": (lambda path: cut(video(path, 2), 0.6), "video"),
    "sound.mp4": (sound, "no video in this file"),
    "empty.avi": (lambda path: path.write_bytes(b""), "video cannot be opened or decoded"),
    "noise.mp4": (lambda path: path.write_bytes(os.urandom(5000)), "video cannot be opened"),
    "playlist.mp4": (
        lambda path: path.write_text(
            f"#EXTM3U\n#EXTINF:1,\n{path.parent}/good0.mp4\n#EXT-X-ENDLIST\n"
        ),
        "playlist.mp4",
    ),
    "middle.webm": (garbage_in_the_middle, "middle.webm"),
    "gap": (lambda path: frames(path, (1, 2, 4)), "gap"),
    "frame": (lambda path: cut(frames(path) / "3.jpg"), "3.jpg"),
    "hollow": (empty_frame, "2.jpg"),
    "nothing": (lambda path: path.mkdir(), "nothing"),
    "link.jpg": (lambda path: path.symlink_to("gone.jpg"), "link.jpg"),
    "pipe.jpg": (os.mkfifo, "pipe.jpg"),
}
if os.geteuid():  # who is root may read everything
    BROKEN["locked.jpg"] = (lambda path: image(path, 7).chmod(0), "Permission denied")


def tree(folder):
    """Everything that a check could change of a folder: names, content, rights and times."""
    found = {}
    for path in sorted(folder.rglob("*")):
        told = path.lstat()
        content = path.read_bytes() if stat.S_ISREG(told.st_mode) and told.st_mode & 0o400 else b""
        found[str(path)] = (content, told.st_mode, told.st_size, told.st_mtime_ns)
    return found


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A folder of 200 items and the list of them."""
    folder = tmp_path_factory.mktemp("media")
    names = []
    for number in range(GOOD):
        name = f"good{number}.{('jpg', 'png', 'jpg', 'bmp', 'webp')[number % 5]}"
        if number % 30 == 0:
            video(folder / (name := f"good{number}.{('mp4', 'avi')[number // 30 % 2]}"), number + 9)
        elif number % 45 == 1:
            name = frames(folder / f"good{number}").name
            image(folder / name / "5.jpg", 5000 + number)
        else:
            image(folder / name, 1000 + number)
        names.append(name)
    for name, (make, _) in BROKEN.items():
        make(folder / name)
        names.append(name)
    (folder / "all.train").write_text("".join(f"{name} 0\n" for name in names))
    return folder


@pytest.fixture(scope="module")
def checked(folder):
    """The exit code of the check, its report, and what it was found with before and after."""
    before = tree(folder)
    report = folder.parent / "report.json"
    code = cli.main(["check", f"dataset.input_files=['{folder}/all.train']", f"report={report}"])
    return code, json.loads(report.read_text()), before, tree(folder)


def name_of(finding, names):
    line = finding["where"].partition("all.train:")[2].partition(":")[0]
    return names[int(line) - 1]


def test_it_finds_what_is_broken_and_no_more(checked, folder):
    code, report, _, _ = checked
    names = [line.split()[0] for line in (folder / "all.train").read_text().splitlines()]
    found = [name_of(finding, names) for finding in report["findings"]]
    assert sorted(found) == sorted(BROKEN)
    assert code == 1 and report["count"] == len(BROKEN) >= 20


@pytest.mark.parametrize("name", BROKEN)
def test_each_is_told_with_its_reason(checked, folder, name):
    _, report, _, _ = checked
    names = [line.split()[0] for line in (folder / "all.train").read_text().splitlines()]
    (finding,) = [own for own in report["findings"] if name_of(own, names) == name]
    told = " ".join(finding.values())
    assert BROKEN[name][1] in told and "Traceback" not in told
    assert all(finding[part] for part in ("where", "what", "received", "expected", "remedy"))


def test_it_changes_nothing(checked):
    _, _, before, after = checked
    assert after == before
    assert len(before) > 200


def test_a_report_is_what_is_printed(folder, capsys, tmp_path):
    lines = ["good0.mp4 0", "cut.jpg 0", "gone.jpg 0", "good2.jpg x"]
    (tmp_path / "some.train").write_text("".join(f"{line}\n" for line in lines))
    report = tmp_path / "report.json"
    code = cli.main(
        [
            "check",
            f"dataset.input_files=['{tmp_path}/some.train']",
            f"dataset.path_prepend_folder={folder}",
            f"report={report}",
        ]
    )
    printed = capsys.readouterr().out.splitlines()
    found = json.loads(report.read_text())["findings"]
    assert code == 1 and len(printed) == len(found) == 3
    assert all(
        line.startswith(finding["where"]) for line, finding in zip(printed, found, strict=True)
    )
