"""What a format lacks, told in one line; errors of our own come out as they are."""

from __future__ import annotations

import contextlib
import pathlib
import re
from collections.abc import Callable, Iterator, Mapping

import numpy as np
import tensorflow as tf

from lrcn import faults
from lrcn import settings as settings_lib
from lrcn.errors import UserError, few

FORMATS = {"saved_model": "a SavedModel", "onnx": "ONNX", "litert": "LiteRT"}
"""How people call each format."""
# How the converter of LiteRT and onnxruntime name what they lack.
_LACKING = re.compile(r"'(tf\.\w+)' op is neither|No Op registered for (\w+)|Op \((\w+)\) is not")
_LIBRARIES = {"ai_edge_litert", "onnx", "onnxruntime", "tensorflow", "tf2onnx"}


@contextlib.contextmanager
def told(
    settings: settings_lib.ExportSettings, *, writing: pathlib.Path | None = None
) -> Iterator[None]:
    """Tells what a converter or a runtime cannot do as a `UserError`.

    Only what these libraries raise is taken for a lack of the format: the block should call them
    and nothing else.

    Args:
        settings: The settings of the export.
        writing: The folder that is written, None where the export is run.
    """
    try:
        yield
    except UserError:
        raise
    except Exception as error:
        if writing is not None and faults.is_about(error, writing):
            raise faults.unwritable(writing, error) from error
        if faults.told(error) is error and _is_of_format(error):
            what = "be run" if writing is None else "be written"
            raise _cannot(settings, what, error) from error
        raise


def telling(
    run: Callable[[np.ndarray], Mapping[str, np.ndarray]], settings: settings_lib.ExportSettings
) -> Callable[[np.ndarray], Mapping[str, np.ndarray]]:
    """Returns an export in its runtime, each of whose calls tells what the runtime cannot do."""

    def telling_run(frames: np.ndarray) -> Mapping[str, np.ndarray]:
        with told(settings):
            return run(frames)

    return telling_run


def other_formats(settings: settings_lib.ExportSettings) -> list[str]:
    """Returns the formats that were not asked for, as `format=NAME`."""
    return [f"format={name}" for name in FORMATS if name != settings.format]


def _is_of_format(error: Exception) -> bool:
    """Tells whether a converter or a runtime raised an error by itself."""
    own = type(error)
    if own.__name__ == "ConverterError" or own.__module__.startswith("onnxruntime."):
        return True
    if isinstance(error, tf.errors.OpError):
        return True
    # LiteRT and tf2onnx have no kinds of their own.
    return isinstance(error, RuntimeError | ValueError) and _raised_in(error) in _LIBRARIES


def _raised_in(error: Exception) -> str:
    """Returns the package whose code raised an error."""
    place = error.__traceback__
    while place.tb_next is not None:
        place = place.tb_next
    return place.tb_frame.f_globals.get("__name__", "").partition(".")[0]


def _cannot(settings: settings_lib.ExportSettings, what: str, error: Exception) -> UserError:
    tries = other_formats(settings)
    if settings.time == "dynamic":
        tries.insert(0, "time=fixed")
    if not isinstance(settings.search, settings_lib.Greedy):
        tries.insert(0, "search=greedy")
    return UserError(
        f"the run cannot {what} as {FORMATS[settings.format]}",
        where=f"format={settings.format}",
        received=_reason(error),
        expected="a network whose every operation the format has",
        remedy=f"Try {' or '.join(tries)}",
    )


def _reason(error: Exception) -> str:
    """Returns which operations lack, or the end of what a converter says at great length."""
    text = str(error).strip()
    if lacking := sorted({"".join(names) for names in _LACKING.findall(text)}):
        return f"operations it has not: {few(lacking)}"
    last = text.splitlines()[-1] if text else ""
    return f"{type(error).__name__}: {last:.200}"
