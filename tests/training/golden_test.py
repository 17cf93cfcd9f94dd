"""One training step of each workflow gives the numbers that it gave before.

Kernels, frames and words are made by integer arithmetic, not drawn, so that no library's random
numbers matter; biases and normalizations have their own first values, such as the forget gate's 1.
Loss, optimizer and model are those that a training has.
"""

import dataclasses
import json
import os
import pathlib

import keras
import numpy as np
import pytest
import tensorflow as tf

from lrcn import settings as settings_lib
from lrcn.data import references
from lrcn.models import networks
from lrcn.scoring import losses
from lrcn.training import assembly, tasks

GOLDEN = pathlib.Path(__file__).with_name("golden_steps.json")
REWRITE = "REWRITE_GOLDEN"
COMMAND = f"{REWRITE}=1 python -m pytest tests/training/golden_test.py"
# Sums of float32 in another order moved these numbers by at most 1e-6, without oneDNN, and 3e-7, on
# one core; other kinds of CPU are given a hundred times that. Another reduction of the loss, forget
# gate's first bias or alpha of LRN moves one of them by 2e-3 or more.
TOLERANCE = 1e-4
# bfloat16 keeps 8 bits of a number and float16 11: a rounding of 0.4 % and 0.05 %, with either
# sign, at each layer of the CNN. Measured: a loss within 0.03 % and 0.1 %, a gradient within 0.6 %
# and 0.15 %. Convolutions round as the CPU's instructions do, so others are given three times that.
MIXED = {
    "mixed_bfloat16": {"loss": 0.01, "gradient": 0.02},
    "mixed_float16": {"loss": 0.005, "gradient": 0.01},
}
NO_DROPOUT = {"workflow__dropout_in": 0.0, "workflow__dropout_out": 0.0}
CAFFENET = settings_lib.AlexNet(
    name="caffenet",
    weights=None,
    layer="fc6",
    trainable=True,
    image_size=(67, 67),
    dropout=0.0,
    initializer=None,
)
SINGLEFRAME = settings_lib.SingleframeWorkflow("singleframe", 0.0, "pooled")
# The paper's solver, with a rate of its own for new layers; RMSprop; and the default, Adam.
SGD = settings_lib.Optimizer("sgd", 1e-3, 5e-4, 10.0, 5.0, 0.9, 2.0, 0.5)
RMSPROP = settings_lib.Optimizer("rmsprop", 1e-3, 1e-2, 1.0, None, 0.9)
DESCRIBING = {
    "imgdesc_step": ("step", {}),
    "imgdesc_state": ("state", {"optimizer": RMSPROP}),
    "videodesc_pooling": ("pooling", {}),
    "videodesc_encdec": ("encdec", {}),
}
WORKFLOWS = ("singleframe", "lstm", *DESCRIBING)


def formula(shape, number):
    """uint32 values that look like noise: quadratic in the place, modulo 2 ** 32."""
    place = np.arange(np.prod(shape, dtype=np.int64), dtype=np.uint64) + np.uint64(7919 * number)
    mixed = (place * place * np.uint64(2654435761) + place * np.uint64(40503)) >> np.uint64(5)
    return (mixed & np.uint64(0xFFFFFFFF)).astype(np.uint32).reshape(shape)


def fill(network):
    """Gives every matrix and kernel values of the formula, of variance 1 / inputs."""
    for number, weight in enumerate(network.trainable_variables):
        if len(weight.shape) > 1:
            unit = formula(weight.shape, number) / 2**31 - 1
            inputs = 1 if "embedding" in weight.path else np.prod(weight.shape[:-1])
            weight.assign((unit * np.sqrt(3 / inputs)).astype(np.float32))


@pytest.fixture
def step_settings(make_settings, caption_settings):
    """Returns the settings of a workflow's golden step."""

    def make(workflow, precision="float32"):
        if workflow == "singleframe":
            settings = make_settings(workflow=SINGLEFRAME, optimizer=SGD)
        elif workflow == "lstm":
            settings = make_settings(backbone=CAFFENET, optimizer=SGD, **NO_DROPOUT)
        else:
            name, changes = DESCRIBING[workflow]
            changes = {"optimizer__learning_rate": 1e-3, **NO_DROPOUT, **changes}
            settings = caption_settings(name, backbone__trainable=True, **changes)
        return dataclasses.replace(settings, precision=precision)

    return make


class Step:
    """A model that is compiled as a training compiles it, and a batch of its own."""

    def __init__(self, settings):
        self.settings = settings
        paths = {split: getattr(settings.dataset, split) for split in ("train", "val")}
        self.task = tasks.of(settings, paths)
        self.network = self.task.build()
        fill(self.network)
        self.model = self.task.feed(self.network, first_epoch=0).model
        optimizer = assembly.optimizer_of(self.network, settings, steps_per_epoch=1)
        self.task.compile(self.network, optimizer)
        optimizer.build(self.network.trainable_variables)
        if self.model is not self.network:
            self.task.compile(self.model, optimizer)
        self.batch = self._described() if settings.describes else self._recognised()

    def measured(self):
        """The loss, norms of its gradient as a whole and by part, and the loss after an update."""
        loss, gradients = self._gradients()
        told = self.model.train_on_batch(*self.batch, return_dict=True)["loss"]
        rounding = MIXED.get(self.settings.precision, {"loss": 1e-5})["loss"]
        assert float(told) == pytest.approx(loss, rel=rounding)
        parts = {}
        for variable, gradient in zip(self.model.trainable_variables, gradients, strict=True):
            parts.setdefault(self._part(variable), []).append(np.sum(np.square(gradient)))
        norms = {part: float(np.sqrt(np.sum(squares))) for part, squares in parts.items()}
        whole = float(np.sqrt(np.sum(np.square(list(norms.values())))))
        after, _ = self._gradients()
        return {
            "loss": loss,
            "gradient": whole,
            **{f"gradient of {part}": norm for part, norm in sorted(norms.items())},
            "loss after the update": after,
        }

    def outputs(self):
        return self.model(self.batch[0], training=True)

    def _gradients(self):
        inputs, targets, mask = self.batch
        with tf.GradientTape() as tape:
            loss = self.model.compute_loss(
                inputs, targets, self.outputs(), sample_weight=mask, training=True
            )
        assert loss.dtype == tf.float32
        variables = [variable.value for variable in self.model.trainable_variables]
        gradients = [
            np.asarray(tf.convert_to_tensor(gradient), np.float64)
            for gradient in tape.gradient(loss, variables)
        ]
        return float(loss), gradients

    def _part(self, variable):
        of_cnn = {weight.path for weight in networks.backbone(self.network).weights}
        layer = variable.path.split("/")[0]
        if variable.path in of_cnn:
            return "cnn"
        if layer.startswith(("lstm", "reader")):
            return "recurrent layers"
        return "embedding" if layer == "embedding" else "head"

    def _frames(self, clips, time):
        size = self.settings.backbone.image_size
        values = (formula((clips, time, *size, 3), 1) >> np.uint32(24)).astype(np.float64)
        # Shades as in a picture, which noise alone has not.
        shade = (
            np.linspace(0, 255, size[0])[:, None, None]
            * np.linspace(0.2, 1, time)[:, None, None, None]
        )
        return tf.constant(np.round((values + shade) / 2).astype(np.uint8))

    def _recognised(self):
        labels = tf.constant([2, 0], tf.int32)
        targets = {"logits": losses.every_step(labels, 4), "probabilities": labels}
        return self._frames(2, 4), targets, None

    def _described(self):
        captions = (("a dog runs", "the dog is running in a field"), ("a cat sleeps",))
        known = references.Words(captions, self.task.vocabulary)
        words, targets, mask = references.trimmed(*known.of(tf.range(3)))
        owner = tf.constant([0, 0, 1], tf.int32)
        if self.settings.describes_images:
            frames, more = tf.gather(self._frames(2, 1), owner), {}
        else:
            frames, more = self._frames(2, 3), {"owner": owner}
        inputs = {"frames": frames, "words": words, **more}
        return inputs, {"logits": targets}, {"logits": mask}


@pytest.fixture
def step(step_settings):
    """Returns the golden step of a workflow under a precision, which is set back."""

    def make(workflow, precision="float32"):
        keras.utils.clear_session()
        keras.config.set_dtype_policy(precision)
        return Step(step_settings(workflow, precision))

    yield make
    keras.config.set_dtype_policy("float32")


def differences(expected, found, tolerance):
    """What is not as it was, a line each."""
    lines = []
    for name in dict.fromkeys([*expected, *found]):
        before, now = expected.get(name), found.get(name)
        if before is None or now is None:
            lines.append(f"  {name}: was {before}, is {now}")
        elif abs(now - before) > tolerance * abs(before):
            share = (now - before) / abs(before)
            lines.append(f"  {name}: was {before:.8g}, is {now:.8g} ({100 * share:+.2g} %)")
    return lines


def message(workflow, lines):
    return "\n".join(
        [
            f"A training step of workflow={workflow} is not what it was (tolerance {TOLERANCE:g}):",
            *lines,
            "If nothing but the code's form was to change, this is a bug: find it, and leave the "
            "file as it is.",
            "Update the file only with a deliberate change of architecture, loss, first values or "
            "optimizer,",
            f"in the same commit, and say in CHANGELOG.md that results change: {COMMAND}",
        ]
    )


@pytest.mark.parametrize("workflow", WORKFLOWS)
def test_a_training_step_is_what_it_was(step, workflow):
    found = step(workflow).measured()
    assert all(np.isfinite(value) and value > 0 for value in found.values())
    golden = json.loads(GOLDEN.read_text()) if GOLDEN.exists() else {}
    if os.environ.get(REWRITE):
        rounded = {name: float(f"{value:.8g}") for name, value in found.items()}
        GOLDEN.write_text(json.dumps({**golden, workflow: rounded}, indent=2) + "\n")
        pytest.skip(f"{GOLDEN.name} holds what {workflow} does now")
    lines = differences(golden[workflow], found, TOLERANCE)
    assert not lines, message(workflow, lines)


def test_the_golden_steps_are_of_all_workflows_and_learn():
    golden = json.loads(GOLDEN.read_text())
    assert set(golden) == set(WORKFLOWS)
    assert {path.stem for path in (GOLDEN.parents[2] / "conf" / "workflow").glob("*.yaml")} == set(
        WORKFLOWS
    )
    for values in golden.values():
        assert values["loss after the update"] < values["loss"]


def test_a_change_is_told_with_its_size_and_what_to_do():
    lines = differences({"loss": 2.0, "gradient": 1.0}, {"loss": 2.1, "gradient": 1.00001}, 1e-4)
    assert lines == ["  loss: was 2, is 2.1 (+5 %)"]
    told = message("lstm", lines)
    assert "workflow=lstm" in told and lines[0] in told and COMMAND in told
    assert "find it, and leave the file as it is" in told
    assert differences({"loss": 1.0, "gone": 2.0}, {"loss": 1.0}, 1e-4) == [
        "  gone: was 2.0, is None"
    ]


@pytest.mark.parametrize("precision", MIXED)
@pytest.mark.parametrize("workflow", WORKFLOWS)
def test_mixed_precision_makes_the_same_step(step, workflow, precision):
    golden = json.loads(GOLDEN.read_text())[workflow]
    mixed = step(workflow, precision)
    backbone = networks.backbone(mixed.network)
    half = precision.removeprefix("mixed_")
    assert {layer.compute_dtype for layer in backbone.layers if layer.weights} == {half}
    assert all(variable.dtype == "float32" for variable in mixed.network.trainable_variables)
    assert {value.dtype for value in mixed.outputs().values()} == {tf.float32}
    found = mixed.measured()
    for name, tolerance in MIXED[precision].items():
        assert found[name] == pytest.approx(golden[name], rel=tolerance), name
