"""Verbs by which a run leaves the place where it was trained: `export` and `demo`."""

from __future__ import annotations

import importlib.util
import logging
import pathlib
import shlex
from typing import Any

from lrcn import runs
from lrcn import settings as settings_lib
from lrcn.data import claim, progress
from lrcn.errors import UserError
from lrcn.verbs import showing

log = logging.getLogger(__name__)

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


def demo(settings: settings_lib.DemoSettings) -> int:
    """Serves a web page until it is stopped."""
    from lrcn.page import doors

    doors.require_gradio()
    if not settings.run:
        raise UserError(
            "there is no run to be asked",
            where="run",
            received="[]",
            expected="a run directory, or several",
            remedy="Set run=RUN, the folder that `lrcn train` printed",
        )
    for run in settings.run:
        _require_checkpoint(runs.RunDirectory(run))
    with doors.opened(settings.host, settings.port) as door:
        showing.start_tensorflow()
        from lrcn.page import looking, serving

        bounds = looking.Bounds(settings.seconds, settings.limits)
        networks = _networks(settings, bounds)
        if not door.local:
            log.warning(
                "whoever reaches %s over the network may open this page and use this machine; "
                "host=127.0.0.1 keeps it to this machine",
                door.address,
            )
        serving.serve(
            networks,
            door,
            bounds=bounds,
            most_bytes=settings.upload_mb * 10**6,
            ready=lambda: log.info("page: %s (Ctrl-C ends it)", door.address),
        )
    return 0


def _require_checkpoint(run: runs.RunDirectory) -> None:
    """Tells what is not there before anything is loaded."""
    try:
        run.checkpoint()
    except UserError as error:
        if claim.is_marked(run.path):
            wait = "It is being trained: wait for the end of its first epoch"
            raise error.but(remedy=wait) from error
        raise


def _networks(settings: settings_lib.DemoSettings, bounds: Any) -> list[Any]:
    """Opens the runs of a page, and has each answer once: its first answer takes long."""
    from lrcn.inference import trained
    from lrcn.page import answers, warming

    networks = []
    with progress.shown("opening", len(settings.run), unit="runs") as advance:
        for run, name in zip(settings.run, answers.names_of(settings.run), strict=True):
            log.info("opening: %s", run)
            network = answers.opened(
                run,
                name=name,
                checkpoint=settings.checkpoint,
                search=settings.search,
                top_k=settings.top_k,
                bounds=bounds,
            )
            if network.notice:
                log.warning("%s: %s", run, network.notice)
            warming.warm(network)
            networks.append(network)
            advance()
    if not any(network.describes for network in networks):
        trained.refuse_search(settings.search)
    return networks
