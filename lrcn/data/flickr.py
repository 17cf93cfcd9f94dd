"""Flickr8k and Flickr30k: a folder of images, a token file of captions, lists of image names."""

from __future__ import annotations

import os
import pathlib
from collections.abc import Mapping

from lrcn import errors
from lrcn.data import captioned, lines, lists
from lrcn.data.limits import Limits

_ORIGIN = captioned.Origin("dataset.images", "dataset.captions")


def flickr(
    images: str | os.PathLike,
    captions: str | os.PathLike,
    *,
    train: str | os.PathLike | None = None,
    val: str | os.PathLike | None = None,
    test: str | os.PathLike | None = None,
    on_error: str = "stop",
    limits: Limits = Limits(),
) -> lists.Catalog:
    """Reads images that lists of names assign to splits; captions of other images are ignored.

    Args:
        images: Folder of the images.
        captions: Token file with a line `image#k<TAB>caption` for caption k of an image.
        train: File with the name of an image a line; None leaves the split out.
        val: Likewise.
        test: Likewise.
        on_error: See `captioned.catalog`.
        limits: Bound the files, their lines and captions.

    Raises:
        UserError: A file is not as it should be, or as `on_error` tells.
    """
    folder = captioned.check_folder(images, "dataset.images")
    given = {"train": train, "val": val, "test": test}
    given = {split: file for split, file in given.items() if file is not None}
    if not given:
        raise errors.UserError(
            "no split is named",
            where="dataset.train",
            received="neither train, val nor test",
            expected="a file of image names for one of them at least",
            remedy="Set dataset.train=FILE, dataset.val=FILE or dataset.test=FILE",
        )
    splits = {
        split: [_entry(name, folder, where) for where, name in lines.filled(file, limits=limits)]
        for split, file in given.items()
    }
    by_name: dict[str, list[captioned.Entry]] = {}
    for entries in splits.values():
        for entry in entries:
            by_name.setdefault(entry.id, []).append(entry)
    _add_captions(by_name, captions, limits)
    sources = {split: f"flickr {captions} names={file}" for split, file in given.items()}
    return captioned.catalog(splits, sources, _ORIGIN, on_error=on_error, limits=limits)


def _entry(name: str, folder: pathlib.Path, where: str) -> captioned.Entry:
    """Returns an image, with `problem` set if its name is none of this folder."""
    try:
        path = captioned.inside(folder, name, where=where, key=_ORIGIN.files)
        return captioned.Entry(name, path, where)
    except errors.UserError as problem:
        return captioned.Entry(name, "", where, problem=problem)


def _add_captions(
    by_name: Mapping[str, list[captioned.Entry]], captions: str | os.PathLike, limits: Limits
) -> None:
    """Gives each entry the captions of its image."""
    places: dict[str, str] = {}
    for where, name, caption in captioned.tabbed(captions, limits=limits):
        for entry in by_name.get(lists.CAPTION_NUMBER.sub("", name), ()):
            entry.captions.append((where, caption))
            is_numbered = lists.CAPTION_NUMBER.search(name)
            if is_numbered and places.setdefault(name, where) != where:
                entry.problem = lists.one_number_twice(where, name, places[name])
