"""How an evaluation was made, as `protocol.json` tells; and files of it that were damaged."""

from __future__ import annotations

import dataclasses
import pathlib
import re
from typing import Any

from lrcn import runs
from lrcn.data import clips
from lrcn.errors import UserError
from lrcn.inference import probabilities

_MODE = re.compile(r"(\w+)\((.*)\)")


@dataclasses.dataclass(frozen=True)
class Protocol:
    """How an evaluation was made.

    Attributes:
        path: The records.
        digest: Of them.
        checkpoint: "best" or "last".
        checkpoint_sha256: Of its file; empty where that was not told.
        clips: How clips were chosen, in words.
        mode: The same; None for the records' own, and for images.
        size: Height and width of the frames that were seen, in pixels.
        crop: What part of a frame was seen.
        short_videos: "error" or "loop".
        seed: Of random modes.
        how: Keys of the pooling, or of the search of captions.
    """

    path: str
    digest: str
    checkpoint: str
    checkpoint_sha256: str
    clips: str
    mode: clips.ClipMode | None
    size: tuple[int, int]
    crop: str
    short_videos: str
    seed: int
    how: dict[str, Any]

    def is_like(self, other: Protocol) -> bool:
        """Tells whether two networks were measured in the same way and on the same records."""
        own = {"path": "", "checkpoint_sha256": "", "seed": 0}
        return dataclasses.replace(self, **own) == dataclasses.replace(other, **own)


def evaluated(run: runs.RunDirectory) -> tuple[str, ...]:
    """Returns the splits that a run was evaluated on as a whole, of its classes or captions.

    Args:
        run: The run directory.
    """
    found = []
    for split in ("test", "val", "train"):
        folder = run.evaluation(split)
        values = folder / probabilities.FILE, folder / "coco_results.json"
        if (folder / "metrics.json").exists() and any(file.exists() for file in values):
            found.append(split)
    return tuple(found)


def read(run: runs.RunDirectory, split: str) -> Protocol | None:
    """Reads how a run was evaluated; None of an evaluation from before that was told.

    Args:
        run: The run.
        split: "train", "val" or "test".

    Raises:
        UserError: The file is damaged.
    """
    file = run.evaluation(split) / "protocol.json"
    if not file.exists():
        return None
    values = read_json(file, run, split)
    try:
        return Protocol(
            str(values["records"]),
            str(values["digest"]),
            str(values["checkpoint"]),
            str(values.get("checkpoint_sha256", "")),
            str(values["clips"]),
            clip_mode(str(values["clips"])),
            tuple(map(int, values["view"]["size"])),
            str(values["view"]["crop"]),
            str(values["short_videos"]),
            int(values["seed"]),
            dict(values.get("pooling") or values.get("search") or {}),
        )
    except (KeyError, TypeError, ValueError) as error:
        raise damaged(file, f"{type(error).__name__}: {error}", run, split) from error


def read_metrics(run: runs.RunDirectory, folder: pathlib.Path, split: str) -> dict[str, Any]:
    """Reads the metrics of an evaluation or a retrieval.

    Args:
        run: The run.
        folder: Where `metrics.json` is.
        split: "train", "val" or "test".

    Raises:
        UserError: The file is damaged.
    """
    file = folder / "metrics.json"
    values = read_json(file, run, split)
    for key, value in values.items():
        if not isinstance(value, int | float):
            raise damaged(file, f"{key}: {value!s:.40}", run, split)
    return values


def read_json(file: pathlib.Path, run: runs.RunDirectory, split: str) -> dict[str, Any]:
    """Reads a JSON file of an evaluation; the remedy of a damaged one is to evaluate again.

    Args:
        file: The file.
        run: The run.
        split: "train", "val" or "test".
    """
    try:
        return runs.read_json(file)
    except UserError as error:
        raise error.but(remedy=again(run, split)) from error


def require_agreement(
    metrics: dict[str, Any], name: str, by_items: float, run: runs.RunDirectory, split: str
) -> None:
    """Raises a `UserError` if `metrics.json` tells another figure than the items beside it give.

    Args:
        metrics: What `metrics.json` holds.
        name: Of the figure.
        by_items: What the items give.
        run: The run.
        split: "train", "val" or "test".
    """
    told = metrics.get(name, by_items)
    if not abs(told - by_items) <= 1e-6 * max(abs(by_items), 1):
        received = f"{name} of {told:.6g} in metrics.json, {by_items:.6g} by the items beside it"
        raise damaged(run.evaluation(split), received, run, split)


def damaged(where: object, received: object, run: runs.RunDirectory, split: str) -> UserError:
    """Returns the error for a file of an evaluation that is not as it was written.

    Args:
        where: The file, with its line if that is known.
        received: What is there.
        run: The run.
        split: "train", "val" or "test".
    """
    return UserError(
        "a file of the evaluation is damaged",
        where=where,
        received=received,
        expected="what `lrcn evaluate` or `lrcn retrieve` wrote",
        remedy=again(run, split),
    )


def again(run: runs.RunDirectory, split: str) -> str:
    """Returns how to evaluate again.

    Args:
        run: The run.
        split: "train", "val" or "test".
    """
    return f"Evaluate the run again: lrcn evaluate run={run.path} split={split}"


def clip_mode(told: str) -> clips.ClipMode | None:
    """Returns the mode that a protocol tells; None for the records' own clips and for images.

    Args:
        told: Such as "iterative(num_frames_per_clip=16, clip_offset_or_num=-8, tail=align)".

    Raises:
        ValueError: It is no mode.
    """
    match = _MODE.fullmatch(told)
    if match is None:
        return None
    given = dict(part.split("=", 1) for part in match[2].split(", "))
    numbers = ("num_frames_per_clip", "clip_offset_or_num")
    values = {key: int(value) if key in numbers else value for key, value in given.items()}
    return clips.ClipMode(match[1], **values)
