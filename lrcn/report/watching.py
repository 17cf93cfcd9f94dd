"""What a network says of an item frame by frame, and where it looks, shown as it was evaluated."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Sequence

import numpy as np

from lrcn import litert
from lrcn.data import augment, damage, dataset, epochs, records
from lrcn.errors import UserError
from lrcn.inference import gradcam, outputs, protocols, trained
from lrcn.models import networks
from lrcn.scoring import clips as clips_of_features

MOST_WINDOWS = 60
"""Of an item; of more an even spread is shown to the network."""

_AT_ONCE = 64  # frames that go through the CNN together


@dataclasses.dataclass(frozen=True)
class Watched:
    """An item as a network saw it.

    Attributes:
        numbers: [frames], the place of each frame in the item, ascending.
        frames: [frames, height, width, 3] uint8, what the network is shown.
        probabilities: [frames, classes], what it says at each frame; the mean of the windows that
            show the frame.
        window: [time], which of the frames are the window in which the class is most probable.
        heat: [time, height, width] float32, 0 to 1, how much each place of that window speaks for
            the class; None if that is not known.
        no_heat: Why it is not known.
        is_spread: Whether only an even spread of its windows was shown to the network.
    """

    numbers: np.ndarray
    frames: np.ndarray
    probabilities: np.ndarray
    window: np.ndarray
    heat: np.ndarray | None
    no_heat: str = ""
    is_spread: bool = False


class Watcher:
    """A run's network beside the records that it was evaluated on.

    Args:
        run: The run, with the checkpoint that was evaluated.
        record_set: The records.
        protocol: How it was evaluated.
    """

    def __init__(
        self, run: trained.Trained, record_set: records.RecordSet, protocol: protocols.Protocol
    ):
        view = run.view(None)
        crop = "centre" if protocol.crop == "ten" else protocol.crop
        self._view = augment.View(view.size, crop, modality=view.modality)
        self._chosen = epochs.Clips(record_set, protocol.mode, short_videos=protocol.short_videos)
        self._model = run.model
        self._batch_size = run.settings.batch_size
        self._multi_label = outputs.is_multi_label(run.model)
        self._forward = litert.forward(networks.backbone(run.model))
        self._looking, self._no_heat = None, ""
        try:
            self._looking = gradcam.Looking(run.model)
        except UserError as error:
            self._no_heat = str(error)
        rows = self._chosen.every(protocol.seed)
        self._tables = self._chosen.tables(rows)

    def watch(self, items: Sequence[int], labels: Sequence[int]) -> Iterator[Watched]:
        """Yields what the network says of items.

        Args:
            items: Places in the records.
            labels: Of each item the class whose window and heat are shown.

        Raises:
            UserError: The records are damaged.
        """
        record_set = self._chosen.records
        tables = [self._spread(self._tables[item]) for item in items]
        wanted = [np.unique(table) for table in tables]
        with damage.translating_errors(record_set.path, limits=record_set.limits):
            parts = dataset.stored_frames(
                record_set, items, wanted, view=self._view, batch_size=_AT_ONCE
            )
            shown = clips_of_features.regrouped(map(np.asarray, parts), map(len, wanted))
            for frames, item, numbers, table, label in zip(
                shown, items, wanted, tables, labels, strict=True
            ):
                watched = self._watched(frames, numbers, np.searchsorted(numbers, table), label)
                is_spread = len(table) < len(self._tables[item])
                yield dataclasses.replace(watched, is_spread=is_spread)

    @staticmethod
    def _spread(table: np.ndarray) -> np.ndarray:
        places = np.linspace(0, len(table) - 1, min(len(table), MOST_WINDOWS))
        return table[np.rint(places).astype(int)]

    def _watched(
        self, frames: np.ndarray, numbers: np.ndarray, table: np.ndarray, label: int
    ) -> Watched:
        of_windows = self._of_windows(frames, table)
        shape = (len(frames), of_windows.shape[-1])
        sums, counts = np.zeros(shape), np.zeros(len(frames))
        np.add.at(sums, table, of_windows)
        np.add.at(counts, table, 1)
        window = table[int(of_windows[..., label].mean(axis=1).argmax())]
        heat = self._looking.heat(frames[window], label) if self._looking else None
        return Watched(numbers, frames, sums / counts[:, None], window, heat, self._no_heat)

    def _of_windows(self, frames: np.ndarray, table: np.ndarray) -> np.ndarray:
        """Returns the probabilities at each step of each window, [windows, time, classes]."""
        starts = range(0, len(frames), _AT_ONCE)
        features = np.concatenate([self._forward(frames[at : at + _AT_ONCE]) for at in starts])
        head, size, found = networks.head(self._model), self._batch_size, []
        for start in range(0, len(table), size):
            part = table[start : start + size]
            # Filled up, as a batch of another length would be compiled anew.
            full = np.concatenate([part, np.repeat(part[-1:], size - len(part), axis=0)])
            logits = head.predict_on_batch(features[full].astype(np.float32))["logits"]
            found.append(np.asarray(logits)[: len(part)])
        return outputs.of_logits(np.concatenate(found), multi_label=self._multi_label)
