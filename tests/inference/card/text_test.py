import re

import pytest

from lrcn.inference.card import facts, markdown, text, weights

VALUES = [[0.9, 0.1], [0.2, 0.8], [0.7, 0.3]]


@pytest.fixture
def told(measured):
    """Returns the card of a run that was evaluated."""

    def write(name="run", *overrides, groups=("ann", "eve", ""), **others):
        options = {"values": VALUES, "truth": [0, 1, 1], "groups": groups, **others}
        return text.of(facts.of_run(measured(name, *overrides, **options)))

    return write


def section(card, title):
    return card.partition(f"## {title}\n")[2].partition("\n## ")[0]


def test_a_card_has_every_section(told):
    card = told()
    titles = ["What it does", "Data", "How well it does", "Protocol", "Limits", "Licences"]
    assert [line[3:] for line in card.splitlines() if line.startswith("## ")] == titles
    assert "Tells 2 classes of videos apart: workflow `lstm`" in card
    assert "The run is done." in card
    assert "| train | 8 | 80 | 2 | 0 | `d1` | `mine` |" in card
    assert "| `video_accuracy` | 0.5000 |" in card
    assert "records `0123456789abcdef`" in card


def test_limits_are_worked_out_from_what_was_measured(told):
    limits = section(told(), "Limits")
    assert "always saying `right` would be right in 0.6667" in limits
    assert "finds least of: `right` (0.50)" in limits
    assert "`test` shares 1 groups with training: there it measures memory." in limits
    assert "Training and validation share 2 groups" in limits
    assert "One seed was trained" in limits
    assert "No test split" not in limits


def test_several_seeds_are_told_with_their_spread(told):
    told("second", seed=1, accuracy=0.7)
    told("third", seed=2, accuracy=0.9, protocol={"digest": "other records"})
    card = told()
    assert "mean ± standard deviation of 2 seeds" in card
    assert "| `video_accuracy` | 0.5000 | 0.6000 ± 0.1414 |" in card
    assert "1 more seeds were measured on `test` in another way" in card
    assert "Seeds 0, 1, 2 were trained" in card
    assert "One seed was trained" not in card


def test_without_groups_nothing_vouches_for_the_split(told, split):
    limits = section(told(data={"train": split(groups=[])}), "Limits")
    assert "Nothing tells which items are of one recording" in limits
    assert "share" not in limits.partition("finds least")[0]


def test_words_of_strangers_do_nothing(told, split):
    wicked = "a|b <img src=x onerror=alert(1)>\n# `x` ![y](http://z/p.png) [k](javascript:x) **c**"
    card = told(
        "**run** [x](y)",
        names=("left", wicked),
        data={"train": split(source=wicked, digest=wicked)},
        protocol={"digest": wicked, "clips": wicked},
    )
    prose = re.sub(r"````\n.*?\n````", "", card, flags=re.S)
    prose = re.sub(r"`[^`\n]*`", "", prose)
    assert not re.search(r"[<\[*]", prose.replace("\n* ", "\n")), prose
    assert "a\\|b <img src=x" in card  # shown, in code
    assert "\n# 'x'" not in card


def test_the_command_can_be_pasted(told, measured):
    own = measured("own")
    own.write_config({**own.read_config(), "overrides": ["dataset.input_files=[a b|c.train]"]})
    assert "\nlrcn train 'dataset.input_files=[a b|c.train]'\n" in text.of(facts.of_run(own))


def test_a_block_ends_where_it_should():
    assert markdown.block("lrcn ````\n# x") == ["````", "lrcn ' # x", "````"]


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
    ("backbone", "init", "vectors", "says"),
    [
        (None, None, None, "All weights were trained from scratch"),
        ("imagenet", None, None, "those of keras.applications: Apache License 2.0"),
        ("/somewhere/own.keras", None, None, "come from `own.keras`"),
        (None, "runs/first", None, "The network started from `first`"),
        (None, None, "/somewhere/glove.txt", "Word vectors come from `glove.txt`"),
    ],
)
def test_the_terms_of_weights_are_told_as_far_as_known(
    train_settings, backbone, init, vectors, says
):
    settings = train_settings("workflow=imgdesc_step", "backbone=mobilenet")
    settings["backbone"]["weights"], settings["init"] = backbone, init
    settings["workflow"]["word_vectors"] = vectors
    notes = " ".join(weights.notes(settings))
    assert says in notes
    assert ("All weights" in notes) == (not weights.origins(settings))
    assert "somewhere" not in notes


def test_every_backbone_with_published_weights_has_its_terms(train_settings):
    from lrcn.models import architectures

    for name, known in architectures.ARCHITECTURES.items():
        if known.imagenet:
            settings = train_settings(f"backbone={name}", "backbone.weights=imagenet")
            assert "keras.applications: " in weights.notes(settings)[0], name
