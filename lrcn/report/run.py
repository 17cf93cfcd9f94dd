"""The page of a run."""

from __future__ import annotations

import dataclasses
import logging
import math
from typing import Any

from lrcn import config as config_lib
from lrcn import provenance, runs, states
from lrcn.data.limits import Limits
from lrcn.errors import UserError
from lrcn.inference import trained
from lrcn.inference.card import facts
from lrcn.report import captions, classes, cost, curves, items, pages, told

log = logging.getLogger(__name__)

_OLDER = (
    "The evaluation on {split} is of an earlier checkpoint than the one that is there now: figures "
    "are of that one, pictures of this one. `lrcn evaluate` makes them one."
)


@dataclasses.dataclass(frozen=True)
class Asked:
    """What a page is to show.

    Attributes:
        split: Whose evaluation; None if there is none.
        items: The best and the worst items that are shown, each.
        notes: What the reader has to know of how the page was made.
        limits: The most that the network and the records may ask for.
    """

    split: str | None
    items: int
    notes: tuple[str, ...] = ()
    limits: Limits = Limits()


def page(run: runs.RunDirectory, asked: Asked) -> str:
    """Returns the page of a run.

    Args:
        run: The run.
        asked: What it is to show.

    Raises:
        UserError: A file of the run or of its evaluation is damaged.
    """
    config = run.read_config() if run.config_file.exists() else {}
    history = curves.read(run)
    opened, reason = _opened(run, "best", asked.limits)
    values: dict[str, Any] = {
        "title": run.path.resolve().name,
        "state": states.state(run),
        "notes": asked.notes,
        "split": asked.split,
        "charts": curves.panels(history, best=curves.best_epoch(run)) if history else [],
        "settings": told.settings(config),
        "config": told.whole(config),
        "command": provenance.command(config),
        "data": told.data(provenance.read(run)),
        "run": str(run.path),
        "headline": None,
        "classes": None,
        "captions": None,
        "metrics": {},
    }
    values |= _evaluation(run, asked, config, opened, reason)
    measured = facts.of_run(run).evaluated.get(asked.split) if config else None
    if measured is not None and measured.is_stale:
        values["notes"] = (*asked.notes, _OLDER.format(split=asked.split))
    values["seeds"] = _over_seeds(measured, values["headline"])
    count = len(run.read_labels()) if run.labels_file.exists() else None
    values["sentence"] = told.sentence(config, classes=count)
    values["cost"] = cost.of_run(run, history, parameters=_parameters(opened))
    return pages.render("run.html.jinja", values)


def _over_seeds(
    measured: facts.Measured | None, headline: classes.Headline | None
) -> facts.Spread | None:
    """Returns the best figure over the like runs of other seeds beside a run, if there are any."""
    if measured is None or headline is None:
        return None
    found = measured.metrics.get(headline.name)
    return found if found is not None and len(found.values) > 1 else None


def _evaluation(
    run: runs.RunDirectory,
    asked: Asked,
    config: dict,
    opened: trained.Trained | None,
    reason: str,
) -> dict[str, Any]:
    """Returns what is told of the evaluation, if there is one."""
    if asked.split is None:
        return {}
    if "desc" in str(config_lib.value_of(config, "workflow.name")):
        described = captions.shown(run, asked.split, asked.items, limits=asked.limits)
        return {
            "captions": described,
            "headline": described.headline,
            "metrics": described.metrics,
        }
    found = classes.read(run, asked.split)
    if found.protocol is not None and found.protocol.checkpoint != "best":
        opened, reason = _opened(run, found.protocol.checkpoint, asked.limits)
    return {
        "headline": classes.headline(found),
        "metrics": found.metrics,
        "classes": {
            "confusion": classes.confusion(found),
            "table": classes.per_class(found),
            "items": items.shown(found, asked.items, opened, reason=reason, limits=asked.limits),
        },
    }


def _opened(
    run: runs.RunDirectory, checkpoint: str, limits: Limits
) -> tuple[trained.Trained | None, str]:
    """Returns the run with its network, or why it cannot be had."""
    try:
        return trained.load(run.path, checkpoint=checkpoint, limits=limits), ""
    except UserError as error:
        log.warning("report: the network cannot be opened: %s", error)
        return None, str(error)


def _parameters(opened: trained.Trained | None) -> str | None:
    if opened is None:
        return None
    learnt = sum(math.prod(variable.shape) for variable in opened.model.trainable_variables)
    return f"{opened.model.count_params():,}, of which {learnt:,} are learnt"
