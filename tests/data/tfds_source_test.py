import json
import pathlib

import numpy as np
import pytest

from lrcn import errors
from lrcn.data import tfds_source

tensorflow_datasets = pytest.importorskip("tensorflow_datasets")
features = tensorflow_datasets.features

pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning")


def video(number, frames=3):
    """Frames whose brightness tells item and time, [time, height, width, 3] uint8."""
    values = 10 * number + np.arange(frames, dtype=np.uint8)
    return np.broadcast_to(values[:, None, None, None], [frames, 4, 6, 3]).copy()


def write_set(folder, feature_dict, splits, **options):
    """Writes a prepared data set: `splits` maps names to lists of examples."""
    import tensorflow as tf

    kinds = features.FeaturesDict(feature_dict)
    infos = []
    for split, examples in splits.items():
        half = (len(examples) + 1) // 2
        shards = [examples[:half], examples[half:]]
        template = tensorflow_datasets.core.ShardedFileTemplate(
            data_dir=folder, dataset_name="tiny", split=split, filetype_suffix="tfrecord"
        )
        for index, shard in enumerate(shards):
            name = f"tiny-{split}.tfrecord-{index:05d}-of-00002"
            with tf.io.TFRecordWriter(str(folder / name)) as writer:
                for example in shard:
                    writer.write(kinds.serialize_example(kinds.encode_example(example)))
        infos.append(
            tensorflow_datasets.core.SplitInfo(
                name=split,
                shard_lengths=[len(shard) for shard in shards],
                num_bytes=0,
                filename_template=template,
            )
        )
    tensorflow_datasets.folder_dataset.write_metadata(
        data_dir=folder, features=kinds, split_infos=infos, **options
    )
    return folder


@pytest.fixture(scope="module")
def videos(tmp_path_factory):
    folder = tmp_path_factory.mktemp("videos")
    kinds = {
        "video": features.Video(shape=(None, 4, 6, 3)),
        "label": features.ClassLabel(names=["calm", "wild"]),
    }
    examples = [{"video": video(n, frames=2 + n), "label": n % 2} for n in range(5)]
    return write_set(folder, kinds, {"train": examples, "test": examples[:2]})


def frames(item):
    return np.stack(list(item.load()))


def test_videos_and_labels_are_read_in_order(videos):
    found = tfds_source.tfds(str(videos))
    assert {name: len(split.items) for name, split in found.splits.items()} == {
        "train": 5,
        "test": 2,
    }
    assert found.label_names == ("calm", "wild")
    assert (found.num_classes, found.multi_label) == (2, False)
    items = found.splits["train"].items
    assert [item.labels for item in items] == [(0,), (1,), (0,), (1,), (0,)]
    assert len({item.id for item in items}) == 5
    for number, item in enumerate(items):
        np.testing.assert_array_equal(frames(item), video(number, frames=2 + number))


def test_items_can_be_loaded_again_and_in_any_order(videos):
    items = tfds_source.tfds(str(videos)).splits["train"].items
    first = frames(items[4])
    frames(items[0])
    np.testing.assert_array_equal(frames(items[4]), first)


def test_splits_can_be_chosen_and_parted(videos):
    found = tfds_source.tfds(str(videos), splits={"train": "train[:3]", "val": "train[3:]"})
    values = {
        name: [frames(item)[0, 0, 0, 0] for item in split.items]
        for name, split in found.splits.items()
    }
    assert values == {"train": [0, 10, 20], "val": [30, 40]}
    assert list(tfds_source.tfds(str(videos), splits=["test"]).splits) == ["test"]


def test_the_folder_is_found_under_data_dir_too(videos):
    found = tfds_source.tfds(videos.name, data_dir=videos.parent)
    assert len(found.splits["train"].items) == 5
    assert len(tfds_source.tfds("tiny", data_dir=videos).splits["test"].items) == 2


def test_images_with_several_labels_ids_and_captions(tmp_path):
    kinds = {
        "id": features.Text(),
        "image": features.Image(shape=(4, 6, 1)),
        "labels": features.Sequence(features.ClassLabel(num_classes=4)),
        "captions": features.Sequence(features.Text()),
    }
    examples = [
        {
            "id": f"picture {n}",
            "image": np.full([4, 6, 1], 50 + n, np.uint8),
            "labels": [0, n],
            "captions": ["a dark field", f"number {n}"],
        }
        for n in (1, 3)
    ]
    found = tfds_source.tfds(str(write_set(tmp_path, kinds, {"train": examples})))
    items = found.splits["train"].items
    assert [item.id for item in items] == ["picture 1", "picture 3"]
    assert [item.labels for item in items] == [(0, 1), (0, 3)]
    assert items[1].captions == ("a dark field", "number 3")
    assert (found.num_classes, found.multi_label) == (4, True)
    assert frames(items[0]).shape == (1, 4, 6, 3)
    assert (frames(items[0]) == 51).all()


def test_coco_captions_is_read_by_its_own_features(tmp_path):
    """Nothing is downloaded to know the features; the records are written by the test."""
    builder = tensorflow_datasets.builder("coco_captions", data_dir=tmp_path)
    folder = pathlib.Path(builder.data_dir)
    folder.mkdir(parents=True)
    thing = {
        "area": 1,
        "bbox": features.BBox(0.0, 0.0, 1.0, 1.0),
        "id": 5,
        "is_crowd": False,
        "label": 3,
    }
    examples = [
        {
            "captions": [{"id": 10 * n + k, "text": f"A dog\n {n} of {k}. "} for k in range(2)],
            "image": np.full([4, 6, 3], 50 + n, np.uint8),
            "image/filename": f"COCO_train2014_{n:012d}.jpg",
            "image/id": n,
            "objects": [thing] * n,
        }
        for n in range(3)
    ]
    write_set(folder, dict(builder.info.features), {"train": examples, "restval": examples[:1]})
    found = tfds_source.tfds("coco_captions", data_dir=tmp_path)
    assert {name: len(split.items) for name, split in found.splits.items()} == {
        "train": 3,
        "restval": 1,
    }
    items = found.splits["train"].items
    assert items[2].captions == ("A dog 2 of 0.", "A dog 2 of 1.")
    assert [item.labels for item in items] == [()] * 3
    assert (found.num_classes, items[0].kind) == (0, "picture")
    assert frames(items[1]).shape == (1, 4, 6, 3)


def write_pictures(folder, kind, values, **others):
    """Writes images with sentences; `others` are pairs of a feature and its one value."""
    kinds = {"image": features.Image(shape=(4, 6, 3)), "sentences": kind}
    example = {"image": video(1, 1)[0]}
    kinds |= {key: feature for key, (feature, _) in others.items()}
    example |= {key: value for key, (_, value) in others.items()}
    return write_set(folder, kinds, {"train": [{**example, "sentences": own} for own in values]})


def test_captions_of_different_numbers_within_a_sequence_are_all_read(tmp_path):
    kind = features.Sequence(features.Sequence({"said": {"text": features.Text()}}))
    values = [[["a", "b b"], ["c"]], [["d"]]]
    values = [[[{"said": {"text": word}} for word in some] for some in one] for one in values]
    items = tfds_source.tfds(str(write_pictures(tmp_path, kind, values))).splits["train"].items
    assert [item.captions for item in items] == [("a", "b b", "c"), ("d",)]


@pytest.mark.parametrize(
    ("captions", "message"),
    [
        ([b"a dog", b"caf\xe9"], r"#1: text is not UTF-8.*position 3"),
        (["a dog", " . "], r"#1: caption without a word"),
        (["a dog", "..."], r"#1: caption without a word"),
        ([""], r"#1: caption without a word"),
        ([], r"#1: nothing describes this item"),
    ],
)
def test_a_faulty_caption_names_its_item_and_can_be_skipped(tmp_path, captions, message):
    serialize = pytest.importorskip("lrcn.data.serialize")
    kind = features.Sequence(features.Text())
    folder = write_pictures(tmp_path, kind, [["a cat"], captions, ["a cow"], ["a horse"]])
    # The first of two files holds the first two items.
    with pytest.raises(errors.UserError, match=rf"00000-of-00002{message}"):
        tfds_source.tfds(str(folder))
    found = tfds_source.tfds(str(folder), on_error="keep")
    faulty = [bool(item.problem) for item in found.splits["train"].items]
    assert faulty == [False, True, False, False]
    options = serialize.StoreOptions(mode=None, on_error="skip")
    (report,) = serialize.serialize(found, tmp_path / "out", options=options)
    assert report.items == 3 and len(report.skipped) == 1
    with pytest.raises(errors.UserError, match=message):
        serialize.serialize(found, tmp_path / "other", options=serialize.StoreOptions(mode=None))


def test_an_id_that_is_not_utf8_is_told(tmp_path):
    folder = write_pictures(tmp_path, features.Text(), ["a dog"], id=(features.Text(), b"\xe9"))
    with pytest.raises(errors.UserError, match=r"#0: text is not UTF-8"):
        tfds_source.tfds(str(folder))


def test_beside_a_label_a_blank_description_is_none(tmp_path):
    label = (features.ClassLabel(num_classes=2), 1)
    folder = write_pictures(tmp_path, features.Text(), ["a dog", " "], label=label)
    items = tfds_source.tfds(str(folder)).splits["train"].items
    assert [(item.labels, item.captions) for item in items] == [((1,), ("a dog",)), ((1,), ())]


def test_a_data_set_is_found_by_its_name_where_it_was_prepared(videos, tmp_path):
    import shutil

    # The layout of a prepared set: data_dir/name/version.
    shutil.copytree(videos, tmp_path / "tiny" / "1.0.0")
    found = tfds_source.tfds("tiny", data_dir=tmp_path)
    assert len(found.splits["train"].items) == 5
    assert len(tfds_source.tfds("tiny:1.0.0", data_dir=tmp_path).splits["test"].items) == 2


def test_a_set_without_frames_or_without_labels_is_refused(tmp_path):
    kinds = {"text": features.Text(), "label": features.ClassLabel(num_classes=2)}
    (tmp_path / "text").mkdir()
    folder = write_set(tmp_path / "text", kinds, {"train": [{"text": "no", "label": 0}]})
    with pytest.raises(
        errors.UserError, match=r"dataset\.name: .*no video or image.*text \(Text\)"
    ):
        tfds_source.tfds(str(folder))
    (tmp_path / "bare").mkdir()
    examples = [{"image": video(1, 1)[0]}]
    folder = write_set(
        tmp_path / "bare", {"image": features.Image(shape=(4, 6, 3))}, {"train": examples}
    )
    with pytest.raises(errors.UserError, match="neither label nor captions"):
        tfds_source.tfds(str(folder))


def test_an_unknown_or_unprepared_set_is_an_error_and_nothing_is_downloaded(tmp_path):
    with pytest.raises(errors.UserError, match=r"dataset\.name: no such data set.*nosuchset"):
        tfds_source.tfds("nosuchset", data_dir=tmp_path)
    with pytest.raises(errors.UserError, match=r"dataset\.data_dir: .*not prepared.*tfds build"):
        tfds_source.tfds("mnist", data_dir=tmp_path)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("splits", "message"),
    [
        (["tset"], r"dataset\.splits: no such split.*tset.*test"),
        ({"val": "valid[:2]"}, r"dataset\.splits: no such split"),
        (["train[:3]"], r"dataset\.splits: a part of a split needs a name"),
    ],
)
def test_unknown_splits_are_errors(videos, splits, message):
    with pytest.raises(errors.UserError, match=message):
        tfds_source.tfds(str(videos), splits=splits)


def test_a_cut_file_and_a_missing_one_are_named(videos, tmp_path):
    import shutil

    folder = pathlib.Path(shutil.copytree(videos, tmp_path / "copy"))
    shard = sorted(folder.glob("*train*"))[0]
    shard.write_bytes(shard.read_bytes()[:-20])
    with pytest.raises(errors.UserError, match=rf"{shard.name}: records are cut short.*2 whole"):
        tfds_source.tfds(str(folder))
    shard.unlink()
    with pytest.raises(errors.UserError, match=rf"{shard.name}: no TFRecord file"):
        tfds_source.tfds(str(folder))


def test_a_damaged_frame_is_named(tmp_path):
    kinds = {"image": features.Image(shape=(4, 6, 3)), "label": features.ClassLabel(num_classes=2)}
    examples = [{"image": video(1, 1)[0], "label": 1}]
    folder = write_set(tmp_path, kinds, {"train": examples})
    shard = sorted(folder.glob("*train*"))[0]
    shard.write_bytes(shard.read_bytes().replace(b"IDAT", b"JUNK"))
    item = tfds_source.tfds(str(folder)).splits["train"].items[0]
    with pytest.raises(errors.UserError, match="frame 0 cannot be decoded"):
        list(item.load())


def test_the_folder_of_own_records_is_read(tmp_path):
    """`dataset_info.json` and `features.json` beside records make them such a data set."""
    serialize = pytest.importorskip("lrcn.data.serialize")
    from lrcn.data import shapes

    catalog = shapes.moving_shapes(train=3, val=2, test=0, size=24, num_frames=4)
    serialize.serialize(
        catalog, tmp_path, options=serialize.StoreOptions(mode=None, image_shape=None)
    )
    assert "val" in json.dumps(json.loads((tmp_path / "dataset_info.json").read_text()))
    found = tfds_source.tfds(str(tmp_path))
    for name, split in catalog.splits.items():
        stored = found.splits[name].items
        assert [item.id for item in stored] == [item.id for item in split.items]
        assert [item.labels for item in stored] == [item.labels for item in split.items]
        assert [item.captions for item in stored] == [item.captions for item in split.items]
        difference = frames(stored[0]).astype(int) - frames(split.items[0])
        assert np.abs(difference).mean() < 14
