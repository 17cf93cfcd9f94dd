"""Scores of captions against the published scorers' numbers.

The goldens are those of pycocoevalcap 1.2, on captions that are tokens already:

    pip install pycocoevalcap
    gts = dict(enumerate(REFERENCES)); res = {i: [text] for i, text in enumerate(CAPTIONS)}
    [scorer.compute_score(gts, res) for scorer in (Bleu(4), Rouge(), Cider())]
"""

import shutil
import time

import hypothesis
import numpy as np
import pytest
from hypothesis import strategies as st

from lrcn.errors import UserError
from lrcn.scoring import captions

REFERENCES = [
    [
        "a man riding a wave on top of a surfboard",
        "a surfer rides a large wave in the ocean",
    ],
    ["a brown bear standing in the grass", "a large bear walks through a green field"],
    [
        "a cat lying on a bed next to a laptop",
        "the cat is asleep on the bed",
        "a black and white cat on a bed",
    ],
]
CAPTIONS = [
    "a man riding a wave on a surfboard",
    "a bear standing on top of a lush green field",
    "a dog sitting on a couch",
]
# Repeated words, two closest lengths, no caption, an exact one, no match, one word.
ODD_CAPTIONS = [
    "a b a b a b c",
    "the dog runs",
    "",
    "one two three four five six",
    "x y z",
    "the the the the",
]
ODD_REFERENCES = [
    ["a b a b c d", "b a b"],
    ["the dog runs fast", "the dogs run", "a dog runs today now"],
    ["a cat", "some cat sits"],
    ["one two three four five six"],
    ["p q r s t"],
    ["the cat", "on the mat the cat sat"],
]
SCORES = [captions.bleu, captions.rouge_l, captions.cider]
WORDS = st.lists(st.sampled_from("abcde"), min_size=1, max_size=9).map(" ".join)
ITEMS = st.lists(st.tuples(WORDS, st.lists(WORDS, min_size=1, max_size=3)), min_size=1, max_size=6)


def test_bleu():
    expected = [0.7083333333, 0.5509731650, 0.4070828379, 0.3408157010]
    np.testing.assert_allclose(captions.bleu(CAPTIONS, REFERENCES), expected, atol=1e-9)


def test_rouge_l():
    items = captions.rouge_l_items(CAPTIONS, REFERENCES)

    np.testing.assert_allclose(items, [0.8714285714, 0.5669144981, 0.4178082192], atol=1e-9)
    assert captions.rouge_l(CAPTIONS, REFERENCES) == pytest.approx(0.6187170962, abs=1e-9)


def test_cider():
    items = captions.cider_items(CAPTIONS, REFERENCES)

    np.testing.assert_allclose(items, [3.4402062928, 1.3133828312, 0.3112737840], atol=1e-9)
    assert captions.cider(CAPTIONS, REFERENCES) == pytest.approx(1.6882876360, abs=1e-9)


def test_odd_captions():
    bleu = [0.6660545168592167, 0.6242719112262549, 0.6123559635139354, 0.608838876465198]
    rouge = [0.85915493, 0.83561644, 0, 1, 0, 0.5]
    cider = [4.05953781, 2.85428742, 0, 10, 0, 0.53723707]

    np.testing.assert_allclose(captions.bleu(ODD_CAPTIONS, ODD_REFERENCES), bleu, atol=1e-12)
    np.testing.assert_allclose(
        captions.rouge_l_items(ODD_CAPTIONS, ODD_REFERENCES), rouge, atol=1e-8
    )
    np.testing.assert_allclose(captions.cider_items(ODD_CAPTIONS, ODD_REFERENCES), cider, atol=1e-8)


def test_short_captions_are_smoothed_as_published():
    expected = [0.9999999993333338, 0.9999999990000008, 0.00999999999222223, 0.0009999999993333339]

    np.testing.assert_allclose(
        captions.bleu(["a", "b c"], [["a"], ["b c"]]), expected, rtol=0, atol=1e-12
    )
    np.testing.assert_allclose(captions.cider_items(["a", "b c"], [["a"], ["b c"]]), [2.5, 5.0])


def test_lists_of_tokens_are_scored_like_strings_of_them():
    made = [text.split() for text in CAPTIONS]
    wanted = [[text.split() for text in own] for own in REFERENCES]

    for score in SCORES:
        assert score(made, wanted) == score(CAPTIONS, REFERENCES)


def test_cider_of_one_item_is_0_by_definition():
    assert captions.cider(["a dog runs"], [["a dog runs"]]) == 0
    assert captions.summary(["A dog runs."], [["a dog runs"]])["cider"] == 0


@pytest.mark.parametrize("score", SCORES)
def test_no_words_score_0(score):
    nothing = score(["", ""], [["a dog", "a cat"], ["a bird"]])

    np.testing.assert_allclose(nothing, 0, atol=1e-12)


@pytest.mark.parametrize("score", SCORES)
def test_references_without_words_match_nothing(score):
    np.testing.assert_allclose(score(["", "a dog"], [[""], ["", ""]]), 0, atol=1e-3)


@pytest.mark.parametrize("score", [*SCORES, captions.summary])
def test_items_that_cannot_be_scored(score):
    with pytest.raises(UserError, match="2 captions, references of 1 items"):
        score(["a", "b"], [["a"]])
    with pytest.raises(UserError, match="nothing to score.*at least one item"):
        score([], [])
    with pytest.raises(UserError, match="no reference for 2 of 3 items: 0, 2"):
        score(["a", "b", "c"], [[], ["b"], []])
    with pytest.raises(UserError, match="6 of 6 items: 0, 1, 2, 3, 4, ..."):
        score(["a"] * 6, [[]] * 6)


@hypothesis.settings(deadline=None)
@hypothesis.given(ITEMS, st.randoms(use_true_random=False))
def test_the_order_of_items_and_references_changes_nothing(items, random):
    other = [(made, random.sample(wanted, len(wanted))) for made, wanted in items]
    random.shuffle(other)

    for score in SCORES:
        np.testing.assert_allclose(
            score(*zip(*items, strict=True)), score(*zip(*other, strict=True)), atol=1e-9
        )


@hypothesis.settings(deadline=None)
@hypothesis.given(ITEMS)
def test_ranges(items):
    made, wanted = zip(*items, strict=True)

    assert all(0 <= value <= 1 for value in captions.bleu(made, wanted))
    assert all(0 <= value <= 1 for value in captions.rouge_l_items(made, wanted))
    assert all(0 <= value <= 10 + 1e-9 for value in captions.cider_items(made, wanted))


@hypothesis.settings(deadline=None)
@hypothesis.given(
    st.lists(
        st.lists(WORDS.filter(lambda text: len(text) > 6), min_size=1, max_size=3),
        min_size=1,
        max_size=5,
    )
)
def test_a_caption_equal_to_a_reference_is_perfect(references):
    made = [own[-1] for own in references]

    np.testing.assert_allclose(captions.bleu(made, references), 1, atol=1e-6)
    np.testing.assert_allclose(captions.rouge_l_items(made, references), 1)


def test_distinct_captions_equal_to_their_only_reference_have_the_highest_cider():
    made = ["a b c d e", "f g h i j k", "l m n o"]

    np.testing.assert_allclose(captions.cider_items(made, [[text] for text in made]), 10)


def plain_common_length(first, second):
    table = np.zeros((len(first) + 1, len(second) + 1), int)
    for i, one in enumerate(first):
        for j, two in enumerate(second):
            table[i + 1, j + 1] = (
                table[i, j] + 1 if one == two else max(table[i, j + 1], table[i + 1, j])
            )
    return table[-1, -1]


@hypothesis.settings(deadline=None)
@hypothesis.given(WORDS, WORDS)
def test_rouge_l_takes_the_longest_common_subsequence(made, wanted):
    common = plain_common_length(made.split(), wanted.split())
    precision, recall = common / len(made.split()), common / len(wanted.split())
    expected = 2.44 * precision * recall / (recall + 1.44 * precision) if common else 0

    assert captions.rouge_l([made], [[wanted]]) == pytest.approx(expected)


def test_summary():
    made = ["A dog runs.", "a dog runs", "Two cats don't sleep", ""]
    wanted = [["A dog runs", "x"], ["a bird flies"], ["two cats do n't sleep !"], ["."]]

    values = captions.summary(
        made,
        wanted,
        training=["A DOG RUNS!", "nothing else", ""],
        vocabulary=["a", "dog", "runs", "two", "cats", "don't", "sleep", "bird"],
    )

    tokens = [captions.ptb_tokenise(text) for text in made]
    references = [[captions.ptb_tokenise(text) for text in own] for own in wanted]
    bleu = captions.bleu(tokens, references)
    assert values == {
        **{f"bleu_{n}": bleu[n - 1] for n in (1, 2, 3, 4)},
        "rouge_l": captions.rouge_l(tokens, references),
        "cider": captions.cider(tokens, references),
        "exact": 0.5,
        "distinct_captions": 3,
        "most_frequent_share": 0.5,
        "mean_length": 2.75,
        "items": 4,
        "copied": 0.5,
        "vocabulary_used": 0.75,  # all but "bird" and "don't", which is three words
    }


def test_summary_leaves_out_what_it_is_not_asked():
    values = captions.summary(["a dog"], [["a dog"]])

    assert not {"copied", "vocabulary_used", "meteor"} & values.keys()
    assert values["exact"] == 1


def test_summary_takes_training_captions_made_ready():
    ready = captions.known(["A dog."])

    assert captions.summary(["a dog", "a cat"], [["x"]] * 2, training=ready)["copied"] == 0.5


def test_tokens_are_what_is_scored():
    made, wanted = captions.tokenised(["A dog, asleep."], [["It's a dog.", "Dogs"]])
    assert made == [("a", "dog", "asleep")]
    assert wanted == [[("it", "'s", "a", "dog"), ("dogs",)]]


@pytest.mark.parametrize(
    ("made", "expected"),
    [
        (["a cat"], ["one item: CIDEr is 0 by definition"]),
        (["a cat", "a cat", "a dog", "a dog"], []),  # half of them is not more than half
        (["a cat", "A cat.", "a cat", "a dog"], ["one caption serves 3 of 4 items"]),
        (["", "", "a dog"], ["one caption serves 2 of 3 items"]),
        (["", "", ""], ["a caption without a word serves 3 of 3 items"]),
    ],
)
def test_remarks_tell_what_makes_the_metrics_worth_little(made, expected):
    values = captions.summary(made, [["a cat on a mat", "a dog"]] * len(made))
    found = captions.remarks(values)
    assert len(found) == len(expected)
    for remark, start in zip(found, expected, strict=True):
        assert remark.startswith(start)
        assert "\n" not in remark


def test_many_items_take_seconds():
    random = np.random.default_rng(0)
    words = np.array([f"w{number}" for number in range(2000)])
    texts = [" ".join(words[random.zipf(1.3, 11) % 2000]) for _ in range(3000)]
    references = [texts[start : start + 5] for start in range(1000)]

    started = time.process_time()
    captions.summary(texts[1000:2000], references)
    assert time.process_time() - started < 10


def test_a_very_long_caption_is_scored():
    long = "a dog runs " * 3334

    assert 0 < captions.summary([long, "a cat"], [[long[:-12]], ["a cat"]])["bleu_4"] <= 1


def test_meteor_says_how_to_get_it(monkeypatch):
    monkeypatch.setattr(captions.importlib.util, "find_spec", lambda name: None)
    assert "pip install 'lrcn[meteor]'" in captions.meteor_available()
    with pytest.raises(UserError, match=r"needs pycocoevalcap: pip install 'lrcn\[meteor\]'"):
        captions.meteor(CAPTIONS, REFERENCES)

    monkeypatch.setattr(captions.importlib.util, "find_spec", lambda name: object())
    monkeypatch.setattr(shutil, "which", lambda name: None)
    assert "Java" in captions.meteor_available()


@pytest.mark.extras
@pytest.mark.skipif(captions.meteor_available() is not None, reason="needs lrcn[meteor] and Java")
def test_meteor():
    assert captions.meteor(CAPTIONS, REFERENCES) == pytest.approx(0.2600742261, abs=1e-9)


@pytest.mark.extras
@pytest.mark.skipif(captions.meteor_available() is not None, reason="needs lrcn[meteor] and Java")
def test_meteor_tells_when_java_fails(tmp_path, monkeypatch):
    java = tmp_path / "java"
    java.write_text("#!/bin/sh\nexit 3\n")
    java.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path), prepend=":")

    with pytest.raises(UserError, match="Java ended before"):
        captions.meteor(CAPTIONS, REFERENCES)
