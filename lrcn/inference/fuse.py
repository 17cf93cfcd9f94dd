"""Streams fused by the weighted mean of their probabilities, measured beside each one alone."""

from __future__ import annotations

import dataclasses
import hashlib
import json
import logging
import pathlib
import re
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np

from lrcn import files, runs
from lrcn.data import bounded, lines
from lrcn.data.limits import Limits
from lrcn.errors import UserError
from lrcn.inference import fusion_plot, results
from lrcn.inference import streams as streams_lib
from lrcn.inference.fused import Difference, Fused, Measured
from lrcn.scoring import bootstrap, fusion, metrics

log = logging.getLogger(__name__)

_LONGEST_NAME = 60  # characters of a partner in the name of a folder


@dataclasses.dataclass(frozen=True)
class _Candidate:
    """Weights to measure; None for those that val chooses."""

    name: str
    weights: tuple[float, ...] | None
    how: str


def fuse(
    streams: Sequence[streams_lib.Stream],
    *,
    split: str,
    weights: Sequence[float] | None = None,
    validated: bool = False,
    folder: pathlib.Path,
) -> Fused:
    """Measures every stream and every fusion from saved probabilities, and writes the results.

    Args:
        streams: Two streams or more; every run was evaluated on the split.
        split: The split that is reported.
        weights: A weight a stream; None for the paper's of two streams, equal ones of more, and
            those that are best on val.
        validated: Whether every run was evaluated on val, too, to choose weights on.
        folder: Where `fusion.json`, `fusion.png` (of two streams) and the files of an evaluation
            go.

    Raises:
        UserError: The runs were evaluated on other items, labels or classes, or otherwise.
    """
    refuse_foreign(folder)
    tested = streams_lib.read(streams, split)
    val = streams_lib.read(streams, "val") if validated and split != "val" else None
    alone = [
        _Candidate(stream.name, tuple(own), "alone")
        for stream, own in zip(streams, np.eye(len(streams)).tolist(), strict=True)
    ]
    names = [stream.name for stream in streams]
    candidates = [*alone, *_candidates(names, weights, chosen=val is not None)]
    rows: list[Measured] = []
    for candidate in candidates:
        rows.append(_measured(candidate, tested, val, rows))
    free = [row for row in rows if row.how == "chosen on val"]
    for row in free:
        log.info(
            "fuse: chosen on val: %s, of accuracy %.4f and log-loss %.4f there",
            " + ".join(f"{own:g} {name}" for own, name in zip(row.weights, names, strict=True)),
            *(row.validation[key] for key in ("video_accuracy", "loss")),
        )
    kept = (free or rows[len(streams) :])[0]
    fused = Fused(
        split,
        tuple(rows),
        kept.name,
        len(tested.items.ids),
        len(set(tested.items.clusters)),
        any(tested.items.groups),
    )
    _write(folder, fused, kept, streams, tested, val)
    return fused


def default_folder(
    streams: Sequence[streams_lib.Stream], split: str, weights: Sequence[float] | None
) -> pathlib.Path:
    """Returns a folder in the first run that tells which streams it was fused with, and how."""
    first, *others = streams
    partner = "+".join(stream.runs[0].path.resolve().name for stream in others)
    partner = re.sub(r"[^\w.,=+-]+", "_", partner)[:_LONGEST_NAME]
    paths = [[str(run.path.resolve()) for run in stream.runs] for stream in streams]
    digest = hashlib.sha256(json.dumps(paths).encode()).hexdigest()[:8]
    given = "" if weights is None else f"-weights={','.join(f'{own:.4g}' for own in weights)}"
    return first.runs[0].evaluation(split) / "fused" / f"{partner}-{digest}{given}"


def refuse_foreign(folder: pathlib.Path) -> None:
    """Raises a `UserError` for a folder with files that no fusion wrote; its own are replaced."""
    is_fusion = (folder / "fusion.json").exists()
    if folder.is_dir() and not is_fusion and any(folder.iterdir()):
        raise UserError(
            "the folder holds files of something else",
            where="output_folder",
            received=folder,
            expected="a new or empty folder, or that of a fusion",
            remedy="Give another folder, or leave output_folder out",
        )


def _candidates(
    names: Sequence[str], weights: Sequence[float] | None, *, chosen: bool
) -> list[_Candidate]:
    if weights is not None:
        return [_Candidate("given", tuple(weights), "given")]
    if len(names) == 2:
        found = list(_of_paper(names))
    else:
        found = [_Candidate("equal", (1 / len(names),) * len(names), "equal")]
    return [*found, _Candidate("free", None, "chosen on val")] if chosen else found


def _of_paper(names: Sequence[str]) -> Iterator[_Candidate]:
    """Yields the paper's weights: of RGB the smaller one, whichever of the two is named first."""
    order, how = (0, 1), "fixed"
    if sorted(names) == sorted(fusion.STREAMS):
        order, how = tuple(map(fusion.STREAMS.index, names)), "paper"
    for told, weights in fusion.PAPER.items():
        parts = told.split(", ")
        name = ", ".join(parts[place] for place in order)
        yield _Candidate(name, tuple(weights[place] for place in order), how)


def _measured(
    candidate: _Candidate,
    tested: streams_lib.Values,
    val: streams_lib.Values | None,
    before: Sequence[Measured],
) -> Measured:
    labels, clusters, streams = tested.items.labels, tested.items.clusters, tested.streams
    weights = candidate.weights or _chosen(val.streams, val.items.labels)
    values = fusion.weighted(streams, weights)
    right = metrics.hits(values, labels)
    differences = []
    for row in before:
        others = metrics.hits(fusion.weighted(streams, row.weights), labels)
        found = bootstrap.difference(right, others, clusters)
        differences.append(Difference(row.name, found.difference, found.low, found.high))
    return Measured(
        candidate.name,
        weights,
        candidate.how,
        _figures(values, labels),
        _figures(fusion.weighted(val.streams, weights), val.items.labels) if val else None,
        tuple(differences),
        _by_seed(candidate, tested, val),
    )


def _by_seed(
    candidate: _Candidate, tested: streams_lib.Values, val: streams_lib.Values | None
) -> tuple[float, ...]:
    """Returns the accuracy with each seed alone; what is chosen is chosen for each anew."""
    accuracies = []
    for number, streams in enumerate(tested.by_seed):
        weights = candidate.weights or _chosen(val.by_seed[number], val.items.labels)
        values = fusion.weighted(streams, weights)
        accuracies.append(metrics.accuracy(values, tested.items.labels))
    return tuple(accuracies)


def _chosen(streams: np.ndarray, labels: np.ndarray) -> tuple[float, ...]:
    """Returns the weights of the highest accuracy, of those that of the lowest log-loss."""

    def score(values: np.ndarray) -> tuple[float, float]:
        return metrics.accuracy(values, labels), -metrics.cross_entropy(values, labels)

    return fusion.choose(streams, fusion.grid(len(streams)), score)


def _figures(values: np.ndarray, labels: np.ndarray) -> dict[str, float]:
    return {
        "video_accuracy": metrics.accuracy(values, labels),
        "video_top5": metrics.top_k(values, labels),
        "loss": metrics.cross_entropy(values, labels),
    }


def _write(
    target: pathlib.Path,
    fused: Fused,
    kept: Measured,
    streams: Sequence[streams_lib.Stream],
    tested: streams_lib.Values,
    val: streams_lib.Values | None,
) -> None:
    """Writes what was found; `fusion.json` comes first, so that the folder tells what it is."""
    members = [
        {
            "name": stream.name,
            "runs": [
                {"run": str(run.path.absolute()), "seed": seed}
                for run, seed in zip(stream.runs, stream.seeds, strict=True)
            ],
        }
        for stream in streams
    ]
    if (target / "fusion.json").exists():
        log.info("%s: these results replace those of a fusion before", target)
    report: dict[str, Any] = {"streams": members, **dataclasses.asdict(fused)}
    items = tested.items
    values = fusion.weighted(tested.streams, kept.weights)
    paths = _paths(streams[0].runs[0], fused.split)
    with files.together(target, first="fusion.json", last="metrics.json") as folder:
        files.write_json(folder / "fusion.json", report)
        if len(streams) == 2:
            curves = {fused.split: _curve(tested)} | ({"val": _curve(val)} if val else {})
            fusion_plot.draw(folder / "fusion.png", curves, fused.rows, reported=fused.split)
        results.write(
            folder,
            {**kept.figures, "videos": fused.items},
            dataclasses.replace(items, values=values),
            labels=items.labels,
            paths=[paths.get(id, "") for id in items.ids],
            windows=[[] for _ in items.ids],
        )


def _curve(values: streams_lib.Values) -> list[tuple[float, float]]:
    """Returns weight of the first stream and accuracy, over the grid."""
    streams, labels = values.streams, values.items.labels
    return [
        (weights[0], metrics.accuracy(fusion.weighted(streams, weights), labels))
        for weights in fusion.grid(2)
    ]


def _paths(run: runs.RunDirectory, split: str) -> dict[str, str]:
    """Returns where each item came from, as far as the run's predictions tell."""
    file = run.evaluation(split) / "predictions.jsonl"
    if not file.exists():
        return {}
    try:
        data = bounded.read(file, what="predictions of a run", limits=Limits())
        told = map(json.loads, lines.of(data.decode()))
        return {str(line["id"]): str(line["path"]) for line in told}
    except UserError:
        raise
    except (OSError, ValueError, TypeError, KeyError, RecursionError) as error:
        raise UserError(
            "no predictions as `lrcn evaluate` writes them",
            where=file,
            received=f"{type(error).__name__}: {error}",
            expected="a JSON line an item, with id and path",
            remedy="Evaluate the run again: lrcn evaluate run=RUN split=SPLIT",
        ) from error
