"""The command `lrcn`: the only module that knows Hydra.

A verb's work never raises through Hydra: inside a sweep a failing job writes its own log and mark
and lets the others go on; outside, one clean message and the exit code are ours.
"""

from __future__ import annotations

import contextlib
import difflib
import hashlib
import json
import logging
import os
import pathlib
import re
import signal
import sys
import traceback
from collections.abc import Callable, Iterator

from lrcn import help as help_lib
from lrcn.errors import UsageError, UserError

log = logging.getLogger("lrcn")

_LONGEST_FOLDER = 100  # characters; with its hash still below every file system's limit


def main(arguments: list[str] | None = None) -> int:
    """Runs `lrcn VERB ...` and returns the exit code.

    Args:
        arguments: What follows `lrcn`; by default the command line's.

    Returns:
        0; 1 after a user error, findings or a failed job; 2 for usage; 130 or 143 after a signal.
    """
    arguments = sys.argv[1:] if arguments is None else arguments
    try:
        return _dispatch(arguments)
    except UserError as error:
        return _tell(error, arguments)
    except KeyboardInterrupt:
        sys.stderr.write("interrupted; `lrcn train resume=RUN` goes on with a run\n")
        return 130
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0


def _dispatch(arguments: list[str]) -> int:
    if not arguments or arguments[0] in ("-h", "--help"):
        sys.stdout.write(help_lib.overview() + "\n")
        return 0 if arguments else 2
    if arguments[0] == "--version":
        import lrcn

        sys.stdout.write(f"lrcn {lrcn.__version__}\n")
        return 0
    verb, rest = arguments[0], arguments[1:]
    if verb not in help_lib.VERBS:
        raise _unknown("verb", verb, list(help_lib.VERBS), where="VERB", remedy="See `lrcn --help`")
    if any(argument in ("-h", "--help") for argument in rest):
        sys.stdout.write(help_lib.of_verb(verb, rest) + "\n")
        return 0
    with _own_logging():
        return _run(verb, rest)


@contextlib.contextmanager
def _own_logging() -> Iterator[None]:
    """Closes the log handlers of a command when it ends: a notebook or test goes on after it."""
    root = logging.getLogger()
    before = set(root.handlers)
    try:
        yield
    finally:
        for handler in set(root.handlers) - before:
            root.removeHandler(handler)
            handler.close()


def _run(verb: str, overrides: list[str]) -> int:
    """Lets Hydra compose the configuration and runs the verb once, or once a job of a sweep."""
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    os.environ["HYDRA_FULL_ERROR"] = "1"  # Hydra then raises instead of printing a traceback
    import hydra

    from lrcn import config

    if verb == "train":
        overrides = _continue_run(overrides)
    config.register_resolvers(job_folder=job_folder, hydra_folder=hydra_folder)
    codes: list[int] = []
    sweep_folders: list[str] = []
    sys.argv = [f"lrcn {verb}", *overrides]
    previous = signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    job = _job(verb, codes, sweep_folders)
    try:
        hydra.main(version_base="1.3", config_path=str(help_lib.conf_folder()), config_name=verb)(
            job
        )()
    except Exception as error:  # jobs never raise, so this is Hydra's own about the command line
        raise _composition_error(verb, overrides, error) from error
    finally:
        signal.signal(signal.SIGTERM, previous)
    if sweep_folders:
        from lrcn import verbs

        codes.append(verbs.finish_sweep(pathlib.Path(sweep_folders[0])))
    return max(codes, default=0)


def _job(verb: str, codes: list[int], sweep_folders: list[str]) -> Callable:
    """Returns the function that Hydra calls with each composed configuration."""

    def job(composed) -> None:
        from hydra.core.hydra_config import HydraConfig

        from lrcn import config, verbs

        context = HydraConfig.get()
        folder = pathlib.Path(context.runtime.output_dir)
        in_sweep = context.mode.name == "MULTIRUN"
        if in_sweep:
            sweep_folders[:] = [os.path.abspath(context.sweep.dir)]
        try:
            settings = config.typed(verb, composed, dict(context.runtime.choices))
            codes.append(
                verbs.run(verb, settings, folder=folder, overrides=list(context.overrides.task))
            )
        except UserError as error:
            codes.append(error.exit_code)
            _report(error, folder if verb == "train" else None, bool(composed.get("traceback")))
        except Exception as error:  # noqa: BLE001 - a bug: its traceback belongs in the job's log
            codes.append(1)
            _report(error, folder if verb == "train" else None, True)

    return job


def _report(error: Exception, folder: pathlib.Path | None, with_traceback: bool) -> None:
    """Logs an error of a job, with its traceback if asked, and marks the run as failed."""
    message = f"error: {error}" if isinstance(error, UserError) else "error: this is a bug in lrcn"
    log.error(message, exc_info=error if with_traceback else None)
    if folder is not None:
        from lrcn import runs

        reason = str(error) if isinstance(error, UserError) else traceback.format_exc()
        first = f"{type(error).__name__}: {error}".splitlines()[0]
        runs.RunDirectory(folder).mark_failed(
            reason if isinstance(error, UserError) else f"{first}\n{reason}"
        )


def _tell(error: UserError, arguments: list[str]) -> int:
    """Prints an error met before any job began, and returns its exit code."""
    if "traceback=true" in arguments:
        traceback.print_exception(error)
    sys.stderr.write(f"error: {error}\n")
    return error.exit_code


def _unknown(what: str, received: str, known: list[str], *, where: str, remedy: str) -> UsageError:
    near = difflib.get_close_matches(received, known, n=1)
    meant = f"; did you mean '{near[0]}'?" if near else ""
    return UsageError(
        f"no such {what} '{received}'{meant}",
        where=where,
        received=received,
        expected=" | ".join(known),
        remedy=remedy,
    )


def _unknown_member(verb: str, group: str, member: str) -> UsageError:
    remedy = f"Choose one of them; `lrcn {verb} --help` tells what they are"
    known = help_lib.members(group)
    return _unknown(f"member of {group}", member, known, where=group, remedy=remedy)


def _composition_error(verb: str, overrides: list[str], error: Exception) -> UserError:
    """Says in our words what Hydra found wrong on the command line."""
    text = "\n".join(str(part) for part in (error, error.__cause__) if part)
    for group in help_lib.members_in_use(verb):
        if {f"{group}=null", f"{group}="} & set(overrides):
            return _unknown_member(verb, group, "null")
    if match := re.search(r"Could not find '([\w/]+)/(.+?)'", text):
        group, member = match.groups()
        return _unknown_member(verb, group, member)
    if match := re.search(r"Could not override '(.+?)'", text):
        from lrcn import config

        key = match[1]
        member, known = help_lib.known_keys(verb, key, overrides)
        given = [text for text in overrides if text.partition("=")[0].lstrip("+~") == key]
        return config.unknown_key(key, member, known, received=(given or [key])[-1])
    if type(error).__name__ == "OverrideParseException":
        override = getattr(error, "override", None) or " ".join(overrides)
        return UsageError(
            f"the command line could not be read ({text.splitlines()[0]})",
            where=override.partition("=")[0].lstrip("+~") or "command line",
            received=override,
            expected="key=value, or key=[value,value]",
            remedy="Paths with parentheses, commas or = need quotes inside the shell's: "
            "'key=[\"/a/b (c)/x\"]'",
        )
    return UsageError(
        text.splitlines()[0],
        where="command line",
        received=" ".join(overrides),
        expected="groups, keys and values that fit together",
        remedy=f"Correct what is named here; `lrcn {verb} --help` lists every group and key",
    )


def _continue_run(overrides: list[str]) -> list[str]:
    """Adds to `resume=RUN` what RUN was started with, and its folder.

    New overrides win over old ones of the same key, so that `resume=RUN epochs=40` is enough.
    """
    given = {key: value for key, _, value in (o.partition("=") for o in overrides)}
    run = given.get("resume", "null").strip("'\"")
    config_file = pathlib.Path(run) / "config.json"
    if run == "null" or not config_file.exists():
        return overrides
    old = json.loads(config_file.read_text(encoding="utf-8")).get("overrides", [])
    kept = [o for o in old if o.partition("=")[0].lstrip("+~") not in {*given, "resume"}]
    folder = [] if "hydra.run.dir" in given else [f"hydra.run.dir='{run}'"]
    return [*kept, *folder, *overrides]


def job_folder(override_dirname: str) -> str:
    """Returns a folder name for a job of a sweep: stable, flat and short enough.

    Args:
        override_dirname: The job's overrides, sorted, as Hydra joins them.
    """
    if not override_dirname:
        return "defaults"
    # Paths are long and the same in every job: they are left to the hash.
    parts = [part for part in override_dirname.split(",") if "/" not in part]
    name = re.sub(r"[^\w.,=+-]+", "_", ",".join(parts)) or "paths"
    if name == override_dirname and len(name) <= _LONGEST_FOLDER:
        return name
    digest = hashlib.sha256(override_dirname.encode()).hexdigest()[:8]
    return f"{name[:_LONGEST_FOLDER]}-{digest}"


def hydra_folder(output_folder: str) -> str | None:
    """Returns where Hydra keeps its copy of the configuration; nowhere once a run is done.

    Hydra writes it before the job starts, so a finished run asked again would lose its own.
    """
    return None if (pathlib.Path(output_folder) / "DONE").exists() else ".hydra"
