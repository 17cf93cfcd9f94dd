"""`lrcn import` as users type it, and what trains on the result."""

import importlib.util
import json
import pathlib

import h5py
import keras
import numpy as np
import pytest
import safetensors.numpy

from lrcn import cli, runs
from lrcn.models import activity, architectures, backbones, networks
from lrcn.models import weights as weights_lib
from lrcn.training import assembly

# The generated files of the tests of models.
_FILE = pathlib.Path(__file__).parent / "models" / "foreign" / "conftest.py"
_SPEC = importlib.util.spec_from_file_location("generated_weights", _FILE)
generated = importlib.util.module_from_spec(_SPEC)
_SPEC.loader.exec_module(generated)

TINY = ["backbone.layer=fc6", "backbone.image_size=[67,67]"]


@pytest.fixture(autouse=True)
def elsewhere(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)


@pytest.fixture(scope="module")
def weights():
    return generated.weights_of(generated.CAFFENET, maps=1, fc6=4096)


def run(capsys, *arguments):
    code = cli.main([str(argument) for argument in arguments])
    out, err = capsys.readouterr()
    return code, out, err


def caffemodel(weights, *, leave=(), more=b"", table=generated.CAFFENET, mean=()):
    """Writes a network of 67x67 pixels up to fc6."""
    transform = b"".join(generated.field(5, value) for value in mean)
    content = generated.field(1, "Tiny") + generated.layer("data", "Data", transform=transform)
    kept = {name: [] if name in leave else blobs for name, blobs in weights.items()}
    content += generated.convolution_layers(table, kept)
    content += generated.layer("fc6", "InnerProduct", kept["fc6"]) + more
    pathlib.Path("net.caffemodel").write_bytes(content)


def test_every_tensor_is_listed_and_the_file_is_beside_its_source(capsys, weights):
    caffemodel(weights, more=generated.layer("fc7", "InnerProduct", [np.ones((3, 2))]))
    code, out, err = run(capsys, "import", "file=net.caffemodel", "backbone=caffenet", *TINY)
    assert code == 0, err
    rows = [line.split() for line in out.splitlines() if line.strip()]
    assert ["conv2[0]", "256x48x5x5", "conv2/kernel", "5x5x48x256"] in rows
    assert ["fc6[0]", "4096x256", "fc6/kernel", "256x4096"] in rows
    assert rows[-1] == ["fc7[0]", "3x2", "unmatched"]
    assert len(rows) == 2 + 12 + 1
    assert "input contract (Caffe's usual): BGR, mean 103.939, 116.779, 123.68" in err
    assert (
        "next: lrcn train backbone=caffenet 'backbone.image_size=[67,67]' backbone.weights=net."
        in err
    )
    assert sorted(path.name for path in pathlib.Path().iterdir()) == [
        "net.caffemodel",
        "net.weights.h5",
    ]


def test_the_input_contract_comes_along(capsys, weights):
    caffemodel(weights, mean=(104.0, 117.0, 123.0))
    code, _, err = run(capsys, "import", "file=net.caffemodel", "backbone=caffenet", *TINY)
    assert code == 0, err
    assert "input contract (as the file says): BGR, mean 104, 117, 123" in err
    options = {"layer": "fc6", "image_size": (67, 67)}
    model = backbones.build("caffenet", weights="net.weights.h5", **options)
    assert backbones.contract_of(model)["mean"] == [104, 117, 123]
    np.testing.assert_array_equal(model.get_layer("fc6").kernel, weights["fc6"][0].T)
    # The file is one of plain Keras, too, which does not look at the contract.
    plain = backbones.build("caffenet", **options)
    plain.load_weights("net.weights.h5")
    assert backbones.contract_of(plain)["mean"] == list(architectures.CAFFE_MEAN)
    with h5py.File("net.weights.h5") as stored:
        contract = json.loads(stored.attrs["lrcn_input_contract"])
    assert contract == {
        "channel_order": "bgr", "scale": 1.0, "mean": [104, 117, 123], "std": [1, 1, 1]
    }  # fmt: skip


def test_a_mean_that_is_given_is_taken(capsys, weights):
    caffemodel(weights, mean=(104.0, 117.0, 123.0))
    given = ["mean=[128,128,128]", "output=flow.weights.h5"]
    code, _, err = run(capsys, "import", "file=net.caffemodel", "backbone=caffenet", *TINY, *given)
    assert code == 0, err
    assert weights_lib.contract_in("flow.weights.h5")["mean"] == [128, 128, 128]


def lstm_layers(units=4, classes=3, *, of=("lstm1",), classifier=True):
    rng = np.random.default_rng(0)
    content = b""
    for name, inputs in zip(of, (4096, units), strict=False):
        shapes = [(4 * units, inputs), (4 * units,), (4 * units, units)]
        content += generated.layer(name, "LSTM", [rng.normal(0, 0.01, shape) for shape in shapes])
    last = [rng.normal(0, 1, (classes, units)), np.zeros(classes)]
    return content + (generated.layer("fc8-final", "InnerProduct", last) if classifier else b"")


@pytest.fixture(scope="module")
def whole(tmp_path_factory, weights):
    """A whole LRCN that was imported."""
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(tmp_path_factory.mktemp("whole"))
        caffemodel(weights, more=lstm_layers())
        code = cli.main(["import", "file=net.caffemodel", "backbone=caffenet", *TINY])
        assert code == 0
        yield pathlib.Path("net.keras").absolute()


def test_a_whole_lrcn_is_a_keras_model(whole, weights):
    model = keras.models.load_model(whole)
    assert networks.head(model).get_layer("lstm1").units == 4
    frames = np.zeros((1, 2, 67, 67, 3), "uint8")
    assert model.predict(frames, verbose=0)["logits"].shape == (1, 2, 3)
    # Its CNN serves alone, with its own mean.
    options = {"layer": "fc6", "image_size": (67, 67)}
    cnn = backbones.build("caffenet", weights=str(whole), **options)
    assert backbones.contract_of(cnn)["mean"] == [103.939, 116.779, 128.68]
    np.testing.assert_array_equal(cnn.get_layer("fc6").kernel, weights["fc6"][0].T)


@pytest.mark.slow
def test_training_starts_from_a_whole_lrcn(whole, capsys, monkeypatch, tmp_path):
    monkeypatch.setenv("LRCN_CACHE", str(tmp_path / "cache"))
    tiny = [
        *("dataset.train=8", "dataset.val=4", "dataset.test=0", "dataset.num_frames=4"),
        *("dataset.size=24", "clipframe_mode.num_frames_per_clip=4", "callbacks=minimal"),
        *("epochs=1", "workflow.units=4", "backbone=caffenet", "backbone.image_size=[67,67]"),
    ]
    more = ["backbone.trainable=false", f"init={whole}", "hydra.run.dir=run"]
    code, _, err = run(capsys, "train", *tiny, *more)
    assert code == 0, err
    assert "init: the input contract of" in err
    assert "init: matched: the CNN (all 12 weights), lstm1/lstm_cell/kernel" in err
    trained = keras.models.load_model(runs.RunDirectory(pathlib.Path("run")).best)
    assert backbones.contract_of(trained)["mean"] == [103.939, 116.779, 128.68]


def test_a_contract_comes_with_the_weights_of_its_cnn(tmp_path):
    contract = {"channel_order": "bgr", "mean": (1, 2, 3)}
    source, target = (
        activity.lstm(
            backbones.build("small", image_size=(16, 16), contract=own), num_classes=2, units=3
        )
        for own in (contract, None)
    )
    source.save(tmp_path / "best.keras")
    assembly.start_from(target, str(tmp_path / "best.keras"))
    assert backbones.contract_of(target)["mean"] == [1, 2, 3]
    assert backbones.contract_of(target)["channel_order"] == "bgr"
    frames = np.arange(2 * 16 * 16 * 3, dtype="uint8").reshape(1, 2, 16, 16, 3)
    expected = source.predict(frames, verbose=0)["logits"]
    np.testing.assert_allclose(target.predict(frames, verbose=0)["logits"], expected, rtol=1e-5)


def test_still_points_are_the_mean_of_flow_whatever_its_cnn_was_trained_on(tmp_path):
    contract = {"channel_order": "bgr", "scale": 0.5, "mean": (1, 2, 3)}
    options = {"image_size": (16, 16)}
    rgb = activity.lstm(backbones.build("small", contract=contract, **options), num_classes=2)
    flow = activity.lstm(backbones.build("small", modality="flow", **options), num_classes=2)
    rgb.save(tmp_path / "best.keras")
    assembly.start_from(flow, str(tmp_path / "best.keras"))
    found = backbones.contract_of(flow)
    assert (found["mean"], found["modality"]) == ([64, 64, 64], "flow")
    assert (found["channel_order"], found["scale"]) == ("bgr", 0.5)
    # As where the CNN alone is taken from the file.
    cnn = backbones.build("small", weights=str(tmp_path / "best.keras"), modality="flow", **options)
    assert backbones.contract_of(cnn) == found


def test_the_next_command_fits_a_network_of_two_lstm_layers(capsys, weights):
    caffemodel(weights, more=lstm_layers(of=("lstm1", "lstm2")))
    code, _, err = run(capsys, "import", "file=net.caffemodel", "backbone=caffenet", *TINY)
    assert code == 0, err
    assert "workflow=lstm workflow.units=4 workflow.layers=2 init=net.keras" in err


def test_an_lstm_without_its_classifier_is_left_and_said_so(capsys, weights):
    caffemodel(weights, more=lstm_layers(classifier=False))
    code, _, err = run(capsys, "import", "file=net.caffemodel", "backbone=caffenet", *TINY)
    assert code == 0, err
    assert "left: lstm1, since output is .weights.h5, no classifier follows" in err
    assert pathlib.Path("net.weights.h5").exists()


def test_a_classifier_without_classes(capsys, weights):
    broken = generated.layer("fc8-final", "InnerProduct", [np.ones(3), np.ones(3)])
    caffemodel(weights, more=lstm_layers(classifier=False) + broken)
    code, _, err = run(capsys, "import", "file=net.caffemodel", "backbone=caffenet", *TINY)
    assert code == 1
    assert "fc8-final[0]: a classifier without classes. Received: a tensor of shape (3,)" in err


def test_the_cnn_of_an_lrcn_alone(capsys, weights):
    caffemodel(weights, more=lstm_layers())
    given = ["output=cnn.weights.h5", "backbone=caffenet", *TINY]
    code, out, err = run(capsys, "import", "file=net.caffemodel", *given)
    assert code == 0, err
    assert [line.split()[-1] for line in out.splitlines() if "lstm1[" in line] == ["unmatched"] * 3


BAD = [
    ([], "file: a value is needed"),
    (["file=nowhere.npy"], "file: there is nothing to read. Received: nowhere.npy, no such file"),
    (["output=net.npy"], "output: a file of another kind than is written. Received: net.npy."),
    (["output=net.keras"], "Received: net.keras. Expected: NAME.weights.h5."),
    (["output=there.weights.h5/x.weights.h5"], "output: results cannot be written. Received: "),
    (["output=there.weights.h5"], "output: the file is there already. Received: there.weights.h5"),
    (["backbone=alexnet"], "then comes pool and then norm. Expected: caffenet."),
    (["backbone=mobilenet"], "backbone: no foreign weights are known for this backbone."),
    (["backbone.weights=x"], "backbone.weights: an import has no use for it. Received: x."),
    (["mean=[1,2]"], "mean: not a value of this key. Received: [1.0, 2.0]. Expected: three"),
    (["mean=[1,2,-3]"], "mean: not a value of this key."),
    (["backbone.layer=fc7"], "no tensor for fc7/kernel, (4096, 4096). Received: no such layer."),
    (
        ["backbone.image_size=[99,99]"],
        "tensor fc6[0] does not fit fc6/kernel. Received: (4096, 256) float32. Expected: (4096",
    ),
]  # fmt: skip


@pytest.mark.parametrize(("arguments", "message"), BAD)
def test_bad_input_is_told_in_a_line(capsys, weights, arguments, message):
    caffemodel(weights)
    pathlib.Path("there.weights.h5").touch()
    given = {"file": "file=net.caffemodel", "backbone": "backbone=caffenet"}
    given.update(dict(zip(("layer", "size"), TINY, strict=True)))
    for argument in arguments:
        key = argument.partition("=")[0]
        given[{"backbone.layer": "layer", "backbone.image_size": "size"}.get(key, key)] = argument
    if not arguments:
        del given["file"]
    code, out, err = run(capsys, "import", *given.values())
    assert (code, out) == (1, "")
    assert len(err.splitlines()) == 1
    assert err.startswith("error: ") and message in err
    assert not list(pathlib.Path().glob("net.*[!l]"))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"leave": ("conv3",)}, "no tensor for conv3/kernel, (3, 3, 256, 384)"),
        ({"conv2": 1}, "no tensor for conv2/bias, (256,). Received: 1 tensors of layer conv2"),
        ({"conv4": 3}, "an extra tensor conv4[2] of layer conv4. Received: 3 tensors"),
        ({"cut": 5}, "file=net.caffemodel: not a Caffe network that can be read. Received: cut"),
    ],
)
def test_tensors_that_are_missing_or_too_many(capsys, weights, change, message):
    changed = {
        name: [*blobs, *blobs][: change[name]] if name in change else blobs
        for name, blobs in weights.items()
    }
    caffemodel(changed, leave=change.get("leave", ()))
    file = pathlib.Path("net.caffemodel")
    file.write_bytes(file.read_bytes()[: -change["cut"] if "cut" in change else None])
    code, _, err = run(capsys, "import", "file=net.caffemodel", "backbone=caffenet", *TINY)
    assert (code, len(err.splitlines())) == (1, 1)
    assert message in err
    assert not list(pathlib.Path().glob("*.h5"))


def test_training_knows_no_backbone_of_a_file(capsys):
    code, _, err = run(capsys, "train", "backbone=auto")
    assert code == 2
    assert "backbone: no such member. Received: auto." in err


def test_an_output_is_overwritten_where_it_is_asked_for(capsys, weights):
    caffemodel(weights)
    pathlib.Path("net.weights.h5").touch()
    given = ["import", "file=net.caffemodel", "backbone=caffenet", *TINY]
    assert run(capsys, *given)[0] == 1
    assert run(capsys, *given, "overwrite=true")[0] == 0
    assert pathlib.Path("net.weights.h5").stat().st_size > 1000


def test_torchvision_says_what_it_expects(capsys):
    shapes = {"features.0.weight": (64, 3, 11, 11), "features.0.bias": (64,)}
    arrays = {name: np.zeros(shape, "float32") for name, shape in shapes.items()}
    safetensors.numpy.save_file(arrays, "alexnet.safetensors")
    code, _, err = run(capsys, "import", "file=alexnet.safetensors")
    assert code == 1
    assert "it has no local response normalisation, no groups" in err
