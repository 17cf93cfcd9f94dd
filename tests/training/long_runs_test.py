"""A process that trains again and again, as a sweep does, keeps nothing of the trainings before."""

import gc
import shutil
import threading

import keras
import psutil
import pytest

from lrcn import runs
from lrcn.training import session

TRAININGS = 5
# On average: the allocator takes 10 MB at one training and gives as much back at another, while a
# training that is kept is 9 MB and more at each.
MEGABYTES = 6


def of_trainings():
    """Graphs, models and readers that are alive; each training makes some anew."""
    kinds = ("FuncGraph", "Functional", "Clips", "_Reader", "TensorBoard", "Place")
    names = [type(found).__name__ for found in gc.get_objects()]
    return {kind: names.count(kind) for kind in kinds}


def look():
    keras.utils.clear_session()
    gc.collect()
    process = psutil.Process()
    return process.memory_info().rss / 2**20, process.num_fds(), threading.active_count()


@pytest.mark.parametrize("case", ["frames", "features", "captions"])
def test_trainings_after_the_first_leave_nothing(make_settings, caption_settings, tmp_path, case):
    settings = {
        "frames": lambda: make_settings(callbacks__tensorboard=True),
        "features": lambda: make_settings(backbone__trainable=False),
        "captions": lambda: caption_settings("pooling", backbone__trainable=True),
    }[case]()

    def train():
        session.train(settings, runs.RunDirectory(tmp_path / "run"))
        shutil.rmtree(tmp_path / "run")

    for _ in range(2):
        train()
    memory, handles, threads = look()
    native, alive = psutil.Process().num_threads(), of_trainings()
    for _ in range(TRAININGS):
        train()
    memory_after, handles_after, threads_after = look()
    assert of_trainings() == alive
    assert handles_after <= handles
    assert threads_after <= threads and psutil.Process().num_threads() <= native
    assert (memory_after - memory) / TRAININGS < MEGABYTES
