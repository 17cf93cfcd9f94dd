"""`MODEL_CARD.md`: written when a run begins, ends or fails, by a sweep and by `lrcn report`."""

from __future__ import annotations

import dataclasses
import datetime
from collections.abc import Sequence

import numpy as np

import lrcn
from lrcn import files, provenance, runs, states
from lrcn.inference import probabilities
from lrcn.inference.card import facts, markdown, weights

FILE = "MODEL_CARD.md"
_WORST = 3
_MOST_NAMES = 30  # of classes
_TOLD_FIRST = ("video_accuracy", "video_map", "cider")
_COUNTS = ("videos", "items", "epoch", "distinct_captions")


def write(run: runs.RunDirectory, *, state: states.State | None = None) -> None:
    """Writes the card of a run.

    Args:
        run: The run directory.
        state: What becomes of the run as soon as the card is there; None: as its marks tell.

    Raises:
        UserError: There is no run, a file of it is damaged, or the card cannot be written.
    """
    known = facts.of_run(run)
    known = known if state is None else dataclasses.replace(known, state=state)
    files.write_text(run.path / FILE, of(known))


def of(known: facts.Facts) -> str:
    """Returns the card as Markdown.

    Args:
        known: What is known of the run.
    """
    sections = {
        "What it does": _purpose(known),
        "Data": _data(known),
        "How well it does": _results(known),
        "Protocol": _protocol(known),
        "Limits": [f"* {line}" for line in _limits(known)],
        "Licences": weights.notes(known.settings),
    }
    state = known.state.told if known.state.is_done else markdown.code(known.state.told)
    made = (
        f"Written by lrcn {lrcn.__version__} on {datetime.date.today():%Y-%m-%d}, and anew by "
        f"`lrcn report`. {state}"
    )
    parts = [f"# Model card: {markdown.code(known.name)}", made]
    for title, lines in sections.items():
        parts += [f"## {title}", "\n".join(lines)]
    return "\n\n".join(parts) + "\n"


def _purpose(known: facts.Facts) -> list[str]:
    own, train = known.settings, known.data.get("train", {})
    seen = {"image": "images", "video": "videos"}.get(train.get("type"), "images or videos")
    if known.describes:
        does = f"Describes {seen} in a sentence"
    else:
        count = f"{train['classes']} " if train.get("classes") else ""
        does = f"Tells {count}classes of {seen} apart"
    workflow, backbone = own["workflow"]["name"], own["backbone"]["name"]
    start = ", ".join(origin.what for origin in weights.origins(own)) or "trained from scratch"
    lines = [f"{does}: workflow `{workflow}` over the CNN `{backbone}`; {start}."]
    if known.labels:
        names = [markdown.code(name) for name in known.labels[:_MOST_NAMES]]
        more = len(known.labels) - len(names)
        told = ", ".join(names) + (f" and {more} more in `labels.txt`" if more else "")
        lines.append(f"Its classes: {told}.")
    if own["modality"]["name"] not in ("rgb", "auto"):
        lines.append(f"It sees {own['modality']['name']}, not colours.")
    if mode := (own.get("shown") or {}).get("mode"):
        lines.append(f"It reads {mode['num_frames_per_clip']} frames at a time.")
    return [*lines, "", "```", "lrcn predict run=THIS_FOLDER input=FILE", "```"]


def _data(known: facts.Facts) -> list[str]:
    source = known.settings["dataset"]["source"]
    if not known.data:
        return [
            f"Data set `{source}`. The run did not get to its records yet, or is of a version that "
            "kept no note of them."
        ]
    head = ["split", "items", "frames", "groups", "skipped", "hash of the records", "from"]
    rows = [
        [
            *(split, own["items"], own["frames"], len(own["groups"]) or "none told"),
            *(own["skipped"], markdown.code(own["digest"]), markdown.code(own["source"])),
        ]
        for split, own in known.data.items()
    ]
    return [f"Data set `{source}`, as it was serialized:", "", *markdown.table(head, rows)]


def _results(known: facts.Facts) -> list[str]:
    lines = []
    if known.is_validated:
        epoch = "?" if known.best_epoch is None else known.best_epoch
        title = f"Validation{_count(known.validation)}, of the best epoch ({epoch}), chosen by it:"
        lines += [title, "", *_metrics(known.validation), ""]
    for split, own in known.evaluated.items():
        lines += [f"`{split}`{_count(own)}:", "", *_metrics(own), ""]
    return lines[:-1] or ["Nothing was measured yet."]


def _count(measured: facts.Measured) -> str:
    found = measured.metrics.get("videos") or measured.metrics.get("items")
    return f", {found.own:.0f} items" if found else ""


def _metrics(measured: facts.Measured) -> list[str]:
    """Returns the table of metrics; the column of seeds only where several were measured."""
    metrics = {name: own for name, own in measured.metrics.items() if name not in _COUNTS}
    most = max((len(own.values) for own in metrics.values()), default=1)
    head = ["metric", "this run"]
    head += [f"mean ± standard deviation of {most} seeds"] if most > 1 else []
    rows = []
    for name, own in sorted(metrics.items(), key=_place):
        row = [markdown.code(name), f"{own.own:.4f}"]
        if most > 1 and own.deviation is not None:
            of = "" if len(own.values) == most else f" ({len(own.values)} seeds)"
            row.append(f"{own.mean:.4f} ± {own.deviation:.4f}{of}")
        elif most > 1:
            row.append("of this seed alone")
        rows.append(row)
    return markdown.table(head, rows)


def _protocol(known: facts.Facts) -> list[str]:
    own = known.settings
    monitor = own["callbacks"]["monitor"]
    lines = [
        f"* Training: {known.epochs} of {own['epochs']} epochs, batches of {own['batch_size']}, "
        f"`{own['optimizer']['name']}` at {own['optimizer']['learning_rate']}, schedule "
        f"`{own['schedule']['name']}`, `{own['precision']}`, seed {own['seed']}.",
        f"* The epoch with the best `{monitor}` of the validation split is kept."
        if known.is_validated or "val" in known.data
        else "* The last epoch is kept: no validation split has chosen one.",
    ]
    if len(known.seeds) > 1:
        lines.append(
            f"* Seeds {', '.join(map(str, known.seeds))} were trained on the same data with the "
            "same settings, and lie beside it."
        )
    for split, measured in known.evaluated.items():
        lines += [f"* {line}" for line in _of_evaluation(split, measured)]
    return [*lines, "", *markdown.block(provenance.command(own))]


def _of_evaluation(split: str, measured: facts.Measured) -> list[str]:
    told, lines = measured.protocol, []
    if told is not None:
        how = ", ".join(f"{key} {value}" for key, value in told.how.items())
        lines.append(
            f"`{split}`: clips {markdown.code(told.clips)}, crop {markdown.code(told.crop)} of "
            f"{'x'.join(map(str, told.size))}, {markdown.code(how)}; records "
            f"{markdown.code(told.digest)}, checkpoint {markdown.code(told.checkpoint)}, seed "
            f"{told.seed}."
        )
    if measured.is_stale:
        lines.append(f"`{split}` was measured before the training went on: evaluate it again.")
    if measured.left_out:
        lines.append(
            f"{measured.left_out} more seeds were measured on `{split}` in another way or on other "
            "records, and are left out of its mean."
        )
    return lines


def _limits(known: facts.Facts) -> list[str]:
    lines = []
    if "test" not in known.evaluated:
        lines.append(
            "No test split was evaluated when this card was written. Where a validation split has "
            "chosen the epoch, its figures flatter: new data will do worse."
        )
    if len(known.seeds) == 1:
        lines.append("One seed was trained: how far the figures move by chance is not known.")
    train = known.data.get("train", {}).get("groups", [])
    for split, measured in known.evaluated.items():
        if measured.predicted is not None:
            lines += _of_split(split, measured.predicted, train)
    both = set(train) & set(known.data.get("val", {}).get("groups", []))
    if both:
        lines.append(
            f"Training and validation share {len(both)} groups: validation measures memory."
        )
    if known.data and not train:
        lines.append(
            "Nothing tells which items are of one recording or person, so parts of one may stand "
            "in training and in what it was measured on; `lrcn check` finds copies alone."
        )
    if known.describes:
        lines.append(
            "Every picture gets a sentence, also one that shows nothing the network knows; it says "
            "words of its training captions alone."
        )
    else:
        lines.append("It knows its classes alone, and says nothing else whatever it is shown.")
    lines.append("It is measured on data of the kind that it was trained on, and on no other.")
    return lines


def _of_split(split: str, predicted: probabilities.Predicted, trained: Sequence[str]) -> list[str]:
    """Returns what is to be known of figures on a split: its weak classes, and its groups."""
    lines = []
    if all(len(own) == 1 for own in predicted.truth):
        counts = np.bincount(predicted.labels, minlength=len(predicted.names))
        most = markdown.code(predicted.names[int(counts.argmax())])
        lines.append(
            f"On `{split}`, always saying {most} would be right in "
            f"{counts.max() / counts.sum():.4f}."
        )
        lines += _weak_classes(split, predicted, counts)
    shared = set(trained) & set(filter(None, predicted.groups))
    if shared:
        lines.append(
            f"`{split}` shares {len(shared)} groups with training: there it measures memory."
        )
    return lines


def _weak_classes(split: str, predicted: probabilities.Predicted, counts: np.ndarray) -> list[str]:
    is_right = predicted.values.argmax(axis=1) == predicted.labels
    right = np.bincount(predicted.labels[is_right], minlength=len(counts))
    weak = sorted(
        (right[label] / counts[label], label)
        for label in np.flatnonzero(counts)
        if right[label] < counts[label]
    )
    if not weak:
        return []
    told = ", ".join(
        f"{markdown.code(predicted.names[label])} ({share:.2f})" for share, label in weak[:_WORST]
    )
    return [f"On `{split}` it finds least of: {told} (share of the class that is found)."]


def _place(pair: tuple[str, object]) -> tuple[int, str]:
    metric = pair[0]
    return (_TOLD_FIRST.index(metric) if metric in _TOLD_FIRST else len(_TOLD_FIRST), metric)
