import matplotlib
import numpy as np
import pytest
from PIL import Image

from lrcn import errors
from lrcn.inference import plots


def _size(path):
    with Image.open(path) as picture:
        picture.load()
        return picture.size


@pytest.mark.parametrize("classes", [1, 2, 12, 101])
def test_confusion_leaves_every_class_room_for_its_name(tmp_path, classes):
    matrix = np.diag(np.arange(1, classes + 1))
    plots.confusion(tmp_path / "confusion.png", matrix, [f"class {i}" for i in range(classes)])
    width, height = _size(tmp_path / "confusion.png")
    assert min(width, height) >= max(15 * classes, 300)
    assert max(width, height) < 4000


def test_names_in_any_script_and_with_dollars_are_drawn(tmp_path):
    plots.confusion(tmp_path / "c.png", np.eye(3, dtype=int), ["$x^", "日本", "n" * 200])
    assert max(_size(tmp_path / "c.png")) < 1500


def test_the_darker_cell_is_the_more_frequent_one(tmp_path):
    plots.confusion(tmp_path / "right.png", np.array([[9, 0], [0, 9]]))
    plots.confusion(tmp_path / "wrong.png", np.array([[0, 9], [9, 0]]))
    right, wrong = (
        np.asarray(Image.open(tmp_path / name).convert("L"), np.float32)
        for name in ("right.png", "wrong.png")
    )
    assert right.shape == wrong.shape
    top, left = right.shape[0] // 4, right.shape[1] // 4
    assert right[top, left] + 100 < wrong[top, left]


def test_read_history_keeps_numbers_only(tmp_path):
    file = tmp_path / "history.csv"
    file.write_text("epoch,loss,val_loss,note\n0,1.5,,x\n1,nan,0.5,\n")
    assert plots.read_history(file) == [
        {"epoch": 0.0, "loss": 1.5},
        {"epoch": 1.0, "val_loss": 0.5},
    ]


def test_read_history_names_the_missing_file(tmp_path):
    with pytest.raises(errors.UserError, match=r"gone\.csv"):
        plots.read_history(tmp_path / "gone.csv")


def test_the_best_epoch_is_the_first_of_the_highest_validation_accuracy():
    history = [{"val_video_accuracy": value} for value in (0.2, 0.7, 0.5, 0.7)]
    assert plots._best_epoch(history, plots._MONITORED) == ("val_video_accuracy", 1)
    assert plots._best_epoch([{"loss": 1.0}], plots._MONITORED) is None


def test_the_best_epoch_of_a_loss_is_the_lowest():
    history = [{"val_loss": value} for value in (0.9, 0.3, 0.4)]
    assert plots._best_epoch(history, ["val_loss"]) == ("val_loss", 1)


def test_of_equal_epochs_the_one_that_was_kept_is_marked():
    history = [{"epoch": number, "val_cider": 0.5} for number in (1, 2, 3)]
    assert plots._best_epoch(history, ["val_cider"]) == ("val_cider", 0)
    assert plots._best_epoch(history, ["val_cider"], kept=3) == ("val_cider", 2)
    assert plots._best_epoch(history, ["val_loss", "val_cider"], kept=2) == ("val_cider", 1)


def test_epochs_are_shown_from_one():
    assert plots._epochs([{"epoch": 1}, {"epoch": 2}]) == [1, 2]
    assert plots._epochs([{"loss": 1}, {"loss": 2}]) == [1, 2]


@pytest.mark.parametrize("epochs", [0, 1, 60])
def test_curves_draw_any_number_of_epochs(tmp_path, epochs):
    history = [
        {"epoch": i, "loss": 2 / (i + 1), "val_video_accuracy": i / 60, "learning_rate": 0.1**i}
        for i in range(epochs)
    ]
    plots.curves(tmp_path / "curves.png", history)
    assert _size(tmp_path / "curves.png")[0] == pytest.approx(975, abs=2)


def test_summary_has_a_row_for_a_failed_setting(tmp_path):
    plots.summary(tmp_path / "one.png", [("a=1", [0.5, 0.7])], metric="video_accuracy")
    groups = [("a=1", [0.5, 0.7]), ("a=2", [])]
    plots.summary(tmp_path / "two.png", groups, metric="video_accuracy")
    assert _size(tmp_path / "two.png")[1] > _size(tmp_path / "one.png")[1]


def test_drawing_leaves_no_global_figure_behind(tmp_path):
    before = dict(matplotlib.rcParams)
    plots.summary(tmp_path / "s.png", [], metric="loss")
    assert dict(matplotlib.rcParams) == before
    assert list(tmp_path.iterdir()) == [tmp_path / "s.png"]
