import dataclasses

import numpy as np
import pytest

from lrcn import settings as settings_lib
from lrcn.training import assembly

SINGLEFRAME = settings_lib.SingleframeWorkflow("singleframe", 0.5, "every_step")
ALEXNET = {"name": "caffenet", "weights": None, "layer": "fc6", "trainable": None, "dropout": 0.5}


def built(settings):
    """Returns a network with its optimizer, and the factors of the rate by path."""
    network = assembly.build_network(settings, num_classes=3, multi_label=False)
    assembly.compile_network(network, settings, steps_per_epoch=1, multi_label=False)
    paths = [variable.path for variable in network.trainable_variables]
    return network, dict(zip(paths, network.optimizer.lr_mults, strict=True))


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
