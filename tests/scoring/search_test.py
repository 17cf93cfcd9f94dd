import functools
import itertools

import keras
import numpy as np
import pytest
from keras import ops

from lrcn.data.text import BEGIN, END, PADDING
from lrcn.scoring import search

SIZE, LENGTH, ROWS = 5, 3, 4
WORDS = (END, 3, 4)


@pytest.fixture
def table():
    """Logits of the next word by row, place and last word: a decoder that knows its place."""
    return np.random.default_rng(3).normal(0, 2, (ROWS, LENGTH, SIZE, SIZE)).astype(np.float32)


def decoder(table):
    """A step function whose state is the row, so that states must follow their captions."""
    values = ops.convert_to_tensor(table.reshape(-1, SIZE))

    def step(given):
        word, row, place = given
        index = (row[:, 0] * LENGTH + place[:, 0]) * SIZE + ops.cast(word[:, 0], "int32")
        return ops.take(values, index, axis=0), row, ops.minimum(place + 1, LENGTH - 1)

    start = [ops.arange(ROWS)[:, None], ops.zeros((ROWS, 1), dtype="int32")]
    return step, start


def log_softmax(values):
    return values - np.log(np.exp(values).sum(-1, keepdims=True))


def every_caption(table):
    """All captions of a row with their log-probability, likeliest first."""
    captions = []
    for length in range(1, LENGTH + 1):
        for words in itertools.product(WORDS, repeat=length):
            whole = words[-1] == END or length == LENGTH
            if END not in words[:-1] and whole:
                before = (BEGIN, *words[:-1])
                gains = [
                    log_softmax(table[place, last])[word]
                    for place, (last, word) in enumerate(zip(before, words, strict=True))
                ]
                captions.append((float(np.sum(gains)), words))
    return sorted(captions, reverse=True)


def padded(words):
    return list(words) + [PADDING] * (LENGTH - len(words))


def test_a_wide_beam_finds_what_enumeration_finds(table):
    found = search.beam(*decoder(table), width=SIZE**LENGTH, max_length=LENGTH)
    for row in range(ROWS):
        best, words = every_caption(table[row])[0]
        assert np.asarray(found.words)[row].tolist() == padded(words)
        assert float(found.log_probability[row]) == pytest.approx(best, abs=1e-5)
        assert bool(found.ended[row]) is (words[-1] == END)


def test_a_beam_of_one_is_greedy(table):
    one = search.beam(*decoder(table), width=1, max_length=LENGTH)
    greedy = search.greedy(*decoder(table), max_length=LENGTH)
    for a, b in zip(one, greedy, strict=True):
        np.testing.assert_allclose(np.asarray(a), np.asarray(b), rtol=1e-6)


def test_greedy_takes_the_likeliest_word_of_each_step(table):
    found = search.greedy(*decoder(table), max_length=LENGTH)
    for row in range(ROWS):
        words, last, total = [], BEGIN, 0.0
        while len(words) < LENGTH and last != END:
            gains = log_softmax(table[row, len(words), last])
            last = max(WORDS, key=lambda word, gains=gains: gains[word])
            words.append(last)
            total += gains[last]
        assert np.asarray(found.words)[row].tolist() == padded(words)
        assert float(found.log_probability[row]) == pytest.approx(total, abs=1e-5)


@pytest.mark.parametrize("name", ["greedy", "beam", "sample"])
def test_closing_leaves_no_caption_open(table, name):
    """The best of the captions that end within their length, those cut there left out."""
    loud = table.copy()
    loud[..., END] -= 5  # so that most would be cut
    options = {
        "greedy": {},
        "beam": {"width": SIZE**LENGTH},
        "sample": {"samples": 400, "temperature": 1.0, "seed": keras.random.SeedGenerator(0)},
    }[name]
    find = getattr(search, name)
    found = find(*decoder(loud), max_length=LENGTH, closing=True, **options)
    assert np.asarray(found.ended).all()
    for row in range(ROWS):
        known = {words: gain for gain, words in every_caption(loud[row]) if words[-1] == END}
        said = tuple(word for word in np.asarray(found.words)[row].tolist() if word != PADDING)
        assert float(found.log_probability[row]) == pytest.approx(known[said], abs=1e-4)
        if name != "greedy":
            assert known[said] == max(known.values())
    assert not np.asarray(find(*decoder(loud), max_length=LENGTH, **options).ended).all()


@pytest.mark.parametrize("width", [2, 3, 7])
def test_wider_beams_find_nothing_less_likely_than_the_best_caption(table, width):
    found = search.beam(*decoder(table), width=width, max_length=LENGTH)
    for row in range(ROWS):
        known = {words: gain for gain, words in every_caption(table[row])}
        words = tuple(word for word in np.asarray(found.words)[row].tolist() if word != PADDING)
        assert float(found.log_probability[row]) == pytest.approx(known[words], abs=1e-5)


def test_a_length_penalty_prefers_longer_captions():
    table = np.full((ROWS, LENGTH, SIZE, SIZE), -9.0, np.float32)
    table[:, 0, :, END], table[:, 0, :, 3] = 1.0, 0.5  # ending at once is a little likelier
    table[:, 1, :, 4], table[:, 2, :, END] = 5.0, 5.0
    short = search.beam(*decoder(table), width=4, max_length=LENGTH)
    long = search.beam(*decoder(table), width=4, max_length=LENGTH, length_penalty=1.0)
    assert np.asarray(short.words).tolist() == [[END, 0, 0]] * ROWS
    assert np.asarray(long.words).tolist() == [[3, 4, END]] * ROWS
    assert float(long.log_probability[0]) < float(short.log_probability[0])


def test_sampling_draws_from_the_sharpened_distribution():
    """Golden of the paper: logits 1, 2, 3 at 1.5 give .039113, .175290, .785597."""
    logits = np.full(SIZE, -1e4, np.float32)
    logits[[END, 3, 4]] = [1, 2, 3]

    def step(given):
        return ops.tile(ops.convert_to_tensor(logits)[None], (len(given[0]), 1)), given[1]

    seed = keras.random.SeedGenerator(0)
    rows = 40_000
    found = search.sample(
        step, [ops.zeros((rows, 1))], samples=1, temperature=1.5, max_length=1, seed=seed
    )
    shares = np.bincount(np.asarray(found.words)[:, 0], minlength=SIZE) / rows
    np.testing.assert_allclose(shares[[END, 3, 4]], [0.039113, 0.175290, 0.785597], atol=0.01)
    np.testing.assert_allclose(
        np.unique(np.asarray(found.log_probability)),
        np.sort(log_softmax(np.array([1.0, 2.0, 3.0]))),
        rtol=1e-5,
    )


def test_the_likeliest_of_many_samples_is_kept(table):
    seed = keras.random.SeedGenerator(0)
    options = {"samples": 400, "temperature": 1.0, "max_length": LENGTH, "seed": seed}
    found = search.sample(*decoder(table), **options)
    for row in range(ROWS):
        best, words = every_caption(table[row])[0]
        assert np.asarray(found.words)[row].tolist() == padded(words)
        assert float(found.log_probability[row]) == pytest.approx(best, abs=1e-5)


def test_padding_and_begin_are_never_said():
    table = np.zeros((ROWS, LENGTH, SIZE, SIZE), np.float32)
    table[..., [PADDING, BEGIN]] = 50.0
    for found in (
        search.greedy(*decoder(table), max_length=LENGTH),
        search.beam(*decoder(table), width=3, max_length=LENGTH),
    ):
        assert not np.isin(np.asarray(found.words)[:, 0], [PADDING, BEGIN]).any()


def test_silent_words_are_not_said_and_the_others_keep_their_probability(table):
    loud = table.copy()
    loud[..., 3] = 50.0
    seed = keras.random.SeedGenerator(1)
    for search_by, options in (
        (search.greedy, {}),
        (search.beam, {"width": 3}),
        (search.sample, {"samples": 5, "temperature": 1.0, "seed": seed}),
    ):
        found = search_by(*decoder(loud), max_length=LENGTH, silent=(3,), **options)
        words = np.asarray(found.words)
        assert not (words == 3).any()
        for row in range(ROWS):
            known = {said: gain for gain, said in every_caption(loud[row])}
            said = tuple(word for word in words[row].tolist() if word != PADDING)
            # Probabilities are near 0, since the silent word keeps nearly all of it.
            assert float(found.log_probability[row]) == pytest.approx(known[said], rel=1e-5)
            assert known[said] < -40


@pytest.mark.parametrize("level", [1e3, -1e3])
def test_the_level_of_the_logits_does_not_matter(table, level):
    for find in (search.greedy, functools.partial(search.beam, width=3)):
        plain = find(*decoder(table), max_length=LENGTH, closing=True)
        moved = find(*decoder(table + np.float32(level)), max_length=LENGTH, closing=True)
        np.testing.assert_array_equal(plain.words, moved.words)
        np.testing.assert_allclose(plain.log_probability, moved.log_probability, atol=5e-4)


def test_a_silent_word_is_not_said_however_likely_it_is(table):
    said = []
    for logit in (-100.0, 100.0):
        table[..., 4] = logit
        said.append(search.greedy(*decoder(table), max_length=LENGTH, silent=(4,)).words)
        beam = search.beam(*decoder(table), width=3, max_length=LENGTH, silent=(4,))
        assert not (np.asarray(beam.words) == 4).any()
    np.testing.assert_array_equal(*said)
    assert not (np.asarray(said[0]) == 4).any()
