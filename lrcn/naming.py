"""Names of the folders and logs of jobs: what `conf/` asks for by `${lrcn.NAME:...}`."""

from __future__ import annotations

import functools
import hashlib
import os
import pathlib
import re
from collections.abc import Collection

from lrcn import config, overriding, runs

_LONGEST_FOLDER = 100  # characters; with its hash still below every file system's limit


def register(constant: Collection[str]) -> None:
    """Makes the names known to the configuration of this process.

    Args:
        constant: Keys that all jobs of a command share.
    """
    config.register_resolvers(
        job_folder=functools.partial(job_folder, constant=constant),
        hydra_folder=hydra_folder,
        log_file=log_file,
    )


def job_folder(override_dirname: str, constant: Collection[str] = ()) -> str:
    """Returns a folder name for a job of a sweep: what is swept, stable, flat and short enough.

    Args:
        override_dirname: The job's overrides, sorted, as Hydra joins them.
        constant: Keys that all jobs share; they are left to a hash, as long paths are.
    """
    if not override_dirname:
        return "defaults"
    parts = re.split(r",(?=[\w./+~@-]+=)", override_dirname)
    named = [part for part in parts if "/" not in part and overriding.key_of(part) not in constant]
    name = re.sub(r"[^\w.,=+-]+", "_", ",".join(named)) or "constant"
    if name == override_dirname and len(name) <= _LONGEST_FOLDER:
        return name
    digest = hashlib.sha256(override_dirname.encode()).hexdigest()[:8]
    return f"{name[:_LONGEST_FOLDER]}-{digest}"


def hydra_folder(output_folder: str, host: int | None = 0) -> str | None:
    """Returns where Hydra keeps its copy of the configuration; nowhere once a run is done.

    Of several hosts that train together the first one, 0, keeps it.

    Hydra writes it before the job starts, so a finished run asked again would lose its own, and a
    folder that is no run's, or leads elsewhere, would get files before it is refused.
    """
    run = runs.RunDirectory(pathlib.Path(output_folder))
    return None if host or run.is_done or run.is_foreign or run.has_links else ".hydra"


def log_file(output_folder: str, name: str, host: int | None = 0) -> str:
    """Returns the file of a job's log; nowhere in a folder that is refused or host 0's."""
    folder = pathlib.Path(output_folder)
    run = runs.RunDirectory(folder)
    return os.devnull if host or run.is_foreign or run.has_links else str(folder / f"{name}.log")
