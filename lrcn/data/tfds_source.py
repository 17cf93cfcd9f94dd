"""TensorFlow Datasets as a source of items: any set with a video or an image feature.

The record files of a prepared data set are indexed once (labels, captions and the place of each
record); frames are read and decoded an item at a time, when an item is loaded, so memory stays
flat. `tensorflow_datasets` is imported only when such a set is asked for.
"""

from __future__ import annotations

import dataclasses
import difflib
import functools
import itertools
import os
import pathlib
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np

from lrcn.data import captioned, framing, images, lists, tfds_fields
from lrcn.data.limits import Limits
from lrcn.errors import UserError


def tfds(
    name: str,
    *,
    data_dir: str | os.PathLike | None = None,
    splits: Sequence[str] | Mapping[str, str] | None = None,
    on_error: str = "stop",
    limits: Limits = Limits(),
) -> lists.Catalog:
    """Reads a prepared data set of TensorFlow Datasets; nothing is downloaded.

    It needs a video feature, or else an image feature, and a label or captions. A label is a
    `ClassLabel` or a sequence of them; integers are taken if a feature is called `label`, `labels`.
    Captions are texts, alone or within sequences and dicts, called `captions`, `text`, `sentences`,
    `descriptions` or one of them; without a label also the only text that is no id or file name.

    Args:
        name: Name such as `ucf101/ucf101_1:2.0.0`, or a folder that holds `dataset_info.json`.
        data_dir: Folder that the set was prepared in, by default that of TensorFlow Datasets.
        splits: Names of splits, or a mapping from a name to a split of the set such as
            `{"train": "train[:90%]", "val": "train[90%:]"}`; by default all of the set.
        on_error: `stop` raises what is wrong with the texts of the first bad item; `keep` returns
            such items with `problem` set.
        limits: Bound captions and frames.

    Raises:
        UserError: The set, a split or a feature is missing, files are not as they should be, or
            as `on_error` tells.
    """
    builder = _opened(name, data_dir)
    fields = tfds_fields.chosen(builder.info.features, name)
    wanted = _wanted(builder, splits, name)
    catalog_splits = {
        split: lists.Split(
            split,
            tuple(_items(builder, fields, spec, limits)),
            f"tfds {builder.info.full_name} {spec}",
        )
        for split, spec in wanted.items()
    }
    items = [item for split in catalog_splits.values() for item in split.items]
    problems = [item.problem for item in items if item.problem]
    if problems and on_error == "stop":
        raise lists.first_of(problems)
    found = [item.labels for item in items]
    highest = max((max(labels) for labels in found if labels), default=-1)
    return lists.Catalog(
        splits=catalog_splits,
        label_names=fields.label_names,
        num_classes=len(fields.label_names) or highest + 1,
        multi_label=any(len(labels) > 1 for labels in found),
    )


def _opened(name: str, data_dir: str | os.PathLike | None) -> Any:
    """Returns the builder of a prepared data set."""
    import tensorflow_datasets

    for folder in (name, data_dir, data_dir and pathlib.Path(data_dir, name)):
        if folder and pathlib.Path(folder, "dataset_info.json").is_file():
            return tensorflow_datasets.builder_from_directory(str(folder))
    try:
        builder = tensorflow_datasets.builder(name, data_dir=data_dir and str(data_dir))
    except (tensorflow_datasets.core.DatasetNotFoundError, ValueError, AssertionError) as error:
        reason = (str(error).strip() or type(error).__name__).splitlines()[0]
        raise UserError(
            "no such data set",
            where="dataset.name",
            received=f"{name} ({reason})",
            expected="a name of TensorFlow Datasets, or a folder that holds dataset_info.json",
            remedy="Correct dataset.name, or build the data set where dataset.data_dir points",
        ) from error
    if not builder.is_prepared():
        raise UserError(
            "the data set is not prepared",
            where="dataset.data_dir",
            received=builder.data_dir,
            expected="record files and dataset_info.json in it",
            remedy=f"Nothing is downloaded here: run `tfds build {name}` or set dataset.data_dir",
        )
    return builder


def _wanted(
    builder: Any, splits: Sequence[str] | Mapping[str, str] | None, name: str
) -> dict[str, str]:
    """Returns the splits to read: their names here, and what they are in the data set."""
    known = list(builder.info.splits)
    if splits is None:
        return {split: split for split in known}
    alone = [splits] if isinstance(splits, str) else splits
    wanted = dict(alone) if isinstance(alone, Mapping) else {split: split for split in alone}
    wanted = {split: spec for split, spec in wanted.items() if spec is not None}
    for split, spec in wanted.items():
        if not all(character.isalnum() or character in "_-." for character in split):
            raise UserError(
                "a part of a split needs a name",
                where="dataset.splits",
                received=split,
                expected=f'a mapping such as {{train: "{split}"}}',
                remedy="Give the part a name, and quotes inside the shell's",
            )
        try:
            builder.info.splits[spec]
        except (KeyError, ValueError) as error:
            near = difflib.get_close_matches(spec, known, n=1) or known
            raise UserError(
                "no such split",
                where="dataset.splits",
                received=spec,
                expected=f"of {name}: {', '.join(near)}, or a part such as {near[0]}[:80%]",
                remedy="Correct dataset.splits, or leave it out for all splits of the set",
            ) from error
    return wanted


def _places(file: str, skip: int, take: int) -> list[tuple[int, framing.Place]]:
    """Returns number and place of records of a file."""
    found = list(itertools.islice(framing.places(file), skip + take))
    if len(found) < skip + take:
        raise UserError(
            "records are cut short",
            where=file,
            received=f"{len(found)} whole records",
            expected=f"at least {skip + take}",
            remedy="Prepare the data set again",
        )
    return list(enumerate(found))[skip:]


def _items(
    builder: Any, fields: tfds_fields.Fields, spec: str, limits: Limits
) -> Iterator[lists.Item]:
    """Yields the items of a split in stored order."""
    split = builder.info.splits[spec]
    seen: set[str] = set()
    for instruction in split.file_instructions:
        file = str(instruction.filename)
        if not pathlib.Path(file).is_file() or ".tfrecord" not in pathlib.Path(file).name:
            raise UserError(
                "no TFRecord file of the data set",
                where=file,
                received="no such file" if not pathlib.Path(file).is_file() else "another format",
                expected="an existing file of the tfrecord format",
                remedy="Prepare the data set with file_format=tfrecord",
            )
        for number, place in _places(file, instruction.skip, instruction.take):
            item = _item(builder.info.features, fields, place, number, limits)
            if item.id in seen:
                item = dataclasses.replace(item, id=f"{item.id}#{len(seen)}")
            seen.add(item.id)
            yield item


def _item(
    features: Any, fields: tfds_fields.Fields, place: framing.Place, number: int, limits: Limits
) -> lists.Item:
    """Returns the item of a record, with `problem` set if a text of it is faulty."""
    example = _parsed(features, place)
    where = f"{place.file}#{number}"
    name = f"{pathlib.Path(place.file).name}#{number}"
    labels = () if fields.label is None else np.ravel(example[fields.label]).tolist()
    try:
        if fields.id:
            name = _texts(example[fields.id], where)[0]
        captions = _captions(example, fields, where, limits)
    except UserError as problem:
        return lists.Item(name, "", "missing", where=where, problem=problem)
    return lists.Item(
        id=name,
        path=where,
        kind="array" if fields.is_video else "picture",
        labels=tuple(int(label) for label in labels if label >= 0),
        captions=captions,
        where=where,
        load=functools.partial(_frames, features, fields, place, limits),
    )


def _captions(
    example: dict[str, Any], fields: tfds_fields.Fields, where: str, limits: Limits
) -> tuple[str, ...]:
    """Returns the captions of an example, which needs none that say anything beside a label."""
    found = []
    if fields.captions:
        value = functools.reduce(lambda value, key: value[key], fields.captions, example)
        found = _texts(value, where)
    if fields.label is not None and not any(caption.strip() for caption in found):
        return ()
    if not found:
        raise UserError(
            "nothing describes this item",
            where=where,
            received="no caption",
            expected="one caption at least",
            remedy="Prepare the data set without it, or skip it (lrcn serialize on_error=skip)",
        )
    return captioned.checked(((where, caption) for caption in found), limits=limits)


def _texts(value: Any, where: str) -> list[str]:
    """Returns the texts of a value, whatever its shape.

    Raises:
        UserError: One is not UTF-8.
    """
    value = getattr(value, "flat_values", value)  # sequences of different lengths
    try:
        return [text.decode() for text in np.ravel(np.asarray(value, dtype=object))]
    except UnicodeDecodeError as error:
        raise UserError(
            "text is not UTF-8",
            where=where,
            received=error,
            expected="UTF-8 text",
            remedy="Prepare the data set again, with its texts as UTF-8",
        ) from error


def _parsed(features: Any, place: framing.Place) -> dict[str, Any]:
    """Returns the features of a record as arrays; frames stay encoded."""
    import tensorflow as tf
    import tensorflow_datasets

    decoders = {
        key: tensorflow_datasets.decode.SkipDecoding()
        for key, feature in features.items()
        if isinstance(
            feature, (tensorflow_datasets.features.Video, tensorflow_datasets.features.Image)
        )
    }
    try:
        example = features.deserialize_example(place.read(), decoders=decoders)
    except (tf.errors.InvalidArgumentError, tf.errors.DataLossError) as error:
        raise UserError(
            "record cannot be read",
            where=f"{place.file} at byte {place.offset}",
            received=str(error).splitlines()[0],
            expected="an example of the data set's features",
            remedy="Prepare the data set again",
        ) from error
    return dict(tensorflow_datasets.as_numpy(example))


def _frames(
    features: Any, fields: tfds_fields.Fields, place: framing.Place, limits: Limits
) -> Iterator[np.ndarray]:
    """Decodes the frames of an item one at a time, `[height, width, 3] uint8`."""
    encoded = _parsed(features, place)[fields.frames]
    where = f"{place.file} at byte {place.offset}"
    for number, data in enumerate(np.ravel(np.asarray(encoded, dtype=object))):
        try:
            frame = images.decode(data, where=where, limits=limits)
        except UserError:
            raise
        except images.UNDECODABLE as error:
            raise UserError(
                f"frame {number} cannot be decoded",
                where=where,
                received=error,
                expected="a JPEG or PNG",
                remedy="Prepare the data set again, or skip the item (on_error=skip)",
            ) from error
        yield frame
