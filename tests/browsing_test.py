"""What is drawn of a data set is what a training is shown."""

import dataclasses

import numpy as np
import pytest

from lrcn import browsing, errors
from lrcn import settings as settings_lib
from lrcn.data import augment, clips, dataset, epochs, references
from lrcn.training import feeds

LSTM = settings_lib.LstmWorkflow("lstm", 6, 1, 0.2, 0.5, "every_step")
STEP = settings_lib.ImgdescStep(
    name="imgdesc_step",
    units=6,
    layers=1,
    embedding=5,
    dropout_in=0.1,
    dropout_out=0.2,
    factored=False,
)
CROP = settings_lib.Augment("crop_mirror", "random", "centre", True)


def noise(item, frame, height, width):
    rng = np.random.default_rng([item, frame])
    small = rng.integers(0, 256, (height // 4, width // 4, 3)).astype(np.uint8)
    return small.repeat(4, axis=0).repeat(4, axis=1)


@pytest.fixture
def drawn(monkeypatch):
    """Keeps what was drawn, by picture."""
    kept = {}

    def keep(name, draw):
        def kept_and_drawn(path, shown, *others, **options):
            kept[name] = (shown, others, options)
            return draw(path, shown, *others, **options)

        return kept_and_drawn

    for name, module in (("clips", browsing.strips), ("input", browsing.inputs)):
        monkeypatch.setattr(module, "draw", keep(name, module.draw))
    return kept


@pytest.fixture
def settings_of(tmp_path):
    def make(*, split="train", **changes):
        record_sets = {
            name: str(changes.pop(name).path) if name in changes else None
            for name in ("train", "val", "test")
        }
        base = settings_lib.BrowseSettings(
            workflow=LSTM,
            clipframe_mode=settings_lib.ClipframeMode("auto", 4),
            dataset=settings_lib.Records("records", **record_sets),
            modality=settings_lib.Modality(),
            backbone=settings_lib.Backbone(
                name="caffenet", weights=None, layer=None, trainable=None, image_size=(40, 40)
            ),
            augment=CROP,
            run=None,
            split=split,
            items=12,
            epoch=2,
            seed=5,
            short_videos="error",
            raw_image_shape=None,
            num_threads=2,
            output_folder=str(tmp_path / "out"),
            traceback=False,
        )
        return dataclasses.replace(base, **changes)

    return make


def by_item(strips):
    return {strip.id: strip for strip in strips}


def test_strips_are_what_training_yields(write_records, settings_of, drawn):
    records = write_records((9, 12, 7, 8, 10), size=(48, 64), frame=noise)
    settings = settings_of(train=records)
    found = browsing.of_data(settings)
    mode = feeds.training_mode(settings.clipframe_mode, records, describes=False)
    assert mode == clips.ClipMode("rand_clips", 4)
    chosen = epochs.Clips(records, mode)
    view = augment.View((40, 40), "random", True)
    shown, _ = dataset.training_clips(
        chosen,
        targets=references.Itself(),
        view=view,
        batch_size=1,
        seed=5,
        first_epoch=2,
        epochs=3,
    )
    strips = by_item(drawn["clips"][0])
    rows = chosen.epoch(5, 2)
    trained = list(shown.as_numpy_iterator())
    assert len(trained) == len(strips) == 5
    for at, (frames, item) in enumerate(trained):
        strip = strips[f"video {item[0]}"]
        np.testing.assert_array_equal(strip.frames, frames[0])
        assert strip.numbers == tuple(rows.frames[at])
        assert strip.mirrored == (rows.draw[at, 2] < 0.5)
        assert strip.learnt == str(item[0] % 3)
    assert {strip.mirrored for strip in strips.values()} == {True, False}
    assert [own.name for own in found.channels] == ["1: blue", "2: green", "3: red"]
    assert found.needs is None


def test_what_enters_has_gone_through_the_contract(write_records, settings_of, drawn):
    browsing.of_data(settings_of(train=write_records((9, 9, 9), size=(48, 64), frame=noise)))
    shown, (values,), options = drawn["input"]
    assert options["contract"]["mean"] == [103.939, 116.779, 123.68]
    for strip, own in zip(shown, values, strict=True):
        expected = strip.frames.astype(np.float32)[..., ::-1] - options["contract"]["mean"]
        np.testing.assert_allclose(own, expected, atol=1e-4)


def test_other_epochs_and_seeds_are_other_clips(write_records, settings_of, drawn):
    records = write_records((40,) * 6, size=(48, 64), frame=noise)
    seen = []
    for changes in ({}, {"epoch": 3}, {"seed": 6}, {}):
        browsing.of_data(settings_of(train=records, **changes))
        strips = by_item(drawn["clips"][0])
        seen.append([strips[name].numbers for name in sorted(strips)])
    assert seen[0] == seen[3]
    assert seen[0] != seen[1] and seen[0] != seen[2]


def test_other_splits_are_shown_as_they_are_evaluated(write_records, settings_of, drawn):
    train = write_records((9, 9, 9), size=(48, 64), frame=noise)
    val = write_records((9, 12, 7), size=(48, 64), frame=noise, name="data.val")
    ten = dataclasses.replace(CROP, evaluate="ten")
    browsing.of_data(settings_of(split="val", train=train, val=val, augment=ten))
    shown, _, options = drawn["clips"]
    chosen = epochs.Clips(val, clips.evaluation_mode(4))
    rows = chosen.every(5)
    wanted = [np.unique(table) for table in chosen.tables(rows)]
    view = augment.View((40, 40), "centre")
    stored = dataset.stored_frames(val, range(3), wanted, view=view, batch_size=64)
    pictures = dict(
        zip(
            [(item, frame) for item, own in enumerate(wanted) for frame in own.tolist()],
            np.concatenate(list(stored.as_numpy_iterator())),
            strict=True,
        )
    )
    evaluated = {
        (item, tuple(frames)): np.stack([pictures[item, frame] for frame in frames])
        for item, frames in zip(rows.item.tolist(), rows.frames.tolist(), strict=True)
    }
    assert len(shown) == len(evaluated)
    for strip in shown:
        frames = evaluated[int(strip.id.removeprefix("video ")), strip.numbers]
        np.testing.assert_array_equal(strip.frames, frames)
        assert not strip.mirrored
    assert options["subtitle"].endswith("the middle one of ten crops")


def test_captions_of_images(write_records, settings_of, drawn):
    captions = [["A red dog."], ["Two cats", "a pair of cats"], ["A bird flies"]]
    records = write_records((1, 1, 1), kind="image", labels=[()] * 3, classes=0, captions=captions)
    known = {" ".join(words.lower().replace(".", "").split()) for own in captions for words in own}
    found = browsing.of_data(settings_of(train=records))
    strips = drawn["clips"][0]
    assert {strip.learnt for strip in strips} <= known
    assert [len(strip.frames) for strip in strips] == [1, 1, 1]
    assert all(strip.numbers == () for strip in strips)
    assert found.needs == "imgdesc_step"
    assert found.rows[0][:3] == ["train", "3", "4"]
    assert browsing.of_data(settings_of(train=records, workflow=STEP)).needs is None


def test_captions_of_videos_to_validate_on(write_records, settings_of, drawn):
    captions = [["one dog"], ["two cats", "a pair of cats"]]
    made = {"labels": [()] * 2, "classes": 0, "captions": captions}
    train = write_records((9, 9), **made)
    val = write_records((9, 9), name="data.val", **made)
    found = browsing.of_data(settings_of(split="val", train=train, val=val))
    strips = by_item(drawn["clips"][0])
    assert strips["video 1"].learnt == "two cats"
    assert strips["video 1"].facts[0] == "1 of 2 captions"
    assert found.needs == "videodesc_pooling"


def test_stored_clips_are_shown(write_records, settings_of, drawn):
    mode = clips.ClipMode("iterative", 3, 0)
    own = write_records((6, 6), mode=mode, clips=[[[0, 1, 2], [3, 4, 5]]] * 2, size=(48, 64))
    settings = settings_of(train=own, clipframe_mode=settings_lib.ClipframeMode("auto"), items=3)
    browsing.of_data(settings)
    strips = drawn["clips"][0]
    assert {strip.numbers for strip in strips} <= {(0, 1, 2), (3, 4, 5)}
    assert {strip.id for strip in strips} == {"video 0", "video 1"} and len(strips) == 3


def test_a_video_of_one_frame_is_a_strip_of_one(write_records, settings_of, drawn):
    mode = settings_lib.ClipframeMode("rand_clips", 1, 1)
    browsing.of_data(settings_of(train=write_records((1,)), clipframe_mode=mode))
    (strip,) = drawn["clips"][0]
    assert strip.numbers == (0,) and strip.facts == ("frames 0 to 0 of 1",)


def test_short_videos_are_counted_before_they_are_refused(write_records, settings_of, tmp_path):
    settings = settings_of(train=write_records((9, 2, 9), size=(48, 64)))
    with pytest.raises(errors.UserError, match=r"video 1 \(2 frames\).*short_videos=loop"):
        browsing.of_data(settings)
    assert {path.name for path in (tmp_path / "out").iterdir()} == {"data.png"}
    browsing.of_data(dataclasses.replace(settings, short_videos="loop"))
    names = {path.name for path in (tmp_path / "out").iterdir()}
    assert names == {"data.png", "clips.png", "input.png"}


def test_a_split_that_is_not_there(write_records, settings_of):
    with pytest.raises(errors.UserError) as caught:
        browsing.of_data(settings_of(split="test", train=write_records((9,))))
    assert str(caught.value).startswith(
        "split: the data set has no such split. Received: test. Expected: train."
    )


def test_images_that_nothing_is_known_of(write_records, settings_of):
    records = write_records((1, 1), kind="image", labels=[()] * 2, classes=0)
    with pytest.raises(errors.UserError, match="video 0: nothing describes this item"):
        browsing.of_data(settings_of(train=records))
