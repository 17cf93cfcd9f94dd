import dataclasses
import itertools

import matplotlib
import numpy as np
import pytest
from PIL import Image

from lrcn import errors
from lrcn.inference import sheets

_LONG = "a man in a red shirt and a very long hat " * 30
_HARD = [
    "w" * 900,
    _LONG,
    "日本の猫" * 9,
    "$x^ a_b \\frac{ %",
    "مرحبا кошка 😀",
    "half \ud800 \x00",
    "",
]


def _frame(level=60, height=90, width=120):
    return np.full((height, width, 3), level, np.uint8)


def _item(caption="a dog runs", *, frames=None, references=("a dog is running",), right=False):
    return sheets.Shown(frames or [_frame()], caption, -3.25, tuple(references), right)


def _drawn(folder, items, title="title"):
    path = folder / "sheet.png"
    sheets.captions(path, items, title=title)
    with Image.open(path) as picture:
        return np.asarray(picture.convert("RGB")).astype(int)


def _cells(pixels):
    """Returns the first and last column of each run of mattes or pictures, and their rows."""
    is_matte = (pixels == sheets._MATTE).all(axis=2)
    rows = np.flatnonzero(is_matte.sum(axis=1) > 20)
    columns = np.flatnonzero((pixels[rows[0] : rows[0] + 9] != 255).any(axis=(0, 2)))
    breaks = np.flatnonzero(np.diff(columns) > 1)
    runs = np.split(columns, breaks + 1)
    return [(int(run[0]), int(run[-1])) for run in runs], rows


@pytest.mark.parametrize(
    ("count", "columns", "rows"), [(1, 1, 1), (5, 3, 2), (8, 4, 2), (24, 4, 6)]
)
def test_images_stand_in_at_most_four_columns(tmp_path, count, columns, rows):
    pixels = _drawn(tmp_path, [_item() for _ in range(count)])
    assert pixels.shape[1] == 56 + columns * 462 + (columns - 1) * 24 <= 2000
    one_row = _drawn(tmp_path, [_item()])
    assert pixels.shape[0] - one_row.shape[0] == (rows - 1) * (one_row.shape[0] - 80)


def test_videos_stand_in_two_columns(tmp_path):
    pixels = _drawn(tmp_path, [_item(frames=[_frame()] * 7)] * 3)
    assert 1900 < pixels.shape[1] <= 2000


def test_a_strip_shows_five_frames_spread_over_the_time(tmp_path):
    frames = [_frame(level) for level in range(10, 190, 20)]
    row = _drawn(tmp_path, [_item(frames=frames)])[150, :, 0]
    levels = [int(level) for level, _ in itertools.groupby(row) if level not in (238, 255)]
    assert levels == [10, 50, 90, 130, 170]


def test_a_short_video_shows_the_frames_that_it_has(tmp_path):
    frames = [_frame(10), _frame(50)]
    assert len(sheets._fitted(frames, sheets._Grid.of([_item(frames=frames)]))) == 2


def test_pictures_of_any_shape_line_up(tmp_path):
    shapes = [(120, 90), (90, 120), (40, 120), (1, 900), (900, 1), (8, 8)]
    items = [_item(frames=[_frame(0, *shape)]) for shape in shapes]
    pixels = _drawn(tmp_path, items)
    (first, second, third), rows = _cells(pixels)
    assert {right - left + 1 for left, right in (first, second, third)} == {462}
    portrait = pixels[rows[0] + 5, first[0] : first[1] + 1, 0] == 0
    assert portrait.sum() == pytest.approx(346 * 90 / 120, abs=2)
    assert portrait.argmax() == pytest.approx(portrait[::-1].argmax(), abs=1)


@pytest.mark.parametrize("caption", _HARD, ids=range(len(_HARD)))
def test_text_stays_in_its_cell(tmp_path, caption):
    item = _item(caption, references=[caption] + ["a dog", f"1 {caption}"])
    pixels = _drawn(tmp_path, [item, item], title=caption)
    assert (pixels[:, :28] == 255).all()
    assert (pixels[:, 28 + 2 * 462 + 24 :] == 255).all()
    assert (pixels[-20:] == 255).all()
    below = pixels[sheets._EDGE + 3 * sheets._TITLE.line_height + 20 :]
    assert (below[:, 28 + 462 : 28 + 462 + 24] == 255).all()


def test_a_longer_caption_has_more_lines_but_not_without_end(tmp_path):
    heights = [
        _drawn(tmp_path, [_item("a brown horse " * count)]).shape[0] for count in (1, 4, 40, 900)
    ]
    line = sheets._CAPTION.line_height
    assert [height - heights[0] for height in heights] == [0, line, 5 * line, 5 * line]


def test_lines_do_not_touch_each_other(tmp_path):
    upright, tall = [_frame(0, 90, 60)], "gjpqy ÄÖÜ "
    item = _item(tall * 9, frames=upright, references=[tall * 12, tall])
    pixels = _drawn(tmp_path, [item])
    _, rows = _cells(pixels)
    text = pixels[rows[-1] + 1 :]
    is_blank = (text == 255).all(axis=(1, 2))
    inked = [len(list(run)) for blank, run in itertools.groupby(is_blank) if not blank]
    assert len(inked) >= 7
    assert max(inked) <= sheets._CAPTION.line_height


def test_dollars_and_underscores_are_shown_as_they_are(tmp_path):
    literal = _drawn(tmp_path, [_item("$x$")])
    plain = _drawn(tmp_path, [_item("x")])
    assert (literal < 128).sum() > (plain < 128).sum() + 100
    assert (_drawn(tmp_path, [_item("a_b")]) != _drawn(tmp_path, [_item("a b")])).any()


def test_what_is_right_is_told_by_words_and_not_by_colour_alone(tmp_path):
    right, wrong = (_drawn(tmp_path, [_item(right=value)]) for value in (True, False))
    assert right.shape == wrong.shape
    assert np.count_nonzero(np.abs(right - wrong).sum(axis=2) > 150) > 300
    green = (right[..., 1] > right[..., 0] + 50) & (right[..., 1] > right[..., 2] + 30)
    assert green.sum() > 300
    told, untold = (sheets._facts(_item(right=value), 500, top=0) for value in (True, False))
    assert [line.text for line in told[1:]] == ["✓ equal to a reference"]
    assert len(untold) == 1


def test_what_an_item_is_ranked_by_is_told_and_the_mark_stays_in_its_cell():
    item = dataclasses.replace(_item(right=True), ranked="CIDEr 12.50")
    wide, narrow = (sheets._facts(item, room, top=10) for room in (500, 300))
    assert wide[0].text == narrow[0].text == "CIDEr 12.50  log-probability −3.25"
    assert wide[1].top == 10 and wide[1].left > 250
    assert narrow[1].top > 10 and narrow[1].left == 0


def test_at_most_three_references_are_shown_the_equal_one_first():
    item = _item("a dog runs", references=["one", "two", "Two .", "three", "A dog runs."])
    assert sheets._references(item) == ["A dog runs.", "One.", "Two."]


def test_an_item_without_references_is_drawn(tmp_path):
    with_one = _drawn(tmp_path, [_item()]).shape[0]
    assert _drawn(tmp_path, [_item(references=())]).shape[0] < with_one


@pytest.mark.parametrize(("count", "found"), [(0, "no item"), (101, "101 items")])
def test_a_sheet_of_nothing_or_of_too_much_is_refused(tmp_path, count, found):
    with pytest.raises(errors.UserError, match=found):
        sheets.captions(tmp_path / "s.png", [_item()] * count, title="")
    assert not list(tmp_path.iterdir())


def test_an_item_without_a_frame_is_named(tmp_path):
    empty = sheets.Shown([], "a dog", 0.0, (), False)
    with pytest.raises(errors.UserError, match="item 2: an item without a frame.*a dog"):
        sheets.captions(tmp_path / "s.png", [_item(), empty], title="")


def test_drawing_leaves_one_file_and_no_global_state(tmp_path):
    before = dict(matplotlib.rcParams)
    first = _drawn(tmp_path, [_item()])
    assert dict(matplotlib.rcParams) == before
    assert [path.name for path in tmp_path.iterdir()] == ["sheet.png"]
    assert (first == _drawn(tmp_path, [_item()])).all()


def test_items_are_chosen_from_the_best_to_the_worst_at_even_ranks():
    scores = [0.1, 0.9, 0.5, 0.3, 0.7]
    assert sheets.choose(scores) == [1, 4, 2, 3, 0]
    assert sheets.choose(scores, count=3) == [1, 2, 0]
    assert sheets.choose(scores, count=2) == [1, 0]
    assert sheets.choose([-float(number) for number in range(101)], count=6) == [
        0,
        20,
        40,
        60,
        80,
        100,
    ]


def test_a_single_item_is_neither_the_best_nor_the_worst():
    assert sheets.choose([0.1, 0.9, 0.5], count=1) == [2]
    assert sheets.choose([0.4]) == [0]


def test_no_item_is_chosen_twice():
    for total, count in itertools.product((1, 2, 7, 24, 25, 36, 47, 113, 999), (1, 2, 9, 24, 100)):
        chosen = sheets.choose([float(7 * number % total) for number in range(total)], count=count)
        assert len(set(chosen)) == len(chosen) == min(total, count)


def test_equal_scores_and_scores_that_are_no_number_have_one_order():
    assert sheets.choose([0.0, 1.0, 0.0, 1.0]) == [1, 3, 0, 2]
    assert sheets.choose([float("nan"), 0.0, 1.0]) == [2, 1, 0]


@pytest.mark.parametrize(("scores", "count"), [([], 24), ([1.0], 0), ([1.0], -1), ([1.0], 1000)])
def test_nothing_to_choose_is_an_error(scores, count):
    with pytest.raises(errors.UserError, match="sheet of captions"):
        sheets.choose(scores, count=count)


@pytest.mark.parametrize(
    ("count", "total", "text"),
    [
        (24, 113, "24 of 113 items, from the best to the worst CIDEr"),
        (7, 7, "7 items, from the best to the worst CIDEr"),
        (1, 9, "1 of 9 items, the middle one by CIDEr"),
        (1, 1, "1 item"),
    ],
)
def test_the_heading_tells_how_items_were_chosen(count, total, text):
    assert sheets.heading(count, total, score="CIDEr") == text
