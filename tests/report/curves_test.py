import pytest

from lrcn import runs
from lrcn.report import curves

HISTORY = [
    {"epoch": 1.0, "loss": 2.0, "val_loss": 2.5, "accuracy": 0.1, "learning_rate": 0.1},
    {"epoch": 2.0, "loss": 1.0, "accuracy": 0.6, "learning_rate": 0.1},
    {"epoch": 3.0, "loss": 0.5, "val_loss": 1.5, "accuracy": 0.9, "learning_rate": 0.1},
]


def test_each_kind_of_value_has_a_chart():
    loss, accuracy, rate = curves.panels(HISTORY, best=3)
    assert [chart.title for chart in (loss, accuracy, rate)] == [
        *("loss", "accuracy", "learning rate"),
    ]
    training, validation = loss.lines
    assert (training.name, len(training.dots)) == ("loss (training)", 3)
    assert (validation.name, len(validation.dots)) == ("loss (validation)", 2)  # a gap is no zero
    assert validation.dashed and not training.dashed
    assert loss.mark[1] == "best: epoch 3"
    assert rate.lines[0].name == "learning rate"


def test_an_epoch_that_is_not_there_is_not_marked():
    assert all(chart.mark is None for chart in curves.panels(HISTORY, best=9))


@pytest.mark.parametrize("text", ["{", '{"best_epoch": "two"}', "[]"])
def test_a_damaged_copy_of_the_state_marks_nothing(tmp_path, text):
    run = runs.RunDirectory(tmp_path)
    assert curves.best_epoch(run) is None and curves.read(run) == []
    run.state_file.write_text(text)
    assert curves.best_epoch(run) is None
    run.state_file.write_text('{"best_epoch": 2}')
    assert curves.best_epoch(run) == 2
