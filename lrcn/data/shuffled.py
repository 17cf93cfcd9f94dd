"""The random order of the items of a split, and the list that tells it."""

from __future__ import annotations

import pathlib
from collections.abc import Iterable, Sequence

import numpy as np

from lrcn import files
from lrcn.data import lists, writing


def order_of(split: lists.Split, seed: int) -> np.ndarray:
    """Returns the places of the items of a split in random order."""
    return np.random.default_rng([seed, len(split.items)]).permutation(len(split.items))


def write(split: lists.Split, target: pathlib.Path, *, seed: int) -> np.ndarray:
    """Writes the items of a split in random order to `target` as a list that can be read again.

    Returns:
        The order, as places in the split.
    """
    order = order_of(split, seed)
    with writing.telling_errors(target.parent):
        write_lines(target, lines_of(split, order))
    return order


def write_lines(target: pathlib.Path, lines: Sequence[str]) -> None:
    """Writes the lines of such a list."""
    files.write_text(target, "".join(f"{line}\n" for line in lines))


def lines_of(split: lists.Split, places: Iterable[int]) -> list[str]:
    """Returns the lines of such a list that tell of the items at some places."""
    return [line for place in places for line in _lines_of(split.items[place])]


def _lines_of(item: lists.Item) -> list[str]:
    path = item.path or item.id
    if item.captions and not item.labels:
        return [f"{path}\t{caption}" for caption in item.captions]
    return ["\t".join([path, *map(str, item.labels)])]
