import inspect
import json

import numpy as np
import pytest

from lrcn.inference.export import example


def test_a_label_may_hold_what_ends_a_line_elsewhere(tmp_path):
    names = ("a\u2028b", "c\x85d", "e\rf")
    (tmp_path / "labels.txt").write_bytes("".join(f"{name}\n" for name in names).encode())
    found = {"probabilities": np.eye(3, dtype=np.float32)}
    assert example.labels(tmp_path, found) == [f"{name} 1.0000" for name in names]


CLIPS = {"inputs": [{"shape": ["batch", 4, "height", "width", 3], "dtype": "uint8"}]}


@pytest.mark.parametrize(
    ("shape", "dtype", "received"),
    [
        ((1, 5, 24, 32, 3), np.uint8, "uint8 [1, 5, 24, 32, 3]"),
        ((1, 4, 24, 32), np.uint8, "uint8 [1, 4, 24, 32]"),
        ((2, 4, 24, 32, 3), np.float32, "float32 [2, 4, 24, 32, 3]"),
    ],
)
def test_other_frames_than_the_contract_tells_are_refused(shape, dtype, received):
    with pytest.raises(ValueError, match="frames are of another") as caught:
        example.check(CLIPS, np.zeros(shape, dtype))
    assert f"Received: {received}. Expected: uint8 [batch, 4, height, width, 3]." in str(
        caught.value
    )
    example.check(CLIPS, np.zeros((2, 4, 7, 9, 3), np.uint8))


def test_other_frames_are_told_in_a_line(tmp_path, monkeypatch):
    (tmp_path / "contract.json").write_text(json.dumps(CLIPS))
    np.save(tmp_path / "frames.npy", np.zeros((5, 24, 32, 3), np.uint8))
    monkeypatch.setattr(example, "__file__", str(tmp_path / "example.py"))
    with pytest.raises(SystemExit, match=r"frames\.npy: frames are of another.*Received: uint8"):
        example.main([str(tmp_path / "frames.npy")])


def test_strangers_are_told_all_types():
    for name, function in inspect.getmembers(example, inspect.isfunction):
        signature = inspect.signature(function)
        told = [signature.return_annotation, *(p.annotation for p in signature.parameters.values())]
        assert inspect.Signature.empty not in told, name
        assert name.startswith("_") or function.__doc__
