"""`probabilities.csv`: what an evaluation found for every item, to be read again and joined."""

from __future__ import annotations

import csv
import dataclasses
import io
import os
import pathlib
from collections.abc import Mapping, Sequence

import numpy as np

from lrcn import errors

FILE = "probabilities.csv"
_HEAD = ("id", "group", "truth")


@dataclasses.dataclass(frozen=True)
class Predicted:
    """The probabilities of a split's items, beside what is true of them.

    Attributes:
        ids: The items.
        groups: The group of each item, "" where it has none.
        truth: The labels of each item.
        names: The name of each class; they may repeat.
        values: [items, classes] float64.
    """

    ids: tuple[str, ...]
    groups: tuple[str, ...]
    truth: tuple[tuple[int, ...], ...]
    names: tuple[str, ...]
    values: np.ndarray = dataclasses.field(repr=False)

    @property
    def labels(self) -> np.ndarray:
        """The label of each item that has one alone, [items] int64."""
        return np.array([own[0] for own in self.truth], np.int64)

    @property
    def clusters(self) -> list[str]:
        """What is drawn as one in a bootstrap: the group, or the item where it has none."""
        pairs = zip(self.groups, self.ids, strict=True)
        return [f"group {group}" if group else f"item {id}" for group, id in pairs]

    def in_order_of(self, ids: Sequence[str]) -> Predicted:
        """Returns the same items in another order."""
        place = {id: index for index, id in enumerate(self.ids)}
        order = [place[id] for id in ids]
        return Predicted(
            tuple(ids),
            tuple(self.groups[i] for i in order),
            tuple(self.truth[i] for i in order),
            self.names,
            self.values[order],
        )


def to_csv(predicted: Predicted) -> str:
    """Returns the text of `probabilities.csv`: a row an item, every digit of a probability."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow([*_HEAD, *predicted.names])
    rows = zip(
        predicted.ids, predicted.groups, predicted.truth, predicted.values.tolist(), strict=True
    )
    for id, group, truth, values in rows:
        writer.writerow([id, group, " ".join(map(str, truth)), *map(repr, values)])
    return text.getvalue()


def read(path: str | os.PathLike) -> Predicted:
    """Reads `probabilities.csv`; columns are told by their place, whatever classes are called.

    Raises:
        errors.UserError: The file is not as `lrcn evaluate` writes it.
    """
    try:
        with pathlib.Path(path).open(newline="", encoding="utf-8") as file:
            header, *rows = list(csv.reader(file)) or [[]]
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise _unreadable(path, 1, error, "a table in UTF-8") from error
    if tuple(header[: len(_HEAD)]) != _HEAD or not rows:
        raise _unreadable(path, 1, ",".join(header[:4]) or "nothing", "id,group,truth,CLASSES")
    for number, row in enumerate(rows, start=2):
        if len(row) != len(header):
            raise _unreadable(path, number, f"{len(row)} columns", f"{len(header)} columns")
    ids, groups, truth = (tuple(row[column] for row in rows) for column in range(len(_HEAD)))
    if len(set(ids)) < len(ids):
        twice = sorted({id for id in ids if ids.count(id) > 1})
        raise _unreadable(path, 1, f"{errors.few(twice)} more than once", "each item once")
    try:
        labels = tuple(tuple(map(int, own.split())) for own in truth)
        values = np.array([row[len(_HEAD) :] for row in rows], np.float64)
    except ValueError as error:
        raise _unreadable(path, 1, error, "numbers after id and group") from error
    if not (finite := np.isfinite(values).all(axis=1)).all():
        place = int(np.argmin(finite))
        row = ", ".join(rows[place][len(_HEAD) :][: errors.SHOWN])
        raise _unreadable(path, place + 2, f"{row} of {ids[place]}", "finite numbers")
    highest = len(header) - len(_HEAD) - 1
    if any(not 0 <= label <= highest for own in labels for label in own):
        raise _unreadable(path, 1, "a label without a class", f"labels from 0 to {highest}")
    return Predicted(ids, groups, labels, tuple(header[len(_HEAD) :]), values)


def _unreadable(path: object, line: int, received: object, expected: str) -> errors.UserError:
    return errors.UserError(
        "no probabilities as `lrcn evaluate` writes them",
        where=f"{path}:{line}",
        received=received,
        expected=expected,
        remedy="Evaluate the run again: lrcn evaluate run=RUN split=SPLIT",
    )


def joined(found: Mapping[str, Predicted], *, split: str) -> list[Predicted]:
    """Returns evaluations of the same items in the order of the first one's.

    Groups that one evaluation knows are known of all.

    Args:
        found: Evaluations by the name of their run.
        split: What was evaluated, for messages.

    Raises:
        errors.UserError: They differ in items, in what is true of them, or in classes.
    """
    (first_name, first), *others = found.items()
    for name, other in others:
        refuse_other_classes(first_name, first.names, name, other.names)
        _refuse_other_items(first_name, first, name, other, split)
    ordered = [each.in_order_of(first.ids) for each in found.values()]
    for (name, _), other in zip(others, ordered[1:], strict=True):
        _refuse_other_truth(first_name, first, name, other, split)
    known = zip(*(each.groups for each in ordered), strict=True)
    groups = tuple(next(filter(None, own), "") for own in known)
    return [dataclasses.replace(each, groups=groups) for each in ordered]


def first_difference(names: Sequence[str], others: Sequence[str]) -> tuple[str, str]:
    """Returns what two lists of class names, which differ, say at the first place where they do."""
    length = min(len(names), len(others))
    place = next((i for i in range(length) if names[i] != others[i]), length)
    return tuple(
        f"'{listed[place]}' as number {place}" if place < len(listed) else f"no number {place}"
        for listed in (names, others)
    )


def refuse_other_classes(
    first_name: str, first: Sequence[str], name: str, other: Sequence[str]
) -> None:
    """Raises a `UserError` if the classes of two runs are not the same.

    Args:
        first_name: The first run.
        first: The names of its classes.
        name: The other run.
        other: The names of its classes.
    """
    if tuple(first) == tuple(other):
        return
    expected, received = first_difference(first, other)
    raise errors.UserError(
        "the runs tell other classes apart",
        where="runs",
        received=f"{received} in {name}",
        expected=f"{expected} as in {first_name}",
        remedy="Fuse runs that were trained with one list of labels",
    )


def _refuse_other_items(
    first_name: str, first: Predicted, name: str, other: Predicted, split: str
) -> None:
    lacking = [id for id in first.ids if id not in set(other.ids)]
    more = [id for id in other.ids if id not in set(first.ids)]
    told = [
        f"{len(ids)} missing in {where} ({errors.few(ids)})"
        for ids, where in ((lacking, name), (more, first_name))
        if ids
    ]
    if told:
        raise errors.UserError(
            f"the runs were evaluated on other items of {split}",
            where="runs",
            received="; ".join(told),
            expected=f"the same items in {first_name} and {name}",
            remedy="Evaluate them on the same videos: `lrcn evaluate run=RUN dataset=...` with the "
            "same split and the same names of items",
        )


def _refuse_other_truth(
    first_name: str, first: Predicted, name: str, other: Predicted, split: str
) -> None:
    rows = zip(first.ids, first.truth, other.truth, strict=True)
    wrong = [row for row in rows if sorted(row[1]) != sorted(row[2])]
    if wrong:
        id, expected, received = wrong[0]
        raise errors.UserError(
            f"the runs were told other labels of {len(wrong)} items of {split}, such as {id}",
            where="runs",
            received=f"{' '.join(map(str, received)) or 'none'} in {name}",
            expected=f"{' '.join(map(str, expected)) or 'none'} as in {first_name}",
            remedy="Evaluate them on data sets with the same labels",
        )
