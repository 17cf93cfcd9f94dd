import os

import pytest

from lrcn import cores


def test_a_process_takes_its_share(monkeypatch):
    for name in ("TF_NUM_INTRAOP_THREADS", "OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("MKL_NUM_THREADS", "7")
    assert cores.taken() == cores.usable() >= 1
    cores.take(3)
    try:
        assert cores.taken() == 3
        assert os.environ["OMP_NUM_THREADS"] == os.environ["MKL_NUM_THREADS"] == "3"
    finally:
        for name in ("TF_NUM_INTRAOP_THREADS", "OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS"):
            os.environ.pop(name)


@pytest.mark.parametrize("given", ["", "0", "many", "-1"])
def test_a_share_that_is_none_is_not_taken(monkeypatch, given):
    monkeypatch.setenv("TF_NUM_INTRAOP_THREADS", given)
    assert cores.taken() == cores.usable()
