import json
import os
import pathlib
import socket
import tracemalloc

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lrcn import errors
from lrcn.data import bounded
from lrcn.data.limits import Limits


@pytest.fixture
def odd_files(tmp_path, monkeypatch):
    """Paths of what is no file, by what it is."""
    monkeypatch.chdir(tmp_path)
    os.mkfifo("pipe")
    (tmp_path / "device").symlink_to("/dev/zero")
    (tmp_path / "folder").mkdir()
    with socket.socket(socket.AF_UNIX) as listening:
        listening.bind("socket")
        yield {
            "a named pipe, not a file": tmp_path / "pipe",
            "a device, not a file": tmp_path / "device",
            "a socket, not a file": tmp_path / "socket",
            "Is a directory": tmp_path / "folder",
            "No such file or directory": tmp_path / "missing",
            "no name of a file": tmp_path / "a\0b",
            "File name too long": tmp_path / ("a" * 5000),
        }


def test_only_files_are_opened(odd_files):
    for what, path in odd_files.items():
        with pytest.raises(OSError) as caught:
            bounded.opened(path)
        assert caught.value.strerror == what


def test_half_a_character_names_no_file(tmp_path):
    with pytest.raises(OSError, match="no name of a file"):
        bounded.require_file(tmp_path / "\ud800")


def test_a_link_to_a_file_is_a_file(tmp_path):
    (tmp_path / "a").write_bytes(b"abc")
    (tmp_path / "b").symlink_to("a")
    assert bounded.read(tmp_path / "b", what="file", limits=Limits()) == b"abc"


def test_a_file_is_refused_before_it_is_read(tmp_path):
    path = tmp_path / "large.json"
    with path.open("wb") as file:
        file.truncate(2**40)  # takes no room on the disk
    tracemalloc.start()
    try:
        with pytest.raises(errors.UserError) as caught:
            bounded.read(path, what="file of captions", limits=Limits())
        with pytest.raises(errors.UserError, match=r"limits\.file_bytes"):
            next(bounded.lines(path, what="list", limits=Limits()))
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert str(caught.value) == (
        f"{path}: file of captions is larger than the limit. Received: 1,099,511,627,776 bytes. "
        "Expected: at most 2,147,483,648 bytes. "
        "Leave it out, or raise limits.file_bytes if it can be trusted."
    )
    assert peak < 100_000


def test_a_line_is_bounded_with_its_end(tmp_path):
    path = tmp_path / "list"
    path.write_bytes(b"abc\nabcd\nabcde\n")
    stream = bounded.lines(path, what="list", limits=Limits(line_bytes=5))
    assert [next(stream), next(stream)] == [b"abc\n", b"abcd\n"]
    with pytest.raises(errors.UserError, match=r"list:3: a line of the list .* limits\.line_bytes"):
        next(stream)


def test_a_stream_may_be_larger_than_what_is_read_as_a_whole(tmp_path):
    path = tmp_path / "vectors"
    path.write_bytes(b"a\n" * 10)
    limits = Limits(file_bytes=5)
    assert len(list(bounded.lines(path, what="list", limits=limits, whole=False))) == 10
    with pytest.raises(errors.UserError, match=r"limits\.file_bytes"):
        list(bounded.lines(path, what="list", limits=limits))


@settings(deadline=None)
@given(content=st.binary(max_size=60), most=st.integers(1, 9))
def test_lines_are_those_of_python_or_refused(tmp_path_factory, content, most):
    path = tmp_path_factory.mktemp("lines") / "list"
    path.write_bytes(content)
    expected = content.split(b"\n")
    expected = [line + b"\n" for line in expected[:-1]] + [last for last in expected[-1:] if last]
    try:
        found = list(bounded.lines(path, what="list", limits=Limits(line_bytes=most)))
    except errors.UserError:
        assert max(map(len, expected)) > most
    else:
        assert found == expected and max(map(len, expected), default=0) <= most


values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=10,
)


@settings(deadline=None)
@given(values)
def test_json_comes_back(value):
    value = json.loads(json.dumps(value))  # infinity is what 1e999 is read as, by any reader
    text = json.dumps(value, ensure_ascii=True)
    if "Infinity" not in text:
        assert bounded.parse_json(text.encode()) == value
        assert bounded.parse_json(b"\xef\xbb\xbf" + text.encode()) == value


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        (b"[NaN]", "NaN, which is no number of JSON"),
        (b'{"a": -Infinity}', "-Infinity, which"),
        (b'[{"a": 1, "b": 2, "a": 3}]', "the key 'a' twice in one object"),
        (b"[" * 100_000, "within each other"),
        (b'{"a":' * 100_000, "within each other"),
        (b"[" + b"9" * 5000 + b"]", "a number of thousands of digits"),
    ],
)
def test_json_that_says_several_things_is_refused(text, reason):
    with pytest.raises(bounded.Misread, match=reason):
        bounded.parse_json(text)


@settings(deadline=None)
@given(st.binary(max_size=40))
def test_any_bytes_are_json_or_refused(content):
    try:
        found = bounded.parse_json(content)
    except (bounded.Misread, json.JSONDecodeError, UnicodeDecodeError):
        return
    assert found == json.loads(content.decode("utf-8-sig"))


def test_a_value_is_shown_short_however_deep_and_large_it_is():
    deep = []
    for _ in range(100_000):
        deep = [deep]
    assert bounded.shown(deep) == "[[[[...]]]]"
    assert len(bounded.shown("a" * 10**6)) == 60
    assert len(bounded.shown({str(key): "a" * 1000 for key in range(1000)})) < 400
    while deep:  # from the outside in, or the interpreter would recurse
        deep = deep.pop()


@pytest.mark.skipif(not pathlib.Path("/proc/self/status").exists(), reason="a file of no size")
def test_what_tells_no_size_is_read_as_far_as_it_may_be():
    whole = bounded.read("/proc/self/status", what="file", limits=Limits())
    assert whole.startswith(b"Name:") and len(whole) > 500
    some = bounded.read("/proc/self/status", what="file", limits=Limits(file_bytes=100))
    assert len(some) == 100
