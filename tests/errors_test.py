import ast
import logging
import pathlib
import sys
import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

import lrcn
from lrcn import errors

PARTS = {
    "where": "data.train:3",
    "received": "'dog'",
    "expected": "an integer",
    "remedy": "Mend it",
}
KINDS = ("UserError", "UsageError", "ShortVideo")


def test_a_message_is_one_line_of_all_five_parts():
    error = errors.UserError("bad label", **PARTS)
    assert str(error) == (
        "data.train:3: bad label. Received: 'dog'. Expected: an integer. Mend it."
    )


@pytest.mark.parametrize("part", PARTS)
def test_no_part_may_be_left_out(part):
    rest = {name: value for name, value in PARTS.items() if name != part}
    with pytest.raises(TypeError, match=part):
        errors.UserError("bad label", **rest)


def test_values_are_told_as_a_command_line_has_them():
    values = {"received": None, "expected": True, "where": "key", "remedy": "Set\nkey=true."}
    error = errors.UsageError("did you mean it?", **values)
    assert str(error) == "key: did you mean it? Received: null. Expected: true. Set key=true."
    assert error.received is None and error.exit_code == 2


def test_an_empty_value_is_shown():
    error = errors.UserError("no path", **{**PARTS, "received": ""})
    assert str(error) == "data.train:3: no path. Received: ''. Expected: an integer. Mend it."


def test_what_goes_on_keeps_its_dots():
    error = errors.UserError("bad label", **{**PARTS, "expected": "one of a, b, ..."})
    assert str(error).endswith("Expected: one of a, b, ... Mend it.")


def test_an_error_with_another_place_is_of_the_same_kind():
    error = errors.UsageError("bad label", **PARTS).but(where="data.val:1")
    assert isinstance(error, errors.UsageError)
    assert str(error).startswith("data.val:1: bad label. Received: 'dog'. Expected: an integer.")


def test_colours_that_libraries_give_their_errors_are_left_out_and_those_of_names_are_not():
    error = errors.UserError("bad", **{**PARTS, "received": ValueError("\x1b[31;1mred\x1b[0m")})
    assert str(error).startswith("data.train:3: bad. Received: red. ")
    name = errors.UserError("bad", **{**PARTS, "received": "\x1b[31mred.mp4"})
    assert "Received: \\x1b[31mred.mp4. " in str(name)


HOSTILE = "a\x1b]0;title\x07b\x9b31m\rc\u202egpj.exe\ud800\x00"
HARMLESS = r"a\x1b]0;title\x07b\x9b31m\rc\u202egpj.exe\ud800\x00"


def test_what_acts_on_a_terminal_is_shown_as_escapes():
    assert errors.visible(HOSTILE) == HARMLESS
    assert errors.visible("tab\tand line\n日本 é \u200f") == "tab\tand line\n日本 é \u200f"
    error = errors.UserError("bad name", **{**PARTS, "received": HOSTILE, "where": "\x1b[2Jx"})
    assert str(error).startswith(
        "\\x1b[2Jx: bad name. Received: a\\x1b]0;title\\x07b\\x9b31m c\\u202egpj"
    )
    assert errors.visible(str(error)) == str(error) and "\n" not in str(error)


@given(st.text(st.characters()))
def test_nothing_unseen_is_left_in_messages_and_lines_of_logs(text):
    for shown in (errors.shown(text), errors.visible(text)):
        kinds = {unicodedata.category(character) for character in shown} - {"Cf", "Cn", "Co"}
        assert "Cs" not in kinds and not set(shown) - {"\n", "\t"} & set(map(chr, range(32)))
        assert not set(shown) & {*map(chr, range(127, 160)), *"\u202a\u202e\u2066\u2069"}
        shown.encode()


def test_lines_of_logs_are_visible_and_keep_their_traceback():
    record = logging.LogRecord("lrcn", logging.INFO, "", 0, "file %s\nnext", (HOSTILE,), None)
    formatter = errors.Visible("%(levelname)s %(message)s")
    assert formatter.format(record) == f"INFO file {HARMLESS}\nnext"
    try:
        raise ValueError("bad")
    except ValueError:
        record.exc_info = sys.exc_info()
    assert formatter.format(record).endswith("ValueError: bad")


def test_what_would_command_a_terminal_is_spelt_out():
    error = errors.UserError(
        "bad name", **{**PARTS, "received": "a\0b\x1b]0;title\x07\u202ecod.exe"}
    )
    assert "Received: a\\x00b\\x1b]0;title\\x07\\u202ecod.exe. " in str(error)
    assert str(error).isprintable()


def raised():
    """Yields every place that makes an error: its name and the parts it gives."""
    root = pathlib.Path(lrcn.__file__).parent
    for file in sorted(root.rglob("*.py")):
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
            function = getattr(node, "func", None)
            name = getattr(function, "attr", getattr(function, "id", ""))
            if isinstance(node, ast.Call) and name in KINDS:
                place = f"{file.relative_to(root)}:{node.lineno}"
                yield place, {keyword.arg: keyword.value for keyword in node.keywords}


def test_every_error_of_the_package_tells_all_parts():
    lacking = [place for place, given in raised() if set(PARTS) - set(given)]
    empty = [
        place
        for place, given in raised()
        for value in given.values()
        if isinstance(value, ast.Constant) and value.value in ("", None)
    ]
    assert len(list(raised())) > 100
    assert (lacking, empty) == ([], [])


def test_a_part_of_a_message_has_an_end():
    error = errors.UserError("bad label", **{**PARTS, "received": "9" * 10**6})
    assert len(str(error)) < 5200 and "999... (1,000,000 characters)" in str(error)
