"""`MODEL_CARD.md`: written when a run begins, ends, fails or is evaluated."""

from __future__ import annotations

import dataclasses
import datetime
from collections.abc import Iterable, Sequence

import numpy as np

import lrcn
from lrcn import files, runs
from lrcn.errors import visible
from lrcn.inference import probabilities
from lrcn.inference.card import facts, licences

FILE = "MODEL_CARD.md"
_WORST = 3
_TOLD_FIRST = ("video_accuracy", "video_map", "cider")
_COUNTS = ("videos", "items", "epoch", "distinct_captions")


def write(run: runs.RunDirectory, *, state: str | None = None) -> None:
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
        "Limits": _limits(known),
        "Licences": licences.notes(known.settings),
    }
    made = f"Written by lrcn {lrcn.__version__} on {datetime.date.today():%Y-%m-%d}."
    state = f"The run is {_safe(known.state)}. `lrcn report` writes this card anew."
    parts = [f"# Model card: {_safe(known.name)}", f"{made} {state}"]
    for title, lines in sections.items():
        parts += [f"## {title}", "\n".join(lines)]
    return "\n\n".join(parts) + "\n"


def _purpose(known: facts.Facts) -> list[str]:
    own = known.settings
    workflow, backbone = own["workflow"]["name"], own["backbone"]["name"]
    train = known.data.get("train", {})
    seen = {"image": "images", "video": "videos"}.get(train.get("type"), "images or videos")
    if known.describes:
        does = f"Describes {seen} in a sentence"
    else:
        count = f"{train['classes']} " if train.get("classes") else ""
        does = f"Tells {count}classes of {seen} apart"
    start = {None: "trained from scratch", "imagenet": "with ImageNet weights"}
    weights = start.get(own["backbone"].get("weights"), "with weights of a file")
    lines = [f"{does}: workflow `{workflow}` over the CNN `{backbone}`, {weights}."]
    if own["modality"]["name"] not in ("rgb", "auto"):
        lines.append(f"It sees {own['modality']['name']}, not colours.")
    frames = (own.get("shown") or {}).get("mode")
    if frames:
        lines.append(f"It reads {frames['num_frames_per_clip']} frames at a time.")
    lines += ["", "```", "lrcn predict run=THIS_FOLDER input=FILE", "```"]
    return lines


def _data(known: facts.Facts) -> list[str]:
    source = known.settings["dataset"]["source"]
    lines = [f"Data set `{source}`, as it was serialized:", ""]
    if not known.data:
        return [
            f"Data set `{source}`. The run did not get to its records yet, or is of a version "
            "that kept no note of them."
        ]
    rows = [
        [
            split,
            own["items"],
            own["frames"],
            len(own["groups"]) or "none told",
            own["skipped"],
            f"`{own['digest']}`",
            _safe(own["source"]),
        ]
        for split, own in known.data.items()
    ]
    head = ["split", "items", "frames", "groups", "skipped", "hash of the records", "from"]
    return [*lines, *_table(head, rows)]


def _results(known: facts.Facts) -> list[str]:
    lines = []
    for split, own in known.spread.items():
        if not split and not ({"videos", "items"} & own.keys()):
            continue  # without validation there is an epoch alone
        count = own.get("videos") or own.get("items")
        of = f", {count.own:.0f} items" if count else ""
        title = (
            f"`{split}`{of}"
            if split
            else (
                f"Validation{of}, of the best epoch ({known.validation.get('epoch', '?')}), "
                "which it has chosen"
            )
        )
        head = ["metric", "this run"]
        several = len(known.seeds) > 1
        head += [f"mean ± standard deviation of seeds {_numbers(known.seeds)}"] if several else []
        rows = []
        for metric, value in sorted(own.items(), key=_place):
            if metric in _COUNTS:
                continue
            row = [metric, f"{value.own:.4f}"]
            if several:
                spread = value.deviation
                row.append(
                    f"{value.mean:.4f} ± {spread:.4f} ({len(value.values)})"
                    if spread is not None
                    else "of this seed alone"
                )
            rows.append(row)
        lines += [f"{title}:", "", *_table(head, rows), ""]
    return lines[:-1] or ["Nothing was measured yet."]


def _protocol(known: facts.Facts) -> list[str]:
    own = known.settings
    lines = [
        f"* Training: {known.state_file.get('epoch', 0)} of {own['epochs']} epochs, batches of "
        f"{own['batch_size']}, `{own['optimizer']['name']}` at "
        f"{own['optimizer']['learning_rate']}, schedule `{own['schedule']['name']}`, "
        f"`{own['precision']}`, seed {own['seed']}.",
        f"* {_choice(known)}",
    ]
    for split, told in known.protocols.items():
        if split in known.stale:
            lines.append(
                f"* `{split}` was measured before the training went on: evaluate it again."
            )
        how = told.get("pooling") or told.get("search")
        joined = ", ".join(f"{key} {value}" for key, value in (how or {}).items())
        lines.append(
            f"* `{split}`: clips {told['clips']}, crop {told['view']['crop']} of "
            f"{'x'.join(map(str, told['view']['size']))}, {joined}; records `{told['digest']}`, "
            f"checkpoint {told['checkpoint']}, seed {told['seed']}."
        )
    overrides = " ".join(own.get("overrides") or [])
    return [*lines, "", "```", _safe(f"lrcn train {overrides}"), "```"]


def _choice(known: facts.Facts) -> str:
    if "val" in known.data or {"videos", "items"} & known.validation.keys():
        monitor = known.settings["callbacks"]["monitor"]
        return f"The epoch with the best `{monitor}` of the validation split is kept."
    return "The last epoch is kept: no validation split has chosen one."


def _limits(known: facts.Facts) -> list[str]:
    lines = []
    if "test" not in known.evaluated:
        lines.append(
            "No test split was evaluated. Where a validation split has chosen the epoch, its "
            "figures flatter: new data will do worse."
        )
    if len(known.seeds) == 1:
        lines.append("One seed was trained: how far the figures move by chance is not known.")
    for split, predicted in known.predicted.items():
        lines += _of_split(split, predicted, known.data.get("train", {}).get("groups", []))
    both = set(known.data.get("train", {}).get("groups", []))
    both &= set(known.data.get("val", {}).get("groups", []))
    if both:
        lines.append(
            f"Training and validation share {len(both)} groups: validation measures memory."
        )
    if known.data and not known.data["train"]["groups"]:
        lines.append(
            "Nothing tells which items are of one recording or person, so parts of one may stand "
            "in training and in what it was measured on; `lrcn check` finds copies alone."
        )
    if known.describes:
        lines += [
            "Every picture gets a sentence, also one that shows nothing the network knows; it says "
            "words of its training captions alone.",
        ]
    else:
        lines.append("Whatever it is shown, it answers with one of its classes.")
    lines.append("It is measured on data of the kind that it was trained on, and on no other.")
    return [f"* {line}" for line in lines]


def _of_split(split: str, predicted: probabilities.Predicted, trained: Sequence[str]) -> list[str]:
    """Returns what is to be known of figures on a split: its weak classes, and its groups."""
    lines = []
    if all(len(own) == 1 for own in predicted.truth):
        counts = np.bincount(predicted.labels, minlength=len(predicted.names))
        most = predicted.names[int(counts.argmax())]
        lines.append(
            f"On `{split}`, always saying `{_safe(most)}` would be right in "
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
        f"`{_safe(predicted.names[label])}` ({share:.2f})" for share, label in weak[:_WORST]
    )
    return [f"On `{split}` it finds least of: {told} (share of the class that is found)."]


def _place(pair: tuple[str, object]) -> tuple[int, str]:
    metric = pair[0]
    return (_TOLD_FIRST.index(metric) if metric in _TOLD_FIRST else len(_TOLD_FIRST), metric)


def _numbers(values: Iterable[int]) -> str:
    return ", ".join(map(str, values))


def _table(head: Sequence[str], rows: Iterable[Sequence[object]]) -> list[str]:
    lines = [head, ["---"] * len(head), *rows]
    return ["| " + " | ".join(map(str, row)) + " |" for row in lines]


def _safe(text: str) -> str:
    """Returns a name of strangers that is neither Markdown nor HTML, in one line."""
    told = visible(" ".join(str(text).split()))
    return told.replace("|", "\\|").replace("<", "&lt;").replace("`", "'")
