"""Lays finished runs on RGB and on flow out like Table 1 of Donahue et al. 2015.

    python scripts/two_streams.py multirun/ucf101_5_rgb multirun/ucf101_5_flow

The sweeps hold runs of `workflow=singleframe,lstm`, of `modality=rgb,flow` and of as many splits
and seeds as one likes, evaluated on test. A Markdown table of accuracies, mean and spread over
seeds, goes to stdout; equal seeds of RGB and flow are fused. Then come differences with bootstrap
intervals: groups of videos are drawn as one, over all splits, each video averaged over seeds.
"""

import argparse
import collections
import itertools
import pathlib
import sys
from collections.abc import Iterable

import compare
import numpy as np

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent))

from lrcn import errors, runs  # noqa: E402 - the checkout's package comes first
from lrcn.inference import probabilities  # noqa: E402
from lrcn.scoring import bootstrap, fusion  # noqa: E402

MODELS = {"singleframe": "single frame", "lstm": "LSTM"}
STREAMS = {"rgb": "RGB", "flow": "flow"}
COLUMNS = (*STREAMS.values(), *fusion.PAPER)


def cell_of(config: dict) -> tuple[str, str, str, int]:
    """Returns workflow, split, modality and seed of a run."""
    modality = config.get("modality", {}).get("name", "rgb")
    if modality == "auto":
        modality = config.get("shown", {}).get("modality", "rgb")
    split = str(config["dataset"].get("split", "-"))
    return config["workflow"]["name"], split, modality, config["seed"]


def told(cell: tuple) -> str:
    """Returns a cell in words."""
    workflow, split, modality, seed = cell
    return f"{workflow} {modality}{'' if split == '-' else f' split {split}'} seed {seed}"


def read(sweeps: list[pathlib.Path], split: str) -> dict[tuple, probabilities.Predicted]:
    """Returns what each run found for the videos of a split, by workflow, split, modality, seed.

    Raises:
        errors.UserError: Two runs are of one cell, or one is missing or was not evaluated.
    """
    folders = {}
    for run, config in itertools.chain.from_iterable(map(compare.finished, sweeps)):
        cell = cell_of(config)
        if cell[0] not in MODELS or cell[2] not in STREAMS:
            continue
        if cell in folders:
            raise errors.UserError(
                "two runs of one setting and seed",
                where=run.path,
                received=f"{told(cell)}, as {folders[cell].path}",
                expected="one run for each workflow, split, modality and seed",
                remedy="Give the folders of one sweep each for RGB and flow",
            )
        folders[cell] = run
    _refuse_gaps(sweeps, folders)
    return {cell: compare.evaluated(run, split) for cell, run in folders.items()}


def _refuse_gaps(sweeps: list[pathlib.Path], folders: dict[tuple, runs.RunDirectory]) -> None:
    models, splits, _, seeds = axes(folders) if folders else (MODELS, ["-"], STREAMS, [0])
    wanted = itertools.product(models, splits, STREAMS, seeds)
    if missing := [told(cell) for cell in wanted if cell not in folders]:
        raise errors.UserError(
            "finished runs are missing",
            where=", ".join(map(str, sweeps)),
            received=f"none of {errors.few(missing)}",
            expected="every workflow, split and seed on RGB and on flow",
            remedy="Give all folders of the sweeps, or finish them: repeat their commands",
        )


def axes(cells: Iterable[tuple]) -> tuple[list, ...]:
    """Returns the workflows, splits, modalities and seeds that there are, sorted."""
    return tuple(sorted(set(own)) for own in zip(*cells, strict=True))


Right = dict[str, dict[str, dict[str, np.ndarray]]]


def right(found: dict[tuple, probabilities.Predicted]) -> tuple[Right, dict[str, list[str]]]:
    """Returns right answers [seeds, videos] by model, column and split, and clusters by split."""
    hits = collections.defaultdict(lambda: {column: {} for column in COLUMNS})
    clusters = {}
    models, splits, _, seeds = axes(found)
    for split in splits:
        own = {cell: each for cell, each in found.items() if cell[1] == split}
        named = {told(cell): each for cell, each in own.items()}
        joined = dict(zip(own, probabilities.joined(named, split=f"split {split}"), strict=True))
        first = next(iter(joined.values()))
        clusters[split] = first.clusters
        weights = [*np.eye(len(STREAMS)), *fusion.PAPER.values()]
        for model, (column, share) in itertools.product(MODELS, zip(COLUMNS, weights, strict=True)):
            if model in models:
                values = [[joined[model, split, s, seed].values for s in STREAMS] for seed in seeds]
                fused = np.stack([fusion.weighted(own, share) for own in values])
                hits[model][column][split] = fused.argmax(axis=-1) == first.labels
    return hits, clusters


def table(hits: Right) -> list[str]:
    """Returns the lines of the Markdown table, a row a model and split, then their means."""
    lines = [f"| | {' | '.join(COLUMNS)} |", "|---|" + "---|" * len(COLUMNS)]
    splits = list(next(iter(hits.values()))[COLUMNS[0]])
    parts = [("" if split == "-" else f", split {split}", [split]) for split in splits]
    parts += [(f", mean of {len(splits)} splits", splits)] if len(splits) > 1 else []
    for name, chosen in parts:
        for model, columns in hits.items():
            cells = []
            for column in COLUMNS:
                accuracies = [columns[column][split].mean(axis=1) for split in chosen]
                cells.append(compare.mean_and_spread(list(np.mean(accuracies, axis=0))))
            lines.append(f"| {MODELS[model]}{name} | {' | '.join(cells)} |")
    return lines


def differences(hits: Right, clusters: dict[str, list[str]]) -> list[str]:
    """Returns a line a difference: between models by column, then between columns by model."""
    names = [name for own in clusters.values() for name in own]

    def gain(a: dict[str, np.ndarray], b: dict[str, np.ndarray]) -> bootstrap.Interval:
        means = [np.concatenate([own[split].mean(axis=0) for split in clusters]) for own in (a, b)]
        return bootstrap.difference(*means, names)

    rgb, flow, *fused = COLUMNS
    lines = []
    if len(hits) == len(MODELS):
        single, lstm = (hits[model] for model in MODELS)
        for column in COLUMNS:
            interval = gain(lstm[column], single[column])
            lines.append(compare.told(f"{column}: LSTM", "single frame", interval))
    for model, columns in hits.items():
        for a, b in [(flow, rgb), *((column, flow) for column in fused)]:
            interval = gain(columns[a], columns[b])
            lines.append(compare.told(f"{MODELS[model]}: {a}", b, interval))
    return lines


def main() -> int:
    """Prints the table and the differences."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("sweeps", type=pathlib.Path, nargs="+", help="folders with the runs")
    parser.add_argument("--split", default="test", help="evaluated split")
    options = parser.parse_args()
    try:
        hits, clusters = right(read(options.sweeps, options.split))
    except errors.UserError as error:
        print(f"error: {error}", file=sys.stderr)
        return error.exit_code
    print("\n".join(table(hits)))
    print()
    print("\n".join(f"* {line}" for line in differences(hits, clusters)))
    return 0


if __name__ == "__main__":
    sys.exit(main())
