"""Evaluating a run: joins the data set, the features and the scores of its model."""

from __future__ import annotations

import pathlib

from lrcn import datasets, files, runs
from lrcn import settings as settings_lib
from lrcn.data import augment, epochs, records
from lrcn.errors import UserError
from lrcn.inference import evaluate as evaluate_lib
from lrcn.inference import outputs, trained
from lrcn.models import networks
from lrcn.training import features


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
    run = trained.load(settings.run, checkpoint=settings.checkpoint)
    split, path = _records(run.settings, settings)
    record_set = records.open_records(path)
    view = run.view(settings.augment)
    mode = run.mode(record_set, settings.clipframe_mode)
    frames, clips = run.pooling(settings.pooling)
    common = {
        "mode": mode,
        "short_videos": settings.short_videos or run.settings.short_videos,
        "seed": settings.seed,
    }
    folder = runs.RunDirectory(run.run.path).evaluation(split)
    metrics = evaluate_lib.evaluate(
        run.model,
        path,
        view=view,
        pooling_frames=frames,
        pooling_clips=clips,
        batch_size=settings.batch_size or run.settings.batch_size,
        label_names=run.labels,
        folder=folder,
        scores=_from_features(run, record_set, view, frames, **common),
        **common,
    )
    files.write_json(
        folder / "protocol.json",
        {
            "records": str(record_set.path),
            "digest": record_set.digest,
            "checkpoint": settings.checkpoint,
            "clips": epochs.describe(mode) if mode else "those of the records",
            "pooling": {"frames": frames, "clips": clips},
            "view": {"size": list(view.size), "crop": view.crop},
            **{key: common[key] for key in ("short_videos", "seed")},
        },
    )
    return split, metrics, folder


def _records(
    trained_settings: settings_lib.TrainSettings, settings: settings_lib.EvaluateSettings
) -> tuple[str, pathlib.Path]:
    """Returns the split and its records."""
    dataset = settings.dataset
    if isinstance(dataset, settings_lib.AsInRun):
        dataset = trained_settings.dataset
    paths = datasets.records_of(
        dataset,
        image_shape=trained_settings.raw_image_shape,
        num_threads=settings.num_threads,
        seed=trained_settings.seed,
    )
    split = settings.split or ("test" if "test" in paths else "val")
    if split not in paths:
        raise UserError(
            "the data set has no such split",
            where="split",
            received=split,
            expected=" | ".join(paths) or f"dataset.{split}=FILE",
            remedy=f"Give its records: dataset=records dataset.{split}=FILE.",
        )
    return split, paths[split]


def _from_features(
    run: trained.Trained,
    record_set: records.RecordSet,
    view: augment.View,
    pooling_frames: str,
    *,
    mode,
    short_videos: str,
    seed: int,
) -> outputs.Scores | None:
    """Returns the scores of all clips from stored features, or None if frames are needed."""
    backbone = networks.backbone(run.model)
    if not features.serves(backbone, view):
        return None
    chosen = epochs.Clips(record_set, mode, short_videos=short_videos)
    with records.translating_errors(record_set.path):
        stored = features.extract(record_set, backbone, view=view)
    return outputs.score(
        networks.head(run.model),
        features.evaluation_clips(stored, chosen, seed=seed),
        pooling_frames=pooling_frames,
        multi_label=outputs.is_multi_label(run.model),
        describe="evaluate",
    )
