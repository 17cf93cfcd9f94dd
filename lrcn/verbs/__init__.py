"""The verbs: typed settings in, results on stdout, an exit code out.

TensorFlow is imported inside, when work starts: a finished job of a sweep is answered without it.
"""

from __future__ import annotations

import pathlib
import warnings
from typing import Any

from lrcn import runs
from lrcn.verbs import data, exporting, fusing, reporting, serving, training, using, weights
from lrcn.verbs.showing import show, start_tensorflow
from lrcn.verbs.training import finish_sweep

__all__ = ["finish_sweep", "run", "show", "start_tensorflow"]

_VERBS = {
    "check": data.check,
    "evaluate": using.evaluate,
    "predict": using.predict,
    "retrieve": using.retrieve,
    "fuse": fusing.fuse,
    "import": weights.import_weights,
    "export": exporting.export,
    "report": reporting.report,
    "demo": serving.demo,
}


def run(verb: str, settings: Any, *, folder: pathlib.Path, origin: runs.Origin) -> int:
    """Carries out one verb.

    Args:
        verb: A key of `settings.VERBS`.
        settings: The typed settings of that verb.
        folder: Hydra's output folder: the run directory of `train`.
        origin: The command line, stored with a run so that it can be resumed by its folder.

    Returns:
        The exit code.
    """
    # Pillow tells of odd files without their names; what it cannot read is an error with a name.
    warnings.filterwarnings("ignore", module=r"PIL\.")
    if verb == "train":
        return training.train(settings, folder=folder, origin=origin)
    if verb == "serialize":
        return data.serialize(settings, origin=origin)
    if verb == "browse":
        return data.browse(settings, origin=origin)
    return _VERBS[verb](settings)
