"""Workflows: the paper's totals and LSTM, outputs, pooling, sharing of the optimizer, saving."""

import subprocess
import sys

import keras
import numpy as np
import pytest
from keras import ops

from lrcn.errors import UserError
from lrcn.models import activity, backbones, networks
from lrcn.scoring import losses

GOLDEN_A = [
    [0.16189334, 0.02776992, -0.00190783, 0.08001171],
    [0.0124531, 0.0722266, -0.07931635, 0.01046364],
    [0.14232311, 0.03242958, 0.01225287, 0.06981065],
]
GOLDEN_B_LAST = [0.14232311, 0.03242958, 0.07190154, 0.06702734]
GOLDEN_C = [
    [0.01122911, 0.08317381, -0.06365825, 0.10639275],
    [-0.11872693, 0.22234976, -0.10040363, 0.03091126],
    [-0.05220169, 0.13811943, -0.07874225, 0.09867445],
]


def tiny_backbone(trainable=False, size: int = 16) -> keras.Model:
    return backbones.build("small", image_size=(size, size), trainable=trainable)


def stand_in(features: int) -> keras.Model:
    """A backbone of given feature length with no weights."""
    frames = keras.Input((1, features, 3), dtype="uint8")
    values = keras.layers.Rescaling(1 / 255)(frames)
    return keras.Model(frames, keras.layers.Flatten()(values[:, :, :, 0]))


def clips(count: int = 3, steps: int = 4, size: int = 16) -> np.ndarray:
    return np.random.default_rng(0).integers(0, 256, (count, steps, size, size, 3), "uint8")


def sine(shape: tuple[int, ...], a: float, b: float) -> np.ndarray:
    """The paper's spec section 6.3: seq(shape, a, b)."""
    return (np.sin(a * np.arange(np.prod(shape)) + b) / 2).reshape(shape).astype("float32")


def from_caffe(rows: np.ndarray) -> np.ndarray:
    """Rows of gates i, f, o, g of 2 units to Keras's columns i, f, g, o."""
    i, f, o, g = np.split(rows, 4)
    return np.concatenate([i, f, g, o]).T


def golden_lstm(inputs: np.ndarray, kernel: np.ndarray) -> np.ndarray:
    """Runs [batch, time, features] through the LSTM of the workflow with the golden weights."""
    model = activity.lstm(stand_in(inputs.shape[-1]), num_classes=2, units=2, dropout_out=0)
    head = networks.head(model)
    lstm = head.get_layer("lstm1")
    recurrent = from_caffe(sine((8, 2), 1.1, 0.2))
    bias = from_caffe(sine((8,), 0.9, 0.3)[:, None])[0]
    lstm.set_weights([kernel, recurrent, bias])
    return ops.convert_to_numpy(keras.Model(head.input, lstm.output)(inputs))


def by_time(outputs: np.ndarray) -> np.ndarray:
    return outputs.transpose(1, 0, 2).reshape(outputs.shape[1], -1)


INPUTS = (2 * sine((3, 2, 3), 0.5, 0.6)).transpose(1, 0, 2)  # [batch 2, time 3, features 3]
KERNEL = from_caffe(sine((8, 3), 0.7, 0.1))


def test_lstm_golden_a():
    np.testing.assert_allclose(by_time(golden_lstm(INPUTS, KERNEL)), GOLDEN_A, atol=1e-7)


def test_lstm_golden_b_restarts_a_stream():
    restarted = golden_lstm(INPUTS[1:, 2:], KERNEL)[0, 0]
    running = golden_lstm(INPUTS[:1], KERNEL)[0, 2]

    np.testing.assert_allclose(np.concatenate([running, restarted]), GOLDEN_B_LAST, atol=1e-7)


def test_lstm_golden_c_takes_a_static_input():
    static = np.repeat(2 * sine((2, 2), 0.8, 0.5)[:, None], 3, axis=1)
    kernel = np.concatenate([KERNEL, from_caffe(sine((8, 2), 1.3, 0.4))])

    outputs = golden_lstm(np.concatenate([INPUTS, static], axis=-1), kernel)

    np.testing.assert_allclose(by_time(outputs), GOLDEN_C, atol=1e-7)


@pytest.mark.parametrize(
    ("layer", "workflow", "options", "total"),
    [
        ("fc7", activity.singleframe, {}, 78_132_965),
        ("fc6", activity.lstm, {"units": 256}, 65_421_285),
        ("fc6", activity.lstm, {"units": 1024}, 82_016_997),
        ("fc7", activity.lstm, {"units": 256}, 82_202_597),
    ],
)
def test_totals_of_the_paper(layer, workflow, options, total):
    backbone = backbones.build("hybrid", layer=layer, initializer="zeros")

    model = workflow(backbone, num_classes=101, initializer="zeros", **options)

    assert model.count_params() == total


def test_outputs_are_float32_and_of_the_agreed_shapes():
    for build in (activity.singleframe, activity.lstm):
        model = build(tiny_backbone(), num_classes=5)
        outputs = model(clips(2, 3))

        assert sorted(outputs) == ["logits", "probabilities"]
        assert outputs["logits"].shape == (2, 3, 5)
        assert outputs["probabilities"].shape == (2, 5)
        assert model.output["logits"].shape == (None, None, 5)
        np.testing.assert_allclose(
            ops.convert_to_numpy(outputs["probabilities"]).sum(axis=-1), 1, rtol=1e-5
        )


@pytest.mark.parametrize("pooling", ["avg", "last", "max"])
@pytest.mark.parametrize("multi_label", [False, True])
def test_probabilities_are_the_pooled_activations(pooling, multi_label):
    model = activity.lstm(
        tiny_backbone(), num_classes=3, units=4, pooling=pooling, multi_label=multi_label
    )
    outputs = model(clips())
    activation = ops.sigmoid if multi_label else ops.softmax
    steps = ops.convert_to_numpy(activation(outputs["logits"]))

    expected = {"avg": steps.mean(1), "last": steps[:, -1], "max": steps.max(1)}[pooling]
    if pooling == "max" and not multi_label:
        expected = expected / expected.sum(-1, keepdims=True)

    np.testing.assert_allclose(ops.convert_to_numpy(outputs["probabilities"]), expected, rtol=1e-5)


def test_single_frame_ignores_the_order_of_frames_and_lstm_does_not():
    frames = clips(1, 5)
    shuffled = frames[:, [3, 0, 4, 1, 2]]
    single = activity.singleframe(tiny_backbone(), num_classes=3)
    recurrent = activity.lstm(tiny_backbone(), num_classes=3)

    np.testing.assert_allclose(
        single(frames)["probabilities"], single(shuffled)["probabilities"], rtol=1e-5
    )
    difference = recurrent(frames)["probabilities"] - recurrent(shuffled)["probabilities"]
    assert np.abs(difference).max() > 1e-5


def test_whole_sequence_agrees_with_its_beginning():
    model = activity.lstm(tiny_backbone(), num_classes=3, layers=2)
    frames = clips(1, 6)

    np.testing.assert_allclose(
        model(frames)["logits"][:, :4], model(frames[:, :4])["logits"], rtol=1e-4, atol=1e-6
    )


def test_defaults_and_the_papers_initialisation():
    usual = activity.lstm(stand_in(8), num_classes=2, units=3)
    paper = activity.lstm(stand_in(8), num_classes=2, units=3, initializer="uniform_0.01")
    usual_bias = networks.head(usual).get_layer("lstm1").get_weights()[2]
    kernel, recurrent, bias = networks.head(paper).get_layer("lstm1").get_weights()

    assert usual_bias.tolist() == [0] * 3 + [1] * 3 + [0] * 6
    assert bias.tolist() == [0] * 12
    assert 0.005 < np.abs(kernel).max() <= 0.01 and np.abs(recurrent).max() <= 0.01


def test_dropouts_are_where_they_are_asked_for():
    model = activity.lstm(tiny_backbone(), num_classes=2, dropout_in=0.9, dropout_out=0.5)
    names = [layer.name for layer in networks.head(model).layers]
    assert names.index("dropout_in") < names.index("lstm1") < names.index("dropout_out")

    bare = activity.lstm(tiny_backbone(), num_classes=2, dropout_out=0)
    assert not any(layer.name.startswith("dropout") for layer in networks.head(bare).layers)


@pytest.mark.parametrize("options", [{"num_classes": 0}, {"layers": 0}, {"pooling": "mean"}])
def test_refusals(options):
    with pytest.raises(UserError, match="Received: (0|mean)"):
        activity.lstm(tiny_backbone(), **{"num_classes": 2, **options})


def compiled(model: keras.Model, optimizer, loss: str = "every_step") -> keras.Model:
    output, function = losses.build(loss)
    model.compile(optimizer, loss={output: function})
    return model


def optimizer_values(model: keras.Model) -> list[np.ndarray]:
    return [variable.numpy().copy() for variable in model.optimizer.variables]


def assert_all_equal(first, second) -> None:
    for a, b in zip(first, second, strict=True):
        np.testing.assert_array_equal(a, b)


def test_head_and_whole_model_share_an_optimizer_through_saving(tmp_path):
    frames, labels = clips(4), np.array([0, 1, 2, 0])
    targets = {"logits": losses.every_step(labels, 4)}
    backbone = tiny_backbone()
    whole = activity.lstm(backbone, num_classes=3, units=4, dropout_out=0)
    features = np.stack([backbone.predict(clip, verbose=0) for clip in frames])
    compiled(whole, keras.optimizers.Adam(0.01))
    head = compiled(networks.head(whole), whole.optimizer)

    head.fit(features, targets, verbose=0, shuffle=False)
    whole.save(tmp_path / "last.keras")
    loaded = keras.models.load_model(tmp_path / "last.keras")

    assert_all_equal(optimizer_values(loaded), optimizer_values(whole))
    assert int(loaded.optimizer.iterations) == 1
    loaded_head = compiled(networks.head(loaded), loaded.optimizer)
    head.fit(features, targets, verbose=0, shuffle=False)
    loaded_head.fit(features, targets, verbose=0, shuffle=False)
    assert_all_equal(loaded.get_weights(), whole.get_weights())
    assert_all_equal(optimizer_values(loaded), optimizer_values(whole))
    assert not networks.backbone(loaded).trainable
    assert whole.evaluate(frames, targets, verbose=0) == pytest.approx(
        head.evaluate(features, targets, verbose=0), rel=1e-5
    )


LOADING = """
import sys
import keras
import lrcn.models
model = keras.models.load_model(sys.argv[1])
print(sorted(model.output), int(model.optimizer.iterations))
print([name for name in sys.modules if name.startswith(("lrcn.scoring", "lrcn.training"))])
"""


@pytest.mark.slow
def test_compiled_model_opens_with_the_models_room_alone(tmp_path):
    backbone = backbones.build("caffenet", layer="fc6", image_size=(67, 67), trainable=True)
    model = activity.lstm(backbone, num_classes=2, units=2)
    compiled(model, keras.optimizers.SGD(0.01, momentum=0.9))
    path = tmp_path / "last.keras"
    model.save(path)

    done = subprocess.run(
        [sys.executable, "-c", LOADING, str(path)], capture_output=True, text=True, check=True
    )

    assert done.stdout.splitlines() == ["['logits', 'probabilities'] 0", "[]"]


def test_saved_model_predicts_the_same_and_stays_partly_frozen(tmp_path):
    model = activity.singleframe(tiny_backbone(trainable=2), num_classes=3, pooling="max")
    model.save(tmp_path / "model.keras")

    loaded = keras.models.load_model(tmp_path / "model.keras")

    assert [w.path for w in loaded.trainable_weights] == [w.path for w in model.trainable_weights]
    assert backbones.contract_of(loaded) == backbones.contract_of(model)
    np.testing.assert_array_equal(loaded(clips())["probabilities"], model(clips())["probabilities"])


@pytest.mark.parametrize("policy", ["mixed_bfloat16", "mixed_float16"])
def test_mixed_precision_trains_with_a_float32_head(policy):
    keras.config.set_dtype_policy(policy)
    try:
        backbone = backbones.build("caffenet", layer="fc6", image_size=(67, 67), trainable=True)
        model = compiled(
            activity.lstm(backbone, num_classes=3, units=4), keras.optimizers.SGD(0.01)
        )
    finally:
        keras.config.set_dtype_policy("float32")
    before = model.get_layer("backbone").get_weights()[0].copy()
    labels = {"logits": losses.every_step(np.array([0, 2]), 3)}

    history = model.fit(clips(2, 3, 67), labels, verbose=0).history

    assert backbone.compute_dtype == policy.removeprefix("mixed_")
    assert {w.dtype for w in model.weights} == {"float32"}
    assert keras.backend.standardize_dtype(model(clips(1, 2, 67))["logits"].dtype) == "float32"
    assert np.isfinite(history["loss"]).all()
    assert (model.get_layer("backbone").get_weights()[0] != before).any()
