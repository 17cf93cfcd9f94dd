"""Stopping within an epoch without losing a step: signals, and checkpoints between steps."""

from __future__ import annotations

import contextlib
import logging
import signal
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from typing import NoReturn, TypeVar

import keras

from lrcn import runs
from lrcn.training import checkpoints, forwards

log = logging.getLogger(__name__)

Element = TypeVar("Element")
_SIGNALS = (signal.SIGTERM, signal.SIGINT)
# Seconds: what is sent to all processes of a job comes by way of a parent, too.
_AT_ONCE = 0.5


class Signals:
    """Notes SIGTERM and SIGINT, so that the step under way is finished before the process ends.

    Args:
        together: Whether other hosts train along, which must stop after the same step.

    Attributes:
        received: The first signal that this process was sent, or None.
        agreed: The signal after which all hosts stop, or None; to be set by who asks them.
    """

    def __init__(self, *, together: bool = False):
        self.received: int | None = None
        self.agreed: int | None = None
        self._together = together
        self._at = 0.0

    @property
    def heeded(self) -> int | None:
        """The signal to leave after: of several hosts, the one they agreed on."""
        return self.agreed if self._together else self.received

    @contextlib.contextmanager
    def noted(self) -> Iterator[Signals]:
        """Notes signals inside the block; a second one ends the process at once, as usual.

        Only the main thread can: elsewhere signals do what they did before. One that the process
        was started to ignore, as in the background of a script, stays ignored.
        """
        if threading.current_thread() is not threading.main_thread():
            yield self
            return
        heeded = [number for number in _SIGNALS if signal.getsignal(number) != signal.SIG_IGN]
        before = {number: signal.signal(number, self._note) for number in heeded}
        try:
            yield self
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)

    def _note(self, number: int, frame: object) -> None:
        now = time.monotonic()
        if self.received is None:
            self.received, self._at = number, now
        elif now - self._at > _AT_ONCE:
            self.leave()

    def leave(self) -> NoReturn:
        """Raises what a signal raises: KeyboardInterrupt, or SystemExit with code 143."""
        if (self.heeded or self.received) == signal.SIGINT:
            raise KeyboardInterrupt
        raise SystemExit(128 + signal.SIGTERM)


class Interruption(keras.callbacks.Callback):
    """Saves between two steps: when a signal asks to stop, and after so many seconds.

    What a continued epoch needs is in the state: how many of its steps are done, and the sums of
    its running metrics. It goes on with the next batch and ends as if it had never been stopped.

    Args:
        network: The complete network, which may be more than the part that is trained.
        run: The run directory.
        state: How far the run is; changed in place.
        steps: Steps of an epoch.
        signals: The signals that were noted.
        seconds: Time between two checkpoints within an epoch; None for none.
        before: Called before each of them; what it raises leaves the one that is there.
        writes: Whether checkpoints are written; of several hosts one does.
    """

    def __init__(
        self,
        network: keras.Model,
        run: runs.RunDirectory,
        state: checkpoints.State,
        *,
        steps: int,
        signals: Signals,
        seconds: float | None,
        before: Callable[[], None],
        writes: bool = True,
    ):
        super().__init__()
        self._network, self._run, self._state = network, run, state
        self._steps, self._signals, self._seconds = steps, signals, seconds
        self._before, self._writes = before, writes
        self._done, self._logs = 0, {}

    def on_epoch_begin(self, epoch, logs=None):
        """Starts the clock, which goes on where an epoch was stopped."""
        if self._signals.heeded is not None:
            self._signals.leave()  # the epoch before is saved
        self._done, self._logs = self._state.step, {}
        self._began = time.monotonic() - self._state.seconds
        self._saved = time.monotonic()
        self._earlier = self._state.sums

    def on_train_batch_end(self, batch, logs=None):
        """Counts the step, and saves if it is time to; after the last one the epoch ends first."""
        self._done += 1
        if self._earlier:
            self._add_earlier()
        if self._done == self._steps:
            return
        self.check()
        if self._seconds is not None and time.monotonic() - self._saved >= self._seconds:
            self._save()

    def _add_earlier(self) -> None:
        """Adds to the running metrics what they were when the epoch was stopped.

        Keras makes their variables in the first step. They are sums, and those of one step plus the
        earlier ones are to the bit what they would be, since the order of two summands is free.
        """
        forwards.keep_up(self.model)
        variables = self.model.metrics_variables
        for variable, value in zip(variables, self._earlier, strict=True):
            variable.assign_add(value)
        self._earlier = []

    def on_epoch_end(self, epoch, logs=None):
        """Notes what the steps of the epoch came to, before it is validated."""
        self._logs = {name: float(value) for name, value in logs.items()}
        self.check()

    def check(self) -> None:
        """Saves and leaves if a signal asks to; to be called wherever a loop comes by."""
        if self._signals.heeded is not None:
            epoch = self._state.epoch + 1
            log.info("interrupted: saving after step %d of epoch %d", self._done, epoch)
            self._save()
            self._signals.leave()

    def watched(self, elements: Iterable[Element]) -> Iterator[Element]:
        """Yields elements, such as batches of a validation, and checks before each."""
        for element in elements:
            self.check()
            yield element

    def _save(self) -> None:
        if not self._writes:
            return
        forwards.keep_up(self.model)
        self._before()
        state = self._state
        state.step, state.logs = self._done, self._logs
        state.seconds = time.monotonic() - self._began
        state.sums = [
            keras.ops.convert_to_numpy(variable).tolist()
            for variable in self.model.metrics_variables
        ]
        checkpoints.save_last(self._network, self._run, state)
        self._saved = time.monotonic()


Watch = Callable[[Iterable[Element]], Iterable[Element]]
"""From elements to the same elements, with a look at signals before each."""
