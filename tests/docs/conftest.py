"""The folder `docs/`, and the site that is built of it."""

import importlib.util
import os
import pathlib
import subprocess
import sys

import pytest

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent


def _module(file):
    spec = importlib.util.spec_from_file_location(file.stem, file)
    module = importlib.util.module_from_spec(spec)
    sys.modules[file.stem] = module  # where dataclasses look for it
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="session")
def generated():
    """The module of the generated pages, which is no part of the package."""
    return _module(ROOT / "docs" / "generated.py")


@pytest.fixture(scope="session")
def blocks():
    """The module that reads the blocks of a page."""
    return _module(ROOT / "tests" / "docs" / "blocks.py")


@pytest.fixture(scope="session")
def site(tmp_path_factory):
    """The folder of the built site."""
    for name in ("material", "mkdocstrings"):
        pytest.importorskip(name, reason="needs the extra docs")
    folder = tmp_path_factory.mktemp("site")
    command = ["build", "--strict", "--config-file", "docs/mkdocs.yml", "--site-dir", str(folder)]
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "NO_MKDOCS_2_WARNING": "1"}
    done = subprocess.run(
        [sys.executable, "-m", "mkdocs", *command],
        cwd=ROOT,
        env=environment,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    assert "WARNING" not in done.stderr
    return folder
