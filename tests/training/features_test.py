import fcntl
import threading
import time

import keras
import numpy as np
import pytest

from lrcn import errors, files
from lrcn.data import augment, clips, dataset, epochs
from lrcn.models import backbones
from lrcn.scoring import clips as scoring_clips
from lrcn.training import features

VIEW = augment.View((16, 16), "squash")
MODE = clips.ClipMode("rand_clips", 3, 2)


@pytest.fixture(scope="module")
def backbone():
    keras.utils.set_random_seed(0)
    return backbones.build("small", image_size=(16, 16), trainable=False)


def of_frames(backbone, batch):
    flat = batch.reshape(-1, *batch.shape[2:])
    return backbone(flat, training=False).numpy().reshape(*batch.shape[:2], -1)


def test_clips_of_features_are_the_features_of_the_clips(write_records, backbone):
    record_set = write_records((6, 8, 7), shards=2)
    chosen = epochs.Clips(record_set, MODE)
    stored = features.extract(record_set, backbone, view=VIEW)
    common = {"batch_size": 4, "seed": 2, "first_epoch": 1, "epochs": 3}
    targets = dataset.Targets(record_set, 3, False, [1.0, 2.0, 3.0])
    quick, steps = features.training_clips(stored, chosen, targets=targets, **common)
    slow, slow_steps = dataset.training_clips(chosen, targets=targets, view=VIEW, **common)
    pairs = list(zip(quick.as_numpy_iterator(), slow.as_numpy_iterator(), strict=True))
    assert steps == slow_steps == 2 and quick.options().autotune.enabled is False
    assert len(pairs) == 4
    for (values, *targets), (frames, *slow_targets) in pairs:
        np.testing.assert_allclose(values, of_frames(backbone, frames), rtol=1e-4, atol=1e-5)
        for one, other in zip(targets, slow_targets, strict=True):
            np.testing.assert_array_equal(one, other)


def test_evaluation_equals_that_of_frames(write_records, backbone):
    record_set = write_records((6, 8, 7))
    mode = clips.evaluation_mode(4)
    stored = features.extract(record_set, backbone, view=VIEW)
    chosen = epochs.Clips(record_set, mode)
    quick = features.evaluation_clips(stored, chosen, batch_size=5)
    assert quick.options().autotune.enabled is False
    slow = scoring_clips.of_records(chosen, backbone.predict_on_batch, view=VIEW, batch_size=5)
    for one, other in zip(quick.as_numpy_iterator(), slow, strict=True):
        np.testing.assert_array_equal(one["item"], other["item"])
        np.testing.assert_array_equal(one["clip"], other["clip"])
        np.testing.assert_allclose(one["features"], other["features"], rtol=1e-4, atol=1e-5)


def test_a_killed_extraction_goes_on_where_it_was(write_records, backbone, monkeypatch):
    record_set = write_records((6, 8, 7, 5))
    whole = np.array(features.extract(record_set, backbone, view=VIEW).values)
    folder = features.folder_of(record_set, backbone, VIEW)
    (folder / "features.npy").unlink()
    monkeypatch.setattr(features, "_PART", 8)
    monkeypatch.setattr(features, "_BATCH", 3)
    stream, seen = features._stream, []

    def dying(*arguments, **keywords):
        for number, values in enumerate(stream(*arguments, **keywords)):
            if number == 6:
                raise KeyboardInterrupt
            yield values

    def watched(*arguments, total, **keywords):
        seen.append(total)
        return stream(*arguments, total=total, **keywords)

    monkeypatch.setattr(features, "_stream", dying)
    with pytest.raises(KeyboardInterrupt):
        features.extract(record_set, backbone, view=VIEW)
    assert len(list((folder / "parts").glob("*.npy"))) == 2
    assert not (folder / "features.npy").exists()
    monkeypatch.setattr(features, "_stream", watched)
    again = features.extract(record_set, backbone, view=VIEW).values
    np.testing.assert_allclose(again, whole, rtol=1e-5, atol=1e-6)
    assert seen == [26 - 14]
    assert sorted(path.name for path in folder.iterdir()) == ["features.npy", "items.json"]


def test_what_another_cut_of_the_same_videos_has_computed_is_taken(
    write_records, backbone, monkeypatch
):
    record_set = write_records((6, 8, 7))
    first = features.extract(record_set, backbone, view=VIEW)
    stream, computed = features._stream, []

    def watched(record_set, backbone, view, items, *, total):
        computed.extend(items)
        return stream(record_set, backbone, view, items, total=total)

    monkeypatch.setattr(features, "_stream", watched)
    longer = write_records((6, 8, 7, 5), name="longer.train")
    second = features.extract(longer, backbone, view=VIEW)
    assert computed == [3]
    np.testing.assert_array_equal(second.values[: 6 + 8 + 7], first.values)
    assert len(second.values) == 6 + 8 + 7 + 5
    features.extract(longer, backbone, view=augment.View((16, 16), "centre"))
    assert computed == [3, 0, 1, 2, 3]


def test_nothing_is_computed_when_all_is_known(write_records, backbone, monkeypatch):
    first = features.extract(write_records((6, 8)), backbone, view=VIEW)
    monkeypatch.setattr(features, "_stream", lambda *_, **__: iter(()))
    again = features.extract(write_records((6, 8), name="again", shards=2), backbone, view=VIEW)
    np.testing.assert_array_equal(again.values, first.values)


def test_other_weights_views_and_records_ask_for_other_features(write_records, backbone):
    record_set, other = write_records(), write_records((4, 4, 4), name="other.train")
    keras.utils.set_random_seed(1)
    changed = backbones.build("small", image_size=(16, 16), trainable=False)
    centre = augment.View((16, 16), "centre")
    folders = {
        features.folder_of(record_set, backbone, VIEW),
        features.folder_of(other, backbone, VIEW),
        features.folder_of(record_set, changed, VIEW),
        features.folder_of(record_set, backbone, centre),
    }
    assert len(folders) == 4
    assert all(folder.parent.name == "features" for folder in folders)


def test_features_serve_a_frozen_cnn_without_randomness(backbone):
    assert features.serves(backbone, VIEW)
    assert not features.serves(backbone, augment.View((16, 16), "random"))
    assert not features.serves(backbone, augment.View((16, 16), "squash", mirror=True))
    assert not features.serves(backbone, augment.View((16, 16), "ten"))
    training = backbones.build("small", image_size=(16, 16), trainable=1)
    assert not features.serves(training, VIEW)


@pytest.mark.parametrize("error", [PermissionError(13, "Permission denied"), OSError(28, "full")])
def test_a_folder_that_cannot_be_written_is_named(write_records, backbone, monkeypatch, error):
    def refuse(*_):
        raise error

    monkeypatch.setattr(features, "_compute", refuse)
    with pytest.raises(errors.UserError, match=rf"features.*{error.strerror}.*copy the records"):
        features.extract(write_records(), backbone, view=VIEW)


def test_who_wants_the_same_waits_for_the_first(write_records, backbone, caplog):
    record_set = write_records()
    folder = features.folder_of(record_set, backbone, VIEW)
    lock = folder.with_name(f".{folder.name}.lock")
    caplog.set_level("INFO")
    found = []
    wanting = threading.Thread(
        target=lambda: found.append(features.extract(record_set, backbone, view=VIEW))
    )
    with files.locked(lock, waiting=lambda: pytest.fail("nobody else holds the lock")):
        wanting.start()
        while "waiting for it" not in caplog.text:
            assert wanting.is_alive()
            time.sleep(0.01)
        folder.mkdir(parents=True)
        scrap = folder / ".features.0123.tmp.npy"
        scrap.write_bytes(b"of a killed process")
        assert not (folder / "features.npy").exists()
    wanting.join()
    assert len(found[0].values) == sum(record_set.metadata.frame_counts)
    assert not scrap.exists()


def test_without_locks_nobody_removes_what_another_writes(write_records, backbone, monkeypatch):
    record_set = write_records()
    folder = features.folder_of(record_set, backbone, VIEW)
    compute, seen = features._compute, []

    def refuse(*_):
        raise OSError(38, "Function not implemented")

    def noted(records, network, view, where):
        seen.append(where)
        where.mkdir(parents=True)
        scrap = where / ".features.0123.tmp.npy"
        scrap.write_bytes(b"on its way")
        if len(seen) == 1:
            features.extract(records, network, view=view)  # another process, at the same time
        assert scrap.exists()
        compute(records, network, view, where)

    monkeypatch.setattr(fcntl, "flock", refuse)
    monkeypatch.setattr(features, "_compute", noted)
    found = features.extract(record_set, backbone, view=VIEW)
    assert len(found.values) == sum(record_set.metadata.frame_counts)
    assert len(set(seen)) == 2 and folder not in seen
    assert [path.name for path in folder.parent.iterdir()] == [folder.name]
    assert sorted(path.name for path in folder.iterdir()) == ["features.npy", "items.json"]


@pytest.mark.parametrize(
    "content", [b"no array", np.zeros([3, 2], np.float32), np.array([{}], object)]
)
def test_kept_features_of_a_stranger_are_a_user_error(write_records, backbone, content):
    record_set = write_records()
    kept = features.folder_of(record_set, backbone, VIEW) / "features.npy"
    kept.parent.mkdir(parents=True)
    if isinstance(content, bytes):
        kept.write_bytes(content)
    else:
        np.save(kept, content)
    with pytest.raises(errors.UserError, match="kept features do not fit the records"):
        features.extract(record_set, backbone, view=VIEW)
