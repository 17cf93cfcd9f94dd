import os
import pathlib
import tracemalloc

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lrcn import errors
from lrcn.data import lines, lists, serialize, text
from lrcn.data.limits import Limits


@pytest.fixture
def folder(tmp_path):
    for name in ("a.jpg", "b.PNG", "my file.jpg", "c.mp4", "d e.avi", "f.txt", "g.bin"):
        (tmp_path / name).write_bytes(b"x")
    for name in ("clip", "my clip", "my clip 2", "0001"):
        (tmp_path / name).mkdir()
    return tmp_path


def read(folder, text, **options):
    file = folder / "data.train"
    file.write_text(text, encoding="utf-8")
    return lists.read_list(file, **options)


def told(folder, text, **options):
    with pytest.raises(errors.UserError) as caught:
        read(folder, text, **options)
    return str(caught.value)


def test_items_of_every_kind_on_one_list(folder):
    text = "# things\n\na.jpg 0\nb.PNG 1\nclip 2\nc.mp4 0\n  \nmy file.jpg\t1\nd e.avi 1\n"
    items = read(folder, text)
    assert [item.kind for item in items] == ["image", "image", "frames", "video", "image", "video"]
    assert [item.id for item in items][-2:] == ["my file.jpg", "d e.avi"]
    assert [item.labels for item in items] == [(0,), (1,), (2,), (0,), (1,), (1,)]
    assert items[0].where == f"{folder / 'data.train'}:3"
    assert pathlib.Path(items[0].path) == folder / "a.jpg"


def test_windows_line_ends_and_byte_order_mark(folder):
    (folder / "w.list").write_bytes("\ufeffa.jpg 1\r\nclip 2\r\n".encode())
    items = lists.read_list(folder / "w.list")
    assert [(item.id, item.labels) for item in items] == [("a.jpg", (1,)), ("clip", (2,))]


def test_several_labels(folder):
    items = read(folder, "a.jpg 2 0 5\nc.mp4\t1 3\nclip\t4\t6\n")
    assert [item.labels for item in items] == [(2, 0, 5), (1, 3), (4, 6)]


def test_what_is_on_disk_tells_path_from_labels(folder):
    assert read(folder, "my clip 3\n")[0].labels == (3,)
    ambiguous = told(folder, "my clip 2 3\n")
    assert "data.train:1: the line can be read in several ways" in ambiguous
    assert "'my clip 2' or 'my clip'" in ambiguous and "TAB" in ambiguous
    item = read(folder, "my clip 2\t3\n")[0]
    assert (item.id, item.labels) == ("my clip 2", (3,))


def test_folder_named_by_a_number_is_a_folder(folder):
    item = read(folder, "0001 3\n")[0]
    assert (item.id, item.kind, item.labels) == ("0001", "frames", (3,))


def test_labels_by_name(folder):
    names = ("Jump", "Ride A Bike")
    items = read(
        folder,
        "a.jpg Jump\nclip Ride A Bike\nc.mp4\tRide A Bike\tJump\nb.PNG 1\n",
        label_names=names,
    )
    assert [item.labels for item in items] == [(0,), (1,), (1, 0), (1,)]


def test_captions_are_joined_by_image(folder):
    text = "a.jpg#0\tA dog runs .\nb.PNG\tTwo cats\na.jpg#1\tA brown dog\n"
    items = read(folder, text)
    assert [(item.id, item.captions) for item in items] == [
        ("a.jpg", ("A dog runs .", "A brown dog")),
        ("b.PNG", ("Two cats",)),
    ]
    assert items[0].labels == ()


def test_a_caption_may_hold_tabs_and_numbers(folder):
    items = read(folder, "a.jpg#0\t3\nb.PNG#0\ttwo\tparts here\n")
    assert [item.captions for item in items] == [("3",), ("two\tparts here",)]


def test_path_prepend_folder(folder, tmp_path_factory):
    elsewhere = tmp_path_factory.mktemp("lists") / "x.test"
    elsewhere.write_text("a.jpg 0\n")
    assert lists.read_list(elsewhere, path_prepend_folder=folder)[0].path == str(folder / "a.jpg")
    elsewhere.write_text(f"{folder / 'a.jpg'} 0\n")
    assert lists.read_list(elsewhere, path_prepend_folder="/nowhere")[0].kind == "image"


def test_an_image_of_unusual_suffix_is_one_if_frames_have_it(folder):
    (folder / "x.jp2").write_bytes(b"")
    assert read(folder, "x.jp2 0\n", frame_format="jp2")[0].kind == "image"
    assert "neither an image nor a video" in told(folder, "x.jp2 0\n")


@pytest.mark.parametrize(
    ("line", "parts"),
    [
        ("nothing.mp4 3", ["no such image, video or folder of frames", "nothing.mp4"]),
        ("g.bin 3", ["neither an image nor a video", "g.bin"]),
        (
            "a.jpg",
            ["line without label or caption. Received: 'a.jpg'. Expected: path label", "after"],
        ),
        ("my file.jpg", ["line without label or caption. Received: 'my file.jpg'"]),
        ("3", ["line without path. Received: '3'. Expected: path label", "before"]),
        ("\t3", ["line without path. Received: '3'"]),
        ("1 2", ["no such image", "path_prepend_folder"]),
        ("a.jpg dog", ["label is no integer and no known name", "'dog'", "dataset.labels"]),
        ("a.jpg\tdog", ["label is no integer and no known name", "'dog'"]),
        ("a.jpg A dog runs .", ["'A dog runs .'. Expected: an integer, or path<TAB>caption. A"]),
        ("none.jpg A dog runs .", ["no known name", "'A dog runs .'", "path<TAB>caption"]),
        ("a.jpg 0\nc.mp4 1\nb.PNG\ta small dog", ["Captions need a list of their own"]),
        ("a.jpg 1.5", ["label is no integer and no known name", "'1.5'"]),
        ("a.jpg -1", ["label out of range", "-1"]),
        ("a.jpg\t", ["line without label or caption"]),
        ("c.mp4 3\nc.mp4 4", ["two items with one id", "c.mp4", "stands first at"]),
        ("c.mp4 3\n./c.mp4 3", ["two items with one id. Received: c.mp4", "stands first at"]),
        ("clip 3\nmy clip/../clip/ 3", ["two items with one id. Received: clip."]),
    ],
)
def test_bad_lines_name_file_and_line(folder, line, parts):
    message = told(folder, f"# first\n{line}\n")
    number = 2 + line.count("\n")
    assert message.startswith(f"{folder / 'data.train'}:{number}: ")
    assert all(part in message for part in parts) and "\n" not in message


def test_labels_beyond_the_names(folder):
    message = told(folder, "a.jpg 2\n", label_names=("x", "y"))
    assert "label out of range. Received: 2. Expected: 0 to 1" in message
    message = told(folder, "a.jpg z\n", label_names=("x", "y"))
    assert "'z'" in message and "one of x, y" in message


def test_one_file_under_two_spellings_is_one_item(folder):
    absolute = folder / "c.mp4"
    message = told(folder, f"c.mp4 0\n{absolute} 0\n")
    assert f"data.train:2: two items with one id. Received: {absolute}" in message
    (item,) = read(folder, "./a.jpg#0\tA dog\na.jpg#1\tA brown dog\n")
    assert (item.id, item.captions) == ("a.jpg", ("A dog", "A brown dog"))
    items = read(folder, "c.mp4 0\n./c.mp4 0\nclip 1\n", on_error="keep")
    assert [bool(item.problem) for item in items] == [False, True, False]
    assert items[1].where.endswith(":2")


def test_a_link_is_the_file_that_it_leads_to(folder):
    (folder / "link.mp4").symlink_to("c.mp4")
    message = told(folder, "c.mp4 0\nlink.mp4 0\n")
    assert "data.train:2: two items with one id. Received: link.mp4" in message
    (folder / "links").symlink_to(".")
    (item,) = read(folder, "a.jpg#0\ta dog\nlinks/a.jpg#1\ta cat\n")
    assert (item.id, item.captions) == ("a.jpg", ("a dog", "a cat"))
    assert "two captions of one number" in told(folder, "a.jpg#0\ta dog\nlinks/a.jpg#0\ta cat\n")


def test_a_name_that_no_file_can_have_is_told(folder):
    assert "no such image" in told(folder, "a.jpg 0\nb\0.jpg 0\n")


def test_a_faulty_line_claims_no_path(folder):
    items = read(
        folder, "c.mp4 x\na.jpg 1\nc.mp4 -1\nc.mp4 3\nc.mp4 4\nc.mp4 -1\n", on_error="keep"
    )
    told = [item.problem and item.problem.what for item in items]
    assert [item.where.rpartition(":")[2] for item in items] == list("123456")
    assert told[:2] == ["label is no integer and no known name", None]
    assert told[2:4] == ["label out of range", None]
    assert told[4:] == ["two items with one id", "label out of range"]
    assert "stands first at" in str(items[4].problem) and ":4; remove" in str(items[4].problem)
    captions = read(folder, "a.jpg#0\t\na.jpg#1\tA dog\na.jpg#2\tA cat\n", on_error="keep")
    assert [item.captions for item in captions if not item.problem] == [("A dog", "A cat")]


@pytest.mark.parametrize(
    ("lines", "line", "message"),
    [
        ("a.jpg\ta dog\nb.PNG\t7\n", 2, "a number alone among captions. Received: '7'"),
        ("a.jpg\t3\nb.PNG\ta small dog\n", 1, "a number alone among captions. Received: '3'"),
        ("a.jpg#0\ta dog\na.jpg#1\t7\nb.PNG\t7\n", 3, "a number alone among captions"),
        ("a.jpg\ta dog\nb.PNG 7\n", 2, "line without a TAB among captions. Received: 'b.PNG 7'"),
        ("a.jpg\ta dog\nb.PNG two cats\n", 2, "line without a TAB among captions"),
        ("a.jpg\t3\nc.mp4\t4\nb.PNG\ta small dog\n", 3, "label is no integer and no known name"),
        ("a.jpg 3\nc.mp4 4\nb.PNG\ta small dog\n", 3, "label is no integer and no known name"),
    ],
)
def test_a_line_of_the_other_kind_is_told_among_captions_or_labels(folder, lines, line, message):
    assert told(folder, lines).startswith(f"{folder / 'data.train'}:{line}: {message}")
    items = read(folder, lines, on_error="keep")
    assert [item.where.rpartition(":")[2] for item in items if item.problem] == [str(line)]


@pytest.mark.parametrize("line", ["b.PNG#0\t", "my file.jpg\t", "my file.jpg#0", "none.jpg"])
def test_a_line_without_a_caption(folder, line):
    message = told(folder, f"a.jpg#0\ta dog\n{line}\n")
    assert "data.train:2: line without label or caption" in message


def test_two_captions_of_one_number(folder):
    text = "a.jpg#0\ta dog\nb.PNG#0\ttwo cats\n./a.jpg#0\ta cat\na.jpg#1\ta brown dog\n"
    message = told(folder, text)
    assert "data.train:3: two captions of one number. Received: ./a.jpg#0, first at" in message
    items = read(folder, text + "a.jpg#1\ta cow\n", on_error="keep")
    assert [item.captions for item in items if not item.problem] == [
        ("a dog", "a brown dog"),
        ("two cats",),
    ]
    assert [item.where.rpartition(":")[2] for item in items if item.problem] == ["3", "5"]
    (folder / "clip#0").mkdir()  # a path of that very name has as many captions as it likes
    assert len(read(folder, "clip#0\ta dog\nclip#0\ta cat\n")[0].captions) == 2


def test_all_problems_are_counted_and_can_be_kept(folder):
    text = "a.jpg 0\nnone.jpg 1\nclip x\nc.mp4 1\n"
    message = told(folder, text)
    assert ":2: no such image" in message and "1 more" in message
    items = read(folder, text, on_error="keep")
    assert [item.id for item in items] == ["a.jpg", "none.jpg", "clip x", "c.mp4"]
    assert [bool(item.problem) for item in items] == [False, True, True, False]


def test_missing_image_with_five_captions_is_one_problem(folder):
    text = "a.jpg#0\ta dog\n" + "".join(f"no.jpg#{i}\tcaption {i}\n" for i in range(5))
    items = read(folder, text, on_error="keep")
    assert [item.id for item in items] == ["a.jpg", "no.jpg"]


def test_the_list_itself(tmp_path):
    with pytest.raises(errors.UserError, match="no such list file"):
        lists.read_list(tmp_path / "none")
    with pytest.raises(errors.UserError, match="list file cannot be read"):
        lists.read_list(tmp_path)
    (tmp_path / "bad").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(errors.UserError, match=r"bad:1: line is not UTF-8.*path of a list file"):
        lists.read_list(tmp_path / "bad")
    (tmp_path / "bad").write_bytes(b"# caf\xc3\xa9\r\na.jpg 0\r\ncaf\xe9.jpg 1\r\n")
    with pytest.raises(errors.UserError, match=r"bad:3: line is not UTF-8.*position 3"):
        lists.read_list(tmp_path / "bad")
    (tmp_path / "empty").write_text("# nothing\n\n")
    with pytest.raises(errors.UserError, match="names no item"):
        lists.read_list(tmp_path / "empty")


def test_label_names(tmp_path):
    file = tmp_path / "labels.txt"
    missing = "labels.txt: no such file of class names.*a class a line. Correct dataset.labels"
    with pytest.raises(errors.UserError, match=missing):
        lists.read_label_names(file)
    file.write_bytes(b"Jump\nRide\xe9\n")
    with pytest.raises(errors.UserError, match=r"labels.txt:2: line is not UTF-8"):
        lists.read_label_names(file)
    file.write_text("\n")
    with pytest.raises(errors.UserError, match="the list names no class.*only blank lines"):
        lists.read_label_names(file)
    file.write_text("0\nRide A Bike\n\nJump\n")
    assert lists.read_label_names(file) == ("0", "Ride A Bike", "Jump")
    file.write_text("a\nb\na\n")
    with pytest.raises(errors.UserError, match=r"labels.txt:3: class name stands twice"):
        lists.read_label_names(file)
    file.write_text("a\n7\n")
    with pytest.raises(errors.UserError, match=r"labels.txt:2: .*number other than its label"):
        lists.read_label_names(file)


def frames(folder, *names):
    folder.mkdir(exist_ok=True)
    for name in names:
        (folder / name).write_bytes(b"")
    return [path.name for path in lists.frame_files(folder, "jpg")]


def test_frames_are_in_natural_order_and_only_of_the_format(tmp_path):
    names = [f"{i}.jpg" for i in range(1, 13)]
    assert frames(tmp_path / "a", *names, "notes.txt", "1.png") == names
    assert frames(tmp_path / "b", "v_X_g01.0002.JPG", "v_X_g01.0001.jpeg") == [
        "v_X_g01.0001.jpeg",
        "v_X_g01.0002.JPG",
    ]


def test_frames_without_numbers_or_of_several_series(tmp_path):
    assert frames(tmp_path / "a", "b.jpg", "a.jpg") == ["a.jpg", "b.jpg"]
    assert len(frames(tmp_path / "b", "a1.jpg", "a3.jpg", "b7.jpg")) == 3


@pytest.mark.parametrize(
    ("names", "message"),
    [
        (("1.jpg", "2.jpg", "4.jpg"), "gap in frame numbers. Received: 4.jpg after number 2"),
        (("f01.jpg", "f1.jpg"), "frame number stands twice"),
        ((), "folder without frames. Received: an empty folder"),
        (("1.png", "2.png"), "folder without frames. Received: files of .png. Expected: *.jpg"),
    ],
)
def test_bad_folders(tmp_path, names, message):
    with pytest.raises(errors.UserError) as caught:
        frames(tmp_path / "x", *names)
    assert message in str(caught.value) and str(tmp_path / "x") in str(caught.value)


@pytest.mark.parametrize("caption", [".", "...", "a " * 10_000])
def test_a_caption_that_teaches_nothing_is_told_with_its_line(tmp_path, caption):
    (tmp_path / "a.png").write_bytes(b"")
    file = tmp_path / "data.train"
    file.write_text(f"a.png\t{caption}\na.png\ta red dog\na.png\ta dog\n")
    with pytest.raises(errors.UserError, match=r"data\.train:1: caption"):
        lists.read_list(file)
    kept = lists.read_list(file, on_error="keep")
    assert [bool(item.problem) for item in kept] == [True, False]
    assert kept[1].captions == ("a red dog", "a dog")  # the sound lines still make an item


PIECES = ["a.jpg", "b c.mp4", "clip", "left", "0", "-1", "99999999999999999999", "#0", "\t", " "]
PIECES += [
    "\n",
    "\r\n",
    "\xff",
    "\0",
    "..",
    "/",
    "\x1b[2J",
    "\ud83d\ude00",
    "a dog runs",
    "#",
    "\ufeff",
]


@settings(deadline=None, max_examples=200)
@given(
    st.binary(max_size=80)
    | st.lists(st.sampled_from(PIECES), max_size=25).map(
        lambda parts: "".join(parts).encode("utf-16", "surrogatepass").decode("utf-16").encode()
    ),
    st.sampled_from([(), ("left", "right")]),
)
def test_any_bytes_are_items_or_errors_with_their_place(tmp_path_factory, content, names):
    folder = tmp_path_factory.mktemp("any")
    for name in ("a.jpg", "b c.mp4"):
        (folder / name).write_bytes(b"")
    (folder / "clip").mkdir()
    file = folder / "data.train"
    file.write_bytes(content)
    try:
        items = lists.read_list(file, label_names=names, on_error="keep")
    except errors.UserError as error:
        assert error.where == str(file) or error.where.startswith(f"{file}:")
        assert lines.is_name(str(error))
        return
    assert items
    for item in items:
        assert item.where.startswith(f"{file}:") and item.where.rpartition(":")[2].isdigit()
        assert (item.problem is None) == (item.kind in lists.KINDS)
        if item.problem is None:
            assert os.path.exists(item.path) and bool(item.labels) != bool(item.captions)
            assert min(item.labels, default=0) >= 0
        else:
            assert lines.is_name(str(item.problem))


file_names = st.text(
    st.characters(codec="utf-8", exclude_categories=["Cc"], exclude_characters="/"), max_size=12
).map(lambda name: f"a{name}.jpg")


@settings(deadline=None, max_examples=60)
@given(
    st.lists(file_names, min_size=1, max_size=5, unique_by=str.casefold),
    st.lists(st.lists(st.integers(0, 9), min_size=1, max_size=3, unique=True), min_size=5),
    st.booleans(),
)
def test_a_list_that_was_written_is_read_as_it_was(tmp_path_factory, names, labels, captioned):
    folder = tmp_path_factory.mktemp("written")
    items = []
    for name, own in zip(names, labels, strict=False):
        (folder / name).write_bytes(b"")
        told = {"captions": (f"dog {own[0]}", "it runs")} if captioned else {"labels": tuple(own)}
        items.append(lists.Item(name, str(folder / name), "image", **told))
    serialize.write_shuffled(lists.Split("s", tuple(items), ""), folder / "s.shuffled", seed=1)
    read = lists.read_list(folder / "s.shuffled")
    known = {item.path: (item.labels, item.captions) for item in items}
    assert {item.path: (item.labels, item.captions) for item in read} == known


@settings(deadline=None, max_examples=100)
@given(st.binary(max_size=40) | st.text(max_size=30).map(str.encode))
def test_any_bytes_are_names_of_classes_or_refused(tmp_path_factory, content):
    file = tmp_path_factory.mktemp("names") / "labels.txt"
    file.write_bytes(content)
    try:
        names = lists.read_label_names(file)
    except errors.UserError as error:
        assert error.where == str(file) or error.where.startswith(f"{file}:")
        return
    assert names and len(set(names)) == len(names)
    assert all(name and name == name.strip() for name in names)
    (file.parent / "again").write_text("".join(f"{name}\n" for name in names), encoding="utf-8")
    assert lists.read_label_names(file.parent / "again") == names


def test_limits_of_a_list(folder):
    assert len(read(folder, "a.jpg 0\nc.mp4 1\n", limits=Limits(line_bytes=8, file_bytes=16))) == 2
    message = told(folder, "a.jpg 0\nc.mp4  1\n", limits=Limits(line_bytes=8))
    assert "data.train:2: a line of the list file is larger" in message
    assert "limits.file_bytes" in told(folder, "a.jpg 0\n", limits=Limits(file_bytes=7))
    message = told(folder, "a.jpg\ta dog runs\n", limits=Limits(caption_words=2))
    assert "data.train:1: caption is too long" in message and "limits.caption_words" in message
    (folder / "names").write_text("left\n")
    with pytest.raises(errors.UserError, match=r"names:1: a line of .*limits\.line_bytes"):
        lists.read_label_names(folder / "names", limits=Limits(line_bytes=4))


@pytest.mark.parametrize("name", ["a" * 5000 + ".jpg", "a\0.jpg", "a/" * 2000 + "b.jpg"])
def test_names_that_no_file_can_have(folder, name):
    for line in (f"{name} 0\n", f"{name}\t0\n"):
        assert "data.train:1: no such image, video or folder of frames" in told(folder, line)
    text.check_caption("a dog", where="")
    assert "data.train:1: no such image" in told(folder, f"{name}\ta dog runs\n")


def test_what_is_no_file_is_no_item(folder):
    os.mkfifo(folder / "pipe.jpg")
    (folder / "zero.mp4").symlink_to("/dev/zero")
    assert "pipe.jpg: a named pipe, not a file." in told(folder, "pipe.jpg 0\n")
    assert "zero.mp4: a device, not a file." in told(folder, "zero.mp4 0\n")
    os.mkfifo(folder / "list.train")
    with pytest.raises(
        errors.UserError, match="list file cannot be read.*a named pipe, not a file"
    ):
        lists.read_list(folder / "list.train")
    with pytest.raises(errors.UserError, match="a device, not a file"):
        lists.read_list(folder / "zero.mp4")


DIGITS = "9" * 5000  # more than Python turns into a number


@pytest.mark.parametrize("gap", [" ", "\t"])
def test_numbers_of_thousands_of_digits_are_no_labels(folder, gap):
    for names in ((), ("left",)):
        message = told(folder, f"a.jpg{gap}{DIGITS}\n", label_names=names)
        assert "data.train:1: label is no integer" in message
    assert told(folder, f"{DIGITS}\n").startswith(f"{folder}/data.train:1: ")
    assert len(lists.natural_key(f"g{DIGITS}_2")) == 2


def test_a_label_that_no_network_could_have_is_a_mistake(folder):
    assert read(folder, "a.jpg 999999\n")[0].labels == (999_999,)
    for label in (1_000_000, 10**17, 10**18 - 1):
        message = told(folder, f"a.jpg 0\nc.mp4 {label}\n")
        assert "data.train:2: label out of range" in message and "0 to 999999" in message
        assert str(label) in message


def test_a_long_line_without_a_tab_is_not_parted_in_every_way(folder):
    line = "a.jpg" + " 0 1" * 250_000
    tracemalloc.start()
    try:
        message = told(folder, f"{line}\n")
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert "data.train:1: the line is too long to find where its path ends" in message
    assert "Put a TAB after the path" in message and len(message) < 300
    assert peak < 200 * 2**20
    assert read(folder, line.replace(" ", "\t", 1))[0].labels == (0, 1)
    assert read(folder, "a.jpg" + " 0 1" * 2000)[0].labels == (0, 1)


def test_names_in_natural_order_whatever_their_zeros():
    names = ["a10", "a2", "a02", "a1", "a0", "b1", "a"]
    assert sorted(names, key=lists.natural_key) == ["a", "a0", "a1", "a02", "a2", "a10", "b1"]
