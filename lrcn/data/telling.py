"""What is told of records beside them: made where they are made, and then given its names."""

from __future__ import annotations

import pathlib
from collections.abc import Sequence

from lrcn import files
from lrcn.data import records, shuffled, tfds_metadata, unfinished
from lrcn.data.limits import Limits


def publish(
    begun: unfinished.Unfinished,
    path: pathlib.Path,
    metadata: records.Metadata,
    *,
    listed: Sequence[str] | None,
    limits: Limits,
) -> None:
    """Writes the metadata of records whose files have their names; the `.size` the last.

    Args:
        begun: The folder in which all of it is made.
        path: The records, `.../NAME.tfrecord`.
        metadata: What the `.size` tells.
        listed: Lines of `NAME.shuffled`; None if the items keep their order.
        limits: The most that other records in the folder may ask for.
    """
    size = records.size_path(path)
    name = f"{path.name.removesuffix(records.SUFFIX)}.shuffled"
    if listed is None:
        path.with_name(name).unlink(missing_ok=True)
    else:
        shuffled.write_lines(begun.folder / name, listed)
        begun.publish(name)
    for name in tfds_metadata.write(path, metadata, into=begun.folder, limits=limits):
        begun.publish(name)
    records.write_metadata(begun.folder / path.name, metadata)
    files.sync_folder(path.parent)
    begun.publish(size.name)
    files.sync_folder(path.parent)
