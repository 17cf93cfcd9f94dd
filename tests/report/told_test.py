from lrcn import provenance
from lrcn.report import told


def test_a_sentence_and_the_settings_that_matter(train_settings):
    config = train_settings("workflow=lstm", "epochs=7")
    sentence = told.sentence(config, classes=8)
    assert sentence == (
        "An LSTM over the frames, with the CNN small, trained on moving_shapes to tell 8 classes "
        "apart."
    )
    rows = dict(told.settings(config))
    assert rows["length"].startswith("epochs=7, batch_size=")
    assert "optimizer.name=" in rows["optimizer"]


def test_a_captioner_has_no_classes(train_settings):
    sentence = told.sentence(train_settings("workflow=imgdesc_step"), classes=None)
    assert sentence.startswith("An image captioner that sees the picture at every word")
    assert "classes" not in sentence


def test_the_command_can_be_typed_again():
    config = {"overrides": ["dataset.videos=/my videos", "seed=1"]}
    assert provenance.command(config) == "lrcn train 'dataset.videos=/my videos' seed=1"
    assert provenance.command({"overrides": 3}) == "lrcn train"


def test_what_a_configuration_lacks_is_left_out():
    assert told.settings({"workflow": "no mapping", "epochs": 3}) == [("length", "epochs=3")]


def test_what_it_was_trained_on_is_a_table():
    known = {"items": 3, "frames": 48, "groups": ["a", "b"], "digest": "d", "source": "s"}
    columns, rows = told.data({"train": known, "val": "damaged"})
    assert columns[:3] == ["split", "items", "frames"]
    assert rows == [["train", 3, 48, 2, "d", "s"], ["val", None, None, None, None, None]]
