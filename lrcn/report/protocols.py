"""How an evaluation was made, as `protocol.json` tells; and files of it that were damaged."""

from __future__ import annotations

import dataclasses
import pathlib
import re
from typing import Any

from lrcn import runs
from lrcn.data import clips, records
from lrcn.data.limits import Limits
from lrcn.errors import UserError

_MODE = re.compile(r"(\w+)\((.*)\)")


@dataclasses.dataclass(frozen=True)
class Protocol:
    """How an evaluation was made.

    Attributes:
        path: The records.
        digest: Of them.
        checkpoint: "best" or "last".
        checkpoint_sha256: Of its file; empty where that was not told.
        mode: How clips were chosen; None for the records' own, and for images.
        crop: What part of a frame was seen.
        short_videos: "error" or "loop".
        seed: Of random modes.
    """

    path: str
    digest: str
    checkpoint: str
    checkpoint_sha256: str
    mode: clips.ClipMode | None
    crop: str
    short_videos: str
    seed: int


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
            clip_mode(str(values["clips"])),
            str(values["view"]["crop"]),
            str(values["short_videos"]),
            int(values["seed"]),
        )
    except (KeyError, TypeError, ValueError) as error:
        raise damaged(file, f"{type(error).__name__}: {error}", run, split) from error


def open_records(protocol: Protocol | None, *, limits: Limits = Limits()) -> records.RecordSet:
    """Opens the records of an evaluation.

    Args:
        protocol: How it was made, if that is known.
        limits: The most that the records may ask for.

    Raises:
        UserError: They are gone, not the same any more, or not known.
    """
    if protocol is None:
        raise UserError(
            "the evaluation does not tell its records",
            where="evaluation",
            received="no protocol.json",
            expected="an evaluation of this version",
            remedy="Evaluate the run again",
        )
    found = records.open_records(protocol.path, limits=limits)
    if found.digest != protocol.digest:
        raise UserError(
            "the records were changed since the evaluation",
            where=protocol.path,
            received=f"digest {found.digest}",
            expected=f"digest {protocol.digest}",
            remedy="Evaluate the run again",
        )
    return found


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
