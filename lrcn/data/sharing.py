"""What each device of several takes of every batch, as arithmetic on places."""

from __future__ import annotations

import dataclasses

import numpy as np


@dataclasses.dataclass(frozen=True)
class Share:
    """What one process of several takes of every batch: rows that follow each other.

    Batches are filled up until every device has as many rows as any other, so that all take the
    same number of equal steps: with other rows of the batch, which must not count. The parts of
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
        """Returns the rows that the process takes of each batch."""
        return -(-batch_size // self.devices) * self.devices // self.count

    def places(self, total: int, batch_size: int) -> tuple[np.ndarray, np.ndarray]:
        """Returns what the process takes of an epoch.

        Args:
            total: Rows of the epoch.
            batch_size: Rows of a batch of all processes together.

        Returns:
            int64 [steps * size], places among the rows of the epoch, and bool [steps * size],
            whether they count; those that do not only fill up their batch.
        """
        size = self.size(batch_size)
        firsts = np.arange(0, total, batch_size, dtype=np.int64)[:, None]
        within = self.index * size + np.arange(size)
        counts = (within < batch_size) & (firsts + within < total)
        return np.where(counts, firsts + within, firsts).ravel(), counts.ravel()
