import resource
import struct

import hypothesis
import numpy as np
import pytest
import tensorflow as tf
from hypothesis import strategies

from lrcn.data import framing

TEXTS = [b"", b"one", b"x" * 5000, b"last"]


def head(length):
    """The head of a record of any length, with its own checksum."""
    raw = struct.pack("<Q", length)
    masked = framing._masked(np.frombuffer(raw, np.uint8)[None])
    return raw + struct.pack("<I", int(masked[0]))


@pytest.fixture
def file(tmp_path):
    path = tmp_path / "a.tfrecord"
    with tf.io.TFRecordWriter(str(path)) as writer:
        for text in TEXTS:
            writer.write(text)
    return path


def test_places_are_those_of_whole_records(file):
    assert [place.read() for place in framing.places(file)] == TEXTS
    content = file.read_bytes()
    for missing in (1, 4, 5, 8, 15):
        file.write_bytes(content[:-missing])
        assert [place.read() for place in framing.places(file)] == TEXTS[:-1]
    file.write_bytes(b"")
    assert not list(framing.places(file))


def test_a_scan_finds_the_same_places(file):
    assert framing.scan(file, longest=5000) == list(framing.places(file))
    assert framing.scan(file, longest=5000)[2].length == 5000


def test_heads_are_as_tensorflow_writes_them(file):
    content = file.read_bytes()
    assert content.startswith(head(0)) and head(5000) in content


@pytest.mark.parametrize("length", [2**60, 2**64 - 1, 2**63, 10_000])
def test_a_length_that_lies_is_found_before_room_is_made_for_it(file, length):
    file.write_bytes(file.read_bytes() + head(length) + b"few")
    with pytest.raises(framing.Broken, match=f"record 4: 3 bytes, not {length:,} bytes"):
        framing.scan(file, longest=2**31)


def test_a_damaged_length_is_told_as_one_and_not_as_a_cut(file):
    content = bytearray(file.read_bytes())
    content[16 + 6] ^= 0x10  # the length of the record after the empty one
    file.write_bytes(content)
    with pytest.raises(framing.Broken, match="record 1: a length of .* with another checksum"):
        framing.scan(file, longest=2**31)


@pytest.mark.parametrize("missing", [1, 4, 5, 8, 15])
def test_a_cut_is_found(file, missing):
    file.write_bytes(file.read_bytes()[:-missing])
    with pytest.raises(framing.Broken, match="record 3"):
        framing.scan(file, longest=2**31)


def test_a_record_may_be_as_long_as_the_limit(file):
    with pytest.raises(framing.TooLong, match="record 2: 5,000 bytes, not at most 4,999 bytes"):
        framing.scan(file, longest=4999)


def test_zeros_are_no_records(tmp_path):
    """Each 16 bytes of them are an empty record, but for the checksums."""
    path = tmp_path / "zeros"
    with path.open("wb") as stream:
        stream.truncate(2**40)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    with pytest.raises(framing.Broken, match="record 0"):
        framing.scan(path, longest=2**31)
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 50_000


@hypothesis.given(strategies.binary(max_size=200), strategies.integers(0, 5100))
@hypothesis.settings(
    max_examples=200,
    deadline=None,
    suppress_health_check=[hypothesis.HealthCheck.function_scoped_fixture],
)
def test_any_bytes_are_records_or_broken(file, tmp_path, content, at):
    whole = b"".join(head(len(t)) + t + b"\0\0\0\0" for t in TEXTS)
    damaged = tmp_path / "damaged"
    damaged.write_bytes(whole[:at] + content + whole[at + len(content) :])
    try:
        found = framing.scan(damaged, longest=2**31)
    except framing.Broken as error:
        assert 0 <= error.index <= len(TEXTS) + len(content) // 16 + 1
    else:
        assert sum(place.length + 16 for place in found) == damaged.stat().st_size


def test_what_was_verified_is_known_again(file):
    place = list(framing.places(file))[1].verified(b"one")
    assert place.read() == b"one"
    content = file.read_bytes()
    file.write_bytes(content.replace(b"one", b"two"))
    with pytest.raises(OSError, match="changed while it was read"):
        place.read()
    file.write_bytes(b"")
    with pytest.raises(OSError, match="changed while it was read"):
        place.read()
    file.unlink()
    with pytest.raises(OSError, match="No such file"):
        place.read()
