"""Losses against hand-computed values, with the labels and weights the pipeline gives."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from lrcn.errors import UserError
from lrcn.scoring import losses

LOGITS = np.log([[[0.5, 0.5], [0.25, 0.75]], [[0.9, 0.1], [0.2, 0.8]]]).astype("float32")
POOLED = np.array([[0.4, 0.6], [0.55, 0.45]], "float32")


def test_every_step_is_the_mean_over_time_and_batch():
    output, loss = losses.build("every_step")
    value = float(loss(losses.every_step(np.array([0, 1]), 2), LOGITS))

    assert output == "logits"
    assert value == pytest.approx(-np.log([0.5, 0.25, 0.1, 0.8]).mean(), rel=1e-5)


def test_pooled_is_the_cross_entropy_of_the_probabilities():
    output, loss = losses.build("pooled")

    assert output == "probabilities"
    assert float(loss(np.array([0, 1]), POOLED)) == pytest.approx(
        -np.log([0.4, 0.45]).mean(), rel=1e-5
    )


def test_multi_label_is_binary_at_every_step():
    _, loss = losses.build("every_step", multi_label=True)
    labels = losses.every_step(np.array([[1, 0], [1, 1]], "float32"), 2)
    logits = np.log([[[1, 3], [1, 1]], [[3, 1], [1, 1]]]).astype("float32")
    chances = [1 / 2, 1 / 4, 1 / 2, 1 / 2, 3 / 4, 1 / 2, 1 / 2, 1 / 2]

    assert float(loss(labels, logits)) == pytest.approx(-np.log(chances).mean(), rel=1e-5)


def test_multi_label_pooled_is_binary():
    _, loss = losses.build("pooled", multi_label=True)
    labels = np.array([[1, 1], [0, 0]], "float32")

    assert float(loss(labels, POOLED)) == pytest.approx(
        -np.log([0.4, 0.6, 0.45, 0.55]).mean(), rel=1e-4
    )


def test_weights_of_clips_count_at_every_step():
    _, loss = losses.build("every_step")
    weights = losses.every_step(np.array([1.0, 3.0], "float32"), 2)
    value = float(loss(losses.every_step(np.array([0, 1]), 2), LOGITS, sample_weight=weights))

    terms = -np.log([0.5, 0.25, 0.1, 0.8])
    assert value == pytest.approx((terms * [1, 1, 3, 3]).sum() / 4, rel=1e-5)


def test_every_step_works_inside_tf_data():
    data = tf.data.Dataset.from_tensors(tf.constant([2, 0], tf.int32))
    labels = next(iter(data.map(lambda values: losses.every_step(values, 3))))

    assert labels.numpy().tolist() == [[2, 2, 2], [0, 0, 0]]
    assert labels.dtype == tf.int32


@pytest.mark.parametrize("loss", losses.LOSSES)
@pytest.mark.parametrize("multi_label", [False, True])
def test_losses_are_built_in(loss, multi_label):
    _, function = losses.build(loss, multi_label=multi_label)

    assert keras.saving.serialize_keras_object(function)["module"] == "keras.losses"
    assert keras.saving.serialize_keras_object(function)["registered_name"] is None


def test_unknown_loss():
    with pytest.raises(UserError, match="workflow.loss: .*Received: mean. Expected: every_step"):
        losses.build("mean")


def test_the_loss_of_captions_is_the_mean_over_words_and_padding_has_no_gradient():
    rng = np.random.default_rng(0)
    logits = rng.normal(0, 3, (3, 5, 7)).astype(np.float32)
    targets = rng.integers(0, 7, (3, 5))
    lengths = np.array([5, 1, 3])
    mask = (np.arange(5) < lengths[:, None]).astype(np.float32)
    shifted = logits.astype(np.float64) - logits.max(-1, keepdims=True)
    log_probabilities = shifted - np.log(np.exp(shifted).sum(-1, keepdims=True))
    chosen = np.take_along_axis(log_probabilities, targets[..., None], -1)[..., 0]
    expected = -(chosen * mask).sum() / lengths.sum()
    loss = losses.next_word()
    assert float(loss(targets, logits, sample_weight=mask)) == pytest.approx(expected, abs=1e-6)

    variable = keras.Variable(logits)

    with tf.GradientTape() as tape:
        value = loss(targets, variable.value, sample_weight=mask)
    gradient = np.asarray(tape.gradient(value, variable.value))
    assert not gradient[mask == 0].any()
    assert (np.abs(gradient[mask == 1]).max(-1) > 0).all()
