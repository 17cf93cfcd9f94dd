import os

import pytest
import tensorflow as tf

from lrcn.errors import UserError
from lrcn.inference.export import example, graph, litert, seeing, writing

from .conftest import classifier


def traced(answer, shape, dtype=tf.uint8):
    """Returns what stands in for `graph.traced`: a function with another answer."""

    @tf.function(input_signature=[tf.TensorSpec(shape, dtype, name="frames")])
    def function(frames):
        return {"p": answer(frames)}

    return lambda network, **_: function


def bits(frames):
    return tf.bitwise.bitwise_and(frames, frames + 1)


@pytest.fixture
def exported(exportable, export_settings, tmp_path):
    def run(format):
        run = exportable("run", classifier())
        writing.export(export_settings(run.path, format), tmp_path / "e")

    return run


def test_an_operation_that_a_format_lacks_is_named(exported, tmp_path, monkeypatch):
    monkeypatch.setattr(graph, "traced", traced(bits, [None], tf.int32))
    with pytest.raises(UserError) as caught:
        exported("litert")
    assert str(caught.value) == (
        "format=litert: the run cannot be written as LiteRT. Received: operations it has not: "
        "tf.BitwiseAnd. Expected: a network whose every operation the format has. "
        "Try time=fixed or format=saved_model or format=onnx."
    )
    assert not (tmp_path / "e").exists()


@pytest.mark.extras
def test_an_operation_that_onnx_lacks_is_named(exported, monkeypatch):
    pytest.importorskip("tf2onnx", reason="the extra `onnx` is not installed")
    monkeypatch.setattr(graph, "traced", traced(bits, [None], tf.int32))
    told = r"^format=onnx: the run cannot be run as ONNX\. Received: operations.*: BitwiseAnd\."
    with pytest.raises(UserError, match=told):
        exported("onnx")


def test_a_size_that_a_runtime_cannot_run_is_told(exported, tmp_path, monkeypatch, capfd):
    def of_one_size(frames):
        return tf.reshape(frames, [1, 4, 24 * 32 * 3])

    monkeypatch.setattr(graph, "traced", traced(of_one_size, [None, None, None, None, 3]))
    capfd.readouterr()
    with pytest.raises(UserError) as caught:
        exported("litert")
    said = str(caught.value)
    assert said.startswith("format=litert: the run cannot be run as LiteRT. Received: RuntimeError")
    assert "Try time=fixed" in said and not (tmp_path / "e").exists()
    assert capfd.readouterr().err == ""


PLACES = {
    "graph": (seeing, "seen"),
    "writer": (litert, "write"),
    "opening": (example, "_litert"),
}


@pytest.mark.parametrize("kind", [AttributeError, ValueError])
@pytest.mark.parametrize(("place", "name"), PLACES.values(), ids=PLACES)
def test_a_bug_of_ours_is_no_lack_of_the_format(kind, place, name, exported, monkeypatch, capfd):
    def wrong(*arguments):
        os.write(2, b"what a library said before\n")
        raise kind("a bug")

    monkeypatch.setattr(place, name, wrong)
    capfd.readouterr()
    with pytest.raises(kind, match="a bug") as caught:
        exported("litert")
    assert "wrong" in {entry.name for entry in caught.traceback} or "wrong" in str(caught.value)
    assert "what a library said before" in capfd.readouterr().err
