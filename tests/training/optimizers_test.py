import subprocess
import sys

import keras
import numpy as np
import pytest

from lrcn import errors
from lrcn.training import optimizers, schedules


def dense_model(seed=0):
    keras.utils.set_random_seed(seed)
    inputs = keras.Input((3,))
    hidden = keras.layers.Dense(4, activation="tanh", name="old")(inputs)
    return keras.Model(inputs, keras.layers.Dense(2, name="new")(hidden))


def caffe_sgd(weights, gradients, *, rates, mults, decays, momentum, clip):
    """Caffe's solver in numpy: clip by global norm, add decay, momentum with the local rate."""
    weights = [weight.copy() for weight in weights]
    speed = [np.zeros_like(weight) for weight in weights]
    for step, gradient in enumerate(gradients):
        norm = np.sqrt(sum(np.sum(part**2) for part in gradient))
        scale = clip / norm if norm > clip else 1.0
        for index, weight in enumerate(weights):
            total = scale * gradient[index] + decays[index] * weight
            speed[index] = momentum * speed[index] + rates[step] * mults[index] * total
            weight -= speed[index]
    return weights


def random_gradients(model, steps, scale):
    rng = np.random.default_rng(3)
    shapes = [variable.shape for variable in model.trainable_variables]
    return [[scale * rng.normal(size=shape) for shape in shapes] for _ in range(steps)]


def paper_optimizer(model, **changes):
    arguments = {
        "variables": model.trainable_variables,
        "learning_rate": schedules.build(
            "staircase", learning_rate=0.05, total_steps=12, decay_steps=5, decay_rate=0.1
        ),
        "momentum": 0.9,
        "weight_decay": 0.005,
        "clipnorm": 5.0,
        "new_variables": model.get_layer("new").trainable_variables,
        "lr_mult": 10.0,
        "bias_lr_mult": 2.0,
    }
    return optimizers.build("sgd", **{**arguments, **changes})


def test_sgd_follows_caffes_solver():
    model = dense_model()
    optimizer = paper_optimizer(model)
    before = [variable.numpy().astype("float64") for variable in model.trainable_variables]
    gradients = random_gradients(model, 12, 2.0)
    for gradient in gradients:
        optimizer.apply([part.astype("float32") for part in gradient], model.trainable_variables)
    expected = caffe_sgd(
        before,
        gradients,
        rates=[0.05 * 0.1 ** (step // 5) for step in range(12)],
        mults=[1, 2, 10, 20],
        decays=[0.005, 0, 0.005, 0],
        momentum=0.9,
        clip=5.0,
    )
    for variable, value in zip(model.trainable_variables, expected, strict=True):
        np.testing.assert_allclose(variable.numpy(), value, rtol=2e-5, atol=2e-6)


@pytest.mark.parametrize("name", optimizers.NAMES)
def test_lr_mult_scales_the_step_of_new_layers_only(name):
    moves = []
    for lr_mult in (1.0, 10.0):
        model = dense_model()
        optimizer = optimizers.build(
            name,
            variables=model.trainable_variables,
            learning_rate=0.01,
            new_variables=model.get_layer("new").trainable_variables,
            lr_mult=lr_mult,
        )
        before = model.get_weights()
        optimizer.apply(random_gradients(model, 1, 1.0)[0], model.trainable_variables)
        moves.append([b - a for a, b in zip(before, model.get_weights(), strict=True)])
    for plain, scaled, factor in zip(*moves, (1, 1, 10, 10), strict=True):
        assert np.abs(plain).min() > 0
        np.testing.assert_allclose(scaled, factor * plain, rtol=1e-4, atol=1e-7)


@pytest.mark.parametrize("name", ["adam", "rmsprop"])
def test_decoupled_decay_works_on_the_weight_itself(name):
    moves = []
    for decay in (0.0, 0.5):
        model = dense_model()
        optimizer = optimizers.build(
            name,
            variables=model.trainable_variables,
            learning_rate=0.01,
            weight_decay=decay,
        )
        before = model.get_weights()
        optimizer.apply(random_gradients(model, 1, 1.0)[0], model.trainable_variables)
        moves.append(model.get_weights())
    np.testing.assert_allclose(moves[1][0], moves[0][0] - 0.01 * 0.5 * before[0], atol=1e-6)
    np.testing.assert_array_equal(moves[1][1], moves[0][1])


@pytest.mark.parametrize("name", optimizers.NAMES)
def test_a_saved_optimizer_goes_on_bit_for_bit(name, tmp_path):
    rng = np.random.default_rng(0)
    inputs, targets = rng.normal(size=(40, 3)).astype("float32"), rng.integers(0, 2, 40)

    def compiled():
        model = dense_model()
        optimizer = optimizers.build(
            name,
            variables=model.trainable_variables,
            learning_rate=schedules.build(
                "exponential", learning_rate=0.01, total_steps=40, decay_steps=5, warmup_steps=3
            ),
            weight_decay=0.01,
            clipnorm=0.5,
            new_variables=model.get_layer("new").trainable_variables,
            lr_mult=10.0,
        )
        loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
        model.compile(optimizer=optimizer, loss=loss)
        return model

    def fit(model, epochs):
        model.fit(inputs, targets, batch_size=8, epochs=epochs, shuffle=False, verbose=0)

    straight = compiled()
    fit(straight, 4)
    interrupted = compiled()
    fit(interrupted, 2)
    interrupted.save(tmp_path / "model.keras")
    loaded = keras.models.load_model(tmp_path / "model.keras")
    fit(loaded, 2)
    for expected, value in zip(straight.get_weights(), loaded.get_weights(), strict=True):
        np.testing.assert_array_equal(value, expected)
    states = zip(straight.optimizer.variables, loaded.optimizer.variables, strict=True)
    for expected, value in states:
        np.testing.assert_array_equal(value.numpy(), expected.numpy())
    assert loaded.optimizer.lr_mults == (1.0, 1.0, 10.0, 10.0)


def test_mixed_float16_keeps_the_factors(tmp_path):
    keras.config.set_dtype_policy("mixed_float16")
    try:
        model = dense_model()
    finally:
        keras.config.set_dtype_policy("float32")
    model.compile(optimizer=paper_optimizer(model, loss_scaling=True), loss="mse")
    model.fit(np.ones((4, 3)), np.ones((4, 2)), verbose=0)
    model.save(tmp_path / "model.keras")
    loaded = keras.models.load_model(tmp_path / "model.keras")
    assert loaded.optimizer.inner_optimizer.lr_mults == (1.0, 2.0, 10.0, 20.0)


def test_another_set_of_variables_is_refused():
    optimizer = paper_optimizer(dense_model())
    with pytest.raises(ValueError, match="1 trainable variables. Expected: 4"):
        optimizer.build(dense_model().trainable_variables[:1])


def test_unknown_optimizer_is_named():
    with pytest.raises(errors.UserError, match="optimizer.*lion.*one of sgd"):
        optimizers.build("lion", variables=[], learning_rate=0.1)


def test_a_saved_optimizer_loads_after_importing_the_models_alone(tmp_path):
    model = dense_model()
    model.compile(optimizer=paper_optimizer(model), loss="mse")
    model.save(tmp_path / "model.keras")
    code = f"import lrcn.models, keras; keras.models.load_model({str(tmp_path / 'model.keras')!r})"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
