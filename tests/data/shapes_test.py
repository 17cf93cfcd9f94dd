import collections
import concurrent.futures
import pickle

import numpy as np
import pytest

from lrcn import errors
from lrcn.data import drawing, motions, shapes


def small(**changes):
    values = {"kind": "motion", "train": 16, "val": 8, "test": 8, "size": 32, "num_frames": 5}
    return shapes.moving_shapes(**values | changes)


def frames(item):
    return np.stack(list(item.load()))


def test_videos_have_their_counts_size_and_balanced_classes():
    catalog = small()
    assert {name: len(split.items) for name, split in catalog.splits.items()} == {
        "train": 16,
        "val": 8,
        "test": 8,
    }
    assert catalog.label_names == motions.MOTIONS
    assert (catalog.num_classes, catalog.multi_label) == (8, False)
    for split in catalog.splits.values():
        counts = collections.Counter(item.labels for item in split.items)
        assert set(counts) == {(label,) for label in range(8)}
        assert len(set(counts.values())) == 1
    video = frames(catalog.splits["val"].items[3])
    assert video.shape == (5, 32, 32, 3)
    assert video.dtype == np.uint8


def test_ids_differ_everywhere_and_so_do_pictures():
    items = [item for split in small().splits.values() for item in split.items]
    assert len({item.id for item in items}) == len(items)
    assert len({frames(item)[0].tobytes() for item in items}) == len(items)


def test_an_item_depends_on_seed_split_and_number_alone():
    item = small().splits["test"].items[6]
    other = small(train=3, val=0, test=7).splits["test"].items[6]
    assert (item.id, item.captions) == (other.id, other.captions)
    np.testing.assert_array_equal(frames(item), frames(other))
    longer = small(num_frames=9).splits["test"].items[6]
    np.testing.assert_array_equal(frames(longer)[:5], frames(item))
    reseeded = small(seed=1).splits["test"].items[6]
    assert not np.array_equal(frames(item), frames(reseeded))


def test_threads_and_repetition_change_nothing():
    items = small().splits["train"].items
    once = [frames(item) for item in items]
    with concurrent.futures.ThreadPoolExecutor(4) as pool:
        again = list(pool.map(frames, reversed(items)))
    for first, second in zip(once, reversed(again), strict=True):
        np.testing.assert_array_equal(first, second)


def test_an_item_can_be_sent_to_another_process():
    item = small().splits["train"].items[0]
    np.testing.assert_array_equal(frames(pickle.loads(pickle.dumps(item))), frames(item))


def test_sources_tell_splits_and_settings_apart():
    sources = [split.source for split in small().splits.values()]
    sources += [split.source for split in small(seed=1).splits.values()]
    sources += [split.source for split in small(size=40).splits.values()]
    assert len(set(sources)) == 9


def test_paths_name_all_that_the_pictures_depend_on():
    variants = [{}, {"kind": "stills"}, {"size": 40}, {"num_frames": 6}, {"seed": 1}]
    paths = {item.path for v in variants for item in small(**v).splits["val"].items}
    assert len(paths) == 8 * len(variants)


def test_looks_are_independent_of_the_class():
    """Shape and colour are as frequent in one motion as in another (chi-square by hand)."""
    items = small(train=2400, val=0, test=0).splits["train"].items
    for words in (drawing.OUTLINES, drawing.COLOURS):
        table = np.array(
            [
                [
                    sum(word in item.captions[0].split() for item in items[motion::8])
                    for word in words
                ]
                for motion in range(8)
            ]
        )
        assert table.sum() == len(items)
        expected = len(items) / table.size
        degrees = 7 * (len(words) - 1)
        assert ((table - expected) ** 2 / expected).sum() < degrees + 4 * np.sqrt(2 * degrees)


def test_mean_pictures_of_the_classes_are_alike_at_the_last_frame():
    """What a linear probe could see: class means differ as those of shuffled classes do."""
    items = small(train=640, val=0, test=0, size=24, num_frames=16).splits["train"].items
    last = np.stack([frames(item)[-1].mean(axis=-1) for item in items])
    labels = np.array([item.labels[0] for item in items])

    def spread_of_means(classes):
        means = np.stack([last[classes == label].mean(axis=0) for label in range(8)])
        return means.var(axis=0).sum()

    rng = np.random.default_rng(0)
    shuffled = [spread_of_means(rng.permutation(labels)) for _ in range(200)]
    assert spread_of_means(labels) < np.quantile(shuffled, 0.99)


@pytest.mark.parametrize(
    ("motion", "size", "expected"),
    [
        ("left", 0.1, "a small red circle moves left"),
        ("up", 0.9, "a large red circle moves up"),
        ("clockwise", 0.5, "a red circle moves clockwise"),
        ("grow", 0.1, "a red circle grows"),
    ],
)
def test_captions_of_videos_word_what_is_seen(motion, size, expected):
    captions = shapes.motion_captions(shapes.Look("circle", "red", 0.0), motion, size)
    assert captions[0] == expected
    assert len(captions) == len(set(captions)) >= 2


def test_every_video_has_several_captions_that_agree_with_its_class():
    for item in small(train=64).splits["train"].items:
        word = motions.MOTIONS[item.labels[0]]
        assert len(item.captions) >= 2
        assert all(word in caption.replace("ing", "").split()[-1] for caption in item.captions)


def test_stills_are_single_frames_with_relations():
    catalog = small(kind="stills", train=60, size=48)
    assert catalog.label_names == shapes.ARRANGEMENTS
    for item in catalog.splits["train"].items:
        assert frames(item).shape == (1, 48, 48, 3)
        assert len(item.captions) >= 3
        pair = " above " in item.captions[0] or " left of " in item.captions[0]
        assert pair == (item.labels[0] > 0)


def test_a_still_shows_what_its_caption_says():
    """The first colour lies left of or above the second one."""
    checked = collections.Counter()
    for item in small(kind="stills", train=90, size=64).splits["train"].items:
        words = item.captions[0].split()
        colours = [word for word in words if word in drawing.COLOURS]
        centres = [centre_of(frames(item)[0], colour) for colour in colours]
        if len(colours) == 2:
            axis = 0 if "above" in words else 1
            assert centres[0][axis] < centres[1][axis]
            assert abs(centres[0][axis] - centres[1][axis]) > abs(
                centres[0][1 - axis] - centres[1][1 - axis]
            )
        checked[len(colours)] += 1
    assert checked == {1: 30, 2: 60}


def centre_of(picture, colour):
    mask = (np.abs(picture.astype(int) - drawing.COLOURS[colour]).max(axis=-1) < 6).astype(float)
    assert mask.sum() > 5
    return [(mask.sum(axis=1 - axis) * np.arange(64)).sum() / mask.sum() for axis in (0, 1)]


def test_the_two_arrangements_of_a_pair_are_worded_both_ways():
    looks = [shapes.Look("circle", "red", 0.0), shapes.Look("square", "blue", 0.0)]
    assert shapes.still_captions("stacked", looks)[0] == "a red circle above a blue square"
    assert "a blue square below a red circle" in shapes.still_captions("stacked", looks)
    assert "a blue square right of a red circle" in shapes.still_captions("side-by-side", looks)


@pytest.mark.parametrize(
    ("changes", "key"),
    [
        ({"kind": "auto"}, "dataset.kind"),
        ({"train": -1}, "dataset.train"),
        ({"size": 8}, "dataset.size"),
        ({"num_frames": 0}, "dataset.num_frames"),
        ({"test": 2.5}, "dataset.test"),
        ({"seed": -3}, "dataset.seed"),
        ({"train": 0, "val": 0, "test": 0}, "dataset"),
    ],
)
def test_values_out_of_range_name_their_key(changes, key):
    with pytest.raises(errors.UserError, match="Expected") as caught:
        small(**changes)
    assert caught.value.where == key
