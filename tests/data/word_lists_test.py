import pytest

from lrcn import errors
from lrcn.data import catalog, check, word_lists

WORDS = ("BOS", "EOS", "UNK", "a", "dog", "runs")


@pytest.fixture
def folder(tmp_path):
    for name in ("a.jpg", "b c.jpg", "d 3.jpg"):
        (tmp_path / name).write_bytes(b"")
    (tmp_path / "words.txt").write_text("".join(f"{word}\n" for word in WORDS))
    return tmp_path


def write(folder, *lines):
    file = folder / "captions.train"
    file.write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")
    return file


def read(folder, *lines, **keys):
    file = write(folder, *lines)
    return catalog.lists(file, vocabulary=folder / "words.txt", **keys)


def test_indices_become_captions_of_one_item_a_path(folder):
    found = read(folder, "a.jpg 3 4 5 4", "b c.jpg\t0 3 2 1", "./a.jpg 4", "", "d 3.jpg 4")
    items = found.splits["captions.train"].items
    captions = {item.id: item.captions for item in items}
    assert captions == {
        "a.jpg": ("a dog runs dog", "dog"),
        "b c.jpg": ("a <unk>",),
        "d 3.jpg": ("dog",),
    }
    assert found.num_classes == 0
    assert not any(item.labels for item in items)


def test_without_a_vocabulary_integers_are_labels(folder):
    items = catalog.lists(write(folder, "a.jpg 3 4")).splits["captions.train"].items
    assert (items[0].labels, items[0].captions) == ((3, 4), ())


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("a.jpg 6", r"captions\.train:2: word index out of range"),
        ("a.jpg -1", r"captions\.train:2: no path with word indices"),
        ("a.jpg a dog", r"captions\.train:2: no path with word indices"),
        ("a.jpg", r"captions\.train:2: no path with word indices"),
        ("a.jpg 0 1", r"captions\.train:2: caption without a word"),
        ("none.jpg 3", r"captions\.train:2: no such image"),
    ],
)
def test_mistakes_name_their_line(folder, line, message):
    with pytest.raises(errors.UserError, match=message):
        read(folder, "b c.jpg 3", line)
    kept = read(folder, "b c.jpg 3", line, on_error="keep").splits["captions.train"].items
    assert [bool(item.problem) for item in kept] == [False, True]
    found, _ = check.lists([folder / "captions.train"], vocabulary=folder / "words.txt")
    assert len(found) == 1


def test_a_line_of_two_readings_and_a_list_of_nothing_are_refused(folder):
    (folder / "d").write_bytes(b"")
    (folder / "d 3").write_bytes(b"")
    with pytest.raises(errors.UserError, match="can be read in several ways"):
        read(folder, "d 3 4")
    with pytest.raises(errors.UserError, match=r"captions\.train: the list names no item"):
        read(folder, "# nothing")


def test_labels_and_a_vocabulary_exclude_each_other(folder):
    with pytest.raises(errors.UserError, match=r"dataset\.vocabulary: integers are either"):
        read(folder, "a.jpg 3", labels=folder / "words.txt")


def test_numbers_of_thousands_of_digits_are_no_indices(tmp_path):
    (tmp_path / "a.jpg").write_bytes(b"")
    for gap in (" ", "\t"):
        (tmp_path / "list").write_text(f"a.jpg{gap}{'9' * 5000}\n")
        with pytest.raises(errors.UserError, match="list:1: no path with word indices"):
            word_lists.read_list(tmp_path / "list", ("a", "dog"))
