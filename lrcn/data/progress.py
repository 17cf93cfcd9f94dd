"""A bar on a terminal, a log line now and then elsewhere."""

from __future__ import annotations

import contextlib
import logging
import time
from collections.abc import Callable, Iterator

import rich.console
import rich.progress

log = logging.getLogger(__name__)

_SECONDS_BETWEEN_LINES = 30.0


@contextlib.contextmanager
def shown(what: str, total: int, *, unit: str = "items") -> Iterator[Callable[[], None]]:
    """Yields a function to be called after each of `total` steps.

    Args:
        what: What is going on, such as `serialize data.train`.
        total: Number of steps.
        unit: What a step is, in the plural.
    """
    console = rich.console.Console(stderr=True)
    if not console.is_terminal:
        yield _Lines(what, total, unit)
        return
    columns = (
        rich.progress.TextColumn("{task.description}"),
        rich.progress.BarColumn(),
        rich.progress.MofNCompleteColumn(),
        rich.progress.TimeRemainingColumn(),
    )
    with rich.progress.Progress(*columns, console=console, transient=True) as bar:
        task = bar.add_task(what, total=total)
        yield lambda: bar.advance(task)


class _Lines:
    """Logs how far the work is, every half minute."""

    def __init__(self, what: str, total: int, unit: str):
        self._what, self._total, self._unit = what, total, unit
        self._done, self._logged = 0, time.monotonic()

    def __call__(self) -> None:
        self._done += 1
        now = time.monotonic()
        if now - self._logged >= _SECONDS_BETWEEN_LINES:
            self._logged = now
            log.info("%s: %d of %d %s", self._what, self._done, self._total, self._unit)
