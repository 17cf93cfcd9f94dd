"""Evaluating a run: joins the data set, the features and the scores of its model."""

from __future__ import annotations

import dataclasses
import json
import logging
import os
import pathlib
from collections.abc import Iterable, Mapping
from typing import Any

import keras

from lrcn import datasets, files, litert, runs
from lrcn import settings as settings_lib
from lrcn.data import augment, damage, epochs, modality, records, references
from lrcn.data.limits import Limits
from lrcn.errors import UserError
from lrcn.inference import describe, retrieve, trained
from lrcn.inference import evaluate as evaluate_lib
from lrcn.models import networks, wording
from lrcn.scoring import clips, describer
from lrcn.training import features

log = logging.getLogger(__name__)


def of_run(settings: settings_lib.EvaluateSettings) -> tuple[str, dict, pathlib.Path]:
    """Measures a run on a split and writes `evaluation/<split>/`.

    What the settings leave open is as in the run. A frozen CNN's stored features are read where
    the evaluation sees the frames as the training did.

    Args:
        settings: The settings of the evaluation.

    Returns:
        The split, its metrics and the folder of the results.

    Raises:
        UserError: Run, records or overrides do not fit together.
    """
    run = trained.load(settings.run, checkpoint=settings.checkpoint, limits=settings.limits)
    split, paths, shown = _prepared(run, settings)
    folder = run.run.evaluation(split)
    measure = _recognition if run.vocabulary is None else _description
    with files.together(folder, last="metrics.json") as beside:
        metrics, protocol = measure(run, settings, shown, paths, beside)
        _write_protocol(run, beside, folder, settings, shown, protocol)
    return split, metrics, folder


def retrieval_of_run(
    settings: settings_lib.RetrieveSettings,
) -> tuple[str, dict, pathlib.Path]:
    """Measures how well a run finds captions by items and items by captions.

    Args:
        settings: The settings of the retrieval.

    Returns:
        The split, its metrics and the folder of the results, `evaluation/<split>/retrieval/`.

    Raises:
        UserError: Run, records or overrides do not fit together.
    """
    run = trained.load(settings.run, checkpoint=settings.checkpoint, limits=settings.limits)
    if run.vocabulary is None:
        raise UserError(
            "the run tells classes and knows no captions",
            where="run",
            received=settings.run,
            expected="a run of a workflow that describes, such as imgdesc_step",
            remedy="Give such a run; `lrcn evaluate` measures this one",
        )
    split, _, shown = _prepared(run, settings)
    folder = run.run.evaluation(split) / "retrieval"
    batches = shown.to(run.model)
    with files.together(folder, last="metrics.json") as beside:
        metrics = retrieve.retrieve(
            networks.head(run.model),
            batches,
            shown.chosen.records,
            run.vocabulary,
            normalise=settings.normalise,
            folder=beside,
        )
        _write_protocol(run, beside, folder, settings, shown, {"normalise": settings.normalise})
    return split, metrics, folder


def paths_of(
    run: trained.Trained, settings: settings_lib.EvaluateSettings | settings_lib.RetrieveSettings
) -> dict[str, pathlib.Path]:
    """Returns the records by split of the data set that is asked for, or of the run's own.

    Args:
        run: The run.
        settings: The settings of the evaluation or retrieval.

    Raises:
        UserError: The data set cannot be had.
    """
    given = settings.dataset
    if isinstance(given, settings_lib.AsInRun):
        given = run.settings.dataset
    return datasets.records_of(
        given,
        image_shape=run.settings.raw_image_shape,
        num_threads=settings.num_threads,
        seed=run.settings.seed,
        modality=modality.Modality(run.shown.modality, run.shown.flow_method),
        limits=settings.limits,
    )


def splits(run: str | os.PathLike) -> tuple[str, ...]:
    """Returns the splits of a run's own data set.

    Args:
        run: The run directory.

    Raises:
        UserError: There is no such run, or its data set cannot be had.
    """
    opened = trained.load(run)
    return tuple(paths_of(opened, settings_lib.EvaluateSettings(run=str(run))))


def open_split(
    paths: Mapping[str, pathlib.Path],
    split: str,
    *,
    limits: Limits = Limits(),
) -> records.RecordSet:
    """Returns the records of a split.

    Args:
        paths: Records by split.
        split: "train", "val" or "test".
        limits: The most that the records may ask for.

    Raises:
        UserError: There is no such split, or its records cannot be opened.
    """
    if split not in paths:
        raise UserError(
            "the data set has no such split",
            where="split",
            received=split,
            expected=" | ".join(paths) or f"dataset.{split}=FILE",
            remedy="Choose one that is there, or evaluate records of your own: "
            f"dataset=records dataset.{split}=FILE",
        )
    return records.open_records(paths[split], limits=limits)


def _prepared(
    run: trained.Trained, settings: settings_lib.EvaluateSettings | settings_lib.RetrieveSettings
) -> tuple[str, dict[str, pathlib.Path], _Shown]:
    """Returns the split, the records by split, and what is shown to the network."""
    paths = paths_of(run, settings)
    split = settings.split or ("test" if "test" in paths else "val")
    record_set = open_split(paths, split, limits=settings.limits)
    shown = _Shown(
        chosen=epochs.Clips(
            record_set,
            run.mode(record_set, settings.clipframe_mode),
            short_videos=settings.short_videos or run.settings.short_videos,
        ),
        view=run.view(settings.augment),
        batch_size=settings.batch_size or run.settings.batch_size,
        seed=run.settings.seed if settings.seed is None else settings.seed,
    )
    return split, paths, shown


def _write_protocol(
    run: trained.Trained,
    beside: pathlib.Path,
    folder: pathlib.Path,
    settings: settings_lib.EvaluateSettings | settings_lib.RetrieveSettings,
    shown: _Shown,
    protocol: dict[str, Any],
) -> None:
    """Writes what was measured how, and says so where it replaces what was measured otherwise.

    Args:
        run: What was measured.
        beside: Where the new results are until they are all there.
        folder: Where they go.
        settings: What was asked for.
        shown: What the network was shown.
        protocol: What belongs to the task.
    """
    record_set = shown.chosen.records
    values = {
        "records": str(record_set.path),
        "digest": record_set.digest,
        "checkpoint": settings.checkpoint,
        "checkpoint_sha256": files.checksum(run.file),
        "clips": _clips(shown.chosen),
        "view": {"size": list(shown.view.size), "crop": shown.view.crop},
        "short_videos": shown.chosen.short_videos,
        "seed": shown.seed,
        **protocol,
    }
    file = folder / "protocol.json"
    before = runs.read_json(file) if file.exists() else values
    if other := {key: value for key, value in before.items() if value != values.get(key)}:
        told = ", ".join(f"{key} {json.dumps(value)}" for key, value in other.items())
        log.info("%s: these results replace those of %s", folder, told)
    files.write_json(beside / file.name, values)


@dataclasses.dataclass(frozen=True)
class _Shown:
    """What is shown to a network: clips of records in order.

    Attributes:
        chosen: The clips.
        view: What part of a frame is seen.
        batch_size: Clips in a batch.
        seed: Of random modes.
    """

    chosen: epochs.Clips
    view: augment.View
    batch_size: int
    seed: int

    def to(self, network: keras.Model) -> Iterable[Mapping[str, Any]]:
        """Returns batches of features for the head of a network, stored ones if they serve."""
        backbone = networks.backbone(network)
        record_set = self.chosen.records
        if not features.serves(backbone, self.view):
            return clips.of_records(
                self.chosen,
                litert.forward(backbone),
                view=self.view,
                batch_size=self.batch_size,
                seed=self.seed,
            )
        with damage.translating_errors(record_set.path, limits=record_set.limits):
            stored = features.extract(record_set, backbone, view=self.view)
        options = {"batch_size": self.batch_size} if wording.is_one(network) else {}
        return features.evaluation_clips(stored, self.chosen, seed=self.seed, **options)


def _clips(chosen: epochs.Clips) -> str:
    if chosen.records.metadata.type == "image":
        return "images"
    return epochs.describe(chosen.mode) if chosen.mode else "those of the records"


def _recognition(
    run: trained.Trained,
    settings: settings_lib.EvaluateSettings,
    shown: _Shown,
    paths: dict[str, pathlib.Path],
    folder: pathlib.Path,
) -> tuple[dict, dict]:
    """Returns the metrics of a network that tells classes, and what belongs to its protocol."""
    trained.refuse_search(settings.search)
    frames, clips = run.pooling(settings.pooling)
    metrics = evaluate_lib.evaluate(
        run.model,
        shown.chosen.records.path,
        mode=shown.chosen.mode,
        view=shown.view,
        pooling_frames=frames,
        pooling_clips=clips,
        batch_size=shown.batch_size,
        short_videos=shown.chosen.short_videos,
        label_names=run.labels,
        folder=folder,
        seed=shown.seed,
        limits=settings.limits,
        batches=shown.to(run.model),
    )
    return metrics, {"pooling": {"frames": frames, "clips": clips}}


def _description(
    run: trained.Trained,
    settings: settings_lib.EvaluateSettings,
    shown: _Shown,
    paths: dict[str, pathlib.Path],
    folder: pathlib.Path,
) -> tuple[dict, dict]:
    """Returns the metrics of a network that describes, and what belongs to its protocol."""
    trained.refuse_pooling(settings.pooling)
    batches = shown.to(run.model)
    find = run.find(settings.search, seed=shown.seed)
    training = None
    if isinstance(settings.dataset, settings_lib.AsInRun):
        training = _training_captions(paths, settings.limits)
    if training is None:
        log.info("evaluate: the share of copied captions needs the training records of the run")
    metrics = describe.evaluate(
        describer.Describer(networks.head(run.model), find),
        batches,
        shown.chosen.records,
        run.vocabulary,
        training=training,
        folder=folder,
    )
    return metrics, {"search": run.search_options(settings.search)}


def _training_captions(paths: dict[str, pathlib.Path], limits: Limits) -> list[str] | None:
    """Returns the captions that a run has learnt, or None where its records are no longer."""
    if not records.size_path(paths["train"]).exists():
        return None
    own = references.of_records(records.open_records(paths["train"], limits=limits))
    return [caption for captions in own for caption in captions]
