"""Work done by threads whose results come in order, with bounded memory."""

from __future__ import annotations

import collections
import concurrent.futures
import contextlib
import itertools
import queue
import threading
from collections.abc import Callable, Iterator, Sequence
from typing import TypeVar

Given = TypeVar("Given")
Result = TypeVar("Result")


def mapped(
    function: Callable[[Given], Result],
    given: Sequence[Given],
    *,
    num_threads: int,
    num_ahead: int,
    bytes_ahead: int,
    size: Callable[[Result], int],
) -> Iterator[Result]:
    """Yields `function(x)` for every x in order, computed by threads.

    A slow item holds up those after it, so finished results wait; no new work is begun while
    `num_ahead` items or `bytes_ahead` bytes are waiting. The first item in order always proceeds.

    Args:
        function: The work; what it raises is raised in order.
        given: What to work on.
        num_threads: Threads.
        num_ahead: Items at most that are begun and not yet yielded.
        bytes_ahead: Bytes at most of results that wait, before new work is begun.
        size: Bytes of a result.
    """
    window: collections.deque[concurrent.futures.Future] = collections.deque()
    running: set[concurrent.futures.Future] = set()
    left, waiting = iter(given), 0
    pool = concurrent.futures.ThreadPoolExecutor(num_threads, thread_name_prefix="lrcn")
    try:
        while True:
            while len(running) < 2 * num_threads and len(window) < max(num_ahead, 1):
                more = [] if window and waiting >= bytes_ahead else list(itertools.islice(left, 1))
                if not more:
                    break
                window.append(pool.submit(function, more[0]))
                running.add(window[-1])
            if not window:
                return
            if running:
                done, running = concurrent.futures.wait(running, return_when="FIRST_COMPLETED")
                waiting += sum(size(future.result()) for future in done if not future.exception())
            while window and window[0] not in running:
                result = window.popleft().result()
                waiting -= size(result)
                yield result
    finally:
        pool.shutdown(wait=True, cancel_futures=True)


@contextlib.contextmanager
def ahead(
    produce: Callable[[Callable[[Given], None]], None], *, most: int
) -> Iterator[Iterator[Given]]:
    """Yields an iterator over what a thread makes, which goes on while results are worked on.

    When the block ends, the thread does, at its next result.

    Args:
        produce: Calls the function that it is given with each result; what it raises is raised by
            the iterator, after the results before.
        most: Results at most that wait.
    """
    results: queue.Queue = queue.Queue(most)
    over = threading.Event()

    def put(result: object) -> None:
        while not over.is_set():
            with contextlib.suppress(queue.Full):
                results.put(result, timeout=_LOOK)
                return
        raise _Over

    def run() -> None:
        with contextlib.suppress(_Over):
            try:
                produce(lambda result: put((result, None)))
                put((None, StopIteration()))
            except Exception as error:  # noqa: BLE001 - it is raised where the results are
                put((None, error))

    thread = threading.Thread(target=run, name="lrcn-ahead", daemon=True)
    thread.start()
    try:
        yield _until_error(results)
    finally:
        over.set()
        thread.join()


_LOOK = 0.05  # seconds between two looks at whether anybody still wants the result


class _Over(Exception):
    """Nobody wants the results any longer."""


def _until_error(results: queue.Queue) -> Iterator:
    while True:
        result, error = results.get()
        if isinstance(error, StopIteration):
            return
        if error is not None:
            raise error
        yield result
