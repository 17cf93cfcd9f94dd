import hypothesis
import numpy as np
import pytest
from hypothesis import strategies as given

from lrcn.data import sharing


@hypothesis.given(
    total=given.integers(1, 60),
    batch_size=given.integers(1, 20),
    count=given.integers(1, 5),
    each=given.integers(1, 3),
)
def test_the_parts_of_all_are_the_batches_of_one(total, batch_size, count, each):
    shares = [sharing.Share(count * each, index, count) for index in range(count)]
    parts = [share.places(total, batch_size) for share in shares]
    begin = 0
    for first in range(0, total, batch_size):
        rows = min(batch_size, total - first)
        size = shares[0].size(rows)
        assert size % each == 0  # every device of a process has as many rows
        assert size * count - rows < count * each  # and no more are filled up than that takes
        own = slice(begin, begin + size)
        shown = np.concatenate([places[own][counts[own]] for places, counts in parts])
        np.testing.assert_array_equal(shown, np.arange(first, first + rows))
        for places, counts in parts:
            assert ((places[own] >= first) & (places[own] < first + rows))[~counts[own]].all()
        begin += size
    assert all(len(places) == len(counts) == begin for places, counts in parts)


@pytest.mark.parametrize(("index", "expected"), [(0, [0, 1, 3]), (1, [2, 0, 3])])
def test_a_batch_is_filled_up_with_rows_that_do_not_count(index, expected):
    places, counts = sharing.Share(2, index, 2).places(4, 3)
    assert places.tolist() == expected
    assert counts.tolist() == [[True, True, True], [True, False, False]][index]
