"""The command `lrcn`: the only module that knows Hydra.

A verb's work never raises through Hydra: inside a sweep a failing job writes its own log and mark
and lets the others go on; outside, one clean message and the exit code are ours.
"""

from __future__ import annotations

import contextlib
import dataclasses
import difflib
import faulthandler
import functools
import hashlib
import logging
import os
import pathlib
import re
import shlex
import signal
import sys
import traceback
from collections.abc import Callable, Collection, Iterator

from lrcn import faults, flags, overriding, quoting, resuming
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
    _tell_crashes()
    try:
        return _dispatch(arguments)
    except UserError as error:
        return _tell(error, arguments)
    except KeyboardInterrupt:
        return 130
    except BrokenPipeError:
        _let_go_of_stdout()
        return 0
    except (OSError, MemoryError) as error:
        return _tell(faults.told(error), arguments)


def _tell_crashes() -> None:
    """Has the stack of every thread printed if a library of decoders or arithmetic ends us."""
    if sys.__stderr__ is not None and not faulthandler.is_enabled():
        faulthandler.enable(sys.__stderr__)


def _let_go_of_stdout() -> None:
    """Writes nowhere from now on: whoever read the results, such as `head`, has enough of them."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


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

    overrides = flags.first(overrides)
    overriding.require_harmless(overrides)
    if verb == "train":
        overrides = resuming.continued(overrides)
    swept = {overriding.key_of(override) for override in overrides if _sweeps(override)}
    # Hydra first holds keys against the default member, whatever members a sweep is over.
    overrides = [f"++{o}" if o.partition(".")[0] in swept else o for o in overrides]
    constant = {overriding.key_of(override) for override in overrides if not _sweeps(override)}
    config.register_resolvers(
        job_folder=functools.partial(job_folder, constant=constant),
        hydra_folder=hydra_folder,
        log_file=log_file,
    )
    overrides = [quoting.quoted(override, _is_readable) for override in overrides]
    given = {overriding.key_of(o): o.partition("=")[2] for o in overrides}
    if verb == "train" and "resume" in given and not given.keys() & overriding.OWN_FOLDERS:
        _require_no_code_of(given["resume"], overrides)
    outcomes = _Outcomes()
    sys.argv = [f"lrcn {verb}", *overrides]
    previous = signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    job = _job(verb, outcomes)
    try:
        hydra.main(version_base="1.3", config_path=str(help_lib.conf_folder()), config_name=verb)(
            job
        )()
    except (hydra.errors.HydraException, *config.UNREADABLE, ValueError) as error:
        raise _composition_error(verb, overrides, error) from error
    except OSError as error:  # jobs never raise: it is the folder that Hydra makes for them
        if outcomes.sweep is None:
            raise _folder_error(error) from error
        log.error("error: %s", _folder_error(error))  # of the jobs before there is a summary
        outcomes.codes.append(1)
    finally:
        signal.signal(signal.SIGTERM, previous)
    if outcomes.sweep is not None:
        from lrcn import verbs

        try:
            outcomes.codes.append(verbs.finish_sweep(outcomes.sweep, outcomes.jobs))
        except BrokenPipeError:
            _let_go_of_stdout()
    return max(outcomes.codes, default=0)


def _require_no_code_of(run: str, overrides: list[str]) -> None:
    """Composes what a run brings along before Hydra does, which makes objects of what it finds."""
    import hydra

    plain = [o for o in overrides if not (o.startswith("-") or _sweeps(o))]
    try:
        with hydra.initialize_config_dir(str(help_lib.conf_folder()), version_base="1.3"):
            composed = hydra.compose("train", plain, return_hydra_config=True)
    except Exception:  # noqa: BLE001 - Hydra comes to it in a moment, and it is told then
        return
    overriding.require_no_code(composed.hydra, where=run)


@dataclasses.dataclass
class _Outcomes:
    """What became of the jobs of a command.

    Attributes:
        codes: An exit code a job.
        jobs: Folder, overrides and error of each job of a sweep.
        sweep: The folder of the sweep, if it is one.
    """

    codes: list[int] = dataclasses.field(default_factory=list)
    jobs: list[tuple[pathlib.Path, list[str], Exception | None]] = dataclasses.field(
        default_factory=list
    )
    sweep: pathlib.Path | None = None


def _job(verb: str, outcomes: _Outcomes) -> Callable:
    """Returns the function that Hydra calls with each composed configuration."""

    def job(composed) -> None:
        from hydra.core.hydra_config import HydraConfig

        from lrcn import config, runs, verbs

        context = HydraConfig.get()
        folder = pathlib.Path(context.runtime.output_dir)
        given = list(context.overrides.task)
        failure, code = None, 0
        try:
            settings = config.typed(verb, composed, dict(context.runtime.choices))
            origin = runs.Origin(given, _config_folder(context))
            code = verbs.run(verb, settings, folder=folder, origin=origin)
        except (KeyboardInterrupt, SystemExit):
            again = "the same command"
            is_stored = runs.RunDirectory(folder).config_file.exists()
            if context.mode.name != "MULTIRUN" and verb == "train" and is_stored:
                again = f"lrcn train {shlex.quote(f'resume={folder}')}"
            if verb in ("train", "serialize"):
                log.warning("interrupted; go on with: %s", again)
            raise
        except BrokenPipeError:
            _let_go_of_stdout()
        except Exception as raised:  # noqa: BLE001 - the other jobs of a sweep go on
            error = faults.told(raised)
            failure, code = error, getattr(error, "exit_code", 1)
            _report(error, folder if verb == "train" else None, bool(composed.get("traceback")))
        # Of a sweep it counts that a job failed, not by whose fault.
        outcomes.codes.append(min(code, 1) if context.mode.name == "MULTIRUN" else code)
        if context.mode.name == "MULTIRUN":
            outcomes.sweep = pathlib.Path(context.sweep.dir).absolute()
            outcomes.jobs.append((folder, given, failure))

    return job


def _config_folder(context) -> str | None:
    """Returns the folder of the user's own configuration files (`--config-dir`), if there is one.

    Args:
        context: Hydra's own settings of the job.
    """
    sources = {source.provider: source.path for source in context.runtime.config_sources}
    return sources.get("command-line")


def _report(error: Exception, folder: pathlib.Path | None, with_traceback: bool) -> None:
    """Logs an error of a job, and marks a run that never got anywhere as failed.

    The traceback of a user error is for the run's own log, unless it is asked for.
    """
    ours = isinstance(error, UserError)
    shown = with_traceback or not ours
    message = f"error: {error}" if ours else "error: this is a bug in lrcn"
    log.error(message, exc_info=error if shown else None)
    if folder is None:
        return
    if not shown:
        log.debug("where it was raised:", exc_info=error)
    from lrcn import runs
    from lrcn.data import claim

    run = runs.RunDirectory(folder)
    # Else the training itself marks it, and a refused request changes nothing.
    # Nor does one that another process, which trains there now, stood in the way of.
    is_taken = run.has_links or claim.is_marked(run.path)
    if not (run.is_begun or run.is_foreign or is_taken):
        run.mark_failed(error)


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
    from lrcn import config

    if (no_yaml := config.no_yaml(error)) is not None:
        return no_yaml
    text = "\n".join(str(part) for part in (error, error.__cause__) if part)
    for group in help_lib.members_in_use(verb):
        if {f"{group}=null", f"{group}="} & set(overrides):
            return _unknown_member(verb, group, "null")
    if match := re.search(r"Could not find '([\w/]+)/(.+?)'", text):
        group, member = match.groups()
        return _unknown_member(verb, group, member)
    if match := re.search(r"Could not override '(.+?)'", text):
        key = match[1]
        if key in help_lib.members_in_use(verb):  # keys in braces in the place of a member
            value = next(
                (o.partition("=")[2] for o in overrides if overriding.key_of(o) == key), ""
            )
            return _unknown_member(verb, key, value)
        member, known = help_lib.known_keys(verb, key, overrides)
        given = [text for text in overrides if overriding.key_of(text) == key]
        received = (given or [key])[-1]
        elsewhere = help_lib.members_with(key, received.partition("=")[2])
        return config.unknown_key(key, member, known, received=received, elsewhere=elsewhere)
    if type(error).__name__ == "OverrideParseException":
        override = getattr(error, "override", None) or " ".join(overrides)
        return quoting.unreadable(override, _is_readable)
    if match := re.search(r"Ambiguous value for argument '(.+)'", text):
        return UsageError(
            "several values without -m",
            where=match[1].partition("=")[0].lstrip("+"),
            received=match[1],
            expected="one value, or a sweep over several",
            remedy=f"Run a job for each value with `lrcn {verb} -m ...`, "
            f"{quoting.in_brackets(match[1])}or put one value with a comma in quotes: "
            f"{shlex.quote(quoting.whole(match[1]))}",
        )
    return UsageError(
        text.splitlines()[0],
        where="command line",
        received=" ".join(overrides),
        expected="groups, keys and values that fit together",
        remedy=f"Correct what is named here; `lrcn {verb} --help` lists every group and key",
    )


def _folder_error(error: OSError) -> UserError:
    return UserError(
        "the folder of the results cannot be written to",
        where="hydra.run.dir",
        received=f"{error.filename or ''} ({error.strerror or error})".strip(),
        expected="a folder of your own",
        remedy="Give hydra.run.dir=FOLDER, or hydra.sweep.dir=FOLDER with -m",
    )


def _is_readable(override: str) -> bool:
    """Returns whether Hydra's grammar reads an override."""
    from hydra.core.override_parser.overrides_parser import OverridesParser
    from hydra.errors import OverrideParseException

    try:
        OverridesParser.create().parse_overrides([override])
    except OverrideParseException:
        return False
    return True


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


def _sweeps(override: str) -> bool:
    """Tells whether an override has several values: commas outside brackets, or a range."""
    value = override.partition("=")[2]
    outside = re.sub(r"\[[^\]]*\]|\{[^}]*\}|\([^)]*\)|'[^']*'|\"[^\"]*\"", "", value)
    return "," in outside or bool(re.match(r"(choice|range|glob|interval)\(", value))


def hydra_folder(output_folder: str, host: int | None = 0) -> str | None:
    """Returns where Hydra keeps its copy of the configuration; nowhere once a run is done.

    Of several hosts that train together the first one, 0, keeps it.

    Hydra writes it before the job starts, so a finished run asked again would lose its own, and a
    folder that is no run's, or leads elsewhere, would get files before it is refused.
    """
    from lrcn import runs

    run = runs.RunDirectory(pathlib.Path(output_folder))
    return None if host or run.is_done or run.is_foreign or run.has_links else ".hydra"


def log_file(output_folder: str, name: str, host: int | None = 0) -> str:
    """Returns the file of a job's log; nowhere in a folder that is refused or host 0's."""
    from lrcn import runs

    folder = pathlib.Path(output_folder)
    run = runs.RunDirectory(folder)
    return os.devnull if host or run.is_foreign or run.has_links else str(folder / f"{name}.log")


if __name__ == "__main__":
    sys.exit(main())
