"""From the settings of a data set to its items, and to records in the cache."""

from __future__ import annotations

import hashlib
import json
import logging
import pathlib
from collections.abc import Mapping

from lrcn import cache, cores
from lrcn import settings as settings_lib
from lrcn.data import catalog as catalog_lib
from lrcn.data import check as check_lib
from lrcn.data import clips as clips_lib
from lrcn.data import grouping, lists, records, serialize, sources
from lrcn.data import modality as modality_lib
from lrcn.data.limits import Limits
from lrcn.errors import UserError

log = logging.getLogger(__name__)

_TRAIN_ITEMS = {"motion": 1200, "stills": 2400}  # of moving_shapes, enough to learn it


def catalog_of(
    dataset: settings_lib.Dataset,
    *,
    seed: int = 0,
    on_error: str = "stop",
    limits: Limits = Limits(),
) -> lists.Catalog:
    """Returns the items and label names of a data set.

    Args:
        dataset: Its settings, of any kind but records.
        seed: Of a random split into train, val and test (`folder`).
        on_error: "stop" at the first faulty line or item, or "skip" it and let the serializer
            report it; "keep" says the same.
        limits: The most that files of the data set may ask for.

    Raises:
        UserError: Lists or folders are not as they should be.
    """
    match dataset:
        case settings_lib.MovingShapes():
            kind = "motion" if dataset.kind == "auto" else dataset.kind
            return catalog_lib.moving_shapes(
                kind=kind,
                train=_TRAIN_ITEMS[kind] if dataset.train is None else dataset.train,
                val=dataset.val,
                test=dataset.test,
                size=dataset.size,
                num_frames=dataset.num_frames,
                seed=dataset.seed,
            )
        case settings_lib.Lists():
            return catalog_lib.lists(
                dataset.input_files,
                path_prepend_folder=dataset.path_prepend_folder,
                labels=dataset.labels,
                frame_format=dataset.frame_format,
                vocabulary=dataset.vocabulary,
                on_error=on_error,
                limits=limits,
            )
        case settings_lib.Folder():
            return catalog_lib.folder(
                dataset.root,
                groups=dataset.groups,
                fractions=dataset.fractions,
                val_groups=dataset.val_groups,
                test_groups=dataset.test_groups,
                seed=seed,
                frame_format=dataset.frame_format,
            )
        case settings_lib.Ucf101():
            return catalog_lib.ucf101(
                dataset.videos,
                dataset.lists,
                split=dataset.split,
                classes=dataset.classes,
                val_groups=dataset.val_groups,
                limits=limits,
            )
        case settings_lib.Flickr():
            return catalog_lib.flickr(
                dataset.images,
                dataset.captions,
                train=dataset.train,
                val=dataset.val,
                test=dataset.test,
                on_error=on_error,
                limits=limits,
            )
        case settings_lib.Coco():
            return catalog_lib.coco(
                dataset.images,
                dataset.annotations,
                ids=dataset.ids,
                on_error=on_error,
                limits=limits,
            )
        case settings_lib.Msvd():
            return catalog_lib.msvd(
                dataset.videos,
                dataset.captions,
                mapping=dataset.mapping,
                on_error=on_error,
                limits=limits,
            )
        case settings_lib.Tfds():
            return catalog_lib.tfds(
                dataset.name,
                data_dir=dataset.data_dir,
                splits=dataset.splits,
                on_error=on_error,
                limits=limits,
            )
    raise UserError(
        "holds no items to read",
        where="dataset",
        received=dataset.source,
        expected="moving_shapes | lists | folder | ucf101 | flickr | coco | msvd | tfds",
        remedy="Choose one of them, or use the records by `lrcn train dataset=records`",
    )


def store_options(settings: settings_lib.SerializeSettings) -> serialize.StoreOptions:
    """Returns how `lrcn serialize` stores items."""
    mode = settings.clipframe_mode
    given = {
        "num_frames_per_clip": mode.num_frames_per_clip,
        "clip_offset_or_num": mode.clip_offset_or_num,
        "tail": mode.tail,
    }
    given = {key: value for key, value in given.items() if value is not None}
    return serialize.StoreOptions(
        mode=None if mode.name == "none" else clips_lib.ClipMode(mode.name, **given),
        image_shape=_stored_shape(settings.dataset, settings.raw_image_shape),
        frame_format=getattr(settings.dataset, "frame_format", "jpg"),
        frame_step=settings.dataset.frame_step,
        fps=settings.dataset.fps,
        num_threads=settings.num_threads or _threads(settings.dataset, cores.taken()),
        num_items_per_thread=settings.num_items_per_thread,
        shuffle=settings.do_shuffle,
        short_videos=settings.short_videos,
        on_error=settings.on_error,
        shards=settings.shard_count or settings.shards,
        overwrite=settings.overwrite,
        seed=settings.seed,
        modality=modality_of(settings.modality) or modality_lib.Modality(),
        limits=settings.limits,
    )


def modality_of(settings: settings_lib.Modality) -> modality_lib.Modality | None:
    """Returns what frames are to be stored as; None for `auto`."""
    if settings.name == "auto":
        return None
    return modality_lib.Modality(settings.name, settings.method)


def _threads(dataset: settings_lib.Dataset, most: int) -> int:
    """Returns how many threads store items; those that render, in Python, would only wait."""
    return 1 if isinstance(dataset, settings_lib.MovingShapes) else most


def _stored_shape(
    dataset: settings_lib.Dataset, image_shape: tuple[int, ...] | None
) -> tuple[int, ...] | None:
    """Returns the shape of stored frames; what is rendered has the size that is asked for."""
    return None if isinstance(dataset, settings_lib.MovingShapes) else image_shape


def output_folder(dataset: settings_lib.Dataset, given: str | None) -> pathlib.Path:
    """Returns where records go: as given, else beside the list.

    Raises:
        UserError: The lists stand in different folders, or the data set has no lists.
    """
    if given is not None:
        return pathlib.Path(given).absolute()
    if isinstance(dataset, settings_lib.Lists):
        folders = {pathlib.Path(file).absolute().parent for file in dataset.input_files}
        if len(folders) == 1:
            return folders.pop()
    raise UserError(
        "a folder for the records is needed",
        where="output_folder",
        received="null",
        expected="output_folder=FOLDER",
        remedy="Only lists that stand in one folder have a place of their own.",
    )


def findings(settings: settings_lib.CheckSettings) -> list[check_lib.Finding]:
    """Returns everything that is wrong with a data set."""
    dataset = settings.dataset
    if isinstance(dataset, settings_lib.Records):
        return check_lib.records(
            given_records(dataset), num_threads=settings.num_threads, limits=settings.limits
        )
    frame_format = getattr(dataset, "frame_format", "jpg")
    found: list[check_lib.Finding] = []
    if isinstance(dataset, settings_lib.Lists):
        found, catalog = check_lib.lists(
            dataset.input_files,
            path_prepend_folder=dataset.path_prepend_folder,
            labels=dataset.labels,
            frame_format=frame_format,
            vocabulary=dataset.vocabulary,
            limits=settings.limits,
        )
    else:
        try:
            catalog = catalog_of(
                dataset, seed=settings.seed, on_error="keep", limits=settings.limits
            )
        except UserError as error:  # without items there is no more to look at
            return [check_lib.Finding.of(error)]
    return found + check_lib.media(
        catalog,
        frame_format=frame_format,
        num_threads=settings.num_threads,
        modality=modality_lib.Modality(settings.modality.name, settings.modality.method),
        limits=settings.limits,
    )


def given_records(dataset: settings_lib.Records) -> dict[str, pathlib.Path]:
    """Returns the files of `dataset=records` by split, whether they exist or not.

    Raises:
        UserError: No file is given.
    """
    found = {split: getattr(dataset, split) for split in grouping.SPLITS}
    given = {split: pathlib.Path(path).absolute() for split, path in found.items() if path}
    if not given:
        raise UserError(
            "no records are given",
            where="dataset",
            received="dataset=records alone",
            expected=" | ".join(f"dataset.{split}=FILE" for split in grouping.SPLITS),
            remedy="Name the .tfrecord of one split at least",
        )
    return given


def records_of(
    dataset: settings_lib.Dataset,
    *,
    image_shape: tuple[int, ...] | None,
    num_threads: int,
    seed: int,
    modality: modality_lib.Modality | None = None,
    limits: Limits = Limits(),
) -> dict[str, pathlib.Path]:
    """Returns record files by split; what is no records yet is serialized into the cache.

    Every frame is stored, so one set of records serves every clip mode. The same data set asked
    again is found by a key over its items (path, and size and time of each file that is read) and
    options.

    Args:
        dataset: The settings of the data set.
        image_shape: `[height, width, 3]` of stored frames; None keeps them as they are.
        num_threads: Threads of the serializer.
        seed: Of a random split (`folder`).
        modality: What frames are stored as; None for what records are, else rgb.
        limits: The most that files of the data set may ask for.

    Raises:
        UserError: The data set is not as it should be, or its records are of another modality.
    """
    if isinstance(dataset, settings_lib.Records):
        paths = given_records(dataset)
        _require_one_modality(paths, modality, limits)
        return paths
    modality = modality or modality_lib.Modality()
    catalog = catalog_of(dataset, seed=seed, limits=limits)
    names = _by_role(catalog)
    image_shape = _stored_shape(dataset, image_shape)
    options = serialize.StoreOptions(
        mode=None,
        image_shape=image_shape,
        frame_format=getattr(dataset, "frame_format", "jpg"),
        frame_step=dataset.frame_step,
        fps=dataset.fps,
        num_threads=_threads(dataset, num_threads),
        modality=modality,
        limits=limits,
    )
    key = _fingerprint(catalog, dataset, options)
    kind = dataset.source if modality.name == "rgb" else f"{dataset.source}-{modality.name}"
    folder = cache.folder() / "records" / f"{kind}-{key}"
    if folder.is_dir() or not cache.fill(folder, catalog, options):
        log.info("data: %s (serialized before)", folder)
    return {role: folder / f"{name}.tfrecord" for role, name in names.items()}


def _require_one_modality(
    paths: Mapping[str, pathlib.Path], expected: modality_lib.Modality | None, limits: Limits
) -> None:
    """Refuses records of another modality than is asked for, or else than that of the first."""
    for split, path in paths.items():
        # What is not there is told by who opens it: an evaluation needs one of the splits.
        if records.size_path(path).exists():
            stored = records.read_metadata(path, limits=limits)
            received = modality_lib.Modality(stored.modality, stored.flow_method)
            expected = expected or received
            modality_lib.require(received, expected, where=f"dataset.{split}", path=path)


def _fingerprint(
    catalog: lists.Catalog, dataset: settings_lib.Dataset, stored: serialize.StoreOptions
) -> str:
    """Returns a key that changes with the items, their files and how they are stored."""
    digest = hashlib.sha256()
    frame_format = getattr(dataset, "frame_format", "jpg")
    options = [records.FORMAT_VERSION, stored.image_shape, dataset.frame_step, dataset.fps]
    if stored.modality.is_of_pairs:
        options += [stored.modality.name, stored.modality.method]
    options += [catalog.label_names, catalog.num_classes]
    if isinstance(dataset, settings_lib.MovingShapes):
        options += [dataset.kind, dataset.size, dataset.num_frames, dataset.seed]
    digest.update(json.dumps(options).encode())
    for name, split in sorted(catalog.splits.items()):
        for item in split.items:
            facts = [name, item.id, item.path, item.kind, item.labels, item.captions]
            facts.append(sources.stamp(item, frame_format))
            digest.update(json.dumps(facts).encode())
    return digest.hexdigest()[:12]


def _by_role(catalog: lists.Catalog) -> dict[str, str]:
    """Returns the name of the split of each role, which is the last dot-part of the name."""
    names: dict[str, str] = {}
    for name, split in catalog.splits.items():
        role = name.rpartition(".")[2]
        if role in names:
            raise UserError(
                "two lists of one role",
                where="dataset.input_files",
                received=f"{catalog.splits[names[role]].source} and {split.source}, both {role}",
                expected=f"one list for {role}; the last part of a list's name is its role",
                remedy="Join them into one list, or rename one",
            )
        names[role] = name
    return names
