"""Frames that records beside hold already: the splits of a data set share their videos.

Three splits of UCF101 are three sets of records of the same videos, and optical flow takes longer
than all else. Beside records in the cache lies which item of which files each of them is, so that
records made later copy the stored frames of the items that have not changed since.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import logging
import pathlib
from collections.abc import Mapping

import tensorflow as tf

from lrcn import errors, files
from lrcn.data import framing, images, lists, records, sources, video
from lrcn.data.limits import Limits

log = logging.getLogger(__name__)

_FILE = "items.json"

Places = Mapping[str, Mapping[int, framing.Place]]
"""By split and place in it, where the record of an item lies."""


Keys = Mapping[str, Mapping[str, str]]
"""By split and id, what decides on the stored frames of an item; empty if that is not in files."""


def keys_of(catalog: lists.Catalog, reading: video.Reading) -> Keys:
    """Returns the keys of a data set's items, by their files as they are now.

    Args:
        catalog: The data set.
        reading: How its frames are to be read.
    """
    return {
        name: {item.id: _key(item, reading) for item in split.items}
        for name, split in catalog.splits.items()
    }


def write(folder: pathlib.Path, keys: Keys, *, limits: Limits = Limits()) -> None:
    """Writes beside finished records what each of their items was made of.

    Args:
        folder: The records of all splits, with every frame.
        keys: Of all items, from before they were read: a file that changed since then has another
            key, under which its old frames are not found.
        limits: The most that the records may ask for.
    """
    found = {
        name: [own[id] for id in records.read_metadata(folder / name, limits=limits).ids]
        for name, own in keys.items()
    }
    files.write_json(folder / _FILE, found)


def find(folder: pathlib.Path, keys: Keys, *, limits: Limits = Limits()) -> Places:
    """Returns where the frames of items of a data set are stored already.

    Records whose checksums are not right are passed over.

    Args:
        folder: Holds folders of records.
        keys: Of all items, in the order of their splits.
        limits: The most that the records may ask for; those that ask for more are passed over.
    """
    ordered = {name: list(own.values()) for name, own in keys.items()}
    wanted = {key for own in ordered.values() for key in own if key}
    stored: dict[str, framing.Place] = {}
    for file in sorted(folder.glob(f"*/{_FILE}")):
        for name, own in json.loads(file.read_text(encoding="utf-8")).items():
            if not wanted.isdisjoint(own):
                with contextlib.suppress(errors.UserError, tf.errors.DataLossError):
                    places = _places(file.with_name(name), limits)
                    stored.update(zip(own, places, strict=True))
    found = {
        name: {place: stored[key] for place, key in enumerate(own) if key and key in stored}
        for name, own in ordered.items()
    }
    if count := sum(map(len, found.values())):
        total = sum(map(len, ordered.values()))
        log.info("data: the frames of %d of %d items are stored already", count, total)
    return found


def read(place: framing.Place, *, limits: Limits = Limits()) -> video.Frames:
    """Returns the stored frames of an item.

    Args:
        place: Where its record lies.
        limits: The most that its frames may ask for.

    Raises:
        OSError: The file is no longer there.
    """
    example = tf.train.Example.FromString(place.read())
    jpegs = list(example.features.feature["frames"].bytes_list.value)
    return video.Frames(len(jpegs), jpegs, images.size_of(jpegs[0], limits=limits))


def _places(path: pathlib.Path, limits: Limits) -> list[framing.Place]:
    return [place for place, _ in records.open_records(path, limits=limits).located()]


def _key(item: lists.Item, reading: video.Reading) -> str:
    """Returns what decides on the stored frames of an item; empty if that is not in files."""
    stamp = sources.stamp(item, reading.frame_format)
    if not stamp or item.load:
        return ""
    kind = [reading.modality.name, reading.modality.method]
    facts = [reading.image_shape, reading.frame_step, reading.fps, reading.quality, *kind]
    text = json.dumps([item.path, item.kind, stamp, reading.frame_format, *facts])
    return hashlib.sha256(text.encode()).hexdigest()[:24]
