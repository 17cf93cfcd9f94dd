"""Work done by threads whose results come in order, with bounded memory."""

from __future__ import annotations

import collections
import concurrent.futures
import itertools
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
