"""Traces a few steps of a training for TensorBoard and tells where their time goes."""

from __future__ import annotations

import contextlib
import csv
import io
import logging
from collections.abc import Iterator

import keras
import tensorflow as tf

from lrcn import faults, files, runs
from lrcn.training import breakdown

log = logging.getLogger(__name__)

WARM_UP = 3  # steps that are not traced: the first ones compile and fill caches
TRACED = 5  # steps


@contextlib.contextmanager
def following(
    run: runs.RunDirectory, made: list[keras.callbacks.Callback], *, is_wanted: bool
) -> Iterator[list[keras.callbacks.Callback]]:
    """Yields the callbacks of a training, with a `Profile` if it is wanted, which tells at the end.

    Args:
        run: The run directory.
        made: The other callbacks.
        is_wanted: Whether steps are to be traced.
    """
    if not is_wanted:
        yield made
        return
    own = Profile(run)
    try:
        yield [own, *made]
    finally:
        own.stop()
    own.tell()


class Profile(keras.callbacks.Callback):
    """Traces the steps after a warm-up and tells where their time went.

    It comes first, so that a step reaches from its begin over all callbacks to the begin of the
    next. A trace ends with its epoch, as validation follows.

    Args:
        run: The run directory.
    """

    def __init__(self, run: runs.RunDirectory):
        super().__init__()
        self._run = run
        self._past, self._traced, self._step = 0, 0, None
        self._is_due, self._is_tracing = True, False

    def on_train_batch_begin(self, batch, logs=None):
        """Ends the step before, begins the next one, and traces it if it is its turn."""
        self._end_step()
        if self._is_due and self._past >= WARM_UP:
            self._start()
        if self._traced == TRACED:
            self.stop()
        self._past += 1
        if self._is_tracing:
            self._step = tf.profiler.experimental.Trace(breakdown.STEP, step_num=self._past, _r=1)
            self._step.__enter__()

    def on_epoch_end(self, epoch, logs=None):
        """Ends the last step of an epoch before validation begins, and the trace with it."""
        self._end_step()
        self.stop()

    def tell(self) -> None:
        """Writes and shows what the traced steps were spent on."""
        if not self._traced:
            log.warning(
                "profile: nothing was traced: the first %d steps of a training are not, and it "
                "made %d; a smaller batch_size makes more",
                WARM_UP,
                self._past,
            )
            return
        found = breakdown.read(self._run.tensorboard)
        files.write_text(self._run.profile_file, to_csv(found))
        for line in lines(found):
            log.info("%s", line)
        log.info("profile: %s", self._run.profile_file)
        log.info(
            "trace: tensorboard --logdir %s (its tab Profile: pip install xprof)",
            self._run.tensorboard,
        )

    def stop(self) -> None:
        """Writes the trace, if one is under way; also where a training is cut off."""
        if not self._is_tracing:
            return
        self._end_step()
        self._is_tracing = False
        try:
            tf.profiler.experimental.stop()
        except tf.errors.OpError as error:
            raise faults.unwritable(self._run.tensorboard, error) from error

    def _start(self) -> None:
        tf.profiler.experimental.start(str(self._run.tensorboard))
        self._is_due, self._is_tracing = False, True

    def _end_step(self) -> None:
        if self._step is not None:
            self._step.__exit__(None, None, None)
            self._step = None
            self._traced += 1


def to_csv(found: breakdown.Breakdown) -> str:
    """Returns a row a part and kind of operation, with seconds and share of the mean step."""
    table = io.StringIO()
    writer = csv.writer(table, lineterminator="\n")
    writer.writerow(("part", "kind", "seconds", "share"))
    for (part, kind), seconds in found.seconds.items():
        writer.writerow((part, kind, f"{seconds:.9f}", f"{seconds / found.step:.6f}"))
    return table.getvalue()


def lines(found: breakdown.Breakdown) -> list[str]:
    """Returns the table as text, a line a part and kind of operation."""
    told = [f"profile: {found.steps} steps of {1e3 * found.step:.1f} ms each"]
    for (part, kind), seconds in found.seconds.items():
        name = f"{part}: {kind}" if kind else part
        told.append(f"  {1e3 * seconds:9.2f} ms {seconds / found.step:6.1%}  {name}")
    return told
