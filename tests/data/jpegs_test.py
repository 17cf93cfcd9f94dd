import io

import hypothesis
import numpy as np
import PIL.Image
import pytest
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
