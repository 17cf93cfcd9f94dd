import collections
import json
import unicodedata

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lrcn import errors
from lrcn.data import lines, text
from lrcn.data.limits import Limits

CAPTIONS = ["A dog runs.", "a dog sleeps", "A cat runs, a dog too."]
WORDS = ["a", "dog", "runs", ",", "cat", "sleeps", "too"]

patient = settings(deadline=None)  # a busy machine is no fault
captions = st.text(
    alphabet=st.one_of(
        st.sampled_from("aAbİßΣé. ,'<unk>_-\n\t1\u0301"), st.characters(codec="utf-8")
    )
)
word_ids = st.lists(st.integers(4, 10))
letter_ids = st.sampled_from([4, 5, 6, 8, 9, 10])  # commas side by side are one token


@pytest.fixture
def vocabulary():
    return built()


def built(texts=CAPTIONS, **options):
    return text.Vocabulary.build(
        texts, **{"min_count": 1, "max_size": None, "max_length": 6, **options}
    )


def told(call, *arguments, **options):
    with pytest.raises(errors.UserError) as caught:
        call(*arguments, **options)
    return str(caught.value)


class TestTokenise:
    def test_golden(self):
        tokens = text.tokenise("A man's dog, isn't it.")
        assert tokens == ["a", "man", "'", "s", "dog", ",", "isn", "'", "t", "it"]

    @pytest.mark.parametrize(
        ("caption", "tokens"),
        [
            ("", []),
            (" \n\t", []),
            (".", []),
            ("Dog .", ["dog"]),
            ("dog..", ["dog", ".."]),
            ("dog. Cat.", ["dog", ".", "cat"]),
            ("a b_c 3d", ["a", "b_c", "3d"]),
            ('"hi", he said', ['"', "hi", '",', "he", "said"]),
            ("wait ,\t\n. what", ["wait", ", .", "what"]),
            ("Ein Mädchen läuft", ["ein", "mädchen", "läuft"]),
            ("(<UNK>) dog <unk>.", ["(", "<unk>", ")", "dog", "<unk>"]),
            ("<bos> < unk >", ["<", "bos", "> <", "unk", ">"]),
        ],
    )
    def test_by_hand(self, caption, tokens):
        assert text.tokenise(caption) == tokens

    @patient
    @given(captions)
    def test_joined_tokens_give_the_same_tokens(self, caption):
        tokens = text.tokenise(caption)
        assert text.tokenise(" ".join(tokens)) == tokens
        assert all(token == token.strip() != "" and "\n" not in token for token in tokens)

    @patient
    @given(st.text(alphabet="aeoAEO\u0301\u0308 ,."))
    def test_spellings_of_one_character_are_one(self, caption):
        parted, composed = (unicodedata.normalize(form, caption) for form in ("NFD", "NFC"))
        assert text.tokenise(parted) == text.tokenise(composed)

    @patient
    @given(captions)
    def test_only_the_unknown_word_is_a_special_token(self, caption):
        others = {text.SPECIAL[text.PADDING], text.SPECIAL[text.BEGIN], text.SPECIAL[text.END]}
        assert not others & set(text.tokenise(caption + "".join(sorted(others))))


class TestCheckCaption:
    def test_returns_tokens(self):
        assert text.check_caption("A dog.", where="a.txt:1") == ["a", "dog"]

    @pytest.mark.parametrize("caption", ["5", "日本", "हिन्दी ।", "<unk>", "... dog"])
    def test_a_word_of_any_script_or_a_number_is_enough(self, caption):
        assert text.check_caption(caption, where="a.txt:1") == text.tokenise(caption)

    @pytest.mark.parametrize("caption", ["", "  ", ".", "...", " - ?! ", "_", "。"])
    def test_nothing_to_learn(self, caption):
        message = told(text.check_caption, caption, where="a.txt:7")
        assert message.startswith("a.txt:7: caption without a word. Received: '")

    def test_a_bound_on_words(self):
        message = told(text.check_caption, "dog " * 10_000, where="a.txt:7")
        assert "a.txt:7" in message and "10000 words" in message and "at most 1000" in message
        assert len(message) < 300
        assert len(text.check_caption("dog " * 1000, where="a.txt:7")) == 1000
        assert "at most 2" in told(
            text.check_caption, "a b c", where="a.txt:7", limits=Limits(caption_words=2)
        )

    def test_half_a_character(self):
        message = told(text.check_caption, "a dog \ud83d", where="a.json")
        assert "half a character" in message and message.encode()


class TestBuild:
    def test_by_count_then_by_alphabet(self, vocabulary):
        assert vocabulary.tokens == (*text.SPECIAL, *WORDS)
        assert vocabulary.size == 11 and vocabulary.steps == 7

    @patient
    @given(st.permutations(CAPTIONS + ["zebra yak", "yak zebra", "ant", "bee"]))
    def test_whatever_the_order_of_captions(self, texts):
        assert built(texts) == built(sorted(texts))

    @patient
    @given(st.lists(st.text(alphabet="abc ,."), min_size=1), st.integers(1, 4), st.integers(1, 4))
    def test_holds_the_most_frequent_words(self, texts, min_count, max_size):
        counts = collections.Counter(word for caption in texts for word in text.tokenise(caption))
        if max(counts.values(), default=0) < min_count:
            message = told(built, texts, min_count=min_count)
            assert message.startswith("vocabulary.min_count: no word is frequent enough")
            return
        words = built(texts, min_count=min_count, max_size=max_size).tokens[4:]
        ranks = [(-counts[word], word) for word in words]
        assert ranks == sorted(ranks) and 1 <= len(words) <= max_size
        left = {word for word in counts if word not in words and counts[word] >= min_count}
        assert not left or (
            len(words) == max_size and min((-counts[w], w) for w in left) > ranks[-1]
        )

    def test_rare_words_become_unknown(self):
        small = built(min_count=2)
        assert small.tokens[4:] == ("a", "dog", "runs")
        assert small.encode("a cat runs") == [small.id_of("a"), text.UNKNOWN, small.id_of("runs")]
        assert small.id_of("cat") == text.UNKNOWN

    def test_extra_text_counts(self):
        assert built(min_count=3, extra_text=["cat", "Cat!"]).tokens[4:] == ("a", "cat", "dog")

    def test_unknown_words_in_captions_are_not_counted(self):
        assert built(["a <unk> dog", "<unk> <unk>"]).tokens == (*text.SPECIAL, "a", "dog")

    @pytest.mark.parametrize("key", ["min_count", "max_size", "max_length"])
    def test_numbers_below_one(self, key):
        assert told(built, **{key: 0}).startswith(f"vocabulary.{key}: ")

    def test_without_captions(self):
        assert "the most frequent word stands 0 times" in told(built, [])


class TestEncodeAndDecode:
    def test_by_hand(self, vocabulary):
        assert vocabulary.encode("A dog sleeps.") == [4, 5, 9]
        assert vocabulary.decode([text.BEGIN, 4, 5, 9, text.END, 4, 0]) == "a dog sleeps"
        assert vocabulary.decode(np.array([4, 3, 0], np.int32)) == "a <unk>"

    @patient
    @given(st.lists(letter_ids))
    def test_known_words_come_back(self, ids):
        vocabulary = built(max_length=max(1, len(ids)))
        assert vocabulary.encode(vocabulary.decode([*ids, text.END])) == ids

    @patient
    @given(st.lists(letter_ids | st.just(text.UNKNOWN)))
    def test_unknown_words_come_back_too(self, ids):
        vocabulary = built(max_length=max(1, len(ids)))
        assert vocabulary.encode(vocabulary.decode(ids)) == ids

    @patient
    @given(captions)
    def test_captions_of_any_characters_come_back(self, caption):
        vocabulary = built([caption, "a"], max_length=1000)
        ids = vocabulary.encode(caption)
        assert vocabulary.decode(ids) == " ".join(text.tokenise(caption))
        assert vocabulary.encode(vocabulary.decode(ids)) == ids

    def test_cut_to_the_longest(self, vocabulary):
        assert vocabulary.encode("a dog " * 50) == [4, 5] * 3

    @pytest.mark.parametrize("number", [11, -1])
    def test_ids_of_another_vocabulary(self, vocabulary, number):
        message = told(vocabulary.decode, [4, number])
        assert f"Received: {number}" in message and "0 to 10" in message

    def test_sentences(self, vocabulary):
        assert text.sentence(vocabulary.decode([4, 5, 9, text.END, 0])) == "A dog sleeps."
        assert text.sentence("a dog sleeps") == "A dog sleeps."
        assert text.sentence("a dog sleeps .") == "A dog sleeps."
        assert text.sentence(vocabulary.decode([text.END])) == "."


class TestDifferences:
    def test_first_difference(self, vocabulary):
        assert text.differences(vocabulary, built(list(reversed(CAPTIONS)))) == ""
        assert text.differences(vocabulary, built(max_length=5)) == "max_length is 6, not 5"
        assert text.differences(vocabulary, built(max_size=6)) == "11 words, not 10"
        other = built([*CAPTIONS, "dog dog"])
        assert text.differences(vocabulary, other) == "word 4 is 'a', not 'dog'"


class TestBatch:
    def test_by_hand(self):
        inputs, targets, mask = text.batch([[7, 8], [], [5, 6, 7, 8]], length=4)
        assert inputs.tolist() == [[1, 7, 8, 0], [1, 0, 0, 0], [1, 5, 6, 7]]
        assert targets.tolist() == [[7, 8, 2, 0], [2, 0, 0, 0], [5, 6, 7, 2]]
        assert mask.tolist() == [[1, 1, 1, 0], [1, 0, 0, 0], [1, 1, 1, 1]]
        assert {array.dtype for array in (inputs, targets, mask)} == {np.dtype(np.int32)}

    @pytest.mark.parametrize(("words", "kept"), [(18, 18), (19, 19), (20, 19), (21, 19)])
    def test_the_end_stays_where_the_paper_loses_it(self, words, kept):
        _, targets, mask = text.batch([list(range(4, 4 + words))], length=20)
        assert targets[0, kept] == text.END and mask.sum() == kept + 1

    @patient
    @given(st.lists(word_ids, max_size=5), st.integers(1, 8))
    def test_pairs_at_any_length(self, ids, length):
        inputs, targets, mask = text.batch(ids, length=length)
        assert inputs.shape == targets.shape == mask.shape == (len(ids), length)
        assert (inputs[:, 0] == text.BEGIN).all()
        assert (mask.sum(axis=1) == [min(len(own), length - 1) + 1 for own in ids]).all()
        for row, steps in enumerate(mask.sum(axis=1)):
            assert (targets[row] == text.END).nonzero()[0].tolist() == [steps - 1]
            assert (inputs[row, 1:steps] == targets[row, : steps - 1]).all()
            assert not inputs[row, steps:].any() and not targets[row, steps:].any()

    def test_a_vocabulary_gives_the_length(self, vocabulary):
        ids = [vocabulary.encode("a dog " * 20)]
        _, targets, _ = text.batch(ids, length=vocabulary.steps)
        assert targets.tolist() == [[4, 5, 4, 5, 4, 5, text.END]]


class TestVocabularyFile:
    def test_round_trip(self, tmp_path, vocabulary):
        path = tmp_path / "run" / "vocabulary.json"
        text.write_vocabulary(path, vocabulary)
        assert text.read_vocabulary(path) == vocabulary
        assert text.from_json(text.to_json(vocabulary), where="model") == vocabulary
        assert [file.name for file in path.parent.iterdir()] == ["vocabulary.json"]

    @patient
    @given(st.lists(captions.filter(text.tokenise), min_size=1))
    def test_any_words(self, texts):
        stored = json.loads(json.dumps(text.to_json(built(texts))))
        assert text.from_json(stored, where="model") == built(texts)

    @pytest.mark.parametrize(
        ("changes", "message"),
        [
            ({"format_version": 2}, "another version. Received: format_version 2"),
            ({"format_version": None}, "Received: format_version null"),
            ({"tokens": ["<pad>", "<bos>", "<unk>", "a"]}, "vocabulary misses <eos>"),
            ({"tokens": ["<pad>", "<eos>", "<bos>", "<unk>", "a"]}, "in another order"),
            ({"tokens": [*text.SPECIAL, "a", "b", "a"]}, "token stands twice. Received: 'a'"),
            ({"tokens": [*text.SPECIAL, "a", " "]}, "token that is no text. Received: ' '"),
            ({"tokens": [*text.SPECIAL, "\ud83d"]}, r"Received: '\ud83d'"),
            ({"tokens": [*text.SPECIAL, 7]}, "lacks its tokens"),
            ({"tokens": "words"}, "lacks its tokens"),
            ({"tokens": None}, "lacks its tokens"),
            ({"max_length": True}, "or max_length"),
            ({"max_length": "20"}, "or max_length"),
            ({"max_length": 0}, "Received: 0. Expected: 1 or more"),
        ],
    )
    def test_faults(self, tmp_path, vocabulary, changes, message):
        path = tmp_path / "vocabulary.json"
        path.write_text(json.dumps({**text.to_json(vocabulary), **changes}))
        heard = told(text.read_vocabulary, path)
        assert heard.startswith(f"{path}: ") and message in heard

    @pytest.mark.parametrize(
        ("content", "received"),
        [
            (b"", "no JSON (line 1). "),
            (b"{\n\n", "no JSON (line 3). "),
            (b"words", "no JSON (line 1). "),
            (b'{"tokens": ["caf\xe9"]}', ""),
            (b"[" * 100_000, ""),
        ],
    )
    def test_no_json(self, tmp_path, content, received):
        path = tmp_path / "vocabulary.json"
        path.write_bytes(content)
        message = f"{path}: vocabulary cannot be read. Received: {received}"
        assert told(text.read_vocabulary, path).startswith(message)

    @pytest.mark.parametrize("content", ["[]", "7", "null", "{}", '"<eos>"'])
    def test_other_json(self, tmp_path, content):
        path = tmp_path / "vocabulary.json"
        path.write_text(content)
        assert told(text.read_vocabulary, path).startswith(f"{path}: no vocabulary, or one of")

    def test_no_file(self, tmp_path):
        for path, reason in (
            (tmp_path / "none.json", "no such file"),
            (tmp_path, "Is a directory"),
        ):
            message = f"{path}: vocabulary cannot be read. Received: {reason}. "
            assert told(text.read_vocabulary, path).startswith(message)


class TestWordIndices:
    OLD = ("a", "dog", "runs", "UNK", "EOS", "BOS")

    def test_by_the_file_they_were_made_with(self):
        assert text.words_of([0, 1, 2], self.OLD) == "a dog runs"
        assert text.words_of(np.array([5, 0, 3, 2, 4]), self.OLD) == "a <unk> runs"

    def test_unknown_words_stay_unknown(self, vocabulary):
        caption = text.words_of([0, 3, 2], self.OLD)
        assert vocabulary.encode(caption) == [4, text.UNKNOWN, 6]

    def test_by_a_vocabulary(self, vocabulary):
        assert text.words_of([1, 4, 5, 6, 2], vocabulary) == "a dog runs"

    @pytest.mark.parametrize("index", [6, -1])
    def test_out_of_range(self, index):
        message = told(text.words_of, [0, index], self.OLD, where="data.train:3")
        assert message.startswith("data.train:3: word index out of range")
        assert f"Received: {index}. Expected: 0 to 5" in message


@pytest.mark.parametrize(
    ("tokens", "expected"),
    [
        ("a man ' s dog , isn ' t it", "a man's dog, isn't it"),
        ("counter - clockwise", "counter-clockwise"),
        ("a t - shirt , blue - green - red", "a t-shirt, blue-green-red"),
        ("a dog", "a dog"),
        ("' quoted '", "' quoted '"),
        ("wait !", "wait!"),
    ],
)
def test_words_are_joined_as_people_write_them_and_keep_their_tokens(tokens, expected):
    assert text.joined(tokens) == expected
    assert text.tokenise(expected) == text.tokenise(tokens)


@given(st.text(alphabet="ab ,.;:!?'’-\"_0"))
def test_joining_never_makes_other_tokens(written):
    tokens = text.tokenise(written)
    assert text.tokenise(text.joined(" ".join(tokens))) == tokens


@patient
@given(st.binary(max_size=60))
def test_any_bytes_are_a_vocabulary_or_refused(tmp_path_factory, content):
    path = tmp_path_factory.mktemp("any") / "vocabulary.json"
    path.write_bytes(content)
    with pytest.raises(errors.UserError) as caught:
        text.read_vocabulary(path)
    assert str(path) in str(caught.value) and lines.is_name(str(caught.value))


json_values = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=4)


@patient
@given(
    st.fixed_dictionaries(
        {
            "format_version": st.just(text.FORMAT_VERSION) | json_values,
            "max_length": st.integers(-1, 3) | json_values,
            "tokens": st.lists(st.text(max_size=3) | json_values, max_size=4).map(
                lambda more: [*text.SPECIAL, *more]
            )
            | json_values,
        }
    )
)
def test_any_values_are_a_vocabulary_that_comes_back_or_refused(tmp_path_factory, values):
    path = tmp_path_factory.mktemp("any") / "vocabulary.json"
    path.write_text(json.dumps(values))
    try:
        found = text.read_vocabulary(path)
    except errors.UserError as error:
        assert lines.is_name(str(error))
        return
    assert found.tokens == tuple(values["tokens"]) and found.max_length == values["max_length"]
    text.write_vocabulary(path, found)
    assert text.read_vocabulary(path) == found


def test_a_vocabulary_is_bounded(tmp_path, vocabulary):
    path = tmp_path / "vocabulary.json"
    text.write_vocabulary(path, vocabulary)
    size = path.stat().st_size
    assert text.read_vocabulary(path, limits=Limits(file_bytes=size)) == vocabulary
    assert "limits.file_bytes" in told(
        text.read_vocabulary, path, limits=Limits(file_bytes=size - 1)
    )
