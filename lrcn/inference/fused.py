"""What a fusion of streams found."""

from __future__ import annotations

import dataclasses


@dataclasses.dataclass(frozen=True)
class Difference:
    """The accuracy of a row minus that of another one, with a 95 % interval."""

    minus: str
    difference: float
    low: float
    high: float


@dataclasses.dataclass(frozen=True)
class Measured:
    """A stream alone or a fusion, on the split that is reported.

    Attributes:
        name: The stream's name, or the weights'.
        weights: A weight a stream.
        how: "alone", "given", "paper", "fixed" (the paper's weights of other streams), "equal" or
            "chosen on val".
        figures: `video_accuracy`, `video_top5` and `loss`.
        validation: The same on val, where weights were chosen on that.
        differences: To each row before: the streams alone come first, then the fusions.
        by_seed: The accuracy with the n-th seed of each stream, if all have as many.
    """

    name: str
    weights: tuple[float, ...]
    how: str
    figures: dict[str, float]
    validation: dict[str, float] | None
    differences: tuple[Difference, ...]
    by_seed: tuple[float, ...]


@dataclasses.dataclass(frozen=True)
class Fused:
    """What fusing found.

    Attributes:
        split: The split that is reported.
        rows: The streams alone, then the fusions.
        written: The name of the fusion whose predictions are written.
        items: Number of items.
        clusters: Number of what is drawn as one for an interval: groups of items, or items.
        grouped: Whether items are of groups.
    """

    split: str
    rows: tuple[Measured, ...]
    written: str
    items: int
    clusters: int
    grouped: bool

    @property
    def streams(self) -> tuple[Measured, ...]:
        """The streams alone."""
        return tuple(row for row in self.rows if row.how == "alone")

    @property
    def fusions(self) -> tuple[Measured, ...]:
        """The fusions."""
        return tuple(row for row in self.rows if row.how != "alone")
