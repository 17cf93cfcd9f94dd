"""The command `lrcn`: the only module that knows Hydra.

A verb's work never raises through Hydra: inside a sweep a failing job writes its own log and mark
and lets the others go on; outside, one clean message and the exit code are ours.
"""

from __future__ import annotations

import contextlib
import faulthandler
import logging
import os
import pathlib
import re
import signal
import sys
import traceback
from collections.abc import Callable, Collection, Iterator

from lrcn import faults, flags, overriding, quoting, resuming
from lrcn import help as help_lib
from lrcn.errors import UserError

log = logging.getLogger("lrcn")

_MAY_SWEEP = ("sweep", "experiment", "debug", "hydra.mode")  # what can make a sweep without -m


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
        from lrcn import jobs

        jobs.let_go_of_stdout()
        return 0
    except (OSError, MemoryError) as error:
        return _tell(faults.told(error), arguments)


def _tell_crashes() -> None:
    """Has the stack of every thread printed if a library of decoders or arithmetic ends us."""
    if sys.__stderr__ is not None and not faulthandler.is_enabled():
        faulthandler.enable(sys.__stderr__)


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
        from lrcn import composing

        remedy = "See `lrcn --help`"
        raise composing.unknown("verb", verb, list(help_lib.VERBS), where="VERB", remedy=remedy)
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
    from lrcn import launching, naming

    overrides = launching.named(flags.first(overrides))
    overriding.require_harmless(overrides)
    if verb == "train":
        overrides = resuming.continued(overrides)
    swept = {overriding.key_of(override) for override in overrides if _sweeps(override)}
    # Hydra first holds keys against the default member, whatever members a sweep is over.
    overrides = [f"++{o}" if o.partition(".")[0] in swept else o for o in overrides]
    constant = {overriding.key_of(override) for override in overrides if not _sweeps(override)}
    naming.register(constant)
    overrides = [quoting.quoted(override, _is_readable) for override in overrides]
    given = {overriding.key_of(o): o.partition("=")[2] for o in overrides}
    if verb == "train" and "resume" in given and not given.keys() & overriding.OWN_FOLDERS:
        _require_no_code_of(given["resume"], overrides)
    composed = _composed_sweep(verb, overrides, given)
    if composed is None:
        if not {"--cfg", "--info"} & set(given):
            launching.require_sweep(given)
        return _carry_out(verb, overrides, constant)
    return _carry_out_sweep(verb, overrides, constant, composed)


def _carry_out(verb: str, overrides: list[str], constant: Collection[str]) -> int:
    """Runs a verb once."""
    from lrcn import composing, jobs

    job = jobs.Job(verb, constant, context=_context)
    previous = signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    try:
        _let_hydra(verb, overrides, job)
    except _refusals() as error:
        raise composing.told(verb, overrides, error, _is_readable, _keys_of) from error
    except OSError as error:  # jobs never raise: it is the folder that Hydra makes for them
        raise composing.folder_error(error) from error
    finally:
        signal.signal(signal.SIGTERM, previous)
    return job.code


def _carry_out_sweep(verb: str, overrides: list[str], constant: Collection[str], composed) -> int:
    """Runs a verb once a job of a sweep, and tells in the end what became of them."""
    from lrcn import composing, jobs, sweeping

    given = [overriding.key_of(override) for override in overrides]
    broken = None
    with sweeping.planned(composed, overrides, given) as sweep:
        job = jobs.Job(
            verb, constant, context=_context, outcomes=sweep.outcomes, threads=sweep.plan.threads
        )
        try:
            with sweep.stopping():
                if sweep.has_work:
                    _let_hydra(verb, [*overrides, *sweep.added], job)
        except Exception as error:  # noqa: BLE001 - raised again unless there is a summary to write
            if sweep.found_nothing(error):
                return sweep.finish()
            has_begun, is_refusal = bool(sweep.outcomes.read()), isinstance(error, _refusals())
            if isinstance(error, OSError) and not is_refusal:
                broken = composing.folder_error(error)
            elif is_refusal and not has_begun:
                broken = composing.told(verb, overrides, error, _is_readable, _keys_of)
            elif has_begun or sweep.plan.is_elsewhere:
                broken = composing.broken_off(error)
            if not has_begun:
                raise broken or error from error
            log.error("error: %s", broken)
        return max(sweep.finish(), int(broken is not None))


def _context():
    """Returns Hydra's own settings of the job that is under way."""
    from hydra.core.hydra_config import HydraConfig

    return HydraConfig.get()


def _let_hydra(verb: str, overrides: list[str], job: Callable) -> None:
    import hydra

    sys.argv = [f"lrcn {verb}", *overrides]
    conf = str(help_lib.conf_folder())
    hydra.main(version_base="1.3", config_path=conf, config_name=verb)(job)()


def _refusals() -> tuple[type[Exception], ...]:
    """Returns what Hydra raises where a configuration cannot be composed."""
    import hydra

    from lrcn import config

    return (hydra.errors.HydraException, *config.UNREADABLE, ValueError)


def _composed(verb: str, overrides: list[str]):
    """Returns the configuration as Hydra is going to compose it, without what a sweep is over."""
    import hydra

    plain = [o for o in overrides if not (o.startswith("-") or _sweeps(o))]
    of_flags = {key: value for key, _, value in (o.partition("=") for o in overrides)}
    own = pathlib.Path(of_flags.get("--config-dir", "").strip("'\"")).absolute()
    if "--config-dir" in of_flags and own.is_dir():  # else Hydra tells
        plain.append(f"hydra.searchpath=[{quoting.whole(f'=file://{own}')[1:]}]")
    folder = of_flags.get("--config-path") or help_lib.conf_folder()
    name = of_flags.get("--config-name") or verb
    with hydra.initialize_config_dir(str(pathlib.Path(folder).absolute()), version_base="1.3"):
        return hydra.compose(name, plain, return_hydra_config=True)


def _require_no_code_of(run: str, overrides: list[str]) -> None:
    """Composes what a run brings along before Hydra does, which makes objects of what it finds."""
    try:
        composed = _composed("train", overrides)
    except Exception:  # noqa: BLE001 - Hydra comes to it in a moment, and it is told then
        return
    overriding.require_no_code(composed.hydra, where=run)


def _composed_sweep(verb: str, overrides: list[str], given: Collection[str]):
    """Returns the configuration of a sweep; None if the command is none."""
    from lrcn import composing

    asks = "--multirun" in given
    may = asks or bool({*_MAY_SWEEP, *overriding.OWN_FOLDERS} & set(given))
    if not may or {"--cfg", "--info"} & set(given):
        return None
    try:
        composed = _composed(verb, overrides)
        mode = composed.hydra.mode
    except _refusals() as error:
        raise composing.told(verb, overrides, error, _is_readable, _keys_of) from error
    is_sweep = asks or getattr(mode, "name", None) == "MULTIRUN"
    return composed if is_sweep else None


def _tell(error: UserError, arguments: list[str]) -> int:
    """Prints an error met before any job began, and returns its exit code."""
    if "traceback=true" in arguments:
        traceback.print_exception(error)
    sys.stderr.write(f"error: {error}\n")
    return error.exit_code


def _is_readable(override: str) -> bool:
    """Returns whether Hydra's grammar reads an override."""
    from hydra.core.override_parser.overrides_parser import OverridesParser
    from hydra.errors import OverrideParseException

    try:
        OverridesParser.create().parse_overrides([override])
    except OverrideParseException:
        return False
    return True


def _keys_of(group: str, member: str) -> list[str] | None:
    """Returns the keys of a launcher or sweeper that is installed; None of one of a file."""
    from hydra.core import config_store
    from hydra.plugins import config_source

    try:
        node = config_store.ConfigStore.instance().load(f"{group}/{member}.yaml").node
    except config_source.ConfigLoadError:
        return None
    return sorted(key for key in node if not key.startswith("_"))


def _sweeps(override: str) -> bool:
    """Tells whether an override has several values: commas outside brackets, or a function."""
    value = override.partition("=")[2]
    outside = re.sub(r"\[[^\]]*\]|\{[^}]*\}|\([^)]*\)|'[^']*'|\"[^\"]*\"", "", value)
    functions = r"(choice|range|glob|interval|tag|shuffle|sort)\("
    return "," in outside or bool(re.match(functions, value))


if __name__ == "__main__":
    sys.exit(main())
