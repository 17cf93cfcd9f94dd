import importlib.metadata

import pytest
import tensorflow as tf

from lrcn.data import text
from lrcn.inference.export import contract


@pytest.fixture
def renamed(monkeypatch):
    """Has every package come in a distribution of another name, as onnxruntime-gpu does."""

    def missing(name):
        raise importlib.metadata.PackageNotFoundError(name)

    monkeypatch.setattr(importlib.metadata, "version", missing)


def test_versions_are_those_of_the_modules(renamed):
    told = contract._versions("litert")
    assert told.keys() == {"tensorflow", "ai-edge-litert"}
    assert told["tensorflow"] == tf.__version__
    assert contract._versions("saved_model") == {"tensorflow": tf.__version__}


@pytest.mark.extras
def test_onnxruntime_may_have_another_name(renamed):
    onnxruntime = pytest.importorskip("onnxruntime", reason="the extra `onnx` is not installed")
    assert contract._versions("onnx")["onnxruntime"] == onnxruntime.__version__


def test_the_language_of_patterns_is_told():
    told = contract._captions({"name": "greedy"})["captions"]
    assert told["joining"] == [list(pair) for pair in text.JOINING]
    assert "Python's re.sub" in told["meaning"]
    groups = {replacement for _, replacement in told["joining"]}
    assert groups == {r"\1"} and r"\1 is the first group" in told["meaning"]
