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
    size = shares[0].size(batch_size)
    assert size % each == 0  # every device of a process has as many rows
    parts = [share.places(total, batch_size) for share in shares]
    steps = -(-total // batch_size)
    for places, counts in parts:
        assert places.shape == counts.shape == (steps * size,)
        assert places.min() >= 0 and places.max() < total
    for step in range(steps):
        rows = slice(step * size, (step + 1) * size)
        shown = np.concatenate([places[rows][counts[rows]] for places, counts in parts])
        first = step * batch_size
        np.testing.assert_array_equal(shown, np.arange(first, min(first + batch_size, total)))


@pytest.mark.parametrize(("index", "expected"), [(0, [0, 1, 3, 3]), (1, [2, 0, 3, 3])])
def test_a_batch_is_filled_up_with_rows_that_do_not_count(index, expected):
    places, counts = sharing.Share(2, index, 2).places(4, 3)
    assert places.tolist() == expected
    assert counts.tolist() == [[True, True, True, False], [True, False, False, False]][index]
