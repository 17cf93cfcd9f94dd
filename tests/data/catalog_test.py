import pathlib

import numpy as np
import PIL.Image
import pytest

from lrcn import errors
from lrcn.data import catalog


def write_image(path):
    path.parent.mkdir(parents=True, exist_ok=True)
    PIL.Image.fromarray(np.zeros([4, 6, 3], np.uint8)).save(path)


@pytest.fixture
def pictures(tmp_path):
    for name in ("a", "b", "c"):
        write_image(tmp_path / f"{name}.png")
    return tmp_path


def write_list(folder, name, *lines):
    file = folder / name
    file.write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")
    return file


def test_lists_become_splits_of_their_file_names(pictures):
    train = write_list(pictures, "data.train", "a.png 0", "b.png 2")
    test = write_list(pictures, "data.test", "c.png 4")
    found = catalog.lists([train, str(test)])
    assert list(found.splits) == ["data.train", "data.test"]
    assert found.splits["data.train"].source == str(train)
    assert [item.labels for item in found.splits["data.train"].items] == [(0,), (2,)]
    assert (found.num_classes, found.label_names, found.multi_label) == (5, (), False)


def test_one_list_may_be_given_alone(pictures):
    found = catalog.lists(write_list(pictures, "data.train", "a.png 1"))
    assert found.num_classes == 2


def test_a_file_of_labels_gives_names_and_their_number(pictures):
    names = write_list(pictures, "names.txt", "cat", "dog", "red fox")
    file = write_list(pictures, "data.train", "a.png dog", "b.png\tred fox", "c.png 0")
    found = catalog.lists([file], labels=names)
    assert (found.num_classes, found.label_names) == (3, ("cat", "dog", "red fox"))
    assert [item.labels for item in found.splits["data.train"].items] == [(1,), (2,), (0,)]


def test_several_labels_in_any_list_make_the_set_multi_label(pictures):
    train = write_list(pictures, "data.train", "a.png 0")
    test = write_list(pictures, "data.test", "b.png 0 1")
    assert catalog.lists([train, test]).multi_label


def test_captions_have_no_classes(pictures):
    file = write_list(pictures, "data.train", "a.png\ta red circle moves", "a.png\tit is red")
    found = catalog.lists(file)
    assert found.num_classes == 0
    assert found.splits["data.train"].items[0].captions == ("a red circle moves", "it is red")


def test_lists_of_one_name_are_refused(pictures):
    (pictures / "other").mkdir()
    write_image(pictures / "other" / "a.png")
    files = [write_list(folder, "data", "a.png 0") for folder in (pictures, pictures / "other")]
    with pytest.raises(errors.UserError, match=r"dataset\.input_files: two lists of one name"):
        catalog.lists(files)


def test_no_list_is_an_error():
    with pytest.raises(errors.UserError, match=r"dataset\.input_files: no list"):
        catalog.lists([])


def test_bad_lines_can_be_kept_with_their_problem(pictures):
    file = write_list(pictures, "data.train", "a.png 0", "missing.png 1")
    with pytest.raises(errors.UserError, match=r"data\.train:2"):
        catalog.lists(file)
    items = catalog.lists(file, on_error="keep").splits["data.train"].items
    assert [bool(item.problem) for item in items] == [False, True]


def test_every_kind_is_offered_in_one_place():
    for kind in ("lists", "folder", "ucf101", "tfds", "moving_shapes"):
        assert callable(getattr(catalog, kind))


def test_importing_the_catalog_imports_neither_tensorflow_nor_its_data_sets():
    import subprocess
    import sys

    code = (
        "import sys, lrcn.data.catalog; "
        "sys.exit(any(name.startswith('tensorflow') for name in sys.modules))"
    )
    root = pathlib.Path(__file__).parents[2]
    assert subprocess.run([sys.executable, "-c", code], cwd=root, check=False).returncode == 0
