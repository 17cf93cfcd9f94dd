"""Dictionaries of arrays that NumPy pickled, and programs that pass for them."""

import io
import os
import pathlib
import pickle

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lrcn.errors import UserError
from lrcn.models.foreign import pickled


def write(path, content, *, protocol=None):
    """Writes an object as NumPy stores it in a .npy file."""
    if protocol is None:
        np.save(path, content)
        return path
    with path.open("wb") as file:
        header = {"descr": "|O", "fortran_order": False, "shape": ()}
        np.lib.format.write_array_header_1_0(file, header)
        pickle.dump(content, file, protocol=protocol)
    return path


def weights(dtype="float32"):
    kernel = np.arange(7 * 7 * 3 * 2).reshape(7, 7, 3, 2).astype(dtype)
    return {"conv1": [kernel, np.array([1.5, -2], dtype)]}


def arrays(found):
    return {tensor.name: tensor.values for layer in found.layers for tensor in layer.tensors}


@pytest.mark.parametrize("protocol", [None, 0, 1, 2, 3, 4])
@pytest.mark.parametrize("dtype", ["<f4", ">f4", "<f8", "<f2"])
def test_pickles_of_every_kind(tmp_path, protocol, dtype):
    file = write(tmp_path / "net.npy", weights(dtype), protocol=protocol)

    found = pickled.read(file)

    assert found.axes == "keras"
    kernel, bias = weights(dtype)["conv1"]
    stored = arrays(found)
    np.testing.assert_array_equal(stored["conv1[0]"], kernel)
    np.testing.assert_array_equal(stored["conv1[1]"], bias)


def test_a_pickle_of_python_2(tmp_path):
    # As Python 2 writes it, text and bytes are one kind: SHORT_BINSTRING and BINSTRING.
    array = (
        b"cnumpy.core.multiarray\n_reconstruct\n(cnumpy\nndarray\n(K\x00tU\x01btR"
        b"(K\x01(K\x02tcnumpy\ndtype\n(U\x02f4K\x00K\x01tR(K\x03U\x01<NNNJ\xff\xff\xff\xff"
        b"J\xff\xff\xff\xffK\x00tb\x89T\x08\x00\x00\x00"
        + np.array([1, -2], "<f4").tobytes()
        + b"tb"
    )
    file = tmp_path / "net.npy"
    with file.open("wb") as stream:
        header = {"descr": "|O", "fortran_order": False, "shape": ()}
        np.lib.format.write_array_header_1_0(stream, header)
        stream.write(b"\x80\x02}U\x03fc6]" + array + b"a" + b"s.")

    stored = arrays(pickled.read(file))

    np.testing.assert_array_equal(stored["fc6[0]"], np.array([1, -2], "float32"))


def test_arrays_by_column_and_dictionaries_of_names(tmp_path):
    kernel = np.asfortranarray(np.arange(6, dtype="float32").reshape(2, 3))
    content = {"fc6": {"biases": np.ones(3, "float32"), "weights": kernel}}
    stored = arrays(pickled.read(write(tmp_path / "net.npy", content)))
    np.testing.assert_array_equal(stored["fc6[0]"], kernel)
    np.testing.assert_array_equal(stored["fc6[1]"], np.ones(3))


class Program:
    """What runs when it is unpickled."""

    def __init__(self, function, *arguments):
        self.parts = function, arguments

    def __reduce__(self):
        return self.parts


@pytest.mark.parametrize(
    ("make", "name"),
    [
        (lambda mark: Program(os.system, f"touch {mark}"), "posix.system"),
        (lambda mark: Program(eval, f"__import__('os').mkdir({str(mark)!r})"), "builtins.eval"),
        (lambda mark: Program(pathlib.Path.touch, mark), r"builtins.getattr|pathlib.*"),
        (lambda mark: Program(np.save, str(mark), 1), "numpy.save"),
    ],
)
@pytest.mark.parametrize("deep", [False, True])
def test_a_program_is_refused_and_never_runs(tmp_path, make, name, deep):
    mark = tmp_path / "ran"
    content = {"conv1": [np.ones(2, "float32"), make(mark)]} if deep else make(mark)
    file = write(tmp_path / "bvlc_alexnet.npy", content, protocol=4)
    pickle.loads(pickle.dumps(content))  # it is one: elsewhere it runs
    assert mark.exists() or (tmp_path / "ran.npy").exists()
    for made in tmp_path.glob("ran*"):
        made.rmdir() if made.is_dir() else made.unlink()

    with pytest.raises(UserError, match=rf"it would run a program .* asks for ({name})"):
        pickled.read(file)

    assert sorted(path.name for path in tmp_path.iterdir()) == ["bvlc_alexnet.npy"]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ([1, 2], "an object that is a list"),
        ({"conv1": 3}, "layer conv1 that is a int"),
        ({"conv1": [3]}, "layer conv1 with a int in it"),
        ({"conv1": [np.array(["a"])]}, "an array of 'U1'"),
        ({"conv1": [np.array([1, 2])]}, "an array of 'i8'"),
    ],
)
def test_other_content(tmp_path, content, message):
    file = write(tmp_path / "net.npy", content, protocol=4)
    with pytest.raises(UserError, match=message):
        pickled.read(file)


def test_an_array_of_numbers(tmp_path):
    with pytest.raises(UserError, match=r"Received: an array of <f4 \(3,\)"):
        pickled.read(write(tmp_path / "net.npy", np.zeros(3, "float32")))


@settings(max_examples=300, deadline=None)
@given(st.data())
def test_a_damaged_file_never_raises_anything_else(tmp_path_factory, data):
    buffer = io.BytesIO()
    np.save(buffer, {"fc6": [np.ones((2, 3), "float32"), np.zeros(3, "float32")]})
    content = bytearray(buffer.getvalue())
    if data.draw(st.booleans()):
        del content[data.draw(st.integers(10, len(content) - 1)) :]
    else:
        content[data.draw(st.integers(8, len(content) - 1))] = data.draw(st.integers(0, 255))
    file = tmp_path_factory.mktemp("damaged") / "net.npy"
    file.write_bytes(content)
    try:
        pickled.read(file)
    except UserError as error:
        assert str(error).startswith(f"file={file}: ")


def test_a_pickle_that_asks_for_far_places_makes_no_room_for_them(tmp_path):
    header = b"{'descr': '|O', 'fortran_order': False, 'shape': (), }"
    head = b"\x93NUMPY\x01\x00" + len(header).to_bytes(2, "little") + header
    file = tmp_path / "far.npy"
    file.write_bytes(head + b"\x80\x02}r" + (2**32 - 1).to_bytes(4, "little") + b".")
    with pytest.raises(UserError, match="a thing kept at place 4,294,967,295"):
        pickled.read(file)
