"""What a frozen CNN says of every stored frame, computed once and kept beside the records.

A frozen CNN under a view without randomness maps a stored frame to the same features in every
epoch, run and job of a sweep. They lie in `features/<name>-<records>-<cnn>/` as float32, under keys
of the records and of weights, input contract, view and precision, so that any change asks for new
ones. Items are known by the digest of their frames: what another split or another cut into
training and validation has computed, in the same folder or one beside it, is taken from there.
"""

from __future__ import annotations

import contextlib
import dataclasses
import hashlib
import json
import logging
import os
import pathlib
import shutil
import time
import uuid
from collections.abc import Iterable, Iterator

import keras
import numpy as np
import tensorflow as tf

from lrcn import cores, errors, files, litert
from lrcn.data import augment, damage, dataset, progress, records, sharing
from lrcn.data import epochs as epochs_lib
from lrcn.models import backbones
from lrcn.scoring import clips as clips_lib
from lrcn.training import forwards

log = logging.getLogger(__name__)

_FORMAT = 3
_VALUES, _ITEMS = "features.npy", "items.json"
_BATCH = 64  # frames
_AHEAD = 2  # batches that are ready before they are needed
_CLIPS = 256  # clips of features, which are small
_PART = 4096  # frames that are computed before they are kept: what a kill can cost


@dataclasses.dataclass(frozen=True)
class Features:
    """The features of every stored frame of records.

    Attributes:
        values: float32 [frames, features], a file mapped into memory.
        starts: int64 [items], place of the first frame of each item.
    """

    values: np.ndarray
    starts: np.ndarray

    def gather(self, item: np.ndarray, frames: np.ndarray) -> np.ndarray:
        """Returns the features of clips, float32 [clips, time, features].

        Args:
            item: [clips], places in the records.
            frames: [clips, time], indices into each item's stored frames.
        """
        return self.values[self.starts[item][:, None] + frames]


def serves(backbone: keras.Model, view: augment.View) -> bool:
    """Tells whether features may stand for frames: the CNN is frozen and nothing is random."""
    return not backbone.trainable_weights and not view.is_random and view.crop != "ten"


def extract(
    record_set: records.RecordSet, backbone: keras.Model, *, view: augment.View
) -> Features:
    """Returns the features of records, computing those that are not kept yet.

    A killed computation goes on where it was; processes that want the same wait for the first.

    Args:
        record_set: The records.
        backbone: Maps [batch, height, width, 3] uint8 to [batch, features]; runs in inference mode.
        view: What part of a frame is seen.

    Raises:
        UserError: The folder of the records cannot be written to.
    """
    counts = np.array(record_set.metadata.frame_counts, np.int64)
    starts = np.concatenate([[0], np.cumsum(counts)[:-1]]).astype(np.int64)
    folder = folder_of(record_set, backbone, view)
    values = folder / _VALUES
    if not values.exists():
        lock = folder.with_name(f".{folder.name}.lock")
        with (
            _explaining(folder),
            files.locked(lock, waiting=lambda: _tell_waiting(folder)) as is_held,
        ):
            if not values.exists() and is_held:
                _remove_unfinished(folder)
                _compute(record_set, backbone, view, folder)
            elif not values.exists():
                with _apart(folder) as own:
                    _compute(record_set, backbone, view, own)
    rows, width = int(counts.sum()), int(backbone.output_shape[-1])
    return Features(_opened(values, rows, width), starts)


def folder_of(
    record_set: records.RecordSet, backbone: keras.Model, view: augment.View
) -> pathlib.Path:
    """Returns where the features of records under a CNN and a view are kept."""
    name = record_set.path.name.removesuffix(records.SUFFIX)
    folder = record_set.path.parent / "features"
    return folder / f"{name}-{record_set.digest}-{_network_key(backbone, view)}"


def _network_key(backbone: keras.Model, view: augment.View) -> str:
    facts = {
        "format": _FORMAT,
        "backbone": backbone.name,
        "weights": _weights_digest(backbone),
        "contract": backbones.contract_of(backbone),
        "features": backbone.output_shape[-1],
        "precision": backbone.layers[-1].compute_dtype,
        "runtime": "litert" if litert.serves(backbone) else "keras",
        "view": [list(view.size), view.crop],
    }
    return hashlib.sha256(json.dumps(facts, sort_keys=True).encode()).hexdigest()[:12]


def training_clips(
    features: Features,
    chosen: epochs_lib.Clips,
    *,
    targets: dataset.Learnt,
    batch_size: int,
    seed: int,
    first_epoch: int,
    epochs: int,
    first_step: int = 0,
    share: sharing.Share | None = None,
) -> tuple[tf.data.Dataset, int]:
    """Returns what `dataset.training_clips` does, with features in the place of frames.

    Clips, order and batches are the same for the same seed and epoch.

    Returns:
        The dataset and the number of batches in an epoch. Elements are (features [batch, time,
        features] float32, what `targets.of` gives, and of a share whether a row counts).
    """

    def batches(item, frames, draw, target, *counts):
        rows = tf.data.Dataset.from_tensor_slices((item, frames, target, *counts))
        return rows.batch(share.size(batch_size) if share else batch_size)

    def element(item, frames, target, *counts):
        return (_gathered(features, item, frames), *targets.of(target), *counts)

    steps = -(-len(chosen.epoch(seed, first_epoch)) // batch_size)
    own = {"batch_size": batch_size, "first_step": first_step, "share": share}
    clips = dataset.by_epoch(chosen, seed, first_epoch, epochs, **own)
    clips = clips.flat_map(dataset.unconverted(batches))
    return clips.map(dataset.unconverted(element)).prefetch(_AHEAD), steps


def evaluation_clips(
    features: Features, chosen: epochs_lib.Clips, *, batch_size: int = _CLIPS, seed: int = 0
) -> tf.data.Dataset:
    """Returns every clip in order, as `scoring.clips.Batches` has them, from kept features."""
    rows = chosen.every(seed)

    def element(item, clip, frames):
        return {"features": _gathered(features, item, frames), "item": item, "clip": clip}

    clips = tf.data.Dataset.from_tensor_slices((rows.item, rows.clip, rows.frames))
    clips = clips.batch(batch_size).map(dataset.unconverted(element)).prefetch(_AHEAD)
    return records.untuned(clips)


def _gathered(features: Features, item: tf.Tensor, frames: tf.Tensor) -> tf.Tensor:
    values = tf.numpy_function(features.gather, [item, frames], tf.float32, stateful=False)
    return tf.ensure_shape(values, [None, frames.shape[1], features.values.shape[1]])


def _weights_digest(backbone: keras.Model) -> str:
    digest = hashlib.sha256()
    for weight in backbone.weights:
        value = np.ascontiguousarray(keras.ops.convert_to_numpy(weight))
        digest.update(f"{value.dtype}{value.shape}".encode())
        digest.update(value.tobytes())
    return digest.hexdigest()


def _parts(counts: np.ndarray) -> list[np.ndarray]:
    """Returns the items of each part, cut where about `_PART` frames are full."""
    number = np.cumsum(counts) // _PART
    return np.split(np.arange(len(counts)), np.flatnonzero(np.diff(number)) + 1)


def _compute(
    record_set: records.RecordSet, backbone: keras.Model, view: augment.View, folder: pathlib.Path
) -> None:
    counts = np.array(record_set.metadata.frame_counts, np.int64)
    parts = _parts(counts)
    with damage.translating_errors(record_set.path, limits=record_set.limits):
        digests = _digests(record_set)
        missing = [index for index in range(len(parts)) if not _part(folder, index).exists()]
        wanted = [parts[index].tolist() for index in missing]
        arrays = _of_parts(record_set, backbone, view, wanted, digests)
        for index, values in zip(missing, arrays, strict=True):
            _write(_part(folder, index), [values], values.shape)
    files.write_json(folder / _ITEMS, [digests, counts.tolist()])
    _join(folder, len(parts))


def _of_parts(
    record_set: records.RecordSet,
    backbone: keras.Model,
    view: augment.View,
    parts: list[list[int]],
    digests: list[str],
) -> Iterator[np.ndarray]:
    """Yields the features of the items of each part, computed unless they are known."""
    items = [item for part in parts for item in part]
    known = _known(record_set.path.parent, _network_key(backbone, view))
    new = [item for item in items if digests[item] not in known]
    sizes = [record_set.metadata.frame_counts[item] for item in new]
    began = time.monotonic()
    computed = clips_lib.regrouped(
        _stream(record_set, backbone, view, new, total=sum(sizes)), sizes
    )
    for part in parts:
        rows = (known.get(digests[item]) for item in part)
        yield np.concatenate([next(computed) if row is None else row for row in rows])
    if known_here := len(items) - len(new):
        log.info("features: those of %d of %d items were known", known_here, len(items))
    if new:
        seconds = max(time.monotonic() - began, 1e-9)
        log.info(
            "features: %d frames of %s in %.0f s, %.0f frames/s",
            sum(sizes),
            record_set.path.name,
            seconds,
            sum(sizes) / seconds,
        )


def _known(folder: pathlib.Path, network: str) -> dict[str, np.ndarray]:
    """Returns features by digest that are kept for a CNN in a folder of records or one beside."""
    found: dict[str, np.ndarray] = {}
    for path in folder.absolute().parent.glob(f"*/features/*-{network}/{_ITEMS}"):
        if not (path.parent / _VALUES).exists():
            continue
        try:
            digests, counts = json.loads(path.read_text(encoding="utf-8"))
            cuts = np.cumsum(np.array(counts, np.int64))
            values = _opened(path.parent / _VALUES, int(cuts[-1]), None)
            found.update(zip(digests, np.split(values, cuts[:-1]), strict=True))
        except (OSError, ValueError, TypeError, IndexError, RecursionError) as error:
            if isinstance(error, errors.UserError):
                raise
            raise _misfit(path, error, "digests and counts of items") from error
    return found


def _opened(path: pathlib.Path, rows: int, width: int | None) -> np.ndarray:
    """Returns kept features, mapped into memory, if they are as many as they should be."""
    try:
        values = np.load(path, mmap_mode="r", allow_pickle=False)
    except (OSError, ValueError, EOFError) as error:
        raise _misfit(path, error, "an array of features") from error
    width = values.shape[-1] if width is None and values.ndim == 2 else width
    if values.dtype != np.float32 or values.shape != (rows, width):
        raise _misfit(path, f"{values.dtype} {list(values.shape)}", f"float32 [{rows}, {width}]")
    return values


def _misfit(path: pathlib.Path, received: object, expected: str) -> errors.UserError:
    return errors.UserError(
        "kept features do not fit the records",
        where=path,
        received=received,
        expected=expected,
        remedy=f"Remove the folder {path.parent}: they are computed anew",
    )


def _digests(record_set: records.RecordSet) -> list[str]:
    """Returns a SHA-256 over the frames of each item."""
    dataset_of_frames = record_set.serialized().map(
        lambda text: records.parse_example(text)["frames"], num_parallel_calls=cores.taken()
    )
    found = []
    for jpegs in dataset_of_frames.prefetch(1).as_numpy_iterator():
        digest = hashlib.sha256()
        for jpeg in jpegs:
            digest.update(len(jpeg).to_bytes(8, "little"))
            digest.update(jpeg)
        found.append(digest.hexdigest())
    return found


def _stream(
    record_set: records.RecordSet,
    backbone: keras.Model,
    view: augment.View,
    items: list[int],
    *,
    total: int,
) -> Iterator[np.ndarray]:
    """Yields the features of batches of frames."""
    if not items:
        return
    # JAX on several hosts cannot predict on one of them.
    is_jax = keras.config.backend() == "jax"
    forward = forwards.of(backbone) if is_jax else litert.forward(backbone)
    batches = dataset.stored_frames(record_set, items, view=view, batch_size=_BATCH)
    what = f"features {record_set.path.name.removesuffix(records.SUFFIX)}"
    with progress.shown(what, -(-total // _BATCH), unit=f"batches of {_BATCH} frames") as advance:
        for frames in batches.as_numpy_iterator():
            yield forward(frames).astype(np.float32, copy=False)
            advance()


def _tell_waiting(folder: pathlib.Path) -> None:
    log.info("features: another process computes those in %s, waiting for it", folder)


def _remove_unfinished(folder: pathlib.Path) -> None:
    """Removes what a killed process was writing; the caller holds the lock."""
    for path in folder.rglob(".*.tmp.*"):
        path.unlink(missing_ok=True)


@contextlib.contextmanager
def _apart(folder: pathlib.Path) -> Iterator[pathlib.Path]:
    """Yields a folder of one's own, whose files take their places in `folder` when it is done.

    Without a lock another process may be at the same work; both come to the same files.
    """
    own = folder.with_name(f".{folder.name}.{uuid.uuid4().hex[:8]}")
    try:
        yield own
        folder.mkdir(parents=True, exist_ok=True)
        for name in (_ITEMS, _VALUES):  # what makes them valid comes last
            os.replace(own / name, folder / name)
        files.sync_folder(folder)
    finally:
        shutil.rmtree(own, ignore_errors=True)


def _part(folder: pathlib.Path, index: int) -> pathlib.Path:
    return folder / "parts" / f"{index:05d}.npy"


def _join(folder: pathlib.Path, parts: int) -> None:
    """Makes one file of all parts and removes them."""
    arrays = [
        np.load(_part(folder, index), mmap_mode="r", allow_pickle=False) for index in range(parts)
    ]
    shape = (sum(len(array) for array in arrays), arrays[0].shape[1])
    _write(folder / _VALUES, arrays, shape)
    shutil.rmtree(folder / "parts", ignore_errors=True)


def _write(path: pathlib.Path, arrays: Iterable[np.ndarray], shape: tuple[int, ...]) -> None:
    """Writes float32 arrays one after the other as a single one, a part of a file at a time.

    A full disk is then an error: a file that is mapped into memory ends the process instead, and
    what NumPy writes by itself does not tell why it could not.
    """
    header = {"descr": np.dtype(np.float32).str, "fortran_order": False, "shape": shape}
    with files.atomic_path(path) as temporary, temporary.open("wb") as file:
        np.lib.format.write_array_header_1_0(file, header)
        for array in arrays:
            for start in range(0, len(array), _PART):
                rows = array[start : start + _PART]
                file.write(np.ascontiguousarray(rows, np.float32).data)


@contextlib.contextmanager
def _explaining(folder: pathlib.Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise errors.UserError(
            "features, which are kept beside the records, cannot be written",
            where=folder,
            received=f"{error.strerror or error} ({error.filename or folder})",
            expected="a folder with room and the right to write",
            remedy="Make room, or copy the records to a folder of your own",
        ) from error
