"""The verb `train` on one host of several: who writes, and what is told when a host is lost."""

from __future__ import annotations

import contextlib
import importlib.util
import logging
import os
import pathlib
import signal
import sys
import threading
from collections.abc import Callable, Iterator

from lrcn import config, runs
from lrcn import settings as settings_lib
from lrcn.errors import UserError
from lrcn.verbs import showing

log = logging.getLogger(__name__)

_SIGNALS = (signal.SIGTERM, signal.SIGINT)


def train(
    settings: settings_lib.TrainSettings, *, folder: pathlib.Path, writes: Callable[..., int]
) -> int:
    """Trains with the other hosts; host 0 does all that a single process does beside.

    Args:
        settings: The settings of the training.
        folder: The run directory; that of host 0 counts.
        writes: What host 0 does; it calls its argument `begins` with whether it will train.

    Raises:
        UserError: A host lacks what it needs, has other settings, or is left alone.
    """
    _require_known(settings.strategy)
    _require_jax()
    _guarded(settings.strategy)
    showing.start_tensorflow()
    from lrcn.training import hosts, session

    with hosts.joined(settings.strategy) as strategy:
        plain = config.to_plain(settings)
        del plain["strategy"]
        told = strategy.told({"settings": plain, "folder": str(folder)})
        _require_equal(plain, told["settings"])
        if strategy.is_chief:
            return writes(begins=strategy.told)
        if strategy.told(None):
            log.info("train: host 0 writes the run, %s", told["folder"])
            session.train(settings, runs.RunDirectory(pathlib.Path(told["folder"])))
        return 0


def _require_jax() -> None:
    chosen = os.environ.get("KERAS_BACKEND", "tensorflow")
    if chosen == "jax" and importlib.util.find_spec("jax"):
        return
    raise UserError(
        "several hosts train by Keras on JAX",
        where="strategy",
        received=f"hosts with KERAS_BACKEND={chosen}"
        + ("" if chosen != "jax" else ", and JAX is not installed"),
        expected="KERAS_BACKEND=jax, and JAX",
        remedy="Run `KERAS_BACKEND=jax lrcn train ...` after `pip install 'lrcn[hosts]'`; what is "
        "trained there is used on TensorFlow as always",
    )


def _require_known(strategy: settings_lib.Hosts) -> None:
    for key in ("count", "index"):
        if getattr(strategy, key) is None:
            raise UserError(
                "a value is needed where Slurm does not tell it",
                where=f"strategy.{key}",
                received="null",
                expected="how many hosts train" if key == "count" else "0 on host 0, then 1, ...",
                remedy=f"Set strategy.{key} on each host, or start the command by srun",
            )
    if strategy.index >= strategy.count:
        raise UserError(
            "there is no such host",
            where="strategy.index",
            received=strategy.index,
            expected=f"0 to {strategy.count - 1}, of {strategy.count} hosts",
            remedy="Count the hosts from 0, or raise strategy.count on all of them",
        )
    if strategy.coordinator is None and "SLURM_JOB_ID" not in os.environ:
        raise UserError(
            "a value is needed where Slurm does not tell it",
            where="strategy.coordinator",
            received="null",
            expected="address:port of host 0",
            remedy="Set strategy.coordinator=HOST:12345 on each host, with a free port of host 0",
        )
    if strategy.coordinator is not None and not strategy.coordinator.rpartition(":")[2].isdigit():
        raise UserError(
            "no address with a port",
            where="strategy.coordinator",
            received=strategy.coordinator,
            expected="address:port of host 0",
            remedy="Set strategy.coordinator=HOST:12345, with a free port of host 0",
        )


def _require_equal(own: dict, told: dict) -> None:
    for key in config.changed_keys(told, own):
        raise UserError(
            "this host was started with another value than host 0",
            where=key,
            received=config.value_of(own, key),
            expected=config.value_of(told, key),
            remedy="Give all hosts the same settings, but for strategy.index",
        )


def _guarded(strategy: settings_lib.Hosts) -> None:
    """Goes on in a child process; its parent waits, and tells if JAX or the system ends it.

    JAX aborts the process when host 0 is lost or a host does not answer any more.
    """
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        os.close(writing)
        os.setpgid(0, 0)  # signals of the terminal come by the parent, once
        threading.Thread(target=_follow, args=(reading,), daemon=True).start()
        return
    os.close(reading)
    received = []
    with _forwarded(child, received):
        _, status = os.waitpid(child, 0)
    code = os.waitstatus_to_exitcode(status)
    if code < 0 and received:
        code = 128 + received[0]
    elif code < 0:
        name = signal.Signals(-code).name
        log.error("error: %s", _lost(strategy, name))
        code = 1
    logging.shutdown()
    sys.stdout.flush()
    os._exit(code)  # all else is the child's to end


def _follow(parent: int) -> None:
    """Ends the process as a signal does once its parent is gone, which closes the pipe."""
    os.read(parent, 1)
    os.kill(os.getpid(), signal.SIGTERM)


@contextlib.contextmanager
def _forwarded(child: int, received: list[int]) -> Iterator[None]:
    def forward(number: int, frame: object) -> None:
        received.append(number)
        os.kill(child, number)

    before = {number: signal.signal(number, forward) for number in _SIGNALS}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _lost(strategy: settings_lib.Hosts, name: str) -> UserError:
    return UserError(
        f"host {strategy.index} was ended: another host is gone, or the system ended this one",
        where="strategy=hosts",
        received=name,
        expected=f"every host until the last epoch, and an answer within {strategy.patience} s",
        remedy="Look at the messages of the other hosts; the same commands go on after the last "
        "checkpoint",
    )
