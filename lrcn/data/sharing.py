"""What each device of several takes of every batch, as arithmetic on places."""

from __future__ import annotations

import dataclasses

import numpy as np


@dataclasses.dataclass(frozen=True)
class Share:
    """What one process of several takes of every batch: rows that follow each other.

    A batch is filled up until every device has as many rows of it as any other, so that all take
    the same steps: with other rows of the batch, which must not count. The parts of
    all processes, one after the other, are the batch as a single process would see it.

    Args:
        devices: Devices of all processes together.
        index: The process, counted from 0.
        count: Processes, each with as many devices.
    """

    devices: int
    index: int = 0
    count: int = 1

    def size(self, batch_size: int) -> int:
        """Returns the rows that the process takes of a batch of so many rows."""
        return -(-batch_size // self.devices) * self.devices // self.count

    def places(self, total: int, batch_size: int) -> tuple[np.ndarray, np.ndarray]:
        """Returns what the process takes of an epoch.

        Args:
            total: Rows of the epoch.
            batch_size: Rows of a batch of all processes together.

        Returns:
            int64 [rows], places among the rows of the epoch, `size` of each batch, the last one of
            which may be smaller, and bool [rows], whether they count; those that do not only fill
            up their batch.
        """
        whole = total // batch_size * batch_size
        parts = [self._of_batches(np.arange(0, whole, batch_size), batch_size)]
        if whole < total:
            parts.append(self._of_batches(np.array([whole]), total - whole))
        places, counts = zip(*parts, strict=True)
        return np.concatenate(places), np.concatenate(counts)

    def _of_batches(self, firsts: np.ndarray, rows: int) -> tuple[np.ndarray, np.ndarray]:
        """Returns what is taken of batches of equal size, by the places of their first rows."""
        size = self.size(rows)
        within = np.tile(self.index * size + np.arange(size), (len(firsts), 1))
        counts = within < rows
        places = firsts[:, None] + np.where(counts, within, 0)
        return places.astype(np.int64).ravel(), counts.ravel()
