"""What numbers among the settings may be."""

from __future__ import annotations

import dataclasses
import math
from typing import Any


@dataclasses.dataclass(frozen=True)
class Range:
    """What a number may be: from `low` to `high`, without the ends that are open."""

    low: float = 0
    high: float | None = None
    low_is_open: bool = False
    high_is_open: bool = False

    def holds(self, value: float) -> bool:
        """Tells whether a value is finite and in the range."""
        high = math.inf if self.high is None else self.high
        inside = self.low <= value <= high and math.isfinite(value)
        at_open_end = (self.low_is_open and value == self.low) or (
            self.high_is_open and value == self.high
        )
        return inside and not at_open_end

    def __str__(self) -> str:
        if self.high is None:
            return f"more than {self.low}" if self.low_is_open else f"{self.low} or more"
        return f"from {self.low} to {'below ' if self.high_is_open else ''}{self.high}"


RANGE = "range"  # the key of a field's metadata

POSITIVE = Range(low_is_open=True)
NOT_NEGATIVE = Range()
SHARE = Range(high=1)
DROPOUT = Range(high=1, high_is_open=True)
SEED = Range(high=2**32 - 1)
SHARDS = Range(low=1, high=99_999)  # five digits of a file name


def within(allowed: Range, **default: Any) -> Any:
    """Returns a field whose number, or each of whose numbers, is in a range."""
    return dataclasses.field(metadata={RANGE: allowed}, **default)
