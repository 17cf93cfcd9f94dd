"""The tokeniser of the scores against what the Java program makes of the same captions.

The expected tokens are those of Stanford CoreNLP 3.4.1 as pycocoevalcap 1.2 calls it,

    java -cp stanford-corenlp-3.4.1.jar edu.stanford.nlp.process.PTBTokenizer \
        -preserveLines -lowerCase captions.txt

without the marks of its list of punctuation.
"""

import time

import hypothesis
import pytest
from hypothesis import strategies as st

from lrcn.scoring.ptb import DROPPED, ptb_tokenise

CASES = {
    # contractions and possessives
    "A man (left) isn't here, he can't go; they won't.": (
        "a man -lrb- left -rrb- is n't here he ca n't go they wo n't"
    ),
    "it's the dog's bone, the dogs' bones, James's": (
        "it 's the dog 's bone the dogs bones james 's"
    ),
    "I'm you're we'll I'd they've can't've DON'T": (
        "i 'm you 're we 'll i 'd they 've ca n't 've do n't"
    ),
    "gonna wanna. Gotta cannot gimme lemme": "gon na wan na got ta can not gim me lem me",
    "'tis 'twas 'em rock 'n' roll rock'n'roll fish 'n chips": (
        "'t is 't was 'em rock 'n' roll rock 'n' roll fish 'n chips"
    ),
    "o'clock D'Angelo O'Brien s'mores ma'am y'all dog'man": (
        "o'clock d'angelo o'brien s'mores ma'am y' all dog man"
    ),
    "it\u2019s \u201ccurly\u201d \u2018single\u2019": "it 's curly single",
    # quotes, dashes, dots
    "\"Hello,\" he said. 'Go!' ``x'' `y'": "hello he said go x y",
    "red -- and-white man- made self - portrait a--b a \u2013 b": (
        "red and-white man made self portrait a b a b"
    ),
    "a man.... jumping..a dog... end": "a man jumping a dog end",
    "hello!!! what?! ok?? one! two?": "hello !!! what ?! ok ?? one two",
    # words
    "half-eaten T-shirt 5-year-old's man/woman and/or a_b": (
        "half-eaten t-shirt 5-year-old 's man/woman and/or a_b"
    ),
    "a cat sitting.on a mat.The dog,cat;bird fish!a": (
        "a cat sitting.on a mat.the dog cat bird fish!a"
    ),
    "rock & roll cats&dogs AT&T R&B &amp; &quot;a&quot;": "rock & roll cats & dogs at&t r&b & a",
    "[bracket] {brace} <tag> < h >": "-lsb- bracket -rsb- -lcb- brace -rcb- <tag> < h >",
    "caf\u00e9 na\u00efve jalape\u00f1o\u2019s \u043a\u043e\u0442": (
        "caf\u00e9 na\u00efve jalape\u00f1o 's \u043a\u043e\u0442"
    ),
    "a \U0001f600 b": "a b",
    # numbers
    "$5.00 1,000 people 9:30am 12:30 pm 10% #5 @home 5'10\"": (
        "$ 5.00 1,000 people 9:30 am 12:30 pm 10 % # 5 @home 5 10"
    ),
    "3 1/2 foot 50/50 7am 5ft. '70s 1970's 747-400 -5 10,000-foot \u00bd \u00a35": (
        "3 1/2 foot 50/50 7am 5ft '70s 1970 's 747-400 -5 10,000-foot 1/2 # 5"
    ),
    # abbreviations
    "Mr. Smith at 5 p.m. on St. Peter st. etc. in the U.S.": (
        "mr. smith at 5 p.m. on st. peter st. etc. in the u.s."
    ),
    "lying in the sun. the cat sat. vitamin c. No. 5 says no.": (
        "lying in the sun the cat sat vitamin c. no. 5 says no"
    ),
    "shirt a. The dog. a. the dog": "shirt a the dog a. the dog",
    "a fire., and a dog.; b": "a fire. and a dog. b",
    "http://foo.bar/a?b=c. see www.a.com, me@x.com": "http://foo.bar/a?b=c see www.a.com me@x.com",
}


@pytest.mark.parametrize("text", CASES)
def test_tokens_are_those_of_the_java_program(text):
    assert ptb_tokenise(text) == CASES[text].split()


@pytest.mark.parametrize("text", ["", "  ", ".", " . . ", "...", "-- ' \"", "\n\t"])
def test_a_caption_of_punctuation_has_no_tokens(text):
    assert ptb_tokenise(text) == []


def test_letters_with_separate_accents_are_joined():
    assert ptb_tokenise("a cafe\u0301") == ["a", "caf\u00e9"]


def test_line_breaks_are_spaces():
    assert ptb_tokenise(" a dog\nruns.\r\n\tfast\u00a0now ") == ["a", "dog", "runs", "fast", "now"]


@hypothesis.settings(deadline=None)
@hypothesis.given(st.text(st.sampled_from("abS .,'\"-/&!?()5:n't\u2019\u2026\u00bd\n<#@_")))
def test_every_letter_and_digit_stays_and_nothing_is_dropped_twice(text):
    tokens = ptb_tokenise(text)

    letters = "".join(character for character in text.lower() if character in "abnst5")
    made = "".join(tokens)
    for bracket in ("-lrb-", "-rrb-"):
        made = made.replace(bracket, "")
    made = made.replace("1/2", "")
    assert [c for c in made if c in "abnst5"] == list(letters)
    assert not DROPPED & set(tokens)
    assert not any(set(token) & set(" \n") for token in tokens)


@hypothesis.settings(deadline=None)
@hypothesis.given(
    st.lists(st.sampled_from(["a", "dog", "runs", "on", "green", "grass", "gon", "na"]))
)
def test_words_with_spaces_between_them_stay(words):
    assert ptb_tokenise(" ".join(words)) == words


@pytest.mark.parametrize("piece", ["dog ", "a-", "a.", ".", "'", "a+", "a&", "1,", "don't ", "x"])
def test_long_captions_take_no_time(piece):
    started = time.process_time()
    ptb_tokenise(piece * 10_000)
    assert time.process_time() - started < 5
