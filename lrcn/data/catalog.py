"""Named data sets: functions of plain values that return the items of every split.

`folder`, `ucf101`, `tfds` and `moving_shapes` live in modules of their own and are offered here, so
that callers find all kinds in one place.
"""

from __future__ import annotations

import os
import pathlib
from collections.abc import Sequence

from lrcn import errors
from lrcn.data import folders, shapes, tfds_source, ucf
from lrcn.data import lists as list_files

folder = folders.folder
moving_shapes = shapes.moving_shapes
tfds = tfds_source.tfds
ucf101 = ucf.ucf101


def lists(
    input_files: str | os.PathLike | Sequence[str | os.PathLike],
    *,
    path_prepend_folder: str | os.PathLike | None = None,
    labels: str | os.PathLike | None = None,
    frame_format: str = "jpg",
    on_error: str = "stop",
) -> list_files.Catalog:
    """Reads list files; each becomes a split of the list's file name.

    Without a file of class names the number of classes is the highest label of all lists of the
    call plus one.

    Args:
        input_files: One list or several.
        path_prepend_folder: Folder of relative paths, by default each list's own.
        labels: File of class names, one a line.
        frame_format: Suffix of the frames in folders.
        on_error: `stop` raises what is wrong with the first bad line; `keep` returns such items
            with their `problem`.

    Raises:
        UserError: A list or a line is not as it should be, or two lists have one name.
    """
    files = _several(input_files)
    label_names = list_files.read_label_names(labels) if labels else ()
    splits: dict[str, list_files.Split] = {}
    for file in files:
        if file.name in splits:
            raise errors.UserError(
                "two lists of one name",
                where="dataset.input_files",
                received=f"{splits[file.name].source} and {file}",
                expected="lists of different names, since records are named after them",
                remedy="Rename one, or serialize them into different folders",
            )
        items = list_files.read_list(
            file,
            path_prepend_folder=path_prepend_folder,
            frame_format=frame_format,
            label_names=label_names,
            on_error=on_error,
        )
        splits[file.name] = list_files.Split(file.name, items, str(file))
    return _numbered(splits, label_names)


def _several(input_files: str | os.PathLike | Sequence[str | os.PathLike]) -> list[pathlib.Path]:
    """Returns the lists, given alone or several at once."""
    alone = isinstance(input_files, (str, os.PathLike))
    files = [pathlib.Path(file) for file in ([input_files] if alone else input_files)]
    if not files:
        raise errors.UserError(
            "no list is given",
            where="dataset.input_files",
            received="[]",
            expected="a list file or several",
            remedy="Set dataset.input_files=[data.train,data.val]",
        )
    return files


def _numbered(
    splits: dict[str, list_files.Split], label_names: tuple[str, ...]
) -> list_files.Catalog:
    """Counts classes and labels over all splits."""
    labels = [item.labels for split in splits.values() for item in split.items]
    highest = max((max(some) for some in labels if some), default=-1)
    return list_files.Catalog(
        splits=splits,
        label_names=label_names,
        num_classes=len(label_names) or highest + 1,
        multi_label=any(len(some) > 1 for some in labels),
    )
