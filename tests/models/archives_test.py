"""Model files of strangers: nothing is built of them but networks of ours."""

import io
import json
import os
import pathlib
import resource
import warnings
import zipfile

import h5py
import hypothesis
import keras
import pytest
from hypothesis import strategies

from lrcn import errors
from lrcn.data import limits
from lrcn.models import activity, archives, backbones, description, initial, weights
from lrcn.scoring import losses
from lrcn.training import optimizers, schedules

TOKENS = ("<pad>", "<bos>", "<eos>", "<unk>", "a", "dog")


def small():
    return backbones.build("small", layer="moments", image_size=(32, 32), trainable=True)


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    """The content of an archive of ours."""
    model = activity.lstm(small(), num_classes=3, units=4)
    path = tmp_path_factory.mktemp("model") / "whole.keras"
    model.save(path)
    with zipfile.ZipFile(path, "a") as archive:
        archive.writestr("state.json", "{}")
    return path.read_bytes()


@pytest.fixture
def file(tmp_path, whole):
    path = tmp_path / "model.keras"
    path.write_bytes(whole)
    return path


def rewritten(file, changes=None, *, compression=zipfile.ZIP_STORED, more=()):
    """Writes an archive again with other members; None leaves one out."""
    with zipfile.ZipFile(file) as archive:
        members = {name: archive.read(name) for name in archive.namelist()}
    members |= changes or {}
    with zipfile.ZipFile(file, "w", compression) as archive, warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of two members of one name
        for name, content in [*members.items(), *more]:
            if content is not None:
                archive.writestr(name, content)


def config_of(file):
    with zipfile.ZipFile(file) as archive:
        return json.loads(archive.read("config.json"))


def parts(config, name):
    """Every part of a configuration of a class."""
    found, left = [], [config]
    while left:
        part = left.pop()
        if isinstance(part, dict):
            found += [part] if part.get("class_name") == name else []
            left += part.values()
        elif isinstance(part, list):
            left += part
    return found


def told(file, **options):
    with pytest.raises(errors.UserError) as caught:
        weights.open_model(file, **options)
    message = str(caught.value)
    assert str(file) in message and "\n" not in message and len(message) < 1500
    return message


def test_an_archive_of_ours_is_opened(file):
    archives.check(file)
    assert weights.open_model(file).count_params() > 0


@pytest.mark.parametrize("name", backbones.NAMES)
def test_every_backbone_passes(tmp_path, name):
    size = {"small": (32, 32), "vgg16": (32, 32), "mobilenet": (32, 32)}.get(name)
    if name not in ("small", "mobilenet"):
        size = (80, 80) if name in ("hybrid", "alexnet", "caffenet") else (32, 32)
    layer = backbones.default_layer(name, "singleframe")
    options = {"alpha": 0.25} if name == "mobilenet" else {}
    cnn = backbones.build(name, layer=layer, image_size=size, trainable=True, **options)
    network = activity.singleframe(cnn, num_classes=3, multi_label=name == "small")
    network.save(tmp_path / "a.keras")
    archives.check(tmp_path / "a.keras")


DESIGNS = [
    description.Design(conditioning, layers, 4, 3, factored, pooling)
    for conditioning, layers, factored, pooling in [
        ("step", 1, False, "avg"),
        ("step", 2, True, "max"),
        ("state", 2, False, "last"),
        ("first_input", 1, False, "avg"),
        ("encoder", 2, False, "avg"),
        ("stack", 2, False, "avg"),
    ]
]


@pytest.mark.parametrize("design", DESIGNS, ids=lambda design: design.conditioning)
def test_every_network_that_describes_passes(tmp_path, design):
    network = description.build(
        small(), design, vocabulary_size=6, tokens=TOKENS, max_length=5, dropout_in=0.1
    )
    network.compile("adam", loss={"logits": losses.next_word()})
    network.save(tmp_path / "a.keras")
    archives.check(tmp_path / "a.keras")


@pytest.mark.parametrize("loss", ["every_step", "pooled"])
@pytest.mark.parametrize("multi_label", [False, True])
@pytest.mark.parametrize("name", ["sgd", "adam", "rmsprop"])
@pytest.mark.parametrize("schedule", ["constant", "exponential", "cosine"])
def test_every_optimizer_schedule_and_loss_passes(tmp_path, loss, multi_label, name, schedule):
    network = activity.lstm(
        small(), num_classes=3, units=4, layers=2, dropout_in=0.2, initializer="uniform_0.01"
    )
    rate = schedules.build(
        schedule, learning_rate=0.1, total_steps=20, decay_steps=5, decay_rate=0.5, warmup_steps=2
    )
    variables = network.trainable_variables
    optimizer = optimizers.build(
        name, variables=variables, learning_rate=rate, loss_scaling=name == "sgd"
    )
    output, function = losses.build(loss, multi_label=multi_label)
    accuracy = None
    if not multi_label:
        accuracy = {"probabilities": [keras.metrics.SparseCategoricalAccuracy(name="accuracy")]}
    network.compile(optimizer, loss={output: function}, metrics=accuracy)
    optimizer.build(variables)
    network.save(tmp_path / "a.keras")
    archives.check(tmp_path / "a.keras")


@pytest.mark.parametrize(
    "name", ["glorot_normal", "he_normal", "lecun_uniform", "orthogonal", "truncated_normal"]
)
def test_every_initialiser_that_keras_knows_passes(tmp_path, name):
    assert initial.kernel(name) is not None
    activity.singleframe(small(), num_classes=3, initializer=name).save(tmp_path / "a.keras")
    archives.check(tmp_path / "a.keras")


def test_half_precision_passes(tmp_path):
    before = keras.config.dtype_policy()
    keras.config.set_dtype_policy("mixed_bfloat16")
    try:
        activity.lstm(small(), num_classes=3, units=4).save(tmp_path / "a.keras")
    finally:
        keras.config.set_dtype_policy(before)
    archives.check(tmp_path / "a.keras")


FOREIGN = {
    "Lambda": {"module": "keras.layers", "class_name": "Lambda", "registered_name": None},
    "TFSMLayer": {"module": "keras.layers", "class_name": "TFSMLayer", "registered_name": None},
    "StringLookup": {"module": "keras.layers", "class_name": "StringLookup"},
    "IntegerLookup": {"module": "keras.layers", "class_name": "IntegerLookup"},
    "TextVectorization": {"module": "keras.layers", "class_name": "TextVectorization"},
    "TorchModuleWrapper": {"module": "keras.layers", "class_name": "TorchModuleWrapper"},
    "system": {"module": "os", "class_name": "system", "registered_name": None},
    "function": {"module": "builtins", "class_name": "function", "registered_name": "function"},
    "a function by name": {
        "module": "keras.config",
        "class_name": "function",
        "registered_name": "function",
    },
    "__lambda__": {"class_name": "__lambda__"},
    "__typespec__": {"class_name": "__typespec__", "module": "os", "spec_name": "x"},
    "Dense of another package": {"module": "evil", "class_name": "Dense"},
    "Dense that is registered": {
        "module": "keras.layers",
        "class_name": "Dense",
        "registered_name": "evil>Dense",
    },
    "InputContract of another package": {
        "module": "evil.models.layers",
        "class_name": "InputContract",
        "registered_name": "lrcn>InputContract",
    },
    "what is not registered": {
        "module": "lrcn.models.layers",
        "class_name": "subprocess",
        "registered_name": "lrcn>subprocess",
    },
    "a class without a module": {"class_name": "Dense"},
    "a name alone": {"registered_name": "lrcn>InputContract"},
    "no text": {"class_name": ["Dense"], "module": "keras.layers"},
}


@pytest.mark.parametrize("name", FOREIGN)
@pytest.mark.parametrize("place", ["layer", "argument", "compile"])
def test_a_foreign_class_is_refused_by_name_wherever_it_stands(file, name, place):
    config = config_of(file)
    foreign = {"config": {"value": "cat /etc/passwd"}, **FOREIGN[name]}
    if place == "layer":
        config["config"]["layers"].append({**foreign, "name": "x", "inbound_nodes": []})
    elif place == "argument":
        parts(config, "Classes")[0]["config"]["kernel_initializer"] = foreign
    else:
        config["compile_config"] = {"optimizer": "sgd", "loss": {"logits": foreign}}
    rewritten(file, {"config.json": json.dumps(config)})
    message = told(file)
    assert f"a class that is none of ours: {errors.shown(foreign.get('class_name'))}" in message


def test_a_lambda_runs_nothing(file, tmp_path):
    mark = tmp_path / "ran"
    name = str(mark)
    layer = keras.layers.Lambda(lambda x: pathlib.Path(name).touch() or x)
    inputs = keras.Input((3,))
    keras.Model(inputs, keras.layers.Dense(2)(inputs)).save(file)
    config = config_of(file)
    config["config"]["layers"].append(keras.saving.serialize_keras_object(layer))
    rewritten(file, {"config.json": json.dumps(config)})
    assert "Lambda" in told(file) and not mark.exists()


@pytest.mark.parametrize("name", ["model.keras", "model.h5", "model.hdf5"])
def test_a_model_of_the_older_format_never_reaches_keras(tmp_path, name):
    inputs = keras.Input((3,))
    model = keras.Model(inputs, keras.layers.Lambda(lambda x: x)(inputs))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        keras.src.legacy.saving.legacy_h5_format.save_model_to_hdf5(
            model, h5py.File(tmp_path / name, "w"), True, False
        )
    assert "Lambda" not in told(tmp_path / name)


def test_an_archive_behind_another_format_is_refused(file, whole):
    file.write_bytes(b"\x89HDF\r\n\x1a\n" + b"\0" * 504 + whole)
    assert zipfile.is_zipfile(file)
    assert "that is no archive" in told(file)


@pytest.mark.parametrize(
    ("name", "what"),
    [
        ("../../evil.py", "a file outside of it"),
        ("/etc/cron.d/evil", "a file outside of it"),
        ("assets/vocabulary.txt", "another file in it"),
        ("evil.pkl", "another file in it"),
        ("model.weights.npz", "another file in it"),
    ],
)
def test_other_members_are_refused_by_name(file, name, what):
    rewritten(file, more=[(name, b"x")])
    message = told(file)
    assert what in message and name in message


def test_two_members_of_one_name_are_refused(file):
    rewritten(file, more=[("config.json", b"{}")])
    assert "two files of one name" in told(file)


@pytest.mark.parametrize("name", ["config.json", "model.weights.h5"])
def test_an_archive_without_its_parts_is_refused(file, name):
    rewritten(file, {name: None})
    assert f"an archive without {name}" in told(file)


def test_the_unpacked_size_is_bounded_by_a_key(file):
    message = told(file, limits=limits.Limits(archive_bytes=1000))
    assert "an unpacked archive is larger than the limit" in message
    assert "limits.archive_bytes" in message


def test_what_unpacks_to_far_more_than_it_is_is_refused(file):
    rewritten(file, {"state.json": b"0" * 20_000_000}, compression=zipfile.ZIP_DEFLATED)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    assert "unpacks to far more" in told(file)
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 20_000


def test_compression_alone_is_fine(file):
    rewritten(file, compression=zipfile.ZIP_DEFLATED)
    assert weights.open_model(file).count_params() > 0


def test_a_size_that_lies_is_found(file):
    """The central directory tells less than there is: no more than that is ever read."""
    content = file.read_bytes()
    with zipfile.ZipFile(file) as archive:
        size = archive.getinfo("config.json").file_size
    old, new = size.to_bytes(4, "little"), (size - 10).to_bytes(4, "little")
    file.write_bytes(content.replace(old, new))
    assert "no model that can be read" in told(file)


def test_a_damaged_member_is_found(file):
    content = bytearray(file.read_bytes())
    content[content.index(b"date_saved")] ^= 1
    file.write_bytes(content)
    assert "Bad CRC-32 for file 'metadata.json'" in told(file)


@pytest.mark.parametrize("kind", ["missing", "folder", "pipe", "empty", "text"])
def test_what_is_no_archive_is_told(tmp_path, kind):
    file = tmp_path / "model.keras"
    match kind:
        case "folder":
            file.mkdir()
        case "pipe":
            os.mkfifo(file)
        case "empty":
            file.touch()
        case "text":
            file.write_text("no model")
    assert "no model that can be read" in told(file)


@pytest.mark.parametrize("text", ["[" * 100_000, "no JSON", "[]", "3", '{"class_name": 1}', "{}"])
def test_a_configuration_that_is_none_is_refused(file, text):
    rewritten(file, {"config.json": text})
    told(file)


@pytest.mark.parametrize(
    ("name", "argument", "value"),
    [
        ("Classes", "units", 10**9),
        ("LSTM", "units", 10**7),
        ("Conv2D", "filters", 10**9),
        ("Conv2D", "kernel_size", [30_000, 30_000]),
    ],
)
def test_no_more_weights_are_built_than_the_archive_holds(file, name, argument, value):
    config = config_of(file)
    parts(config, name)[0]["config"][argument] = value
    rewritten(file, {"config.json": json.dumps(config)})
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    assert "a network with more weights than the archive holds" in told(file)
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 50_000


@pytest.mark.parametrize(
    ("name", "value"), [("units", -3), ("units", "3" * 50), ("units", 2**70), ("units", True)]
)
def test_sizes_that_are_none_are_refused(file, name, value):
    config = config_of(file)
    parts(config, "Classes")[0]["config"][name] = value
    rewritten(file, {"config.json": json.dumps(config)})
    assert "a size of" in told(file)


def test_an_input_that_is_built_of_another_shape_is_no_way_around(file):
    config = config_of(file)
    parts(config, "Classes")[0]["build_config"]["input_shape"][-1] = 10**10
    rewritten(file, {"config.json": json.dumps(config)})
    assert "more weights than the archive holds" in told(file)
    del parts(config, "Classes")[0]["build_config"]
    rewritten(file, {"config.json": json.dumps(config)})
    assert "an archive that cannot be read" in told(file)


@pytest.mark.parametrize("sizes", [(10**10, 1), (1, 10**10), (1, 1)])
def test_a_layer_that_is_built_of_two_shapes_is_refused(file, sizes):
    """Keras takes one of them, whichever is looked at here."""
    config = config_of(file)
    one, other = sizes
    parts(config, "Classes")[0]["build_config"] = {
        "input_shape": [None, None, one],
        "shapes_dict": {"sequences_shape": [None, None, other]},
    }
    rewritten(file, {"config.json": json.dumps(config)})
    assert "built of two shapes" in told(file)


@pytest.mark.parametrize(
    ("name", "argument"), [("Classes", "units"), ("Conv2D", "filters"), ("LSTM", "units")]
)
def test_a_layer_without_channels_is_refused(file, name, argument):
    config = config_of(file)
    layer = parts(config, name)[0]
    layer["config"][argument] = 2**27
    built = layer["build_config"]
    (built.get("shapes_dict") or {"sequences_shape": built.get("input_shape")})["sequences_shape"][
        -1
    ] = 0
    rewritten(file, {"config.json": json.dumps(config)})
    assert "without channels" in told(file)


@pytest.mark.parametrize(
    ("layer", "shape"),
    [
        (keras.layers.Dense(5), (3,)),
        (keras.layers.Dense(5, use_bias=False), (3,)),
        (keras.layers.Conv2D(4, (3, 2), groups=2), (8, 8, 6)),
        (keras.layers.Conv2D(4, 3, use_bias=False), (8, 8, 6)),
        (keras.layers.DepthwiseConv2D(3, depth_multiplier=2), (8, 8, 6)),
        (keras.layers.BatchNormalization(), (8, 8, 6)),
        (keras.layers.LSTM(7), (2, 3)),
        (keras.layers.LSTM(7, use_bias=False), (2, 3)),
        (keras.layers.Embedding(5, 3), (2,)),
    ],
)
def test_every_weight_counts_and_no_bias_is_free(tmp_path, layer, shape):
    inputs = keras.Input(shape)
    model = keras.Model(inputs, layer(inputs))
    file = tmp_path / "a.keras"
    model.save(file)
    assert sum(archives._weights(config_of(file))) == model.count_params()
    archives.check(file)


def test_weights_beside_those_of_a_layer_are_refused(file):
    config = config_of(file)
    parts(config, "Classes")[0]["config"]["lora_rank"] = 2**30
    rewritten(file, {"config.json": json.dumps(config)})
    assert "more weights beside its own" in told(file)


def test_the_input_is_bounded(file):
    config = config_of(file)
    parts(config, "InputContract")[0]["config"] |= {"height": 100_000, "width": 100_000}
    rewritten(file, {"config.json": json.dumps(config)})
    assert "limits.image_pixels" in told(file)


def weights_with(change):
    content = io.BytesIO()
    with h5py.File(content, "w") as stored:
        change(stored)
    return content.getvalue()


def external(stored):
    stored.create_dataset("vars/0", (100,), "f4", external=[("/etc/passwd", 0, 400)])


def virtual(stored):
    layout = h5py.VirtualLayout((10,), "f4")
    layout[:] = h5py.VirtualSource("/etc/passwd.h5", "x", (10,))
    stored.create_virtual_dataset("vars", layout)


def linked(link):
    def change(stored):
        stored["vars"] = link

    return change


def cycle(stored):
    group = stored.create_group("a")
    group["b"] = stored["a"]


def objects(stored):
    stored.create_dataset("x", data=["text"], dtype=h5py.string_dtype())


def bomb(stored):
    stored.create_dataset("x", (2**40,), "f4")


def packed_bomb(stored):
    stored.create_dataset("x", (2**34,), "f4", chunks=(2**20,), compression="gzip")[:10] = 1


def deep(stored):
    stored.create_group("/".join("a" * 500))


HDF5 = {
    "external data": (external, "a tensor that lies in another file"),
    "virtual data": (virtual, "a tensor that lies in another file"),
    "an external link": (linked(h5py.ExternalLink("/etc/x.h5", "/a")), "a link to elsewhere"),
    "a soft link": (linked(h5py.SoftLink("/vars")), "a link to elsewhere"),
    "a cycle": (cycle, "one object under two names"),
    "objects": (objects, "a tensor of objects"),
    "a shape without data": (bomb, "a tensor that tells more than it holds"),
    "a packed shape": (packed_bomb, "a tensor that tells more than it holds"),
    "depth": (deep, "too many groups"),
}


@pytest.mark.parametrize("name", HDF5)
@pytest.mark.parametrize("kind", [".keras", ".weights.h5"])
def test_weights_of_other_files_and_without_data_are_refused(file, tmp_path, name, kind):
    change, message = HDF5[name]
    content = weights_with(change)
    if kind == ".keras":
        rewritten(file, {"model.weights.h5": content})
        assert message in told(file)
        return
    path = tmp_path / "a.weights.h5"
    path.write_bytes(content)
    with pytest.raises(errors.UserError, match=message):
        weights.load_backbone_weights(small(), path)


def test_weights_may_be_as_large_as_the_limit(tmp_path):
    path = tmp_path / "a.weights.h5"
    small().save_weights(path)
    with pytest.raises(errors.UserError, match="limits.archive_bytes"):
        weights.load_backbone_weights(small(), path, limits=limits.Limits(archive_bytes=100))
    weights.load_backbone_weights(small(), path)


def test_a_contract_of_a_stranger_is_taken_only_if_it_is_one(tmp_path):
    path = tmp_path / "a.weights.h5"
    weights.save_backbone_weights(small(), path)
    assert weights.contract_in(path)["channel_order"] == "rgb"
    for change in ({"scale": "x"}, {"mean": [1]}, {"channel_order": "xyz"}, {"std": [1, 2, 1e99]}):
        with h5py.File(path, "r+") as stored:
            told = json.loads(stored.attrs["lrcn_input_contract"])
            stored.attrs["lrcn_input_contract"] = json.dumps({**told, **change})
            assert weights.contract_in(path) is None
            stored.attrs["lrcn_input_contract"] = json.dumps(told)


@pytest.fixture(scope="module")
def stored(tmp_path_factory, whole):
    file = tmp_path_factory.mktemp("whole") / "whole.keras"
    file.write_bytes(whole)
    return file


@hypothesis.given(
    strategies.lists(
        strategies.tuples(
            # Half of them where the names, the configuration and the directory stand.
            strategies.floats(0, 0.2) | strategies.floats(0.9, 1, exclude_max=True),
            strategies.integers(0, 255),
        ),
        min_size=1,
        max_size=8,
    )
)
@hypothesis.settings(
    max_examples=30,
    deadline=None,
    suppress_health_check=[hypothesis.HealthCheck.function_scoped_fixture],
)
def test_a_damaged_archive_opens_or_is_a_user_error(tmp_path, stored, changes):
    content = bytearray(stored.read_bytes())
    for share, value in changes:
        content[int(share * len(content))] = value
    file = tmp_path / "damaged.keras"
    file.write_bytes(content)
    try:
        archives.check(file)
    except errors.UserError as error:
        assert str(file) in str(error)
    else:
        model = weights.open_model(file)
        assert model.get_layer("head").get_layer("classes").units == 3
