"""The streams of a fusion: finished runs, several seeds of one setting as one stream.

They are found here, and what they were evaluated to is read and joined by item.
"""

from __future__ import annotations

import dataclasses
import glob
import json
import logging
import pathlib
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from lrcn import config, runs
from lrcn import settings as settings_lib
from lrcn.errors import UserError, few
from lrcn.inference import probabilities

log = logging.getLogger(__name__)

_MEASURED = ("checkpoint", "clips", "view", "short_videos", "pooling")  # of protocol.json
_FREE = {"seed", "name", "resume"}  # what may differ, too, between runs of one stream


@dataclasses.dataclass(frozen=True)
class Stream:
    """Runs that differ in their seed alone, in the order of seeds.

    Attributes:
        name: What tells the stream from the others, such as its modality.
        runs: At least one run.
        seeds: The seed of each.
    """

    name: str
    runs: tuple[runs.RunDirectory, ...]
    seeds: tuple[int, ...]


@dataclasses.dataclass(frozen=True)
class Values:
    """What the runs of all streams found for the items of a split, in one order.

    Attributes:
        items: The items; its values are those of the first run.
        by_run: [seeds, items, classes] of each stream.
    """

    items: probabilities.Predicted
    by_run: tuple[np.ndarray, ...]

    @property
    def streams(self) -> np.ndarray:
        """Each stream's mean over its seeds, [streams, items, classes]."""
        return np.stack([values.mean(axis=0) for values in self.by_run])

    @property
    def by_seed(self) -> list[np.ndarray]:
        """[streams, items, classes] for each seed, if all streams have as many and several."""
        counts = {len(values) for values in self.by_run}
        if counts == {1} or len(counts) > 1:
            return []
        return [np.stack(own) for own in zip(*self.by_run, strict=True)]


def find(entries: Sequence[Sequence[str]]) -> tuple[Stream, ...]:
    """Returns the streams that `runs` names.

    Args:
        entries: Run directories, or patterns of them, of each stream.

    Raises:
        UserError: There is one stream alone, a run is not there, not finished or given twice, or
            runs of a stream are not seeds of one setting.
    """
    if len(entries) < 2:
        raise UserError(
            "there is one stream alone",
            where="runs",
            received=f"[{', '.join(map(str, entries[0] if entries else ()))}]",
            expected="an entry for each of two streams or more",
            remedy="Set runs=[A,B]; runs of one entry are seeds of one stream, which are averaged",
        )
    if not all(entries):
        raise UserError(
            "a stream has no run",
            where="runs",
            received="an empty list as an entry",
            expected="a run for each stream",
            remedy="Leave the entry out, or name its runs",
        )
    matched = [[(text, run) for text in entry for run in _matching(text)] for entry in entries]
    _refuse_twice([pair for own in matched for pair in own])
    found = [[run for _, run in own] for own in matched]
    configs = [[_settings(run) for run in own] for own in found]
    for own, settings in zip(found, configs, strict=True):
        _refuse_other_settings(own, settings)
    names = _names([(own[0], settings[0]) for own, settings in zip(found, configs, strict=True)])
    streams = []
    for name, own, settings in zip(names, found, configs, strict=True):
        pairs = sorted(zip((s.seed for s in settings), own, strict=True), key=lambda pair: pair[0])
        streams.append(Stream(name, tuple(r for _, r in pairs), tuple(seed for seed, _ in pairs)))
    return tuple(streams)


def refuse_other_classes(streams: Sequence[Stream]) -> None:
    """Raises a `UserError` if runs tell other classes apart, before any is evaluated for it."""
    first, *others = (run for stream in streams for run in stream.runs)
    for run in others:
        if first.labels_file.exists() and run.labels_file.exists():
            known = first.read_labels(), run.read_labels()
            probabilities.refuse_other_classes(str(first.path), known[0], str(run.path), known[1])


def is_evaluated(run: runs.RunDirectory, split: str) -> bool:
    """Tells whether the run has the probabilities of a whole evaluation."""
    folder = run.evaluation(split)
    return all((folder / name).exists() for name in (probabilities.FILE, "metrics.json"))


def _matching(text: str) -> list[runs.RunDirectory]:
    """Returns the run of a name, or those of a pattern; other folders of a sweep do not count."""
    literal = runs.RunDirectory(pathlib.Path(text).expanduser())
    if _is_run(literal):
        return [literal]
    pattern = str(literal.path)
    found = [runs.RunDirectory(pathlib.Path(path)) for path in sorted(glob.glob(pattern))]  # noqa: PTH207 - the pattern may be absolute
    found = [run for run in found if _is_run(run)]
    if not found:
        inside = sorted(file.parent.name for file in literal.path.glob("*/config.json"))
        remedy = "Give the folder that `lrcn train` printed, or a pattern in quotes: 'SWEEP/*seed*'"
        if inside:
            remedy = f"Give the runs in it: '{text.rstrip('/')}/PATTERN', such as {few(inside)}"
        raise UserError(
            "no such run",
            where="runs",
            received=text,
            expected="a run directory, or a pattern that matches some",
            remedy=remedy,
        )
    return found


def _is_run(run: runs.RunDirectory) -> bool:
    """Tells whether a folder is that of a run, which may have failed before it began."""
    return run.config_file.exists() or run.failure is not None


def _refuse_twice(found: Sequence[tuple[str, runs.RunDirectory]]) -> None:
    by_path: dict[pathlib.Path, list[str]] = {}
    for text, run in found:
        by_path.setdefault(run.path.resolve(), []).append(text)
        if len(texts := by_path[run.path.resolve()]) > 1:
            raise UserError(
                "a run is given twice",
                where="runs",
                received=f"{run.path}, by {' and by '.join(texts)}",
                expected="each run in one place",
                remedy="Leave one out, or narrow a pattern: *modality=flow* for *flow*, which is "
                "in workflow, too",
            )


def _settings(run: runs.RunDirectory) -> settings_lib.TrainSettings:
    """Returns the settings of a finished run that tells classes."""
    if not run.is_done:
        raise UserError(
            "the run failed" if run.failure else "the run is not finished",
            where=run.path,
            received=run.failure or "no mark DONE",
            expected="a finished run",
            remedy="Repeat the command that started it, or leave the run out",
        )
    settings = run.read_settings()
    if settings.describes:
        raise UserError(
            "the run writes captions, which have no mean",
            where=run.path,
            received=f"workflow={settings.workflow.name}",
            expected="runs that tell classes, such as of workflow=lstm",
            remedy="Leave the run out",
        )
    return settings


def _refuse_other_settings(
    own: Sequence[runs.RunDirectory], settings: Sequence[settings_lib.TrainSettings]
) -> None:
    """Refuses runs of one stream that are not seeds of one setting."""
    first, seeds = config.to_plain(settings[0]), [each.seed for each in settings]
    for run, other in zip(own[1:], settings[1:], strict=True):
        plain = config.to_plain(other)
        keys = [
            key
            for key in config.changed_keys(first, plain)
            if not (key in _FREE or settings_lib.is_of_conduct(key))
        ]
        keys.sort(key=lambda key: not key.endswith(".name"))  # what others follow from
        if keys:
            raise UserError(
                f"runs of one stream differ in {keys[0]}, not in their seed alone",
                where="runs",
                received=f"{config.value_of(plain, keys[0])} in {run.path}",
                expected=f"{config.value_of(first, keys[0])} as in {own[0].path}",
                remedy="Give each setting an entry of its own: runs=[[A0,A1],[B0,B1]]",
            )
    for run, other in zip(own[1:], settings[1:], strict=True):
        if seeds.count(other.seed) > 1:
            raise UserError(
                "two runs of one stream have one seed",
                where="runs",
                received=f"seed={other.seed} of {run.path}",
                expected="a seed for each run of a stream",
                remedy="Leave one of them out",
            )


def _names(
    firsts: Sequence[tuple[runs.RunDirectory, settings_lib.TrainSettings]],
) -> list[str]:
    """Returns what tells streams apart: modality, workflow or folder, else their number."""
    ways: list[Callable] = [
        lambda run, settings: _modality(run),
        lambda run, settings: settings.workflow.name,
        lambda run, settings: run.path.resolve().name,
    ]
    for way in ways:
        names = [way(*pair) for pair in firsts]
        if len(set(names)) == len(names):
            return names
    return [f"stream {number}" for number in range(1, len(firsts) + 1)]


def _modality(run: runs.RunDirectory) -> str:
    shown = run.read_config().get("shown")
    return str(shown.get("modality", "rgb")) if isinstance(shown, dict) else "rgb"


def read(streams: Sequence[Stream], split: str) -> Values:
    """Reads what all runs found for a split, in the order of the first run's items.

    Args:
        streams: Their runs were evaluated on the split.
        split: The split.

    Raises:
        UserError: The runs were evaluated on other items, labels or classes, or otherwise.
    """
    found = {}
    for stream in streams:
        _refuse_other_protocols(stream, split)
        for run in stream.runs:
            file = run.evaluation(split) / probabilities.FILE
            found[str(run.path)] = probabilities.read(file)
            _refuse_multi_label(run, split, found[str(run.path)])
            if _is_older(file, run.best):
                log.warning(
                    "fuse: %s was trained on after it was evaluated on %s; measure it anew with "
                    "`lrcn evaluate`",
                    *(run.path, split),
                )
    ordered = iter(probabilities.joined(found, split=split))
    by_stream = [[next(ordered) for _ in stream.runs] for stream in streams]
    values = tuple(np.stack([each.values for each in own]) for own in by_stream)
    return Values(by_stream[0][0], values)


def _refuse_multi_label(run: runs.RunDirectory, split: str, found: probabilities.Predicted) -> None:
    if unlabelled := [id for id, own in zip(found.ids, found.truth, strict=True) if not own]:
        raise UserError(
            "there is nothing to measure by: items without a label",
            where=run.evaluation(split),
            received=few(unlabelled),
            expected="a label for every item",
            remedy="Evaluate the run on labelled items",
        )
    is_named = "video_map" in runs.read_json(run.evaluation(split) / "metrics.json")
    if is_named or any(len(own) != 1 for own in found.truth):
        raise UserError(
            "the run gives its items several labels each",
            where=run.path,
            received="a multi-label run",
            expected="runs of one label an item, whose accuracies are compared",
            remedy="Leave the run out",
        )


def _refuse_other_protocols(stream: Stream, split: str) -> None:
    """Refuses runs of one stream that were not evaluated in one way."""
    first = _protocol(stream.runs[0], split)
    for run in stream.runs[1:]:
        other = _protocol(run, split)
        for key in _MEASURED:
            if first.get(key) != other.get(key):
                raise UserError(
                    f"runs of one stream were evaluated with another {key}",
                    where="runs",
                    received=f"{json.dumps(other.get(key))} in {run.path}",
                    expected=f"{json.dumps(first.get(key))} as in {stream.runs[0].path}",
                    remedy="Evaluate both in one way with `lrcn evaluate`",
                )


def _protocol(run: runs.RunDirectory, split: str) -> dict[str, Any]:
    file = run.evaluation(split) / "protocol.json"
    return runs.read_json(file) if file.exists() else {}


def _is_older(file: pathlib.Path, checkpoint: pathlib.Path) -> bool:
    return checkpoint.exists() and file.stat().st_mtime < checkpoint.stat().st_mtime
