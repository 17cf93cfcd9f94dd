import threading
import time

import pytest

from lrcn.data import ordered


def test_a_thread_works_ahead_and_no_further_than_it_may():
    made, may_go = [], threading.Event()

    def produce(put):
        for number in range(6):
            made.append(number)
            put(number)
            if number == 3:
                may_go.set()

    with ordered.ahead(produce, most=3) as results:
        assert next(results) == 0
        assert may_go.wait(10)  # three wait, and the fifth is in its hand
        assert made[-1] <= 4
        assert list(results) == [1, 2, 3, 4, 5]


def test_what_the_thread_raises_comes_after_its_results():
    def produce(put):
        put(1)
        raise KeyError("gone")

    with ordered.ahead(produce, most=5) as results:
        assert next(results) == 1
        with pytest.raises(KeyError, match="gone"):
            next(results)


def test_the_thread_ends_when_nobody_wants_its_results():
    before = threading.active_count()
    left = []

    def produce(put):
        try:
            while True:
                put(0)
        finally:
            left.append(True)

    with pytest.raises(KeyError), ordered.ahead(produce, most=1) as results:
        next(results)
        raise KeyError("enough")
    assert left == [True]
    assert threading.active_count() == before


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
