"""Files are known by their content."""

import pytest

from lrcn.errors import UserError
from lrcn.models.foreign import reading


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (None, "file: there is nothing to read. Received: .*net, no such file"),
        (b"", "there is nothing to read. Received: .*net, an empty file"),
        (b"\x89HDF\r\n\x1a\n" + b"\0" * 20, "an HDF5 file.* backbone.weights=FILE"),
        (b"PK\x03\x04" + b"\0" * 20, "a zip archive.*safetensors.torch.save_file"),
        (b"\x80\x02}q\x00." + b"\0" * 20, "a pickle.*Pickles run programs"),
        (b'name: "CaffeNet"\nlayer {\n', "not a Caffe network that can be read.*at byte 0"),
        (b"\x93NUMPY\x01\x00\xff\xff{}", "not a dictionary of arrays"),
    ],
)
def test_what_is_no_file_of_foreign_weights(tmp_path, content, message):
    file = tmp_path / "net"
    if content is not None:
        file.write_bytes(content)
    with pytest.raises(UserError, match=message):
        reading.read(file)


def test_the_suffix_does_not_matter(generated, tmp_path):
    weights = generated.weights_of(generated.CAFFENET[:2], maps=1)
    file = generated.bvlc_alexnet(tmp_path / "net.caffemodel", weights)
    assert reading.read(file).told.startswith("NumPy dictionary of 2 layers")
    file = tmp_path / "net.npy"
    file.write_bytes(generated.layer("conv1", "Convolution", weights["conv1"]))
    assert reading.read(file).told == "Caffe network '' of 1 layers"
