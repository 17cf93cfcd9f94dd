"""Several machines that train one network: Keras on JAX, the same steps on every host.

Each host decodes its own rows of every batch, and JAX works as if one process had them all. Host 0
validates and writes the run, and tells the others how far it is.
"""

from __future__ import annotations

import atexit
import contextlib
import dataclasses
import hashlib
import json
import logging
import os
import sys
from collections.abc import Callable, Iterator
from typing import Any

import keras
import numpy as np

from lrcn import errors
from lrcn import settings as settings_lib
from lrcn.data import sharing
from lrcn.training import checkpoints, interruption, shared

log = logging.getLogger(__name__)

# Of what JAX says when a connection to another host is lost.
_LOST = ("Gloo", "NCCL", "coordination service", "heartbeat", "Connection closed")
_ENDING = 60  # seconds that a host waits for the others before it ends


@contextlib.contextmanager
def joined(settings: settings_lib.Hosts) -> Iterator[Hosts]:
    """Joins the other hosts, and yields the strategy of training together.

    Raises:
        UserError: They are not those that were asked for, or one of them is gone.
    """
    strategy = None
    try:
        with _telling():
            _join(settings)
            strategy = Hosts(settings)
        with _telling():
            yield strategy
            strategy.leave()
    except BaseException as error:
        is_signal = isinstance(error, KeyboardInterrupt | SystemExit)
        if is_signal and strategy is not None and strategy.has_agreed:
            leave()  # all stop, and wait until the run is saved
        else:
            # JAX would wait for the others, which wait for this host; so they know at once.
            atexit.register(_end_at_once, _code_of(error))
        raise


def leave() -> None:
    """Takes leave of the other hosts once all are here; without effect if it was taken."""
    import jax

    if jax.distributed.is_initialized():
        jax.distributed.shutdown()


def _code_of(error: BaseException) -> int:
    """Returns the exit code of a process that an error or a signal ends."""
    if isinstance(error, SystemExit):
        return int(error.code or 0)
    return 130 if isinstance(error, KeyboardInterrupt) else 1


def _end_at_once(code: int) -> None:
    logging.shutdown()
    sys.stdout.flush()
    os._exit(code)


def _join(settings: settings_lib.Hosts) -> None:
    import jax

    if jax.distributed.is_initialized():
        raise errors.UserError(
            "hosts join once a process",
            where="strategy",
            received="hosts, a second time",
            expected="one training",
            remedy="Start each training by a command of its own, without -m",
        )
    try:
        jax.distributed.initialize(
            settings.coordinator,
            settings.count,
            settings.index,
            initialization_timeout=settings.patience,
            heartbeat_timeout_seconds=settings.patience,
            shutdown_timeout_seconds=_ENDING,
        )
    except (RuntimeError, ValueError) as error:
        raise errors.UserError(
            "the hosts did not find each other",
            where="strategy.coordinator",
            received=f"{settings.coordinator or 'null'}: {error}",
            expected=f"address:port of host 0, which is free there, and {settings.count} hosts "
            f"that are started within {settings.patience} s",
            remedy="Start the same command on every host, with its own strategy.index",
        ) from error


class Hosts(shared.Strategy):
    """A host among others, which take the same steps.

    Args:
        settings: Keys of `strategy=hosts`; the hosts have joined.

    Raises:
        UserError: JAX is not on as many hosts: each would train a network of its own.
    """

    def __init__(self, settings: settings_lib.Hosts):
        import jax

        found = jax.process_count()
        if found != settings.count:
            raise errors.UserError(
                "the hosts have not joined",
                where="strategy.count",
                received=f"{found} that JAX knows",
                expected=settings.count,
                remedy="Train by `lrcn train`, which joins them first",
            )
        self.is_chief = jax.process_index() == 0
        self.share = sharing.Share(jax.device_count(), jax.process_index(), found)
        self._distribution = keras.distribution.DataParallel(auto_shard_dataset=False)
        self._signals: interruption.Signals | None = None

    @property
    def has_agreed(self) -> bool:
        """Whether all hosts stop after a signal to one of them."""
        return self._signals is not None and self._signals.agreed is not None

    def scope(self) -> contextlib.AbstractContextManager:
        """Returns the context in which variables are on every host."""
        return self._distribution.scope()

    def running(self) -> contextlib.AbstractContextManager:
        """Returns the context in which batches are of all hosts."""
        return self._distribution.scope()

    def trained(self, model: keras.Model, objective: shared.Objective) -> keras.Model:
        """Returns the model with losses over the rows that count."""
        return shared.Shared(model, objective, list)  # JAX sums over all hosts by itself

    def first(self, work: Callable[[], None], seen: Callable[[], str]) -> None:
        """Lets host 0 do what all need, and requires that the others see what came of it.

        Args:
            work: To be done by host 0.
            seen: Returns what all must see then.

        Raises:
            UserError: This host sees something else than host 0.
        """
        if self.is_chief:
            work()
        done = self.told(seen() if self.is_chief else None)
        if (received := seen()) != done:
            raise errors.UserError(
                "this host sees other checkpoints than host 0",
                where="hydra.run.dir",
                received=received or "none",
                expected=done or "none",
                remedy="Put the run into a folder that all hosts share",
            )

    def told(self, value: Any) -> Any:
        """Returns what host 0 has; for plain values that JSON can hold."""
        from jax.experimental import multihost_utils

        content = np.frombuffer(json.dumps(value).encode(), np.uint8) if self.is_chief else None
        size = np.int32(len(content) if self.is_chief else 0)
        size = int(multihost_utils.broadcast_one_to_all(size))
        content = np.zeros(size, np.uint8) if content is None else content
        return json.loads(np.asarray(multihost_utils.broadcast_one_to_all(content)).tobytes())

    def callbacks(
        self, state: checkpoints.State, signals: interruption.Signals
    ) -> tuple[list[keras.callbacks.Callback], list[keras.callbacks.Callback]]:
        """Returns what comes before and after all other callbacks."""
        self._signals = signals
        return [_Agreement(signals)], [_Together(self, state, signals)]

    def leave(self) -> None:
        """Takes leave of the other hosts."""
        leave()


class _Agreement(keras.callbacks.Callback):
    """Has all hosts stop after the same step if one of them is asked to."""

    def __init__(self, signals: interruption.Signals):
        super().__init__()
        self._signals = signals

    def on_train_batch_end(self, batch, logs=None):
        """Agrees after each step."""
        _agree(self._signals)


def _agree(signals: interruption.Signals) -> None:
    from jax.experimental import multihost_utils

    received = int(np.max(multihost_utils.process_allgather(np.int32(signals.received or 0))))
    signals.agreed = received or None


class _Together(keras.callbacks.Callback):
    """Tells all hosts what host 0 knows of the run after an epoch, and whether it is the last.

    They agree there, too, since a signal to host 0 may have come while it validated.

    Raises:
        UserError: Weights differ among the hosts.
    """

    def __init__(self, hosts: Hosts, state: checkpoints.State, signals: interruption.Signals):
        super().__init__()
        self._hosts, self._state, self._signals = hosts, state, signals

    def on_epoch_end(self, epoch, logs=None):
        """Waits for the validation and the checkpoint of host 0."""
        digest = _digest(self.model)
        own = {"state": dataclasses.asdict(self._state), "stops": bool(self.model.stop_training)}
        told = self._hosts.told({**own, "weights": digest})
        if digest != told["weights"]:
            raise errors.UserError(
                "the hosts train networks of their own",
                where=f"epoch {epoch + 1}",
                received=f"weights {digest[:12]}",
                expected=f"those of host 0, {told['weights'][:12]}",
                remedy="Give every host the same versions of lrcn, Keras and JAX, and the same "
                "kind of device",
            )
        log.info("epoch %d: weights %s on every host", epoch + 1, digest[:12])
        for name, value in told["state"].items():
            setattr(self._state, name, value)
        self.model.stop_training = told["stops"]
        _agree(self._signals)


def _digest(model: keras.Model) -> str:
    digest = hashlib.sha256()
    for weight in model.weights:
        digest.update(np.ascontiguousarray(keras.ops.convert_to_numpy(weight)).tobytes())
    return digest.hexdigest()


@contextlib.contextmanager
def _telling() -> Iterator[None]:
    """Tells of a connection that is lost."""
    try:
        yield
    except errors.UserError:
        raise
    except (RuntimeError, ValueError) as error:
        if not any(word in str(error) for word in _LOST):
            raise
        raise gone(error) from error


def gone(reason: object) -> errors.UserError:
    """Returns the error for a host that another one has left alone."""
    return errors.UserError(
        "another host is gone, so this one ends too",
        where="strategy=hosts",
        received=reason,
        expected="every host until the last epoch",
        remedy="Look at the messages of the other hosts; the same commands go on after the last "
        "checkpoint",
    )
