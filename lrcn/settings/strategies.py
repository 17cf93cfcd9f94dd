"""Keys of `strategy`: which devices and machines a training is spread over."""

from __future__ import annotations

import dataclasses
from typing import Literal

from lrcn.settings.ranges import NOT_NEGATIVE, POSITIVE, Range, within


@dataclasses.dataclass(frozen=True)
class Single:
    """Keys of `strategy=single`."""

    name: Literal["single"] = "single"


@dataclasses.dataclass(frozen=True)
class Mirrored:
    """Keys of `strategy=mirrored`."""

    name: Literal["mirrored"]
    devices: int | None = within(Range(low=2))


@dataclasses.dataclass(frozen=True)
class Hosts:
    """Keys of `strategy=hosts`."""

    name: Literal["hosts"]
    coordinator: str | None
    count: int | None = within(POSITIVE)
    index: int | None = within(NOT_NEGATIVE)
    patience: int = within(POSITIVE, default=100)


Strategy = Single | Mirrored | Hosts
