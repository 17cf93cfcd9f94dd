"""Generated files of foreign weights, and what Caffe makes of them, in NumPy."""

import pickle
import struct
import types

import numpy as np
import pytest

KINDS_OF_V1 = {"Convolution": 4, "InnerProduct": 14, "LRN": 15, "Pooling": 17, "ReLU": 18}

# name, filters, size, stride, padding, groups, what follows the ReLU
CAFFENET = [
    ("conv1", 96, 11, 4, 0, 1, ("pool", "norm")),
    ("conv2", 256, 5, 1, 2, 2, ("pool", "norm")),
    ("conv3", 384, 3, 1, 1, 1, ()),
    ("conv4", 384, 3, 1, 1, 2, ()),
    ("conv5", 256, 3, 1, 1, 2, ("pool",)),
]
ALEXNET = [
    (*row[:6], ("norm", "pool") if len(row[6]) == 2 else row[6]) for row in CAFFENET
]  # fmt: skip
HYBRID = [
    ("conv1", 96, 7, 2, 0, 1, ("pool", "norm")),
    ("conv2", 384, 5, 2, 0, 2, ("pool", "norm")),
    ("conv3", 512, 3, 1, 1, 1, ()),
    ("conv4", 512, 3, 1, 1, 2, ()),
    ("conv5", 384, 3, 1, 1, 2, ("pool",)),
]
VGG16 = [
    (f"conv{block}_{index}", filters, 3, 1, 1, 1, ("pool2",) if index == count else ())
    for block, (count, filters) in enumerate(
        [(2, 64), (2, 128), (3, 256), (3, 512), (3, 512)], start=1
    )
    for index in range(1, count + 1)
]


def varint(value):
    out = b""
    while value >= 0x80:
        out += bytes([value & 0x7F | 0x80])
        value >>= 7
    return out + bytes([value])


def field(number, content):
    """A field of bytes, or of a varint for a whole number, or of 4 bytes for another number."""
    if isinstance(content, int):
        return varint(number << 3) + varint(content)
    if isinstance(content, float):
        return varint(number << 3 | 5) + struct.pack("<f", content)
    content = content.encode() if isinstance(content, str) else content
    return varint(number << 3 | 2) + varint(len(content)) + content


def blob(values, *, packed=True, double=False, legacy=False):
    """A BlobProto in any of the ways that Caffe has written it."""
    values = np.asarray(values)
    if legacy:
        shape = (1,) * (4 - values.ndim) + values.shape
        out = b"".join(field(axis, int(size)) for axis, size in enumerate(shape, start=1))
    else:
        out = field(7, field(1, b"".join(varint(size) for size in values.shape)))
    number, kind, wire = (8, "<f8", 1) if double else (5, "<f4", 5)
    flat = values.astype(kind).ravel()
    if packed:
        return out + field(number, flat.tobytes())
    each = np.zeros(flat.size, [("tag", "u1"), ("value", kind)])
    each["tag"], each["value"] = number << 3 | wire, flat
    return out + each.tobytes()


def layer(name, kind, blobs=(), *, v1=False, transform=b"", **how):
    """A layer as a field of a NetParameter."""
    if v1:
        own = field(4, name) + field(5, KINDS_OF_V1.get(kind, 0))
        number, of_blobs, of_transform = 2, 6, 36
    else:
        own, number, of_blobs, of_transform = field(1, name) + field(2, kind), 100, 7, 100
    own += b"".join(field(of_blobs, blob(values, **how)) for values in blobs)
    return field(number, own + (field(of_transform, transform) if transform else b""))


def convolution_layers(table, weights, **how):
    """The fields of a CNN up to its last pooling, with what follows each convolution."""
    out = b""
    for name, *_, then in table:
        out += layer(name, "Convolution", weights[name], **how)
        out += layer(f"relu_{name}", "ReLU", **how)
        for follower in then:
            kind = "LRN" if follower == "norm" else "Pooling"
            out += layer(f"{follower}_{name}", kind, **how)
    return out


def weights_of(table, *, maps, seed=0, **dense):
    """Random weights as Caffe has them, small enough that activations stay about 1.

    Args:
        table: The convolutions.
        maps: Height and width before the first matrix.
        dense: Name of each matrix and its outputs, in order.
    """
    rng = np.random.default_rng(seed)

    def pair(outputs, *rest):
        fan = int(np.prod(rest))
        values = rng.standard_normal((outputs, *rest), np.float32) * np.sqrt(2 / fan)
        return [values.astype("float32"), rng.uniform(-0.1, 0.1, outputs).astype("float32")]

    found, channels = {}, 3
    for name, filters, size, _, _, groups, _ in table:
        found[name] = pair(filters, channels // groups, size, size)
        channels = filters
    # As in real networks: of pixels of about 100 the first maps stay large enough for the norm to
    # bend them, and everything after is about 1.
    if "norm" in table[0][-1]:
        found["conv2"][0] /= 256
    rows = channels * maps * maps
    for name, outputs in dense.items():
        found[name] = pair(outputs, rows)
        rows = outputs
    return found


def convolve(values, weights, bias, *, stride, padding, groups):
    """Caffe's Convolution: values [channels, height, width]."""
    values = np.pad(values, ((0, 0), (padding, padding), (padding, padding)))
    size = weights.shape[-1]
    windows = np.lib.stride_tricks.sliding_window_view(values, (size, size), axis=(1, 2))
    windows = windows[:, ::stride, ::stride]
    parts = zip(np.split(windows, groups), np.split(weights, groups), strict=True)
    maps = [np.tensordot(own, seen, ([1, 2, 3], [0, 3, 4])) for seen, own in parts]
    return np.concatenate(maps) + bias[:, None, None]


def pool(values, *, size=3, stride=2):
    """Caffe's Pooling, MAX: the last window may reach over the edge."""
    sides = [-(-(side - size) // stride) + 1 for side in values.shape[1:]]
    out = np.empty((values.shape[0], *sides), values.dtype)
    for row in range(sides[0]):
        for column in range(sides[1]):
            y, x = row * stride, column * stride
            out[:, row, column] = values[:, y : y + size, x : x + size].max((1, 2))
    return out


def norm(values, *, alpha=1e-4, beta=0.75, size=5):
    """Caffe's LRN across channels."""
    total = np.zeros_like(values)
    for channel in range(len(values)):
        near = values[max(0, channel - size // 2) : channel + size // 2 + 1]
        total[channel] = (near**2).sum(0)
    return values * (1 + alpha / size * total) ** -beta


def cnn(table, weights, image, dense):
    """The activations of the last of `dense`, each followed by a ReLU but fc8."""
    values = image
    for name, _, _, stride, padding, groups, then in table:
        given = [array.astype(values.dtype) for array in weights[name]]
        values = convolve(values, *given, stride=stride, padding=padding, groups=groups)
        values = np.maximum(values, 0)
        for follower in then:
            if follower == "norm":
                values = norm(values)
            else:
                values = pool(values, size=2 if follower == "pool2" else 3)
    values = values.ravel()  # channels, height, width
    for name in dense:
        kernel, bias = weights[name]
        values = kernel.astype(values.dtype) @ values + bias
        if not name.startswith("fc8"):
            values = np.maximum(values, 0)
    return values


def sigmoid(values):
    return 1 / (1 + np.exp(-values))


def lstm(inputs, cont, own, bias, hidden, static=None, static_input=None):
    """Caffe's LSTM.

    Args:
        inputs: [time, streams, values].
        cont: [time, streams], 0 where a sequence begins.
        own: The blob W_xc; `bias` b_c, `hidden` W_hc, `static` W_xc_static.
        static_input: [streams, values].
    """
    units = hidden.shape[1]
    state = memory = np.zeros((inputs.shape[1], units))
    told = []
    for values, goes_on in zip(inputs, cont, strict=True):
        goes_on = goes_on[:, None]
        gates = values @ own.T + bias + (goes_on * state) @ hidden.T
        if static is not None:
            gates = gates + static_input @ static.T
        write, keep, tell, new = np.split(gates, 4, axis=1)
        memory = goes_on * sigmoid(keep) * memory + sigmoid(write) * np.tanh(new)
        state = sigmoid(tell) * np.tanh(memory)
        told.append(state)
    return np.stack(told)


def caffe_image(frame, mean):
    """A frame [height, width, 3] uint8, red first, as Caffe's networks get it."""
    return frame[..., ::-1].transpose(2, 0, 1).astype("float64") - np.reshape(mean, (3, 1, 1))


def bvlc_alexnet(path, weights, *, axes="keras", protocol=2):
    """Writes a dictionary of arrays; with the axes of TensorFlow, fc6 reads height first."""
    stored = {}
    for name, (kernel, bias) in weights.items():
        if axes == "keras":
            if kernel.ndim == 4:
                kernel = kernel.transpose(2, 3, 1, 0)
            elif name == "fc6":
                side = int(np.sqrt(kernel.shape[1] // 256))
                kernel = kernel.reshape(-1, 256, side, side).transpose(2, 3, 1, 0)
                kernel = kernel.reshape(-1, len(bias))
            else:
                kernel = kernel.T
        stored[name] = [np.ascontiguousarray(kernel), bias]
    holder = np.empty((), object)
    holder[()] = stored
    with path.open("wb") as file:
        np.lib.format.write_array_header_1_0(
            file, {"descr": "|O", "fortran_order": False, "shape": ()}
        )
        pickle.dump(holder, file, protocol=protocol)
    return path


@pytest.fixture(scope="session")
def generated():
    """Everything above, by name."""
    return types.SimpleNamespace(**globals())
