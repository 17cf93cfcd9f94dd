import numpy as np

from lrcn.inference.export import example


def test_a_label_may_hold_what_ends_a_line_elsewhere(tmp_path):
    names = ("a\u2028b", "c\x85d", "e\rf")
    (tmp_path / "labels.txt").write_bytes("".join(f"{name}\n" for name in names).encode())
    found = {"probabilities": np.eye(3, dtype=np.float32)}
    assert example.labels(tmp_path, found) == [f"{name} 1.0000" for name in names]
