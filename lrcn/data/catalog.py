"""Named data sets: functions of plain values that return the items of every split.

All but `lists` live in modules of their own and are offered here, so that callers find all kinds in
one place.
"""

from __future__ import annotations

import os
import pathlib
from collections.abc import Sequence

from lrcn import errors
from lrcn.data import coco as coco_files
from lrcn.data import flickr as flickr_files
from lrcn.data import folders, sentences, shapes, tfds_source, ucf, word_lists
from lrcn.data import lists as list_files
from lrcn.data import msvd as msvd_files
from lrcn.data.limits import Limits

coco = coco_files.coco
flickr = flickr_files.flickr
folder = folders.folder
moving_shapes = shapes.moving_shapes
msvd = msvd_files.msvd
tfds = tfds_source.tfds
ucf101 = ucf.ucf101


def lists(
    input_files: str | os.PathLike | Sequence[str | os.PathLike],
    *,
    path_prepend_folder: str | os.PathLike | None = None,
    labels: str | os.PathLike | None = None,
    frame_format: str = "jpg",
    vocabulary: str | os.PathLike | None = None,
    on_error: str = "stop",
    limits: Limits = Limits(),
) -> list_files.Catalog:
    """Reads list files; each becomes a split of the list's file name.

    Without a file of class names the number of classes is the highest label of all lists of the
    call plus one.

    Args:
        input_files: One list or several.
        path_prepend_folder: Folder of relative paths, by default each list's own.
        labels: File of class names, one a line.
        frame_format: Suffix of the frames in folders.
        vocabulary: The words of lists whose captions are word indices: a `vocabulary.json`, or a
            text file with a word a line. Without it integers are labels.
        on_error: `stop` raises what is wrong with the first bad line; `keep` returns such items
            with their `problem`.
        limits: Bound the files, their lines and captions.

    Raises:
        UserError: A list or a line is not as it should be, or two lists have one name.
    """
    files = _several(input_files)
    if labels and vocabulary:
        raise _labels_and_vocabulary(labels, vocabulary)
    label_names = list_files.read_label_names(labels, limits=limits) if labels else ()
    tokens = sentences.read_tokens(vocabulary, limits=limits) if vocabulary else None
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
        options = {
            "path_prepend_folder": path_prepend_folder,
            "frame_format": frame_format,
            "on_error": on_error,
            "limits": limits,
        }
        if tokens is None:
            items = list_files.read_list(file, label_names=label_names, **options)
        else:
            items = word_lists.read_list(file, tokens, **options)
        splits[file.name] = list_files.Split(file.name, items, str(file))
    return _numbered(splits, label_names)


def _labels_and_vocabulary(labels: object, vocabulary: object) -> errors.UserError:
    return errors.UserError(
        "integers are either labels or words",
        where="dataset.vocabulary",
        received=f"{vocabulary} with dataset.labels={labels}",
        expected="one of the two",
        remedy="Leave dataset.labels out for captions, dataset.vocabulary for classes",
    )


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
