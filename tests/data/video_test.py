import io

import av
import numpy as np
import PIL.Image
import pytest

from lrcn import errors
from lrcn.data import clips, images, lists, video


def item(path, where="list:7"):
    return lists.Item(path.name, str(path), lists.kind_of(path), where=where)


def numbers(jpegs):
    """Returns the frame numbers that the frames show."""
    return [round(float(np.median(images.decode(jpeg)[-8:, :, 1])) / 5) for jpeg in jpegs]


def jpeg_frames(one, *, indices=None, **options):
    """Returns the frames at `indices` (all if None) as JPEGs."""
    choose = None if indices is None else lambda n: np.asarray(indices)
    return video.read(one, video.Reading(**options), choose).jpegs


def told(one, **options):
    with pytest.raises(errors.UserError) as caught:
        jpeg_frames(one, **options)
    assert "\n" not in str(caught.value)
    return str(caught.value)


CODECS = {
    "mp4": "libx264",
    "mov": "libx264",
    "mkv": "libx264",
    "avi": "mpeg4",
    "webm": "libvpx",
}


@pytest.mark.parametrize("suffix", CODECS)
def test_videos_decode_in_order(tmp_path, make_video, suffix):
    path = make_video(tmp_path / f"v.{suffix}", 20, codec=CODECS[suffix])
    jpegs = jpeg_frames(item(path), image_shape=(24, 32, 3))
    assert numbers(jpegs) == list(range(20))
    assert images.decode(jpegs[0]).shape == (24, 32, 3)
    assert video.count_frames(item(path)) == 20


@pytest.mark.parametrize("suffix", ["mp4", "avi", "webm"])
def test_only_the_asked_frames(tmp_path, make_video, suffix):
    path = make_video(tmp_path / f"v.{suffix}", 20, codec=CODECS[suffix])
    everything = jpeg_frames(item(path))
    some = jpeg_frames(item(path), indices=[3, 4, 17])
    assert some == [everything[index] for index in (3, 4, 17)]


def test_frame_step_counts_from_the_first(tmp_path, make_video, make_frames):
    for path in (make_video(tmp_path / "v.mp4", 20), make_frames(tmp_path / "f", 20)):
        jpegs = jpeg_frames(item(path), frame_step=3)
        assert numbers(jpegs) == [0, 3, 6, 9, 12, 15, 18]
        assert numbers(jpeg_frames(item(path), frame_step=3, indices=[1, 6])) == [3, 18]
        assert video.count_frames(item(path), frame_step=3) == 7


def test_fps_takes_frames_by_their_time(tmp_path, make_video):
    path = item(make_video(tmp_path / "v.mp4", 20, rate=20))
    assert numbers(jpeg_frames(path, fps=20)) == list(range(20))
    assert numbers(jpeg_frames(path, fps=10)) == list(range(0, 20, 2))
    assert numbers(jpeg_frames(path, fps=40, indices=[0, 1, 2, 3, 4]))[::2] == [0, 1, 2]
    assert video.count_frames(path, fps=40) == 40
    assert numbers(jpeg_frames(path, fps=10, frame_step=2)) == [0, 4, 8, 12, 16]
    assert video.count_frames(path, fps=10, frame_step=2) == 5


def test_fps_of_a_video_of_uneven_times(tmp_path, make_video):
    stamps = [0, 100, 200, 300, 1000, 1100]
    path = item(make_video(tmp_path / "v.mkv", 6, rate=10, stamps=stamps))
    jpegs = jpeg_frames(path, fps=10)
    assert numbers(jpegs)[:12] == [0, 1, 2, 3, 3, 3, 3, 4, 4, 4, 4, 5]


def test_fps_needs_times(tmp_path, make_frames):
    message = told(item(make_frames(tmp_path / "f", 3)), fps=10)
    assert "list:7" in message and "fps=10" in message and "frame_step" in message


@pytest.mark.parametrize(("rotation", "corner"), [(90, (-4, 4)), (-90, (4, -4)), (180, (-4, -4))])
def test_rotation_of_the_container_is_applied(tmp_path, make_video, rotation, corner):
    path = make_video(tmp_path / "v.mp4", 3, rotation=rotation)
    native = images.decode(jpeg_frames(item(path))[0])
    assert native.shape == ((48, 64, 3) if rotation == 180 else (64, 48, 3))
    assert native[corner].min() > 240 and native[..., 2].mean() < 60
    squashed = images.decode(jpeg_frames(item(path), image_shape=(30, 40, 3))[0])
    assert squashed.shape == (30, 40, 3) and squashed[corner].min() > 240


@pytest.mark.parametrize("suffix", CODECS)
@pytest.mark.parametrize("share", [0.35, 0.6])
def test_cut_videos_are_found(tmp_path, make_video, suffix, share):
    path = make_video(tmp_path / f"v.{suffix}", 60, codec=CODECS[suffix])
    content = path.read_bytes()
    path.write_bytes(content[: int(len(content) * share)])
    for options in ({}, {"indices": [0]}):
        message = told(item(path), **options)
        assert message.startswith(f"list:7: {path}: ") and "on_error=skip" in message
    with pytest.raises(errors.UserError, match="list:7"):
        video.count_frames(item(path))


def test_files_that_are_no_videos(tmp_path):
    (tmp_path / "v.mp4").write_bytes(b"no video at all" * 50)
    assert "cannot be opened or decoded" in told(item(tmp_path / "v.mp4"))
    (tmp_path / "w.mp4").write_bytes(b"")
    assert "cannot be opened or decoded" in told(item(tmp_path / "w.mp4"))
    missing = item(tmp_path / "w.mp4")
    (tmp_path / "w.mp4").unlink()
    assert "no such file" in told(missing)


def test_a_short_video_is_told_by_its_true_length(tmp_path, make_video):
    path = item(make_video(tmp_path / "v.mp4", 5))

    def choose(n):
        return clips.choose(clips.ClipMode("iterative", 16), n, None)[0]

    with pytest.raises(clips.ShortVideo, match="list:7: .*v.mp4: .*Received: 5 frames"):
        video.read(path, video.Reading(), choose)


def test_jpegs_of_the_stored_size_are_copied(tmp_path, make_frames):
    folder = make_frames(tmp_path / "f", 12, name="v_X.{:04d}.jpg")
    sources = [path.read_bytes() for path in sorted(folder.iterdir())]
    assert jpeg_frames(item(folder), image_shape=(48, 64, 3)) == sources
    assert jpeg_frames(item(folder)) == sources
    resized = jpeg_frames(item(folder), image_shape=(24, 64, 3))
    assert not set(resized) & set(sources) and numbers(resized) == list(range(12))


def test_a_cut_jpeg_is_found_even_if_it_would_be_copied(tmp_path, make_frames):
    folder = make_frames(tmp_path / "f", 4)
    cut = folder / "3.jpg"
    cut.write_bytes(cut.read_bytes()[:-200])
    for shape in (None, (48, 64, 3), (20, 20, 3)):
        message = told(item(folder), image_shape=shape)
        assert str(cut) in message and "list:7" in message


def one_image(tmp_path, image, name="x.png", **saved):
    image.save(tmp_path / name, **saved)
    jpeg = jpeg_frames(item(tmp_path / name))[0]
    with PIL.Image.open(io.BytesIO(jpeg)) as decoded:
        assert decoded.format == "JPEG" and decoded.mode == "RGB"
    return images.decode(jpeg).astype(int)


def test_images_of_every_mode_become_rgb(tmp_path):
    grey = PIL.Image.new("L", (16, 8), 77)
    assert abs(one_image(tmp_path, grey) - 77).max() <= 1
    transparent = PIL.Image.new("RGBA", (16, 8), (200, 100, 50, 128))
    assert abs(one_image(tmp_path, transparent)[0, 0] - [200, 100, 50]).max() <= 3
    palette = PIL.Image.new("RGB", (16, 8), (10, 200, 30)).quantize(4)
    assert abs(one_image(tmp_path, palette, transparency=b"\0\1\2\3")[0, 0, 1] - 200) <= 5
    cmyk = PIL.Image.new("CMYK", (16, 8), (0, 255, 255, 0))
    assert abs(one_image(tmp_path, cmyk, "c.jpg", quality=95)[0, 0] - [255, 0, 0]).max() <= 6
    deep = PIL.Image.fromarray(np.full((8, 16), 257 * 90, np.uint16))
    assert abs(one_image(tmp_path, deep) - 90).max() <= 1
    two = PIL.Image.new("1", (16, 8), 1)
    assert one_image(tmp_path, two).min() >= 254


def test_a_grey_jpeg_is_copied_and_decodes_as_rgb(tmp_path):
    PIL.Image.new("L", (16, 8), 77).save(tmp_path / "g.jpg")
    jpeg = jpeg_frames(item(tmp_path / "g.jpg"))[0]
    assert jpeg == (tmp_path / "g.jpg").read_bytes()
    assert images.decode(jpeg).shape == (8, 16, 3)


def test_orientation_of_a_camera_is_applied(tmp_path, paint):
    exif = PIL.Image.Exif()
    exif[0x0112] = 6
    PIL.Image.fromarray(paint(0)).save(tmp_path / "x.jpg", quality=95, exif=exif)
    upright = images.decode(jpeg_frames(item(tmp_path / "x.jpg"))[0])
    assert upright.shape == (64, 48, 3) and upright[4, -4].min() > 240


def test_an_image_is_one_frame(tmp_path):
    PIL.Image.new("RGB", (16, 8)).save(tmp_path / "x.png")
    assert video.count_frames(item(tmp_path / "x.png")) == 1
    assert len(jpeg_frames(item(tmp_path / "x.png"), frame_step=5, fps=3)) == 1
    (tmp_path / "x.png").write_bytes(b"nothing")
    message = "image cannot be read or decoded. Received: a file that is no image. Expected"
    assert message in told(item(tmp_path / "x.png"))


def test_frames_of_several_sizes_need_a_stored_size(tmp_path, make_frames):
    folder = make_frames(tmp_path / "f", 3)
    PIL.Image.new("RGB", (30, 20)).save(folder / "4.jpg")
    message = told(item(folder))
    assert "frames differ in size" in message and "raw_image_shape" in message
    assert len(jpeg_frames(item(folder), image_shape=(8, 8, 3))) == 4


def array_item(frames):
    return lists.Item("a", "rendered a", "array", load=lambda: iter(frames))


def test_generated_items(paint):
    frames = [paint(index) for index in range(6)]
    assert numbers(jpeg_frames(array_item(frames), indices=[1, 4])) == [1, 4]
    assert numbers(jpeg_frames(array_item(frames), frame_step=2)) == [0, 2, 4]
    small = jpeg_frames(array_item(frames), image_shape=(10, 12, 3))
    assert images.decode(small[0]).shape == (10, 12, 3)
    assert "no frames" in told(array_item([]))
    assert "bad frame" in told(array_item([frames[0].astype(float)]))


def test_a_problem_of_the_list_is_raised():
    problem = errors.UserError("broken", where="l:1", received=0, expected=1, remedy="Mend it")
    with pytest.raises(errors.UserError, match="l:1: broken"):
        jpeg_frames(lists.Item("x", "", "missing", problem=problem))


@pytest.mark.parametrize(
    ("values", "key"),
    [
        ({"image_shape": (0, 3, 3)}, "raw_image_shape"),
        ({"image_shape": (30, 40)}, "raw_image_shape"),
        ({"image_shape": (30, 40, 1)}, "raw_image_shape"),
        ({"frame_step": 0}, "frame_step"),
        ({"fps": 0.0}, "fps"),
    ],
)
def test_bad_settings_name_the_key(values, key):
    with pytest.raises(errors.UserError, match=key):
        video.Reading(**values)


def test_a_video_trimmed_by_its_edit_list_is_whole(tmp_path, make_video):
    source, target = make_video(tmp_path / "v.mp4", 20), tmp_path / "trimmed.mp4"
    options = {"avoid_negative_ts": "disabled"}
    with av.open(str(source)) as given, av.open(str(target), "w", options=options) as cut:
        stream = given.streams.video[0]
        copied = cut.add_stream_from_template(stream)
        skipped = round(5 / 25 / stream.time_base)
        for packet in given.demux(stream):
            if packet.dts is not None:
                packet.pts, packet.dts = packet.pts - skipped, packet.dts - skipped
                packet.stream = copied
                cut.mux(packet)
    assert numbers(jpeg_frames(item(target))) == list(range(5, 20))
    assert numbers(jpeg_frames(item(target), indices=[0, 14])) == [5, 19]
