"""The verb `export`: a run for another runtime."""

from __future__ import annotations

import importlib.util
import pathlib
import shlex

from lrcn import runs
from lrcn import settings as settings_lib
from lrcn.errors import UserError
from lrcn.verbs import showing

_NEEDS = {"onnx": ("onnx", "onnxruntime", "tf2onnx")}  # what a format needs beside the base


def export(settings: settings_lib.ExportSettings) -> int:
    """Writes a run for another runtime, and prints how it compares there with Keras."""
    _require_runtime(settings.format)
    run = runs.RunDirectory(pathlib.Path(settings.run))
    folder = _export_folder(settings, run)
    showing.start_tensorflow()
    from lrcn.inference.export import writing

    exported = writing.export(settings, folder)
    compared = exported.compared
    row = [
        settings.format,
        f"{exported.megabytes:.1f}",
        f"{compared.difference:.1e}",
        f"{compared.keras_ms:.1f}",
        f"{compared.own_ms:.1f}",
        f"{compared.ratio:.2f}",
    ]
    columns = ["format", "MB", "largest difference", "Keras ms", "own ms", "times as fast"]
    shown = "x".join(map(str, compared.shape))
    showing.show_table(columns, [row], title=f"{folder}: frames {shown}")
    showing.log_next(folder, shlex.join(["python", str(folder / "example.py"), "FRAMES.npy"]))
    return 0


def _require_runtime(format: str) -> None:
    missing = [name for name in _NEEDS.get(format, ()) if importlib.util.find_spec(name) is None]
    if missing:
        raise UserError(
            "the format needs packages that are not installed",
            where=f"format={format}",
            received=f"no {', '.join(missing)}",
            expected=", ".join(_NEEDS[format]),
            remedy=f"pip install 'lrcn[{format}]'",
        )


def _export_folder(settings: settings_lib.ExportSettings, run: runs.RunDirectory) -> pathlib.Path:
    """Returns where an export goes, before any work."""
    if settings.checkpoint == "best":
        run.checkpoint()  # tells if there is no run, or nothing to export
    key = "run" if settings.output_folder is None else "output_folder"
    if settings.output_folder is None:
        run.require_own()
        folder = run.path / "export" / settings.format
    else:
        folder = pathlib.Path(settings.output_folder).expanduser().resolve()
    _refuse_existing(folder, overwrite=settings.overwrite)
    showing.require_writable(key, folder.parent)
    return folder


def _refuse_existing(folder: pathlib.Path, *, overwrite: bool) -> None:
    if not folder.exists():
        return
    is_empty = folder.is_dir() and not any(folder.iterdir())
    if not is_empty and not (folder / "contract.json").exists():
        raise UserError(
            "something else than an export stands there",
            where="output_folder",
            received=folder,
            expected="a new or empty folder, or that of an export",
            remedy="Give another output_folder: an export replaces all of it",
        )
    if not is_empty and not overwrite:
        raise UserError(
            "an export is there already",
            where="output_folder",
            received=folder,
            expected="a new folder",
            remedy="Give overwrite=true to replace it, or output_folder=FOLDER",
        )
