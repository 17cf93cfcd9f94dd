"""Images of strangers; what becomes of usual ones is told in video_test.py."""

import io
import os
import pathlib
import resource
import struct
import threading
import warnings
import zlib

import numpy as np
import PIL.Image
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lrcn import errors
from lrcn.data import images
from lrcn.data.limits import Limits


def chunk(kind, content):
    checksum = struct.pack(">I", zlib.crc32(kind + content))
    return struct.pack(">I", len(content)) + kind + content + checksum


def png(width, height, *more, rows=b"\0" * 100):
    header = chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0))
    body = [*more, chunk(b"IDAT", zlib.compress(rows)), chunk(b"IEND", b"")]
    return b"\x89PNG\r\n\x1a\n" + header + b"".join(body)


def tiff(tags, content=b"\0" * 100):
    """A TIFF of the entries (tag, type, count, value)."""
    entries = b"".join(struct.pack("<HHII", *tag) for tag in sorted(tags))
    return b"II*\0" + struct.pack("<IH", 8, len(tags)) + entries + b"\0\0\0\0" + content


SMALL_TIFF = [
    *((256, 4, 1, 10), (257, 4, 1, 10), (258, 3, 1, 8), (259, 3, 1, 1), (262, 3, 1, 1)),
    *((273, 4, 1, 8), (277, 3, 1, 1), (278, 4, 1, 10), (279, 4, 1, 100)),
]


def encoded(image, **options):
    buffer = io.BytesIO()
    image.save(buffer, **options)
    return buffer.getvalue()


JPEG = encoded(PIL.Image.new("RGB", (64, 48), (9, 90, 200)), format="JPEG")
WEBP = encoded(PIL.Image.new("RGB", (16, 16)), format="WEBP", lossless=True)
LARGE = {
    "png": png(60_000, 60_000),
    "jpeg": JPEG.replace(struct.pack(">HH", 48, 64), struct.pack(">HH", 65_500, 65_500)),
    "bmp": b"BM"
    + struct.pack("<IHHIIiiHH", 999, 0, 0, 54, 40, 100_000, 100_000, 1, 24)
    + b"\0" * 24,
    "ppm": b"P6\n100000 100000\n255\n",
    "tga": struct.pack("<BBBHHBHHHHBB", 0, 0, 2, 0, 0, 0, 0, 0, 65_535, 65_535, 24, 0),
    "webp": WEBP[:21]
    + struct.pack("<I", struct.unpack("<I", WEBP[21:25])[0] & ~0xFFFFFFF | 16_382 * (1 + 2**14))
    + WEBP[25:],
    "tiff": tiff([(256, 4, 1, 100_000), (257, 4, 1, 100_000), *SMALL_TIFF[2:]]),
    "tiff of large tiles": tiff(
        [*SMALL_TIFF[:2], (322, 4, 1, 40_000), (323, 4, 1, 40_000), (324, 4, 1, 200)]
        + [(325, 4, 1, 10), (258, 3, 1, 8), (259, 3, 1, 8), (262, 3, 1, 1), (277, 3, 1, 1)],
        b"\0" * 300,
    ),
}
BOMBS = {
    "text": png(4, 4, chunk(b"zTXt", b"k\0\0" + zlib.compress(b"a" * 10**8))),
    "international text": png(4, 4, chunk(b"iTXt", b"k\0\1\0\0\0" + zlib.compress(b"a" * 10**8))),
    "profile": png(4, 4, chunk(b"iCCP", b"k\0\0" + zlib.compress(b"a" * 10**8))),
    "no size": png(0, 5),
    "cut": JPEG[:-200],
    "palette": png(4, 4, chunk(b"PLTE", b"\1" * 300_000)).replace(b"\x08\x02", b"\x08\x03", 1),
    "digits": b"P6\n" + b"9" * 5000 + b" 1\n255\n",
    "empty": b"",
    "postscript": b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 10 10\n%%EndComments\nshowpage\n",
    "metafile": struct.pack("<IHHHHHHIH", 0x9AC6CDD7, 0, 0, 0, 99, 99, 72, 0, 0) + b"\0" * 40,
    "flashpix": b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + b"\0" * 600,
    "document": b"%PDF-1.4\n",
    "drawing": b"<svg xmlns='http://www.w3.org/2000/svg'><image href='/etc/passwd'/></svg>",
    "pickle": b"\x80\x04cos\nsystem\n(S'true'\ntR.",
}


def told(path, **options):
    with pytest.raises(errors.UserError) as caught:
        images.jpeg_from_file(path, **options)
    with pytest.raises(errors.UserError) as also:
        images.rgb_from_file(path, **options)
    assert str(caught.value) == str(also.value) and "\n" not in str(caught.value)
    return str(caught.value)


def peak_megabytes():
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


@pytest.mark.parametrize("kind", LARGE)
def test_large_images_are_refused_before_they_are_decoded(tmp_path, kind):
    path = tmp_path / "a.jpg"
    path.write_bytes(LARGE[kind])
    before = peak_megabytes()
    message = told(path)
    assert message.startswith(f"{path}: an image is larger than the limit.")
    assert "at most 100,000,000 pixels" in message and "raise limits.image_pixels" in message
    assert peak_megabytes() - before < 100


@pytest.mark.parametrize("kind", BOMBS)
def test_what_does_not_decode_within_bounds_is_one_error(tmp_path, kind):
    path = tmp_path / "a.png"
    path.write_bytes(BOMBS[kind])
    before = peak_megabytes()
    message = told(path)
    assert message.startswith(f"{path}: image cannot be read or decoded. Received: ")
    assert " at 0x" not in message and "Errno" not in message
    assert peak_megabytes() - before < 100


def test_no_program_is_started(tmp_path, monkeypatch):
    (tmp_path / "gs").write_text("#!/bin/sh\ntouch started\n")
    (tmp_path / "gs").chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.chdir(tmp_path)
    path = tmp_path / "a.jpg"
    path.write_bytes(encoded(PIL.Image.new("RGB", (4, 4)), format="EPS"))
    assert "Received: a file that is no image." in told(path)
    assert not (tmp_path / "started").exists()


def test_the_limit_counts_height_times_width(tmp_path):
    path = tmp_path / "a.png"
    path.write_bytes(encoded(PIL.Image.new("RGB", (6, 5)), format="PNG"))
    assert images.jpeg_from_file(path, limits=Limits(image_pixels=30))[1] == (5, 6)
    assert images.rgb_from_file(path, limits=Limits(image_pixels=30)).shape == (5, 6, 3)
    assert "Received: 30 pixels. Expected: at most 29" in told(path, limits=Limits(image_pixels=29))
    size = path.stat().st_size
    assert images.jpeg_from_file(path, limits=Limits(file_bytes=size))
    assert "limits.file_bytes" in told(path, limits=Limits(file_bytes=size - 1))


@pytest.mark.parametrize("kind", ["PNG", "TIFF", "WEBP"])
@pytest.mark.parametrize("most", [50, 20])
def test_pillow_has_no_say_in_what_the_limit_allows(tmp_path, monkeypatch, kind, most):
    path = tmp_path / "a.jpg"
    path.write_bytes(encoded(PIL.Image.new("RGB", (10, 8), (0, 200, 0)), format=kind))
    monkeypatch.setattr(PIL.Image, "MAX_IMAGE_PIXELS", most)  # it warns above, refuses twice that
    assert images.rgb_from_file(path)[..., 1].min() > 190
    assert images.jpeg_from_file(path)[1] == (8, 10)
    assert most == PIL.Image.MAX_IMAGE_PIXELS


def test_threads_do_not_widen_pillow_for_good(tmp_path, monkeypatch):
    path = tmp_path / "a.tif"
    path.write_bytes(encoded(PIL.Image.new("RGB", (10, 8)), format="TIFF"))
    monkeypatch.setattr(PIL.Image, "MAX_IMAGE_PIXELS", 20)
    seen = []

    def read():
        for _ in range(30):
            seen.append(images.rgb_from_file(path).shape)

    threads = [threading.Thread(target=read) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert seen == [(8, 10, 3)] * 120
    assert PIL.Image.MAX_IMAGE_PIXELS == 20


def test_exif_of_many_entries_is_left_alone(tmp_path):
    entry = struct.pack("<HHII", 0x0112, 3, 0xFFFFFFFF, 8)
    exif = b"Exif\0\0II*\0\x08\0\0\0" + struct.pack("<H", 65_535) + entry * 3000
    marked = JPEG[:2] + b"\xff\xe1" + struct.pack(">H", len(exif) + 2) + exif + JPEG[2:]
    (tmp_path / "a.jpg").write_bytes(marked)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # as the command does for what Pillow says
        assert images.rgb_from_file(tmp_path / "a.jpg").shape == (48, 64, 3)


def test_only_the_first_picture_of_several_is_read(tmp_path):
    pictures = [PIL.Image.new("RGB", (4, 4), (index, 0, 0)) for index in (200, 10, 10)]
    for name in ("a.png", "a.tif", "a.webp"):
        pictures[0].save(tmp_path / name, save_all=True, append_images=pictures[1:])
        assert images.rgb_from_file(tmp_path / name)[..., 0].min() > 180


def test_what_is_no_file_is_not_waited_for(tmp_path):
    os.mkfifo(tmp_path / "pipe.jpg")
    (tmp_path / "zero.jpg").symlink_to("/dev/zero")
    (tmp_path / "folder.jpg").mkdir()
    assert "Received: a named pipe, not a file." in told(tmp_path / "pipe.jpg")
    assert "Received: a device, not a file." in told(tmp_path / "zero.jpg")
    assert "Received: Is a directory." in told(tmp_path / "folder.jpg")
    assert "Received: no such file." in told(tmp_path / "missing.jpg")


@settings(max_examples=150, deadline=None)
@given(st.data())
def test_a_damaged_image_never_raises_anything_else(tmp_path_factory, data):
    kind = data.draw(st.sampled_from(["JPEG", "PNG", "BMP", "GIF", "TIFF", "WEBP", "PPM", "TGA"]))
    ramp = np.arange(8 * 9 * 3, dtype=np.uint8).reshape(8, 9, 3)
    content = bytearray(encoded(PIL.Image.fromarray(ramp), format=kind))
    for _ in range(data.draw(st.integers(1, 4))):
        content[data.draw(st.integers(0, len(content) - 1))] = data.draw(st.integers(0, 255))
    if data.draw(st.booleans()):
        del content[data.draw(st.integers(1, len(content) - 1)) :]
    path = pathlib.Path(tmp_path_factory.mktemp("damaged"), "a.jpg")
    path.write_bytes(content)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            jpeg, size = images.jpeg_from_file(path, limits=Limits(image_pixels=10_000))
        except errors.UserError:
            return
    assert 0 < size[0] * size[1] <= 10_000 and jpeg[:2] == b"\xff\xd8"


def without(marker, jpeg=JPEG):
    """A whole JPEG without the segments of a marker."""
    while (at := jpeg.find(bytes([0xFF, marker]))) >= 0:
        jpeg = jpeg[:at] + jpeg[at + 2 + int.from_bytes(jpeg[at + 2 : at + 4], "big") :]
    return jpeg


def test_headers_that_do_not_decode_are_refused_though_the_pixels_are_whole(tmp_path):
    file = tmp_path / "1.jpg"
    file.write_bytes(without(0xDB))  # the tables of quantization
    with pytest.raises(errors.UserError, match="cannot be read or decoded"):
        images.jpeg_from_file(file)


def test_a_whole_jpeg_is_bounded_too(tmp_path):
    file = tmp_path / "1.jpg"
    file.write_bytes(JPEG)
    assert images.jpeg_from_file(file) == (JPEG, (48, 64))
    with pytest.raises(errors.UserError, match="image is larger than the limit"):
        images.jpeg_from_file(file, limits=Limits(image_pixels=64 * 48 - 1))


def test_headers_of_the_frames_of_a_video_decode_once(tmp_path):
    for number, grey in enumerate([9, 90, 200]):
        PIL.Image.new("RGB", (64, 48), (grey, 1, 2)).save(tmp_path / f"{number}.jpg")
    images._of_headers.cache_clear()
    for number in range(3):
        images.jpeg_from_file(tmp_path / f"{number}.jpg", size=[48, 64])
    told = images._of_headers.cache_info()
    assert (told.hits, told.misses) == (2, 1)


def test_large_headers_are_not_kept(tmp_path):
    file = tmp_path / "1.jpg"
    file.write_bytes(JPEG[:2] + b"\xff\xe2\xff\xff" + bytes(2**16 - 3) + JPEG[2:])
    images._of_headers.cache_clear()
    assert images.jpeg_from_file(file)[1] == (48, 64)
    assert images._of_headers.cache_info().currsize == 0
