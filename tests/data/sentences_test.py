import pathlib
import random

import numpy as np
import pytest

from lrcn import errors
from lrcn.data import sentences, text

DATA = pathlib.Path(__file__).parents[3] / "shared" / "data"


def built(texts, **options):
    return text.Vocabulary.build(
        texts, **{"min_count": 1, "max_size": None, "max_length": 6, **options}
    )


def told(call, *arguments):
    with pytest.raises(errors.UserError) as caught:
        call(*arguments)
    return str(caught.value)


class TestTokenFile:
    def test_a_token_a_line(self, tmp_path):
        (tmp_path / "old.vocab").write_bytes("\ufeffa\r\ndog\nläuft\nUNK\nEOS\nBOS\n".encode())
        expected = ("a", "dog", "läuft", "UNK", "EOS", "BOS")
        assert sentences.read_tokens(tmp_path / "old.vocab") == expected

    def test_our_own(self, tmp_path):
        vocabulary = built(["a dog runs"])
        text.write_vocabulary(tmp_path / "vocabulary.json", vocabulary)
        assert sentences.read_tokens(tmp_path / "vocabulary.json") == vocabulary.tokens

    @pytest.mark.parametrize(
        ("content", "line", "message"),
        [
            (b"a\n\ndog\n", 2, "line without a token"),
            (b"a\ndog\na\n", 3, "token stands twice"),
            (b"a\ncaf\xe9\n", 2, "line is not UTF-8"),
        ],
    )
    def test_faults(self, tmp_path, content, line, message):
        path = tmp_path / "old.vocab"
        path.write_bytes(content)
        assert told(sentences.read_tokens, path).startswith(f"{path}:{line}: {message}")


class TestSentences:
    def test_both_kinds_of_lines(self, tmp_path):
        path = tmp_path / "extra.txt"
        path.write_bytes("\ufeffA dog runs.\r\n\nvid1\tit läuft\nvid2\t\n.\nvid3\ta\tb".encode())
        assert list(sentences.read_sentences(path)) == ["A dog runs.", "it läuft", "a\tb"]

    @pytest.mark.parametrize(
        ("content", "place", "message"),
        [
            (b"fine\ncaf\xe9\n", ":2", "line is not UTF-8"),
            (b"", "", "no sentence in the file"),
            (b"\n.\nvid1\t\n", "", "no sentence in the file"),
        ],
    )
    def test_faults(self, tmp_path, content, place, message):
        path = tmp_path / "extra.txt"
        path.write_bytes(content)
        heard = told(lambda: list(sentences.read_sentences(path)))
        assert heard.startswith(f"{path}{place}: {message}")

    def test_no_file(self, tmp_path):
        heard = told(lambda: list(sentences.read_sentences(tmp_path / "none.txt")))
        assert heard.startswith(f"{tmp_path / 'none.txt'}: no such text file")

    @pytest.mark.real
    @pytest.mark.skipif(not DATA.is_dir(), reason="needs the real data beside the checkout")
    @pytest.mark.parametrize(
        ("file", "count"),
        [
            ("msvd_mini/all_train_sentences.txt", 48_774),
            ("flickr8k_mini/all_train_captions.txt", 30_000),
        ],
    )
    def test_real_sentences(self, file, count):
        texts = list(sentences.read_sentences(DATA / file))
        assert len(texts) == count and not any("\t" in caption for caption in texts)
        vocabulary = built(texts, min_count=5, max_length=20)
        assert vocabulary.tokens[4] == "a" and 2000 < vocabulary.size < 6000
        random.Random(0).shuffle(texts)
        assert built(texts, min_count=5, max_length=20) == vocabulary
        ids = [vocabulary.encode(caption) for caption in texts]
        known = np.mean([number != text.UNKNOWN for own in ids for number in own])
        assert known > 0.95
        for own in ids[:1000]:
            assert vocabulary.encode(vocabulary.decode(own)) == own
