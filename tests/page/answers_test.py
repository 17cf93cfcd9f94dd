import dataclasses

from lrcn import runs
from lrcn.data import claim, lists, modality
from lrcn.page import answers, looking

from . import conftest

ITEM = lists.Item("val", str(conftest.VIDEO), "video")
PICTURE = lists.Item("red", str(conftest.IMAGE), "image")


def test_names_are_as_long_as_tells_runs_apart():
    assert answers.names_of(["/a/lstm"]) == ["lstm"]
    assert answers.names_of(["/a/lstm", "/a/single"]) == ["lstm", "single"]
    assert answers.names_of(["/a/x/run", "/a/y/run"]) == ["x/run", "y/run"]
    assert len(set(answers.names_of(["/a/run", "/a/run"]))) == 1


def test_a_run_that_did_not_end_says_so(tmp_path):
    run = runs.RunDirectory(tmp_path)
    assert answers.notice_of(run).startswith("The run was stopped before its end: ")
    with claim.alone(tmp_path, work="training in", key="hydra.run.dir"):
        assert answers.notice_of(run).startswith("The run is still training (")
    run.mark_failed(ValueError("no good"))
    assert answers.notice_of(run) == "The run failed: ValueError: no good"
    run.mark_done()
    assert answers.notice_of(run) == ""


def test_what_an_answer_rests_on_is_told(classifier, captioner):
    assert classifier.tell(ITEM).basis == "mean of 4 windows of 8 frames"
    assert classifier.tell(PICTURE).basis == "one image"
    assert captioner.tell(ITEM).basis == "the likeliest caption of 4 windows of 8 frames"
    assert classifier.tell(PICTURE).course is None


def test_a_run_that_cannot_answer_says_why_and_leaves_the_others_alone(labels):
    flow = dataclasses.replace(
        labels.reading, modality=modality.Modality("flow", "dis"), image_shape=(24, 32, 3)
    )
    network = conftest.network_of(dataclasses.replace(labels, reading=flow))
    problem = network.tell(PICTURE).problem
    assert str(conftest.EXAMPLES) not in str(problem)
    assert problem.remedy
    seen = looking.look(conftest.VIDEO, looking.Bounds(120.0))
    assert network.tell(seen.item).problem is None


def test_captions_that_repeat_are_told_once():
    said = [
        {"start": 0.0, "end": 1.0, "caption": "a"},
        {"start": 0.5, "end": 1.5, "caption": "a"},
        {"start": 1.0, "end": 2.0, "caption": "b"},
    ]
    spans = answers.Told(line={"windows": said}).spans
    assert spans == [{"start": 0.0, "end": 1.5, "caption": "a"}, said[2]]
    assert answers.Told(line={"windows": [{"start": 0, "end": 1, "label": "x"}]}).spans == []
