import io

import hypothesis
import numpy as np
import PIL.Image
import pytest
import tensorflow as tf
from hypothesis import strategies

from lrcn import errors
from lrcn.data import jpegs, limits


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


def test_what_may_fail_within_its_pixels_must_be_decoded_whole():
    data = picture()
    zeroed = data[:-200] + bytes(200)
    doubled = data[: data.index(b"\xff\xda")] + b"\xff\xc0" + data[data.index(b"\xff\xda") :]
    for whole in (b"", data[:40], data[:-1], data[:-300], data + b"\0", zeroed, doubled):
        assert jpegs.without_pixels(whole) is None
    assert jpegs.without_pixels(picture(progressive=True)) is None


DAMAGED = [
    picture(),
    picture(optimize=True, quality=30),
    picture(restart_marker_rows=1),
    picture(progressive=True),
    picture(exif=EXIF, comment=b"\xff\xda"),
]


@pytest.mark.filterwarnings("ignore::UserWarning")  # Pillow's, of damaged EXIF
@hypothesis.settings(deadline=None, max_examples=400)
@hypothesis.given(
    strategies.sampled_from(DAMAGED),
    strategies.lists(
        strategies.tuples(
            strategies.floats(0, 1),
            strategies.sampled_from([0, 0, 1, 2, 9]),
            strategies.binary(max_size=3)
            | strategies.sampled_from(
                [b"\xff\xd8", b"\xff\xd9", b"\xff\xda", b"\xff\xc0", b"\xff"]
            ),
        ),
        min_size=1,
        max_size=4,
    ),
)
def test_whose_headers_decode_decodes_whole_whatever_its_damage(data, damages):
    for share, removed, inserted in damages:
        at = int(share**3 * len(data))  # most of them where the headers are
        data = data[:at] + inserted + data[at + removed :]
    headers = jpegs.without_pixels(data)
    if headers is None:
        return
    try:
        with PIL.Image.open(io.BytesIO(headers)) as image:
            image.load()
    except (OSError, SyntaxError, ValueError, LookupError, TypeError):
        return
    with PIL.Image.open(io.BytesIO(data)) as image:
        image.load()
    if image.mode in ("RGB", "L"):
        assert tf.io.decode_jpeg(data, channels=3).shape == (image.height, image.width, 3)
