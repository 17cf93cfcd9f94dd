import dataclasses

import numpy as np
import pytest

from lrcn import errors
from lrcn.data import clips, images, lists, records, serialize

tfds = pytest.importorskip("tensorflow_datasets")
pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning")

EVERY = serialize.StoreOptions(mode=None, num_threads=1)
CLIPS = dataclasses.replace(EVERY, mode=clips.ClipMode("rand_clips", 3, 2))


@pytest.fixture
def store(tmp_path, paint):
    """Returns a function that stores generated items under a name and opens the folder."""

    def store(name, labels, options=EVERY, label_names=("a", "b"), size=(8, 12)):
        frames = [paint(index, height=size[0], width=size[1]) for index in range(5)]
        items = tuple(
            lists.Item(
                f"{name} {index}",
                "rendered",
                "array",
                labels=own,
                captions=("one", "two")[:index],
                load=lambda: frames,
            )
            for index, own in enumerate(labels)
        )
        multi = any(len(own) > 1 for own in labels)
        classes = len(label_names) or 1 + max(max(own, default=-1) for own in labels)
        data = lists.Catalog({name: lists.Split(name, items, name)}, label_names, classes, multi)
        serialize.serialize(data, tmp_path / "out", options=options)
        return tfds.builder_from_directory(tmp_path / "out")

    return store


def rows(builder, split):
    return list(tfds.as_numpy(builder.as_dataset(split=split)))


def test_the_folder_opens_and_iterates(store, tmp_path):
    builder = store("data.train", [(0,), (1,), (1,)], CLIPS)
    found = rows(builder, "train")
    assert builder.info.features["label"].names == ["a", "b"]
    assert [row["label"] for row in found] == [0, 1, 1]
    assert [row["id"].decode() for row in found] == [f"data.train {i}" for i in range(3)]
    assert found[2]["captions"].tolist() == [b"one", b"two"]
    assert found[1]["label_text"].tolist() == [b"b"]
    parsed = [
        records.parse_example(text)
        for text in records.open_records(tmp_path / "out" / "data.train").serialized()
    ]
    for row, example in zip(found, parsed, strict=True):
        assert row["frames"].shape == (len(example["frames"]), 8, 12, 3)
        assert row["clips"].tolist() == example["clips"].numpy().tolist()
        assert row["clips"].shape == (2, 3)
        decoded = images.decode(example["frames"][0].numpy())
        # TensorFlow and Pillow interpolate colour differently.
        assert np.abs(row["frames"][0].astype(int) - decoded).mean() <= 2


def test_further_lists_join(store):
    store("data.train", [(0,), (1,), (1,)], CLIPS)
    store("data.val", [(1,), (0,)], dataclasses.replace(EVERY, shards=2), size=(6, 6))
    builder = store("test", [(1,)], label_names=())
    assert {name: split.num_examples for name, split in builder.info.splits.items()} == {
        "train": 3,
        "val": 2,
        "test": 1,
    }
    assert [row["frames"].shape for row in rows(builder, "val")] == [(5, 6, 6, 3)] * 2
    assert rows(builder, "val")[0]["clips"].shape == (0, 3)
    assert len(rows(builder, "train[1:3]")) == 2
    assert builder.info.features["label"].names == ["a", "b"]


def test_several_labels_and_none(store):
    builder = store("data.train", [(0, 1), (1,), ()])
    assert [row["label"].tolist() for row in rows(builder, "train")] == [[0, 1], [1], []]


def test_clips_of_several_lengths_are_flat(store):
    store("data.train", [(0,)], CLIPS)
    options = dataclasses.replace(EVERY, mode=clips.ClipMode("iterative", 5, 0))
    builder = store("data.val", [(0,)], options)
    assert rows(builder, "val")[0]["clips"].tolist() == [0, 1, 2, 3, 4]
    assert rows(builder, "train")[0]["clips"].shape == (6,)


def test_classes_without_names(store):
    builder = store("data.train", [(0,), (4,)], label_names=())
    assert builder.info.features["label"].num_classes == 5
    assert [row["label"] for row in rows(builder, "train")] == [0, 4]


def test_names_of_splits(store):
    store("a.train", [(0,)])
    store("b.train", [(0,)])
    store("all", [(0,)])
    builder = store("val-1.txt", [(1,)])
    assert set(builder.info.splits) == {"a_train_tfrecord", "b_train_tfrecord", "all_", "val_1"}


def test_records_of_other_classes_are_refused(store):
    store("data.train", [(0,)])
    told = (
        r"out/data.val.tfrecord: the folder holds records of other classes. "
        r"Received: 'c' as class 1, 3 in all. "
        r"Expected: those of data.train.tfrecord beside it: 'b' as class 1, 2 in all. "
        r"Choose another output_folder"
    )
    with pytest.raises(errors.UserError, match=told):
        store("data.val", [(0,)], label_names=("a", "c", "b"))
    with pytest.raises(errors.UserError, match="no class 1, 1 in all.*'b' as class 1, 2 in"):
        store("data.val", [(0,)], label_names=("a",))


def test_braces_in_a_name(store):
    with pytest.raises(errors.UserError, match="braces"):
        store("data{1}", [(0,)])


def test_broken_neighbours_are_left_out(store, tmp_path, caplog):
    store("data.train", [(0,)])
    (tmp_path / "out" / "old.tfrecord.size").write_text("items\t5\n")
    builder = store("data.val", [(1,)])
    assert set(builder.info.splits) == {"train", "val"}
    assert "old.tfrecord.size" in caplog.text
