import json

import pytest

from lrcn.errors import UserError
from lrcn.report import captions

pytest.importorskip("tensorflow")


def line(id, caption, *references):
    return {"id": id, "caption": caption, "log_probability": -2.5, "references": references}


LINES = [
    line("good", "a red disc moves to the left", "a red disc moves to the left", "a disc moves"),
    line("bad", "three dogs", "a blue square grows", "the square gets larger"),
    line("fair", "a green star turns", "a green star turns around", "a star turns slowly"),
]


def found(rank, *right):
    captions = [{"caption": f"c{n}", "score": 1.0, "right": own} for n, own in enumerate(right)]
    return {"id": f"item {rank}", "rank": rank, "found": captions}


def test_items_stand_from_the_best_to_the_worst(write_captioner):
    shown = captions.shown(write_captioner(LINES), "test", 2)
    assert [own.id for own in shown.best] == ["good", "fair"]
    assert [own.id for own in shown.worst] == ["bad"]  # no item stands on both sides
    assert shown.best[0].is_exact and not shown.best[1].is_exact
    assert shown.worst[0].score == pytest.approx(0, abs=1e-9)
    assert shown.headline.low < shown.headline.value < shown.headline.high
    assert "does not tell its records" in shown.no_pictures


def test_the_page_tells_how_to_search_captions(write_captioner, report):
    run = write_captioner(LINES)
    code, page, err = report(run.path)
    assert code == 0, err
    assert f"lrcn retrieve run={run.path} split=test" in page.text
    assert "equal to a reference" in page.text and "the square gets larger" in page.text


def test_what_was_found_best_and_worst_is_shown(write_captioner, report):
    lines = [found(5, False, False), found(1, True), found(2, False, True), found(40, False)]
    run = write_captioner(LINES, retrieval=lines)
    shown = captions.shown(run, "test", 3)
    assert [own.rank for own in shown.found] == [1, 2, 40]
    code, page, err = report(run.path)
    assert code == 0, err
    assert "first own caption at rank 40" in page.text and "its own" in page.text
    assert "lrcn retrieve" not in page.text


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("{}\n", "predictions.jsonl:1"),
        ('{"id": "a", "caption": "b"', "predictions.jsonl:1"),
        ("", "no line"),
        ("[1]\n", "TypeError"),
    ],
)
def test_damaged_lines_are_told(write_captioner, text, told):
    run = write_captioner(LINES)
    (run.evaluation("test") / "predictions.jsonl").write_text(text)
    with pytest.raises(UserError, match=told) as error:
        captions.shown(run, "test", 2)
    assert "lrcn evaluate run=" in str(error.value)


def test_figures_that_contradict_the_captions_are_told(write_captioner):
    run = write_captioner(LINES)
    true = captions.shown(run, "test", 1).headline.value
    file = run.evaluation("test") / "metrics.json"
    file.write_text(json.dumps({"cider": true + 1e-9}))
    captions.shown(run, "test", 1)
    file.write_text(json.dumps({"cider": true + 0.01}))
    with pytest.raises(UserError, match="cider of .* in metrics.json, .* by the items beside it"):
        captions.shown(run, "test", 1)


def test_no_interval_is_told_of_items_that_are_all_the_same(write_captioner):
    nothing = [line(str(number), "no", "a blue square grows") for number in range(3)]
    told = captions.shown(write_captioner(nothing), "test", 1).headline
    assert told.low is None and "a bootstrap tells nothing" in told.no_interval
