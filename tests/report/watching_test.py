import numpy as np
import pytest

from lrcn.data import clips
from lrcn.inference import protocols, trained
from lrcn.report import classes, items, stored, watching

pytest.importorskip("tensorflow")


def test_what_is_seen_over_time_is_what_was_evaluated(shapes):
    """Three windows of 4 of 6 frames: the last one is aligned, and so is the second again."""
    found = classes.read(shapes, "test")
    run = trained.load(shapes.path)
    watcher = watching.Watcher(run, stored.open_records(found.protocol), found.protocol)
    items = [3, 0]
    labels = [int(found.taken_for[item]) for item in items]
    for item, watched in zip(items, watcher.watch(items, labels), strict=True):
        assert watched.numbers.tolist() == list(range(6))
        assert watched.frames.shape == (6, 16, 16, 3) and watched.frames.dtype == np.uint8
        assert watched.probabilities.shape == (6, 8)
        np.testing.assert_allclose(watched.probabilities.sum(axis=1), 1, atol=1e-6)
        said = run.model.predict_on_batch(
            np.stack([watched.frames[:4], watched.frames[2:], watched.frames[2:]])
        )["logits"]
        steps = np.exp(said) / np.exp(said).sum(axis=-1, keepdims=True)
        np.testing.assert_allclose(steps.mean(axis=(0, 1)), found.predicted.values[item], atol=1e-5)
        np.testing.assert_allclose(watched.probabilities[0], steps[0, 0], atol=1e-5)
        middle = (steps[0, 2] + 2 * steps[1, 0]) / 3
        np.testing.assert_allclose(watched.probabilities[2], middle, atol=1e-5)
        assert watched.window.tolist() in ([0, 1, 2, 3], [2, 3, 4, 5])
        assert watched.heat.shape == (4, 16, 16)
        assert watched.heat.min() >= 0 and watched.heat.max() <= 1


def test_that_only_some_windows_are_shown_is_told(shapes, monkeypatch):
    found, run = classes.read(shapes, "test"), trained.load(shapes.path)
    whole = items.shown(found, 1, run, reason="")
    assert not any("evenly spread" in remark for remark in whole.remarks)
    monkeypatch.setattr(watching, "MOST_WINDOWS", 2)  # of 3
    (remark,) = items.shown(found, 1, run, reason="").remarks
    assert "are of 2 windows that are evenly spread" in remark
    assert "the answer is of all of its windows" in remark


@pytest.mark.parametrize(
    ("told", "mode"),
    [
        ("images", None),
        ("those of the records", None),
        (
            "iterative(num_frames_per_clip=16, clip_offset_or_num=-8, tail=align)",
            clips.ClipMode("iterative", 16, -8, "align"),
        ),
        ("rand_frames(num_frames_per_clip=4)", clips.ClipMode("rand_frames", 4)),
    ],
)
def test_the_mode_of_a_protocol_is_read(told, mode):
    assert protocols.clip_mode(told) == mode
