"""`probabilities.csv`: what is written is read again, and joined with others by item."""

import dataclasses

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lrcn.errors import UserError
from lrcn.inference import probabilities

NAMES = ("left", "right")


def made(ids="abc", *, groups=None, truth=None, names=NAMES, seed=0):
    rng = np.random.default_rng(seed)
    values = rng.dirichlet(np.ones(len(names)), len(ids))
    groups = tuple(groups or ("",) * len(ids))
    truth = tuple(truth or ((index % 2,) for index in range(len(ids))))
    return probabilities.Predicted(tuple(ids), groups, truth, names, values)


# No carriage return: not every version of the csv module quotes it.
texts = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\r\0"), min_size=1)


@given(st.lists(texts, min_size=1, unique=True), st.lists(texts, min_size=1, max_size=4), st.data())
@settings(max_examples=50)
def test_every_digit_and_every_name_comes_back(tmp_path_factory, ids, names, data):
    numbers = st.lists(st.floats(0, 1), min_size=len(names), max_size=len(names))
    values = np.array([data.draw(numbers) for _ in ids])
    truth = tuple(tuple(range(index % (len(names) + 1))) for index in range(len(ids)))
    predicted = probabilities.Predicted(
        tuple(ids), ("g, 1",) * len(ids), truth, tuple(names), values
    )
    file = tmp_path_factory.mktemp("csv") / "p.csv"
    file.write_text(probabilities.to_csv(predicted), encoding="utf-8")
    found = probabilities.read(file)
    np.testing.assert_array_equal(found.values, values)
    assert dataclasses.replace(found, values=None) == dataclasses.replace(predicted, values=None)


def test_classes_may_be_called_like_columns_and_like_each_other(tmp_path):
    names = ("id", "truth", "id", "group")
    (tmp_path / "p.csv").write_text(probabilities.to_csv(made(names=names)))
    assert (tmp_path / "p.csv").read_text().splitlines()[0] == "id,group,truth,id,truth,id,group"
    assert probabilities.read(tmp_path / "p.csv").names == names


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", r"p\.csv:1: no probabilities as `lrcn evaluate` writes them. Received: nothing"),
        ("id,label\na,0\n", r"p\.csv:1: .*Expected: id,group,truth,CLASSES"),
        ("id,group,truth,x\n", r"p\.csv:1"),
        ("id,group,truth,x\na,,0,1.0\nb,,0\n", r"p\.csv:3: .*3 columns. Expected: 4 columns"),
        ("id,group,truth,x\na,,0,high\n", r"Expected: numbers after id and group"),
        (
            "id,group,truth,x,y\na,,0,.5,.5\nb,,0,nan,1\n",
            r"p\.csv:3: .*Received: nan, 1 of b. Expected: finite numbers",
        ),
        ("id,group,truth,x\na,,0,inf\n", r"p\.csv:2: .*Expected: finite numbers"),
        ("id,group,truth,x\na,,zero,1\n", r"Expected: numbers after id and group"),
        ("id,group,truth,x\na,,1,1.0\n", "a label without a class"),
        ("id,group,truth,x\na,,0,1\na,,0,1\n", "a more than once"),
    ],
)
def test_a_broken_file_is_told_by_its_line(tmp_path, text, message):
    (tmp_path / "p.csv").write_text(text)
    with pytest.raises(UserError, match=message):
        probabilities.read(tmp_path / "p.csv")


def test_a_file_of_other_bytes_is_told(tmp_path):
    (tmp_path / "p.csv").write_bytes(b"id,group,truth,x\n\xff,,0,1\n")
    with pytest.raises(UserError, match=r"p\.csv:1: .*Expected: a table in UTF-8"):
        probabilities.read(tmp_path / "p.csv")


def test_items_are_joined_by_id_in_the_order_of_the_first():
    first, other = made("abc"), made("abc", seed=1)
    shuffled = other.in_order_of("cab")
    assert shuffled.ids == ("c", "a", "b")
    np.testing.assert_array_equal(shuffled.values, other.values[[2, 0, 1]])
    a, b = probabilities.joined({"A": first, "B": shuffled}, split="test")
    assert a.ids == b.ids == first.ids
    np.testing.assert_array_equal(b.values, other.values)


def test_groups_that_one_run_knows_are_known_of_all():
    a, b = probabilities.joined({"A": made(), "B": made(groups=("g", "g", ""))}, split="test")
    assert a.groups == b.groups == ("g", "g", "")
    assert a.clusters == ["group g", "group g", "item c"]


def test_a_group_is_no_item_of_the_same_name():
    assert len(set(made("ab", groups=("b", "")).clusters)) == 2


@pytest.mark.parametrize(
    ("other", "message"),
    [
        (
            made("abx"),
            r"runs: the runs were evaluated on other items of test. "
            r"Received: 1 missing in B \(c\); 1 missing in A \(x\)",
        ),
        (made("ab"), r"1 missing in B \(c\). Expected"),
        (
            made("abc", truth=((0,), (0,), (1,))),
            "other labels of 2 items of test, such as b. Received: 0 in B. Expected: 1 as in A",
        ),
        (
            made(names=("left", "up")),
            "'up' as number 1 in B. Expected: 'right' as number 1 as in A",
        ),
        (made(names=("left", "right", "up")), "'up' as number 2 in B. Expected: no number 2"),
    ],
)
def test_runs_of_something_else_are_refused(other, message):
    with pytest.raises(UserError, match=message):
        probabilities.joined({"A": made("abc"), "B": other}, split="test")


def test_only_a_few_of_many_missing_items_are_named():
    with pytest.raises(UserError, match=r"12 missing in B \(1, 2, 3, 4, 5 and 7 more\)"):
        probabilities.joined({"A": made([str(i) for i in range(13)]), "B": made("0")}, split="test")
