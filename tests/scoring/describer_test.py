import dataclasses

import numpy as np
import pytest

from lrcn.data.text import BEGIN, END, PADDING, UNKNOWN
from lrcn.models import networks
from lrcn.scoring import describer

LONGEST = 5
NEVER = [PADDING, BEGIN, UNKNOWN]


def said(network, features, name="greedy", **options):
    options = {"max_length": LONGEST, **options}
    model = describer.Describer(networks.head(network), describer.searcher(name, **options))
    return model.predict_on_batch(features)


def scores_of(next_word, network, features, words):
    """The log-probability of what was said, summed up to the end by the training graph."""
    before = np.concatenate([np.full((len(words), 1), BEGIN), words[:, :-1]], axis=1)
    values = next_word(network, features, before)
    of_words = np.take_along_axis(values, words[..., None], axis=-1)[..., 0]
    return np.where(words == PADDING, 0, of_words).sum(axis=1)


def test_greedy_is_the_likeliest_word_of_the_training_graph(network, features, next_word):
    found = said(network, features)
    told = np.full((len(features), 1), BEGIN)
    ended = np.zeros(len(features), bool)
    ids = np.arange(next_word(network, features, told).shape[-1])
    for place in range(LONGEST + 1):
        values = next_word(network, features, told)[:, -1]
        values[:, NEVER if place < LONGEST else ids != END] = -np.inf
        word = np.where(ended, PADDING, values.argmax(axis=1))
        np.testing.assert_array_equal(found["words"][:, place], word)
        told = np.concatenate([told, word[:, None]], axis=1)
        ended |= word == END
    assert ended.all()


def test_the_log_probability_is_that_of_the_training_graph(network, features, next_word):
    for name, options in (
        ("greedy", {}),
        ("beam", {"width": 3, "length_penalty": 0.0}),
        ("sample", {"samples": 4, "temperature": 1.0}),
    ):
        found = said(network, features, name, **options)
        expected = scores_of(next_word, network, features, found["words"])
        np.testing.assert_allclose(found["log_probability"], expected, atol=1e-5, err_msg=name)


@pytest.mark.parametrize(
    ("name", "options"),
    [
        ("greedy", {}),
        ("beam", {"width": 4, "length_penalty": 1.0}),
        ("sample", {"samples": 8, "temperature": 0.5}),
    ],
)
def test_what_is_no_word_is_never_said(stepwise, features, name, options):
    head = networks.head(stepwise)
    bias = head.get_layer("classes").bias
    before = bias.numpy()
    loud = before.copy()
    loud[NEVER] = 30
    try:
        bias.assign(loud)
        found = said(stepwise, features, name, **options)
    finally:
        bias.assign(before)
    for words in found["words"]:
        length = words.tolist().index(END)
        assert not np.isin(words[:length], NEVER).any()
        assert (words[length + 1 :] == PADDING).all()
    assert np.isfinite(found["log_probability"]).all()


@pytest.mark.parametrize("longest", [1, 3])
def test_every_caption_ends_after_at_most_the_words_asked_for(stepwise, features, longest):
    bias = networks.head(stepwise).get_layer("classes").bias
    before = bias.numpy()
    lengths = []
    for loud in (-30, 0, 30):
        try:
            bias.assign(np.where(np.arange(len(before)) == END, before + loud, before))
            found = said(stepwise, features, max_length=longest)
        finally:
            bias.assign(before)
        ends = found["words"] == END
        assert ends[:, : longest + 1].sum(axis=1).tolist() == ends.sum(axis=1).tolist()
        assert (ends.sum(axis=1) == 1).all()
        lengths.append(ends.argmax(axis=1))
    assert (lengths[0] == longest).all() and (lengths[-1] == 0).all()


@pytest.mark.parametrize(("name", "options"), [("greedy", {}), ("beam", {"width": 3})])
def test_the_size_of_a_batch_changes_no_caption(network, features, name, options):
    find = describer.searcher(name, max_length=LONGEST, **options)
    model = describer.Describer(networks.head(network), find)
    together = model.predict_on_batch(features)
    parts = [model.predict_on_batch(part) for part in np.split(features, [1, 3])]
    for key, values in together.items():
        joined = np.concatenate([part[key] for part in parts])
        np.testing.assert_allclose(joined, values, atol=1e-5, err_msg=key)


def test_a_beam_of_one_is_greedy(network, features):
    greedy, one = said(network, features), said(network, features, "beam", width=1)
    np.testing.assert_array_equal(one["words"], greedy["words"])
    np.testing.assert_allclose(one["log_probability"], greedy["log_probability"], atol=1e-5)


def test_samples_are_the_same_for_the_same_seed(stepwise, features):
    options = {"samples": 2, "temperature": 0.3}
    first, again, other = (said(stepwise, features, "sample", seed=s, **options) for s in (3, 3, 4))
    np.testing.assert_array_equal(first["words"], again["words"])
    assert (first["words"] != other["words"]).any()


def test_a_describer_knows_what_its_network_learns_later(stepwise, features):
    model = describer.Describer(
        networks.head(stepwise), describer.searcher("greedy", max_length=LONGEST)
    )
    model.predict_on_batch(features)
    bias = networks.head(stepwise).get_layer("classes").bias
    before = bias.numpy()
    try:
        bias.assign(np.where(np.arange(len(before)) == END, 50, before))
        assert (model.predict_on_batch(features)["words"][:, 0] == END).all()
    finally:
        bias.assign(before)


def test_a_line_is_written_for_every_clip(stepwise, features, vocabulary):
    find = describer.searcher("greedy", max_length=LONGEST)
    model = describer.Describer(networks.head(stepwise), find)
    item, clip = np.array([0, 0, 1, 1, 1, 2]), np.array([0, 1, 0, 1, 2, 0])
    batches = [
        {"features": features[at], "item": item[at], "clip": clip[at]}
        for at in (slice(0, 4), slice(4, 6))
    ]
    written = describer.write(model, batches, vocabulary)
    found = model.predict_on_batch(features)
    assert written.captions == tuple(vocabulary.decode(ids) for ids in found["words"])
    assert all("<" not in caption for caption in written.captions)
    np.testing.assert_allclose(written.log_probability, found["log_probability"], atol=1e-5)
    assert written.log_probability.dtype == np.float64
    np.testing.assert_array_equal(written.item, item)
    np.testing.assert_array_equal(written.clip, clip)


def test_drawn_captions_do_not_depend_on_what_was_described_before(stepwise, features, vocabulary):
    find = describer.searcher("sample", max_length=LONGEST, samples=2, temperature=0.3, seed=3)
    model = describer.Describer(networks.head(stepwise), find)
    places = np.arange(len(features))
    batches = [{"features": features, "item": places, "clip": np.zeros_like(places)}]
    first = describer.write(model, batches, vocabulary)
    assert describer.write(model, batches * 2, vocabulary).captions[: len(places)] == first.captions
    assert describer.write(model, batches, vocabulary).captions == first.captions
    twice = describer.write(model, batches * 2, vocabulary).captions
    assert twice[len(places) :] != first.captions  # but a batch draws what the one before did not


def test_the_likeliest_caption_of_a_clip_and_of_an_item_is_taken():
    written = describer.Written(
        ("a", "b", "c", "d", "e", "f"),
        np.array([-5.0, -3.0, -4.0, -2.0, -1.0, -9.0]),
        np.array([0, 0, 0, 1, 1, 7]),
        np.array([0, 0, 1, 0, 2, 0]),
    )
    of_clips = written.of_clips()
    assert of_clips.captions == ("b", "c", "d", "e", "f")
    assert of_clips.clip.tolist() == [0, 1, 0, 2, 0]
    of_items = written.of_items()
    assert of_items.captions == ("b", "e", "f")
    assert of_items.log_probability.tolist() == [-3, -1, -9]
    assert of_items.item.tolist() == [0, 1, 7]
    order = np.array([5, 3, 1, 4, 2, 0])  # rows in any order
    shuffled = describer.Written(
        tuple(written.captions[place] for place in order),
        *(getattr(written, field.name)[order] for field in dataclasses.fields(written)[1:]),
    )
    assert shuffled.of_items().captions == of_items.captions
