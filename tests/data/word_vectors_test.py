import tracemalloc

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lrcn import errors
from lrcn.data import lines, text, word_vectors
from lrcn.data.limits import Limits

VOCABULARY = text.Vocabulary((*text.SPECIAL, "a", "dog", "zebra", "ä"), 5)
GLOVE = "dog .5 -1 2\nthe 9 9 9\na 1e-1 2 3\nä 4 5 6\n"
KNOWN = {4: [0.1, 2, 3], 5: [0.5, -1, 2], 7: [4, 5, 6]}


@pytest.fixture
def read(tmp_path):
    def read(content, *, seed=3):
        path = tmp_path / "vectors.txt"
        path.write_bytes(content.encode() if isinstance(content, str) else content)
        return word_vectors.read_vectors(path, VOCABULARY, seed=seed)

    return read


def told(read, content):
    with pytest.raises(errors.UserError) as caught:
        read(content)
    return str(caught.value)


@pytest.mark.parametrize(
    "content",
    [
        GLOVE,
        "4 3\n" + GLOVE,
        GLOVE.replace("\n", " \r\n"),
        "\ufeff" + GLOVE.replace("dog ", "dog\t"),
        "".join(reversed(GLOVE.splitlines(keepends=True))),
        GLOVE + "\n. . . 7 7 7\ndog 8 8 8\n",
        GLOVE.encode() + b"caf\xe9 1 2 3\n",
    ],
    ids=["glove", "word2vec", "windows", "tab", "reversed", "spaces and doubles", "not UTF-8"],
)
def test_rows_are_where_the_ids_say(read, content):
    matrix, missing = read(content)
    assert matrix.shape == (8, 3) and matrix.dtype == np.float32
    for number, vector in KNOWN.items():
        np.testing.assert_array_equal(matrix[number], np.float32(vector))
    assert missing == ("zebra",)
    assert not matrix[text.PADDING].any()


def test_missing_words_are_drawn_by_the_seed(read):
    first, again, other = (read(GLOVE, seed=seed)[0] for seed in (1, 1, 2))
    np.testing.assert_array_equal(first, again)
    drawn = [text.BEGIN, text.END, text.UNKNOWN, 6]
    assert (first[drawn] != other[drawn]).all() and len(np.unique(first[drawn])) == 12
    np.testing.assert_array_equal(first[list(KNOWN)], other[list(KNOWN)])


def test_drawn_vectors_are_as_wide_as_the_found(tmp_path):
    words = tuple(f"word{number}" for number in range(400))
    vocabulary = text.Vocabulary((*text.SPECIAL, *words), 5)
    known = np.random.default_rng(0).normal(scale=0.25, size=(200, 50))
    lines = (" ".join([word, *map(str, row)]) for word, row in zip(words, known, strict=False))
    (tmp_path / "vectors.txt").write_text("\n".join(lines))
    matrix, missing = word_vectors.read_vectors(tmp_path / "vectors.txt", vocabulary, seed=0)
    assert missing == words[200:]
    assert matrix[204:].std() == pytest.approx(0.25, rel=0.03)
    assert matrix[204:].mean() == pytest.approx(0, abs=0.01)


def test_special_tokens_of_the_file_count(read):
    matrix, _ = read(GLOVE + "<unk> 7 8 9\n<pad> 1 1 1\n")
    assert matrix[text.UNKNOWN].tolist() == [7, 8, 9]
    assert not matrix[text.PADDING].any()


@pytest.mark.parametrize(
    ("content", "line", "message"),
    [
        ("a 1 2 3\ndog 1 2\n", 2, "another width. Received: 2 numbers. Expected: a word and 3"),
        ("a 1 2 3\ndog 1 2 3 4\n", 2, "another width. Received: 4 numbers"),
        ("a 1 2 3\nthe 1 2\n", 2, "another width"),
        ("2 3\na 1 2 3 4\ndog 1 2 3\n", 2, "another width. Received: 4 numbers"),
        ("a\ndog\n", 1, "another width. Received: 0 numbers"),
        ("a 1 2 x\n", 1, "no finite number. Received: '1 2 x'"),
        ("the 1 2 3\na 1 nan 3\n", 2, "no finite number"),
        ("the 1 2 3\na 1 1e300 3\n", 2, "no finite number"),
        ("two words 1 2 3\n", 1, "no finite number"),
        (b"\x1f\x8b\x08 \x00\xff \x01", 1, "no finite number"),
    ],
)
def test_faulty_lines(read, tmp_path, content, line, message):
    heard = told(read, content)
    assert heard.startswith(f"{tmp_path / 'vectors.txt'}:{line}: ") and message in heard


def test_cut_off_file(read):
    heard = told(read, "5 3\n" + GLOVE)
    assert "cut off" in heard and "Received: 4 words. Expected: 5 words" in heard


@pytest.mark.parametrize("content", ["", "\n", "the 1 2 3\n<unk> 1 2 3\n"])
def test_none_of_the_words(read, content):
    assert "no word of the vocabulary has a vector" in told(read, content)


def test_no_file(tmp_path):
    reasons = {tmp_path: "Is a directory", tmp_path / "none.txt": "no such file"}
    for path, reason in reasons.items():
        message = rf"word vectors cannot be read\. Received: {reason}\."
        with pytest.raises(errors.UserError, match=message):
            word_vectors.read_vectors(path, VOCABULARY, seed=0)


def test_a_file_is_read_as_a_stream(tmp_path):
    path = tmp_path / "vectors.txt"
    numbers = " 0.12345" * 100
    with path.open("w") as file:
        file.writelines(f"other{number}{numbers}\n" for number in range(5_000))
        file.write(f"dog{numbers}\n")
    tracemalloc.start()
    try:
        matrix, _ = word_vectors.read_vectors(path, VOCABULARY, seed=0)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert matrix.shape == (8, 100)
    assert path.stat().st_size > 4_000_000 and peak < 400_000


def test_a_file_without_lines_is_not_held_in_memory(tmp_path):
    path = tmp_path / "vectors.txt"
    with path.open("wb") as file:
        file.truncate(200 * 2**20)  # takes no room on the disk
    tracemalloc.start()
    try:
        with pytest.raises(errors.UserError, match="a line of the file.*limits.line_bytes"):
            word_vectors.read_vectors(path, VOCABULARY, seed=0)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < 20 * 2**20


FIELDS = [
    "a",
    "dog",
    "ä",
    "1",
    "-2.5",
    "1e400",
    "nan",
    "inf",
    "0x1",
    "1_0",
    ".",
    "\n",
    " ",
    "\t",
    "\r",
]


@settings(deadline=None, max_examples=150)
@given(
    st.binary(max_size=60)
    | st.lists(st.sampled_from(FIELDS), max_size=30).map(lambda fields: " ".join(fields).encode())
)
def test_any_bytes_are_finite_vectors_or_refused(tmp_path_factory, content):
    path = tmp_path_factory.mktemp("any") / "vectors.txt"
    path.write_bytes(content)
    try:
        matrix, missing = word_vectors.read_vectors(path, VOCABULARY, seed=0)
    except errors.UserError as error:
        assert error.where.startswith(str(path)) and lines.is_name(str(error))
        return
    assert len(matrix) == VOCABULARY.size and matrix.shape[1] > 0 and np.isfinite(matrix).all()
    assert not set(VOCABULARY.tokens[4:]) <= set(missing)


def test_a_file_may_be_larger_than_one_that_is_read_as_a_whole(tmp_path):
    path = tmp_path / "vectors.txt"
    path.write_text(GLOVE)
    limits = Limits(file_bytes=5, line_bytes=12)
    assert word_vectors.read_vectors(path, VOCABULARY, seed=0, limits=limits)[0].shape == (8, 3)
    with pytest.raises(errors.UserError, match=r"vectors.txt:1: .*limits\.line_bytes"):
        word_vectors.read_vectors(path, VOCABULARY, seed=0, limits=Limits(line_bytes=11))


@pytest.mark.parametrize("header", ["9" * 5000 + " 3", "3 " + "9" * 5000])
def test_numbers_of_thousands_of_digits_are_no_header(read, header):
    assert "vectors.txt:" in told(read, f"{header}\na 1 2 3\n")


def test_another_width_than_the_network_has_is_told_at_the_first_line(tmp_path):
    path = tmp_path / "vectors.txt"
    path.write_text("a" + " 1" * 100_000 + "\n")
    tracemalloc.start()
    try:
        with pytest.raises(errors.UserError, match=r"Received: 3\. Expected: 100000, as in"):
            word_vectors.read_vectors(path, VOCABULARY, seed=0, width=3)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < 30 * 2**20
