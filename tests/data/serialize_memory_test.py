"""Memory of the serializer, measured in processes of their own."""

import os
import subprocess
import sys

import numpy as np
import PIL.Image
import pytest

SCRIPT = """
import resource, sys
from lrcn.data import catalog, serialize
data = catalog.lists([sys.argv[1]])
options = serialize.StoreOptions(mode=None, overwrite=True)
serialize.serialize(data, sys.argv[2], options=options)
print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024)
"""


@pytest.mark.slow
def test_ten_times_the_items_take_no_more_memory(tmp_path):
    noise = np.random.default_rng(0).integers(0, 256, (160, 200, 3), np.uint8)
    PIL.Image.fromarray(noise).save(tmp_path / "0.jpg", quality=95)  # about 50 kB
    for index in range(1, 5000):
        os.link(tmp_path / "0.jpg", tmp_path / f"{index}.jpg")
    peaks = {}
    for items in (500, 5000):
        file = tmp_path / f"data.{items}"
        file.write_text("".join(f"{index}.jpg 0\n" for index in range(items)))
        arguments = [sys.executable, "-c", SCRIPT, str(file), str(tmp_path / "out")]
        done = subprocess.run(arguments, capture_output=True, text=True, check=True)
        peaks[items] = int(done.stdout)
    records = (tmp_path / "out" / "data.5000.tfrecord").stat().st_size / 2**20
    assert records > 150
    assert peaks[5000] < peaks[500] + 30, f"{peaks} MB for {records:.0f} MB of records"
