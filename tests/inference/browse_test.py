import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lrcn.data import epochs
from lrcn.inference import browse
from lrcn.models import backbones


def rows_of(*pairs):
    item, clip = (np.array(part, np.int64) for part in zip(*pairs, strict=True))
    count = len(item)
    return epochs.Rows(item, clip, np.zeros((count, 1), np.int64), np.zeros((count, 3)), item)


def contract_of(name, **options):
    return backbones.input_contract(name, **options)


def values_of(frames, layer):
    return np.asarray(layer(frames))


@given(st.lists(st.integers(0, 5), min_size=1, max_size=30), st.integers(1, 30), st.randoms())
def test_every_class_is_shown_while_there_is_room(labels, count, random):
    items = list(range(len(labels)))
    random.shuffle(items)
    rows = rows_of(*((item, clip) for clip in range(2) for item in items))
    chosen = browse.choose(rows, [(label,) for label in labels], count)
    assert len(chosen) == len(set(chosen)) == min(count, 2 * len(labels))
    shown = rows.item[chosen]
    assert len({labels[item] for item in shown}) == min(count, len(set(labels)))
    assert len(set(shown)) == min(count, len(labels))  # other items before other clips
    assert [labels[item] for item in shown] == sorted(labels[item] for item in shown)


def test_a_caption_more_is_no_clip_more():
    rows = rows_of((1, 0), (0, 0), (1, 0), (0, 0))
    assert browse.choose(rows, (), 12) == [1, 0]


def test_items_of_several_classes_stand_for_all_of_them():
    rows = rows_of((0, 0), (1, 0), (2, 0))
    chosen = browse.choose(rows, [(0,), (0, 1), (2,)], 3)
    assert rows.item[chosen].tolist() == [0, 1, 2]
    assert rows.item[browse.choose(rows_of((1, 0), (0, 0), (2, 0)), [(0,), (0, 1), (2,)], 2)].size


@pytest.mark.parametrize(
    ("name", "modality", "expected"),
    [
        ("caffenet", "rgb", ("blue", "green", "red")),
        ("mobilenet", "rgb", ("red", "green", "blue")),
        ("caffenet", "flow", ("magnitude", "y", "x")),
        ("small", "flow", ("x", "y", "magnitude")),
    ],
)
def test_channels_are_named_in_the_order_of_the_network(name, modality, expected):
    layer = contract_of(name, modality=modality)
    assert browse.channel_names(layer.contract()) == expected


def test_a_wrong_channel_order_changes_what_is_told():
    frames = np.zeros((2, 8, 8, 3), np.uint8)
    frames[..., 0], frames[..., 2] = 200, 20  # reddish
    layer = contract_of("caffenet")
    right = browse.channels(values_of(frames, layer), layer.contract())
    wrong = browse.channels(values_of(frames[..., ::-1], layer), layer.contract())
    assert [own.name for own in right] == ["1: blue", "2: green", "3: red"]
    assert right[2].mean == pytest.approx(200 - 123.68, abs=1e-3)
    assert right[0].mean == pytest.approx(20 - 103.939, abs=1e-3)
    assert wrong[0].mean > 90 > 0 > wrong[2].mean


def test_a_wrong_mean_moves_the_numbers_off_zero():
    rng = np.random.default_rng(0)
    frames = rng.integers(118, 139, (2, 16, 16, 3)).astype(np.uint8)  # motion that nearly rests
    right, wrong = (contract_of("caffenet", modality=name) for name in ("flow", "rgb"))
    told = browse.channels(values_of(frames, right), right.contract())
    assert max(abs(own.mean) for own in told) < 1
    assert told[0].low == pytest.approx(int(frames[..., 2].min()) - 128)
    assert told[0].spread == pytest.approx(frames[..., 2].std(), rel=1e-4)
    told = browse.channels(values_of(frames, wrong), wrong.contract())
    assert told[0].mean == pytest.approx(128 - 103.939, abs=1)


@pytest.mark.parametrize("modality", ["rgb", "flow", "difference"])
@pytest.mark.parametrize("name", ["small", "caffenet", "efficientnet_v2", "resnet50"])
def test_what_enters_is_put_together_again(name, modality):
    frames = np.random.default_rng(0).integers(0, 256, (3, 6, 7, 3)).astype(np.uint8)
    layer = contract_of(name, modality=modality)
    values = values_of(frames, layer)
    np.testing.assert_array_equal(browse.put_together(values, layer.contract()), frames)
    limit = browse.limit(layer.contract())
    assert np.abs(values).max() <= limit * (1 + 1e-6)


def test_a_contract_that_says_another_order_than_it_does_shows_as_a_blue_face():
    frames = np.zeros((1, 2, 2, 3), np.uint8)
    frames[..., 0] = 250
    layer = contract_of("small")
    lying = {**layer.contract(), "channel_order": "bgr"}
    seen = browse.put_together(values_of(frames, layer), lying)
    assert seen[0, 0, 0].tolist() == [0, 0, 250]


def test_the_summary_of_classes():
    splits = [
        browse.Split("train", (3, 9, 20), ((0,), (1,), (1,))),
        browse.Split("val", (5,), ((0,),)),
    ]
    columns, rows = browse.summary(splits, ("cat", "dog"), num_frames=8)
    assert columns == [
        *("split", "items", "classes", "frames: least / median / most", "below 8"),
        *("largest class", "smallest class"),
    ]
    assert rows == [
        ["train", "3", "2 of 2", "3 / 9 / 20", "1", "dog (2)", "cat (1)"],
        ["val", "1", "1 of 2", "5 / 5 / 5", "1", "cat (1)", "dog (0)"],
    ]


def test_the_summary_of_captions_of_images():
    split = browse.Split("train", (1, 1), ((), ()), (("A dog runs.", "a dog"), ("two cats",)))
    columns, rows = browse.summary([split], (), num_frames=None)
    assert columns == ["split", "items", "captions", "words a caption: least / median / most"]
    assert rows == [["train", "2", "3", "2 / 2 / 3"]]
