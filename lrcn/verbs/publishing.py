"""Verbs by which a run leaves the place where it was trained: `export` and `demo`."""

from __future__ import annotations

import logging

from lrcn import settings as settings_lib

log = logging.getLogger(__name__)


def export(settings: settings_lib.ExportSettings) -> int:
    """Writes a run for another runtime, and prints how it compares there with Keras."""
    raise NotImplementedError


def demo(settings: settings_lib.DemoSettings) -> int:
    """Serves a web page until it is stopped."""
    raise NotImplementedError
