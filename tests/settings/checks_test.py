"""What the settings of a training are where nothing was given, and what does not go together."""

import dataclasses

import hydra
import pytest

from lrcn import config, help, settings
from lrcn.errors import UserError
from lrcn.settings import checks

IMAGES = ["imgdesc_step", "imgdesc_state"]
VIDEOS = ["videodesc_pooling", "videodesc_encdec"]
CLASSES = ["lstm", "singleframe"]


def typed(verb, *overrides):
    config.register_resolvers(job_folder=str, hydra_folder=str)
    with hydra.initialize_config_dir(str(help.conf_folder()), version_base="1.3"):
        return config.typed(verb, hydra.compose(verb, list(overrides)))


@pytest.mark.parametrize(
    ("workflows", "expected"),
    [
        (CLASSES, (8, "video_accuracy", 0.001, "constant", "motion")),
        (IMAGES, (32, "cider", 0.002, "cosine", "stills")),
        (VIDEOS, (8, "cider", 0.002, "cosine", "motion")),
    ],
)
def test_what_is_left_open_suits_the_workflow(workflows, expected):
    for name in workflows:
        values = typed("train", f"workflow={name}")
        found = (
            values.batch_size,
            values.callbacks.monitor,
            values.optimizer.learning_rate,
            values.schedule.name,
            values.dataset.kind,
        )
        assert found == expected, name
        assert checks.resolved(values) == values


@pytest.mark.parametrize("name", [*IMAGES, *VIDEOS])
def test_captions_on_stored_features_are_learnt_more_slowly(name):
    values = typed("train", f"workflow={name}", "backbone.weights=w.h5")
    assert (values.batch_size, values.optimizer.learning_rate) == (32, 0.001)
    assert values.search == settings.Beam()


@pytest.mark.parametrize(
    ("workflow", "trained", "frozen"),
    [("lstm", 0.2, 0.8), *((name, 0.0, 0.3) for name in IMAGES + VIDEOS)],
)
def test_dropout_before_an_lstm_depends_on_the_cnn_unless_given(workflow, trained, frozen):
    def dropout(*overrides):
        return typed("train", f"workflow={workflow}", *overrides).workflow.dropout_in

    assert dropout() == dropout("backbone.weights=w.h5", "backbone.trainable=true") == trained
    assert dropout("backbone.weights=w.h5") == dropout("backbone.trainable=false") == frozen
    assert dropout("backbone.trainable=false", "workflow.dropout_in=0.1") == 0.1


@pytest.mark.parametrize(
    ("overrides", "message"),
    [
        (
            ["workflow=imgdesc_step", "workflow.factored=true"],
            r"workflow\.layers: .*Received: 1 with workflow\.factored=true.*workflow\.layers=2",
        ),
        (
            ["workflow=videodesc_encdec", "workflow.conditioning=stack"],
            r"workflow\.layers: .*Received: 1 with workflow\.conditioning=stack",
        ),
        (
            [
                *("workflow=videodesc_pooling", "workflow.layers=2"),
                *("workflow.factored=true", "workflow.conditioning=state"),
            ],
            r"workflow\.factored: .*with workflow\.conditioning=state",
        ),
        (["workflow=videodesc_encdec", "pooling=max"], "pooling: .*Received: max"),
        (["workflow=imgdesc_step", "pooling.clips=max"], r"pooling\.clips: .*Received: max"),
    ],
)
def test_a_design_that_cannot_be_is_refused_before_any_data_is_read(overrides, message):
    with pytest.raises(UserError, match=message):
        typed("train", *overrides)


def test_frames_are_pooled_as_asked_where_captions_are_of_their_pool():
    pooled = typed("train", "workflow=videodesc_pooling", "pooling=last").pooling
    assert pooled == settings.Pooling("last", "last")


def test_what_is_given_stays():
    values = typed(
        "train",
        "workflow=imgdesc_step",
        *("batch_size=5", "callbacks.monitor=exact", "optimizer.learning_rate=0.5"),
        *("schedule=constant", "dataset.kind=motion"),
    )
    assert (values.batch_size, values.callbacks.monitor) == (5, "exact")
    assert values.optimizer.learning_rate == 0.5
    assert (values.schedule.name, values.dataset.kind) == ("constant", "motion")
    assert typed("train", "dataset.kind=stills").dataset.kind == "stills"


def test_only_trainings_depend_on_a_workflow():
    values = typed("evaluate", "run=x", "dataset=moving_shapes")
    assert checks.resolved(values) is values
    assert values.dataset.kind == "auto"


@pytest.mark.parametrize("name", CLASSES)
@pytest.mark.parametrize(
    ("override", "message"),
    [
        ("search=greedy", "search: the workflow has no use for it. Received: greedy"),
        ("search.max_length=3", "search: the workflow has no use for it. Received: beam"),
        ("vocabulary.min_count=3", "vocabulary: the workflow has no use for it"),
        ("vocabulary.file=v.json", "vocabulary: the workflow has no use for it"),
    ],
)
def test_what_belongs_to_captions_is_refused_for_classes(name, override, message):
    with pytest.raises(UserError) as caught:
        typed("train", f"workflow={name}", override)
    assert str(caught.value).startswith(message)
    assert f"this workflow learns classes ({name})" in str(caught.value)


@pytest.mark.parametrize("name", IMAGES + VIDEOS)
def test_class_weights_are_refused_for_captions(name):
    with pytest.raises(UserError, match=rf"class_weights: .*balanced.*captions \({name}\)"):
        typed("train", f"workflow={name}", "class_weights=balanced")
    assert typed("train", "class_weights=balanced").class_weights == "balanced"


@pytest.mark.parametrize(
    ("name", "monitor", "others"),
    [
        ("lstm", "cider", settings.RECOGNITION_MONITORS),
        ("imgdesc_step", "video_accuracy", settings.DESCRIPTION_MONITORS),
        ("videodesc_encdec", "nothing", settings.DESCRIPTION_MONITORS),
    ],
)
def test_a_monitor_of_the_other_task_is_refused(name, monitor, others):
    with pytest.raises(UserError) as caught:
        typed("train", f"workflow={name}", f"callbacks.monitor={monitor}")
    told = f"callbacks.monitor: not a value of this key. Received: {monitor}. Expected: "
    assert str(caught.value).startswith(told + " | ".join(others))


def test_every_monitor_of_a_task_is_taken():
    for name, monitors in (
        ("lstm", settings.RECOGNITION_MONITORS),
        ("imgdesc_state", settings.DESCRIPTION_MONITORS),
    ):
        for monitor in monitors:
            values = typed("train", f"workflow={name}", f"callbacks.monitor={monitor}")
            assert values.callbacks.monitor == monitor
    assert "loss" in set(settings.RECOGNITION_MONITORS) & set(settings.DESCRIPTION_MONITORS)


@pytest.mark.parametrize("verb", ["train", "evaluate", "predict"])
@pytest.mark.parametrize(
    ("overrides", "key"),
    [
        (["search=beam", "search.width=0"], r"search\.width: .*Received: 0"),
        (["search=beam", "search.length_penalty=-1"], r"search\.length_penalty: "),
        (["search=sample", "search.samples=0"], r"search\.samples: "),
        (["search=sample", "search.temperature=0"], r"search\.temperature: "),
        (["search=greedy", "search.max_length=0"], r"search\.max_length: "),
    ],
)
def test_a_search_that_finds_nothing_is_refused_by_its_key(verb, overrides, key):
    needed = {"train": ["workflow=imgdesc_step"], "evaluate": ["run=x"]}
    needed["predict"] = ["run=x", "input=a"]
    with pytest.raises(UserError, match=key):
        typed(verb, *needed[verb], *overrides)


def test_a_training_has_no_run_to_take_its_search_from():
    with pytest.raises(UserError, match="search: .*search=auto.*greedy"):
        typed("train", "workflow=imgdesc_step", "search=auto")
    for verb, needed in (("evaluate", ["run=x"]), ("predict", ["run=x", "input=a"])):
        assert typed(verb, *needed).search == settings.SearchAsInRun()


def test_only_measuring_verbs_know_the_data_set_of_a_run():
    assert typed("retrieve", "run=x").dataset.source == "auto"
    with pytest.raises(UserError, match="dataset: only evaluate"):
        typed("check", "dataset=auto")


@pytest.mark.parametrize(
    ("search", "expected"),
    [
        (settings.Greedy(), {"name": "greedy", "max_length": 20}),
        (settings.Greedy(max_length=3), {"name": "greedy", "max_length": 3}),
        (
            settings.Beam("beam", 4, 0.5, None),
            {"name": "beam", "width": 4, "length_penalty": 0.5, "max_length": 20},
        ),
    ],
)
def test_a_search_is_as_long_as_the_vocabulary_unless_told(search, expected):
    assert settings.search_options(search, 20) == expected


def test_a_misfit_names_a_value_that_would_do():
    told = str(checks.misfit("a.b", 3, "4 or 5", good=4))
    assert told.startswith("a.b: not a value of this key. Received: 3. Expected: 4 or 5.")
    assert "Set a.b=4, or leave it out" in told
    assert "Correct a.b, or leave it out" in str(checks.misfit("a.b", 3, "4 or 5"))


def test_captions_need_clips_as_classes_do():
    values = typed("train", "workflow=videodesc_pooling")
    none = dataclasses.replace(values.clipframe_mode, name="none")
    with pytest.raises(UserError, match="clipframe_mode: training needs clips"):
        checks.check(dataclasses.replace(values, clipframe_mode=none))
