"""What a stranger gets: the built wheel, installed, in an empty directory."""

import os
import pathlib
import subprocess
import sys

import pytest

from lrcn import runs

ROOT = pathlib.Path(__file__).resolve().parent.parent
TINY = [
    *("dataset.train=8", "dataset.val=4", "dataset.test=0"),
    *("dataset.num_frames=4", "dataset.size=24", "clipframe_mode.num_frames_per_clip=4"),
    *("backbone.image_size=[16,16]", "workflow.units=4", "callbacks=minimal"),
]
OWN = """# @package _global_
epochs: 1
batch_size: 4
"""

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    """A folder that the wheel of the checkout was installed into; built and installed offline."""
    folder = tmp_path_factory.mktemp("wheel")
    build = [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(folder)]
    built = subprocess.run(build, cwd=ROOT, capture_output=True, text=True)
    assert built.returncode == 0, built.stderr
    (wheel,) = folder.glob("lrcn-*.whl")
    install = ["-m", "pip", "install", "--no-deps", "--no-index", "--target", str(folder / "site")]
    done = subprocess.run([sys.executable, *install, str(wheel)], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return folder / "site"


@pytest.fixture
def elsewhere(tmp_path):
    folder = tmp_path / "elsewhere"
    folder.mkdir()
    return folder


def run(site, folder, *command):
    environment = {**os.environ, "PYTHONPATH": str(site), "LRCN_CACHE": str(folder.parent / "c")}
    return subprocess.run(
        [sys.executable, *command], cwd=folder, env=environment, capture_output=True, text=True
    )


def test_the_configuration_came_along(site, elsewhere):
    found = run(site, elsewhere, "-c", "import lrcn, lrcn.cli; print(lrcn.__file__)")
    assert pathlib.Path(found.stdout.strip()) == site / "lrcn" / "__init__.py"
    shipped, own = site / "lrcn" / "conf", ROOT / "conf"
    files = {path.relative_to(own): path.read_text() for path in own.rglob("*.yaml")}
    assert {
        path.relative_to(shipped): path.read_text() for path in shipped.rglob("*.yaml")
    } == files
    for room in ("report", "page"):
        templates = pathlib.Path("lrcn") / room / "templates"
        for path in (ROOT / templates).iterdir():
            assert (site / templates / path.name).read_text() == path.read_text()
    modules = {path.relative_to(ROOT) for path in (ROOT / "lrcn").rglob("*.py")}
    assert {path.relative_to(site) for path in (site / "lrcn").rglob("*.py")} == modules


def test_the_installed_command_trains_with_an_experiment_of_ones_own(site, elsewhere):
    (elsewhere.parent / "mine" / "experiment").mkdir(parents=True)
    (elsewhere.parent / "mine" / "experiment" / "own.yaml").write_text(OWN)
    arguments = ["--config-dir", "../mine", "experiment=own", *TINY, "hydra.run.dir=run"]
    done = run(site, elsewhere, str(site / "bin" / "lrcn"), "train", *arguments)
    assert done.returncode == 0, done.stderr
    trained = runs.RunDirectory(elsewhere / "run")
    assert trained.is_done and trained.best.exists()
    settings = trained.read_config()
    assert (settings["epochs"], settings["batch_size"]) == (1, 4)
    assert trained.read_metrics()["videos"] == 4
    # The package finds its configuration beside itself: that of the wheel, not the checkout's.
    composed = (trained.path / ".hydra" / "hydra.yaml").read_text()
    assert f"path: {site / 'lrcn' / 'conf'}\n" in composed
    assert str(ROOT) not in composed
    assert sorted(path.name for path in elsewhere.iterdir()) == ["run"]
