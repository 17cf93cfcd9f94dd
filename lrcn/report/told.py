"""What a run is, in a sentence and in the settings that matter most."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from lrcn import config as config_lib

_NETWORKS = {
    "singleframe": "A network that looks at single frames",
    "lstm": "An LSTM over the frames",
    "imgdesc_step": "An image captioner that sees the picture at every word",
    "imgdesc_state": "An image captioner that sees the picture before the first word",
    "videodesc_pooling": "A video captioner that reads the mean of the frames",
    "videodesc_encdec": "A video captioner that reads frame after frame",
}
_UP_FRONT = (
    ("workflow", ("workflow.name", "workflow.units", "workflow.layers", "workflow.loss")),
    ("dropout", ("workflow.dropout_in", "workflow.dropout_out")),
    ("CNN", ("backbone.name", "backbone.alpha", "backbone.layer", "backbone.trainable")),
    ("weights", ("backbone.weights",)),
    ("data", ("dataset.source", "dataset.split", "dataset.train", "modality.name")),
    ("clips", ("shown.mode.name", "shown.mode.num_frames_per_clip")),
    ("view", ("augment.name", "backbone.image_size")),
    ("pooling", ("pooling.frames", "pooling.clips")),
    ("optimizer", ("optimizer.name", "optimizer.learning_rate", "optimizer.weight_decay")),
    ("schedule", ("schedule.name", "schedule.warmup_steps")),
    ("length", ("epochs", "batch_size", "callbacks.patience")),
    ("seed", ("seed", "precision")),
)


def sentence(config: Mapping[str, Any], *, classes: int | None) -> str:
    """Returns what a run is, such as "An LSTM over the frames of mobilenet, ...".

    Args:
        config: What `config.json` holds.
        classes: How many it tells apart; None if it describes.
    """
    name = str(config_lib.value_of(config, "workflow.name"))
    network = _NETWORKS.get(name, f"A network of workflow {name}")
    told = f"{network}, with the CNN {config_lib.value_of(config, 'backbone.name')}"
    told += f", trained on {config_lib.value_of(config, 'dataset.source')}"
    return f"{told} to tell {classes} classes apart." if classes else f"{told}."


def settings(config: Mapping[str, Any]) -> list[tuple[str, str]]:
    """Returns the settings that matter most, a line for each group, with their keys.

    Args:
        config: What `config.json` holds.
    """
    rows = []
    for name, keys in _UP_FRONT:
        own = [(key, config_lib.value_of(config, key)) for key in keys]
        told = [f"{key}={_short(value)}" for key, value in own if value is not None]
        if told:
            rows.append((name, ", ".join(told)))
    return rows


def data(splits: Mapping[str, Any]) -> tuple[list[str], list[list[Any]]]:
    """Returns the columns and rows of the table of what a run was trained on.

    Args:
        splits: What `data.json` holds.
    """
    rows = []
    for name, own in splits.items():
        known = own if isinstance(own, Mapping) else {}
        groups = known.get("groups")
        counts = [known.get("items"), known.get("frames")]
        counts.append(len(groups) if isinstance(groups, list) and groups else None)
        rows.append([name, *counts, known.get("digest"), known.get("source")])
    return ["split", "items", "frames", "groups", "digest", "source"], rows


def whole(config: Mapping[str, Any]) -> str:
    """Returns all that `config.json` holds, indented."""
    return json.dumps(config, indent=2, ensure_ascii=False)


def _short(value: Any) -> str:
    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
    return text if len(text) <= 90 else "…" + text[-89:]
