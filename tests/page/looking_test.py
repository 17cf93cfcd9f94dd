import fractions
import io

import av
import numpy as np
import pytest
from PIL import Image

from lrcn import errors
from lrcn.data import containers, lists
from lrcn.data.limits import Limits
from lrcn.page import looking

from . import conftest

BOUNDS = looking.Bounds(120.0)


def write(path, frames, rate, size=(32, 48)):
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", rate=rate)
        stream.height, stream.width = size
        stream.pix_fmt = "yuv420p"
        for _ in range(frames):
            grey = np.full((*size, 3), 128, np.uint8)
            container.mux(stream.encode(av.VideoFrame.from_ndarray(grey, format="rgb24")))
        container.mux(stream.encode())
    return path


def sound(path):
    with av.open(str(path), "w") as container:
        stream = container.add_stream("aac", rate=8000)
        stream.layout = "mono"
        frame = av.AudioFrame.from_ndarray(np.zeros((1, 8000), np.float32), "fltp", "mono")
        frame.rate = 8000
        for packet in [*stream.encode(frame), *stream.encode()]:
            container.mux(packet)
    return path


def refused(path, bounds=BOUNDS):
    with pytest.raises(errors.UserError) as caught:
        looking.look(path, bounds)
    assert str(path.parent) not in str(caught.value)  # nobody knows that folder
    assert "on_error" not in str(caught.value)
    return str(caught.value)


def test_a_video_is_seen_with_some_of_its_frames():
    seen = looking.look(conftest.VIDEO, BOUNDS)
    assert (seen.width, seen.height, seen.frames, seen.item.kind) == (64, 48, 20, "video")
    assert seen.seconds == pytest.approx(2.0)
    assert len(seen.pictures) == looking.MOST_PICTURES
    assert seen.pictures[0].seconds == 0 and seen.pictures[-1].seconds == pytest.approx(1.9)
    with Image.open(io.BytesIO(seen.pictures[0].jpeg)) as picture:
        assert picture.size == (64, 48)


def test_a_short_video_shows_each_frame(tmp_path):
    seen = looking.look(write(tmp_path / "a.mkv", 3, 10), BOUNDS)
    assert [picture.seconds for picture in seen.pictures] == pytest.approx([0, 0.1, 0.2])


def test_an_image_is_seen_in_its_shape(tmp_path):
    path = tmp_path / "wide.png"
    Image.new("RGB", (1440, 100)).save(path)
    seen = looking.look(path, BOUNDS)
    assert (seen.width, seen.height, seen.frames, seen.seconds) == (1440, 100, 1, 0.0)
    with Image.open(io.BytesIO(seen.pictures[0].jpeg)) as picture:
        assert picture.size == (720, 50)


def test_a_video_of_ten_hours_is_refused_before_a_frame_is_decoded(tmp_path, monkeypatch):
    path = write(tmp_path / "long.mp4", 40, fractions.Fraction(1, 900))
    monkeypatch.setattr(containers, "decode", None)
    message = refused(path)
    assert message.startswith("long.mp4: the video is too long for this page.")
    assert "Received: 10:00:00 hours. Expected: at most 2:00 minutes." in message
    assert message.endswith("who started the page can raise the key seconds.")


def test_a_video_of_very_many_frames_is_refused(tmp_path):
    path = write(tmp_path / "fast.mp4", 30, 1000)
    message = refused(path, looking.Bounds(0.1))
    assert "too many frames for this page. Received: 30 frames. Expected: at most 12." in message
    assert looking.look(path, looking.Bounds(0.3)).frames == 30


def test_packets_that_promise_less_than_is_decoded_do_not_help(monkeypatch):
    monkeypatch.setattr(
        containers, "planned", lambda *_, **__: containers.Timeline((0.0, 0.1), 10.0)
    )
    message = refused(conftest.VIDEO, looking.Bounds(0.05))
    assert "Received: 7 frames. Expected: at most 6 frames." in message


def test_true_times_count_once_they_are_known(monkeypatch):
    monkeypatch.setattr(
        containers, "planned", lambda *_, **__: containers.Timeline((0.0, 0.1), 10.0)
    )
    assert "Received: 2 seconds. Expected: at most 1 seconds." in refused(
        conftest.VIDEO, looking.Bounds(1.0)
    )


def test_nobody_looks_on_where_the_page_is_being_stopped():
    bounds = looking.Bounds(120.0)
    bounds.watch()
    bounds.over.set()
    with pytest.raises(looking.Ended):
        looking.look(conftest.VIDEO, bounds)


def test_a_large_frame_is_refused_by_the_limits():
    message = refused(conftest.VIDEO, looking.Bounds(120.0, Limits(image_pixels=100)))
    assert "3,072 pixels" in message and "limits.image_pixels" in message


@pytest.mark.parametrize(
    ("name", "content", "says"),
    [
        ("notes.txt", b"hello", "neither an image nor a video, by its suffix. Received: notes.txt"),
        ("none", b"hello", "neither an image nor a video"),
        ("text.mp4", b"hello " * 99, "video cannot be opened or decoded"),
        ("empty.mp4", b"", "the file is empty. Received: 0 bytes"),
        ("empty.txt", b"", "the file is empty"),
        ("text.jpg", b"hello", "Replace the file or leave it out."),
        ("cut.mp4", conftest.VIDEO.read_bytes()[:1500], "Replace the file or leave it out."),
    ],
)
def test_a_file_that_is_none_is_told_by_its_name(tmp_path, name, content, says):
    path = tmp_path / name
    path.write_bytes(content)
    message = refused(path)
    assert message.startswith(f"{name}: ") and says in message


def test_sound_alone_is_no_video(tmp_path):
    assert "no video in this file. Received: streams of audio" in refused(sound(tmp_path / "a.mp4"))


def test_errors_of_a_run_name_the_file_too(tmp_path):
    item = lists.Item("a.mp4", "/private/x/a.mp4", "video")
    error = errors.UserError(
        "w", where="/private/x/a.mp4: frame 3", received=7, expected="e", remedy="r"
    )
    assert str(looking.named(error, item)) == "a.mp4: frame 3: w. Received: 7. Expected: e. r."


@pytest.mark.parametrize(
    ("seconds", "told"),
    [
        (0.04, "0.04 seconds"),
        (2.0, "2 seconds"),
        (12.34, "12.3 seconds"),
        (61, "1:01 minutes"),
        (36000, "10:00:00 hours"),
    ],
)
def test_lengths_are_told_as_people_say_them(seconds, told):
    assert looking.duration(seconds) == told
