"""What every verb shows: results on stdout, and where they are; TensorFlow starts quietly."""

from __future__ import annotations

import contextlib
import importlib.util
import json
import logging
import os
import pathlib
import sys
import tempfile
from collections.abc import Iterator, Sequence
from typing import Any

import rich.box
import rich.console
import rich.table
import rich.text

from lrcn import faults, logs
from lrcn.errors import UserError, visible

log = logging.getLogger(__name__)

_UNBOUNDED = 100_000  # columns: off a terminal nothing is wrapped or shortened


def start_tensorflow() -> None:
    """Imports TensorFlow without the lines that its libraries write to stderr by themselves.

    They come from C++ before any setting of a log level is read. If the import fails they are
    shown after all.

    Raises:
        UserError: Keras is to run on a backend that is not installed.
    """
    backend = os.environ.get("KERAS_BACKEND", "tensorflow")
    if importlib.util.find_spec(backend) is None:
        raise UserError(
            "the backend that Keras is to run on is not installed",
            where="KERAS_BACKEND",
            received=backend,
            expected="tensorflow, which is the default, or a backend that is installed",
            remedy="Leave KERAS_BACKEND out, or install it: lrcn[hosts] brings JAX",
        )
    # Whoever calls a model with clips of another length is told how it is compiled, at length.
    logging.getLogger("tensorflow").setLevel(logging.ERROR)
    with logs.quiet_stderr():
        import tensorflow  # noqa: F401 - only to have it said


def require_file(key: str, path: str | None) -> None:
    """Raises a `UserError` if a key names a file that is not there; "imagenet" names none."""
    if path not in (None, "imagenet") and not pathlib.Path(path).exists():
        raise UserError(
            "no such file",
            where=key,
            received=path,
            expected="an existing file" + (" or run" if key == "init" else ""),
            remedy=f"Correct {key}; relative paths start at the working directory",
        )


def require_writable(key: str, folder: pathlib.Path) -> None:
    """Raises a `UserError` before any work if results cannot be written into a folder.

    Args:
        key: The configuration key that names it.
        folder: It need not be there; then the folder that it will be made in is tried.
    """
    places = (folder.absolute(), *folder.absolute().parents)
    there = next(filter(os.path.exists, places))  # not Path.exists, which may raise
    try:
        with tempfile.TemporaryFile(dir=there):
            pass
    except OSError as error:
        raise UserError(
            "results cannot be written",
            where=key,
            received=f"{folder}: {error.strerror} ({there})",
            expected="a folder with the right to write",
            remedy=f"Set {key} to another place, or give the right to write",
        ) from error


def require_target(key: str, file: str) -> None:
    """Raises a `UserError` before any work if a file of results cannot be written."""
    path = pathlib.Path(file)
    require_writable(key, path.parent)
    if path.is_dir():
        raise UserError(
            "results cannot be written",
            where=key,
            received=f"{path}, which is a folder",
            expected="the name of a file",
            remedy=f"Set {key} to a file in it, such as {path / key}{path.suffix}",
        )


def show(text: str) -> None:
    """Writes results to stdout; names in them cannot act on a terminal."""
    with _to_stdout():
        sys.stdout.write(visible(text).rstrip("\n") + "\n")
        sys.stdout.flush()


@contextlib.contextmanager
def _to_stdout() -> Iterator[None]:
    try:
        yield
    except BrokenPipeError:
        raise  # whoever read the results has enough of them
    except OSError as error:
        raise faults.unwritable("stdout", error) from error


def show_json(value: object) -> None:
    """Writes a value to stdout as a line of JSON, which stays JSON where `show` would change it."""
    text = json.dumps(value, ensure_ascii=False)
    if visible(text) != text:
        text = json.dumps(value).replace("\x7f", "\\u007f")  # the one control that is ASCII
    show(text)


def show_metrics(metrics: dict, *, title: str) -> None:
    """Writes metrics to stdout as a small table below its title."""
    rows = [
        [name, f"{value:.4f}" if isinstance(value, float) else str(value)]
        for name, value in metrics.items()
    ]
    show_table(["metric", "value"], rows, title=title)


def show_table(columns: Sequence[str], rows: Sequence[Sequence[str]], *, title: str) -> None:
    """Writes a small table below its title; all but its first column are aligned to the right."""
    table = rich.table.Table(box=rich.box.SIMPLE_HEAD, pad_edge=False)
    for place, column in enumerate(columns):
        table.add_column(column, justify="right" if place else "left")
    for row in rows:
        table.add_row(*row)
    output = console()
    output.print(title)
    output.print(table)


class _Console(rich.console.Console):
    """Shows names as they are, and lets the command stop where nobody reads; rich would exit."""

    def render_str(self, text: str, **options: Any) -> rich.text.Text:
        """Returns text that cannot act on a terminal."""
        return super().render_str(visible(text), **options)

    def print(self, *objects: object, **options: object) -> None:
        """Writes to stdout at once.

        Raises:
            CannotWrite: The system refuses it, such as on a full disk.
        """
        with _to_stdout():
            super().print(*objects, **options)
            self.file.flush()

    def on_broken_pipe(self) -> None:
        """Raises what was raised."""
        raise BrokenPipeError


def console() -> rich.console.Console:
    """Returns the console of results, which nothing wraps off a terminal."""
    plain = _Console(highlight=False, markup=False)
    if plain.is_terminal:
        return plain
    return _Console(highlight=False, markup=False, width=_UNBOUNDED)


def log_next(results: pathlib.Path, command: str) -> None:
    """Tells where results are and which command comes next, if any."""
    log.info("results: %s", results)
    if command:
        log.info("next: %s", command)
