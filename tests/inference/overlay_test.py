import fractions

import av
import numpy as np
import pytest
from PIL import Image

from lrcn import errors
from lrcn.inference import overlay

_PREDICTION = {
    "label": "walk",
    "probability": 0.5,
    "windows": [
        {"start": 0.0, "end": 1.0, "label": "run", "probability": 0.9},
        {"start": 0.5, "end": 1.5, "label": "jump", "probability": 0.8},
        {"start": 1.0, "end": 2.0, "label": "sit", "probability": 0.7},
    ],
}


def _grey(height, width, count):
    return [np.full((height, width, 3), 128, np.uint8) for _ in range(count)]


def _write(path, frames, prediction, *, fps):
    with overlay.writing(path, prediction, fps=fps) as writer:
        for frame in frames:
            writer.add(frame)


def _read(path):
    with av.open(str(path)) as container:
        stream = container.streams.video[0]
        rate, codec = stream.average_rate, stream.codec_context.name
        return [frame.to_ndarray(format="rgb24") for frame in container.decode(stream)], rate, codec


def test_every_frame_is_written_as_h264_at_the_rate_of_the_source(tmp_path):
    rate = fractions.Fraction(30000, 1001)
    _write(tmp_path / "o.mp4", _grey(240, 320, 7), _PREDICTION, fps=rate)
    frames, written, codec = _read(tmp_path / "o.mp4")
    assert (len(frames), written, codec) == (7, rate, "h264")
    assert frames[0].shape == (240, 320, 3)
    assert list(tmp_path.iterdir()) == [tmp_path / "o.mp4"]


@pytest.mark.parametrize("size", [(241, 321), (240, 333), (37, 51)])
def test_odd_and_tiny_frames_become_even_and_legible(tmp_path, size):
    _write(tmp_path / "o.mp4", _grey(*size, 2), _PREDICTION, fps=25)
    (frame, _), _, _ = _read(tmp_path / "o.mp4")
    assert frame.shape[0] % 2 == frame.shape[1] % 2 == 0
    assert min(frame.shape[:2]) >= 180
    assert np.count_nonzero(frame > 200) > 100


def test_frames_of_other_sizes_are_brought_to_the_first_one(tmp_path):
    _write(tmp_path / "o.mp4", _grey(240, 320, 1) + _grey(480, 640, 1), _PREDICTION, fps=5)
    assert [frame.shape for frame in _read(tmp_path / "o.mp4")[0]] == [(240, 320, 3)] * 2


def test_the_nearest_window_is_shown():
    shown = [overlay.lines_at(_PREDICTION, seconds)[0] for seconds in (0.0, 0.7, 0.8, 1.3, 9.0)]
    assert shown == ["run  90%", "run  90%", "jump  80%", "sit  70%", "sit  70%"]


def test_without_windows_the_whole_is_shown():
    prediction = {"label": "walk", "probability": 0.456}
    assert overlay.lines_at(prediction, 3.0) == ["walk  46%"]


def test_the_box_darkens_the_corner_and_leaves_the_rest():
    drawn = np.asarray(overlay.draw(Image.fromarray(_grey(240, 320, 1)[0]), ["walk  46%"]))
    assert drawn[10:20, 10:60].min() < 70
    assert drawn[10:25, 10:100].max() > 230
    assert (drawn[60:] == 128).all()
    assert (drawn[:, 200:] == 128).all()


def test_a_label_that_is_too_long_loses_its_end_not_its_probability():
    fitted = overlay._fitting("word " * 40 + "  46%", 12, 200)
    assert fitted.startswith("word word")
    assert fitted.endswith("…  46%")
    assert overlay._width(fitted, 12) <= 200


def test_other_formats_are_refused():
    with pytest.raises(errors.UserError, match=r"overlay: .*out\.avi"):
        overlay.check_target("out.avi")


def test_the_time_of_the_source_decides_the_label(tmp_path):
    with overlay.writing(tmp_path / "o.mp4", _PREDICTION, fps=25) as writer:
        for seconds in (0.0, 5.0):
            writer.add(_grey(240, 320, 1)[0], seconds)
    first, second = _read(tmp_path / "o.mp4")[0]
    assert np.abs(first[:40].astype(int) - second[:40]).max() > 100


def test_no_frame_is_an_error(tmp_path):
    with pytest.raises(errors.UserError, match="no frame"):
        _write(tmp_path / "o.mp4", [], _PREDICTION, fps=25)
    assert not list(tmp_path.iterdir())


def test_a_failure_leaves_no_file(tmp_path):
    def broken():
        yield from _grey(240, 320, 2)
        raise errors.UserError(
            "cut short", where="v.mp4", received=1, expected=2, remedy="Replace it"
        )

    with pytest.raises(errors.UserError, match="cut short"):
        _write(tmp_path / "o.mp4", broken(), _PREDICTION, fps=25)
    assert not list(tmp_path.iterdir())


_CAPTIONED = {
    "id": "v",
    "path": "v.mp4",
    "caption": "a man walks",
    "log_probability": -3.5,
    "windows": [
        {"start": 0.0, "end": 1.0, "caption": "a man runs .", "log_probability": -2.5},
        {"start": 1.0, "end": 2.0, "caption": "a man sits", "log_probability": -1.5},
    ],
}
_LONG = "a man in a red shirt walks with a large dog over a green meadow near the sea " * 4


def test_captions_are_shown_as_sentences_in_their_time():
    shown = [overlay.lines_at(_CAPTIONED, seconds) for seconds in (0.0, 0.9, 1.1, 9.0)]
    assert shown == [["A man runs."], ["A man runs."], ["A man sits."], ["A man sits."]]
    alone = {"caption": "two  blanks in a caption", "log_probability": -3.0}
    assert overlay.lines_at(alone, 1.0) == ["Two blanks in a caption."]
    assert overlay.lines_at({"caption": "", "log_probability": 0.0}, 0.0) == ["(no words)"]


def _changed(size, caption):
    """Returns the drawn frame and the rows and columns of what was drawn on its grey."""
    lines = overlay.lines_at({"caption": caption, "log_probability": -3.0}, 0.0)
    drawn = np.asarray(overlay.draw(Image.fromarray(_grey(*size, 1)[0]), lines)).astype(int)
    is_drawn = (drawn != 128).any(axis=2)
    return drawn, np.flatnonzero(is_drawn.any(axis=1)), np.flatnonzero(is_drawn.any(axis=0))


@pytest.mark.parametrize(
    "size", [(240, 320), (180, 180), (37, 51), (960, 540), (1920, 1080), (720, 1280), (300, 1920)]
)
@pytest.mark.parametrize(
    "caption", [_LONG, "w" * 999, "日本の猫 " * 40, "gjpqy ÄÖÜ " * 30, "a dog"]
)
def test_captions_stay_within_frames_of_any_shape(size, caption):
    drawn, rows, columns = _changed(size, caption)
    height, width = drawn.shape[:2]
    assert rows[0] >= 1
    assert columns[0] >= 1
    assert columns[-1] < width - 1
    assert rows[-1] < 0.35 * height
    # The letters stand in the box: it is wider than they are on every side.
    letters = (drawn > 200).all(axis=2)
    assert letters[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1].sum() == letters.sum() > 20
    assert not letters[rows[0]].any()
    assert not letters[:, columns[-1]].any()


def test_a_caption_has_one_to_three_lines_and_then_an_ellipsis():
    def lines(caption, width=640, height=480):
        return overlay._caption_block((caption,), width, height).text.split("\n")

    assert lines("A dog runs.") == ["A dog runs."]
    words = "A man in a red shirt walks with a large dog over a green meadow near the sea."
    assert 2 <= len(lines(words)) <= 3
    assert " ".join(lines(words)) == words
    assert len(lines(_LONG)) == 3
    assert lines(_LONG)[-1].endswith("…")
    assert len(lines(words, 1920, 300)) == 1


def test_a_caption_is_lower_where_it_would_not_fit():
    usual = overlay._caption_block(("A dog runs.",), 320, 240)
    lower = overlay._caption_block((_LONG,), 320, 240)
    assert (usual.size, lower.size) == (15, 10)
    assert overlay._caption_block(("A dog runs.",), 240, 320).size == 15


def test_captions_are_drawn_on_a_video(tmp_path):
    _write(tmp_path / "o.mp4", _grey(240, 320, 3), _CAPTIONED, fps=25)
    frames, _, _ = _read(tmp_path / "o.mp4")
    assert len(frames) == 3
    assert frames[0][8:30, 8:120].min() < 70
    assert np.abs(frames[0][120:].astype(int) - 128).max() < 12


def test_labels_are_drawn_as_large_as_before_captions():
    assert overlay._label_block(("walk  46%",), 320, 240) == overlay._Block("walk  46%", 15, 4, 4)
    upright = overlay._label_block(("a label of some length  46%",), 320, 640)
    assert (upright.size, upright.margin) == (28, 10)
    assert upright.text.endswith("…  46%")
