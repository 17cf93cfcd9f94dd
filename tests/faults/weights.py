"""Weights, of our own and from elsewhere."""

import pickle

import h5py
import numpy as np
import safetensors.numpy

from lrcn.models import backbones

from .records import training
from .registry import fault
from .world import World

TITLE = "Weights"


class _Program:
    """What would make a folder if its pickle were run."""

    def __reduce__(self):
        return (exec, ("import os; os.mkdir('owned')",))


@fault(
    "weights file that is not there",
    "its path",
    says=("backbone.weights", "none.h5", "Correct backbone.weights"),
)
def missing(world: World):
    return training(world.shared.records, "backbone.weights=none.h5")


@fault(
    "text under the name of weights",
    "the file",
    says=("text.weights.h5", "signature", "lrcn import"),
)
def text(world: World):
    world.write("text.weights.h5", "no weights")
    return training(world.shared.records, "backbone.weights=text.weights.h5")


@fault(
    "HDF5 file without weights",
    "the file",
    says=("empty.weights.h5", "without tensors", "save_weights"),
)
def empty(world: World):
    with h5py.File(world.folder / "empty.weights.h5", "w"):
        pass
    return training(world.shared.records, "backbone.weights=empty.weights.h5")


@fault(
    "weights of other shapes",
    "tensor and both shapes",
    says=("other.weights.h5", "(192, 2)", "same backbone"),
)
def other_shapes(world: World):
    whole = world.folder / "other.weights.h5"
    backbones.build("small", image_size=(16, 16), trainable=True).save_weights(whole)
    with h5py.File(whole, "a") as stored:
        names = []
        stored.visititems(lambda name, item: names.append(name) if hasattr(item, "shape") else None)
        shape = stored[names[0]].shape
        del stored[names[0]]
        stored[names[0]] = np.zeros((*shape, 2), np.float32)
    return training(world.shared.records, "backbone.weights=other.weights.h5")


@fault(
    "layer that the CNN has not",
    "those it has",
    says=("backbone.layer", "fc9", "backbone.layer=moments"),
)
def unknown_layer(world: World):
    return training(world.shared.records, "backbone.layer=fc9")


@fault(
    "ImageNet weights of a CNN that has none",
    "the CNNs that have",
    says=("backbone.weights", "imagenet", "mobilenet"),
)
def no_imagenet(world: World):
    return training(world.shared.records, "backbone.weights=imagenet")


@fault(
    "frames too small for the CNN",
    "the least size",
    says=("backbone.image_size", "[8, 8]", "39x39"),
)
def too_small(world: World):
    return [
        "train",
        "backbone=caffenet",
        "backbone.image_size=[8,8]",
        "hydra.run.dir=run",
        *training(world.shared.records)[1:4],
    ]


@fault(
    "foreign weights that are not there",
    "the path",
    says=("file: ", "none.npy", "Correct the path"),
)
def foreign_missing(world: World):
    return ["import", "file=none.npy"]


@fault(
    "foreign weights of a suffix nobody knows",
    "those that are read",
    says=("net.pth", "a pickle", "safetensors"),
)
def foreign_suffix(world: World):
    world.write("net.pth", b"\x80\x02")
    return ["import", "file=net.pth"]


@fault(
    "`.npy` that would run a program",
    "refused unread; nothing is run",
    says=("would run a program", "builtins.exec", "Do not open it"),
)
def program(world: World):
    np.save(world.folder / "evil.npy", np.array({"conv1": _Program()}, object), allow_pickle=True)
    return ["import", "file=evil.npy", "backbone=alexnet"]


@fault(
    "`.npy` that is cut short",
    "the file",
    says=("cut.npy", "expected 139392 bytes", "Fetch the file again"),
)
def npy_cut(world: World):
    content = {"conv1": [np.zeros((11, 11, 3, 96), np.float32)]}
    whole = world.folder / "cut.npy"
    np.save(whole, np.array(content, object), allow_pickle=True)
    world.cut(whole, "cut.npy")
    return ["import", "file=cut.npy", "backbone=alexnet"]


@fault(
    "`.caffemodel` that is cut short",
    "the file",
    says=("cut.caffemodel", "cut short", "Fetch the file again"),
)
def caffe_cut(world: World):
    world.write("cut.caffemodel", b"\x0a\x04Tiny\xa2\x06\xff\xff\x03")
    return ["import", "file=cut.caffemodel", "backbone=caffenet"]


@fault(
    "`.safetensors` that is cut short",
    "the file",
    says=("cut.safetensors", "incomplete", "Fetch or save"),
)
def safetensors_cut(world: World):
    whole = world.folder / "cut.safetensors"
    safetensors.numpy.save_file({"features.0.weight": np.zeros((64, 3, 3, 3))}, str(whole))
    world.cut(whole, "cut.safetensors")
    return ["import", "file=cut.safetensors"]


@fault(
    "network that no backbone is equal to",
    "the reason",
    says=("resnet.safetensors", "residual", "backbone=resnet50"),
)
def other_network(world: World):
    content = {
        "layer1.0.conv1.weight": np.zeros((64, 64, 1, 1), np.float32),
        "conv1.weight": np.zeros((64, 3, 7, 7), np.float32),
    }
    safetensors.numpy.save_file(content, str(world.folder / "resnet.safetensors"))
    return ["import", "file=resnet.safetensors"]


@fault(
    "file that is there already",
    "another name to give",
    says=("output", "mine.weights.h5", "overwrite=true"),
)
def output_there(world: World):
    world.write("mine.weights.h5", "mine")
    world.write("net.npy", pickle.dumps({}))
    return ["import", "file=net.npy", "backbone=alexnet", "output=mine.weights.h5"]
