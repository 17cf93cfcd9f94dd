"""COCO captions: annotation JSON, folders of images, and lists of ids for splits of one's own."""

from __future__ import annotations

import collections
import dataclasses
import os
import pathlib
from collections.abc import Mapping

from lrcn import errors
from lrcn.data import bounded, captioned, lines, lists
from lrcn.data.limits import Limits

_ORIGIN = captioned.Origin("dataset.images", "dataset.annotations")
_EXPECTED = (
    '{"images": [{"id": 1, "file_name": "a.jpg"}, ...], '
    '"annotations": [{"id": 1, "image_id": 1, "caption": "a dog"}, ...]}'
)
_BY_SPLIT = "'dataset.annotations={train: TRAIN.json, val: VAL.json}'"
_Paths = str | os.PathLike | Mapping[str, str | os.PathLike]


@dataclasses.dataclass
class _Image(captioned.Entry):
    """An image of the annotations; `file_name` is as they have it."""

    file_name: str = ""


def coco(
    images: _Paths,
    annotations: _Paths,
    *,
    ids: Mapping[str, str | os.PathLike] | None = None,
    on_error: str = "stop",
    limits: Limits = Limits(),
) -> lists.Catalog:
    """Reads images and captions; the id of an item is that of the image.

    Files of annotations may number their images alike: an id is unique in a file, and an image is
    one by its file.

    A split with a list of ids holds these images, wherever the annotations tell of them, so that
    lists may share out the official files anew. A split without one holds every image of its own
    annotations.

    Args:
        images: Folder of the images, or for each split of `annotations` its folder.
        annotations: Annotation JSON, or one for each of train, val and test. One alone needs `ids`.
        ids: For a split a file with an image id or file name a line; the name of a file alone
            will do where one image has it.
        on_error: See `captioned.catalog`.
        limits: Bound the files, their lines and captions.

    Raises:
        UserError: A file is not as it should be, or as `on_error` tells.
    """
    ids = ids or {}
    alone = not isinstance(annotations, Mapping)
    if not alone:
        captioned.check_splits(annotations, "dataset.annotations", _BY_SPLIT)
    if alone or ids:
        example = "'dataset.ids={train: FILE, val: FILE}'"
        if not ids:
            example += f", or annotations for each split: {_BY_SPLIT}"
        captioned.check_splits(ids, "dataset.ids", example)
    files = {"": annotations} if alone else annotations
    folders = _folders(images, list(files))
    read = _read(files, folders, limits)
    splits, sources = {}, {}
    for split in dict.fromkeys([*files, *ids]):
        if split in ids:
            splits[split] = _listed(ids[split], read, limits)
            sources[split] = f"coco {', '.join(map(str, files.values()))} ids={ids[split]}"
        elif split:
            splits[split] = list(read[str(files[split])].values())
            sources[split] = f"coco {files[split]}"
    return captioned.catalog(splits, sources, _ORIGIN, on_error=on_error, limits=limits)


def _folders(images: _Paths, names: list[str]) -> dict[str, pathlib.Path]:
    """Returns the folder of each annotation file."""
    if not isinstance(images, Mapping):
        return dict.fromkeys(names, captioned.check_folder(images, "dataset.images"))
    if set(images) != set(names):
        keyed = names != [""]
        shape = ", ".join(f"{name}: FOLDER" for name in names)
        raise errors.UserError(
            "folders of other splits than the annotations",
            where="dataset.images",
            received=", ".join(images) or "none",
            expected=f"one folder, or {{{shape}}}" if keyed else "one folder",
            remedy="Give each annotation file its folder, or one folder for all",
        )
    return {
        name: captioned.check_folder(folder, f"dataset.images.{name}")
        for name, folder in images.items()
    }


def _read(
    files: Mapping[str, str | os.PathLike],
    folders: Mapping[str, pathlib.Path],
    limits: Limits,
) -> dict[str, dict[str, _Image]]:
    """Returns the images of each file by id."""
    read: dict[str, dict[str, _Image]] = {}
    for split, file in files.items():
        if str(file) not in read:
            read[str(file)] = _entries(file, folders[split], limits)
    return read


def _entries(file: str | os.PathLike, folder: pathlib.Path, limits: Limits) -> dict[str, _Image]:
    """Returns the images of a file with their captions, by id."""
    content = captioned.read_json(file, _EXPECTED, limits=limits)
    for part in ("images", "annotations"):
        if not isinstance(content, dict) or not isinstance(content.get(part), list):
            keys = ", ".join(content) if isinstance(content, dict) else type(content).__name__
            raise _misfit(str(file), f"annotations without a list of {part}", keys or "no keys")
    entries: dict[str, _Image] = {}
    for number, image in enumerate(content["images"]):
        where = f"{file}: images[{number}]"
        name = _id(image, "id", where)
        file_name = image.get("file_name")
        if not isinstance(file_name, str) or not file_name:
            raise _misfit(where, "image without file_name", _shown(image))
        if name in entries:
            raise _twice(where, f"image id {name}", entries[name].where)
        entries[name] = _image(name, file_name, folder, where)
    places: dict[str, str] = {}
    for number, annotation in enumerate(content["annotations"]):
        where = f"{file}: annotations[{number}]"
        image = _id(annotation, "image_id", where)
        if not isinstance(annotation.get("caption"), str):
            raise _misfit(where, "annotation without a caption", _shown(annotation))
        if image not in entries:
            raise _misfit(where, "annotation of an unknown image", f"image_id {image}")
        if "id" in annotation:
            own = _id(annotation, "id", where)
            if places.setdefault(own, where) != where:
                raise _twice(where, f"annotation id {own}", places[own])
        entries[image].captions.append((where, annotation["caption"]))
    return entries


def _image(name: str, file_name: str, folder: pathlib.Path, where: str) -> _Image:
    """Returns the entry of an image, with `problem` set if its name is none of this folder."""
    try:
        path = captioned.inside(folder, file_name, where=where, key=_ORIGIN.files)
        return _Image(name, path, where, file_name=file_name)
    except errors.UserError as problem:
        return _Image(name, "", where, problem=problem, file_name=file_name)


def _id(values: object, key: str, where: str) -> str:
    found = values.get(key) if isinstance(values, dict) else None
    if isinstance(found, bool) or not isinstance(found, int | str):
        raise _misfit(where, f"no {key}", _shown(values))
    return str(found)


def _listed(
    file: str | os.PathLike, read: Mapping[str, Mapping[str, _Image]], limits: Limits
) -> list[captioned.Entry]:
    """Returns the entries that a list names by id, by file name or by the last part of one."""
    by_id, by_file, by_end = (collections.defaultdict(list) for _ in range(3))
    for image in (image for images in read.values() for image in images.values()):
        by_id[image.id].append(image)
        by_file[image.file_name].append(image)
        by_end[pathlib.PurePath(image.file_name).name].append(image)
    found = []
    for where, name in lines.filled(file, limits=limits):
        meant = by_id.get(name) or by_file.get(name) or by_end.get(name, [])
        if len(meant) == 1:
            found.append(dataclasses.replace(meant[0], where=where))
        else:
            problem = _ambiguous(where, name, meant) if meant else _unknown(where, name)
            found.append(captioned.Entry(name, "", where, problem=problem))
    return found


def _ambiguous(where: str, name: str, meant: list[_Image]) -> errors.UserError:
    alike = len({image.id for image in meant}) < len(meant)
    shown = [f"{image.file_name} ({image.where if alike else f'id {image.id}'})" for image in meant]
    return errors.UserError(
        "several images have this name",
        where=where,
        received=f"{name}, which is {errors.few(shown, separator=' or ')}",
        expected="the id or the file_name of one image",
        remedy="Write its id or its whole file_name, whichever is its alone",
    )


def _unknown(where: str, name: str) -> errors.UserError:
    return errors.UserError(
        "the annotations do not know this image",
        where=where,
        received=name,
        expected="an image id or file name of dataset.annotations",
        remedy="Correct or remove the line, or add the annotations of the image",
    )


def _twice(where: str, name: str, first: str) -> errors.UserError:
    return errors.UserError(
        "id stands twice",
        where=where,
        received=f"{name}, first at {first}",
        expected="each id once",
        remedy="Remove one of the two, or give it another id",
    )


def _misfit(where: str, what: str, received: str) -> errors.UserError:
    return errors.UserError(
        what,
        where=where,
        received=received,
        expected=_EXPECTED,
        remedy="Give a captions_*.json of COCO, or a file of this form, as dataset.annotations",
    )


def _shown(value: object) -> str:
    return bounded.shown(value)
