import numpy as np
import pytest
from PIL import Image

from lrcn.inference import balance, browse


def split(name, items, classes, *, frames=None):
    rng = np.random.default_rng(len(name))
    return browse.Split(
        name,
        tuple(frames or rng.integers(4, 90, items).tolist()),
        tuple((int(label),) for label in rng.integers(0, classes, items)),
    )


def drawn(folder, splits, names, num_frames=16):
    path = folder / "data.png"
    balance.draw(path, splits, names, num_frames=num_frames, title="title")
    with Image.open(path) as picture:
        return picture.size


@pytest.mark.parametrize("classes", [1, 8, 101, 500])
def test_a_name_a_class_has_room(tmp_path, classes):
    names = [f"class {number} $a_b$" for number in range(classes)]
    splits = [split(name, 300, classes) for name in ("train", "val", "test")]
    width, height = drawn(tmp_path, splits, names)
    assert width < 2600
    shown = min(classes, balance._MOST_CLASSES + 1)
    assert height > shown * 0.16 * 130
    assert height < 4000


def test_of_very_many_classes_the_largest_and_smallest_are_drawn():
    counts = np.arange(300)
    labels = tuple((label,) for label, count in enumerate(counts) for _ in range(count))
    kept = balance._kept([browse.Split("train", (), labels)], 300)
    assert kept[0] == 299 and kept[-1] == 0
    assert kept[60] is None and len(kept) == 121


@pytest.mark.parametrize("captions", [((("a b c", "d"),) * 3), ()])
def test_captions_and_images(tmp_path, captions):
    of_images = browse.Split("val", (1,) * len(captions), ((),) * len(captions), captions)
    of_videos = browse.Split("val", (9,) * len(captions), ((),) * len(captions), captions)
    without = drawn(tmp_path, [of_images], (), None)
    with_lengths = drawn(tmp_path, [of_videos], ())
    assert (with_lengths[1] > without[1]) == bool(captions)


def test_one_item_and_an_empty_split(tmp_path):
    one = split("train", 1, 2, frames=[3])
    empty = browse.Split("test", (), ())
    assert drawn(tmp_path, [one, empty], ["a", "b"])


@pytest.mark.parametrize(
    ("low", "high", "bins"), [(16, 16, 1), (1, 40, 40), (1, 41, 21), (5, 900, 39)]
)
def test_bins_are_of_whole_numbers_and_equally_wide(low, high, bins):
    edges = balance._edges(low, high)
    assert len(edges) == bins + 1
    assert edges[0] == low - 0.5 and edges[-1] >= high + 0.5
    assert len(set(np.diff(edges))) == 1
