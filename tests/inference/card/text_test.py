import json

import pytest

from lrcn import provenance
from lrcn.inference.card import facts, licences, text

PROTOCOL = {
    "digest": "0123456789abcdef",
    "checkpoint": "best",
    "clips": "iterative(num_frames_per_clip=16)",
    "view": {"size": [64, 64], "crop": "fit"},
    "seed": 0,
    "pooling": {"frames": "avg", "clips": "avg"},
}


def split(**values):
    own = {"digest": "d1", "source": "mine", "type": "video", "items": 8, "frames": 80}
    return {**own, "classes": 2, "groups": ["ann", "bob"], "skipped": 0, **values}


@pytest.fixture
def told(write_run):
    """Returns the card of a run that was evaluated."""

    def write(*overrides, data=None, groups=("ann", "eve", ""), names=("left", "right"), seed=0):
        own = write_run(
            f"run {seed}",
            f"seed={seed}",
            *overrides,
            values=[[0.9, 0.1], [0.2, 0.8], [0.7, 0.3]],
            truth=[0, 1, 1],
            groups=groups,
            names=names,
        )
        file = own.evaluation("test") / "protocol.json"
        file.write_text(json.dumps(PROTOCOL))
        provenance.write(
            own, {"train": split(), "val": split(digest="d2")} if data is None else data
        )
        return text.of(facts.of_run(own))

    return write


def test_a_card_has_every_section(told):
    card = told()
    titles = ["What it does", "Data", "How well it does", "Protocol", "Limits", "Licences"]
    assert [line[3:] for line in card.splitlines() if line.startswith("## ")] == titles
    assert "Tells 2 classes of videos apart: workflow `lstm`" in card
    assert "The run is done." in card
    assert "| train | 8 | 80 | 2 | 0 | `d1` | mine |" in card
    assert "| video_accuracy | 0.6667 |" in card
    assert "records `0123456789abcdef`" in card


def test_limits_are_worked_out_from_what_was_measured(told):
    limits = told().partition("## Limits")[2]
    assert "always saying `right` would be right in 0.6667" in limits
    assert "finds least of: `right` (0.50)" in limits
    assert "`test` shares 1 groups with training: there it measures memory." in limits
    assert "Training and validation share 2 groups" in limits
    assert "One seed was trained" in limits
    assert "No test split" not in limits


def test_several_seeds_are_told_with_their_spread(told):
    told(seed=1)
    card = told()
    assert "mean ± standard deviation of seeds 0, 1" in card
    assert "| video_accuracy | 0.6667 | 0.6667 ± 0.0000 (2) |" in card
    assert "One seed was trained" not in card


def test_without_groups_nothing_vouches_for_the_split(told):
    limits = told(data={"train": split(groups=[])}).partition("## Limits")[2]
    assert "Nothing tells which items are of one recording" in limits
    assert "share" not in limits.partition("finds least")[0]


def test_names_of_strangers_are_no_markdown(told):
    card = told(names=("left", "a|b <script>\n# `x`"))
    assert "<script>" not in card
    assert "a\\|b &lt;script> # 'x'" in card


def test_a_run_of_an_earlier_version_says_what_it_cannot_tell(told):
    assert "kept no note of them" in told(data={})


def test_a_describer_has_limits_of_its_own(write_run):
    own = write_run("words", "workflow=imgdesc_step", values=[[0.9, 0.1]], splits=())
    card = text.of(facts.of_run(own))
    assert "Describes images or videos in a sentence" in card
    assert "Every picture gets a sentence" in card
    assert "No test split was evaluated" in card
    assert "Nothing was measured yet." in card


@pytest.mark.parametrize(
    ("weights", "init", "says"),
    [
        (None, None, "All weights were trained from scratch"),
        ("imagenet", None, "those of keras.applications: Apache License 2.0"),
        ("/somewhere/own.keras", None, "come from a file, `own.keras`"),
        (None, "runs/first", "The network started from `first`"),
    ],
)
def test_the_terms_of_weights_are_told_as_far_as_known(train_settings, weights, init, says):
    settings = train_settings("backbone=mobilenet")
    settings["backbone"]["weights"], settings["init"] = weights, init
    notes = " ".join(licences.notes(settings))
    assert says in notes
    assert ("All weights" in notes) == (weights is None and init is None)
    assert "somewhere" not in notes


def test_every_backbone_with_published_weights_has_its_terms(train_settings):
    from lrcn.models import backbones

    for name, known in backbones.ARCHITECTURES.items():
        if known.imagenet:
            settings = train_settings(f"backbone={name}", "backbone.weights=imagenet")
            assert "not known" not in licences.notes(settings)[0], name
