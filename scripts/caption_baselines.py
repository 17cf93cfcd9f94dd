"""Scores two describers that need no training, on the data set of a run.

    python scripts/caption_baselines.py RUN [--split val]

"nearest" says what was written for the training item whose CNN features are most alike (cosine of
the mean over frames); each of its captions in turn, and the mean of their scores. "most frequent"
says one caption for everything: the one that was written most often. Both are scored as
`lrcn evaluate` scores; a Markdown table goes to stdout.
"""

import argparse
import collections
import pathlib
import sys
from collections.abc import Sequence

import numpy as np

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent))

from lrcn import settings, verbs  # noqa: E402 - the checkout's package comes first
from lrcn.errors import UserError  # noqa: E402

_METRICS = ("bleu_1", "bleu_4", "rouge_l", "cider")


def main(arguments: Sequence[str] | None = None) -> int:
    """Prints the table.

    Returns:
        0, or 1 if the run or the split is not there.
    """
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("run", help="a run of a workflow that describes, with a frozen CNN")
    parser.add_argument("--split", default="val", choices=("train", "val", "test"))
    given = parser.parse_args(arguments)
    verbs.start_tensorflow()
    try:
        train, chosen = captions_and_vectors(given.run, ("train", given.split))
    except UserError as error:
        sys.stderr.write(f"error: {error}\n")
        return error.exit_code
    rows = {
        "nearest training item": nearest(train, chosen),
        "most frequent caption": most_frequent(train[0], chosen[0]),
    }
    print(f"| | {' | '.join(_METRICS)} |\n|---|" + "---|" * len(_METRICS))
    for name, values in rows.items():
        print(f"| {name} | {' | '.join(f'{values[key]:.3f}' for key in _METRICS)} |")
    return 0


def captions_and_vectors(run: str, splits: Sequence[str]) -> list[tuple]:
    """Returns the captions of each item of some splits and a vector of length one for each item.

    Raises:
        UserError: There is no such run, split or caption.
    """
    from lrcn import evaluation
    from lrcn.data import references
    from lrcn.inference import trained
    from lrcn.models import networks
    from lrcn.training import features

    opened = trained.load(run)
    paths = evaluation.paths_of(opened, settings.EvaluateSettings(run=run))
    found = []
    for record_set in [evaluation.open_split(paths, split) for split in splits]:
        captions = references.of_records(record_set)
        own = features.extract(record_set, networks.backbone(opened.model), view=opened.view(None))
        means = np.stack([part.mean(axis=0) for part in np.split(own.values, own.starts[1:])])
        found.append((captions, means / np.linalg.norm(means, axis=1, keepdims=True)))
    return found


def nearest(train: tuple, chosen: tuple) -> dict[str, float]:
    """Returns the mean score of the captions of the nearest training items."""
    from lrcn.scoring import captions

    places = (chosen[1] @ train[1].T).argmax(axis=1)
    own = [train[0][place] for place in places]
    turns = range(min(map(len, own)))
    scored = [captions.summary([texts[k] for texts in own], chosen[0]) for k in turns]
    return {key: float(np.mean([values[key] for values in scored])) for key in _METRICS}


def most_frequent(train: tuple, wanted: tuple) -> dict[str, float]:
    """Returns the score of the caption that stands most often in training, said of everything."""
    from lrcn.data import text
    from lrcn.scoring import captions

    counts = collections.Counter(" ".join(text.tokenise(c)) for own in train for c in own)
    caption, number = min(counts.items(), key=lambda pair: (-pair[1], pair[0]))
    sys.stderr.write(f"most frequent caption, {number} times: {caption}\n")
    return captions.summary([caption] * len(wanted), wanted)


if __name__ == "__main__":
    sys.exit(main())
