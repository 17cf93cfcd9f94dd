import threading
import time

import pytest

from lrcn.data import ordered


def mapped(function, given, *, threads=3, ahead=8, room=100, size=lambda result: 1):
    return ordered.mapped(
        function, given, num_threads=threads, num_ahead=ahead, bytes_ahead=room, size=size
    )


@pytest.mark.parametrize("threads", [1, 4])
@pytest.mark.parametrize("ahead", [1, 3, 100])
def test_results_come_in_order(threads, ahead):
    def slow(x):
        time.sleep(0.002 * (x % 3 == 0))
        return x * x

    found = list(mapped(slow, range(40), threads=threads, ahead=ahead))
    assert found == [x * x for x in range(40)]


def test_nothing_given():
    assert list(mapped(str, [])) == []


@pytest.mark.parametrize(("ahead", "room"), [(6, 10**9), (1000, 6)])
def test_a_slow_first_item_holds_back_the_rest(ahead, room):
    begun, gate = [], threading.Event()

    def work(x):
        begun.append(x)
        if x == 0:
            gate.wait(10)
        return x

    results = mapped(work, range(100), threads=2, ahead=ahead, room=room)
    threading.Timer(0.3, lambda: (gate.held.append(len(begun)), gate.set())).start()
    gate.held = []
    assert next(results) == 0
    # Up to two results an extra thread may have been begun before the room was seen to be full.
    assert gate.held[0] <= 6 + 2 * 2
    assert list(results) == list(range(1, 100))


def test_an_error_comes_in_its_turn():
    def work(x):
        if x == 5:
            raise ValueError("five")
        return x

    results = mapped(work, range(10))
    assert [next(results) for _ in range(5)] == list(range(5))
    with pytest.raises(ValueError, match="five"):
        next(results)


def test_closing_ends_the_threads():
    results = mapped(lambda x: x, range(1000))
    next(results)
    results.close()
    assert not [thread for thread in threading.enumerate() if thread.name.startswith("lrcn")]
