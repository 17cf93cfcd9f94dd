"""Compares two settings of a sweep on the videos they were evaluated on.

    python scripts/compare.py multirun/ucf101_5 --by workflow.name --within dataset.split

A Markdown table of mean and spread over seeds goes to stdout, then the difference of every two
settings with a bootstrap interval. Whole clusters of videos are drawn, because videos of one group
resemble each other: those of one group in the records, or else each video by itself.
"""

import argparse
import collections
import itertools
import pathlib
import sys

import numpy as np

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent))

from lrcn import errors, runs  # noqa: E402 - the checkout's package comes first
from lrcn.inference import probabilities  # noqa: E402
from lrcn.scoring import bootstrap  # noqa: E402


def value_of(config: dict, key: str) -> str:
    """Returns the value of a dotted key."""
    for part in key.split("."):
        config = config[part]
    return str(config)


def evaluated(run: runs.RunDirectory, split: str) -> probabilities.Predicted:
    """Returns what a run found for the videos of a split.

    Raises:
        errors.UserError: It was not evaluated on it.
    """
    file = run.evaluation(split) / probabilities.FILE
    if not file.exists():
        raise errors.UserError(
            "the run has no probabilities of the split",
            where=file.parent,
            received=f"no {probabilities.FILE}",
            expected="an evaluated run",
            remedy=f"Evaluate it: lrcn evaluate run={run.path} split={split}",
        )
    return probabilities.read(file)


def right(found: probabilities.Predicted) -> dict[str, float]:
    """Returns for each video whether its best label is a true one."""
    best = found.values.argmax(axis=1)
    rows = zip(found.ids, best, found.truth, strict=True)
    return {id: float(label in truth) for id, label, truth in rows}


def finished(sweep: pathlib.Path) -> list[tuple[runs.RunDirectory, dict]]:
    """Returns the finished jobs of a sweep with their settings, in order of seeds."""
    if not sweep.is_dir():
        raise errors.UserError(
            "no such folder",
            where=sweep,
            received="nothing there",
            expected="a folder with the runs of a sweep, such as multirun/NAME",
            remedy="Correct the path; it is relative to the working directory",
        )
    jobs = [runs.RunDirectory(file.parent) for file in sweep.rglob("config.json")]
    configs = [(run, run.read_config()) for run in jobs if run.is_done]
    return sorted(configs, key=lambda pair: (pair[1]["seed"], str(pair[0].path)))


def read(sweep: pathlib.Path, split: str, by: str, within: str) -> tuple[dict, dict[str, str]]:
    """Returns the correct videos of each finished job, and the cluster of each video.

    The first are by setting and part, in order of seeds.
    """
    found = collections.defaultdict(lambda: collections.defaultdict(list))
    clusters = {}
    for run, config in finished(sweep):
        own = evaluated(run, split)
        found[value_of(config, by)][value_of(config, within)].append(right(own))
        clusters |= dict(zip(own.ids, own.clusters, strict=True))
    return dict(sorted(found.items())), clusters


def mean_and_spread(values: list[float]) -> str:
    """Returns the mean, with the standard deviation if there are several values."""
    mean = f"{np.mean(values):.3f}"
    return mean if len(values) < 2 else f"{mean} ± {np.std(values, ddof=1):.3f}"


def table(found: dict) -> list[str]:
    """Returns the lines of a Markdown table: accuracy, mean and standard deviation over seeds."""
    parts = sorted({part for jobs in found.values() for part in jobs})
    lines = [f"| | {' | '.join(parts)} | mean |", "|---|" + "---|" * (len(parts) + 1)]
    for setting, jobs in found.items():
        scores = {part: [np.mean(list(job.values())) for job in jobs[part]] for part in parts}
        means = np.mean([scores[part] for part in parts], axis=0)
        cells = [mean_and_spread(own) for own in [*scores.values(), means]]
        lines.append(f"| {setting} | {' | '.join(cells)} |")
    return lines


def difference(a: dict, b: dict, clusters: dict[str, str]) -> bootstrap.Interval:
    """Returns accuracy of a minus accuracy of b over all parts, videos averaged over seeds."""
    gains_a, gains_b, names = [], [], []
    for part in sorted(a):
        for video in sorted(a[part][0]):
            gains_a.append(np.mean([job[video] for job in a[part]]))
            gains_b.append(np.mean([job[video] for job in b[part]]))
            names.append(clusters[video])
    return bootstrap.difference(gains_a, gains_b, names)


def told(a: str, b: str, gain: bootstrap.Interval) -> str:
    """Returns a difference with its interval as a line."""
    return (
        f"{a} minus {b}: {gain.difference:+.3f} [{gain.low:+.3f}, {gain.high:+.3f}] "
        f"(95 %, {gain.items} videos in {gain.clusters} groups)"
    )


def main() -> int:
    """Prints the table and the differences."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("sweep", type=pathlib.Path)
    parser.add_argument("--by", default="workflow.name", help="key that is compared")
    parser.add_argument("--within", default="dataset.split", help="key of the parts")
    parser.add_argument("--split", default="test", help="evaluated split")
    options = parser.parse_args()
    try:
        found, clusters = read(options.sweep, options.split, options.by, options.within)
    except errors.UserError as error:
        print(f"error: {error}", file=sys.stderr)
        return error.exit_code
    print("\n".join(table(found)))
    for a, b in itertools.combinations(found, 2):
        print(f"\n{told(a, b, difference(found[a], found[b], clusters))}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
