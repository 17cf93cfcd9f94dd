"""What is shown of a data set: which clips, and what is told of their numbers and of the splits."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence

import numpy as np

from lrcn.data import epochs, text

_COLOURS = ("red", "green", "blue")
_CHANNELS = {"rgb": _COLOURS, "flow": ("x", "y", "magnitude"), "difference": _COLOURS}


@dataclasses.dataclass(frozen=True)
class Channel:
    """The numbers of one channel as a CNN reads them.

    Attributes:
        name: Its place and what it is by the input contract, such as "1: blue".
        mean: Of all values.
        spread: Their standard deviation.
        low: The lowest.
        high: The highest.
    """

    name: str
    mean: float
    spread: float
    low: float
    high: float


@dataclasses.dataclass(frozen=True)
class Split:
    """What a split holds.

    Attributes:
        name: "train", "val" or "test".
        frames: Frames of each item.
        labels: Classes of each item, by number.
        captions: Captions of each item; none where classes are learnt.
    """

    name: str
    frames: tuple[int, ...]
    labels: tuple[tuple[int, ...], ...]
    captions: tuple[tuple[str, ...], ...] = ()

    @property
    def words(self) -> list[int]:
        """The number of words of each caption."""
        return [len(text.tokenise(caption)) for own in self.captions for caption in own]

    def per_class(self, num_classes: int) -> np.ndarray:
        """Returns the number of items of each class, int64 [classes]."""
        labels = [label for own in self.labels for label in own]
        return np.bincount(np.array(labels, np.int64), minlength=num_classes)

    def shorter(self, num_frames: int) -> int:
        """Returns how many items have fewer frames than a clip."""
        return sum(count < num_frames for count in self.frames)


def choose(rows: epochs.Rows, labels: Sequence[Sequence[int]], count: int) -> list[int]:
    """Returns which clips are shown: of every class one, while there is room, then of other items.

    Args:
        rows: The clips in a random order.
        labels: The classes of each item of the records; none where captions are learnt.
        count: The most clips.

    Returns:
        Places in `rows`, by class, item and clip.
    """
    ranked: list[tuple[int, int]] = []
    classes: set[int] = set()
    seen: dict[int, set[int]] = {}
    for place, (item, clip) in enumerate(zip(rows.item.tolist(), rows.clip.tolist(), strict=True)):
        own = set(labels[item]) if labels else set()
        if item not in seen:
            ranked.append((0 if own - classes else 1, place))
        elif clip not in seen[item]:
            ranked.append((2, place))
        classes |= own
        seen.setdefault(item, set()).add(clip)
    chosen = [place for _, place in sorted(ranked)[:count]]

    def order(place: int) -> tuple:
        item = int(rows.item[place])
        return tuple(labels[item]) if labels else (), item, int(rows.clip[place])

    return sorted(chosen, key=order)


def channel_names(contract: Mapping) -> tuple[str, ...]:
    """Returns what the channels are that a CNN reads, in its order, by its input contract."""
    names = _CHANNELS[contract["modality"]]
    return names[::-1] if contract["channel_order"] == "bgr" else names


def channels(values: np.ndarray, contract: Mapping) -> list[Channel]:
    """Returns the numbers of each channel that enters a CNN.

    Args:
        values: [..., 3] float, after the input contract.
        contract: The contract, as `InputContract.contract` gives it.
    """
    flat = values.reshape(-1, 3)
    return [
        Channel(
            f"{place + 1}: {name}",
            float(own.mean(dtype=np.float64)),
            float(own.std(dtype=np.float64)),
            float(own.min()),
            float(own.max()),
        )
        for place, (name, own) in enumerate(zip(channel_names(contract), flat.T, strict=True))
    ]


def limit(contract: Mapping) -> float:
    """Returns how far from zero a value can be under an input contract."""
    mean, std = np.array(contract["mean"]), np.array(contract["std"])
    ends = np.array([[0.0], [255.0]]) * contract["scale"]
    return float(np.abs((ends - mean) / std).max())


def put_together(values: np.ndarray, contract: Mapping) -> np.ndarray:
    """Returns the frames that the values of a CNN's input stand for, if its contract is right.

    Args:
        values: [..., 3] float, after the input contract.
        contract: The contract.

    Returns:
        [..., 3] uint8, channels in the order of a picture: red, green, blue, or x, y, magnitude.
    """
    frames = (values * np.array(contract["std"]) + np.array(contract["mean"])) / contract["scale"]
    if contract["channel_order"] == "bgr":
        frames = frames[..., ::-1]
    return np.clip(np.rint(frames), 0, 255).astype(np.uint8)


def summary(
    splits: Sequence[Split], names: Sequence[str], *, num_frames: int | None
) -> tuple[list[str], list[list[str]]]:
    """Returns the columns and rows of the table of the splits.

    Args:
        splits: What each split holds.
        names: The names of the classes; none where captions are learnt.
        num_frames: Frames of a clip; None for images and stored clips.
    """
    of_captions = not names
    lengths = any(max(split.frames, default=1) > 1 for split in splits)
    columns = ["split", "items"]
    spread = "least / median / most"
    columns += ["captions", f"words a caption: {spread}"] if of_captions else ["classes"]
    columns += [f"frames: {spread}"] if lengths else []
    columns += [f"below {num_frames}"] if lengths and num_frames else []
    columns += [] if of_captions else ["largest class", "smallest class"]
    rows = []
    for split in splits:
        row = [split.name, f"{len(split.frames):,}"]
        if of_captions:
            row += [f"{len(split.words):,}", _three(split.words)]
        else:
            counts = split.per_class(len(names))
            row.append(f"{np.count_nonzero(counts)} of {len(names)}")
        row += [_three(split.frames)] if lengths else []
        row += [f"{split.shorter(num_frames):,}"] if lengths and num_frames else []
        if not of_captions:
            smallest = len(counts) - 1 - counts[::-1].argmin()
            row += [_class(names, counts, place) for place in (counts.argmax(), smallest)]
        rows.append(row)
    return columns, rows


def _three(values: Sequence[int]) -> str:
    """Returns shortest, median and longest."""
    if not values:
        return "none"
    ends = (min(values), float(np.median(values)), max(values))
    return " / ".join(f"{value:,g}" for value in ends)


def _class(names: Sequence[str], counts: np.ndarray, place: int) -> str:
    return f"{names[place]} ({counts[place]:,})"
