"""The six verbs: typed settings in, results on stdout, an exit code out.

TensorFlow is imported inside, when work starts: a finished job of a sweep is answered without it.
"""

from __future__ import annotations

import contextlib
import dataclasses
import json
import logging
import os
import pathlib
import shlex
import sys
import tempfile
import textwrap
from collections.abc import Iterator, Sequence
from typing import Any

import rich.box
import rich.console
import rich.table

from lrcn import config, runs
from lrcn import settings as settings_lib
from lrcn.errors import UserError

log = logging.getLogger(__name__)

# What may differ when a run is continued in its own folder; `epochs` may only grow.
_FREE_KEYS = {"resume", "num_threads", "traceback", "evaluate", "callbacks.patience"}
_LONGEST_REASON = 300  # characters of why a job failed; the whole is in its log and the summary
_UNBOUNDED = 100_000  # columns: off a terminal nothing is wrapped or shortened


def run(verb: str, settings: Any, *, folder: pathlib.Path, origin: runs.Origin) -> int:
    """Carries out one verb.

    Args:
        verb: "serialize", "check", "train", "evaluate", "predict" or "retrieve".
        settings: The typed settings of that verb.
        folder: Hydra's output folder: the run directory of `train`.
        origin: The command line, stored with a run so that it can be resumed by its folder.

    Returns:
        The exit code.
    """
    if verb == "train":
        return train(settings, folder=folder, origin=origin)
    verbs = {
        "serialize": serialize,
        "check": check,
        "evaluate": evaluate,
        "predict": predict,
        "retrieve": retrieve,
    }
    return verbs[verb](settings)


def serialize(settings: settings_lib.SerializeSettings) -> int:
    """Writes the records of a data set and prints what was stored and skipped."""
    start_tensorflow()
    from lrcn import datasets
    from lrcn.data import report
    from lrcn.data import serialize as serialize_lib

    catalog = datasets.catalog_of(settings.dataset, seed=settings.seed, on_error=settings.on_error)
    folder = datasets.output_folder(settings.dataset, settings.output_folder)
    options = datasets.store_options(settings)
    if not settings.do_serialize:
        return _shuffle_only(catalog, folder, options)
    reports = serialize_lib.serialize(catalog, folder, options=options)
    output = _console()
    show(report.render(reports, width=output.width if output.is_terminal else None))
    _log_next(folder, _train_command(reports))
    return 0


def _shuffle_only(catalog: Any, folder: pathlib.Path, options: Any) -> int:
    """Counts the items of each split, and writes `NAME.shuffled` if asked; no records."""
    from lrcn.data import serialize as serialize_lib

    for split in catalog.splits.values():
        show(f"{split.name}: {len(split.items)} items, {catalog.num_classes} classes")
        if options.shuffle:
            target = folder / f"{split.name}.shuffled"
            serialize_lib.write_shuffled(split, target, seed=options.seed)
            log.info("shuffled list: %s", target)
    log.info("no records were written (do_serialize=false)")
    return 0


def check(settings: settings_lib.CheckSettings) -> int:
    """Prints what is wrong with lists, media, records and the split; 1 if anything is."""
    start_tensorflow()
    from lrcn import datasets
    from lrcn.data import check as check_lib

    findings = datasets.findings(settings)
    check_lib.show(findings, _console())
    if settings.report:
        check_lib.write_report(findings, settings.report)
        log.info("report: %s", settings.report)
    if findings:
        log.info("findings: %d; nothing was changed", len(findings))
        return 1
    log.info("nothing found; next: lrcn serialize or lrcn train with the same dataset keys")
    return 0


def train(
    settings: settings_lib.TrainSettings, *, folder: pathlib.Path, origin: runs.Origin
) -> int:
    """Trains, or continues, or repeats the stored result of the run in `folder`.

    A failure is marked in the folder only once the settings are known to be the run's own: a
    request that is refused changes nothing about the run that stands there.
    """
    settings = config.with_absolute_paths(settings)
    run_directory = runs.RunDirectory(folder)
    plain = config.to_plain(settings)
    _refuse_foreign(run_directory)
    stored = run_directory.read_config() if run_directory.is_begun else None
    if stored:
        _refuse_changes(stored, plain, run_directory)
    elif settings.resume:
        source = runs.RunDirectory(pathlib.Path(settings.resume))
        _refuse_changes(source.read_config(), plain, source)
    more = {"epochs", "callbacks"}
    if run_directory.is_done and all(stored[key] == plain[key] for key in more):
        log.info("done before: %s", folder)
        metrics = run_directory.read_metrics()
        # `metrics.json` is the last file of an evaluation: one that was cut off is done again.
        missing = [s for s in settings.evaluate if not _is_evaluated(run_directory, s)]
    else:
        if not (run_directory.last.exists() or settings.resume):
            _require_files(settings)
        run_directory.clear_marks()
        known = {key: stored[key] for key in runs.NOT_SETTINGS if stored and key in stored}
        run_directory.write_config({**dataclasses.asdict(origin), **known, **plain})
        metrics = None
        missing = settings.evaluate
    with _marking_failure(run_directory):
        metrics = _fit(settings, run_directory) if metrics is None else metrics
        evaluated = {split: _evaluate_run(folder, split) for split in missing}
    run_directory.mark_done()
    validated = "videos" in metrics or "items" in metrics
    show_metrics(metrics, title=f"{folder}{': validation' if validated else ''}")
    for split, (found, results) in evaluated.items():
        show_metrics(found, title=f"{folder}: {split}")
        log.info("results: %s", results)
    given = shlex.quote(f"run={folder}")
    is_next = f"lrcn predict {given} input={'IMAGE' if settings.describes_images else 'VIDEO'}"
    _log_next(folder, f"lrcn evaluate {given}" if validated and not evaluated else is_next)
    return 0


def _require_files(settings: settings_lib.TrainSettings) -> None:
    """Refuses a file that is not there before hours go into serializing the data."""
    vocabulary = settings.vocabulary
    given = [
        ("init", settings.init),
        ("backbone.weights", settings.backbone.weights),
        ("workflow.word_vectors", getattr(settings.workflow, "word_vectors", None)),
        ("vocabulary.file", vocabulary.file),
        *(("vocabulary.extra_text", file) for file in vocabulary.extra_text),
    ]
    for key, path in given:
        if path not in (None, "imagenet") and not pathlib.Path(path).exists():
            raise UserError(
                "no such file",
                where=key,
                received=path,
                expected="an existing file" + (" or run" if key == "init" else ""),
                remedy=f"Correct {key}; relative paths start at the working directory",
            )


def _is_evaluated(run_directory: runs.RunDirectory, split: str) -> bool:
    return (run_directory.evaluation(split) / "metrics.json").exists()


def _fit(settings: settings_lib.TrainSettings, run_directory: runs.RunDirectory) -> dict:
    start_tensorflow()
    from lrcn.inference import plots
    from lrcn.training import session

    metrics = session.train(settings, run_directory)
    plots.curves(
        run_directory.curves_file,
        plots.read_history(run_directory.history_file),
        monitor=f"val_{settings.callbacks.monitor}",
        best_epoch=metrics.get("epoch"),
    )
    return metrics


def evaluate(settings: settings_lib.EvaluateSettings) -> int:
    """Measures a run on a split and prints its metrics."""
    start_tensorflow()
    from lrcn import evaluation

    split, metrics, folder = evaluation.of_run(settings)
    show_metrics(metrics, title=f"{settings.run} on {split}")
    workflow = runs.RunDirectory(settings.run).read_config()["workflow"]["name"]
    given = shlex.quote(f"run={settings.run}")
    of_images = workflow.startswith("imgdesc")
    shown = "input=IMAGE" if of_images else "input=VIDEO overlay=OUT.mp4"
    _log_next(folder, f"lrcn predict {given} {shown}")
    if "desc" in workflow:
        log.info("or: lrcn retrieve %s", given)
    return 0


def retrieve(settings: settings_lib.RetrieveSettings) -> int:
    """Ranks captions by images and images by captions, and prints how high what belongs stands."""
    start_tensorflow()
    from lrcn import evaluation

    split, metrics, folder = evaluation.retrieval_of_run(settings)
    show_metrics(metrics, title=f"{settings.run} on {split}: retrieval")
    _log_next(folder, "")
    return 0


def _evaluate_run(folder: pathlib.Path, split: str) -> tuple[dict, pathlib.Path]:
    """Evaluates a run as `lrcn evaluate run=... split=...` does; returns metrics and folder."""
    start_tensorflow()
    from lrcn import evaluation

    settings = settings_lib.EvaluateSettings(run=str(folder), split=split)
    _, metrics, results = evaluation.of_run(settings)
    return metrics, results


def predict(settings: settings_lib.PredictSettings) -> int:
    """Prints a JSON line for each input."""
    start_tensorflow()
    from lrcn.inference import trained

    run_directory = trained.load(settings.run, checkpoint=settings.checkpoint)
    given = {"batch_size": settings.batch_size, "seed": settings.seed}
    options = {key: value for key, value in given.items() if value is not None}
    predictor = run_directory.predictor(
        clipframe_mode=settings.clipframe_mode,
        pooling=settings.pooling,
        view=run_directory.view(settings.augment),
        search=settings.search,
        top_k=settings.top_k,
        frame_format=settings.frame_format,
        **options,
    )
    for line in predictor.predict(settings.input, overlay_path=settings.overlay):
        show(json.dumps(line, ensure_ascii=False))
    if settings.overlay:
        log.info("annotated video: %s", settings.overlay)
    return 0


def finish_sweep(folder: pathlib.Path, jobs: Sequence[tuple]) -> int:
    """Writes and prints the summary of a sweep; 1 if a job failed.

    Args:
        folder: The sweep's folder, which may hold jobs of other sweeps.
        jobs: Run directory, overrides and error (or None) of each job of this one.
    """
    from lrcn.inference import sweeps

    read = [sweeps.read_job(run, overrides, error=error) for run, overrides, error in jobs]
    sweeps.write_summary(folder, read)
    output = _console()
    for table in (sweeps.table(read), sweeps.seeds_table(read)):
        if table is not None:
            output.print(table)
    failed = [job for job in read if job.status == "FAILED"]
    for job in failed:
        log.error("FAILED %s: %s", job.folder.name, textwrap.shorten(job.reason, _LONGEST_REASON))
    log.info("results: %s", folder / "summary.csv")
    log.info("picture: %s", folder / "summary.png")
    if failed:
        log.error("%d of %d jobs failed; each has its own train.log", len(failed), len(read))
    return 1 if failed else 0


def start_tensorflow() -> None:
    """Imports TensorFlow without the lines that its libraries write to stderr by themselves.

    They come from C++ before any setting of a log level is read. If the import fails they are
    shown after all.
    """
    # Whoever calls a model with clips of another length is told how it is compiled, at length.
    logging.getLogger("tensorflow").setLevel(logging.ERROR)
    sys.stderr.flush()
    kept = os.dup(2)
    with tempfile.TemporaryFile() as said:
        os.dup2(said.fileno(), 2)
        try:
            import tensorflow  # noqa: F401 - only to have it said
        except BaseException:
            said.seek(0)
            os.write(kept, said.read())
            raise
        finally:
            os.dup2(kept, 2)
            os.close(kept)


def show(text: str) -> None:
    """Writes results to stdout."""
    sys.stdout.write(text.rstrip("\n") + "\n")
    sys.stdout.flush()


def show_metrics(metrics: dict, *, title: str) -> None:
    """Writes metrics to stdout as a small table below its title."""
    table = rich.table.Table(box=rich.box.SIMPLE_HEAD, pad_edge=False)
    table.add_column("metric")
    table.add_column("value", justify="right")
    for name, value in metrics.items():
        table.add_row(name, f"{value:.4f}" if isinstance(value, float) else str(value))
    output = _console()
    output.print(title)
    output.print(table)


class _Console(rich.console.Console):
    """Leaves it to the command what becomes of results that nobody reads; rich would exit."""

    def on_broken_pipe(self) -> None:
        """Raises what was raised."""
        raise BrokenPipeError


def _console() -> rich.console.Console:
    plain = _Console(highlight=False, markup=False)
    if plain.is_terminal:
        return plain
    return _Console(highlight=False, markup=False, width=_UNBOUNDED)


def _log_next(results: pathlib.Path, command: str) -> None:
    log.info("results: %s", results)
    if command:
        log.info("next: %s", command)


def _train_command(reports: list) -> str:
    """Returns the command that trains on what was just stored."""
    from lrcn.data import records

    paths = {report.name.rpartition(".")[2]: report.path for report in reports}
    if len(paths) < len(reports):  # several lists of one role: which to train on is not ours to say
        return ""
    keys = [f"dataset.{role}={paths[role]}" for role in ("train", "val", "test") if role in paths]
    if not keys:
        return ""
    stored = records.read_metadata(reports[0].path)
    if not stored.num_classes:  # captions, which the default workflow cannot learn
        is_image = stored.type == "image"
        keys.append(f"workflow={'imgdesc_step' if is_image else 'videodesc_pooling'}")
    return shlex.join(["lrcn", "train", "dataset=records", *keys])


@contextlib.contextmanager
def _marking_failure(run_directory: runs.RunDirectory) -> Iterator[None]:
    try:
        yield
    except Exception as error:
        run_directory.mark_failed(error)
        raise


def _refuse_foreign(run_directory: runs.RunDirectory) -> None:
    if run_directory.is_foreign:
        raise UserError(
            "the folder holds files but no run",
            where="hydra.run.dir",
            received=run_directory.path,
            expected="a new or empty folder, or that of a run",
            remedy="Give another folder: a run would write over files of these names",
        )


def _refuse_changes(stored: dict, plain: dict, run_directory: runs.RunDirectory) -> None:
    """Raises a `UserError` at the first setting a run was not started with."""
    stored = {key: value for key, value in stored.items() if key not in runs.NOT_SETTINGS}
    stored = config.to_plain(config.from_plain("train", stored))  # with keys that came later
    for key in config.changed_keys(stored, plain):
        grows = key == "epochs" and plain["epochs"] > stored["epochs"]
        if not (grows or key in _FREE_KEYS or key.partition(".")[0] in _FREE_KEYS):
            raise UserError(
                f"the run in {run_directory.path} was started with another value",
                where=key,
                received=config.value_of(plain, key),
                expected=config.value_of(stored, key),
                remedy="Give another hydra.run.dir, or repeat the run's own settings"
                + ("; epochs may only grow" if key == "epochs" else ""),
            )
