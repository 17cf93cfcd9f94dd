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
