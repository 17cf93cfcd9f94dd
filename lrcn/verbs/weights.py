"""The verb `import`, whose name Python keeps for itself: foreign weights become a file of Keras."""

from __future__ import annotations

import logging
import pathlib
import shlex
from collections.abc import Sequence
from typing import Any

import rich.box
import rich.table

from lrcn import files
from lrcn import settings as settings_lib
from lrcn.errors import UserError
from lrcn.verbs import showing

log = logging.getLogger(__name__)

_OF_CNN, _OF_NETWORK = ".weights.h5", ".keras"


def import_weights(settings: settings_lib.ImportSettings) -> int:
    """Writes the network of a file of foreign weights and prints what became of every tensor."""
    file = pathlib.Path(settings.file).expanduser()
    output = None if settings.output is None else pathlib.Path(settings.output).expanduser()
    if output is not None:
        _check_output(output, (_OF_CNN, _OF_NETWORK), settings)
    showing.require_writable("output", (output or file).parent)
    showing.start_tensorflow()
    from lrcn.models import weights
    from lrcn.models.foreign import importing

    asked = settings.backbone
    image_size = getattr(asked, "image_size", None)
    imported = importing.load(
        file,
        backbone=None if asked.name == "auto" else asked.name,
        layer=asked.layer,
        image_size=image_size,
        mean=settings.mean,
        cnn_only=output is not None and output.name.endswith(_OF_CNN),
    )
    suffix = _OF_NETWORK if imported.is_whole else _OF_CNN
    output = output or file.with_suffix(suffix)
    _check_output(output, (suffix,), settings)
    if imported.is_whole:
        with files.atomic_path(output) as temporary:
            imported.model.save(temporary)
    else:
        weights.save_backbone_weights(imported.model, output)
    for line in imported.told:
        log.info("%s", line)
    _show(imported.matches)
    showing.log_next(output, _train_command(imported, output, image_size))
    return 0


def _check_output(
    output: pathlib.Path, suffixes: tuple[str, ...], settings: settings_lib.ImportSettings
) -> None:
    if not output.name.endswith(suffixes):
        raise UserError(
            "a file of another kind than is written",
            where="output",
            received=output,
            expected=" or ".join(f"NAME{suffix}" for suffix in suffixes),
            remedy="A CNN becomes NAME.weights.h5, a CNN with its LSTM NAME.keras",
        )
    if output.exists() and not settings.overwrite:
        raise UserError(
            "the file is there already",
            where="output",
            received=output,
            expected="a new file",
            remedy="Give output=FILE, or overwrite=true",
        )


def _show(matches: Sequence[Any]) -> None:
    """Prints a table of the tensors of the file and what they became."""
    table = rich.table.Table(box=rich.box.SIMPLE_HEAD, pad_edge=False)
    for column in ("tensor", "shape", "becomes", "shape"):
        table.add_column(column)
    for match in matches:
        shape = _sizes(match.tensor.values.shape)
        if match.weight is None:
            table.add_row(match.tensor.name, shape, "unmatched", "")
        else:
            table.add_row(match.tensor.name, shape, match.weight.path, _sizes(match.weight.shape))
    showing.console().print(table)


def _sizes(shape: Sequence[int]) -> str:
    return "x".join(map(str, shape))


def _train_command(imported: Any, output: pathlib.Path, image_size: tuple[int, int] | None) -> str:
    from lrcn.models.foreign import importing

    keys = [f"backbone={imported.backbone}"]
    # Of an LSTM the usual layer is fc6, which is in a file that goes as deep as fc7 or fc8, too.
    if imported.layer == "pool" or (imported.is_whole and imported.layer != "fc6"):
        keys.append(f"backbone.layer={imported.layer}")
    if image_size:
        keys.append(f"backbone.image_size=[{','.join(map(str, image_size))}]")
    if imported.is_whole:
        cells = importing.cells(imported.model)
        keys += ["workflow=lstm", f"workflow.units={cells[0].units}"]
        keys += [f"workflow.layers={len(cells)}"] if len(cells) > 1 else []
        keys.append(f"init={output}")
    else:
        keys.append(f"backbone.weights={output}")
    return shlex.join(["lrcn", "train", *keys]) + " dataset=..."
