import dataclasses
import json
import typing

import hydra
import pytest

from lrcn import config, help, settings
from lrcn.errors import UsageError, UserError


def compose(verb, *overrides):
    config.register_resolvers(job_folder=str, hydra_folder=str)
    with hydra.initialize_config_dir(str(help.conf_folder()), version_base="1.3"):
        return hydra.compose(verb, list(overrides))


def typed(verb, *overrides):
    return config.typed(verb, compose(verb, *overrides))


def test_defaults_of_train():
    values = typed("train")
    assert isinstance(values.workflow, settings.LstmWorkflow)
    assert isinstance(values.dataset, settings.MovingShapes)
    assert isinstance(values.backbone, settings.Backbone)
    assert values.clipframe_mode.name == "auto"
    assert values.raw_image_shape == (240, 320, 3)


@pytest.mark.parametrize("group", ["workflow", "clipframe_mode", "pooling", "dataset", "backbone"])
def test_every_member_of_train_has_a_type(group):
    needed = {
        "lists": ["dataset.input_files=a"],
        "folder": ["dataset.root=a"],
        "ucf101": ["dataset.videos=a", "dataset.lists=b"],
        "tfds": ["dataset.name=a"],
        "flickr": ["dataset.images=a", "dataset.captions=b"],
        "coco": ["dataset.images=a", "dataset.annotations=b"],
        "msvd": ["dataset.videos=a", "dataset.captions=b"],
    }
    refused = {"auto", "none"}
    for member in help.members(group):
        if member in refused and group != "clipframe_mode":
            continue
        if (group, member) == ("clipframe_mode", "none"):
            continue
        values = typed("train", f"{group}={member}", *needed.get(member, []))
        assert dataclasses.is_dataclass(getattr(values, group))


@pytest.mark.parametrize("group", ["augment", "optimizer", "schedule", "callbacks"])
def test_members_of_the_other_groups(group):
    for member in set(help.members(group)) - {"auto"}:
        assert dataclasses.is_dataclass(getattr(typed("train", f"{group}={member}"), group))


def test_a_single_list_file_is_a_list():
    values = typed("serialize", "dataset.input_files=data.train")
    assert values.dataset.input_files == ("data.train",)


def test_a_missing_value_is_named():
    with pytest.raises(UserError, match=r"^dataset.input_files: a value is needed"):
        typed("serialize")


def test_an_unknown_key_lists_the_known_ones():
    composed = compose("train", "+backbone.alpha=0.5")
    with pytest.raises(UsageError) as caught:
        config.typed("train", composed, {"backbone": "small"})
    assert str(caught.value).startswith(
        "backbone.alpha: unknown key 'backbone.alpha' (backbone=small). Received: "
        "backbone.alpha=0.5. Expected: keys here: image_size, layer"
    )
    assert caught.value.exit_code == 2


@pytest.mark.parametrize(
    ("override", "expected"),
    [
        ("epochs=0", "epochs: not a value of this key. Received: 0. Expected: more than 0."),
        ("epochs=1.5", "epochs: not a value of this key. Received: 1.5. Expected: a whole number."),
        ("epochs=null", "Received: null. Expected: a whole number."),
        ("precision=half", "Expected: float32 | mixed_bfloat16 | mixed_float16."),
        ("workflow.dropout_in=1.0", "workflow.dropout_in: not a value of this key."),
        ("workflow.loss=mean", "Expected: every_step | pooled."),
        ("raw_image_shape=[240,320]", "Expected: [height, width, 3] | null."),
        ("clipframe_mode=none", "clipframe_mode: training needs clips. Received: none."),
        ("callbacks.patience=x", "Expected: a whole number | null."),
        ("backbone.trainable=some", "Expected: true | false | a number."),
        ("evaluate=[tset]", "evaluate: not a value of this key."),
        ("optimizer.learning_rate=-1", "optimizer.learning_rate: not a value of this key."),
    ],
)
def test_misfits_name_key_received_and_expected(override, expected):
    with pytest.raises(UserError) as caught:
        typed("train", override)
    assert expected in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("override", "expected"),
    [
        ("optimizer.momentum=5", "from 0 to 1"),
        ("optimizer.clipnorm=0", "more than 0 | null"),
        ("optimizer.learning_rate=nan", "more than 0 | null"),
        ("schedule.final_rate=7", "from 0 to 1"),
        ("schedule.warmup_steps=-1", "0 or more"),
        ("backbone.image_size=[64,0]", "more than 0"),
        ("backbone.trainable=-1", "0 or more | null"),
        ("dataset.train=-1", "0 or more | null"),
        ("seed=4294967296", "from 0 to 4294967295"),
    ],
)
def test_numbers_out_of_range_name_key_received_expected_and_remedy(override, expected):
    key, _, value = override.partition("=")
    members = ["optimizer=sgd", "schedule=cosine"]
    with pytest.raises(UserError) as caught:
        typed("train", *members, override)
    error = caught.value
    assert (error.where, error.expected, error.exit_code) == (key, expected, 1)
    assert str(error.received).replace(" ", "") == value
    assert error.remedy


def test_shares_of_a_folder_are_shares():
    with pytest.raises(UserError, match=r"dataset\.fractions.*from 0 to 1"):
        typed("train", "dataset=folder", "dataset.root=a", "dataset.fractions=[2,-1,0]")


def types_in(hint):
    """Returns a type and all types that it is made of."""
    return {hint}.union(*map(types_in, typing.get_args(hint)))


def test_every_number_has_its_range_beside_it():
    without = {
        field.name
        for kind in vars(settings).values()
        if isinstance(kind, type) and dataclasses.is_dataclass(kind) and kind is not settings.Range
        for field in dataclasses.fields(kind)
        if {int, float} & types_in(typing.get_type_hints(kind)[field.name])
        and settings.RANGE not in field.metadata
    }
    assert without == {"clip_offset_or_num"}  # a gap or a number of clips, as the mode has it


def test_resume_and_init_exclude_each_other():
    with pytest.raises(UserError, match="Give one of the two"):
        typed("train", "resume=a", "init=b")


def test_auto_belongs_to_evaluate():
    with pytest.raises(UsageError, match="only evaluate"):
        typed("train", "dataset=auto")
    with pytest.raises(UsageError, match="pooling=auto"):
        typed("train", "pooling=auto")
    assert typed("evaluate", "run=x").dataset.source == "auto"


def test_an_evaluation_that_only_knows_its_run_is_that_of_the_command():
    assert settings.EvaluateSettings(run="x") == typed("evaluate", "run=x")


@pytest.mark.parametrize("verb", sorted(settings.VERBS))
def test_plain_values_round_trip_through_json(verb):
    needed = {
        "serialize": ["dataset.input_files=[a,b]"],
        "check": ["dataset.input_files=[a]"],
        "evaluate": ["run=x"],
        "predict": ["run=x", "input=[a,b]"],
        "retrieve": ["run=x"],
        "fuse": ["runs=[[a,b],c]", "weights=[.5,.5]"],
        "import": ["file=x"],
        "export": ["run=x", "format=onnx"],
        "report": ["run=x"],
        "demo": ["run=[x,y]"],
    }
    values = typed(verb, *needed.get(verb, []))
    plain = json.loads(json.dumps(config.to_plain(values)))
    assert config.from_plain(verb, plain) == values


def test_an_entry_of_runs_is_a_run_or_several():
    assert typed("fuse", "runs=[[a,b],c]").runs == (("a", "b"), ("c",))
    assert typed("fuse", "runs=a").runs == (("a",),)
    assert typed("fuse", "runs=[a,b]", "weights=[1,0]").weights == (1.0, 0.0)
    for wrong in ("[1/3,2/3]", "[1.5,-.5]"):
        with pytest.raises(UserError, match=r"weights: not a value of this key. Received: \["):
            typed("fuse", "runs=[a,b]", f"weights={wrong}")


def test_changed_keys_are_dotted():
    old = config.to_plain(typed("train"))
    new = config.to_plain(typed("train", "workflow.units=8", "epochs=3"))
    assert config.changed_keys(old, new) == ["epochs", "workflow.units"]


def test_settings_stored_before_a_key_was_added_still_serve():
    values = typed("train", "backbone=hybrid")
    plain = json.loads(json.dumps(config.to_plain(values)))
    for group, key in (
        ("optimizer", "bias_lr_mult"),
        ("optimizer", "backbone_lr_mult"),
        ("workflow", "initializer"),
        ("backbone", "initializer"),
    ):
        del plain[group][key]
    assert config.from_plain("train", plain) == values
    known = config.to_plain(config.from_plain("train", plain))
    assert config.changed_keys(known, config.to_plain(values)) == []
    changed = config.to_plain(typed("train", "backbone=hybrid", "optimizer.bias_lr_mult=2"))
    assert config.changed_keys(known, changed) == ["optimizer.bias_lr_mult"]


def test_dicts_of_splits():
    values = typed("train", "dataset=tfds", "dataset.name=a", "+dataset.splits={train: x}")
    assert values.dataset.splits == {"train": "x"}


def test_a_prepared_folder_is_stored_absolute_and_a_name_as_it_is(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "sets" / "tiny").mkdir(parents=True)
    given = ("dataset=tfds", "dataset.name=sets/tiny", "dataset.data_dir=sets")
    assert config.with_absolute_paths(typed("train", *given)).dataset.name == "sets/tiny"
    (tmp_path / "sets" / "tiny" / "dataset_info.json").write_text("{}")
    values = config.with_absolute_paths(typed("train", *given))
    assert values.dataset.name == str(tmp_path / "sets" / "tiny")
    assert values.dataset.data_dir == str(tmp_path / "sets")
    stored = config.stored_path(config.to_plain(values), "dataset.name")
    assert stored == str(tmp_path / "sets" / "tiny")


@pytest.mark.parametrize("experiment", help.members("experiment"))
def test_experiments_compose_and_say_what_they_are(experiment):
    places = {
        "ucf101": ["dataset.videos=a", "dataset.lists=b"],
        "coco": ["dataset.images=a", "dataset.annotations=b"],
        "flickr": ["dataset.images=a", "dataset.captions=b"],
        "msvd": ["dataset.videos=a", "dataset.captions=b"],
    }
    composed = compose("train", f"experiment={experiment}")
    needed = places.get(composed.dataset.source, [])
    assert typed("train", f"experiment={experiment}", *needed).name == experiment
    text = (help.conf_folder() / "experiment" / f"{experiment}.yaml").read_text()
    for word in ("Command: lrcn train", "Expected:", "Time:"):
        assert word in text


@pytest.mark.parametrize("sweep", help.members("sweep"))
def test_sweeps_compose_and_say_what_they_are(sweep):
    assert typed("train", f"sweep={sweep}").name == sweep
    text = (help.conf_folder() / "sweep" / f"{sweep}.yaml").read_text()
    assert f"Command: lrcn train sweep={sweep}" in text


def test_the_sweep_of_streams_is_evaluated_on_test():
    assert typed("train", "sweep=two_streams").evaluate == ("test",)


def test_debugging_is_fast_and_serves_every_data_set():
    values = typed("train", "debug=fast")
    assert values.epochs == 1
    assert values.dataset.train + values.dataset.val + values.dataset.test <= 40
    assert values.dataset.val >= 8  # each of the classes
    assert typed("train", "debug=fast", "dataset.train=5").dataset.train == 5
    for dataset in ("dataset=lists", "dataset.input_files=[a]"), ("dataset=records",):
        assert typed("train", "debug=fast", *dataset) == dataclasses.replace(
            typed("train", *dataset),
            epochs=1,
            batch_size=4,
            traceback=True,
            callbacks=typed("train", "callbacks=minimal").callbacks,
        )
    places = ["dataset.videos=a", "dataset.lists=b"]
    values = typed("train", "experiment=ucf101_5", "debug=fast", *places)
    assert (values.dataset.source, values.dataset.val_groups) == ("ucf101", 0)


@pytest.mark.parametrize("experiment", ["ucf101_rgb_singleframe", "ucf101_rgb_lrcn"])
def test_recipes_of_the_paper(experiment):
    values = typed("train", f"experiment={experiment}", "dataset.videos=a", "dataset.lists=b")
    optimizer = values.optimizer
    assert (optimizer.learning_rate, optimizer.momentum, optimizer.weight_decay) == (
        1e-3,
        0.9,
        5e-3,
    )
    assert optimizer.bias_lr_mult == 2
    assert values.backbone.initializer == "gaussian_0.01"
    head = {"singleframe": "gaussian_0.01", "lstm": "uniform_0.01"}
    assert values.workflow.initializer == head[values.workflow.name]
    frames = values.batch_size * values.clipframe_mode.num_frames_per_clip
    videos, steps = 9537, {"ucf101_rgb_singleframe": 5000, "ucf101_rgb_lrcn": 30000}[experiment]
    assert frames == {"ucf101_rgb_singleframe": 128, "ucf101_rgb_lrcn": 24 * 16}[experiment]
    assert abs(values.epochs * -(-videos // values.batch_size) - steps) / steps < 0.02


PLACES = {
    "coco": ["dataset.images=a", "dataset.annotations=b"],
    "flickr30k": ["dataset.images=a", "dataset.captions=b"],
}


@pytest.mark.parametrize(
    ("experiment", "captions", "steps", "halved", "rate", "clip", "trainable"),
    [
        ("coco_lrcn2f", 414_113, 110_000, 20_000, 0.01, 10, 1),
        ("coco_lrcn2f_finetune", 414_113, 50_000, 20_000, 0.001, 25, True),
        # COCO's, in epochs.
        ("flickr30k_lrcn2f", 145_000, 110_000 * 0.35, 20_000 * 0.35, 0.01, 10, 1),
    ],
)
def test_recipes_of_the_papers_captions(experiment, captions, steps, halved, rate, clip, trainable):
    places = PLACES[experiment.partition("_")[0]]
    values = typed("train", f"experiment={experiment}", *places)
    optimizer, factor = values.optimizer, 20  # of the released loss
    assert optimizer.learning_rate == pytest.approx(factor * rate)
    assert optimizer.clipnorm == pytest.approx(clip / factor)
    assert (optimizer.momentum, optimizer.weight_decay) == (0.9, 0)
    mults = (optimizer.lr_mult, optimizer.bias_lr_mult, optimizer.backbone_lr_mult)
    assert mults == (1, 2, 0.1)
    assert (values.schedule.name, values.schedule.decay_rate) == ("staircase", 0.5)
    assert values.schedule.decay_steps == pytest.approx(halved)
    assert abs(values.epochs * -(-captions // values.batch_size) - steps) / steps < 0.02
    assert (values.batch_size, values.vocabulary.min_count) == (100, 5)
    assert (values.backbone.layer, values.backbone.dropout) == ("fc8", 0.5)
    assert values.backbone.trainable is trainable
    assert (values.augment.train, values.augment.mirror) == ("random", True)
    workflow = values.workflow
    assert (workflow.units, workflow.embedding, workflow.initializer) == (
        1000,
        1000,
        "uniform_0.08",
    )


@pytest.mark.parametrize(
    ("overrides", "expected"),
    [
        ([], ("caffenet", 2, True, True)),
        (["workflow.layers=1", "workflow.factored=false"], ("caffenet", 1, False, True)),
        (["workflow.factored=false"], ("caffenet", 2, False, True)),
        (["backbone=vgg16", "backbone.weights=imagenet"], ("vgg16", 2, True, True)),
        (["backbone.trainable=false", "augment=none"], ("caffenet", 2, True, False)),
    ],
)
def test_a_recipe_tells_the_overrides_of_the_other_rows(overrides, expected):
    text = (help.conf_folder() / "experiment" / "coco_lrcn2f.yaml").read_text()
    assert " ".join(overrides) in text
    values = typed("train", "experiment=coco_lrcn2f", *PLACES["coco"], *overrides)
    workflow = values.workflow
    found = (values.backbone.name, workflow.layers, workflow.factored, values.decodes_frames)
    assert found == expected
    assert (values.backbone.layer, values.optimizer.backbone_lr_mult) == ("fc8", 0.1)
