import json

import numpy as np
import pytest

from lrcn.errors import UserError
from lrcn.report import classes, items

SURE = [[0.9, 0.1], [0.8, 0.2], [0.3, 0.7], [0.6, 0.4], [0.05, 0.95], [0.85, 0.15]]
TRUTH = [0, 0, 1, 1, 0, 0]
GROUPS = ["a", "a", "b", "b", "c", "d"]


@pytest.fixture
def found(write_run):
    return classes.read(write_run("run", values=SURE, truth=TRUTH, groups=GROUPS), "test")


def test_the_headline_has_an_interval_over_groups_and_a_baseline(found):
    told = classes.headline(found)
    assert (told.name, told.items, told.drawn) == ("video_accuracy", 6, "4 groups")
    assert told.value == pytest.approx(4 / 6)
    assert told.low < told.value < told.high
    assert (told.baseline, told.baseline_class) == (pytest.approx(4 / 6), "left")


def test_without_groups_items_are_drawn(write_run):
    found = classes.read(write_run("run", values=SURE, truth=TRUTH), "test")
    assert classes.headline(found).drawn == "6 items"


def test_the_table_and_the_matrix_tell_the_same(found):
    columns, rows = classes.per_class(found)
    assert columns == ["class", "precision", "recall", "f1", "support"]
    assert rows[0][0] == "left" and rows[0][-1] == 4
    matrix = classes.confusion(found)
    assert [[count for count, _ in own] for _, own in matrix.rows] == [[3, 1], [1, 1]]
    assert matrix.rows[0][1][0] == (3, 0.75)
    assert matrix.mix_ups == (("right", "left", 1, 0.5), ("left", "right", 1, 0.25))


def test_many_classes_are_no_table_of_numbers(write_run):
    names = tuple(f"class {index}" for index in range(101))
    values = np.eye(101)[[*range(101), 5]]
    truth = [*range(101), 6]
    found = classes.read(write_run("run", values=values, truth=truth, names=names), "test")
    matrix = classes.confusion(found)
    assert not matrix.as_table
    assert matrix.mix_ups == (("class 6", "class 5", 1, 0.5),)


def test_several_labels_have_no_matrix_and_no_interval(write_run):
    run = write_run("run", values=SURE, truth=TRUTH)
    file = run.evaluation("test") / "metrics.json"
    file.write_text(json.dumps({"video_map": 0.75}))
    found = classes.read(run, "test")
    assert found.multi_label and classes.confusion(found) is None
    told = classes.headline(found)
    assert (told.name, told.value, told.low) == ("video_map", 0.75, None)
    columns, rows = classes.per_class(found)
    assert columns[-1] == "average precision" and 0 < rows[0][-1] <= 1


def test_the_surest_are_shown_one_of_each_group_first(found):
    best, worst = items.choose(found, 2)
    assert best == [0, 5]  # 1 is of the group of 0
    assert worst == [4, 3]
    assert items.choose(found, 9) == ([0, 5, 1, 2], [4, 3])


def test_files_that_do_not_belong_together_are_told(write_run):
    run = write_run("run", values=SURE, truth=TRUTH)
    (run.evaluation("test") / "metrics.json").write_text('{"videos": 5}')
    with pytest.raises(UserError, match="6 items with probabilities, videos=5"):
        classes.read(run, "test")


def test_figures_that_contradict_the_items_are_told(write_run, report):
    run = write_run("run", values=SURE, truth=TRUTH)
    classes.read(run, "test")
    file = run.evaluation("test") / "metrics.json"
    file.write_text(json.dumps({"video_accuracy": 5 / 6}))
    code, page, err = report(run.path)
    assert code == 1 and page is None
    assert "video_accuracy of 0.833333 in metrics.json, 0.666667 by the items beside it" in err
    assert "Evaluate the run again" in err


@pytest.mark.parametrize(("label", "which"), [(0, "right"), (1, "wrong")])
def test_no_certainty_is_claimed_where_all_or_none_are_right(write_run, report, label, which):
    run = write_run("run", values=[[0.9, 0.1]] * 9, truth=[label] * 9)
    told = classes.headline(classes.read(run, "test"))
    assert told.low is None and told.high is None
    assert f"of 9 items all is {which}" in told.no_interval
    least = 0.05 ** (1 / 9)
    assert 1 - 3 / 9 <= least <= 1 - 2 / 9
    assert f"at least {100 * least:.1f} % of such items are wholly {which}" in told.no_interval
    page = report(run.path)[1]
    assert "95 % interval" not in page.text and f"no interval: {told.no_interval}" in page.text


def test_one_group_says_nothing_of_others(write_run):
    found = classes.read(write_run("run", values=SURE, truth=TRUTH, groups=["a"] * 6), "test")
    told = classes.headline(found)
    assert told.low is None and told.value == pytest.approx(4 / 6)
    assert told.no_interval == (
        "a bootstrap tells nothing, as each draw from 1 group gives the same"
    )
