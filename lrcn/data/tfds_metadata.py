"""The two JSON files that let TensorFlow Datasets open a folder of records."""

from __future__ import annotations

import collections
import logging
import pathlib
import re
from collections.abc import Mapping

from lrcn import errors, files
from lrcn.data import records
from lrcn.data.limits import Limits

log = logging.getLogger(__name__)

_FEATURES = "tensorflow_datasets.core.features"
_LIST_SUFFIX = re.compile(r"\.(txt|lst|list|csv|tsv)$")


def check_name(path: pathlib.Path) -> None:
    """Refuses names of records that cannot stand in a template of file names."""
    if "{" in path.name or "}" in path.name:
        raise errors.UserError(
            "braces in the name of records",
            where=path,
            received=path.name,
            expected="a name without { and }",
            remedy="Rename the list",
        )


def check_joins(
    path: pathlib.Path, label_names: tuple[str, ...], *, limits: Limits = Limits()
) -> None:
    """Refuses records whose class names are not those of the others in the folder.

    Args:
        path: The new records, `.../data.train.tfrecord`.
        label_names: Their class names, possibly none.
        limits: The most that the records in the folder may ask for.
    """
    for other, metadata in _present(path.parent, limits).items():
        if other != path.name and label_names and metadata.label_names not in ((), label_names):
            raise errors.UserError(
                "the folder holds records of other classes",
                where=path,
                received=_differing(label_names, metadata.label_names),
                expected=f"those of {other} beside it: "
                f"{_differing(metadata.label_names, label_names)}",
                remedy="Choose another output_folder, or serialize all lists with one file of "
                "labels",
            )


def _differing(names: tuple[str, ...], others: tuple[str, ...]) -> str:
    """Returns the first name that differs from the others, and how many there are."""
    pairs = list(zip(names, others, strict=False))
    place = next((i for i, (name, other) in enumerate(pairs) if name != other), len(pairs))
    told = f"'{names[place]}' as" if place < len(names) else "no"
    return f"{told} class {place}, {len(names)} in all"


def write(
    path: pathlib.Path,
    metadata: records.Metadata,
    *,
    into: pathlib.Path,
    limits: Limits = Limits(),
) -> list[str]:
    """Writes `dataset_info.json`, `features.json` and `label.labels.txt` for all records there.

    Args:
        path: The records that are being finished, `.../data.train.tfrecord`.
        metadata: Their metadata, not yet written.
        into: The folder to write to, from where the files go beside the records.
        limits: The most that the records in the folder may ask for.

    Returns:
        The names of the files.
    """
    folder = path.parent
    present = {**_present(folder, limits), path.name: metadata}
    splits = _split_names(sorted(present))
    info = {
        "name": _plain(folder.absolute().name),
        "version": "1.0.0",
        "description": "Videos or images with their clips, stored by lrcn.",
        "fileFormat": "tfrecord",
        "splits": [_split(splits[key], key, present[key]) for key in sorted(present)],
    }
    names = max((other.label_names for other in present.values()), key=len)
    if names:
        files.write_text(into / "label.labels.txt", "\n".join(names) + "\n")
    files.write_json(into / "features.json", _features(present))
    files.write_json(into / "dataset_info.json", info)
    return [*(["label.labels.txt"] if names else []), "features.json", "dataset_info.json"]


def _present(folder: pathlib.Path, limits: Limits) -> dict[str, records.Metadata]:
    """Returns the metadata of finished records in a folder by file name."""
    found = {}
    for size in sorted(folder.glob(f"*{records.SIZE_SUFFIX}")):
        try:
            found[size.name.removesuffix(".size")] = records.read_metadata(size, limits=limits)
        except errors.UserError as error:
            log.warning("left out of the TFDS metadata: %s", error)
    return found


def _split_names(names: list[str]) -> dict[str, str]:
    """Names splits by the last dot-part, or in full where two records would share one."""
    full = {name: _LIST_SUFFIX.sub("", name.removesuffix(records.SUFFIX)) for name in names}
    short = {name: _plain(text.rsplit(".", 1)[-1]) for name, text in full.items()}
    counts = collections.Counter(short.values())
    return {name: short[name] if counts[short[name]] == 1 else _plain(name) for name in names}


def _plain(text: str) -> str:
    plain = re.sub(r"[^A-Za-z0-9_]", "_", text) or "records"
    return f"{plain}_" if plain == "all" else plain


def _split(split: str, name: str, metadata: records.Metadata) -> dict[str, object]:
    sharded = len(metadata.shards) > 1
    return {
        "name": split,
        "filepathTemplate": f"{name}-{{SHARD_X_OF_Y}}" if sharded else name,
        "shardLengths": [str(shard.records) for shard in metadata.shards],
        "numBytes": str(sum(shard.bytes for shard in metadata.shards)),
    }


def _features(present: Mapping[str, records.Metadata]) -> dict[str, object]:
    text = _connector("text_feature.Text", text={})
    number = {"dtype": "int64", "encoding": "none"}
    scalar = _connector("scalar.Scalar", tensor={**number, "shape": {}})
    features = {
        "id": text,
        "path": text,
        "group": text,
        "label": _label(present),
        "label_text": _sequence(text),
        "captions": _sequence(text),
        "frame_count": scalar,
        "clip_count": scalar,
        "clips": _connector("tensor_feature.Tensor", tensor={**number, "shape": _clips(present)}),
        "frames": _connector("video_feature.Video", video=_frames(present)),
    }
    return _connector("features_dict.FeaturesDict", featuresDict={"features": features})


def _connector(name: str, **content: object) -> dict[str, object]:
    return {"pythonClassName": f"{_FEATURES}.{name}", **content}


def _sequence(feature: dict[str, object]) -> dict[str, object]:
    return _connector("sequence_feature.Sequence", sequence={"feature": feature, "length": "-1"})


def _shape(*dimensions: int) -> dict[str, list[str]]:
    return {"dimensions": [str(dimension) for dimension in dimensions]}


def _label(present: Mapping[str, records.Metadata]) -> dict[str, object]:
    labels = [some for metadata in present.values() for some in metadata.labels]
    if any(len(some) != 1 for some in labels):
        tensor = {"dtype": "int64", "encoding": "none", "shape": {}}
        return _sequence(_connector("tensor_feature.Tensor", tensor=tensor))
    classes = max(metadata.num_classes for metadata in present.values())
    return _connector("class_label_feature.ClassLabel", classLabel={"numClasses": str(classes)})


def _clips(present: Mapping[str, records.Metadata]) -> dict[str, list[str]]:
    lengths = {metadata.frames_per_clip or 1 for metadata in present.values() if metadata.items}
    stored = {metadata.frames_per_clip for metadata in present.values()} - {None}
    lengths = stored or lengths
    return _shape(-1, *lengths) if len(lengths) == 1 else _shape(-1)


def _frames(present: Mapping[str, records.Metadata]) -> dict[str, object]:
    shapes = {metadata.frame_shape for metadata in present.values()}
    common = next(iter(shapes)) if len(shapes) == 1 else None
    shape = _shape(-1, *(common or (-1, -1, 3)))
    return {"dtype": "uint8", "encodingFormat": "jpeg", "shape": shape}
