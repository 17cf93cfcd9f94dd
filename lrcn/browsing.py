"""Looking at a data set: draws what a training is shown of it, by the training's own code."""

from __future__ import annotations

import dataclasses
import logging
import pathlib

import numpy as np

from lrcn import datasets, errors
from lrcn import settings as settings_lib
from lrcn.data import augment, dataset, epochs, records, references, text
from lrcn.data import clips as clips_lib
from lrcn.inference import balance, browse, colours, inputs, strips, trained
from lrcn.models import backbones, layers, weights
from lrcn.training import feeds

log = logging.getLogger(__name__)

_MOST_CUT = 0.05  # of what moves, before it is told
_MOST_FRAMES = 96  # of all strips: what the numbers of the input are taken from


@dataclasses.dataclass(frozen=True)
class Browsed:
    """What was found.

    Attributes:
        columns: Of the table of the splits.
        rows: A row a split.
        channels: The numbers of each channel that enters the CNN.
        needs: The workflow that can learn these captions where the one that was given cannot.
    """

    columns: list[str]
    rows: list[list[str]]
    channels: list[browse.Channel]
    needs: str | None


@dataclasses.dataclass(frozen=True)
class _Data:
    """The splits, and what is to be learnt of them.

    Attributes:
        opened: Records by split.
        names: Names of the classes; none where captions are learnt.
        captions: Captions of each item by split; empty where classes are learnt.
    """

    opened: dict[str, records.RecordSet]
    names: tuple[str, ...]
    captions: dict[str, references.References]

    @property
    def describes(self) -> bool:
        return bool(self.captions)

    def splits(self) -> list[browse.Split]:
        found = [(split, own.metadata) for split, own in self.opened.items()]
        return [
            browse.Split(name, known.frame_counts, known.labels, self.captions.get(name, ()))
            for name, known in found
        ]


def of_data(settings: settings_lib.BrowseSettings) -> Browsed:
    """Draws `data.png`, `clips.png` and `input.png` into the output folder.

    Args:
        settings: What to draw. With a run, the groups are those of the run.

    Returns:
        What was found.

    Raises:
        UserError: Data and settings do not fit together, as `train` would say.
    """
    contract = None
    if settings.run is not None:
        settings, contract = _as_in_run(settings)
    settings = dataclasses.replace(settings, seed=settings.seed or 0)
    data = _open(settings)
    folder = pathlib.Path(settings.output_folder)
    record_set = data.opened[settings.split]
    mode = _mode(settings, data)
    num_frames = _num_frames(record_set, mode)
    splits = data.splits()
    columns, rows = browse.summary(splits, data.names, num_frames=num_frames)
    # First, and whatever becomes of the clips: it tells how many videos are too short for one.
    title = f"{settings.dataset.source}: {', '.join(data.opened)}"
    balance.draw(folder / "data.png", splits, data.names, num_frames=num_frames, title=title)
    for name in ("clips.png", "input.png"):  # pictures of other data do not stay beside it
        (folder / name).unlink(missing_ok=True)
    log.info("picture: %s", folder / "data.png")
    counts = references.counts(data.captions[settings.split]) if data.describes else None
    chosen = epochs.Clips(record_set, mode, short_videos=settings.short_videos, targets=counts)
    if contract is None:
        weights.require_weights(settings.backbone.weights, limits=settings.limits)
        contract = backbones.input_contract(
            settings.backbone.name,
            image_size=settings.backbone.image_size,
            modality=record_set.metadata.modality,
            weights=settings.backbone.weights,
            limits=settings.limits,
        )
    channels = _draw(settings, data, chosen, contract, folder)
    return Browsed(columns, rows, channels, _needed(settings, data))


def _as_in_run(
    settings: settings_lib.BrowseSettings,
) -> tuple[settings_lib.BrowseSettings, layers.InputContract]:
    """Returns the settings with the groups of a run, and the input contract of its network."""
    run = trained.load(settings.run, limits=settings.limits)
    own = run.settings
    keys = ("workflow", "clipframe_mode", "dataset", "modality", "backbone", "augment")
    values = {key: getattr(own, key) for key in (*keys, "short_videos", "raw_image_shape")}
    seed = own.seed if settings.seed is None else settings.seed
    contract = layers.InputContract(**run.contract, name="input_contract")
    return dataclasses.replace(settings, seed=seed, **values), contract


def _open(settings: settings_lib.BrowseSettings) -> _Data:
    paths = datasets.records_of(
        settings.dataset,
        image_shape=settings.raw_image_shape,
        num_threads=settings.num_threads,
        seed=settings.seed,
        modality=datasets.modality_of(settings.modality),
        limits=settings.limits,
    )
    if settings.split not in paths:
        raise errors.UserError(
            "the data set has no such split",
            where="split",
            received=settings.split,
            expected=" | ".join(paths),
            remedy=f"Choose one that is there: split={next(iter(paths))}",
        )
    opened = {
        split: records.open_records(path, limits=settings.limits) for split, path in paths.items()
    }
    num_classes = max(own.metadata.num_classes for own in opened.values())
    if settings.describes or not num_classes:
        captions = {split: references.of_records(own) for split, own in opened.items()}
        return _Data(opened, (), captions)
    names = max((own.metadata.label_names for own in opened.values()), key=len)
    return _Data(opened, (*names, *map(str, range(len(names), num_classes))), {})


def _mode(settings: settings_lib.BrowseSettings, data: _Data) -> clips_lib.ClipMode | None:
    """Returns how clips are chosen: as in training, or as such a network is evaluated."""
    record_set = data.opened[settings.split]
    train = data.opened.get("train", record_set)
    mode = feeds.training_mode(settings.clipframe_mode, train, describes=data.describes)
    if settings.split == "train":
        return mode
    return epochs.evaluation_mode(record_set, mode or train.metadata.clipframe_mode)


def _num_frames(record_set: records.RecordSet, mode: clips_lib.ClipMode | None) -> int | None:
    if record_set.metadata.type == "image":
        return None
    return record_set.metadata.frames_per_clip if mode is None else mode.num_frames_per_clip


def _draw(
    settings: settings_lib.BrowseSettings,
    data: _Data,
    chosen: epochs.Clips,
    contract: layers.InputContract,
    folder: pathlib.Path,
) -> list[browse.Channel]:
    """Draws clips and input, and returns the numbers of the channels."""
    view = _view(settings, contract)
    rows = _rows(settings, data, chosen)
    labels = () if data.describes else chosen.records.metadata.labels
    rows = rows.take(np.array(browse.choose(rows, labels, settings.items), np.int64))
    frames = dataset.clips_of(chosen, rows, view=view)
    shown = _strips(data.names, data.captions.get(settings.split), chosen, rows, frames, view)
    strips.draw(
        folder / "clips.png",
        shown,
        title=_title(settings, chosen, len(shown)),
        subtitle=_subtitle(settings, chosen, view),
        is_flow=view.modality == "flow",
    )
    log.info("picture: %s", folder / "clips.png")
    if view.modality == "flow":
        _tell_limit(np.concatenate([own.frames[own.places] for own in shown]))
    most = max(_MOST_FRAMES // strips.MOST_FRAMES, inputs.MOST_ROWS)
    values = [np.asarray(contract(own.frames[own.places])) for own in shown[:most]]
    told = inputs.draw(
        folder / "input.png",
        shown[:most],
        values,
        contract=contract.contract(),
        title=f"what enters {settings.backbone.name} ({contract.height}x{contract.width})",
    )
    log.info("picture: %s", folder / "input.png")
    return told


def _tell_limit(frames: np.ndarray) -> None:
    if (share := colours.share_at_limit(frames)) > _MOST_CUT:
        log.info(
            "flow: %.0f %% of what moves is faster than the %.1f pixels of a stored frame that an "
            "image holds: store smaller frames (raw_image_shape) or more a second (dataset.fps)",
            *(100 * share, colours.FASTEST),
        )


def _view(settings: settings_lib.BrowseSettings, contract: layers.InputContract) -> augment.View:
    size = (contract.height, contract.width)
    training, evaluation = feeds.views(settings.augment, size, contract.modality)
    if settings.split == "train":
        return training
    # Of ten crops the middle one is drawn.
    crop = "centre" if evaluation.crop == "ten" else evaluation.crop
    return dataclasses.replace(evaluation, crop=crop)


def _rows(settings: settings_lib.BrowseSettings, data: _Data, chosen: epochs.Clips) -> epochs.Rows:
    """Returns the clips of the epoch, or those of an evaluation, in a random order."""
    if settings.split == "train":
        return chosen.epoch(settings.seed, settings.epoch)
    rows = chosen.every(settings.seed)
    if data.describes:  # the first caption stands for the others
        counts = references.counts(data.captions[settings.split])
        rows = dataclasses.replace(rows, target=(np.cumsum(counts) - counts)[rows.item])
    return rows.take(np.random.default_rng(settings.seed).permutation(len(rows)))


def _strips(
    names: tuple[str, ...],
    captions: references.References | None,
    chosen: epochs.Clips,
    rows: epochs.Rows,
    frames: list[np.ndarray],
    view: augment.View,
) -> list[strips.Strip]:
    known = chosen.records.metadata
    flat = [caption for own in captions or () for caption in own]
    made = []
    for at, (item, own) in enumerate(zip(rows.item.tolist(), frames, strict=True)):
        facts = []
        if captions is None:
            learnt = ", ".join(names[label] for label in known.labels[item]) or "(no class)"
        else:
            learnt = " ".join(text.tokenise(flat[rows.target[at]]))
            facts.append(f"1 of {len(captions[item])} captions")
        numbers = tuple(rows.frames[at].tolist()) if known.type == "video" else ()
        if numbers:
            total = known.frame_counts[item]
            looped = ", looped" if len(set(numbers)) < len(numbers) else ""
            facts.append(f"frames {min(numbers)} to {max(numbers)} of {total}{looped}")
        mirrored = bool(view.mirrors(rows.draw[at]))
        made.append(strips.Strip(own, numbers, known.ids[item], learnt, tuple(facts), mirrored))
    return made


def _title(settings: settings_lib.BrowseSettings, chosen: epochs.Clips, count: int) -> str:
    total = len(chosen.items)
    shown = f"{count} clip{'s' * (count != 1)} of {total:,} item{'s' * (total != 1)}"
    return f"{settings.dataset.source}, {settings.split}: {shown}"


def _subtitle(
    settings: settings_lib.BrowseSettings, chosen: epochs.Clips, view: augment.View
) -> str:
    parts = [f"{view.modality} {view.size[0]}x{view.size[1]} for {settings.backbone.name}"]
    if chosen.records.metadata.type == "video":
        own = chosen.mode or chosen.records.metadata.clipframe_mode
        parts.append(epochs.describe(own) if own else "the records' own clips")
    parts.append(f"crop={view.crop}" + (" mirror=true" if view.mirror else ""))
    if settings.split == "train":
        parts.append(f"seed {settings.seed}, epoch {settings.epoch}")
    elif settings.augment.evaluate == "ten":
        parts.append("the middle one of ten crops")
    if view.modality == "flow":
        parts.append("arrow and number: mean motion of what moves")
    return " · ".join(parts)


def _needed(settings: settings_lib.BrowseSettings, data: _Data) -> str | None:
    if not data.describes or settings.describes:
        return None
    is_image = data.opened[settings.split].metadata.type == "image"
    return "imgdesc_step" if is_image else "videodesc_pooling"
