"""List files and the items they name: images, folders of frames, video files, with labels."""

from __future__ import annotations

import dataclasses
import os
import pathlib
import posixpath
import re
from collections.abc import Callable, Iterable, Sequence

import numpy as np

from lrcn import errors
from lrcn.data import bounded, frames, lines, text
from lrcn.data.limits import Limits

KINDS = ("image", "frames", "video", "picture", "array")
IMAGE_SUFFIXES = ("bmp", "jpeg", "jpg", "png", "pgm", "pnm", "ppm", "tif", "tiff", "webp")
VIDEO_SUFFIXES = (
    *("3gp", "avi", "flv", "gif", "m4v", "mkv", "mov", "mp4", "mpeg", "mpg", "ogv", "ts"),
    *("webm", "wmv"),
)

MOST_CLASSES = 1_000_000  # a higher label is a mistake, and would ask for as many outputs
frame_files = frames.frame_files
natural_key = frames.natural_key
read_label_names = lines.label_names


@dataclasses.dataclass(frozen=True)
class Item:
    """One image, folder of frames, video file or generated video, with what is known of it.

    Attributes:
        id: Unique within a split; for lists the path as written, without detours such as `./`.
        path: Absolute path on disk, or a description for generated items.
        kind: `image`, `frames` or `video` on disk; `picture` or `array`, an image or a video that
            is generated.
        labels: Class numbers; more than one for multi-label data, none for captions.
        captions: Sentences about the item.
        where: `file:line` or a key, for messages.
        group: Items of one group (a person, a UCF101 group) are never parted by a split.
        load: For generated items: yields frames `[height, width, 3] uint8`.
        problem: What is wrong with the line of the item; such an item is never read, it is an
            error or is skipped with this reason.
    """

    id: str
    path: str
    kind: str
    labels: tuple[int, ...] = ()
    captions: tuple[str, ...] = ()
    where: str = ""
    group: str = ""
    load: Callable[[], Iterable[np.ndarray]] | None = None
    problem: errors.UserError | None = None


@dataclasses.dataclass(frozen=True)
class Split:
    """Items that belong together, such as those of one list file.

    Attributes:
        name: Name of the records, such as `data.train`.
        items: The items in order.
        source: List file or description of the origin.
    """

    name: str
    items: tuple[Item, ...]
    source: str


@dataclasses.dataclass(frozen=True)
class Catalog:
    """The splits of a data set with their common classes; `label_names` may be empty."""

    splits: dict[str, Split]
    label_names: tuple[str, ...]
    num_classes: int
    multi_label: bool


CAPTION_NUMBER = re.compile(r"#\d+$")


def read_list(
    file: str | pathlib.Path,
    *,
    path_prepend_folder: str | pathlib.Path | None = None,
    frame_format: str = "jpg",
    label_names: Sequence[str] = (),
    on_error: str = "stop",
    limits: Limits = Limits(),
) -> tuple[Item, ...]:
    """Reads the items of a list file.

    A line is `path label [label ...]` split from the right, `path<TAB>label...`, or
    `path<TAB>caption`; a path repeated with captions is one item, `path#k` with a caption is
    caption k of `path`. A list holds labels or captions, whichever most lines have: several words
    after a TAB, or integers; a line of the other kind is faulty. Only the caption of a `path#k` may
    be an integer. Blank lines and lines that start with `#` are skipped.

    Args:
        file: The list, UTF-8.
        path_prepend_folder: Folder of relative paths, by default the list's own.
        frame_format: Suffix of frames in folders; also taken for images.
        label_names: Names of the classes in order; then labels may be names and are checked
            against their number.
        on_error: `stop` raises what is wrong with the first bad line; `keep` returns such items
            with `problem` set, for a caller that skips or collects them.
        limits: Bound the file, its lines and captions.

    Raises:
        UserError: If the list cannot be read or names nothing, or as `on_error` tells.
    """
    file = pathlib.Path(file)
    folder = pathlib.Path(path_prepend_folder) if path_prepend_folder else file.parent
    reader = _Reader(folder.absolute(), frame_format, tuple(label_names), limits)
    read = reader.told_apart(lines.numbered(file, limits=limits))
    items = _merged([reader.item(line) for line in read], reader.folder)
    problems = [item.problem for item in items if item.problem]
    if problems and on_error == "stop":
        raise first_of(problems)
    return items


def first_of(problems: Sequence[errors.UserError]) -> errors.UserError:
    """Returns the first problem; its message tells how many others there are."""
    first, others = problems[0], len(problems) - 1
    if not others:
        return first
    remedy = f"{first.remedy.rstrip('.')}. {others} more of this kind: `lrcn check` lists them"
    return first.but(remedy=remedy)


@dataclasses.dataclass(frozen=True)
class _Line:
    """A line with where it stands; `path` is given if a TAB parts it from `rest`."""

    where: str
    rest: str
    path: str | None = None
    captioned: bool = False


@dataclasses.dataclass(frozen=True)
class _Reader:
    """How lines of one list are understood."""

    folder: pathlib.Path
    frame_format: str
    label_names: tuple[str, ...]
    limits: Limits
    numbered: dict[str, str] = dataclasses.field(default_factory=dict)  # places of `path#k`

    def told_apart(self, numbered: list[tuple[str, str]]) -> list[_Line]:
        """Parts lines at their first TAB and decides whether the list holds labels or captions."""
        read = []
        for where, line in numbered:
            path, tab, rest = line.partition("\t")
            parts = (rest.strip(), path.rstrip()) if tab else (path, None)
            read.append(_Line(where, *parts))
        captioned = not self.label_names and self._holds_captions(read)
        return [dataclasses.replace(line, captioned=captioned) for line in read]

    def _holds_captions(self, read: list[_Line]) -> bool:
        """Tells captions from labels by what more lines have; if none has either, by `path#k`."""
        tabbed = [line for line in read if line.path is not None]
        described = sum(" " in line.rest and not self.labels(line.rest) for line in tabbed)
        labelled = sum(self._is_labelled(line) for line in read)
        if described or labelled:
            return described >= max(labelled, 1)
        return any(CAPTION_NUMBER.search(line.path) for line in tabbed)

    def _is_labelled(self, line: _Line) -> bool:
        """Whether a line ends in labels and is no numbered caption."""
        if line.path is None:
            return bool(self.labels(line.rest.split()[-1]))
        return bool(self.labels(line.rest)) and not CAPTION_NUMBER.search(line.path)

    def labels(self, text: str) -> tuple[int, ...] | None:
        """Returns the labels that `text` holds, or None if a part is no integer and no name."""
        found: list[int] = []
        for field in text.split("\t"):
            words = [field.strip()] if field.strip() in self.label_names else field.split()
            for word in words:
                if word in self.label_names:
                    found.append(self.label_names.index(word))
                elif re.fullmatch(r"[+-]?\d{1,18}", word):
                    found.append(int(word))
                else:
                    return None
        return tuple(dict.fromkeys(found)) or None

    def item(self, line: _Line) -> Item:
        """Returns the item of a line, with `problem` set if it is faulty."""
        name = line.rest if line.path is None else line.path
        try:
            if line.captioned:
                return self._captioned(line)
            name, labels = self._spaced(line) if line.path is None else self._tabbed(line)
            self._check_range(labels, line.where)
            return self._located(name, line.where, labels=labels)
        except errors.UserError as problem:
            known = {"captions": (line.rest,)} if line.captioned else {}
            name = self._image(name) if line.captioned else name
            return Item(_plain(name), "", "missing", where=line.where, problem=problem, **known)

    def _captioned(self, line: _Line) -> Item:
        if line.path is None or self._is_labelled(line):
            raise self._uncaptioned(line)
        text.check_caption(line.rest, where=line.where, limits=self.limits)
        image = self._image(line.path)
        if image != line.path:
            key = lines.resolved(self.folder / image) + line.path[len(image) :]
            first = self.numbered.setdefault(key, line.where)
            if first != line.where:
                raise one_number_twice(line.where, line.path, first)
        return self._located(image, line.where, captions=(line.rest,))

    def _uncaptioned(self, line: _Line) -> errors.UserError:
        """Returns the error for a line that holds no caption in a list of captions."""
        alone = " " not in line.rest or self._exists(self._image(line.rest))
        if line.path is None and alone:
            return self._half(line)
        fault = "line without a TAB" if line.path is None else "a number alone"
        return errors.UserError(
            f"{fault} among captions",
            where=line.where,
            received=repr(line.rest),
            expected="path<TAB>caption, as other lines have, or path#k<TAB>number",
            remedy="Correct or remove the line, or give labels a list of their own",
        )

    def _image(self, name: str) -> str:
        """Returns the path without a caption's number, unless a file has that very name."""
        return name if self._exists(name) else CAPTION_NUMBER.sub("", name)

    def _exists(self, name: str) -> bool:
        return os.path.exists(self.folder / name)  # Path.exists may raise

    def _tabbed(self, line: _Line) -> tuple[str, tuple[int, ...]]:
        labels = self.labels(line.rest)
        if labels is None:
            raise self._no_label(line, line.rest)
        return line.path, labels

    def _spaced(self, line: _Line) -> tuple[str, tuple[int, ...]]:
        """Splits `path label [label ...]` where the path exists and the rest are labels."""
        found = lines.parted(line.rest, self.folder, self.labels, where=line.where)
        if found is None or not self._exists(found[0]):
            splits = lines.splits(line.rest)
            if not splits or self._exists(line.rest):
                raise self._half(line)
            unknown = [rest for path, rest in splits if self._exists(path)]
            if unknown or found is None:
                raise self._no_label(line, (unknown or [splits[-1][1]])[0])
        return found[0], self.labels(found[1])

    def _half(self, line: _Line) -> errors.UserError:
        """Returns the error for a line that holds a path or labels, but not both."""
        no_path = self.labels(line.rest) and not self._exists(line.rest)
        half, place = "label or caption", "after the path"
        if no_path:
            half, place = "path", "before the label"
        return errors.UserError(
            f"line without {half}",
            where=line.where,
            received=repr(line.rest),
            expected="path label [label ...], or path<TAB>caption",
            remedy=f"Write its {half} {place}, or remove the line",
        )

    def _no_label(self, line: _Line, text: str) -> errors.UserError:
        known, remedy = "an integer", "Names need a file of labels (dataset.labels)"
        if names := self.label_names:
            shown = ", ".join(names[:5]) + (", ..." if len(names) > 5 else "")
            known = f"an integer from 0 to {len(names) - 1}, or one of {shown}"
            remedy = "Correct the label, or add its name to dataset.labels"
        elif " " in text and line.path is None:
            known = "an integer, or path<TAB>caption"
            remedy = "A caption needs a TAB before it, a name a file of labels (dataset.labels)"
        elif " " in text:
            remedy = "Captions need a list of their own, names a file of labels (dataset.labels)"
        return errors.UserError(
            "label is no integer and no known name",
            where=line.where,
            received=repr(text),
            expected=known,
            remedy=remedy,
        )

    def _check_range(self, labels: tuple[int, ...], where: str) -> None:
        most = len(self.label_names) or MOST_CLASSES
        outside = [label for label in labels if not 0 <= label < most]
        if outside:
            raise errors.UserError(
                "label out of range",
                where=where,
                received=outside[0],
                expected=f"0 to {most - 1}",
                remedy="Correct it (labels count from 0), or the names in dataset.labels",
            )

    def _located(self, name: str, where: str, **known) -> Item:
        path = self.folder / name
        kind = kind_of(path, self.frame_format, where)
        return Item(_plain(name), str(path), kind, where=where, **known)


def kind_of(path: str | pathlib.Path, frame_format: str = "jpg", where: str = "") -> str:
    """Tells what is at `path`: `frames` (a folder), `video` or `image`.

    Raises:
        UserError: If nothing is there, or a file of unknown suffix.
    """
    path = pathlib.Path(path)
    where = where or str(path)
    if os.path.isdir(path):
        return "frames"
    suffix = path.suffix.lower().lstrip(".")
    try:
        bounded.require_file(path)
    except OSError as error:
        raise errors.UserError(
            "no such image, video or folder of frames",
            where=where,
            received=f"{path}: {lines.reason(error)}",
            expected="an existing file or folder",
            remedy="Correct the path, or set dataset.path_prepend_folder for relative paths",
        ) from error
    if suffix in IMAGE_SUFFIXES or suffix == frame_format.lower().lstrip("."):
        return "image"
    if suffix in VIDEO_SUFFIXES:
        return "video"
    raise errors.UserError(
        "neither an image nor a video, by its suffix",
        where=where,
        received=path,
        expected=f"one of {', '.join(IMAGE_SUFFIXES + VIDEO_SUFFIXES)}",
        remedy="Convert or rename the file, or leave it out",
    )


def one_number_twice(where: str, name: str, first: str) -> errors.UserError:
    """Returns the error for two captions of one `path#k`.

    Args:
        where: The place of the second.
        name: The path with its number.
        first: The place of the first.
    """
    return errors.UserError(
        "two captions of one number",
        where=where,
        received=f"{name}, first at {first}",
        expected="each image#k once",
        remedy="Remove one of the lines, or number it anew",
    )


def _plain(name: str) -> str:
    """Returns a path without detours, so that `a.mp4` and `./a.mp4` are one item."""
    return posixpath.normpath(name) if name else name


def _merged(items: list[Item], folder: pathlib.Path) -> tuple[Item, ...]:
    """Joins captions of one path; a path that comes again otherwise becomes a problem.

    A faulty line claims no path: the next sound line of the same path is an item.
    """
    found: list[Item] = []
    places: dict[str, int] = {}
    told = set()  # an image that is missing is one fault, however many captions it has
    for item in items:
        path = lines.resolved(folder / item.id)
        first = found[places[path]] if path in places else None
        if item.problem:
            fault = (path, item.problem.what, str(item.problem.received))
            if not item.captions or fault not in told:
                found.append(item)
            told.add(fault)
        elif first is None:
            places[path] = len(found)
            found.append(item)
        elif first.captions and item.captions:
            captions = (*first.captions, *item.captions)
            found[places[path]] = dataclasses.replace(first, captions=captions)
        else:
            problem = errors.UserError(
                "two items with one id",
                where=item.where,
                received=item.id,
                expected="each file once, however its path is written",
                remedy=f"It stands first at {first.where}; remove one of the lines",
            )
            found.append(dataclasses.replace(item, problem=problem))
    return tuple(found)
