import dataclasses

import numpy as np
import pytest

from lrcn import settings as settings_lib
from lrcn.data import text
from lrcn.models import networks, wording
from lrcn.training import assembly, tasks

SINGLEFRAME = settings_lib.SingleframeWorkflow("singleframe", 0.5, "every_step")
ALEXNET = {"name": "caffenet", "weights": None, "layer": "fc6", "trainable": None, "dropout": 0.5}


def built(settings):
    """Returns a network with its optimizer, and the factors of the rate by path."""
    network = tasks.of(settings, {"train": settings.dataset.train}).build()
    optimizer = assembly.optimizer_of(network, settings, steps_per_epoch=1)
    paths = [variable.path for variable in network.trainable_variables]
    return network, dict(zip(paths, optimizer.lr_mults, strict=True))


@pytest.mark.parametrize(("initializer", "highest"), [("uniform_0.01", 0.01), ("zeros", 0)])
def test_the_workflows_initializer_reaches_the_whole_head(make_settings, initializer, highest):
    for workflow in (make_settings().workflow, SINGLEFRAME):
        workflow = dataclasses.replace(workflow, initializer=initializer)
        network, _ = built(make_settings(workflow=workflow))
        weights = network.get_layer("head").weights
        assert weights
        assert max(np.abs(weight.numpy()).max() for weight in weights) <= highest


def test_the_backbones_initializer_reaches_its_kernels():
    settings = settings_lib.AlexNet(**ALEXNET, image_size=(67, 67), initializer="zeros")
    backbone = assembly.build_backbone(settings, "lstm")
    values = {weight.path: weight.numpy() for weight in backbone.weights}
    assert not values["fc6/kernel"].any() and not values["conv1/kernel"].any()
    assert np.allclose(values["fc6/bias"], 0.1)


def test_biases_have_their_own_rate_but_for_the_lstms(make_settings):
    settings = make_settings(optimizer__bias_lr_mult=2.0, optimizer__lr_mult=10.0)
    _, factors = built(settings)
    assert factors["conv1/bias"] == 2 and factors["conv1/kernel"] == 1
    assert factors["classes/bias"] == 20 and factors["classes/kernel"] == 10
    assert factors["lstm1/lstm_cell/bias"] == factors["lstm1/lstm_cell/kernel"] == 10


def test_the_cnn_has_its_own_rate_whatever_else_is_copied(make_settings):
    settings = make_settings(optimizer__backbone_lr_mult=0.1, optimizer__bias_lr_mult=2.0)
    _, factors = built(settings)
    cnn = {path for path in factors if not path.startswith(("lstm", "classes"))}
    assert cnn >= {"conv1/kernel", "conv1/bias", "moments_bn/gamma"}
    assert {factors[path] for path in cnn if not path.endswith("/bias")} == {0.1}
    assert factors["conv1/bias"] == pytest.approx(0.2)
    assert (factors["classes/kernel"], factors["classes/bias"]) == (1, 2)


def describing(settings):
    return tasks.of(settings, {"train": settings.dataset.train}).build()


@pytest.mark.parametrize(
    ("of_images", "workflow", "carries"),
    [
        ("step", "pooling", True),
        ("state", "encdec", True),
        ("step", "encdec", False),  # its LSTM reads words alone, that of the images frames too
    ],
)
def test_a_network_that_describes_videos_starts_from_one_of_images(
    caption_settings, tmp_path, caplog, of_images, workflow, carries
):
    images = describing(caption_settings(of_images))
    for number, weight in enumerate(images.weights):
        weight.assign(np.random.default_rng(number).normal(size=weight.shape))
    images.save(tmp_path / "images.keras")
    captions = (("two dogs run",), ("a cat",), ("dogs swim",))  # of other words and numbers
    settings = caption_settings(workflow, captions=captions)
    if workflow == "pooling":  # laid out as the network of images is
        settings = caption_settings(
            workflow, captions=captions, workflow__layers=1, workflow__factored=False
        )
    videos = describing(settings)
    before = {weight.path: weight.numpy() for weight in videos.weights}
    caplog.set_level("INFO")
    copied = assembly.start_from(videos, str(tmp_path / "images.keras"))

    source = {weight.path: weight.numpy() for weight in images.weights}
    words = {"embedding/embeddings", "classes/kernel", "classes/bias"}
    lstm = {f"lstm1/lstm_cell/{name}" for name in ("kernel", "recurrent_kernel", "bias")}
    assert copied >= words | {"conv1/kernel"}
    assert (lstm <= copied) is carries
    for weight in videos.weights:
        if weight.path in words:
            continue
        expected = source if weight.path in copied else before
        np.testing.assert_array_equal(weight, expected[weight.path], err_msg=weight.path)
    old, new = wording.tokens_of(images), wording.tokens_of(videos)
    assert old.index("dogs") != new.index("dogs")
    vectors = networks.head(videos).get_layer("embedding").embeddings.numpy()
    for place, token in enumerate(new):
        known = token in old
        expected = source["embedding/embeddings"][old.index(token)] if known else None
        expected = expected if known else before["embedding/embeddings"][place]
        np.testing.assert_array_equal(vectors[place], expected, err_msg=token)
    shared = [token for token in new if token in old]
    assert f"init: words of both: {len(shared)}; new: run, swim" in caplog.text
    assert "init: matched: the CNN (all " in caplog.text
    assert "embedding/embeddings" in caplog.text and "conv1/kernel" not in caplog.text
    told = next(line for line in caplog.messages if line.startswith("init: unmatched, new:"))
    assert set(told.removeprefix("init: unmatched, new: ").split(", ")) - {"none"} == (
        set(before) - copied
    )
    assert set(text.SPECIAL) <= set(shared)


def test_word_vectors_that_were_given_stay_beside_what_init_brings(caption_settings, tmp_path):
    images = describing(caption_settings("step"))
    for number, weight in enumerate(images.weights):
        weight.assign(np.random.default_rng(number).normal(size=weight.shape))
    images.save(tmp_path / "images.keras")
    network = describing(caption_settings("step"))
    embedding = networks.head(network).get_layer("embedding").embeddings
    given = np.full(embedding.shape, 7.0, np.float32)
    embedding.assign(given)
    copied = assembly.start_from(network, str(tmp_path / "images.keras"), keep_vectors=True)
    np.testing.assert_array_equal(embedding, given)
    assert "classes/kernel" in copied and "embedding/embeddings" not in copied


def test_a_network_that_describes_takes_no_words_of_one_that_tells_classes(
    caption_settings, make_settings, tmp_path, caplog
):
    classes, _ = built(make_settings(workflow__units=6))
    classes.save(tmp_path / "classes.keras")
    network = describing(caption_settings("pooling"))
    caplog.set_level("INFO")
    copied = assembly.start_from(network, str(tmp_path / "classes.keras"))
    assert "conv1/kernel" in copied and "embedding/embeddings" not in copied
    assert "classes/kernel" not in copied  # of another size
    assert "words of both" not in caplog.text
