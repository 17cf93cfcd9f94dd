"""From what is to be told to a page: one template a kind of page, style and script inside."""

from __future__ import annotations

import base64
import hashlib
import pathlib
import shlex
from collections.abc import Mapping
from typing import Any

import jinja2
import markupsafe

NAME = "report.html"
"""Of the page in a run, or in the folder of a sweep."""

MARK = '<meta name="generator" content="lrcn report">'
"""What tells a report from other files, at the beginning of its HTML."""

_FOLDER = pathlib.Path(__file__).parent / "templates"


def render(template: str, values: Mapping[str, Any]) -> str:
    """Returns a page; every value in it is text, whatever signs of HTML it holds.

    The page carries a policy of its own by which a browser loads nothing from anywhere, and runs
    no script but the one that is named by its digest.

    Args:
        template: The name of a file in `templates/`.
        values: What the template shows.
    """
    script = (_FOLDER / "page.js").read_text(encoding="utf-8")
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    own = {
        # Files of our own, the only ones that are HTML, CSS and JavaScript.
        "style": markupsafe.Markup((_FOLDER / "style.css").read_text(encoding="utf-8")),
        "script": markupsafe.Markup(script),
        "script_digest": f"sha256-{digest}",
        "mark": markupsafe.Markup(MARK),
    }
    return _environment().get_template(template).render({**values, **own})


def _environment() -> jinja2.Environment:
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(_FOLDER),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {"share": share, "number": number, "shell": shlex.quote}
    return environment


def share(value: float, digits: int = 1) -> str:
    """Returns a share as a percentage, such as "82.4 %"."""
    return f"{100 * value:.{digits}f} %"


def number(value: Any, digits: int = 4) -> str:
    """Returns a value of metrics as it is read best: integers whole, others rounded.

    Args:
        value: Of `metrics.json` or a table.
        digits: Behind the point.
    """
    if isinstance(value, bool) or value is None:
        return {None: "none", True: "yes", False: "no"}[value]
    if isinstance(value, int):
        return f"{value:,}"
    return f"{value:.{digits}f}" if isinstance(value, float) else str(value)
