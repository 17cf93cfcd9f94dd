import logging

import numpy as np
import pytest

from lrcn import errors
from lrcn.data import tfds_fields

features = pytest.importorskip("tensorflow_datasets").features

pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning")

IMAGE = {"image": features.Image(shape=(4, 6, 3))}
TEXT = features.Text()
STRING = features.Tensor(shape=(), dtype=np.str_)
STRINGS = features.Tensor(shape=(None,), dtype=np.str_)


def chosen(**kinds):
    return tfds_fields.chosen(features.FeaturesDict({**IMAGE, **kinds}), "tiny")


@pytest.mark.parametrize(
    ("kinds", "keys"),
    [
        ({"captions": features.Sequence({"text": np.str_, "id": np.int64})}, ("captions", "text")),
        ({"captions": features.Sequence({"text": TEXT, "id": TEXT})}, ("captions", "text")),
        ({"captions": features.Sequence({"raw": TEXT, "sent_id": TEXT})}, ("captions", "raw")),
        ({"captions": {"said": features.Sequence({"text": TEXT})}}, ("captions", "said", "text")),
        ({"captions": features.Sequence(features.Sequence(TEXT))}, ("captions",)),
        ({"caption": TEXT, "id": TEXT, "url": TEXT}, ("caption",)),
        ({"sentence": STRING, "title": TEXT}, ("sentence",)),
        ({"descriptions": STRINGS}, ("descriptions",)),
        ({"text": features.Sequence(TEXT), "author": TEXT}, ("text",)),
        ({"captions": {"en": TEXT, "de": TEXT}, "description": TEXT}, ("description",)),
    ],
)
def test_captions_are_found_by_their_names(kinds, keys):
    assert chosen(**kinds).captions == keys
    assert chosen(**kinds, label=features.ClassLabel(num_classes=2)).captions == keys


def test_without_a_name_the_only_text_is_taken_and_told(caplog):
    kinds = {"image/filename": TEXT, "image_id": TEXT, "said": features.Sequence(TEXT)}
    with caplog.at_level(logging.INFO, "lrcn"):
        assert chosen(**kinds).captions == ("said",)
    assert caplog.messages == ["data: said of tiny is taken for captions"]
    assert chosen(**kinds, label=features.ClassLabel(num_classes=2)).captions is None


@pytest.mark.parametrize(
    "kinds",
    [
        {"image/filename": TEXT, "id": TEXT},
        {"said": TEXT, "heard": TEXT},
        {"captions": {"en": TEXT, "de": TEXT}},
        {"captions": np.int64},
        {"label": TEXT},
        {"objects": features.Sequence({"label": features.ClassLabel(num_classes=2)})},
    ],
)
def test_what_could_be_several_captions_or_none_is_refused(kinds):
    with pytest.raises(errors.UserError, match=r"neither label nor captions.*tiny with image"):
        chosen(**kinds)


@pytest.mark.parametrize(
    "kind", [np.int64, features.Sequence(np.int64), features.ClassLabel(names=["a", "b"])]
)
def test_labels_are_classes_or_integers(kind):
    fields = chosen(label=kind, id=STRING)
    assert (fields.label, fields.id, fields.captions) == ("label", "id", None)
    assert fields.label_names == (("a", "b") if isinstance(kind, features.ClassLabel) else ())


def test_a_label_that_is_a_text_is_none():
    fields = chosen(label=TEXT, caption=TEXT)
    assert (fields.label, fields.captions) == (None, ("caption",))
