import io

import hypothesis
import numpy as np
import PIL.Image
import pytest
import tensorflow as tf
from hypothesis import strategies

from lrcn import errors
from lrcn.data import images, jpegs, limits


def picture(height=20, width=30, **options):
    grain = np.random.default_rng(0).integers(0, 256, [height, width, 3], dtype=np.uint8)
    buffer = io.BytesIO()
    PIL.Image.fromarray(grain).save(buffer, "JPEG", **options)
    return buffer.getvalue()


def claiming(height, width):
    """A JPEG whose header tells another size than its data have."""
    data = bytearray(picture())
    at = data.index(b"\xff\xc0") + 5
    data[at : at + 4] = height.to_bytes(2, "big") + width.to_bytes(2, "big")
    return bytes(data)


EXIF = PIL.Image.Exif()
EXIF[0x010E] = "\xff\xc0\x00\x0b" * 9  # what looks like a header inside another segment


@pytest.mark.parametrize(
    "options", [{}, {"progressive": True}, {"exif": EXIF}, {"comment": b"\xff\xc0 no header"}]
)
def test_the_size_is_that_of_the_header(options):
    assert jpegs.size(picture(**options)) == (20, 30)


def test_what_stands_between_segments_is_passed_over():
    data = picture()
    assert jpegs.size(data[:2] + b"\xff\xff\xff" + data[2:]) == (20, 30)
    assert jpegs.size(data[:2] + b"\x00\x12" + data[2:]) == (20, 30)


def test_a_header_may_claim_what_it_wants():
    assert jpegs.size(claiming(65500, 65500)) == (65500, 65500)
    with pytest.raises(errors.UserError) as caught:
        jpegs.require(
            claiming(65500, 65500), limits=limits.Limits(), where="a.tfrecord#3", what="frame 5"
        )
    message = str(caught.value)
    assert message.startswith("a.tfrecord#3: frame 5 is larger than the limit")
    assert "4,290,250,000 pixels" in message and "limits.image_pixels" in message


@pytest.mark.parametrize("data", [b"", b"\xff", b"\x89PNG\r\n\x1a\n", b"\xff\xd8", b"no picture"])
def test_what_is_no_jpeg_is_told(data):
    with pytest.raises(errors.UserError, match="frame 1 is no JPEG"):
        jpegs.require(data, limits=limits.Limits(), where="x", what="frame 1")


@hypothesis.given(strategies.binary(max_size=100))
@hypothesis.settings(max_examples=300, deadline=None)
def test_any_bytes_are_a_size_or_a_value_error(content):
    for data in (content, b"\xff\xd8" + content, picture()[:150] + content):
        try:
            height, width = jpegs.size(data)
        except ValueError:
            continue
        assert 0 <= height < 2**16 and 0 <= width < 2**16


@pytest.mark.parametrize(
    "options", [{}, {"quality": 95, "subsampling": 0}, {"restart_marker_rows": 1}, {"exif": EXIF}]
)
def test_the_headers_of_a_whole_baseline_jpeg_are_a_jpeg_without_its_pixels(options):
    data = picture(**options)
    headers = jpegs.without_pixels(data)
    assert len(headers) < len(data) - 400
    assert jpegs.size(headers) == (20, 30)
    assert headers[:-2] == data[: len(headers) - 2]


def segment_of(data, marker):
    """Where a segment begins and ends."""
    at = data.index(bytes([0xFF, marker]))
    return at, at + 2 + int.from_bytes(data[at + 2 : at + 4], "big")


def odd_ones():
    data = picture()
    frame, after = segment_of(data, 0xC0)
    scan, _ = segment_of(data, 0xDA)
    yield "nothing", b""
    yield "headers alone", data[:40]
    yield "without its last byte", data[:-1]
    yield "cut", data[:-300]
    yield "more behind it", data + b"\0"
    yield "zeros at its end", data[:-200] + bytes(200)
    yield "another marker at its end", data[:-2] + b"\xff\xda"
    yield "a second end within", data[:-50] + b"\xff\xd9" + data[-50:]
    yield "two frames", data[:after] + data[frame:after] + data[after:]
    yield "no frame", data[:frame] + data[after:]
    yield "extended", data[: frame + 1] + b"\xc1" + data[frame + 2 :]
    yield "arithmetic", data[: frame + 1] + b"\xc9" + data[frame + 2 :]
    yield "a scan of one component", data[: scan + 4] + b"\x01" + data[scan + 5 :]
    yield "a marker that stands alone", data[:frame] + b"\xff\xd0" + data[frame:]
    yield "a fill byte", data[:frame] + b"\xff" + data[frame:]
    yield "something between segments", data[:frame] + b"\0\0" + data[frame:]
    yield "a length of nothing", data[: frame + 2] + b"\0\0" + data[frame + 4 :]
    yield "no start", b"\xff\xd9" + data[2:]
    yield "progressive", picture(progressive=True)


@pytest.mark.parametrize(("what", "data"), list(odd_ones()))
def test_what_may_fail_within_its_pixels_must_be_decoded_whole(what, data):
    assert jpegs.without_pixels(data) is None


WHOLE = [
    picture(),
    picture(optimize=True, quality=30),
    picture(restart_marker_rows=1),
    picture(exif=EXIF, comment=b"\xff\xda"),
]


@pytest.mark.filterwarnings("ignore::UserWarning")  # Pillow's, of damaged EXIF
@hypothesis.settings(deadline=None, max_examples=400)
@hypothesis.given(
    strategies.sampled_from(WHOLE),
    strategies.lists(
        strategies.tuples(
            strategies.floats(0, 1, exclude_max=True),
            strategies.binary(min_size=1, max_size=2)
            | strategies.sampled_from([b"\xff\xd8", b"\xff\xd9", b"\xff\xda", b"\xff\xc0"]),
        ),
        min_size=1,
        max_size=3,
    ),
)
def test_what_is_stored_as_it_is_decodes_whole_whatever_its_damage(tmp_path_factory, data, damages):
    damaged = bytearray(data)
    for share, put in damages:
        at = 2 + int(share * (len(data) - 2 - len(put)))
        damaged[at : at + len(put)] = put
    file = tmp_path_factory.getbasetemp() / "damaged.jpg"
    file.write_bytes(damaged)
    try:
        stored, size = images.jpeg_from_file(file)
    except errors.UserError:
        return
    if jpegs.without_pixels(stored) is not None or stored != damaged:
        assert tf.io.decode_jpeg(stored, channels=3).shape == (*size, 3)


@pytest.mark.parametrize("end", [b"", b"\0", b"\xff", b"\xff\0"])
def test_an_image_that_lacks_its_end_alone_is_refused(tmp_path, end):
    file = tmp_path / "1.jpg"
    file.write_bytes(picture()[:-2] + end)
    assert not jpegs.has_end(file.read_bytes())
    with pytest.raises(errors.UserError, match="cannot be read or decoded"):
        images.jpeg_from_file(file)  # TensorFlow would not decode it


def test_an_end_may_have_something_behind_it(tmp_path):
    file = tmp_path / "1.jpg"
    file.write_bytes(picture(progressive=True) + b"more")
    stored, size = images.jpeg_from_file(file)
    assert stored == file.read_bytes()
    assert tf.io.decode_jpeg(stored, channels=3).shape == (*size, 3)
