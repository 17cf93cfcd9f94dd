"""Verbs that use a run: `evaluate`, `predict` and `retrieve`."""

from __future__ import annotations

import logging
import shlex

from lrcn import runs
from lrcn import settings as settings_lib
from lrcn.verbs import showing

log = logging.getLogger(__name__)


def evaluate(settings: settings_lib.EvaluateSettings) -> int:
    """Measures a run on a split and prints its metrics."""
    _require_room_for_results(settings.run)
    showing.start_tensorflow()
    from lrcn import evaluation

    split, metrics, folder = evaluation.of_run(settings)
    showing.show_metrics(metrics, title=f"{settings.run} on {split}")
    workflow = runs.RunDirectory(settings.run).read_config()["workflow"]["name"]
    given = shlex.quote(f"run={settings.run}")
    of_images = workflow.startswith("imgdesc")
    shown = "input=IMAGE" if of_images else "input=VIDEO overlay=OUT.mp4"
    showing.log_next(folder, f"lrcn predict {given} {shown}")
    if "desc" in workflow:
        log.info("or: lrcn retrieve %s", given)
    return 0


def _require_room_for_results(run: str) -> None:
    """Refuses a run whose folder gets no results; a run that is not there is told by its reader."""
    run_directory = runs.RunDirectory(run)
    run_directory.require_own()
    folder = run_directory.evaluation("")
    if folder.parent.is_dir():
        showing.require_writable("run", folder)


def retrieve(settings: settings_lib.RetrieveSettings) -> int:
    """Ranks captions by images and images by captions, and prints how high what belongs stands."""
    _require_room_for_results(settings.run)
    showing.start_tensorflow()
    from lrcn import evaluation

    split, metrics, folder = evaluation.retrieval_of_run(settings)
    showing.show_metrics(metrics, title=f"{settings.run} on {split}: retrieval")
    showing.log_next(folder, "")
    return 0


def predict(settings: settings_lib.PredictSettings) -> int:
    """Prints a JSON line for each input."""
    if settings.overlay:
        showing.require_target("overlay", settings.overlay)
    showing.start_tensorflow()
    from lrcn.inference import trained

    run_directory = trained.load(
        settings.run, checkpoint=settings.checkpoint, limits=settings.limits
    )
    given = {"batch_size": settings.batch_size, "seed": settings.seed}
    options = {key: value for key, value in given.items() if value is not None}
    predictor = run_directory.predictor(
        clipframe_mode=settings.clipframe_mode,
        pooling=settings.pooling,
        view=run_directory.view(settings.augment),
        search=settings.search,
        top_k=settings.top_k,
        frame_format=settings.frame_format,
        limits=settings.limits,
        **options,
    )
    for line in predictor.predict(settings.input, overlay_path=settings.overlay):
        showing.show_json(line)
    if settings.overlay:
        log.info("annotated video: %s", settings.overlay)
    return 0
