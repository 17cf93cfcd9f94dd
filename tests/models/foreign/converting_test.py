"""Orders of axes and gates, each tensor's account, and tensors that misfit."""

import keras
import numpy as np
import pytest

from lrcn.errors import UserError
from lrcn.models.foreign import converting, source


def found(*layers, axes="caffe"):
    return source.Source("a file", "net", layers, axes, source.BGR, "Caffe's usual")


def layer(name, *arrays, kind=""):
    tensors = (source.Tensor(f"{name}[{index}]", values) for index, values in enumerate(arrays))
    return source.Layer(name, kind, tuple(tensors))


def wave(shape, a, b):
    """Golden numbers that need no file: sin(a k + b) / 2."""
    count = int(np.prod(shape))
    return (np.sin(a * np.arange(count) + b) / 2).reshape(shape).astype("float32")


GOLDEN = {
    False: [
        [0.16189334, 0.02776992, -0.00190783, 0.08001171],
        [0.0124531, 0.0722266, -0.07931635, 0.01046364],
        [0.14232311, 0.03242958, 0.01225287, 0.06981065],
    ],
    True: [
        [0.01122911, 0.08317381, -0.06365825, 0.10639275],
        [-0.11872693, 0.22234976, -0.10040363, 0.03091126],
        [-0.05220169, 0.13811943, -0.07874225, 0.09867445],
    ],
}


@pytest.mark.parametrize("static", [False, True])
def test_the_lstm_of_caffe(generated, static):
    own, hidden, bias = wave((8, 3), 0.7, 0.1), wave((8, 2), 1.1, 0.2), wave(8, 0.9, 0.3)
    of_static, inputs = wave((8, 2), 1.3, 0.4), 2 * wave((3, 2, 3), 0.5, 0.6)
    given = 2 * wave((2, 2), 0.8, 0.5)
    cont = np.array([[0, 0], [1, 1], [1, 1]])
    blobs = [own, bias, of_static, hidden] if static else [own, bias, hidden]
    steps = inputs.transpose(1, 0, 2)
    if static:
        steps = np.concatenate([steps, np.repeat(given[:, None], 3, axis=1)], axis=2)
    cell = keras.layers.LSTM(2, return_sequences=True)
    cell.build(steps.shape)
    cells = layer("lstm1", *blobs)
    filler = converting.Filler(found(cells), "file")

    filler.take_lstm(cells, cell)
    matches = filler.fill()

    received = np.array(cell(steps)).transpose(1, 0, 2)
    np.testing.assert_allclose(received.reshape(3, 4), GOLDEN[static], atol=1e-6)
    more = {"static": of_static, "static_input": given} if static else {}
    expected = generated.lstm(inputs, cont, own, bias, hidden, **more)
    np.testing.assert_allclose(received, expected, atol=1e-6)
    assert {match.tensor.name for match in matches} == {tensor.name for tensor in cells.tensors}
    assert all(match.weight is not None for match in matches)


def test_maps_that_were_flattened_come_in_another_order(generated):
    height, width, channels, units = 2, 3, 4, 5
    maps = np.random.default_rng(0).random((1, height, width, channels), np.float32)
    matrix = np.random.default_rng(1).random((units, channels * height * width), np.float32)
    dense = keras.layers.Dense(units)
    dense.build((None, height * width * channels))
    fc6 = layer("fc6", matrix, np.zeros(units, "float32"))
    filler = converting.Filler(found(fc6), "file")
    filler.take(fc6, dense, maps=(height, width, channels))
    filler.fill()
    expected = matrix @ maps[0].transpose(2, 0, 1).ravel()
    np.testing.assert_allclose(dense(maps.reshape(1, -1))[0], expected, rtol=1e-5)


def test_tensors_that_are_left_are_listed():
    dense = keras.layers.Dense(2)
    dense.build((None, 3))
    fc6 = layer("fc6", np.ones((1, 1, 2, 3), "float64"), np.ones((1, 1, 1, 2), "float16"))
    filler = converting.Filler(found(fc6, layer("fc7", np.ones(1))), "file")
    filler.take(fc6, dense)
    account = [(match.tensor.name, match.weight) for match in filler.fill()]
    assert account == [("fc6[0]", dense.kernel), ("fc6[1]", dense.bias), ("fc7[0]", None)]
    assert np.array(dense.kernel).tolist() == [[1, 1]] * 3


KERNEL, BIAS = np.ones((2, 3), "float32"), np.ones(2, "float32")


@pytest.mark.parametrize(
    ("arrays", "message"),
    [
        (None, r"file: no tensor for .*kernel, \(3, 2\). Received: no such layer"),
        ([KERNEL], r"no tensor for .*bias, \(2,\). Received: 1 tensors of layer fc6: fc6\[0\]"),
        ([KERNEL, BIAS, BIAS], r"an extra tensor fc6\[2\] of layer fc6. Received: 3 tensors"),
        (
            [KERNEL.T, BIAS],
            r"tensor fc6\[0\] does not fit .*. Received: \(3, 2\) float32. Expected: \(2, 3\)",
        ),
        ([KERNEL, np.ones(3)], r"tensor fc6\[1\] does not fit .*bias. Received: \(3,\) float64"),
        (
            [KERNEL, np.array([np.nan, 1], "float32")],
            r"tensor fc6\[1\] holds what is no number. Received: 1 of 2 values are NaN",
        ),
        ([KERNEL * np.inf, BIAS], r"fc6\[0\] holds what is no number. Received: 6 of 6 values"),
        ([KERNEL.astype(int), BIAS], r"tensor fc6\[0\] does not fit .*int64. Expected: .*floating"),
    ],
)
def test_what_misfits_is_named_and_changes_nothing(arrays, message):
    dense = keras.layers.Dense(2, kernel_initializer="zeros")
    dense.build((None, 3))
    given = None if arrays is None else layer("fc6", *arrays)
    filler = converting.Filler(found(*([given] if given else [])), "file")
    with pytest.raises(UserError, match=message):
        filler.take(given, dense)
    assert not np.array(dense.kernel).any()


@pytest.mark.parametrize(
    ("shapes", "message"),
    [
        ([(8, 3), (8,)], "no tensor for .*. Received: 2 tensors of layer lstm1"),
        ([(8, 3), (8,), (8, 1), (8, 2), (8, 2)], r"an extra tensor lstm1\[4\]"),
        ([(8, 2), (8,), (8, 2)], r"tensor lstm1\[0\] does not fit .*kernel"),
        ([(8, 3), (6,), (8, 2)], r"tensor lstm1\[1\] does not fit .*bias"),
        ([(8, 3), (8,), (8, 3)], r"tensor lstm1\[2\] does not fit .*recurrent_kernel"),
        ([(8, 3), (8,), (8, 2), (8, 2)], r"tensor lstm1\[0\] does not fit .*kernel"),
        ([(8, 3), (8,), (8, 900), (8, 2)], r"lstm1\[0\] does not fit .*Expected: \(8, 0\)"),
        ([(8, 3), (8,), (), (8, 2)], r"tensor lstm1\[2\] does not fit .*kernel"),
    ],
)
def test_an_lstm_that_misfits(shapes, message):
    cell = keras.layers.LSTM(2)
    cell.build((None, 1, 3))
    given = layer("lstm1", *(np.ones(shape, "float32") for shape in shapes))
    filler = converting.Filler(found(given), "file")
    with pytest.raises(UserError, match=message):
        filler.take_lstm(given, cell)
