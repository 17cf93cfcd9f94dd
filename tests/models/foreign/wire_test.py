"""The wire format: every way of writing numbers, and nothing past the end."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lrcn.models.foreign import wire


def fields(content):
    return list(wire.Message(memoryview(content), 0, len(content)).fields())


@given(st.integers(0, 2**64 - 1), st.integers(1, 2**29 - 1))
def test_varints_and_numbers_of_fields(generated, value, number):
    (found,) = fields(generated.field(number, value))
    assert (found.number, found.value, found.integers()) == (number, value, [value])


@given(st.lists(st.floats(width=32, allow_nan=False), max_size=8), st.booleans(), st.booleans())
def test_floating_point_numbers_of_every_kind(generated, values, packed, double):
    content = generated.blob(np.array(values, "float32"), packed=packed, double=double)
    found = [one.numbers("<f8" if double else "<f4") for one in fields(content)[1:]]
    assert np.concatenate([[], *found]).tolist() == values


def test_a_run_of_unpacked_numbers_is_one_view_of_the_file(generated):
    values = np.arange(5000, dtype="float32")
    content = generated.blob(values, packed=False) + generated.field(2, "x") * 3
    run = fields(content)[1]
    np.testing.assert_array_equal(run.numbers("<f4"), values)
    assert [one.text() for one in fields(content)[2:]] == ["x"] * 3
    assert not run.numbers("<f4").flags.owndata


def test_a_run_ends_where_another_field_begins(generated):
    content = generated.field(5, 1.5) + generated.field(5, 2.5) + generated.field(6, 3.5)
    five, six = fields(content)
    assert (five.numbers("<f4").tolist(), six.numbers("<f4").tolist()) == ([1.5, 2.5], [3.5])


@given(st.binary(max_size=60))
def test_any_bytes_are_fields_or_damaged(content):
    try:
        for one in fields(content):
            assert one.at < len(content)
            for read in (one.message, one.text, one.integers, lambda o=one: o.numbers("<f4")):
                try:
                    read()
                except wire.Damaged as error:
                    assert 0 <= error.at <= len(content)
    except wire.Damaged as error:
        assert 0 <= error.at <= len(content)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"\x0a\x05ab", "cut short: field 1 needs 3 bytes more, at byte 0"),
        (b"\x08\xff", "cut short: a number goes on after the end, at byte 1"),
        (b"\x2d\x00\x00", "cut short: field 5 needs 2 bytes more, at byte 0"),
        (b"\x0b", "field 1 is written in a way that is not known (3) at byte 0"),
        (b"\x00\x00", "0 is no number of a field at byte 0"),
        (b"\x08" + b"\xff" * 10 + b"\x01", "a number of more than 10 bytes at byte 1"),
    ],
)
def test_what_is_wrong_is_told_with_its_place(content, message):
    with pytest.raises(wire.Damaged) as caught:
        fields(content)
    assert str(caught.value) == message


def test_sizes_of_tensors_are_few():
    content = b"\x0a\x80\x80\x01" + b"\x01" * 2**14  # field 1 of 16,384 bytes
    (field,) = wire.Message(memoryview(content), 0, len(content)).fields()
    with pytest.raises(wire.Damaged, match="field 1 of 16,384 bytes"):
        field.integers()
