import dataclasses
import pathlib

import keras
import numpy as np
import pytest

from lrcn.data import augment, clips, text, video
from lrcn.inference import answers as answers_lib
from lrcn.inference import predict
from lrcn.models import activity, backbones, description, networks
from lrcn.page import answers, courses
from lrcn.scoring import describer

EXAMPLES = pathlib.Path(__file__).resolve().parent.parent / "examples"
VIDEO = EXAMPLES / "videos" / "val_left_0.mp4"
IMAGE = EXAMPLES / "images" / "red_left.jpg"
LABELS = ("left", "right", "<b>up & down</b>")
TOKENS = (*text.SPECIAL, "a", "t", "-", "shirt", "b", "c")
SHOWN = {
    "mode": clips.evaluation_mode(8),
    "view": augment.View((16, 16), "squash"),
    "reading": video.Reading(image_shape=(24, 32, 3)),
}


def predictor_of_labels(multi_label=False, **more):
    keras.utils.set_random_seed(3)
    backbone = backbones.build("small", image_size=(16, 16), trainable=True)
    model = activity.lstm(
        backbone, num_classes=len(LABELS), units=8, multi_label=multi_label, dropout_out=0.0
    )
    kernel = model.get_layer("head").get_layer("classes").kernel
    kernel.assign(keras.random.normal(kernel.shape, stddev=8.0, seed=3))
    answer = answers_lib.Labels(networks.head(model), LABELS, top_k=len(LABELS))
    return predict.Predictor(networks.backbone(model), answer, **{**SHOWN, **more})


@pytest.fixture(scope="package")
def labels():
    return predictor_of_labels()


@pytest.fixture(scope="package")
def captions():
    keras.utils.set_random_seed(4)
    backbone = backbones.build("small", image_size=(16, 16), trainable=True)
    model = description.build(
        backbone,
        description.Design("step", 1, 6, 5),
        vocabulary_size=len(TOKENS),
        tokens=TOKENS,
        max_length=6,
        initializer="uniform_1.5",
    )
    kernel = networks.head(model).get_layer("lstm1").cell.kernel
    kernel.assign(keras.random.normal(kernel.shape, stddev=6.0, seed=1))  # frames matter
    head = networks.head(model)
    find = describer.searcher("greedy", max_length=6)
    answer = answers_lib.Captions(describer.Describer(head, find), text.Vocabulary(TOKENS, 6))
    return predict.Predictor(networks.backbone(model), answer, of_images=True, **SHOWN), head


def network_of(predictor, head=None):
    """Returns a network of the page over a predictor."""
    inner = predictor.answer
    answer = courses.Labels(inner) if head is None else courses.Captions(inner, head)
    return answers.Network("a run", "tiny", "", dataclasses.replace(predictor, answer=answer))


@pytest.fixture
def classifier(labels):
    return network_of(labels)


@pytest.fixture
def captioner(captions):
    return network_of(*captions)


def log_of(words):
    return float(np.log([word.probability for word in words]).sum())
