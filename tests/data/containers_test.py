"""Videos of strangers; what becomes of usual ones is told in video_test.py."""

import fractions
import os
import pathlib
import shutil
import socket

import av
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lrcn import errors
from lrcn.data import containers, lists, video
from lrcn.data.limits import Limits


def item(path):
    return lists.Item(path.name, str(path), "video", where="list:7")


def told(path, **options):
    with pytest.raises(errors.UserError) as caught:
        video.read(item(path), video.Reading(**options))
    assert "\n" not in str(caught.value)
    return str(caught.value)


@pytest.fixture
def listening():
    """A server that nobody should ask, and its address."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        server.setblocking(False)
        yield server


def was_asked(server):
    try:
        server.accept()[0].close()
    except BlockingIOError:
        return False
    return True


def test_the_server_of_these_tests_notices(listening):
    assert not was_asked(listening)
    socket.create_connection(listening.getsockname()).close()
    assert was_asked(listening)


def naming(url):
    """Files that name others, for FFmpeg to open them."""
    dash = (
        '<?xml version="1.0"?><MPD xmlns="urn:mpeg:dash:schema:mpd:2011" type="static" '
        'mediaPresentationDuration="PT9S" profiles="urn:mpeg:dash:profile:isoff-main:2011">'
        '<Period><AdaptationSet mimeType="video/mp4"><Representation id="1" bandwidth="1">'
        f"<BaseURL>{url}</BaseURL></Representation></AdaptationSet></Period></MPD>"
    )
    sdp = "v=0\no=- 0 0 IN IP4 127.0.0.1\ns=x\nc=IN IP4 127.0.0.1\nt=0 0\nm=video 5004 RTP/AVP 96\n"
    return {
        "hls.mp4": f"#EXTM3U\n#EXT-X-TARGETDURATION:9\n#EXTINF:9,\n{url}\n#EXT-X-ENDLIST\n",
        "concat.mp4": f"ffconcat version 1.0\nfile {url}\n",
        "concat.mkv": f"ffconcat version 1.0\nfile '{url}'\n",
        "dash.mp4": dash,
        "sdp.mp4": f"{sdp}a=rtpmap:96 H264/90000\n",
        "reference.wmv": f"[Reference]\nRef1={url}\n",
        "playlist.wmv": f'<ASX version="3.0"><Entry><Ref href="{url}"/></Entry></ASX>',
        "rtsp.mov": f"RTSPtext\n{url}\n",
    }


@pytest.mark.parametrize("name", naming(""))
def test_files_that_name_others_are_no_videos(tmp_path, make_video, listening, name):
    canary = make_video(tmp_path / "canary.ts", 5)
    os.utime(canary, (0, 0))  # when it is read shows on most file systems
    port = listening.getsockname()[1]
    for url in (
        f"http://127.0.0.1:{port}/a.ts",
        canary.name,
        f"file:{canary}",
        f"tcp://::1:{port}",
    ):
        (tmp_path / name).write_text(naming(url)[name])
        message = told(tmp_path / name)
        assert "video cannot be opened or decoded" in message
        assert "Expected: a complete video file, and no playlist." in message
    assert not was_asked(listening)
    assert canary.stat().st_atime == 0


def test_a_playlist_would_be_opened_without_these_bounds(tmp_path, make_video):
    make_video(tmp_path / "canary.ts", 5)
    (tmp_path / "a.mp4").write_text("ffconcat version 1.0\nfile canary.ts\n")
    with av.open(str(tmp_path / "a.mp4")) as opened:
        assert opened.format.name == "concat"
    with pytest.raises(av.error.FFmpegError), containers.opened(tmp_path / "a.mp4"):
        pass


@pytest.mark.parametrize(
    "name",
    ["concat:a.mp4|b.mp4", "http:x.mp4", "pipe:0.mp4", "a%d.mp4", "subfile,,start,0,,:a.mp4"]
    + ["file:a.mp4", "data:video,a.mp4", "-i.mp4", "a?b#c.mp4", "~.mp4", "a\nb.mp4"],
)
def test_a_name_is_only_a_name(tmp_path, make_video, monkeypatch, name):
    shutil.copy(make_video(tmp_path / "v.mp4", 3), tmp_path / name)
    (tmp_path / "v.mp4").unlink()
    assert video.count_frames(item(tmp_path / name)) == 3
    monkeypatch.chdir(tmp_path)
    assert len(containers.decode(name).times) == 3


def test_what_is_no_file_is_not_waited_for(tmp_path):
    os.mkfifo(tmp_path / "pipe.mp4")
    (tmp_path / "zero.mp4").symlink_to("/dev/zero")
    (tmp_path / "folder.mp4").mkdir()
    assert "Received: a named pipe, not a file." in told(tmp_path / "pipe.mp4")
    assert "Received: a device, not a file." in told(tmp_path / "zero.mp4")
    assert "Received: Is a directory." in told(tmp_path / "folder.mp4")
    with pytest.raises(errors.UserError, match="neither|no such"):
        lists.kind_of(tmp_path / "pipe.mp4")


def test_frames_are_bounded_in_size_when_the_file_is_opened(tmp_path, make_video):
    path = make_video(tmp_path / "v.mp4", 3)
    assert video.read(item(path), video.Reading(limits=Limits(image_pixels=48 * 64))).count == 3
    message = told(path, limits=Limits(image_pixels=48 * 64 - 1))
    assert "a frame of the video is larger than the limit. Received: 3,072 pixels" in message
    assert message.startswith(f"list:7: {path}: ") and "limits.image_pixels" in message
    for call in (containers.planned, containers.decode):
        with pytest.raises(errors.UserError, match=r"limits\.image_pixels"):
            call(path, limits=Limits(image_pixels=48 * 64 - 1))


def test_a_picture_of_a_large_gif_is_not_made(tmp_path):
    header = b"GIF89a\xff\xff\xff\xff\x80\0\0" + b"\0" * 6
    frame = b",\0\0\0\0\xff\xff\xff\xff\0\2\2\x44\1\0;"
    (tmp_path / "a.gif").write_bytes(header + frame)
    message = told(tmp_path / "a.gif")
    assert "4,294,836,225 pixels" in message or "cannot be opened" in message


def test_frames_that_grow_later_are_bounded_too(tmp_path):
    parts = []
    for height, width in ((48, 64), (480, 640)):
        path = tmp_path / f"{height}.m2v"
        with av.open(str(path), "w", format="mpeg2video") as container:
            stream = container.add_stream("mpeg2video", rate=25)
            stream.height, stream.width, stream.pix_fmt = height, width, "yuv420p"
            for _ in range(3):
                pixels = np.zeros((height, width, 3), np.uint8)
                container.mux(stream.encode(av.VideoFrame.from_ndarray(pixels)))
            container.mux(stream.encode())
        parts.append(path.read_bytes())
    (tmp_path / "both.mpg").write_bytes(b"".join(parts))
    reading = video.Reading((8, 8, 3))
    assert video.read(item(tmp_path / "both.mpg"), reading).count > 3
    message = told(tmp_path / "both.mpg", limits=Limits(image_pixels=100_000))
    assert "a frame is larger than the limit" in message and "limits.image_pixels" in message


def test_the_number_of_frames_is_bounded_in_both_passes(tmp_path, make_video):
    path = make_video(tmp_path / "v.mp4", 20)
    assert len(containers.planned(path, limits=Limits(frames=20)).times) == 20
    assert len(containers.decode(path, limits=Limits(frames=20)).times) == 20
    seen = []
    for call in (containers.planned, containers.decode):
        with pytest.raises(errors.UserError, match=r"Received: 20 frames.*limits\.frames"):
            options = {"visit": lambda n, _: seen.append(n)} if call is containers.decode else {}
            call(path, limits=Limits(frames=19), **options)
    assert len(seen) <= 19
    assert "limits.frames" in told(path, limits=Limits(frames=19), frame_step=10)


def test_what_becomes_one_record_is_bounded(tmp_path, make_video, make_frames):
    for path in (make_video(tmp_path / "v.mp4", 20), make_frames(tmp_path / "f", 20)):
        one = lists.Item("v", str(path), lists.kind_of(path))
        stored = sum(map(len, video.read(one, video.Reading()).jpegs))
        assert video.read(one, video.Reading(limits=Limits(record_bytes=stored))).count == 20
        with pytest.raises(errors.UserError, match=r"stored of an item.*limits\.record_bytes"):
            video.read(one, video.Reading(limits=Limits(record_bytes=stored - 1)))


def test_a_folder_of_frames_is_bounded(tmp_path, make_frames):
    folder = make_frames(tmp_path / "f", 6)
    one = lists.Item("f", str(folder), "frames", where="list:7")
    assert video.count_frames(one, limits=Limits(frames=6)) == 6
    with pytest.raises(errors.UserError, match=r"Received: 6 frames.*limits\.frames"):
        video.count_frames(one, limits=Limits(frames=5))


def test_a_gap_between_time_stamps_is_not_filled_without_end(tmp_path, make_video):
    stamps = [0, 40, 80, 36_000_000, 36_000_040]  # ten hours between two frames
    path = make_video(tmp_path / "v.mkv", 5, stamps=stamps)
    assert video.count_frames(item(path)) == 5
    assert video.count_frames(item(path), fps=25) == 900_002
    with pytest.raises(errors.UserError) as caught:
        video.count_frames(item(path), fps=30)
    assert "Received: 1,080,003 frames" in str(caught.value)
    assert f"list:7: {path}: dataset.fps=30 of 36000.04 seconds" in str(caught.value)
    message = told(path, fps=30, limits=Limits(frames=1000))
    assert "limits.frames" in message


@pytest.mark.parametrize("fps", [1e-300, 1e9, 1e300, 1e308])
def test_rates_of_any_size_are_a_number_of_frames_or_refused(tmp_path, make_video, fps):
    path = make_video(tmp_path / "v.mkv", 5, stamps=[0, 40, 80, 36_000_000, 36_000_040])
    if fps < 1:
        assert video.count_frames(item(path), fps=fps) == 1
    else:
        with pytest.raises(errors.UserError, match=r"limits\.frames") as caught:
            video.count_frames(item(path), fps=fps)
        assert len(str(caught.value)) < 500


@settings(deadline=None)
@given(
    st.lists(st.floats(-1e300, 1e300), min_size=1, max_size=8),
    st.none() | st.floats(1e-9, 1e9),
    st.floats(1e-9, 1e9),
    st.integers(1, 5),
)
def test_any_time_stamps_give_frames_that_are_there_or_are_refused(times, rate, fps, step):
    timeline = containers.Timeline(tuple(sorted(times)), rate)
    limits = Limits(frames=1000)
    try:
        kept = timeline.kept(frame_step=step, fps=fps, limits=limits)
    except errors.UserError:
        return
    assert 0 < len(kept) <= 1000
    assert kept.min() >= 0 and kept.max() < len(times) and (np.diff(kept) >= 0).all()


def test_stamps_before_zero_count_from_the_first_frame(tmp_path, make_video):
    path = make_video(tmp_path / "v.mkv", 5, stamps=[-80, -40, 0, 40, 80])
    assert video.count_frames(item(path)) == 5
    assert video.count_frames(item(path), fps=25) == 5


def test_other_streams_are_not_decoded(tmp_path):
    path = tmp_path / "v.mkv"
    with av.open(str(path), "w") as container:
        sound = container.add_stream("pcm_s16le", rate=8000)
        pictures = container.add_stream("mpeg4", rate=25)
        pictures.height, pictures.width, pictures.pix_fmt = 16, 16, "yuv420p"
        for index in range(3):
            frame = av.VideoFrame.from_ndarray(np.zeros((16, 16, 3), np.uint8))
            frame.pts, frame.time_base = index, fractions.Fraction(1, 25)
            container.mux(pictures.encode(frame))
            samples = av.AudioFrame.from_ndarray(np.zeros((1, 160), np.int16), layout="mono")
            samples.rate, samples.pts = 8000, 160 * index
            container.mux(sound.encode(samples))
        container.mux(pictures.encode())
    assert video.count_frames(item(path)) == 3


def test_streams_that_begin_later_are_left_alone(tmp_path, make_video, monkeypatch):
    class Container:
        """What PyAV makes of a file with such a stream."""

        def __init__(self, *arguments, **options):
            self.inner = av_open(*arguments, **options)

        def __enter__(self):
            self.inner.__enter__()
            return self

        def __exit__(self, *error):
            self.inner.close()

        def __getattr__(self, name):
            return getattr(self.inner, name)

        def demux(self):
            yield from self.inner.demux()
            raise IndexError("list index out of range")

    av_open = av.open
    path = make_video(tmp_path / "v.mp4", 3)
    monkeypatch.setattr(av, "open", Container)
    assert video.read(item(path), video.Reading()).count == 3


def test_a_codec_that_is_not_known_is_told(tmp_path):
    seed = pathlib.Path(__file__).parent.parent / "fuzz/corpus/videos/failed-no-decoder"
    (tmp_path / "a.mp4").write_bytes(seed.read_bytes())
    assert "a kind that FFmpeg does not decode" in told(tmp_path / "a.mp4")


@settings(max_examples=60, deadline=None)
@given(st.data())
def test_a_damaged_video_never_raises_anything_else(tmp_path_factory, data):
    name = data.draw(st.sampled_from(["mp4", "mkv", "avi", "webm", "flv", "gif", "mpeg"]))
    seed = pathlib.Path(__file__).parent.parent / "fuzz" / "corpus" / "videos" / name
    content = bytearray(seed.read_bytes())
    for _ in range(data.draw(st.integers(1, 6))):
        content[data.draw(st.integers(0, len(content) - 1))] = data.draw(st.integers(0, 255))
    path = tmp_path_factory.mktemp("damaged") / "a.mp4"
    path.write_bytes(content)
    limits = Limits(image_pixels=100_000, frames=100)
    try:
        count = video.read(item(path), video.Reading((8, 8, 3), limits=limits)).count
    except errors.UserError:
        return
    assert 0 < count <= 100
