import pytest

from lrcn.inference import wrapping


def _wrap(text, room, most=99):
    return wrapping.wrap(text, width=len, room=room, most=most)


def test_lines_are_as_full_as_their_room():
    assert _wrap("a man rides a horse", 8) == ["a man", "rides a", "horse"]
    assert _wrap("a man rides a horse", 19) == ["a man rides a horse"]


def test_a_word_wider_than_a_line_is_parted_and_nothing_is_lost():
    lines = _wrap("a " + "x" * 1200 + " b", 50)
    assert max(map(len, lines)) <= 50
    assert "".join(lines).replace(" ", "") == "a" + "x" * 1200 + "b"


def test_an_accent_stays_with_its_letter():
    lines = _wrap("e\u0301" * 9, 3)
    assert all(not line.startswith("\u0301") for line in lines)


def test_what_exceeds_the_lines_is_cut_with_an_ellipsis_that_fits():
    assert _wrap("one two, three four five six", 8, most=2) == ["one two,", "three…"]
    assert _wrap("one two three", 8, most=1) == ["one two…"]
    assert _wrap("one two", 8, most=1) == ["one two"]


def test_a_room_of_nothing_still_ends():
    assert _wrap("abc", 0) == ["a", "b", "c"]
    assert _wrap("abc", 0, most=1) == ["…"]
    assert _wrap("", 8) == []


@pytest.mark.parametrize(
    ("words", "shown"),
    [
        ("a dog runs", "A dog runs."),
        ("a dog runs .", "A dog runs."),
        (" a\ndog\t runs", "A dog runs."),
        ("ein \x00 hund \ud800", "Ein \ufffd hund \ufffd."),
        ("", "(no words)"),
    ],
)
def test_a_caption_is_a_sentence_in_one_line(words, shown):
    assert wrapping.caption(words) == shown
