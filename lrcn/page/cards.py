"""The answers as HTML: every name in it is quoted, and nothing is fetched from elsewhere."""

from __future__ import annotations

import functools
import pathlib
from collections.abc import Sequence

import jinja2

from lrcn import errors
from lrcn.page import answers, looking, pictures


def head(networks: Sequence[answers.Network], *, most_bytes: int, seconds: float) -> str:
    """Returns what stands above: what the page is for, what it takes, and which runs answer.

    Args:
        networks: The runs.
        most_bytes: Of a file.
        seconds: Of a video.
    """
    return _template("head.html").render(
        networks=networks, megabytes=most_bytes // 10**6, seconds=f"{seconds:g}"
    )


def large(most_bytes: int) -> str:
    """Returns a problem that the page itself shows, of a file that is too large to be sent.

    Args:
        most_bytes: Of a file.
    """
    return _template("large.html").render(megabytes=most_bytes // 10**6)


def script(most_bytes: int) -> str:
    """Returns what the page does by itself: it holds files against their largest size."""
    return _source("page.js").replace("MOST_BYTES", str(most_bytes))


def style() -> str:
    """Returns the style sheet of our own parts."""
    return _source("page.css")


def waiting(name: str) -> str:
    """Returns what is shown while a file is looked at.

    Args:
        name: Of the file.
    """
    return _template("waiting.html").render(name=name)


def refused(error: errors.UserError, *, name: str) -> str:
    """Returns a problem with a file: what, received, expected, and what mends it.

    Args:
        error: The problem.
        name: Of the file.
    """
    return _template("refused.html").render(error=error, name=name, shown=errors.shown)


def answered(
    seen: looking.Seen, networks: Sequence[answers.Network], told: Sequence[answers.Told]
) -> str:
    """Returns the answers so far, a card a run.

    Args:
        seen: The file.
        networks: All runs.
        told: What the first of them said.
    """
    labels = [[entry["label"] for entry in one.line.get("top", ())] for one in told]
    return _template("answered.html").render(
        seen=seen,
        length=looking.duration(seen.seconds),
        pairs=[
            (network, told[place] if place < len(told) else None)
            for place, network in enumerate(networks)
        ],
        asked=len(told),
        colours=pictures.colours(labels),
        pictures=pictures,
        shown=errors.shown,
    )


def _source(name: str) -> str:
    return (pathlib.Path(__file__).parent / "templates" / name).read_text(encoding="utf-8")


@functools.cache
def _template(name: str) -> jinja2.Template:
    environment = jinja2.Environment(
        loader=jinja2.PackageLoader("lrcn.page"),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    return environment.get_template(name)
