"""Gives MkDocs the pages that are made of other files."""

from __future__ import annotations

import generated
from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import File, Files


def on_config(config: MkDocsConfig) -> MkDocsConfig:
    """Fills the sections of the navigation that are left empty in `mkdocs.yml`."""
    sections = generated.navigation()
    config.nav = [
        {title: sections.get(title, pages) for title, pages in entry.items()}
        for entry in config.nav
    ]
    return config


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Adds the pages."""
    for path, text in generated.pages().items():
        files.append(File.generated(config, path, content=text))
    return files
