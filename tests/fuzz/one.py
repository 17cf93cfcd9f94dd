"""Fuzzes one target under atheris: `python tests/fuzz/one.py TARGET [libFuzzer's arguments]`."""

from __future__ import annotations

import pathlib
import sys
import tempfile

import atheris

sys.path[:0] = [str(pathlib.Path(__file__).parent), str(pathlib.Path(__file__).parents[2])]


def main() -> None:
    """Runs until libFuzzer's arguments tell it to stop, or an input raises."""
    name = sys.argv[1]
    with tempfile.TemporaryDirectory() as folder:
        # Pillow's readers are Python, and crafted images are about them as much as about us.
        with atheris.instrument_imports(include=["lrcn", "PIL", "targets"]):
            import targets

            run = targets.TARGETS[name].make(pathlib.Path(folder))
        atheris.Setup([sys.argv[0], *sys.argv[2:]], run)
        atheris.Fuzz()


if __name__ == "__main__":
    main()
