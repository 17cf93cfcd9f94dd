"""What a bad input is: how it is made, what the user types, and what the user is told."""

from __future__ import annotations

import dataclasses
import types
from collections.abc import Callable, Iterator
from typing import Any

from . import world


@dataclasses.dataclass(frozen=True)
class Fault:
    """A bad input that a test makes, with the command that meets it.

    Attributes:
        name: Unique within its subject; the test is known by both.
        make: Makes the bad input in the folder of a world, and returns what follows `lrcn`.
        fault: The fault in a few words.
        outcome: What the user gets, in a few words.
        says: Words of the message: of where and what is wrong (file, line or key), of what was
            received, and of what is expected and mends it.
        code: The exit code.
        told: "error", a line on stderr; "finding", a line of `lrcn check`.
        writes: Patterns of what may be new or changed afterwards, below the working directory.
    """

    name: str
    make: Callable[[world.World], list[str]]
    fault: str
    outcome: str
    says: tuple[str, str, str]
    code: int = 1
    told: str = "error"
    writes: tuple[str, ...] = ()


@dataclasses.dataclass(frozen=True)
class Elsewhere:
    """A fault that a test of another file makes, by its id `tests/x_test.py::name`."""

    fault: str
    outcome: str
    test: str


@dataclasses.dataclass(frozen=True)
class Subject:
    """Faults that belong together: a section of the table.

    Attributes:
        name: The module, which begins the names of its tests.
        title: The section.
        faults: Those that are made here.
        elsewhere: Those that other tests make.
    """

    name: str
    title: str
    faults: tuple[Fault, ...]
    elsewhere: tuple[Elsewhere, ...]

    @property
    def rows(self) -> tuple[Fault | Elsewhere, ...]:
        """All faults, in the order of the table."""
        return (*self.faults, *self.elsewhere)

    @classmethod
    def of(cls, module: types.ModuleType) -> Subject:
        """Returns the subject of a module: its `TITLE`, and what it defines in that order."""

        def defined(kind: type) -> Iterator:
            return (value for value in vars(module).values() if isinstance(value, kind))

        return cls(
            name=module.__name__.rpartition(".")[2],
            title=module.TITLE,
            faults=tuple(defined(Fault)),
            elsewhere=getattr(module, "ELSEWHERE", ()),
        )


def fault(
    fault: str, outcome: str, *, says: tuple[str, str, str], **others: Any
) -> Callable[[Callable[[world.World], list[str]]], Fault]:
    """Makes a `Fault` of a function that makes a bad input; see there."""

    def made(make: Callable[[world.World], list[str]]) -> Fault:
        return Fault(make.__name__, make, fault, outcome, says, **others)

    return made
