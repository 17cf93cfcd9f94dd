"""Caffe's files: layers, kinds and tensors of either generation, and what is no such file."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lrcn.errors import UserError
from lrcn.models.foreign import caffe, source


@pytest.fixture(scope="module")
def file(tmp_path_factory):
    return tmp_path_factory.mktemp("caffe") / "net.caffemodel"


def tiny(generated, **how):
    """A network of two layers with weights."""
    weights = [np.arange(24, dtype="float32").reshape(2, 3, 2, 2), np.ones(2, "float32")]
    matrix = [np.arange(6, dtype="float32").reshape(3, 2), np.zeros(3, "float32")]
    return (
        generated.field(1, "Tiny")
        + generated.field(3, "data")
        + generated.layer("conv1", "Convolution", weights, **how)
        + generated.layer("norm1", "LRN", **{"v1": how.get("v1", False)})
        + generated.layer("pool1", "Pooling", **{"v1": how.get("v1", False)})
        + generated.layer("fc6", "InnerProduct", matrix, **how)
    )


@pytest.mark.parametrize("v1", [False, True])
@pytest.mark.parametrize("packed", [False, True])
@pytest.mark.parametrize("double", [False, True])
@pytest.mark.parametrize("legacy", [False, True])
def test_every_way_of_writing_gives_the_same(generated, file, v1, packed, double, legacy):
    how = {"v1": v1, "packed": packed, "double": double, "legacy": legacy}
    file.write_bytes(tiny(generated, **how))

    found = caffe.read(file)

    assert (found.name, found.axes) == ("Tiny", "caffe")
    assert [layer.name for layer in found.layers] == ["conv1", "norm1", "pool1", "fc6"]
    kinds = [source.CONVOLUTION, source.NORM, source.POOL, source.DENSE]
    assert [layer.kind for layer in found.layers] == kinds
    kernel, bias = found.layers[0].tensors
    assert (kernel.name, bias.name) == ("conv1[0]", "conv1[1]")
    np.testing.assert_array_equal(kernel.values, np.arange(24).reshape(2, 3, 2, 2))
    shape = found.layers[3].tensors[0].values.shape
    assert shape == ((1, 1, 3, 2) if legacy else (3, 2))


def test_a_file_cut_anywhere_is_told_or_is_a_smaller_network(generated, file):
    whole = tiny(generated)
    names = ["conv1", "norm1", "pool1", "fc6"]
    smaller = 0
    for length in range(1, len(whole)):
        file.write_bytes(whole[:length])
        try:
            found = [layer.name for layer in caffe.read(file).layers]
        except UserError as error:
            assert str(error).startswith(f"file={file}: ")
            assert "at byte" in str(error) or "layers without tensors" in str(error)
        else:
            assert found == names[: len(found)]
            smaller += 1
    assert smaller == 3


@settings(max_examples=300, deadline=None)
@given(st.data())
def test_a_damaged_file_never_raises_anything_else(generated, file, data):
    content = bytearray(tiny(generated, legacy=data.draw(st.booleans())))
    for _ in range(data.draw(st.integers(1, 3))):
        content[data.draw(st.integers(0, len(content) - 1))] = data.draw(st.integers(0, 255))
    file.write_bytes(content)
    try:
        caffe.read(file)
    except UserError as error:
        assert len(str(error).splitlines()) == 1


def test_a_truncated_file_is_told_with_place_and_size(generated, file):
    whole = tiny(generated)
    file.write_bytes(whole[:-3])
    at = whole.index(b"\xa2\x06", whole.index(b"pool1"))
    with pytest.raises(UserError) as caught:
        caffe.read(file)
    assert str(caught.value) == (
        f"file={file}: not a Caffe network that can be read. Received: cut short: field 100 needs "
        f"3 bytes more, at byte {at}, of {len(whole) - 3} bytes, read as Caffe's. Expected: a "
        "whole .caffemodel, bvlc_alexnet.npy or .safetensors. Fetch the file again and compare its "
        "size or checksum."
    )


def test_numbers_that_are_fewer_than_the_shape_says(generated, file):
    blob = generated.field(7, generated.field(1, b"\x03")) + generated.field(5, b"\0" * 8)
    own = generated.field(1, "fc6") + generated.field(7, blob)
    file.write_bytes(generated.field(100, own))
    with pytest.raises(UserError, match="2 numbers for a tensor of 3 at byte"):
        caffe.read(file)


@pytest.mark.parametrize("shape", [(0, 2**64 - 1), (2**42, 0), (0,)])
def test_a_tensor_of_no_numbers_is_none_of_any_size(generated, file, shape):
    sizes = b"".join(generated.field(1, size) for size in shape)
    own = generated.field(1, "fc6") + generated.field(7, generated.field(7, sizes))
    file.write_bytes(generated.field(100, own))
    with pytest.raises(UserError, match="0 numbers for a tensor of"):
        caffe.read(file)


def test_a_network_without_weights(generated, file):
    file.write_bytes(generated.field(1, "Empty") + generated.layer("norm1", "LRN"))
    with pytest.raises(UserError, match="holds no weights. Received: 1 layers without tensors"):
        caffe.read(file)


@pytest.mark.parametrize(
    ("transform", "expected", "told"),
    [
        ([], {"mean": (103.939, 116.779, 123.68)}, "Caffe's usual"),
        ([(5, 104.0), (5, 117.0), (5, 123.0)], {"mean": (104, 117, 123)}, "as the file says"),
        ([(5, 128.0)], {"mean": (128, 128, 128)}, "as the file says"),
        ([(1, 0.5), (5, 128.0)], {"mean": (64, 64, 64), "scale": 0.5}, "as the file says"),
        (
            [(4, "mean.binaryproto")],
            {"mean": (103.939, 116.779, 123.68)},
            "Caffe's usual; the file names mean.binaryproto, which is not in it",
        ),
    ],
)
@pytest.mark.parametrize("v1", [False, True])
def test_the_mean_of_the_file_s_own_data_layer(generated, file, transform, expected, told, v1):
    own = b"".join(generated.field(*pair) for pair in transform)
    data = generated.layer("data", "Data", v1=v1, transform=own)
    file.write_bytes(data + tiny(generated, v1=v1))

    found = caffe.read(file)

    scale = {"scale": 1.0} if told == "as the file says" else {}
    assert found.contract == {"channel_order": "bgr", **scale, **expected}
    assert found.contract_told == told
