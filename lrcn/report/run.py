"""The page of a run."""

from __future__ import annotations

import dataclasses
from typing import Any

from lrcn import runs
from lrcn.report import classes, curves, pages, states, told


@dataclasses.dataclass(frozen=True)
class Asked:
    """What a page is to show.

    Attributes:
        split: Whose evaluation; None if there is none.
        items: The best and the worst items that are shown, each.
        notes: What the reader has to know of how the page was made.
    """

    split: str | None
    items: int
    notes: tuple[str, ...] = ()


def page(run: runs.RunDirectory, asked: Asked) -> str:
    """Returns the page of a run.

    Args:
        run: The run.
        asked: What it is to show.

    Raises:
        UserError: A file of the run or of its evaluation is damaged.
    """
    config = run.read_config()
    history = curves.read(run)
    describes = "desc" in str(told.value_of(config, "workflow.name"))
    values: dict[str, Any] = {
        "title": run.path.resolve().name,
        "state": states.state(run),
        "notes": asked.notes,
        "split": asked.split,
        "charts": curves.panels(history, best=curves.best_epoch(run)) if history else [],
        "settings": told.settings(config),
        "config": told.whole(config),
        "command": told.command(config),
        "headline": None,
        "confusion": None,
        "per_class": None,
        "metrics": {},
    }
    known = None
    if asked.split and not describes:
        found = classes.read(run, asked.split)
        known = len(found.predicted.names)
        values |= {
            "headline": classes.headline(found),
            "confusion": classes.confusion(found),
            "per_class": classes.per_class(found),
            "metrics": found.metrics,
            "protocol": found.protocol,
        }
    values["sentence"] = told.sentence(config, classes=known)
    values["cost"] = states.cost(run, history, parameters=None)
    return pages.render("run.html.jinja", values)
