"""Backbones: the paper's shapes and totals, freezing, layers, sizes and refusals."""

import keras
import numpy as np
import pytest
from keras import ops

from lrcn.errors import UserError
from lrcn.models import architectures, backbones, layers

HYBRID_SHAPES = {
    "conv1": (111, 111, 96), "pool1": (55, 55, 96), "norm1": (55, 55, 96),
    "conv2": (26, 26, 384), "pool2": (13, 13, 384), "norm2": (13, 13, 384),
    "conv3": (13, 13, 512), "conv4": (13, 13, 512), "conv5": (13, 13, 384),
    "pool5": (6, 6, 384), "flatten": (13824,), "fc6": (4096,), "fc7": (4096,),
}  # fmt: skip
HYBRID_PARAMETERS = {
    "conv1": 14_208, "conv2": 461_184, "conv3": 1_769_984, "conv4": 1_180_160,
    "conv5": 885_120, "fc6": 56_627_200, "fc7": 16_781_312,
}  # fmt: skip
KRIZHEVSKY_SHAPES = {
    "conv1": (55, 55, 96), "conv2": (27, 27, 256), "conv3": (13, 13, 384),
    "conv4": (13, 13, 384), "conv5": (13, 13, 256), "pool5": (6, 6, 256), "fc7": (4096,),
}  # fmt: skip


def shapes(model: keras.Model) -> dict[str, tuple[int, ...]]:
    return {layer.name: tuple(layer.output.shape[1:]) for layer in model.layers}


def bytes_of(size: int, count: int = 2) -> np.ndarray:
    return np.random.default_rng(0).integers(0, 256, (count, size, size, 3), "uint8")


@pytest.fixture(scope="module")
def hybrid() -> keras.Model:
    return backbones.build("hybrid", layer="fc7", initializer="zeros")


@pytest.fixture(scope="module")
def caffenet() -> keras.Model:
    return backbones.build("caffenet", layer="fc7", initializer="zeros")


def test_hybrid_has_every_shape_of_the_paper(hybrid):
    assert shapes(hybrid).items() >= HYBRID_SHAPES.items()


def test_hybrid_has_every_parameter_count_of_the_paper(hybrid):
    counts = {layer.name: layer.count_params() for layer in hybrid.layers if layer.weights}

    assert counts == HYBRID_PARAMETERS


def test_caffenet_has_its_parameters_with_a_thousand_classes(caffenet):
    assert caffenet.count_params() + 4096 * 1000 + 1000 == 60_965_224
    assert shapes(caffenet).items() >= KRIZHEVSKY_SHAPES.items()


def test_caffenet_pools_before_it_normalises_and_alexnet_after(caffenet):
    alexnet = backbones.build("alexnet", image_size=(67, 67), initializer="zeros")
    order = [layer.name for layer in caffenet.layers]

    assert order.index("pool1") < order.index("norm1")
    order = [layer.name for layer in alexnet.layers]
    assert order.index("norm1") < order.index("pool1")


def test_alexnet_family_takes_blue_green_red_less_the_mean(hybrid):
    contract = backbones.contract_of(hybrid)

    assert contract["channel_order"] == "bgr" and contract["scale"] == 1
    assert contract["mean"] == [103.939, 116.779, 123.68]
    assert (contract["height"], contract["width"]) == (227, 227)
    assert isinstance(hybrid.layers[1], layers.InputContract)


@pytest.mark.parametrize("size", [67, 99, 131])
def test_pools_round_up_like_caffe(size):
    model = backbones.build("hybrid", layer="fc6", image_size=(size, size), initializer="zeros")
    for name in ("pool1", "pool2", "pool5"):
        pool = model.get_layer(name)
        side = pool.input.shape[1]
        assert pool.output.shape[1] == -(-(side - 3) // 2) + 1


@pytest.mark.parametrize(
    ("name", "workflow", "layer"),
    [
        ("hybrid", "singleframe", "fc7"),
        ("hybrid", "lstm", "fc6"),
        ("vgg16", "lstm", "fc6"),
        ("caffenet", "imgdesc_step", "fc8"),
        ("mobilenet", "imgdesc_step", "pool"),
        ("mobilenet", "lstm", "pool"),
        ("small", "singleframe", "moments"),
    ],
)
def test_default_layer(name, workflow, layer):
    assert backbones.default_layer(name, workflow) == layer


def test_initializer_of_the_paper():
    model = backbones.build("hybrid", layer="fc6", image_size=(67, 67), initializer="gaussian_0.01")
    kernel, bias = model.get_layer("conv3").get_weights()

    assert kernel.std() == pytest.approx(0.01, rel=0.05)
    assert (bias == np.float32(0.1)).all()


@pytest.mark.parametrize("name", ["mobilenet", "resnet50", "efficientnet_v2"])
def test_applications_pool_their_last_maps(name):
    model = backbones.build(name, image_size=(32, 32))

    assert model.output_shape == ((None, {"mobilenet": 1024}.get(name, model.output_shape[-1])))
    assert model.input.dtype == "uint8"
    assert backbones.contract_of(model)["height"] == 32
    assert isinstance(model.layers[1], layers.InputContract)


def test_resnet50_is_fed_as_keras_feeds_it():
    model = backbones.build("resnet50", image_size=(32, 32))
    frames = bytes_of(8)
    contract = layers.InputContract(**backbones.contract_of(model))

    expected = keras.applications.resnet50.preprocess_input(frames.astype("float32"))

    np.testing.assert_allclose(ops.convert_to_numpy(contract(frames)), expected, atol=1e-4)


def test_efficientnet_v2_is_fed_as_keras_feeds_it():
    own = keras.applications.EfficientNetV2B0(
        include_top=False, weights=None, input_shape=(32, 32, 3)
    )
    normalised = keras.Model(own.input, own.get_layer("normalization").output)
    model = backbones.build("efficientnet_v2", image_size=(32, 32))
    contract = layers.InputContract(**backbones.contract_of(model))
    frames = bytes_of(32)

    expected = ops.convert_to_numpy(normalised(frames.astype("float32")))

    np.testing.assert_allclose(ops.convert_to_numpy(contract(frames)), expected, atol=1e-5)


def test_vgg16_offers_its_pooled_maps_at_any_size():
    model = backbones.build("vgg16", layer="pool", image_size=(32, 48))

    assert model.output_shape == (None, 512)
    assert model.count_params() == 14_714_688


def test_frozen_backbone_does_not_change_under_training():
    model = backbones.build("mobilenet", alpha=0.25, image_size=(32, 32))
    frames = bytes_of(32)
    calm = ops.convert_to_numpy(layers.PerFrame(model)(frames[None], training=False))
    before = model.get_weights()

    busy = ops.convert_to_numpy(layers.PerFrame(model)(frames[None], training=True))

    assert model.trainable_weights == []
    np.testing.assert_array_equal(busy, calm)
    for old, new in zip(before, model.get_weights(), strict=True):
        np.testing.assert_array_equal(old, new)


def test_dropout_between_fc6_and_fc7_only_while_training():
    options = {"layer": "fc7", "image_size": (67, 67), "initializer": "zeros"}
    frozen = backbones.build("caffenet", **options)
    trained = backbones.build("caffenet", trainable=True, dropout=0.5, **options)

    assert "drop6" not in shapes(frozen)
    assert trained.get_layer("drop6").rate == 0.5


def test_fc8_gives_the_logits_of_1000_classes_after_a_dropout_of_its_own():
    options = {"layer": "fc8", "image_size": (67, 67), "initializer": "zeros"}
    trained = backbones.build("caffenet", trainable=True, dropout=0.5, **options)
    assert [name for name in shapes(trained) if name.startswith(("fc", "drop"))] == [
        *("fc6", "drop6", "fc7", "drop7", "fc8"),
    ]
    assert trained.output_shape == (None, 1000)
    assert trained.get_layer("fc8").activation is keras.activations.linear


def test_trainable_true_trains_everything():
    model = backbones.build("small", trainable=True)

    assert len(model.trainable_weights) == 8
    assert len(model.weights) == 8 + 2  # the moving mean and variance of moments_bn


@pytest.mark.parametrize(
    ("name", "count", "first"),
    [("small", 1, "moments_bn/gamma"), ("small", 3, "conv2/kernel"),
     ("mobilenet", 1, "conv_dw_13/kernel"), ("resnet50", 1, "conv5_block3_1_conv/kernel"),
     ("efficientnet_v2", 2, "block6h_expand_conv/kernel")],
)  # fmt: skip
def test_trainable_number_trains_the_last_blocks(name, count, first):
    model = backbones.build(name, trainable=count, image_size=(32, 32))

    assert model.trainable_weights[0].path == first
    assert len(model.trainable_weights) < len(model.weights)


def test_partly_frozen_backbone_keeps_frozen_statistics():
    model = backbones.build("mobilenet", alpha=0.25, image_size=(32, 32), trainable=1)
    frozen, free = model.get_layer("conv1_bn"), model.get_layer("conv_pw_13_bn")
    before = ops.convert_to_numpy(frozen.moving_mean), ops.convert_to_numpy(free.moving_mean)

    layers.PerFrame(model)(bytes_of(32)[None], training=True)

    np.testing.assert_array_equal(ops.convert_to_numpy(frozen.moving_mean), before[0])
    assert (ops.convert_to_numpy(free.moving_mean) != before[1]).any()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"name": "resnet"}, "backbone: Unknown backbone. Received: resnet. Expected: small, hyb"),
        ({"name": "small", "layer": "fc9"}, "backbone.layer: .*Received: fc9. Expected: moments"),
        ({"name": "resnet50", "layer": "fc6"}, "backbone.layer: .*Received: fc6. Expected: pool"),
        ({"name": "small", "trainable": 5}, "backbone.trainable: .*4 blocks. Received: 5"),
        ({"name": "small", "weights": "imagenet"}, "no published ImageNet weights"),
        ({"name": "small", "weights": "absent.h5"}, "does not exist. Received: absent.h5"),
        ({"name": "small", "image_size": (0, 20)}, "backbone.image_size: .*Received: .0, 20."),
        ({"name": "hybrid", "initializer": "uniform_x"}, "initializer: .*Received: uniform_x"),
    ],
)
def test_refusals_name_the_key(arguments, message):
    with pytest.raises(UserError, match=message):
        backbones.build(**arguments)


@pytest.mark.parametrize("name", ["hybrid", "alexnet", "caffenet", "vgg16", "mobilenet"])
def test_the_smallest_size_works_and_a_smaller_one_is_told(name, monkeypatch):
    architecture = backbones.ARCHITECTURES[name]
    least = architecture.smallest
    own = "{},{}".format(*architecture.image_size)
    layer = backbones.default_layer(name, "lstm")
    options = {"layer": layer, "initializer": "zeros"}
    for size in ((least, least), (least, least + 1), (least + 1, least)):
        assert backbones.build(name, image_size=size, **options).output_shape[1] > 0
    with pytest.raises(UserError) as caught:
        backbones.build(name, image_size=(least + 20, least - 1), **options)
    assert str(caught.value).startswith(
        f"backbone.image_size: Backbone {name} cannot see such frames. Received: "
        f"[{least + 20}, {least - 1}]. Expected: [height, width] of at least {least}x{least}. "
        f"Set backbone.image_size=[{own}]"
    )
    monkeypatch.setattr(backbones, "_checked_size", lambda name, architecture, size: size)
    with pytest.raises(UserError, match="cannot be built") as caught:
        backbones.build(name, image_size=(least - 1, least - 1), **options)
    assert "\x1b" not in str(caught.value)


def test_imagenet_without_a_network_says_what_to_do(monkeypatch):
    def offline(**_):
        raise Exception("URL fetch failure on https://example.invalid")

    monkeypatch.setattr(keras.applications, "ResNet50", offline)
    monkeypatch.setitem(
        backbones.ARCHITECTURES,
        "resnet50",
        architectures.Architecture(
            architectures._pooled(offline), (32, 32), {}, ("pool",), imagenet=True
        ),
    )

    with pytest.raises(UserError, match="could not be fetched.*Give a local weights file"):
        backbones.build("resnet50", weights="imagenet")


def test_model_without_contract_is_refused():
    with pytest.raises(UserError, match="no input contract"):
        backbones.contract_of(keras.Sequential([keras.layers.Dense(1)]))
