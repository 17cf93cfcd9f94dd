import numpy as np
import pytest
import tensorflow as tf
from hypothesis import given, settings
from hypothesis import strategies as st

from lrcn.data import references, text
from lrcn.data.text import BEGIN, END, PADDING, UNKNOWN
from lrcn.errors import UserError

VOCABULARY = text.Vocabulary((*text.SPECIAL, "a", "dog", "cat", "runs"), 4)


def test_captions_come_as_written_in_stored_order(write_records):
    given_captions = (("A dog.", "ein Hünd"), ("a cat",), ("x", "y", "z"))
    record_set = write_records((1, 1, 1), kind="image", captions=given_captions, shards=2)
    found = references.of_records(record_set)
    assert found == given_captions
    counts = references.counts(found)
    assert counts.tolist() == [2, 1, 3]
    assert counts.dtype == np.int64


@pytest.mark.parametrize(
    ("captions", "message"),
    [
        ((), "nothing describes this item.*no caption.*singleframe or lstm"),
        (("a dog", " . "), "caption without a word"),
        (("a dog", "..."), "caption without a word"),
        ((" ".join(["word"] * 10_000),), "caption is too long to be one.*10000 words"),
    ],
)
def test_an_item_that_cannot_be_learnt_from_is_named(write_records, captions, message):
    record_set = write_records((1, 1, 1), kind="image", captions=[("a dog",), captions, ("a cat",)])
    with pytest.raises(UserError, match=message) as caught:
        references.of_records(record_set)
    assert str(caught.value).startswith(f"{record_set.path}: item video 1")
    assert "\n" not in str(caught.value)


def words_of(captions, places):
    words = references.Words(captions, VOCABULARY)
    return [values.numpy() for values in words.of(tf.constant(places, tf.int64))]


def test_words_are_training_pairs_counted_over_all_items():
    inputs, targets, mask = words_of((("a dog", "a zebra runs"), ("a cat runs a dog",)), [2, 0, 1])
    a, dog, cat, runs = range(4, 8)
    assert inputs.tolist() == [
        [BEGIN, a, cat, runs, a],
        [BEGIN, a, dog, PADDING, PADDING],
        [BEGIN, a, UNKNOWN, runs, PADDING],
    ]
    assert targets.tolist() == [
        [a, cat, runs, a, END],  # the end stays when words are cut off
        [a, dog, END, PADDING, PADDING],
        [a, UNKNOWN, runs, END, PADDING],
    ]
    assert mask.tolist() == [[1] * 5, [1, 1, 1, 0, 0], [1, 1, 1, 1, 0]]
    assert mask.dtype == np.float32


def test_a_single_place_gives_a_single_pair():
    inputs, targets, mask = words_of((("a dog",),), 0)
    assert inputs.shape == targets.shape == mask.shape == (5,)


@settings(max_examples=40, deadline=None)
@given(st.lists(st.lists(st.sampled_from(VOCABULARY.tokens[4:]), max_size=6), min_size=1))
def test_trimming_takes_away_only_what_is_padding_in_all_pairs(captions):
    pairs = text.batch([VOCABULARY.encode(" ".join(own)) for own in captions], length=5)
    whole = [pairs[0], pairs[1], pairs[2].astype(np.float32)]
    cut = [values.numpy() for values in references.trimmed(*map(tf.constant, whole))]
    length = cut[0].shape[1]
    assert length == max(min(len(own), 4) for own in captions) + 1
    for values, before in zip(cut, whole, strict=True):
        np.testing.assert_array_equal(values, before[:, :length])
        assert not before[:, length:].any()
    assert cut[2].sum() == whole[2].sum()
    assert (cut[2][:, -1] == 1).any()
