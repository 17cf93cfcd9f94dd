"""From a run to a folder that needs neither lrcn nor Keras, tried before it gets its name."""

from __future__ import annotations

import contextlib
import dataclasses
import importlib
import logging
import pathlib
import shutil
import warnings
from collections.abc import Iterator
from types import ModuleType

import keras

from lrcn import files, logs, runs, states
from lrcn import settings as settings_lib
from lrcn.data import augment, text
from lrcn.errors import UserError
from lrcn.inference import outputs, trained
from lrcn.inference.export import comparing, contract, example, graph, lacking, precision

log = logging.getLogger(__name__)


@dataclasses.dataclass(frozen=True)
class Exported:
    """What was written.

    Attributes:
        megabytes: Of the model alone.
        compared: How it stands beside Keras.
    """

    megabytes: float
    compared: comparing.Compared


def export(settings: settings_lib.ExportSettings, folder: pathlib.Path) -> Exported:
    """Writes a run in another format, whole and found equal to Keras, or not at all.

    Args:
        settings: The settings of the export.
        folder: Where it goes; what stands there is replaced.

    Raises:
        UserError: The run cannot be used, the format lacks what it needs, or the result is
            another one than that of Keras.
    """
    _require_tensorflow()
    run = trained.load(settings.run, checkpoint=settings.checkpoint, limits=settings.limits)
    network = _network(run, settings)
    _tell(run, settings)
    module = importlib.import_module(f"lrcn.inference.export.{settings.format}")
    with files.whole_folder(folder) as staging:
        with _quiet():
            function = graph.traced(network, variables=module.HAS_VARIABLES)
            with lacking.told(settings, writing=staging):
                module.write(function, staging)
        size = sum(path.stat().st_size for path in staging.rglob("*") if path.is_file())
        _write_beside(staging, run, network, settings, module)
        with _quiet():
            with lacking.told(settings):
                own = lacking.telling(example.load(staging), settings)
            traced = graph.running(function)
            compared = comparing.compare(own, traced, network, count=_count(run))
        _require_equal(compared, settings)
    return Exported(size / 1e6, compared)


def _require_tensorflow() -> None:
    backend = keras.config.backend()
    if backend != "tensorflow":
        raise UserError(
            "only TensorFlow writes exports",
            where="KERAS_BACKEND",
            received=backend,
            expected="tensorflow",
            remedy="Leave KERAS_BACKEND out: a run of any backend is opened with TensorFlow, too",
        )


def _network(run: trained.Trained, settings: settings_lib.ExportSettings) -> graph.Network:
    describes = run.vocabulary is not None
    if not describes and not isinstance(settings.search, settings_lib.Greedy):  # the default
        trained.refuse_search(settings.search)
    if describes:
        _refuse_draws(run.search_options(settings.search)["name"])
    view = run.view(settings.augment)
    _refuse_ten_crops(view)
    of_images = run.shown.mode is None
    stored = run.shown.frame_shape
    return graph.Network(
        model=precision.whole(run.model),
        view=view,
        stored=None if stored is None else tuple(stored[:2]),
        of_images=of_images,
        find=run.find(settings.search, seed=0) if describes else None,
        time=_count(run) if settings.time == "fixed" and not of_images else None,
    )


def _refuse_draws(search: str) -> None:
    if search == "sample":
        raise UserError(
            "an export draws no captions: each runtime would draw others",
            where="search",
            received=search,
            expected="greedy | beam",
            remedy="Leave search out for greedy, or give search=beam",
        )


def _refuse_ten_crops(view: augment.View) -> None:
    if view.crop == "ten":
        raise UserError(
            "an export sees one crop of each frame, and the run sees ten",
            where="augment",
            received="ten crops",
            expected="one crop: fit, centre or squash",
            remedy="Give augment=none, which sees the middle; its probabilities are another "
            "evaluation's: lrcn evaluate run=RUN augment=none",
        )


def _tell(run: trained.Trained, settings: settings_lib.ExportSettings) -> None:
    """Tells what is particular about a run that is exported."""
    if not (found := states.state(run.run)).is_done:
        state = runs.read_json(run.run.state_file) if run.run.state_file.exists() else {}
        epoch = state.get("best_epoch" if settings.checkpoint == "best" else "epoch", "?")
        log.warning("export: %s It is exported as it is after epoch %s", found.told, epoch)
    if run.vocabulary is not None and settings.search.name != run.settings.search.name:
        log.info(
            "export: captions are found by search=%s, those of `lrcn predict` by search=%s",
            settings.search.name,
            run.settings.search.name,
        )
    if run.settings.precision != "float32":
        log.info("export: trained in %s, exported in float32", run.settings.precision)


def _count(run: trained.Trained) -> int:
    """Returns how many frames a clip of the training has; an image is one."""
    return 1 if run.shown.mode is None else run.shown.mode["num_frames_per_clip"]


def _write_beside(
    folder: pathlib.Path,
    run: trained.Trained,
    network: graph.Network,
    settings: settings_lib.ExportSettings,
    module: ModuleType,
) -> None:
    search = None if run.vocabulary is None else run.search_options(settings.search)
    told = contract.of(
        run,
        network,
        format=settings.format,
        file=module.FILE,
        checkpoint=settings.checkpoint,
        search=search,
    )
    if run.vocabulary is None:
        names = outputs.class_names(run.labels, outputs.num_classes(run.model))
        files.write_text(folder / "labels.txt", "".join(f"{name}\n" for name in names))
    else:
        text.write_vocabulary(folder / "vocabulary.json", run.vocabulary)
    with files.atomic_path(folder / "example.py") as temporary:
        shutil.copyfile(example.__file__, temporary)
    files.write_json(folder / contract.FILE, told)


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    """Keeps a converter and a runtime quiet, unless an unforeseen error comes of them."""
    with logs.quiet_stderr(), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield


def _require_equal(compared: comparing.Compared, settings: settings_lib.ExportSettings) -> None:
    if not compared.difference <= comparing.TOLERANCE:
        raise UserError(
            "the export does not give what Keras gives, and is not kept",
            where=f"format={settings.format}",
            received=f"a difference of {compared.difference:.2g}",
            expected=f"at most {comparing.TOLERANCE:g}, and the same words",
            remedy=f"Try {' or '.join(lacking.other_formats(settings))}",
        )
